"""Values as Arrow tables that are read in windows of rows, so that memory stays bounded.

A `StoredTable` knows its schema and its notes before it reads any value. MATLAB's view
of the columns goes into the schema metadata, as JSON under the key ``matlens``.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, Self

import numpy as np
import pyarrow as pa

from matlens.columns.buffers import number_array, text_array
from matlens.columns.build import ColumnBuilder, leaf_array
from matlens.columns.notes import Note
from matlens.columns.plan import ColumnPlan, Plan, column_path, leaf_type, renamed_notes
from matlens.columns.planner import Planner
from matlens.columns.table import Table, no_rows, with_metadata
from matlens.columns.unify import Kind
from matlens.errors import PathError, ShapeMismatch, UnsupportedValue
from matlens.formats.reader import Reader
from matlens.formats.records import Elements
from matlens.names import safe_column_names
from matlens.values import windows
from matlens.values.plain import printable
from matlens.values.table_layout import Tabular
from matlens.values.windows import MemoryArray, StoredArray, window_bounds

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


class StoredTable(Table):
    """A table whose rows are read in windows, and which says where it comes from once it is bound to a value."""

    _remarks: Sequence[Note] = ()
    _guard: Callable[[], AbstractContextManager[None]] = nullcontext
    _again: Callable[[], Table] | None = None

    def bound(
        self,
        source: dict[str, Any],
        guard: Callable[[], AbstractContextManager[None]],
        notes: Sequence[Note] = (),
        again: Callable[[], Table] | None = None,
    ) -> Self:
        """The table, with what its metadata and notes say of the value that it is made of.

        `guard` stands around the reading of each window; pickling keeps `again`, which makes the table anew.
        """
        self._guard, self._remarks, self._again = guard, notes, again
        told = {"notes": [str(note) for note in self.notes]}
        self.schema = with_metadata(self.columns, source | self.about | told)
        return self

    @property
    @abstractmethod
    def columns(self) -> pa.Schema:
        """Names and types of the columns."""

    @property
    def about(self) -> dict[str, Any]:
        """What the metadata say of the columns."""
        return {}

    @property
    def choices(self) -> list[Note]:
        """What was chosen or lost for the columns."""
        return []

    @property
    @abstractmethod
    def bounds(self) -> list[int]:
        """Rows at which windows begin, and the number of rows."""

    @abstractmethod
    def read(self, start: int, stop: int) -> pa.RecordBatch:
        """The rows from `start` to before `stop`."""

    @cached_property
    def schema(self) -> pa.Schema:
        return self.columns

    @property
    def notes(self) -> list[Note]:
        return [*self._remarks, *self.choices]

    def batches(self) -> Iterator[pa.RecordBatch]:
        with self._guard():
            bounds, metadata = self.bounds, self.schema.metadata
        for start, stop in pairwise(bounds):
            with self._guard():
                batch = self.read(start, stop)
            yield batch.replace_schema_metadata(metadata)

    def __reduce__(self) -> Any:
        return super().__reduce__() if self._again is None else (self._again, ())


class ElementsTable(StoredTable):
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
            probed = Planner(self._reader).survey([(column.take(slice(PROBE_ROWS)), path) for column, path in pairs])
            if int(probed.mean() * total) > windows.WINDOW_BYTES or total * len(pairs) > KEPT_ELEMENTS:
                window = max(1, min(windows.WINDOW_ROWS, int(windows.WINDOW_BYTES // max(probed.mean(), 1))))
        planner = Planner(self._reader, keep=window is None)
        sizes = planner.survey(pairs, window)
        if window is None and int(sizes.sum()) <= windows.WINDOW_BYTES:
            return planner, [0, total]
        planner.levels.clear()
        planner.kept_objects.clear()
        return planner, window_bounds(sizes, total, limits=self._reader.limits)

    @property
    def bounds(self) -> list[int]:
        return self._planned[1]

    @cached_property
    def _opened(self) -> str | None:
        """The column whose structs are opened."""
        if not self._open_structs or len(self._names) != 1:
            return None
        name = self._names[0]
        plan = self._planned[0].plan.columns.get(name)
        fits = plan is not None and plan.kind == Kind.STRUCT and plan.is_record and plan.fields and not plan.may_miss
        return name if fits else None

    @cached_property
    def columns(self) -> pa.Schema:
        plan = self._planned[0].plan
        if self._opened is not None:
            return pa.schema(list(plan.record_type(self._opened)))
        types = [plan.type_of(name) for name in self._names]
        return pa.schema(list(zip(safe_column_names(self._names), types, strict=True)))

    @property
    def about(self) -> dict[str, Any]:
        plan, names = self._planned[0].plan, self._names
        paths = names
        if self._opened is not None:
            names = plan.columns[self._opened].fields
            paths = [column_path(self._opened, name) for name in names]
        return {"columns": _described(plan, names, paths)}

    @property
    def choices(self) -> list[Note]:
        return renamed_notes(self._names) + self._planned[0].plan.notes()

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        planner = self._planned[0]
        builder = ColumnBuilder(self._reader, planner.plan, planner.levels, planner.kept_objects)
        rows = slice(start, stop)
        arrays = [
            builder.visit(column.take(rows), name) for column, name in zip(self._columns, self._names, strict=True)
        ]
        if self._opened is not None:
            arrays = arrays[0].flatten()
        return pa.RecordBatch.from_arrays(arrays, schema=self.columns)


def _described(plan: Plan, names: Sequence[str], paths: Sequence[str]) -> dict[str, dict[str, Any]]:
    """MATLAB's view of each column, under the name that it has in Arrow."""
    known = [plan.columns.get(path, ColumnPlan(path)) for path in paths]
    return {
        safe: _describe(found) | ({} if safe == name else {"name": name})
        for safe, name, found in zip(safe_column_names(names), names, known, strict=True)
    }


