"""What writers take: a table in memory, or one that is read in windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

import pyarrow as pa

from matlens.columns.notes import Note

if TYPE_CHECKING:
    from matlens.tree.nodes.node import Node

__all__ = ["BatchReader", "Item", "Source", "empty_reader", "reader_of"]


class BatchReader(Protocol):
    """A table that is read batch by batch; `matlens.columns.table.TableReader` is one."""

    num_rows: int

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns, and metadata."""
        ...

    @property
    def notes(self) -> list[Note]:
        """Every choice that was made for a column, and whether it loses something."""
        ...

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, from the first on."""
        ...


Source: TypeAlias = "pa.Table | BatchReader"


class _InMemory:
    """A table in memory as a `BatchReader`."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self.schema: pa.Schema = table.schema
        self.num_rows: int = table.num_rows
        self.notes: list[Note] = []

    def batches(self) -> Iterator[pa.RecordBatch]:
        return iter(self._table.to_batches())


def reader_of(table: Source) -> BatchReader:
    """`table` as something that gives batches."""
    return _InMemory(table) if isinstance(table, pa.Table) else table


def empty_reader() -> BatchReader:
    """A table of nothing, for writers that take values rather than their tables."""
    return _InMemory(pa.table({}))


def _nothing(rows: int) -> None:
    pass


@dataclass(slots=True)
class Item:
    """One table on its way to a file: its name, its rows, and the value it is made of.

    `on_rows` is told how many rows have gone by, for a progress bar.
    """

    name: str
    table: BatchReader
    node: Node | None = None
    on_rows: Callable[[int], None] = field(default=_nothing)

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    @property
    def num_rows(self) -> int:
        return self.table.num_rows

    @property
    def notes(self) -> list[Note]:
        return self.table.notes

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows; tells `on_rows` of each batch that has been dealt with."""
        for batch in self.table.batches():
            yield batch
            self.on_rows(batch.num_rows)
