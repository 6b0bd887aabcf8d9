"""Values as Arrow tables that are read in windows of rows, so that memory stays bounded.

A `StoredTable` knows its schema and its notes before it reads any value. MATLAB's view
of the columns goes into the schema metadata, as JSON under the key ``matlens``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import pyarrow as pa

from matlens.columns.build import ColumnBuilder
from matlens.columns.column_plan import ColumnPlan, column_path
from matlens.columns.notes import Note
from matlens.columns.plan import Plan
from matlens.columns.planner import Planner
from matlens.columns.table import Table, with_metadata
from matlens.columns.unify import Kind, Rows
from matlens.errors import FormMismatch
from matlens.formats.reader import Reader
from matlens.formats.records import Elements
from matlens.names import safe_column_names
from matlens.values import windows
from matlens.values.windows import window_bounds

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
    _form: Plan | None = None
    rows = Rows.RECORDS
    """What the rows are, where the dims of the value allow for more than one answer."""

    @property
    @abstractmethod
    def own_form(self) -> Plan:
        """The form of the value alone; its columns are the fields at the path ``""``."""

    @property
    def form(self) -> Plan:
        """The form of the columns: the one that was given, or the value's own."""
        if self._form is not None:
            return self._form
        self.own_form.rows = self.rows
        return self.own_form

    def in_form(self, form: Plan | None) -> Self:
        """The table in a form that others share; `FormMismatch` if the value does not fit."""
        if form is not None:
            refuse_mismatch(self.own_form, form)
            self._form = form
        return self

    def add_values(self, form: Plan) -> None:
        """Let `form` know which types hold the numbers of the value exactly, where headers do not tell."""
        return

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
        planner.plan.add_root(self._names)
        if window is None and int(sizes.sum()) <= windows.WINDOW_BYTES:
            return planner, [0, total]
        planner.levels.clear()
        planner.kept_objects.clear()
        return planner, window_bounds(sizes, total, limits=self._reader.limits)

    @property
    def bounds(self) -> list[int]:
        return self._planned[1]

    @property
    def own_form(self) -> Plan:
        return self._planned[0].plan

    def add_values(self, form: Plan) -> None:
        Planner(self._reader).add_values(form, list(zip(self._columns, self._names, strict=True)))

    @cached_property
    def _opened(self) -> str | None:
        """The column whose structs are opened."""
        if not self._open_structs or len(self._names) != 1:
            return None
        name = self._names[0]
        plan = self.form.columns.get(name)
        fits = plan is not None and plan.kind == Kind.STRUCT and plan.is_record and plan.fields and not plan.may_miss
        return name if fits else None

    @cached_property
    def columns(self) -> pa.Schema:
        return schema_of(self.form, self._opened or "")

    @property
    def about(self) -> dict[str, Any]:
        plan = self.form
        paths = names = plan.columns[""].fields
        if self._opened is not None:
            names = plan.columns[self._opened].fields
            paths = [column_path(self._opened, name) for name in names]
        return {"columns": described(plan, names, paths)}

    @property
    def choices(self) -> list[Note]:
        return self.form.notes()

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        planner = self._planned[0]
        builder = ColumnBuilder(self._reader, self.form, planner.levels, planner.kept_objects)
        stored, rows = dict(zip(self._names, self._columns, strict=True)), slice(start, stop)
        arrays = [
            builder.visit(stored[name].take(rows), name)
            if name in stored
            else pa.nulls(stop - start, self.form.type_of(name))
            for name in self.form.columns[""].fields
        ]
        if self._opened is not None:
            arrays = arrays[0].flatten()
        return pa.RecordBatch.from_arrays(arrays, schema=self.columns)


def schema_of(form: Plan, path: str = "") -> pa.Schema:
    """Names and types of the fields at `path`."""
    return pa.schema(list(form.record_type(path)) if form.columns[path].positions else [])


def refuse_mismatch(own: Plan, form: Plan) -> None:
    """Refuse a value whose own form is not a part of `form`: the form would be another one with it."""
    merged, known = form.merge(own), form.columns.get("", ColumnPlan("")).positions
    for name in own.columns[""].fields:
        if name not in known:
            expected = ", ".join(list(known)[:8])
            raise FormMismatch(f"column {name!r}: expected one of {expected} in the form that is given")
    for path in sorted(own.columns, key=len, reverse=True):
        if path and merged.type_of(path) != form.type_of(path):
            found = f"expected {form.type_of(path)} in the form that is given, found {own.type_of(path)}"
            raise FormMismatch(f"column {path!r}: {found}; merge the forms of all values first")


def described(plan: Plan, names: Sequence[str], paths: Sequence[str]) -> dict[str, dict[str, Any]]:
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
