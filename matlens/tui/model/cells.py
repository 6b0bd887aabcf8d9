"""Grids and their cells: escaped text, and numbers as text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.escape import safe_text, shorten
from matlens.tree.nodes.node import Node

if TYPE_CHECKING:
    import pyarrow as pa

_TEXT = 200


class Cell(NamedTuple):
    """Escaped text of one cell; numbers are aligned to the right."""

    text: str
    is_number: bool = False
    is_error: bool = False


class Grid(ABC):
    """Rows and columns of cells, decoded window by window; labels count from `base`."""

    row_count: int
    column_count: int
    is_table: ClassVar[bool] = True
    """Whether a column holds values of one kind, so that statistics of it say something."""

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

    def column_name(self, column: int) -> str:
        """What an expression calls a column; not escaped."""
        label = self.column_label(column, 1)
        return f"x{label}" if label.isdigit() else label

    def column_arrow(self, column: int) -> pa.ChunkedArray:
        """All values of a column as `convert` would write them."""
        import pyarrow as pa

        return pa.chunked_array([arrow_numbers(self.column_values(column))])

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


def value_cell(value: Any) -> Cell:
    """A Python value of a column as a cell.

    Examples
    --------
    >>> value_cell(2.5), value_cell(None).text, value_cell(["a", "b"]).text
    (Cell(text='2.5', is_number=True, is_error=False), '', "['a', 'b']")
    """
    if value is None:
        return Cell("")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(number_text(value), True)
    return Cell(shorten(safe_text(str(value)), _TEXT))


def arrow_numbers(values: NDArray[Any]) -> pa.Array:
    """A vector as Arrow; complex numbers as structs of both parts."""
    import pyarrow as pa

    if values.dtype.kind == "c":
        return pa.StructArray.from_arrays([values.real.copy(), values.imag.copy()], ["real", "imag"])
    if values.dtype.kind == "U":
        return pa.array(values.tolist(), pa.string(), from_pandas=False)
    return pa.array(np.ascontiguousarray(values), from_pandas=False)


def sortable_values(array: pa.ChunkedArray) -> NDArray[Any]:
    """A column as numbers where it holds some, missing ones NaN, and as texts otherwise."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_temporal(kind):
        array, kind = array.cast("int64"), pa.int64()
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return np.asarray((array.cast("double") if array.null_count else array).to_numpy())
    return np.array(["" if value is None else str(value) for value in array.to_pylist()], np.str_)
