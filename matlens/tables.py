"""Values as Arrow tables that are read in windows of rows, so that memory stays bounded.

A `TableSource` knows its schema and its notes before it reads any value. MATLAB's view
of the columns goes into the schema metadata, as JSON under the key ``matlens``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.columns import ColumnBuilder, leaf_array, printable
from matlens.errors import LimitExceeded, PathError, ShapeMismatch
from matlens.model import Elements, Headers, Int64s
from matlens.names import safe_column_names
from matlens.plan import ColumnPlan, Planner, column_path, leaf_type, renamed_notes
from matlens.readers.base import Reader, target_dtype
from matlens.readers.inflate import MAX_RATIO
from matlens.unify import Kind, Note

__all__ = [
    "METADATA_KEY",
    "ArrayTable",
    "ElementsTable",
    "JoinedTable",
    "MemoryArray",
    "StoredArray",
    "TableReader",
    "TableSource",
    "WholeTable",
    "pieces",
    "text_table",
    "triplet_table",
    "with_metadata",
]

METADATA_KEY = b"matlens"
WINDOW_ROWS = 122_880
"""As many rows as a row group of Parquet should have."""
WINDOW_BYTES = 32 << 20
MAX_WINDOWS = 1_000_000
"""More would only come from dims that no file can hold."""
SMALL_BYTES = 64 << 20
"""Elements that take fewer bytes in the file are planned at once: each takes 50 bytes at least."""
PROBE_ROWS = 256
"""Rows that tell how large the others are likely to be."""
KEPT_ELEMENTS = 1_000_000
"""The headers of fewer elements, about 100 bytes each, are kept to build the columns from."""
MAX_UNSTORED = 256 << 20
MAX_LIST = 2**31 - 1
"""Items of Arrow's lists of fixed size."""
MAX_COLUMNS = 4096
"""A matrix of more columns becomes one column of lists."""


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


