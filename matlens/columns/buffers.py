"""Arrow arrays from arrays and lists, and back, by way of their buffers.

``pyarrow.array``, ``Array.to_numpy`` and Arrow's functions of Python values do the same, but
import pandas to know its types, which takes longer than to convert a file.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.errors import UnsupportedValue
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.records import Int64s

MAX_OFFSET = 2**31 - 1
"""What Arrow's offsets of 32 bits count to."""

NO_FIELDS = pa.struct({"_": pa.bool_()})
"""Type of a struct without fields, which Parquet does not have."""


def structs_without_fields(count: int) -> pa.Array:
    """As many structs without fields."""
    return pa.StructArray.from_arrays([pa.nulls(count, pa.bool_())], fields=list(NO_FIELDS))


def number_array(values: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> pa.Array:
    """Numbers, logicals or points in time, without a copy where they are contiguous; null where `mask` is set.

    Examples
    --------
    >>> number_array(np.array([1, 2], np.uint8), np.array([False, True])).to_pylist()
    [1, None]
    """
    kind = pa.from_numpy_dtype(values.dtype)
    if values.dtype.kind in "mM":
        missing = np.isnat(values)
        mask = missing if mask is None else mask | missing
    data = _bits(values) if values.dtype.kind == "b" else np.ascontiguousarray(values).view(np.uint8)
    return pa.Array.from_buffers(kind, len(values), [_validity(mask), pa.py_buffer(data)])


def text_array(texts: Sequence[str | None], kind: pa.DataType | None = None) -> pa.Array:
    """Texts, and null for None; `kind` is ``string``, or ``large_string`` for more than 2 GiB of them.

    Examples
    --------
    >>> text_array(["a", None, "é"]).to_pylist()
    ['a', None, 'é']
    """
    missing = np.fromiter((text is None for text in texts), bool, len(texts))
    present: Sequence[Any] = [text or "" for text in texts] if missing.any() else texts
    joined = "".join(present)
    data = joined.encode()
    # As many bytes as letters: then each text has, too.
    sizes = map(len, present) if len(data) == len(joined) else (len(text.encode()) for text in present)
    offsets = counts_to_offsets(np.fromiter(sizes, np.int64, len(texts)))
    is_large = kind is not None and pa.types.is_large_string(kind)
    if not is_large and offsets[-1] > MAX_OFFSET:
        raise UnsupportedValue(f"{offsets[-1]} bytes of text in one batch: Arrow's strings hold {MAX_OFFSET}")
    return string_array(data, offsets, is_large, missing)


def string_array(
    data: bytes | NDArray[np.uint8], offsets: Int64s, large: bool, missing: NDArray[np.bool_] | None = None
) -> pa.Array:
    """Texts that stand in `data` as UTF-8, one after another; null where `missing` is set."""
    kind, width = (pa.large_string(), np.int64) if large else (pa.string(), np.int32)
    buffers = [_validity(missing), pa.py_buffer(offsets.astype(width)), pa.py_buffer(data)]
    return pa.Array.from_buffers(kind, len(offsets) - 1, buffers)


def list_array(
    values: pa.Array, counts: Int64s, null: NDArray[np.bool_] | None = None, large: bool = False
) -> pa.Array:
    """Lists of so many values each, one after another; null, and of none, where `null` is set."""
    mask = None
    if null is not None and null.any():
        counts, mask = np.where(null, 0, counts), number_array(null)
    array_type, dtype = (pa.LargeListArray, np.int64) if large else (pa.ListArray, np.int32)
    return array_type.from_arrays(number_array(counts_to_offsets(counts).astype(dtype)), values, mask=mask)


def items_array(items: Sequence[Any], kind: pa.DataType | None = None) -> pa.Array:
    """Builtin objects, of the Arrow type `kind` or of the one that they have in common.

    Examples
    --------
    >>> items_array([["a"], None, ["b", "c"]]).type, items_array([1, 2.5]).to_pylist()
    (ListType(list<item: string>), [1.0, 2.5])
    """
    if kind is not None and pa.types.is_null(kind):
        return pa.nulls(len(items))
    types = {type(item) for item in items} - {type(None)}
    if types == {str}:
        return text_array(items, kind)
    if types == {list}:
        counts = np.array([0 if item is None else len(item) for item in items], np.int64)
        null = np.array([item is None for item in items], bool)
        inner = items_array(
            list(chain.from_iterable(item or () for item in items)), None if kind is None else kind.value_type
        )
        return list_array(inner, counts, null, kind is not None and pa.types.is_large_list(kind))
    dtype = _dtype_of(types, kind)
    if dtype is None or (int in types and not _fit(items, dtype)):
        return pa.nulls(len(items), kind or pa.null()) if not types else pa.array(items, kind)
    null = np.array([item is None for item in items], bool)
    filler = np.zeros((), dtype)[()]
    found = number_array(np.array([filler if item is None else item for item in items], dtype), null)
    return found if kind is None or found.type == kind else found.cast(kind)


def _dtype_of(types: set[type], kind: pa.DataType | None) -> np.dtype[Any] | None:
    """NumPy's type of builtin numbers, or of points in time that a column of `kind` takes; None for any other."""
    if types == {bool}:
        return np.dtype(bool)
    if types == {int}:
        return np.dtype(np.int64)
    if types and types <= {int, float}:
        return np.dtype(np.float64)
    if types and types <= {np.datetime64, dt.datetime} and kind is not None and pa.types.is_timestamp(kind):
        return np.dtype(f"M8[{kind.unit}]")
    if types and types <= {np.timedelta64, dt.timedelta} and kind is not None and pa.types.is_duration(kind):
        return np.dtype(f"m8[{kind.unit}]")
    return None


def _fit(items: Sequence[Any], dtype: np.dtype[Any]) -> bool:
    """Whether all integers among the items are exact in `dtype`."""
    most = 2**63 - 1 if dtype.kind == "i" else 2**53
    return all(-most <= item <= most for item in items if type(item) is int)


def is_number(kind: pa.DataType) -> bool:
    """Whether an Arrow type is that of integers or floats."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def numbers_of(array: pa.Array) -> NDArray[Any]:
    """Numbers or logicals of an array or column as NumPy's; missing ones are NaN, or False.

    Examples
    --------
    >>> numbers_of(items_array([1.0, None])), numbers_of(items_array([True, False]))
    (array([ 1., nan]), array([ True, False]))
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks() if array.num_chunks else pa.nulls(0, array.type)
    if pa.types.is_boolean(array.type):
        missing = array.null_count > 0
        array = (array.fill_null(scalar(False)) if missing else array).cast(pa.uint8())
        return numbers_of(array).astype(bool)
    if array.null_count:
        array = array.cast(pa.float64(), safe=False).fill_null(scalar(np.nan))
    dtype: Any = array.type.to_pandas_dtype()
    data = array.buffers()[1]
    if not len(array) or data is None:
        return np.zeros(0, dtype)
    return np.frombuffer(data, dtype)[array.offset : array.offset + len(array)]


def scalar(value: bool | float | str, kind: pa.DataType | None = None) -> pa.Scalar:
    """A value that Arrow's functions take, of the Arrow type `kind` or of its own."""
    return items_array([value], kind)[0]


def _validity(missing: NDArray[np.bool_] | None) -> pa.Buffer | None:
    return None if missing is None or not missing.any() else pa.py_buffer(_bits(~missing))


def _bits(flags: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.packbits(flags, bitorder="little")
