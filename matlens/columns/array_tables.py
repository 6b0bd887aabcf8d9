"""Arrays, what is in Arrow already, and columns of both side by side, as tables that are read in windows of rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, Self

import numpy as np
import pyarrow as pa

from matlens.columns.buffers import number_array, text_array
from matlens.columns.column_plan import ColumnPlan
from matlens.columns.json_texts import json_texts
from matlens.columns.notes import Note
from matlens.columns.number_entries import exactly, leaf_array, number_entries
from matlens.columns.number_forms import as_entries, form_of_schema, number_header, number_plan
from matlens.columns.plan import Plan, leaf_type, renamed_notes
from matlens.columns.stored_tables import MAX_COLUMNS, MAX_LIST, StoredTable, schema_of
from matlens.columns.table import Table, no_rows
from matlens.columns.unify import Rows, row_dims
from matlens.errors import PathError, ShapeMismatch, UnsupportedValue
from matlens.names import safe_column_names
from matlens.values import windows
from matlens.values.plain import plain, printable
from matlens.values.windows import MemoryArray, StoredArray, window_bounds


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
        self.rows = _rows_of(dims, axis)
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
    def own_form(self) -> Plan:
        form = Plan(self.rows)
        names = [self._name] if self._nested else self._names
        form.add_root(names)
        for name in names:
            form.columns[name] = number_plan(name, self._array.dtype, self._row_dims)
        return form

    @property
    def _row_dims(self) -> tuple[int, ...]:
        """Dims of an entry of a row: those that the array has besides its rows."""
        return row_dims(self._inner) if self._nested else (1, 1)

    def add_values(self, form: Plan) -> None:
        wanting = [plan for plan in form.columns.values() if plan.needs_values]
        for start, stop in pairwise(self.bounds) if wanting else ():
            values = self._array.window(self._axis, start, stop)
            for plan in wanting:
                plan.add_values(values)

    @cached_property
    def columns(self) -> pa.Schema:
        if max(self._inner, default=0) > MAX_LIST:
            raise UnsupportedValue(f"rows of {max(self._inner)} items: Arrow's lists hold {MAX_LIST}")
        if self._form is not None or self._nested:
            return schema_of(self.form)
        leaf = leaf_type(self._array.dtype)
        return pa.schema([(name, leaf) for name in safe_column_names(self._names)])

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
        if self._form is not None or self._nested:
            return self._read_in_form(values, self.form)
        arrays = [leaf_array(np.ascontiguousarray(values[:, k])) for k in range(self._inner[0])]
        return pa.RecordBatch.from_arrays(arrays, schema=self.columns)

    def _read_in_form(self, values: Any, form: Plan) -> pa.RecordBatch:
        """Rows in a form that others share: each is an element of a column, as in a struct array."""
        count, arrays = len(values), []
        rows = number_header(self._array.dtype, self._row_dims).take(np.zeros(count, np.int64))
        names = [self._name] if self._nested else self._names
        flat = {name: values if self._nested else values[:, k] for k, name in enumerate(names)}
        for name in form.columns[""].fields:
            plan = form.columns.get(name, ColumnPlan(name))
            if name not in flat:
                arrays.append(pa.nulls(count, form.type_of(name)))
                continue
            column = np.ascontiguousarray(flat[name]).ravel()
            if plan.kind is None:
                arrays.append(json_texts(plain(np.asarray(item)) for item in flat[name]))
            else:
                arrays.append(number_entries(exactly(column, plan), rows, plan))
        return pa.RecordBatch.from_arrays(arrays, schema=self.columns)


def _rows_of(dims: tuple[int, ...], axis: int | None) -> Rows:
    """What the rows of an array are by its dims alone."""
    if axis is not None or len(dims) != 2 or min(dims) > 1 or 0 in dims:
        return Rows.RECORDS
    return Rows.SINGLE if max(dims) == 1 else Rows.VECTORS


class ArrowTable(StoredTable):
    """A table of Arrow, which is in memory already."""

    def __init__(self, table: pa.Table, choices: Sequence[Note] = (), about: dict[str, Any] | None = None) -> None:
        self._table, self._choices, self._columns_about = table, list(choices), about or {}
        self.num_rows = table.num_rows

    @cached_property
    def own_form(self) -> Plan:
        return form_of_schema(self._table.schema)

    @property
    def columns(self) -> pa.Schema:
        return self._table.schema if self._form is None else schema_of(self._form)

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
        own = found[0] if found else no_rows(self._table.schema)
        if self._form is None:
            return own
        arrays = [
            as_entries(own.column(name), self._form.columns[name], self._form.type_of(name))
            if name in own.schema.names
            else pa.nulls(len(own), self._form.type_of(name))
            for name in self._form.columns[""].fields
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.columns)


class JoinedTable(StoredTable):
    """Columns of several tables of equally many rows, side by side."""

    def __init__(self, tables: Sequence[StoredTable], names: Sequence[str]) -> None:
        self._tables, self._names = list(tables), list(names)
        self.num_rows = tables[0].num_rows

    rows = Rows.VECTORS

    @cached_property
    def own_form(self) -> Plan:
        form = Plan(self.rows)
        form.add_root(self._names)
        for table, name in zip(self._tables, self._names, strict=True):
            form.columns |= {path: plan for path, plan in table.own_form.part(name).columns.items() if path}
        return form

    def add_values(self, form: Plan) -> None:
        for table, name in zip(self._tables, self._names, strict=True):
            table.add_values(form.part(name))

    def in_form(self, form: Plan | None) -> Self:
        super().in_form(form)
        if form is not None:
            for table, name in zip(self._tables, self._names, strict=True):
                table.in_form(form.part(name))
        return self

    @property
    def columns(self) -> pa.Schema:
        if self._form is not None:
            return schema_of(self._form)
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
        stored = dict(zip(self._names, self._tables, strict=True))
        names = self._names if self._form is None else self._form.columns[""].fields
        arrays = [
            stored[name].read(start, stop).column(0)
            if name in stored
            else pa.nulls(stop - start, self.form.type_of(name))
            for name in names
        ]
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
