"""Values that are tables: structs of equally long vectors, tables and timetables, maps, arrays of texts or dates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matlens.escape import safe_text, shorten
from matlens.tree.nodes import OpaqueNode, StructNode
from matlens.tree.nodes.node import Node
from matlens.tui.model.cells import Cell, Grid, sortable_values, value_cell

if TYPE_CHECKING:
    import pyarrow as pa


class FrameGrid(Grid):
    """A value as the table that `convert` writes of it."""

    def __init__(self, node: OpaqueNode | StructNode) -> None:
        self._node = node
        self._table: pa.Table = node.to_arrow()
        self._variables = {child.name for child in node.children()}
        self.row_count, self.column_count = self._table.num_rows, self._table.num_columns

    def column_label(self, column: int, base: int) -> str:
        return shorten(safe_text(self._table.column_names[column]), 40)

    def cells(self, rows: Sequence[int], columns: Sequence[int]) -> list[list[Cell]]:
        parts = [self._table.column(column).take(np.asarray(rows, np.int64)).to_pylist() for column in columns]
        return [[value_cell(part[k]) for part in parts] for k in range(len(rows))]

    def exact(self, rows: Sequence[int], column: int) -> list[Any]:
        """Values of a column; None where there is none."""
        return list(self._table.column(column).take(np.asarray(rows, np.int64)).to_pylist())

    def node_at(self, row: int, column: int) -> Node | None:
        """The whole variable: a single value of it is no node of its own."""
        name = self._table.column_names[column]
        return self._node[name] if name in self._variables else None

    def column_name(self, column: int) -> str:
        return str(self._table.column_names[column])

    def column_arrow(self, column: int) -> pa.ChunkedArray:
        return self._table.column(column)

    def column_values(self, column: int) -> NDArray[Any]:
        return sortable_values(self._table.column(column))
