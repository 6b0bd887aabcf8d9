"""Grids and their cells: escaped text, and numbers as text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from matlens.tree.nodes.node import Node


class Cell(NamedTuple):
    """Escaped text of one cell; numbers are aligned to the right."""

    text: str
    is_number: bool = False
    is_error: bool = False


class Grid(ABC):
    """Rows and columns of cells, decoded window by window; labels count from `base`."""

    row_count: int
    column_count: int

    def column_label(self, column: int, base: int) -> str:
        return str(column + base)

    def row_label(self, row: int, base: int) -> str:
        return str(row + base)

    @abstractmethod
    def cells(self, rows: Sequence[int], columns: Sequence[int]) -> list[list[Cell]]:
        """The cells of some rows and columns."""

    def node_at(self, row: int, column: int) -> Node | None:
        """The value that a cell shows, to go into; None where there is nothing more to see."""
        return None

    @abstractmethod
    def column_values(self, column: int) -> NDArray[Any]:
        """All values of a column as sortable numbers or texts."""


def number_text(value: Any) -> str:
    """A number with six digits, as MATLAB's ``format short g`` has about as many."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, complex):
        return f"{value.real:.5g}{value.imag:+.5g}i"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
