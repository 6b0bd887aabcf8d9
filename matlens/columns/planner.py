"""Planning the columns of values, from headers alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from matlens.classes.time_zones import time_zone
from matlens.columns.column_plan import ITEMSIZE, MAX_PROPERTIES, ColumnPlan, column_path, is_numeric
from matlens.columns.object_columns import ObjectBatch, category_order, row_columns, row_header, upright
from matlens.columns.object_records import ObjectRecords, mark_enumerations
from matlens.columns.plan import Plan
from matlens.columns.unify import ITEM_KINDS, TABLE_KINDS, Kind, kinds_of
from matlens.formats.reader import Reader
from matlens.formats.records import Children, Elements, Headers, Int64s, MatlabClass
from matlens.formats.visit import Visitor, Walk, field_of_records, record_owners
from matlens.values.table_layout import RowTimes, Tabular

Sizes = TypeVar("Sizes", Int64s, int)
StoredObjects = TypeVar("StoredObjects", ObjectBatch, ObjectRecords)
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
        self.kept_objects: dict[str, ObjectBatch | ObjectRecords] = {}
        self._inside: list[set[str]] = []

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
        elif kind in TABLE_KINDS:
            sizes[index] += self._tables(plan, present)
        else:
            sizes += np.where(is_numeric(headers) | (headers.cls == MatlabClass.CHAR), 0, headers.nbytes)
            if kind == Kind.OPAQUE:
                found = self._kept(plan, ObjectRecords(self.reader, present))
                sizes[index] += found.per_element(self._objects(plan, present, found, index))
            elif kind in ITEM_KINDS and self._values_of is None:
                self._add_arrays(plan, self._kept(plan, ObjectBatch(self.reader, present)))
        if self._keep:
            self.levels[where] = headers, groups
        return np.asarray(sizes)

    def _kept(self, plan: ColumnPlan, objects: StoredObjects) -> StoredObjects:
        """The objects of a column, which are kept to build it from."""
        if self._keep:
            self.kept_objects[plan.path] = objects
        return objects

    def _add_arrays(self, plan: ColumnPlan, batch: ObjectBatch) -> None:
        """Take notice of what decides the form of arrays of single values and is not in their headers."""
        for i in range(len(batch)):
            record = batch.record(i)
            if record is not None:
                self._add_items(plan, record, math.prod(batch.dims(i)))
            else:
                plan.objects_known &= self.reader.objects() is not None

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
        count = sum(int(group.offsets[-1]) for group in groups)
        sizes = self._records(plan, groups, index, seen=plan.records > count)
        return np.bincount(record_owners(groups, index), sizes, total).astype(np.int64)

    def _records(self, plan: ColumnPlan, groups: list[Children], index: Int64s, *, seen: bool) -> Int64s:
        """Plan the fields of records, where others may have been `seen`; about how many bytes each record takes."""
        count = sum(int(group.offsets[-1]) for group in groups)
        sizes = np.zeros(count, np.int64)
        with self._fields(plan, [group.fields or () for group in groups], seen=seen) as names:
            for name in names:
                elements, record, owner = field_of_records(groups, name, index)
                path = column_path(plan.path, name)
                sizes += np.bincount(record, self.visit(elements, path, owner), count).astype(np.int64)
                self.plan.columns[path].lacking |= len(elements) < count
        return sizes

    @contextmanager
    def _fields(self, plan: ColumnPlan, groups: Sequence[Sequence[str]], *, seen: bool) -> Iterator[list[str]]:
        """Around the planning of the fields of some structs, of which others may lack some that were `seen` before.

        Each of the `groups` are the fields of one struct, so that their order is the one that each has alone.
        """
        names = list(dict.fromkeys(name for group in groups for name in group))
        added = [name for name in names if name not in plan.positions]
        for group in groups:
            plan.add_fields(group)
        yield names
        for name in added if seen else ():
            self.plan.columns[column_path(plan.path, name)].lacking = True
        for name in plan.fields:
            if name not in names:
                self.plan.columns[column_path(plan.path, name)].lacking = True

    # --- objects -------------------------------------------------------------------

    def _objects(self, plan: ColumnPlan, headers: Headers, found: ObjectRecords, index: Int64s) -> Int64s:
        """Plan with objects and their properties; about how many bytes each object takes, which may be shared."""
        classes = found.classes | {headers.class_name(i) for i in range(len(headers))}
        if self._values_of is None:
            self._add_opaque(plan, headers, found, classes)
        none = np.zeros(len(found), np.int64)
        if not found.are_objects or not len(found) or plan.is_nested:
            return none
        if (
            len(plan.positions.keys() | {name for group in found.groups for name in group.fields or ()})
            > MAX_PROPERTIES
        ):
            for group in found.groups:
                plan.add_fields(group.fields or ())
            return none
        self._inside.append(classes)
        try:
            return self._records(plan, found.groups, index[found.first], seen=plan.records > int(found.counts.sum()))
        finally:
            self._inside.pop()

    def _add_opaque(self, plan: ColumnPlan, headers: Headers, found: ObjectRecords, classes: set[str]) -> None:
        plan.members_only &= found.are_members
        plan.properties_known &= found.are_objects
        plan.object_classes |= classes
        plan.inside = plan.inside.union(*self._inside)
        plan.levels = max(plan.levels, len(self._inside))
        plan.records += int(found.counts.sum())
        for i in range(len(headers)):
            members = found.members(i)
            plan.objects_alone &= (int(found.counts[i]) if members is None else members.size) == 1

    # --- tables --------------------------------------------------------------------

    def _tables(self, plan: ColumnPlan, headers: Headers) -> Int64s:
        """Plan with tables that stand in cells and structs, of which each becomes a list of rows."""
        sizes = np.zeros(len(headers), np.int64)
        batch = self._kept(plan, ObjectBatch(self.reader, headers))
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
        with self._fields(plan, [[name for name, _ in columns]], seen=plan.tables > 0):
            size = sum(
                self.rows(stored, column_path(plan.path, name), count, are_vectors=found.are_vectors)
                for name, stored in columns
            )
        if self._values_of is None:
            plan.records += count
            plan.tables += 1
        return size

    def rows(self, stored: Elements | RowTimes, where: str, count: int, *, are_vectors: bool = False) -> int:
        """Plan with the rows of a variable of a table; about how many bytes all of them will take.

        With `are_vectors`, the variable may lie as a row.
        """
        plan = self.plan.columns.setdefault(where, ColumnPlan(where))
        if isinstance(stored, RowTimes):
            plan.add_times(Kind.DATETIME if stored.values.dtype.kind == "M" else Kind.DURATION, stored.zone)
            return 8 * count
        headers = self.walk.enter(stored)
        # Several tables may come to the same column.
        keep, self._keep = self._keep, False
        try:
            self.refuse_damaged(headers, None)
            headers = mark_enumerations(self.reader, upright(headers, count) if are_vectors else headers)
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
        (kind,) = kinds_of(headers)
        if kind == Kind.OPAQUE:
            return self._opaque_rows(headers, plan, count)
        batch = ObjectBatch(self.reader, headers)
        if kind in ITEM_KINDS:
            record, dims = batch.record(0), batch.dims(0)
            if record is not None and dims[0] == count:
                plan.add(headers)
                self._add_items(plan, record, math.prod(dims[1:]))
                return 8 * math.prod(dims)
        elif (found := batch.tabular(0)) is not None:
            if found.parts.row_count == count:
                plan.add_records(headers.class_name(0))
                return self.table(plan, found)
            if kind == Kind.MAP and count == 1:
                plan.add(headers)
                return self.table(plan, found)
        plan.add_apart(headers.class_name(0))
        return 0

    def _opaque_rows(self, headers: Headers, plan: ColumnPlan, count: int) -> int:
        found = ObjectRecords(self.reader, headers)
        members = found.members(0)
        dims = members.shape if members is not None else found.dims(0) if found.are_objects else headers.shape(0)
        if dims[0] != count:
            plan.add_apart(headers.class_name(0))
            return 0
        alone = plan.objects_alone and math.prod(dims[1:]) == 1
        plan.add(headers)
        size = found.per_element(self._objects(plan, headers, found, np.zeros(1, np.int64)))
        plan.objects_alone = alone
        return int(size.sum() + headers.nbytes[0])

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
