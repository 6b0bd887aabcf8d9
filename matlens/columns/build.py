"""Elements to Arrow: a struct array or a cell is decoded for all its elements at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.columns.buffers import (
    items_array,
    list_array,
    number_array,
    string_array,
    structs_without_fields,
    text_array,
)
from matlens.columns.column_plan import ColumnPlan, column_path, is_numeric
from matlens.columns.json_texts import json_text, json_texts
from matlens.columns.number_entries import exactly, fixed_list, fixed_row_major, leaf_array, number_entries
from matlens.columns.object_columns import (
    ObjectBatch,
    arrow_column,
    arrow_columns,
    as_type,
    by_rows,
    joined,
    row_columns,
    row_header,
    row_times,
    upright,
)
from matlens.columns.object_records import ObjectRecords, mark_enumerations
from matlens.columns.plan import Plan
from matlens.columns.planner import Level, Planner, StoredObjects
from matlens.columns.unify import TABLE_KINDS, Kind, Layout, kinds_of, row_major
from matlens.errors import LimitExceeded
from matlens.formats.loadmat_output import is_undecoded
from matlens.formats.ragged import counts_to_offsets, ragged_ranges, units_to_utf8
from matlens.formats.reader import Reader
from matlens.formats.records import Children, Elements, Headers, Int64s, MatlabClass
from matlens.formats.visit import Visitor, field_of_records
from matlens.names import safe_column_names
from matlens.values.handles import function_texts
from matlens.values.kinds import char_values, sparse_arrays
from matlens.values.loadmat_form import decode_values, objects_of
from matlens.values.objects import Objects
from matlens.values.plain import PlainValues, printable
from matlens.values.table_layout import RowTimes, Tabular
from matlens.values.windows import StoredArray


def build_column(reader: Reader, elements: Elements, path: str) -> pa.Array:
    """Arrow array of n entries, one for each element, planned from just these."""
    planner = Planner(reader, keep=True)
    planner.survey([(elements, path)])
    return ColumnBuilder(reader, planner.plan, planner.levels, planner.kept_objects).visit(elements, path)


class ColumnBuilder(Visitor):
    """Builds an Arrow array of each level, in the form that a plan has for it; a level is known by its path.

    Where the planner has kept the headers of a column in `levels`, or its `objects`, these are used and given up.
    """

    def __init__(
        self,
        reader: Reader,
        plan: Plan,
        levels: dict[str, Level] | None = None,
        objects: dict[str, ObjectBatch | ObjectRecords] | None = None,
    ) -> None:
        super().__init__(reader)
        self._plan, self._levels = plan, {} if levels is None else levels
        self._known_objects = {} if objects is None else objects
        self._of_rows: dict[tuple[int, int], Any] = {}
        self._plain = PlainValues(reader.limits)

    def visit(self, elements: Elements, where: Any = "", owner: Int64s | None = None) -> pa.Array:
        if where not in self._plan.columns:
            return pa.nulls(len(elements))
        if where not in self._levels:
            return super().visit(elements, where, owner)
        headers, groups = self._levels.pop(where)
        self.walk.enter_known(elements.positions, np.zeros(len(elements), np.int64) if owner is None else owner)
        try:
            return self._column(headers, groups, self._plan.columns[where])
        finally:
            self.walk.leave()

    def level(self, headers: Headers, where: str) -> pa.Array:
        self.refuse_damaged(headers, None)
        headers = mark_enumerations(self.reader, headers)
        return self._column(headers, None, self._plan.columns[where])

    def _column(self, headers: Headers, groups: list[Children] | None, plan: ColumnPlan) -> pa.Array:
        if plan.kind == Kind.NUMBER:
            return self._numbers(headers, plan)
        if plan.kind is None:
            return self._json(headers)
        index = np.flatnonzero(~(is_numeric(headers) & (headers.numel == 0)))
        if not len(index):
            return pa.nulls(len(headers), self._plan.type_of(plan.path))
        present = headers if len(index) == len(headers) else headers.take(index)
        match plan.kind:
            case Kind.CHAR:
                array = self._chars(present, plan)
            case Kind.CELL:
                array = self._cells(present, groups, index, plan)
            case Kind.STRUCT:
                array = self._structs(present, groups, index, plan)
            case Kind.SPARSE:
                array = self._sparse(present, plan)
            case Kind.FUNCTION:
                array = text_array(function_texts(self.reader, present))
            case Kind.TABLE | Kind.MAP:
                array = self._tables(present, plan)
            case Kind.OPAQUE if plan.are_records:
                array = self._object_records(present, index, plan)
            case Kind.OPAQUE if not plan.members_only:
                array = self._json(present)
            case _:
                array = self._objects(present, plan)
        return _spread(array, index, len(headers))

    # --- objects -------------------------------------------------------------------

    def _objects(self, headers: Headers, plan: ColumnPlan) -> pa.Array:
        """Arrays of single values, and members of enumerations; null where no object is stored."""
        if plan.kind == Kind.OPAQUE:
            objects = self._objects_of(plan, headers, ObjectRecords)
            members = [objects.members(i) for i in range(len(headers))]
            known = [i for i, found in enumerate(members) if found is not None]
            texts = [found.ravel(order="F").tolist() for found in members if found is not None]
            items, counts = text_array([text for each in texts for text in each]), np.array(list(map(len, texts)), int)
        else:
            batch = self._objects_of(plan, headers, ObjectBatch)
            records = [batch.record(i) for i in range(len(headers))]
            known = [i for i, record in enumerate(records) if record is not None]
            found = [record for record in records if record is not None]
            items, counts = arrow_columns(plan.kind.value if plan.kind else "", found, plan.item_type)
        array = items if plan.objects_alone else list_array(items, counts, None, plan.is_large)
        return _spread(array, np.array(known, np.int64), len(headers))

    def _object_records(self, headers: Headers, index: Int64s, plan: ColumnPlan) -> pa.Array:
        """Structs of the properties of objects; null where none is stored."""
        found = self._objects_of(plan, headers, ObjectRecords)
        records = self._properties(found, index, plan)
        return records if plan.objects_alone else list_array(records, found.counts, None, plan.is_large)

    def _properties(self, found: ObjectRecords, index: Int64s, plan: ColumnPlan) -> pa.Array:
        owner, total = index[found.first], len(found)
        arrays = [self._field(found.groups, name, owner, total, plan) for name in plan.fields]
        return found.of_all(self._records(arrays, plan, total))

    def _objects_of(self, plan: ColumnPlan, headers: Headers, kind: type[StoredObjects]) -> StoredObjects:
        known = self._known_objects.pop(plan.path, None)
        return known if isinstance(known, kind) else kind(self.reader, headers)

    def _json(self, headers: Headers) -> pa.Array:
        values = decode_values(self.reader, headers.elements, objects=self._objects_once)
        return text_array([None if is_undecoded(v) or _is_empty(v) else self._json_text(v) for v in values])

    def _json_text(self, value: Any) -> str:
        """A value as JSON; an object that stands in an entry before is told by its class."""
        return json_text(self._plain.all_of(value))

    @cached_property
    def _objects_once(self) -> Objects | None:
        return objects_of(self.reader)

    def _tables(self, headers: Headers, plan: ColumnPlan) -> pa.Array:
        """Tables that stand in cells and structs, each a list of rows."""
        record, arrays = self._plan.record_type(plan.path), []
        null = np.zeros(len(headers), bool)
        counts = np.zeros(len(headers), np.int64)
        batch = self._objects_of(plan, headers, ObjectBatch)
        for i in range(len(headers)):
            found = batch.tabular(i)
            null[i] = found is None
            if found is not None:
                counts[i] = found.parts.row_count
                arrays.append(self.table(found, plan))
        return list_array(joined(arrays, record), counts, null, plan.is_large)

    def table(self, found: Tabular, plan: ColumnPlan, rows: slice | None = None) -> pa.Array:
        """The rows of a table as records, those that `rows` picks or all."""
        count = found.parts.row_count
        stored = dict(row_columns(found))
        picked = range(count)[rows or slice(None)]
        arrays = []
        for name in plan.fields:
            path = column_path(plan.path, name)
            if name in stored:
                arrays.append(self.rows(stored[name], path, count, picked, are_vectors=found.are_vectors))
            else:
                arrays.append(pa.nulls(len(picked), self._plan.type_of(path)))
        return self._records(arrays, plan, len(picked))

    # --- rows of the variables of tables -------------------------------------------

    def rows(
        self, stored: Elements | RowTimes, where: str, count: int, picked: range, *, are_vectors: bool = False
    ) -> pa.Array:
        """The rows of a variable of a table of `count` rows, those that are picked."""
        plan, kind = self._plan.columns[where], self._plan.type_of(where)
        if isinstance(stored, RowTimes) and plan.kind is not None:
            return as_type(row_times(stored).slice(picked.start, len(picked)), kind)
        if isinstance(stored, RowTimes):
            return self._rows_as_json(stored, count, picked, are_vectors)
        headers = self.walk.enter(stored)
        try:
            self.refuse_damaged(headers, None)
            headers = mark_enumerations(self.reader, upright(headers, count) if are_vectors else headers)
            row = row_header(headers, count) if headers.cls[0] != MatlabClass.OPAQUE else headers
            if plan.kind is None and (headers.cls[0] != MatlabClass.CELL or row.numel[0] != 1):
                return self._rows_as_json(stored, count, picked, are_vectors)
            if headers.cls[0] == MatlabClass.OPAQUE:
                return self._object_rows(headers, plan, count, picked)
            match kinds_of(row)[0]:
                case Kind.NUMBER:
                    return self._number_rows(headers, row, plan, count, picked)
                case Kind.CHAR:
                    return self._text_rows(headers, plan, picked)
            return self._container_rows(headers, row, plan, picked)
        finally:
            self.walk.leave()

    def _rows_as_json(self, stored: Elements | RowTimes, count: int, picked: range, are_vectors: bool) -> pa.Array:
        """Rows in the form that they have alone, as JSON text."""
        planner = Planner(self.reader)
        planner.rows(stored, "", count, are_vectors=are_vectors)
        builder = ColumnBuilder(self.reader, planner.plan)
        return json_texts(builder.rows(stored, "", count, picked, are_vectors=are_vectors).to_pylist())

    def _object_rows(self, headers: Headers, plan: ColumnPlan, count: int, picked: range) -> pa.Array:
        kind, (own,) = self._plan.type_of(plan.path), kinds_of(headers)
        if own != plan.kind and own not in TABLE_KINDS:
            return pa.nulls(len(picked), kind)
        if plan.kind == Kind.MAP:
            return self._tables(headers, plan)
        if plan.kind == Kind.STRUCT:
            found = ObjectBatch(self.reader, headers).tabular(0)
            if found is not None and found.parts.row_count == count:
                return self.table(found, plan, slice(picked.start, picked.stop))
            return pa.nulls(len(picked), kind)
        if plan.kind == Kind.OPAQUE and not plan.members_only and not plan.are_records:
            value = decode_values(self.reader, headers.elements, objects=self._objects_once)[0]
            items = list(value.ravel(order="F")) if isinstance(value, np.ndarray) else [value]
            if headers.shape(0)[0] != count or len(items) != count:
                return pa.nulls(len(picked), kind)
            return text_array([None if items[i] is None else self._json_text(items[i]) for i in picked], kind)
        flat, dims = self._kept(headers, len(picked) == count, lambda: self._object_items(headers, plan))
        if not dims or dims[0] != count:
            return pa.nulls(len(picked), kind)
        width = math.prod(dims[1:])
        items = flat.slice(picked.start * width, len(picked) * width)
        return items if plan.objects_alone else list_array(items, np.full(len(picked), width, np.int64))

    def _object_items(self, headers: Headers, plan: ColumnPlan) -> tuple[pa.Array, tuple[int, ...]]:
        """Items of an object row by row, and its dims; none where it is not decoded."""
        if plan.kind == Kind.OPAQUE:
            found = ObjectRecords(self.reader, headers)
            members, dims = found.members(0), found.dims(0)
            if plan.are_records:
                return by_rows(self._properties(found, np.zeros(1, np.int64), plan), dims), dims
            return (None, ()) if members is None else (text_array(members.ravel().tolist()), members.shape)
        batch = ObjectBatch(self.reader, headers)
        record, dims = batch.record(0), batch.dims(0)
        if record is None:
            return None, ()
        return by_rows(as_type(arrow_column(batch.class_name(0), record), plan.item_type), dims), dims

    def _number_rows(self, headers: Headers, row: Headers, plan: ColumnPlan, count: int, picked: range) -> pa.Array:
        if headers.cls[0] == MatlabClass.SPARSE:
            if 16 * int(headers.numel[0]) > self.reader.limits.memory:
                text = "a sparse variable of a table in its full form"
                raise LimitExceeded.of(self.reader.limits, "memory", text)
            array = sparse_arrays(self.reader, headers)[0].toarray()[picked.start : picked.stop]
        else:
            stored = self._kept(headers, len(picked) == count, lambda: StoredArray(self.reader, headers))
            array = stored.window(0, picked.start, picked.stop)
        values = exactly(np.ascontiguousarray(array).ravel(), plan)
        if plan.shapes.layout == Layout.SCALAR and row.numel[0] == 1:
            return leaf_array(values)
        rows = row.take(np.zeros(len(picked), np.int64))
        return number_entries(values, rows, plan)

    def _kept(self, headers: Headers, is_whole: bool, make: Callable[[], Any]) -> Any:
        """What `make` gives for a variable, which is kept for its other rows unless all are wanted at once."""
        if is_whole:
            return make()
        key = headers.elements.segment, int(headers.elements.positions[0])
        if key not in self._of_rows:
            self._of_rows[key] = make()
        return self._of_rows[key]

    def _text_rows(self, headers: Headers, plan: ColumnPlan, picked: range) -> pa.Array:
        units, _ = self.reader.gather(headers)
        letters = units.reshape(headers.shape(0), order="F")[picked.start : picked.stop].reshape(len(picked), -1)
        offsets = np.arange(len(picked) + 1, dtype=np.int64) * letters.shape[1]
        texts = string_array(*units_to_utf8(np.ascontiguousarray(letters).ravel(), offsets), plan.is_large)
        return texts if plan.is_text_row else list_array(texts, np.ones(len(picked), np.int64))

    def _container_rows(self, headers: Headers, row: Headers, plan: ColumnPlan, picked: range) -> pa.Array:
        """Rows of cells and struct arrays, with which the elements of one row lie side by side."""
        dims, width = headers.shape(0), int(row.numel[0])
        order = np.arange(math.prod(dims)).reshape(dims, order="F")[picked.start : picked.stop].ravel()
        (group,) = self.reader.children(headers)
        counts = np.full(len(picked), width, np.int64)
        if group.fields is None:
            where = plan.path if width == 1 else f"{plan.path}{{}}"
            items = self.visit(group.elements.take(order), where, np.zeros(len(order), np.int64))
            return items if width == 1 else list_array(items, counts, None, plan.is_large)
        places = (order[:, None] * group.width + np.arange(group.width)).ravel()
        some = Children(group.parents, group.fields, group.elements.take(places), np.array([0, len(order)]))
        index = np.zeros(1, np.int64)
        arrays = [self._field([some], name, index, len(order), plan) for name in plan.fields]
        records = self._records(arrays, plan, len(order))
        return records if plan.is_record else list_array(records, counts, None, plan.is_large)

    # --- numbers -------------------------------------------------------------------

    def _numbers(self, headers: Headers, plan: ColumnPlan) -> pa.Array:
        layout = plan.shapes.layout
        values = self._gather(headers, plan)
        if layout == Layout.SCALAR and len(values) == len(headers):
            return leaf_array(values)
        if layout == Layout.FIXED:
            values = fixed_row_major(values, plan.shapes.first or ())
        elif layout in (Layout.ROWS, Layout.FREE):
            values = values[row_major(headers.dims, headers.numel)]
        return number_entries(values, headers, plan)

    def _gather(self, headers: Headers, plan: ColumnPlan) -> NDArray[Any]:
        """Values of all elements one after another, in the dtype of the column."""
        dtype = plan.dtype
        parts = [(batch.index, self.reader.gather(batch.headers)[0]) for batch in self.batches(headers, None)]
        if len(parts) == 1:
            return exactly(parts[0][1], plan)
        starts = counts_to_offsets(headers.numel)
        joined = np.empty(int(starts[-1]), dtype)
        for index, values in parts:
            joined[ragged_ranges(starts[index], headers.numel[index])] = exactly(values, plan)
        return joined

    # --- text ----------------------------------------------------------------------

    def _chars(self, headers: Headers, plan: ColumnPlan) -> pa.Array:
        if not plan.is_text_row:
            texts = char_values(self.reader, headers)
            rows = [[text] if isinstance(text, str) else text.ravel(order="F").tolist() for text in texts]
            return items_array([[printable(row) for row in item] for item in rows], pa.list_(pa.string()))
        units, offsets = self.reader.gather(headers)
        return string_array(*units_to_utf8(units, offsets), plan.is_large)

    # --- containers ----------------------------------------------------------------

    def _cells(self, headers: Headers, groups: list[Children] | None, index: Int64s, plan: ColumnPlan) -> pa.Array:
        (group,) = groups or self.reader.children(headers)
        items = self.visit(group.elements, f"{plan.path}{{}}", group.owners(index))
        return list_array(items, np.diff(group.offsets), np.zeros(len(headers), bool), plan.is_large)

    def _structs(self, headers: Headers, groups: list[Children] | None, index: Int64s, plan: ColumnPlan) -> pa.Array:
        groups = groups or self.reader.children(headers)
        total = int(headers.numel.sum())
        arrays = [self._field(groups, name, index, total, plan) for name in plan.fields]
        records = self._records(arrays, plan, total)
        if plan.is_record:
            return records
        return list_array(records, headers.numel, np.zeros(len(headers), bool), plan.is_large)

    def _records(self, arrays: list[pa.Array], plan: ColumnPlan, total: int) -> pa.Array:
        if plan.fields:
            return pa.StructArray.from_arrays(arrays, safe_column_names(plan.fields))
        return structs_without_fields(total)

    def _field(self, groups: list[Children], name: str, index: Int64s, total: int, plan: ColumnPlan) -> pa.Array:
        """Array of one field over all records, null where a record does not have it."""
        path = column_path(plan.path, name)
        if not any(name in (group.fields or ()) for group in groups):
            return pa.nulls(total, self._plan.type_of(path))
        elements, target, owner = field_of_records(groups, name, index)
        return _spread(self.visit(elements, path, owner), target, total)

    def _sparse(self, headers: Headers, plan: ColumnPlan) -> pa.Array:
        triplets = self.reader.triplets(headers)
        counts, none, large = np.diff(triplets.offsets), np.zeros(len(headers), bool), plan.is_large
        columns = [
            list_array(number_array(triplets.row), counts, none, large),
            list_array(number_array(triplets.col), counts, none, large),
            list_array(leaf_array(triplets.value), counts, none, large),
            fixed_list(number_array(headers.dims[:, :2].ravel()), 2),
        ]
        return pa.StructArray.from_arrays(columns, ["row", "col", "value", "shape"])


def _spread(array: pa.Array, index: Int64s, total: int) -> pa.Array:
    """Put entry k of `array` at ``index[k]`` of an array of `total`, null elsewhere."""
    if len(index) == total:
        return array
    source = np.zeros(total, np.int64)
    source[index] = np.arange(len(index))
    absent = np.ones(total, bool)
    absent[index] = False
    return array.take(number_array(source, absent))


def _is_empty(value: Any) -> bool:
    """Whether a value is null as JSON: an empty array of anything but text."""
    return value is None or (np.size(value) == 0 and getattr(value, "dtype", np.dtype("U")).kind != "U")
