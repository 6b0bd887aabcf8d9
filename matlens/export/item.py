"""A table on its way to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from matlens.columns.array_tables import as_table
from matlens.columns.notes import Note
from matlens.columns.table import AdaptedTable, Table
from matlens.tree.nodes.node import Node


def _nothing(rows: int) -> None:
    pass


class Item(AdaptedTable):
    """A table, the name that it gets in a file, and the value that it is made of.

    `on_rows` is told how many rows have gone by, for a progress bar.
    """

    def __init__(
        self, name: str, table: Table | pa.Table, node: Node | None = None, remarks: Sequence[Note] = ()
    ) -> None:
        super().__init__(as_table(table), table.schema)
        self.name, self.node, self._remarks = name, node, remarks
        self.on_rows: Callable[[int], None] = _nothing

    @classmethod
    def of_value(cls, name: str, node: Node) -> Item:
        """A value without a table, for formats that hold MATLAB's values themselves."""
        return cls(name, pa.table({}), node)

    @property
    def notes(self) -> list[Note]:
        return [*self._table.notes, *self._remarks]

    def batches(self) -> Iterator[pa.RecordBatch]:
        for batch in self._table.batches():
            yield batch
            self.on_rows(batch.num_rows)
