"""Planning the columns of values, from headers alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from matlens.columns.object_columns import items_of
from matlens.columns.plan import ITEMSIZE, ColumnPlan, Plan, column_path, is_numeric
from matlens.columns.unify import Kind
from matlens.formats.loadmat_output import is_undecoded
from matlens.formats.reader import Reader
from matlens.formats.records import Children, Elements, Headers, Int64s, MatlabClass
from matlens.formats.visit import Visitor, Walk, field_of_records
from matlens.values.loadmat_form import decode_values

Level = tuple[Headers, list[Children]]
"""The headers of a level of values, and their children."""


class Planner(Visitor):
    """Plans the columns below one or several paths, window by window.

    `keep` has headers and children kept in `levels`, to build the only window from.
    """

    def __init__(self, reader: Reader, *, keep: bool = False) -> None:
        super().__init__(reader)
        self._keep = keep
        self._values_of: set[str] | None = None
        self.plan = Plan()
        self.levels: dict[str, Level] = {}

    def level(self, headers: Headers, where: str) -> Int64s:
        """Plan with some elements of the column at the path `where`; about how many bytes each will take in Arrow."""
        self.refuse_damaged(headers, None)
        plan = self.plan.columns.setdefault(where, ColumnPlan(where))
        if self._values_of is None:
            index = plan.add(headers)
        else:
            index = np.flatnonzero(~(is_numeric(headers) & (headers.numel == 0)))
            if where in self._values_of:
                self._add_values(plan, headers)
        sizes = headers.numel * ITEMSIZE[headers.cls] * (1 + headers.is_complex) + 1
        groups: list[Children] = []
        if plan.kinds == [Kind.OPAQUE] and len(index):
            self._add_objects(plan, headers.take(index))
        if plan.kinds in ([Kind.CELL], [Kind.STRUCT]) and len(index):
            present = headers if len(index) == len(headers) else headers.take(index)
            groups = self.reader.children(present)
            below = self._cells if plan.kinds == [Kind.CELL] else self._structs
            sizes += below(plan, groups, index, len(headers))
        else:
            sizes += np.where(is_numeric(headers) | (headers.cls == MatlabClass.CHAR), 0, headers.nbytes)
        if self._keep:
            self.levels[where] = headers, groups
        return np.asarray(sizes)

    def _add_objects(self, plan: ColumnPlan, headers: Headers) -> None:
        """Whether each stands for one element; how many an object holds is not in its header."""
        plan.object_classes |= set(headers.class_names.values())
        if plan.object_item is not None and plan.objects_alone:
            values = decode_values(self.reader, headers.elements)
            plan.objects_known &= not any(is_undecoded(value) for value in values)
            plan.objects_alone = plan.objects_known and all(len(items_of(value)) == 1 for value in values)

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
        seen = plan.records > records
        added = [name for name in names if name not in plan.fields]
        plan.fields += added
        for name in names:
            elements, _, owner = field_of_records(groups, name, index)
            path = column_path(plan.path, name)
            below = self.visit(elements, path, owner)
            sizes += np.bincount(owner, below, total).astype(np.int64)
            self.plan.columns[path].lacking |= len(elements) < records or (seen and name in added)
        for name in plan.fields:
            if name not in names:
                self.plan.columns[column_path(plan.path, name)].lacking = True
        return sizes

    def _add_values(self, plan: ColumnPlan, headers: Headers) -> None:
        for batch in self.batches(headers, None):
            plan.add_values(self.reader.gather(batch.headers)[0])

    def survey(self, columns: Sequence[tuple[Elements, str]], window: int | None = None) -> Int64s:
        """Plan columns of equal length, `window` rows at a time; about how many bytes each row will take.

        Where classes alone do not tell a dtype, the values of such columns are read.
        """
        sizes = self._pass(columns, window)
        wanting = {path for path, plan in self.plan.columns.items() if plan.needs_values}
        if wanting:
            self._values_of, self.walk, self._keep = wanting, Walk(self.reader, "visited"), False
            self._pass(columns, window)
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