def windows(row_bytes: Int64s | int, rows: int, step: int = 1) -> list[int]:
    """Bounds of windows of bounded rows and bytes, at multiples of `step` where these are not too large.

    Examples
    --------
    >>> windows(8, 300_000)
    [0, 122880, 245760, 300000]
    >>> windows(WINDOW_BYTES, 3), windows(8, 300_000, 100_000)
    ([0, 1, 2, 3], [0, 100000, 200000, 300000])
    """
    if isinstance(row_bytes, int):
        size = max(1, min(WINDOW_ROWS, WINDOW_BYTES // max(row_bytes, 1)))
        most = max(1, 4 * WINDOW_BYTES // max(row_bytes, 1))
        # Blocks that do not end where a window ends are read twice.
        size = max(step, size // step * step) if step <= most else most
        if rows > size * MAX_WINDOWS:
            raise LimitExceeded(f"{rows} rows declared, {size * MAX_WINDOWS} at most")
        return [*range(0, rows, size), rows]
    ends = np.cumsum(row_bytes)
    bounds = [0]
    while bounds[-1] < rows:
        before = ends[bounds[-1] - 1] if bounds[-1] else 0
        stop = int(np.searchsorted(ends, before + WINDOW_BYTES, "right"))
        bounds.append(min(max(stop, bounds[-1] + 1), bounds[-1] + WINDOW_ROWS, rows))
    return bounds


class ElementsTable:
    """Columns of stored elements: fields of a struct array, elements of a cell.

    With `open_structs`, a single column of 1x1 structs becomes a column for each field.
    `stored_bytes` is at least what the elements take in the file, if it is known.
    """

    def __init__(
        self,
        reader: Reader,
        names: Sequence[str],
        columns: Sequence[Elements],
        *,
        stored_bytes: int | None = None,
        open_structs: bool = False,
    ) -> None:
        self._reader = reader
        self._names = list(names)
        self._columns = list(columns)
        self._open_structs = open_structs
        self._is_small = stored_bytes is not None and stored_bytes <= SMALL_BYTES
        self.num_rows = len(columns[0]) if columns else 0

    @cached_property
    def _planned(self) -> tuple[Planner, list[int]]:
        """The plan of all columns, and the bounds of windows."""
        pairs = list(zip(self._columns, self._names, strict=True))
        total, window = self.num_rows, None
        if total > PROBE_ROWS and not self._is_small:
            probed = Planner(self._reader).plan([(column.take(slice(PROBE_ROWS)), path) for column, path in pairs])
            if int(probed.mean() * total) > WINDOW_BYTES or total * len(pairs) > KEPT_ELEMENTS:
                window = max(1, min(WINDOW_ROWS, int(WINDOW_BYTES // max(probed.mean(), 1))))
        planner = Planner(self._reader, keep=window is None)
        sizes = planner.plan(pairs, window)
        if window is None and int(sizes.sum()) <= WINDOW_BYTES:
            return planner, [0, total]
        planner.levels.clear()
        return planner, windows(sizes, total)

    @property
    def bounds(self) -> list[int]:
        return self._planned[1]

    @cached_property
    def _opened(self) -> str | None:
        """The column whose structs are opened."""
        if not self._open_structs or len(self._names) != 1:
            return None
        name = self._names[0]
        plan = self._planned[0].columns.get(name)
        fits = plan is not None and plan.kind == Kind.STRUCT and plan.is_record and plan.fields and not plan.may_miss
        return name if fits else None

    @cached_property
    def columns_schema(self) -> pa.Schema:
        planner = self._planned[0]
        if self._opened is not None:
            return pa.schema(list(planner.record_type(self._opened)))
        types = [planner.type_of(name) for name in self._names]
        return pa.schema(list(zip(safe_column_names(self._names), types, strict=True)))

    @property
    def about(self) -> dict[str, Any]:
        planner, names = self._planned[0], self._names
        paths = names
        if self._opened is not None:
            names = planner.columns[self._opened].fields
            paths = [column_path(self._opened, name) for name in names]
        known = [planner.columns.get(path, ColumnPlan(path)) for path in paths]
        return {
            "columns": {
                safe: _describe(plan) | ({} if safe == name else {"name": name})
                for safe, name, plan in zip(safe_column_names(names), names, known, strict=True)
            }
        }

    @property
    def notes(self) -> list[Note]:
        return renamed_notes(self._names) + self._planned[0].notes()

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        builder = ColumnBuilder(self._reader, self._planned[0])
        rows = slice(start, stop)
        arrays = [
            builder.build(column.take(rows), name) for column, name in zip(self._columns, self._names, strict=True)
        ]
        if self._opened is not None:
            arrays = arrays[0].flatten()
        return pa.RecordBatch.from_arrays(arrays, schema=self.columns_schema)


def _describe(plan: ColumnPlan) -> dict[str, Any]:
    """MATLAB's view of a column."""
    described: dict[str, Any] = {"class": plan.classes, "dims": plan.shapes.described or "varies"}
    return described | {"nullable": True} if plan.may_miss else described


class StoredArray:
    """A numeric array of a file, read in windows along one dimension."""

    def __init__(self, reader: Reader, headers: Headers) -> None:
        self._reader, self._headers = reader, headers
        self._whole: NDArray[Any] | None = None
        self.dims = headers.shape(0)
        self.dtype = target_dtype(headers)

    def step(self, axis: int) -> int:
        """Length of the blocks in which it is stored."""
        return self._reader.window_step(self._headers, axis)

    def refuse_unstored(self) -> None:
        """Refuse to go through what is declared but cannot be stored: no compression gains as much.

        Raises
        ------
        LimitExceeded
        """
        nbytes = math.prod(self.dims) * self.dtype.itemsize
        if nbytes <= MAX_UNSTORED or self._reader.version != "7.3":
            return
        stored = int(self._reader.storage(self._headers)["bytes"] or 0)
        if nbytes > MAX_RATIO * stored:
            raise LimitExceeded(f"{nbytes} bytes declared, {stored} stored")

    def window(self, axis: int, start: int, stop: int) -> NDArray[Any]:
        """The part whose index along `axis` lies from `start` to before `stop`."""
        part = None
        if self._whole is None and (start, stop) != (0, self.dims[axis]):
            part = self._reader.window(self._headers, axis, start, stop)
        if part is None:
            if self._whole is None:
                # As stored, for it may be a view of the file.
                stored = self._reader.gather(self._headers, as_stored=True)[0]
                self._whole = stored.reshape(self.dims, order="F")
            part = self._whole[(slice(None),) * axis + (slice(start, stop),)]
        return part.astype(self.dtype, copy=False)


class MemoryArray:
    """A numeric array in memory."""

    def __init__(self, values: NDArray[Any]) -> None:
        self._values = values
        self.dims = values.shape
        self.dtype = values.dtype

    def step(self, axis: int) -> int:
        return 1

    def refuse_unstored(self) -> None:
        """It is in memory."""

    def window(self, axis: int, start: int, stop: int) -> NDArray[Any]:
        return self._values[(slice(None),) * axis + (slice(start, stop),)]


def pieces(*arrays: StoredArray | MemoryArray) -> Iterator[tuple[int, list[NDArray[Any]]]]:
    """Arrays of equal dims in pieces of bounded size, one after another in column-major order.

    Gives the column-major position of the first number of each piece, and a piece of each array.
    """
    dims = arrays[0].dims
    axis = max((k for k, size in enumerate(dims) if size > 1), default=0)
    before = math.prod(dims) // max(dims[axis], 1)
    row_bytes = before * max(array.dtype.itemsize for array in arrays)
    for array in arrays:
        array.refuse_unstored()
    for start, stop in pairwise(windows(row_bytes, dims[axis], max(array.step(axis) for array in arrays))):
        yield start * before, [array.window(axis, start, stop) for array in arrays]


class ArrayTable:
    """A numeric array: rows along one dimension, a column for each of the other indices.

    Arrays of more than two dimensions, and matrices of more than 4,096 columns, become one
    column of nested lists; with `nested`, all arrays do. `axis` counts from 0; the only row of a 1xN array is a column.
    """

    def __init__(
        self,
        array: StoredArray | MemoryArray,
        name: str,
        axis: int | None = None,
        names: Sequence[str] | None = None,
        *,
        nested: bool = False,
    ) -> None:
        dims = array.dims
        if axis is None:
            axis = 1 if len(dims) == 2 and dims[0] == 1 and dims[1] > 1 and names is None else 0
        if not 0 <= axis < len(dims):
            raise PathError(f"rows along dimension {axis + 1} of {len(dims)}")
        self._array, self._axis, self._name = array, axis, name
        self._inner = tuple(n for k, n in enumerate(dims) if k != axis)
        self._nested = nested or len(self._inner) > 1 or self._inner[0] > MAX_COLUMNS
        self._names = list(names or (f"x{k + 1}" for k in range(0 if self._nested else self._inner[0])))
        if not self._nested and len(self._names) != self._inner[0]:
            raise ShapeMismatch(f"{len(self._names)} names for {self._inner[0]} columns")
        self.num_rows = dims[axis]

    @cached_property
    def columns_schema(self) -> pa.Schema:
        leaf = leaf_type(self._array.dtype)
        if max(self._inner, default=0) > MAX_LIST:
            raise LimitExceeded(f"lists of {max(self._inner)} items, {MAX_LIST} at most")
        if not self._nested:
            return pa.schema([(name, leaf) for name in safe_column_names(self._names)])
        for size in reversed(self._inner):
            leaf = pa.list_(leaf, size)
        return pa.schema([(safe_column_names([self._name])[0], leaf)])

    @property
    def about(self) -> dict[str, Any]:
        return {"rows": f"dimension {self._axis + 1}"}

    @property
    def notes(self) -> list[Note]:
        return renamed_notes([self._name] if self._nested else self._names)

    @cached_property
    def bounds(self) -> list[int]:
        row_bytes = math.prod(self._inner) * self._array.dtype.itemsize
        self._array.refuse_unstored()
        return windows(row_bytes, self.num_rows, self._array.step(self._axis))

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        if math.prod(self._inner) == 0:
            return self._empty(stop - start)
        values = np.moveaxis(self._array.window(self._axis, start, stop), self._axis, 0)
        if not self._nested:
            arrays = [leaf_array(np.ascontiguousarray(values[:, k])) for k in range(self._inner[0])]
            return pa.RecordBatch.from_arrays(arrays, schema=self.columns_schema)
        array = leaf_array(np.ascontiguousarray(values).ravel())
        for size in reversed(self._inner):
            array = pa.FixedSizeListArray.from_arrays(array, size)
        return pa.RecordBatch.from_arrays([array], schema=self.columns_schema)

    def _empty(self, rows: int) -> pa.RecordBatch:
        arrays = [pa.nulls(rows, kind) for kind in self.columns_schema.types]
        return pa.RecordBatch.from_arrays(arrays, schema=self.columns_schema)


class WholeTable:
    """A table that is in memory already."""

    def __init__(self, table: pa.Table, notes: Sequence[Note] = (), about: dict[str, Any] | None = None) -> None:
        self._table = table.combine_chunks()
        self.notes = list(notes)
        self.about = about or {}
        self.num_rows = table.num_rows
        self.columns_schema = table.schema.remove_metadata()

    @property
    def bounds(self) -> list[int]:
        return windows(self._table.nbytes // max(self.num_rows, 1), self.num_rows)

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        columns = [column.combine_chunks() for column in self._table.slice(start, stop - start).columns]
        return pa.RecordBatch.from_arrays(columns, schema=self.columns_schema)


class JoinedTable:
    """Columns of several tables of equally many rows, side by side."""

    def __init__(self, sources: Sequence[TableSource], names: Sequence[str]) -> None:
        self._sources, self._names = sources, list(names)
        self.num_rows = sources[0].num_rows

    @property
    def columns_schema(self) -> pa.Schema:
        types = [source.columns_schema.field(0).type for source in self._sources]
        return pa.schema(list(zip(safe_column_names(self._names), types, strict=True)))

    @property
    def about(self) -> dict[str, Any]:
        parts = [source.about.get("columns", {}) for source in self._sources]
        return {"columns": {name: value for part in parts for name, value in part.items()}}

    @property
    def notes(self) -> list[Note]:
        return list(dict.fromkeys(note for source in self._sources for note in source.notes))

    @property
    def bounds(self) -> list[int]:
        return max((source.bounds for source in self._sources), key=len)

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        arrays = [source.read(start, stop).column(0) for source in self._sources]
        return pa.RecordBatch.from_arrays(arrays, schema=self.columns_schema)


def text_table(texts: Sequence[str]) -> WholeTable:
    """One row for each text."""
    fixed = [printable(text) for text in texts]
    lost = sum(a != b for a, b in zip(texts, fixed, strict=True))
    notes = [Note("text", f"{lost:,} texts with half a surrogate pair: U+FFFD in its place")] if lost else []
    return WholeTable(pa.table({"text": pa.array(fixed, pa.string())}), notes)


def triplet_table(matrix: Any) -> WholeTable:
    """One row for each non-zero of a sparse matrix, with 0-based indices."""
    coo = matrix.tocsc().tocoo()
    row, col = (np.asarray(index, np.int64) for index in coo.coords)
    table = pa.table({"row": pa.array(row), "col": pa.array(col), "value": leaf_array(coo.data)})
    return WholeTable(table, about={"sparse": "coordinates counted from 0"})


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