def _describe(plan: ColumnPlan) -> dict[str, Any]:
    """MATLAB's view of a column."""
    described: dict[str, Any] = {"class": plan.classes, "dims": plan.shapes.described or "varies"}
    return described | {"nullable": True} if plan.may_miss else described


class TabularTable(StoredTable):
    """A MATLAB table or timetable: a column for each variable, after one for the names or times of the rows."""

    def __init__(self, reader: Reader, found: Tabular) -> None:
        self._reader, self._found = reader, found
        self.num_rows = found.parts.row_count

    @cached_property
    def _planned(self) -> tuple[Plan, int]:
        """The plan of all columns, and about how many bytes all rows take."""
        planner = Planner(self._reader)
        size = planner.survey_table(self._found)
        return planner.plan, size

    @cached_property
    def _builder(self) -> ColumnBuilder:
        return ColumnBuilder(self._reader, self._planned[0])

    @cached_property
    def columns(self) -> pa.Schema:
        plan = self._planned[0]
        return pa.schema(list(plan.record_type("")) if plan.columns[""].fields else [])

    @property
    def about(self) -> dict[str, Any]:
        plan, told = self._planned[0], self._found.about()
        variables = told.pop("variables")
        fields = plan.columns[""].fields
        columns = _described(plan, fields, fields)
        for safe, name in zip(safe_column_names(fields), fields, strict=True):
            columns[safe] |= variables.get(name, {})
        return told | {"columns": columns}

    @property
    def choices(self) -> list[Note]:
        return self._planned[0].notes()

    @cached_property
    def bounds(self) -> list[int]:
        size = -(-self._planned[1] // max(self.num_rows, 1))
        return window_bounds(size, self.num_rows, limits=self._reader.limits)

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        if not self.columns.names:
            return no_rows(self.columns)
        records = self._builder.table(self._found, self._planned[0].columns[""], slice(start, stop))
        return pa.RecordBatch.from_arrays(records.flatten(), schema=self.columns)


class ArrayTable(StoredTable):
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
    def columns(self) -> pa.Schema:
        leaf = leaf_type(self._array.dtype)
        if max(self._inner, default=0) > MAX_LIST:
            raise UnsupportedValue(f"rows of {max(self._inner)} items: Arrow's lists hold {MAX_LIST}")
        if not self._nested:
            return pa.schema([(name, leaf) for name in safe_column_names(self._names)])
        for size in reversed(self._inner):
            leaf = pa.list_(leaf, size)
        return pa.schema([(safe_column_names([self._name])[0], leaf)])

    @property
    def about(self) -> dict[str, Any]:
        return {"rows": f"dimension {self._axis + 1}"}

    @property
    def choices(self) -> list[Note]:
        return renamed_notes([self._name] if self._nested else self._names)

    @cached_property
    def bounds(self) -> list[int]:
        row_bytes = math.prod(self._inner) * self._array.dtype.itemsize
        self._array.refuse_unstored()
        return window_bounds(row_bytes, self.num_rows, self._array.step(self._axis), limits=self._array.limits)

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        if math.prod(self._inner) == 0:
            return no_rows(self.columns, stop - start)
        values = np.moveaxis(self._array.window(self._axis, start, stop), self._axis, 0)
        if not self._nested:
            arrays = [leaf_array(np.ascontiguousarray(values[:, k])) for k in range(self._inner[0])]
            return pa.RecordBatch.from_arrays(arrays, schema=self.columns)
        array = leaf_array(np.ascontiguousarray(values).ravel())
        for size in reversed(self._inner):
            array = pa.FixedSizeListArray.from_arrays(array, size)
        return pa.RecordBatch.from_arrays([array], schema=self.columns)


class ArrowTable(StoredTable):
    """A table of Arrow, which is in memory already."""

    def __init__(self, table: pa.Table, choices: Sequence[Note] = (), about: dict[str, Any] | None = None) -> None:
        self._table, self._choices, self._columns_about = table, list(choices), about or {}
        self.num_rows = table.num_rows

    @property
    def columns(self) -> pa.Schema:
        return self._table.schema

    @property
    def about(self) -> dict[str, Any]:
        return self._columns_about

    @property
    def choices(self) -> list[Note]:
        return self._choices

    @property
    def bounds(self) -> list[int]:
        rows = max(1, min(windows.WINDOW_ROWS, windows.WINDOW_BYTES * self.num_rows // max(self._table.nbytes, 1)))
        return list(accumulate((len(batch) for batch in self._table.to_batches(rows)), initial=0))

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        part = self._table.slice(start, stop - start)
        found = part.to_batches()
        if len(found) > 1:
            found = part.combine_chunks().to_batches()
        return found[0] if found else no_rows(self.columns)


class JoinedTable(StoredTable):
    """Columns of several tables of equally many rows, side by side."""

    def __init__(self, tables: Sequence[StoredTable], names: Sequence[str]) -> None:
        self._tables, self._names = tables, list(names)
        self.num_rows = tables[0].num_rows

    @property
    def columns(self) -> pa.Schema:
        types = [table.columns.field(0).type for table in self._tables]
        return pa.schema(list(zip(safe_column_names(self._names), types, strict=True)))

    @property
    def about(self) -> dict[str, Any]:
        parts = [table.about.get("columns", {}) for table in self._tables]
        return {"columns": {name: value for part in parts for name, value in part.items()}}

    @property
    def choices(self) -> list[Note]:
        return list(dict.fromkeys(note for table in self._tables for note in table.choices))

    @property
    def bounds(self) -> list[int]:
        return max((table.bounds for table in self._tables), key=len)

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        arrays = [table.read(start, stop).column(0) for table in self._tables]
        return pa.RecordBatch.from_arrays(arrays, schema=self.columns)


def as_table(table: Table | pa.Table) -> Table:
    """A table of Arrow as one of ours."""
    return table if isinstance(table, Table) else ArrowTable(table)


def text_table(texts: Sequence[str]) -> ArrowTable:
    """One row for each text."""
    fixed = [printable(text) for text in texts]
    lost = sum(a != b for a, b in zip(texts, fixed, strict=True))
    notes = [Note("text", f"{lost:,} texts with half a surrogate pair: U+FFFD in its place")] if lost else []
    return ArrowTable(pa.table({"text": text_array(fixed)}), notes)


def triplet_table(matrix: Any) -> ArrowTable:
    """One row for each non-zero of a sparse matrix, with 0-based indices."""
    coo = matrix.tocsc().tocoo()
    row, col = (np.asarray(index, np.int64) for index in coo.coords)
    table = pa.table({"row": number_array(row), "col": number_array(col), "value": leaf_array(coo.data)})
    return ArrowTable(table, about={"sparse": "coordinates counted from 0"})
