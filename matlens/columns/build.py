"""Elements to Arrow: a struct array or a cell is decoded for all its elements at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.columns.buffers import items_array, list_array, number_array, string_array, text_array
from matlens.columns.object_columns import items_of
from matlens.columns.plan import ColumnPlan, Plan, column_path, is_numeric
from matlens.columns.planner import Level, Planner
from matlens.columns.unify import Kind, Layout, row_major
from matlens.formats.loadmat_output import is_undecoded
from matlens.formats.ragged import counts_to_offsets, ragged_ranges, units_to_utf8
from matlens.formats.reader import Reader
from matlens.formats.records import Children, Elements, Headers, Int64s
from matlens.formats.visit import Visitor, field_of_records
from matlens.names import safe_column_names
from matlens.values.kinds import char_values
from matlens.values.loadmat_form import decode_values, function_texts
from matlens.values.plain import json_safe, plain, printable


def build_column(reader: Reader, elements: Elements, path: str) -> pa.Array:
    """Arrow array of n entries, one for each element, planned from just these."""
    planner = Planner(reader, keep=True)
    planner.survey([(elements, path)])
    return ColumnBuilder(reader, planner.plan, planner.levels).visit(elements, path)


class ColumnBuilder(Visitor):
    """Builds an Arrow array of each level, in the form that a plan has for it; a level is known by its path.

    Where the planner has kept the headers of a column in `levels`, these are used and given up.
    """

    def __init__(self, reader: Reader, plan: Plan, levels: dict[str, Level] | None = None) -> None:
        super().__init__(reader)
        self._plan, self._levels = plan, {} if levels is None else levels

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
            case _:
                array = self._objects(present, plan)
        return _spread(array, index, len(headers))

    def _objects(self, headers: Headers, plan: ColumnPlan) -> pa.Array:
        values = decode_values(self.reader, headers.elements)
        kind = self._plan.type_of(plan.path)
        if plan.object_item is None:
            return text_array([None if is_undecoded(value) else _json_text(value) for value in values], kind)
        lists = [items_of(value) for value in values]
        return items_array([items[0] for items in lists] if plan.objects_alone else lists, kind)

    # --- numbers -------------------------------------------------------------------

    def _numbers(self, headers: Headers, plan: ColumnPlan) -> pa.Array:
        shapes, layout = plan.shapes, plan.shapes.layout
        values, null = self._gather(headers, plan), shapes.is_null(headers)
        if layout == Layout.SCALAR and len(values) == len(headers):
            return leaf_array(values)
        if layout in (Layout.SCALAR, Layout.FIXED):
            dims = shapes.first or ()
            table = _fixed_row_major(values, dims)
            if null.any():
                filled, table = table, np.zeros((len(headers), table.shape[1]), values.dtype)
                table[~null] = filled
            return _nest(table, shapes.lists, null)
        counts, large = headers.numel, plan.is_large
        if layout == Layout.VECTOR:
            return list_array(leaf_array(values), counts, null, large)
        values = values[row_major(headers.dims, counts)]
        if layout == Layout.ROWS:
            rows = _fixed_list(leaf_array(values), shapes.lists[0])
            return list_array(rows, np.where(null, 0, headers.dims[:, 0]), null, large)
        stored = headers.dims[_stored_dims(headers) & ~null[:, None]]
        data = list_array(leaf_array(values), counts, null, large)
        shape = list_array(number_array(stored), headers.ndim, null)
        return pa.StructArray.from_arrays([data, shape], ["data", "shape"], mask=number_array(null))

    def _gather(self, headers: Headers, plan: ColumnPlan) -> NDArray[Any]:
        """Values of all elements one after another, in the dtype of the column."""
        dtype = plan.dtype
        parts = [(batch.index, self.reader.gather(batch.headers)[0]) for batch in self.batches(headers, None)]
        if len(parts) == 1:
            return parts[0][1].astype(dtype, copy=False)
        starts = counts_to_offsets(headers.numel)
        joined = np.empty(int(starts[-1]), dtype)
        for index, values in parts:
            joined[ragged_ranges(starts[index], headers.numel[index])] = values.astype(dtype)
        return joined

    # --- text ----------------------------------------------------------------------

    def _chars(self, headers: Headers, plan: ColumnPlan) -> pa.Array:
        if not plan.is_text_row:
            texts = char_values(self.reader, headers)
            rows = [[text] if isinstance(text, str) else text.ravel(order="F").tolist() for text in texts]
            return items_array([[printable(row) for row in item] for item in rows], pa.list_(pa.string()))
        units, offsets = self.reader.gather(headers)
        return string_array(*units_to_utf8(units, offsets), plan.is_large)

    def _json(self, headers: Headers) -> pa.Array:
        values = decode_values(self.reader, headers.elements)
        texts = [None if v is None or (np.size(v) == 0 and v.dtype.kind != "U") else _json_text(v) for v in values]
        return text_array(texts)

    # --- containers ----------------------------------------------------------------

    def _cells(self, headers: Headers, groups: list[Children] | None, index: Int64s, plan: ColumnPlan) -> pa.Array:
        (group,) = groups or self.reader.children(headers)
        items = self.visit(group.elements, f"{plan.path}{{}}", group.owners(index))
        return list_array(items, np.diff(group.offsets), np.zeros(len(headers), bool), plan.is_large)

    def _structs(self, headers: Headers, groups: list[Children] | None, index: Int64s, plan: ColumnPlan) -> pa.Array:
        groups = groups or self.reader.children(headers)
        total = int(headers.numel.sum())
        names, arrays = plan.fields, [self._field(groups, name, index, total, plan) for name in plan.fields]
        if names:
            records = pa.StructArray.from_arrays(arrays, safe_column_names(names))
        else:
            # Parquet has no struct without fields.
            records = pa.StructArray.from_arrays([pa.nulls(total, pa.bool_())], ["_"])
        if plan.is_record:
            return records
        return list_array(records, headers.numel, np.zeros(len(headers), bool), plan.is_large)

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
            _fixed_list(number_array(headers.dims[:, :2].ravel()), 2),
        ]
        return pa.StructArray.from_arrays(columns, ["row", "col", "value", "shape"])


def _stored_dims(headers: Headers) -> NDArray[np.bool_]:
    """Mask of the dims that are stored, over the padded dims of a batch."""
    return np.asarray(np.arange(headers.dims.shape[1])[None, :] < headers.ndim[:, None])


def _fixed_row_major(values: NDArray[Any], dims: Sequence[int]) -> NDArray[Any]:
    """Values of arrays of equal dims, each column-major, as rows in row-major order."""
    stacked = values.reshape((-1, *dims[::-1]))
    axes = (0, *range(len(dims), 0, -1))
    return stacked.transpose(axes).reshape(len(stacked), int(np.prod(dims, dtype=np.int64)))


def leaf_array(values: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> pa.Array:
    """A primitive Arrow array of numbers; complex ones as a struct of real and imag."""
    if values.dtype.kind == "c":
        parts = [number_array(np.ascontiguousarray(part)) for part in (values.real, values.imag)]
        return pa.StructArray.from_arrays(parts, ["real", "imag"], mask=None if mask is None else number_array(mask))
    return number_array(values, mask)


def _nest(table: NDArray[Any], sizes: tuple[int, ...], null: NDArray[np.bool_]) -> pa.Array:
    """Rows of equal length as primitives, fixed-size lists, or fixed-size lists of them."""
    mask = null if null.any() else None
    if not sizes:
        return leaf_array(table.ravel() if table.shape[1] else np.zeros(len(table), table.dtype), mask)
    array = leaf_array(table.ravel())
    for size in sizes[:0:-1]:
        array = _fixed_list(array, size)
    return _fixed_list(array, sizes[0], mask)


def _fixed_list(values: pa.Array, size: int, mask: NDArray[np.bool_] | None = None) -> pa.Array:
    masked = None if mask is None else number_array(mask)
    return pa.FixedSizeListArray.from_arrays(values, size, mask=masked)


def _spread(array: pa.Array, index: Int64s, total: int) -> pa.Array:
    """Put entry k of `array` at ``index[k]`` of an array of `total`, null elsewhere."""
    if len(index) == total:
        return array
    source = np.zeros(total, np.int64)
    source[index] = np.arange(len(index))
    absent = np.ones(total, bool)
    absent[index] = False
    return array.take(number_array(source, absent))


def _json_text(value: Any) -> str:
    return json.dumps(json_safe(plain(value)), ensure_ascii=False)
