"""The protocol of tables: schema, notes and number of rows at once, rows batch by batch."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from matlens.columns.notes import Note
from matlens.errors import PathError

METADATA_KEY = b"matlens"


class Table(ABC):
    """Rows that are read batch by batch, under a schema that is known before.

    Whatever takes Arrow data takes a table: ``pl.DataFrame(table)``, ``pa.table(table)``,
    ``duckdb.sql("from rows")`` for a table called ``rows``.

    Examples
    --------
    >>> import matlens
    >>> table = matlens.open("fixtures/annotations_v7.mat")["annotations"].table()
    >>> table.num_rows, table.schema.names
    (70, ['image', 'boxes', 'labels', 'size', 'reviewed'])
    >>> pa.table(table).num_rows, sum(batch.num_rows for batch in table.to_batches())
    (70, 70)
    """

    num_rows: int

    @property
    @abstractmethod
    def schema(self) -> pa.Schema:
        """Names and types of the columns; MATLAB's view of them as JSON under the key ``matlens`` of the metadata."""

    @property
    @abstractmethod
    def notes(self) -> list[Note]:
        """Every choice that was made for a column, and whether it loses something."""

    @abstractmethod
    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows from the first on, in batches of bounded size."""

    def read_all(self) -> pa.Table:
        """All rows in memory."""
        return pa.Table.from_batches(self.batches(), self.schema)

    def to_batches(self, max_chunksize: int | None = None) -> Iterator[pa.RecordBatch]:
        """The rows as record batches, of `max_chunksize` rows at most."""
        for batch in self.batches():
            step = max_chunksize or max(batch.num_rows, 1)
            for start in range(0, max(batch.num_rows, 1), step):
                yield batch.slice(start, step)

    def to_reader(self) -> pa.RecordBatchReader:
        """The rows as Arrow's stream of record batches."""
        return pa.RecordBatchReader.from_batches(self.schema, self.batches())

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.to_reader().__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> Any:
        return self.schema.__arrow_c_schema__()


class AdaptedTable(Table):
    """Another table under a schema that has other metadata; subclasses change its batches."""

    def __init__(self, table: Table, schema: pa.Schema) -> None:
        self._table, self._schema = table, schema
        self.num_rows = table.num_rows

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    @property
    def notes(self) -> list[Note]:
        return self._table.notes

    def batches(self) -> Iterator[pa.RecordBatch]:
        return map(self._adapt, self._table.batches())

    def _adapt(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.replace_schema_metadata(self._schema.metadata)


def no_rows(schema: pa.Schema, nulls: int = 0) -> pa.RecordBatch:
    """A batch without rows, or with some that hold nothing."""
    return pa.RecordBatch.from_arrays([pa.nulls(nulls, kind) for kind in schema.types], schema=schema)


def require_columns(table: pa.Table, names: Sequence[str], what: str) -> None:
    """Raise `PathError` if a table lacks columns that `what` it is said to be of have.

    Examples
    --------
    >>> require_columns(pa.table({"a": [1]}), ["a", "xmin"], "boxes")
    Traceback (most recent call last):
    matlens.errors.PathError: no column 'xmin', as tables of boxes have; there are a
    """
    missing = [name for name in names if name not in table.column_names]
    if missing:
        known = ", ".join(table.column_names) or "none"
        raise PathError(f"no column {missing[0]!r}, as tables of {what} have; there are {known}")


def metadata_of(table: Any) -> dict[str, Any]:
    """What `with_metadata` has written of a table; nothing of any other.

    Examples
    --------
    >>> metadata_of(with_metadata(pa.table({}), {"source": "a.mat"})), metadata_of(pa.table({}))
    ({'source': 'a.mat'}, {})
    """
    about = json.loads((table.schema.metadata or {}).get(METADATA_KEY, b"{}"))
    return about if isinstance(about, dict) else {}


def with_metadata(table: Any, about: dict[str, Any]) -> Any:
    """A table or schema with `about` as JSON under the key ``matlens`` of its metadata."""
    schema = table if isinstance(table, pa.Schema) else table.schema
    metadata = dict(schema.metadata or {})
    metadata[METADATA_KEY] = json.dumps(about, default=str).encode()
    return table.with_metadata(metadata) if isinstance(table, pa.Schema) else table.replace_schema_metadata(metadata)
