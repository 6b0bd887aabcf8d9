""""""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any, Protocol

import pyarrow as pa

from matlens.columns.notes import Note

__all__ = ["METADATA_KEY", "TableReader", "TableSource", "with_metadata"]

METADATA_KEY = b"matlens"


class TableSource(Protocol):
    """A table whose rows can be read in windows."""

    num_rows: int

    @property
    def columns_schema(self) -> pa.Schema:
        """Names and types of the columns."""
        ...

    @property
    def about(self) -> dict[str, Any]:
        """What the metadata say of the columns."""
        ...

    @property
    def notes(self) -> list[Note]:
        """Every choice that was made, and whether it loses something."""
        ...

    @property
    def bounds(self) -> list[int]:
        """Rows at which windows begin, and the number of rows."""
        ...

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        """The rows from `start` to before `stop`."""
        ...


class TableReader:
    """A value as a table: schema and notes at once, rows in windows.

    Attributes
    ----------
    schema : pyarrow.Schema
        With MATLAB's view of the columns and the notes under the key ``matlens``.
    num_rows : int
    notes : list of Note
        Every choice that was made for a column, and whether it loses something.
    """

    def __init__(
        self,
        source: TableSource,
        about: dict[str, Any],
        guard: Callable[[], AbstractContextManager[None]],
        notes: Sequence[Note] = (),
    ) -> None:
        self._source, self._guard = source, guard
        self.num_rows = source.num_rows
        self.notes = [*notes, *source.notes]
        about = about | source.about | {"notes": [str(note) for note in self.notes]}
        self.schema: pa.Schema = with_metadata(source.columns_schema, about)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Record batches of bounded size, one after another."""
        with self._guard():
            bounds = self._source.bounds
        for start, stop in pairwise(bounds):
            with self._guard():
                batch = self._source.read(start, stop)
            yield batch.replace_schema_metadata(self.schema.metadata)

    def read_all(self) -> pa.Table:
        """All rows."""
        return pa.Table.from_batches(self.batches(), self.schema)

    def to_reader(self) -> pa.RecordBatchReader:
        """The rows as Arrow's stream of record batches."""
        return pa.RecordBatchReader.from_batches(self.schema, self.batches())


def with_metadata(table: Any, about: dict[str, Any]) -> Any:
    """A table or schema with `about` as JSON under the key ``matlens`` of its metadata."""
    schema = table if isinstance(table, pa.Schema) else table.schema
    metadata = dict(schema.metadata or {})
    metadata[METADATA_KEY] = json.dumps(about, default=str).encode()
    return table.with_metadata(metadata) if isinstance(table, pa.Schema) else table.replace_schema_metadata(metadata)
