"""Elements to Arrow: a struct array or a cell is decoded for all its elements at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.decode import plain
from matlens.gather import counts_to_offsets, ragged_ranges, units_to_utf8
from matlens.model import CLASS_DTYPES, Elements, Headers, Int64s
from matlens.readers.base import Reader
from matlens.unify import (
    Kind,
    Layout,
    common_dtype,
    describe_classes,
    describe_dims,
    kinds_of,
    plan_layout,
    row_major,
)
from matlens.values import char_values, decode_values, function_texts
from matlens.walk import Walk, kinds

__all__ = ["ColumnBuilder", "ColumnInfo", "json_safe", "leaf_array"]

_INT32_MAX = 2**31 - 1
_IS_NUMBER = np.zeros(256, bool)
_IS_NUMBER[list(CLASS_DTYPES)] = True


@dataclass(slots=True)
class ColumnInfo:
    """MATLAB's view of a column, kept in the metadata of a table."""

    classes: list[str] = field(default_factory=list)
    dims: list[int] | str = "varies"
    notes: list[str] = field(default_factory=list)


class ColumnBuilder:
    """Builds Arrow arrays from elements of one reader.

    `infos` and `notes` tell, by column path, what the elements were in MATLAB and every
    choice that cost something.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._walk = Walk(reader)
        self.infos: dict[str, ColumnInfo] = {}

    @property
    def notes(self) -> list[str]:
        return [f"{path}: {note}" for path, info in self.infos.items() for note in info.notes]

    def build(self, elements: Elements, path: str, owner: Int64s | None = None) -> pa.Array:
        """Arrow array of n entries, one for each element."""
        headers = self._walk.enter(elements, owner)
        headers.raise_first_error()
        info = self.infos.setdefault(path, ColumnInfo())
        info.classes = list(describe_classes(headers))
        info.dims = describe_dims(headers)
        column = self._build_kind(headers, path, info)
        self._walk.leave()
        return column

    def _build_kind(self, headers: Headers, path: str, info: ColumnInfo) -> pa.Array:
        is_number = _IS_NUMBER[headers.cls]
        if is_number.all():
            return self._numbers(headers, info, np.arange(len(headers)))
        present = ~(is_number & (headers.numel == 0))
        found = kinds_of(headers.cls[present])
        if found in ([], [Kind.NUMBER]):
            return self._numbers(headers, info, np.flatnonzero(is_number))
        if len(found) > 1:
            return self._json(headers, info)
        index = np.flatnonzero(present)
        build = {
            Kind.CHAR: self._chars,
            Kind.CELL: self._cells,
            Kind.STRUCT: self._structs,
            Kind.SPARSE: self._sparse,
            Kind.FUNCTION: self._functions,
            Kind.OPAQUE: self._opaque,
        }[found[0]]
        array: pa.Array = build(headers.take(index), index, path, info)
        return _spread(array, index, len(headers))

    # --- numbers -------------------------------------------------------------------

    def _numbers(self, headers: Headers, info: ColumnInfo, index: Int64s) -> pa.Array:
        values = self._gather(headers.take(index), info)
        if values is None:
            return self._json(headers, info)
        plan = plan_layout(headers)
        null = plan.is_null
        if plan.layout == Layout.SCALAR and len(values) == len(headers):
            return leaf_array(values)
        if plan.layout in (Layout.SCALAR, Layout.FIXED):
            size = int(np.prod(plan.dims, dtype=np.int64))
            table = np.zeros((len(headers), size), values.dtype)
            table[~null] = _fixed_row_major(values, plan.dims)
            return _nest(table, plan.dims, null)
        counts = headers.numel
        if plan.layout == Layout.VECTOR:
            return _list(leaf_array(values), counts, null)
        values = values[row_major(headers.dims, counts)]
        if plan.layout == Layout.ROWS:
            rows = _fixed_list(leaf_array(values), plan.dims[0])
            return _list(rows, np.where(null, 0, headers.dims[:, 0]), null)
        info.notes.append("dims vary: stored as row-major data and shape")
        stored = headers.dims[_stored_dims(headers) & ~null[:, None]]
        data = _list(leaf_array(values), counts, null)
        shape = _list(pa.array(stored), headers.ndim, null)
        return pa.StructArray.from_arrays([data, shape], ["data", "shape"], mask=pa.array(null))

    def _gather(self, headers: Headers, info: ColumnInfo) -> NDArray[Any] | None:
        """Values of all elements one after another, in the smallest exact common type."""
        parts = []
        starts = counts_to_offsets(headers.numel)
        for _, index in kinds(headers):
            values, _ = self._reader.gather(headers.take(index))
            parts.append((index, values))
        if len(parts) == 1:
            return parts[0][1]
        filled = [values for _, values in parts if len(values)]
        dtype = common_dtype(filled or [values for _, values in parts])
        if dtype is None:
            return None
        if len({values.dtype for values in filled}) > 1:
            info.notes.append(f"{' and '.join(info.classes)} promoted to {dtype}")
        joined = np.empty(int(starts[-1]), dtype)
        for index, values in parts:
            joined[ragged_ranges(starts[index], headers.numel[index])] = values.astype(dtype)
        return joined

    # --- text ----------------------------------------------------------------------

    def _chars(self, headers: Headers, index: Int64s, path: str, info: ColumnInfo) -> pa.Array:
        is_row = (headers.numel == 0) | ((headers.dims[:, 0] == 1) & (headers.ndim == 2))
        if not is_row.all():
            texts = char_values(self._reader, headers)
            rows = [[text] if isinstance(text, str) else text.ravel(order="F").tolist() for text in texts]
            return pa.array([[_printable(row) for row in item] for item in rows], pa.list_(pa.string()))
        units, offsets = self._reader.gather(headers)
        data, ends = units_to_utf8(units, offsets)
        return _string_array(data, ends)

    def _functions(self, headers: Headers, index: Int64s, path: str, info: ColumnInfo) -> pa.Array:
        return pa.array(function_texts(self._reader, headers), pa.string())

    def _opaque(self, headers: Headers, index: Int64s, path: str, info: ColumnInfo) -> pa.Array:
        info.notes.append(f"objects of class {', '.join(info.classes)} are not decoded yet: null")
        return pa.nulls(len(headers), pa.string())

    def _json(self, headers: Headers, info: ColumnInfo) -> pa.Array:
        info.notes.append(f"{', '.join(info.classes)} do not unify: JSON text")
        values = decode_values(self._reader, headers.elements)
        texts = [None if np.size(v) == 0 and v.dtype.kind != "U" else _json_text(v) for v in values]
        return pa.array(texts, pa.string())

    # --- containers ----------------------------------------------------------------

    def _cells(self, headers: Headers, index: Int64s, path: str, info: ColumnInfo) -> pa.Array:
        (group,) = self._reader.children(headers)
        owner = index[np.repeat(group.parents, np.diff(group.offsets))]
        items = self.build(group.elements, f"{path}{{}}", owner) if len(owner) else pa.nulls(0)
        vector = (headers.ndim == 2) & ((headers.dims == 1).any(axis=1) | (headers.numel == 0))
        if not vector.all():
            info.notes.append("cell matrices become lists, column by column")
        return _list(items, np.diff(group.offsets), np.zeros(len(headers), bool))

    def _structs(self, headers: Headers, index: Int64s, path: str, info: ColumnInfo) -> pa.Array:
        counts = headers.numel
        records = self.records(headers, path, index)
        if (counts == 1).all():
            return records
        return _list(records, counts, np.zeros(len(headers), bool))

    def records(self, headers: Headers, path: str, index: Int64s) -> pa.StructArray:
        """All records of struct arrays, one after another, as one struct array of Arrow."""
        names, arrays = self.fields(headers, path, index)
        if not names:
            # Parquet has no struct without fields.
            names, arrays = ["_"], [pa.nulls(int(headers.numel.sum()), pa.bool_())]
        return pa.StructArray.from_arrays(arrays, names)

    def fields(self, headers: Headers, path: str, index: Int64s) -> tuple[list[str], list[pa.Array]]:
        """One Arrow array for each field of the records of struct arrays."""
        groups = self._reader.children(headers)
        starts = counts_to_offsets(headers.numel)
        names = list(dict.fromkeys(name for group in groups for name in group.fields or ()))
        total = int(starts[-1])
        arrays = []
        for name in names:
            targets, positions, owners = [], [], []
            for group in groups:
                if name not in (group.fields or ()):
                    continue
                counts = np.diff(group.offsets)
                targets.append(ragged_ranges(starts[group.parents], counts))
                positions.append(group.column((group.fields or ()).index(name)).positions)
                owners.append(index[np.repeat(group.parents, counts)])
            target = np.concatenate(targets)
            order: Any = np.argsort(target, kind="stable") if len(groups) > 1 else slice(None)
            elements = Elements(headers.elements.segment, np.concatenate(positions)[order])
            column_path = f"{path}.{name}" if path else name
            array = self.build(elements, column_path, np.concatenate(owners)[order])
            if len(target) < total:
                self.infos[column_path].notes.append("some structs lack this field: null")
            arrays.append(_spread(array, target[order], total))
        return names, arrays

    def _sparse(self, headers: Headers, index: Int64s, path: str, info: ColumnInfo) -> pa.Array:
        parts = []
        for key, positions in kinds(headers):
            triplets = self._reader.triplets(headers.take(positions))
            parts.append((key, positions, triplets))
        if len(parts) > 1:
            return self._json(headers, info)
        triplets = parts[0][2]
        counts = np.diff(triplets.offsets)
        none = np.zeros(len(headers), bool)
        columns = [
            _list(pa.array(triplets.row), counts, none),
            _list(pa.array(triplets.col), counts, none),
            _list(leaf_array(triplets.value), counts, none),
            _fixed_list(pa.array(headers.dims[:, :2].ravel()), 2),
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
        parts = [pa.array(np.ascontiguousarray(part)) for part in (values.real, values.imag)]
        return pa.StructArray.from_arrays(parts, ["real", "imag"], mask=None if mask is None else pa.array(mask))
    return pa.array(values, mask=mask)


def _nest(table: NDArray[Any], dims: tuple[int, ...], null: NDArray[np.bool_]) -> pa.Array:
    """Rows of equal length as primitives, fixed-size lists, or fixed-size lists of them."""
    mask = null if null.any() else None
    if table.shape[1] <= 1:
        return leaf_array(table.ravel() if table.shape[1] else np.zeros(len(table), table.dtype), mask)
    sizes = [max(dims)] if len(dims) == 2 and 1 in dims else list(dims)
    array = leaf_array(table.ravel())
    for size in sizes[:0:-1]:
        array = _fixed_list(array, size)
    return _fixed_list(array, sizes[0], mask)


def _fixed_list(values: pa.Array, size: int, mask: NDArray[np.bool_] | None = None) -> pa.Array:
    masked = None if mask is None else pa.array(mask)
    return pa.FixedSizeListArray.from_arrays(values, size, mask=masked)


def _list(values: pa.Array, counts: Int64s, null: NDArray[np.bool_]) -> pa.Array:
    offsets = counts_to_offsets(np.where(null, 0, counts))
    large = offsets[-1] > _INT32_MAX
    array_type, dtype = (pa.LargeListArray, np.int64) if large else (pa.ListArray, np.int32)
    mask = pa.array(null) if null.any() else None
    return array_type.from_arrays(pa.array(offsets.astype(dtype)), values, mask=mask)


def _string_array(data: NDArray[np.uint8], offsets: Int64s) -> pa.Array:
    if offsets[-1] > _INT32_MAX:
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
        return pa.LargeStringArray.from_buffers(len(offsets) - 1, buffers[1], buffers[2])
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data))


def _spread(array: pa.Array, index: Int64s, total: int) -> pa.Array:
    """Put entry k of `array` at ``index[k]`` of an array of `total`, null elsewhere."""
    if len(index) == total:
        return array
    source = np.zeros(total, np.int64)
    source[index] = np.arange(len(index))
    absent = np.ones(total, bool)
    absent[index] = False
    return array.take(pa.array(source, mask=absent))


def _printable(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _json_text(value: Any) -> str:
    return json.dumps(json_safe(plain(value)), ensure_ascii=False)


def json_safe(value: Any) -> Any:
    """Values that JSON knows: no NaN or infinity, complex as two numbers."""
    if isinstance(value, dict):
        return {_printable(key): json_safe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_safe(item) for item in value]
    if isinstance(value, complex):
        return {"real": json_safe(value.real), "imag": json_safe(value.imag)}
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return _printable(value) if isinstance(value, str) else value
