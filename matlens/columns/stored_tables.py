"""Values as Arrow tables that are read in windows of rows, so that memory stays bounded.

A `TableSource` knows its schema and its notes before it reads any value. MATLAB's view
of the columns goes into the schema metadata, as JSON under the key ``matlens``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from matlens.columns.build import ColumnBuilder, leaf_array, printable
from matlens.columns.notes import Note
from matlens.columns.plan import ColumnPlan, Planner, column_path, leaf_type, renamed_notes
from matlens.columns.table import TableSource
from matlens.columns.unify import Kind
from matlens.errors import LimitExceeded, PathError, ShapeMismatch
from matlens.formats.reader import Reader
from matlens.formats.records import Elements
from matlens.names import safe_column_names
from matlens.values import windows
from matlens.values.windows import MemoryArray, StoredArray, window_bounds

__all__ = ["ArrayTable", "ElementsTable", "JoinedTable", "WholeTable", "text_table", "triplet_table"]

SMALL_BYTES = 64 << 20
"""Elements that take fewer bytes in the file are planned at once: each takes 50 bytes at least."""
PROBE_ROWS = 256
"""Rows that tell how large the others are likely to be."""
KEPT_ELEMENTS = 1_000_000
"""The headers of fewer elements, about 100 bytes each, are kept to build the columns from."""
MAX_LIST = 2**31 - 1
"""Items of Arrow's lists of fixed size."""
MAX_COLUMNS = 4096
"""A matrix of more columns becomes one column of lists."""


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
            if int(probed.mean() * total) > windows.WINDOW_BYTES or total * len(pairs) > KEPT_ELEMENTS:
                window = max(1, min(windows.WINDOW_ROWS, int(windows.WINDOW_BYTES // max(probed.mean(), 1))))
        planner = Planner(self._reader, keep=window is None)
        sizes = planner.plan(pairs, window)
        if window is None and int(sizes.sum()) <= windows.WINDOW_BYTES:
            return planner, [0, total]
        planner.levels.clear()
        return planner, window_bounds(sizes, total)

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
        return window_bounds(row_bytes, self.num_rows, self._array.step(self._axis))

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
        return window_bounds(self._table.nbytes // max(self.num_rows, 1), self.num_rows)

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
