"""Numbers as entries of a column, in the layout that its plan has for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.columns.buffers import list_array, number_array
from matlens.columns.column_plan import ColumnPlan
from matlens.columns.unify import Layout, holds_exactly
from matlens.errors import FormMismatch
from matlens.formats.records import Headers


def number_entries(values: NDArray[Any], headers: Headers, plan: ColumnPlan) -> pa.Array:
    """Entries in the layout of the column, of values that are row-major for each element."""
    shapes, layout, large = plan.shapes, plan.shapes.layout, plan.is_large
    null, counts = shapes.is_null(headers), headers.numel
    if layout in (Layout.SCALAR, Layout.FIXED):
        table = values.reshape(-1, math.prod(shapes.first or (1,)))
        if null.any():
            filled, table = table, np.zeros((len(headers), table.shape[1]), values.dtype)
            table[~null] = filled
        return _nest(table, shapes.lists, null)
    if layout == Layout.VECTOR:
        return list_array(leaf_array(values), counts, null, large)
    if layout == Layout.ROWS:
        rows = fixed_list(leaf_array(values), shapes.lists[0])
        return list_array(rows, np.where(null, 0, headers.dims[:, 0]), null, large)
    stored = headers.dims[_stored_dims(headers) & ~null[:, None]]
    data = list_array(leaf_array(values), counts, null, large)
    shape = list_array(number_array(stored), headers.ndim, null)
    return pa.StructArray.from_arrays([data, shape], ["data", "shape"], mask=number_array(null))


def exactly(values: NDArray[Any], plan: ColumnPlan) -> NDArray[Any]:
    """Numbers in the dtype of their column; `FormMismatch` if one of them would change."""
    dtype = plan.dtype
    if dtype is None or values.dtype == dtype:
        return values
    if not len(values):
        # Empty arrays of another class have no say.
        return np.zeros(0, dtype)
    if plan.needs_values and not holds_exactly(values, dtype):
        raise FormMismatch(f"column {plan.path!r}: expected {dtype} in the form that is given, found {values.dtype}")
    return values.astype(dtype)


def _stored_dims(headers: Headers) -> NDArray[np.bool_]:
    """Mask of the dims that are stored, over the padded dims of a batch."""
    return np.asarray(np.arange(headers.dims.shape[1])[None, :] < headers.ndim[:, None])


def fixed_row_major(values: NDArray[Any], dims: Sequence[int]) -> NDArray[Any]:
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
        array = fixed_list(array, size)
    return fixed_list(array, sizes[0], mask)


def fixed_list(values: pa.Array, size: int, mask: NDArray[np.bool_] | None = None) -> pa.Array:
    masked = None if mask is None else number_array(mask)
    return pa.FixedSizeListArray.from_arrays(values, size, mask=masked)
