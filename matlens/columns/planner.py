"""Planning the columns of values, from headers alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from matlens.classes.time_zones import time_zone
from matlens.columns.column_plan import ITEMSIZE, ColumnPlan, column_path, is_numeric
from matlens.columns.object_columns import (
    ObjectBatch,
    category_order,
    mark_enumerations,
    members_of,
    row_columns,
    row_header,
)
from matlens.columns.plan import Plan
from matlens.columns.unify import ITEM_KINDS, Kind, kinds_of
from matlens.formats.reader import Reader
from matlens.formats.records import Children, Elements, Headers, Int64s, MatlabClass
from matlens.formats.visit import Visitor, Walk, field_of_records
from matlens.values.table_layout import RowTimes, Tabular

Sizes = TypeVar("Sizes", Int64s, int)
Level = tuple[Headers, list[Children]]
"""The headers of a level of values, and their children."""


class Planner(Visitor):
    """Plans the columns below one or several paths, window by window.

    `keep` has headers and children kept in `levels`, and objects in `kept_objects`, to build the only window from.
    """

    def __init__(self, reader: Reader, *, keep: bool = False) -> None:
        super().__init__(reader)
        self._keep = keep
        self._values_of: set[str] | None = None
        self.plan = Plan()
        self.levels: dict[str, Level] = {}
        self.kept_objects: dict[str, ObjectBatch] = {}

    def level(self, headers: Headers, where: str) -> Int64s:
        """Plan with some elements of the column at the path `where`; about how many bytes each will take in Arrow."""
        self.refuse_damaged(headers, None)
        headers = mark_enumerations(self.reader, headers)
        plan = self.plan.columns.setdefault(where, ColumnPlan(where))
        if self._values_of is None:
            index = plan.add(headers)
        else:
            index = np.flatnonzero(~(is_numeric(headers) & (headers.numel == 0)))
            if where in self._values_of:
                self._add_values(plan, headers)
        sizes = headers.numel * ITEMSIZE[headers.cls] * (1 + headers.is_complex) + 1
        groups: list[Children] = []
        present = headers if len(index) == len(headers) else headers.take(index)
        (kind,) = plan.kinds if len(plan.kinds) == 1 and len(index) else (None,)
        if kind in (Kind.CELL, Kind.STRUCT):
            groups = self.reader.children(present)
            below = self._cells if kind == Kind.CELL else self._structs
            sizes += below(plan, groups, index, len(headers))
        elif kind == Kind.TABLE:
            sizes[index] += self._tables(plan, present)
        else:
            sizes += np.where(is_numeric(headers) | (headers.cls == MatlabClass.CHAR), 0, headers.nbytes)
            if kind is not None and self._values_of is None:
                self._add_objects(plan, kind, present)
        if self._keep:
            self.levels[where] = headers, groups
        return np.asarray(sizes)

    def _add_objects(self, plan: ColumnPlan, kind: Kind, headers: Headers) -> None:
        """What decides the form of objects and is not in their headers."""
        if kind not in ITEM_KINDS | {Kind.OPAQUE}:
            return
        if kind == Kind.OPAQUE:
            for i in range(len(headers)):
                members = members_of(self.reader, headers, i)
                plan.members_only &= members is not None
                plan.objects_alone &= members is None or members.size == 1
            return
        batch = self._objects_of(plan, headers)
        for i in range(len(batch)):
            record = batch.record(i)
            if record is not None:
                self._add_items(plan, record, math.prod(batch.dims(i)))
            else:
                plan.objects_known &= self.reader.objects() is not None

    def _objects_of(self, plan: ColumnPlan, headers: Headers) -> ObjectBatch:
        batch = ObjectBatch(self.reader, headers)
        if self._keep:
            self.kept_objects[plan.path] = batch
        return batch

    def _add_items(self, plan: ColumnPlan, record: Mapping[str, Any], count: int) -> None:
        """Take notice of an array of single values of which `count` make one entry."""
        plan.objects_alone &= count == 1
        if plan.kinds == [Kind.DATETIME]:
            plan.zones.add(time_zone(record))
        elif plan.kinds == [Kind.CATEGORICAL]:
            plan.orders.add(category_order(record))

    def _cells(self, plan: ColumnPlan, groups: list[Children], index: Int64s, total: int) -> Int64s:
        sizes = np.zeros(total, np.int64)
        for group in groups:
            owner = group.owners(index)
            if len(owner):
                below = self.visit(group.elements, f"{plan.path}{{}}", owner)
                sizes += np.bincount(owner, below, total).astype(np.int64)
        return sizes

    def _structs(self, plan: ColumnPlan, groups: list[Children], index: Int64s, total: int) -> Int64s:
        sizes = np.zeros(total, np.int64)
        names = list(dict.fromkeys(name for group in groups for name in group.fields or ()))
        records = sum(int(group.offsets[-1]) for group in groups)
        with self._fields(plan, names, seen=plan.records > records):
            for name in names:
                elements, _, owner = field_of_records(groups, name, index)
                path = column_path(plan.path, name)
                below = self.visit(elements, path, owner)
                sizes += np.bincount(owner, below, total).astype(np.int64)
                self.plan.columns[path].lacking |= len(elements) < records
        return sizes

    @contextmanager
    def _fields(self, plan: ColumnPlan, names: list[str], *, seen: bool) -> Iterator[None]:
        """Around the planning of the fields `names`, of which others may lack some that were `seen` before."""
        added = [name for name in names if name not in plan.positions]
        plan.add_fields(names)
        yield
        for name in added if seen else ():
            self.plan.columns[column_path(plan.path, name)].lacking = True
        for name in plan.fields:
            if name not in names:
                self.plan.columns[column_path(plan.path, name)].lacking = True

    # --- tables --------------------------------------------------------------------

    def _tables(self, plan: ColumnPlan, headers: Headers) -> Int64s:
        """Plan with tables that stand in cells and structs, of which each becomes a list of rows."""
        sizes = np.zeros(len(headers), np.int64)
        batch = self._objects_of(plan, headers)
        for i in range(len(headers)):
            found = batch.tabular(i)
            if found is None:
                plan.objects_known &= self.reader.objects() is not None
                continue
            sizes[i] = self.table(plan, found)
        return sizes

    def table(self, plan: ColumnPlan, found: Tabular) -> int:
        """Plan with the rows of a table, whose variables become the fields of `plan`."""
        columns, count = row_columns(found), found.parts.row_count
        with self._fields(plan, [name for name, _ in columns], seen=plan.tables > 0):
            size = sum(self.rows(stored, column_path(plan.path, name), count) for name, stored in columns)
        if self._values_of is None:
            plan.records += count
            plan.tables += 1
        return size

    def rows(self, stored: Elements | RowTimes, where: str, count: int) -> int:
        """Plan with the rows of a variable of a table; about how many bytes all of them will take."""
        plan = self.plan.columns.setdefault(where, ColumnPlan(where))
        if isinstance(stored, RowTimes):
            plan.add_times(Kind.DATETIME if stored.values.dtype.kind == "M" else Kind.DURATION, stored.zone)
            return 8 * count
        headers = self.walk.enter(stored)
        # Several tables may come to the same column.
        keep, self._keep = self._keep, False
        try:
            self.refuse_damaged(headers, None)
            headers = mark_enumerations(self.reader, headers)
            if headers.cls[0] == MatlabClass.OPAQUE:
                return self._object_rows(headers, plan, count)
            return self._array_rows(headers, plan, count)
        finally:
            self._keep = keep
            self.walk.leave()

    def _array_rows(self, headers: Headers, plan: ColumnPlan, count: int) -> int:
        row = row_header(headers, count)
        kind = kinds_of(row)[0]
        if kind == Kind.NUMBER and self._values_of is not None and plan.path in self._values_of:
            self._add_values(plan, headers)
        if self._values_of is None and (kind != Kind.CELL or row.numel[0] != 1):
            plan.add(row)
            plan.add_copies(row, count - 1)
        if kind in (Kind.CELL, Kind.STRUCT) and headers.numel[0]:
            (group,) = self.reader.children(headers)
            if kind == Kind.STRUCT:
                return int(self._structs(plan, [group], np.zeros(1, np.int64), 1).sum())
            where = plan.path if row.numel[0] == 1 else f"{plan.path}{{}}"
            return int(self.visit(group.elements, where, np.zeros(len(group.elements), np.int64)).sum())
        return int(headers.numel[0]) * int(ITEMSIZE[row.cls[0]])

    def _object_rows(self, headers: Headers, plan: ColumnPlan, count: int) -> int:
        name = headers.class_name(0)
        (kind,) = kinds_of(headers)
        if kind == Kind.TABLE:
            found = ObjectBatch(self.reader, headers).tabular(0)
            if found is not None and found.parts.row_count == count:
                plan.add_records(name)
                return self.table(plan, found)
        elif kind in ITEM_KINDS:
            batch = ObjectBatch(self.reader, headers)
            record, dims = batch.record(0), batch.dims(0)
            if record is not None and dims[0] == count:
                plan.add(headers)
                self._add_items(plan, record, math.prod(dims[1:]))
                return 8 * math.prod(dims)
        else:
            members = members_of(self.reader, headers, 0)
            dims = headers.shape(0) if members is None else members.shape
            if dims[0] == count:
                plan.add(headers)
                plan.members_only &= members is not None
                plan.objects_alone &= math.prod(dims[1:]) == 1
                return int(headers.nbytes[0])
        plan.add_apart(name)
        return 0

    def _add_values(self, plan: ColumnPlan, headers: Headers) -> None:
        for batch in self.batches(headers, None):
            plan.add_values(self.reader.gather(batch.headers)[0])

    def survey(self, columns: Sequence[tuple[Elements, str]], window: int | None = None) -> Int64s:
        """Plan columns of equal length, `window` rows at a time; about how many bytes each row will take.

        Where classes alone do not tell a dtype, the values of such columns are read.
        """
        return self._twice(lambda: self._pass(columns, window))

    def add_values(self, form: Plan, columns: Sequence[tuple[Elements, str]]) -> None:
        """Let a plan of more than these columns know which types hold their numbers exactly."""
        self._with_values(form, lambda: self._pass(columns, None))

    def add_values_of_table(self, form: Plan, found: Tabular) -> None:
        """`add_values` for the rows of a table."""
        self._with_values(form, lambda: self.table(form.columns[""], found))

    def _with_values(self, form: Plan, look: Callable[[], Any]) -> None:
        self._values_of = {path for path, plan in form.columns.items() if plan.needs_values}
        if self._values_of:
            self.plan, self._keep = form, False
            look()

    def survey_table(self, found: Tabular) -> int:
        """Plan the rows of a table, whose columns are fields of the plan at the path ``""``."""
        return self._twice(lambda: self.table(self.plan.columns.setdefault("", ColumnPlan("")), found))

    def _twice(self, look: Callable[[], Sizes]) -> Sizes:
        """Look at headers, and then at values where the plan asks for them."""
        sizes = look()
        wanting = {path for path, plan in self.plan.columns.items() if plan.needs_values}
        if wanting:
            self._values_of, self.walk, self._keep = wanting, Walk(self.reader, "visited"), False
            look()
        return sizes

    def _pass(self, columns: Sequence[tuple[Elements, str]], window: int | None) -> Int64s:
        total = max((len(elements) for elements, _ in columns), default=0)
        step = window or max(total, 1)
        sizes = np.zeros(total, np.int64)
        for start in range(0, total, step):
            rows = slice(start, start + step)
            for elements, path in columns:
                sizes[rows] += self.visit(elements.take(rows), path)
        return sizes


def plan_of(reader: Reader, name: str) -> Plan:
    """The plan of one variable, whose columns have paths that begin with its name.

    Plans of several files merge to the form that holds the values of all of them.
    """
    planner = Planner(reader)
    found = {variable.name: variable.elements for variable in reader.variables()}
    planner.survey([(found[name], name)])
    return planner.plan
