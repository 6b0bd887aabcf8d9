"""What of a table is copied: a value, a row, a column, or all that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matlens.errors import UnsupportedValue
from matlens.tree.file import MatFile
from matlens.tree.nodes import StructArrayNode
from matlens.tree.nodes.node import Node
from matlens.tui.model.cells import Grid
from matlens.tui.model.exact import Rows, array_part, exact_cell, exact_file, exact_rows, exact_value
from matlens.tui.model.frames import FrameGrid
from matlens.tui.model.grids import ArrayGrid, MatrixOfCells, NodesGrid, RecordsGrid

SCOPES = ("value", "row", "column", "table")


@dataclass(frozen=True, slots=True)
class Place:
    """A cell of a table as it is seen: `rows` and `columns` are the stored ones in their order on the screen."""

    shown: MatFile | Node
    grid: Grid
    rows: Sequence[int]
    columns: Sequence[int]
    row: int
    seen_column: int
    is_in_table: bool = True
    base: int = 1

    @property
    def column(self) -> int:
        """The stored column of the cell."""
        return self.columns[self.seen_column]

    def take(self, scope: str) -> Any:
        """The value of a scope, as `exact` gives it.

        Raises
        ------
        MatlensError
            If it cannot be read, or is too large.
        """
        if scope == "value":
            return self.value()
        if not self.rows:
            raise UnsupportedValue("the table is empty")
        rows = [self.rows[self.row]] if scope == "row" else self.rows
        if isinstance(self.grid, NodesGrid):
            return self._named(rows, scope)
        columns = [self.column] if scope == "column" else self.columns
        if isinstance(self.grid, ArrayGrid):
            return array_part(self.grid, rows, columns)
        if isinstance(self.grid, MatrixOfCells) and scope == "table" and self._is_as_stored():
            return exact_value(self.grid.node)
        if isinstance(self.grid, RecordsGrid) and scope == "table" and self._is_as_stored():
            return exact_value(self.grid.node)
        return exact_rows(self.grid, rows, columns, self.base)

    def _is_as_stored(self) -> bool:
        pairs = (self.rows, range(self.grid.row_count)), (self.columns, range(self.grid.column_count))
        return all(seen == stored or list(seen) == list(stored) for seen, stored in pairs)

    def node(self) -> Node | None:
        """What the facts are of: the value of the cell, or the one that holds it; None if that is the file."""
        if self.is_in_table and self.rows:
            node = self.grid.node_at(self.rows[self.row], self.column)
            if node is not None:
                return node
        return None if isinstance(self.shown, MatFile) else self.shown

    def is_part(self) -> bool:
        """Whether the cell is a number or text in a value, and has no node of its own."""
        return self.is_in_table and bool(self.rows) and self._is_plain()

    def _is_plain(self) -> bool:
        return self.grid.node_at(self.rows[self.row], self.column) is None or isinstance(self.grid, FrameGrid)

    def label(self) -> str:
        """Row and column of the cell."""
        row = self.grid.row_label(self.rows[self.row], self.base)
        column = self.grid.column_label(self.column, self.base)
        part = f" of {self.grid.slice_text(self.base)}" if isinstance(self.grid, ArrayGrid) else ""
        return f"row {row}, column {column}{part}"

    def value(self) -> Any:
        """The value of the cell; from the outline, all that is shown."""
        if self.is_in_table and self.rows:
            # Class and dims stand beside a value, and are none of their own.
            column = self.grid.column_count - 1 if isinstance(self.grid, NodesGrid) else self.column
            return exact_cell(self.grid, self.rows[self.row], column)
        return exact_file(self.shown) if isinstance(self.shown, MatFile) else exact_value(self.shown)

    def _named(self, rows: Sequence[int], scope: str) -> Any:
        """Of variables, fields and elements: the values, or a column with the words that stand beside them."""
        value = self.grid.column_count - 1
        if scope == "table" and self._is_as_stored():
            return exact_file(self.shown) if isinstance(self.shown, MatFile) else exact_value(self.shown)
        column = self.column if scope == "column" else value
        found = exact_rows(self.grid, rows, [column], self.base)
        if scope == "column" or isinstance(self.shown, StructArrayNode):
            return found
        return Rows([self.grid.row_label(row, self.base) for row in rows], [[line[0] for line in found.items]])
