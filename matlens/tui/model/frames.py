"""Tables of objects: MATLAB's tables and timetables, maps, and arrays of strings, dates or categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matlens.escape import safe_text, shorten
from matlens.tree.nodes import OpaqueNode
from matlens.tree.nodes.node import Node
from matlens.tui.model.cells import Cell, Grid, number_text

if TYPE_CHECKING:
    import pyarrow as pa

_TEXT = 200


class FrameGrid(Grid):
    """An Arrow table, a row for each of its own."""

    def __init__(self, node: OpaqueNode) -> None:
        self._node = node
        self._table: pa.Table = node.to_arrow()
        self._variables = {child.name for child in node.children()}
        self.row_count, self.column_count = self._table.num_rows, self._table.num_columns

    def column_label(self, column: int, base: int) -> str:
        return shorten(safe_text(self._table.column_names[column]), 40)

    def cells(self, rows: Sequence[int], columns: Sequence[int]) -> list[list[Cell]]:
        parts = [self._table.column(column).take(np.asarray(rows, np.int64)).to_pylist() for column in columns]
        return [[_cell(part[k]) for part in parts] for k in range(len(rows))]

    def node_at(self, row: int, column: int) -> Node | None:
        """The whole variable: a single value of it is no node of its own."""
        name = self._table.column_names[column]
        return self._node[name] if name in self._variables else None

    def column_values(self, column: int) -> NDArray[Any]:
        values = self._table.column(column).to_pandas().to_numpy()
        if values.dtype.kind in "mM":
            return np.where(np.isnat(values), np.nan, values.astype(np.int64).astype(np.float64))
        if values.dtype.kind in "biuf":
            return np.asarray(values)
        return np.array(["" if value is None else str(value) for value in values.tolist()], np.str_)


def _cell(value: Any) -> Cell:
    if value is None:
        return Cell("")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Cell(number_text(value), True)
    return Cell(shorten(safe_text(str(value)), _TEXT))
