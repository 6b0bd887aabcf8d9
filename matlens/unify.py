"""Every choice that makes one column of unlike elements: promotion, nulls and shapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.gather import counts_to_offsets, ragged_ranges
from matlens.model import CLASS_DTYPES, Headers, Int64s, MatlabClass

__all__ = [
    "Kind",
    "Layout",
    "LayoutPlan",
    "common_dtype",
    "holds_exactly",
    "kinds_of",
    "plan_layout",
    "row_major",
]


class Kind(Enum):
    """What decides how an element becomes a column entry."""

    NUMBER = "number"
    CHAR = "char"
    CELL = "cell"
    STRUCT = "struct"
    SPARSE = "sparse"
    FUNCTION = "function"
    OPAQUE = "opaque"


_KINDS = {
    MatlabClass.CHAR: Kind.CHAR,
    MatlabClass.CELL: Kind.CELL,
    MatlabClass.STRUCT: Kind.STRUCT,
    MatlabClass.OBJECT: Kind.STRUCT,
    MatlabClass.SPARSE: Kind.SPARSE,
    MatlabClass.FUNCTION: Kind.FUNCTION,
    MatlabClass.OPAQUE: Kind.OPAQUE,
} | dict.fromkeys(map(MatlabClass, CLASS_DTYPES), Kind.NUMBER)


def kinds_of(classes: NDArray[np.uint8]) -> list[Kind]:
    """The kinds that occur among `classes`, each once."""
    return list(dict.fromkeys(_KINDS[MatlabClass(int(cls))] for cls in np.flatnonzero(np.bincount(classes))))


def common_dtype(parts: Sequence[NDArray[Any]]) -> np.dtype[Any] | None:
    """The smallest type that holds the values of all `parts` exactly; None if there is none.

    Where the types alone do not tell (int64 with double, int64 with uint64), the values
    are looked at.

    Examples
    --------
    >>> common_dtype([np.zeros(1, "u1"), np.zeros(1, "u2")])
    dtype('uint16')
    >>> common_dtype([np.array([2**60]), np.array([1.0])])
    dtype('int64')
    >>> common_dtype([np.array([2**60 + 1]), np.array([0.5])]) is None
    True
    """
    dtypes = [part.dtype for part in parts]
    numbers = [dtype for dtype in dict.fromkeys(dtypes) if dtype.kind != "b"]
    if not numbers:
        return np.dtype(bool)
    if len(numbers) == 1:
        return numbers[0]
    wide = any(dtype.kind in "iu" and dtype.itemsize == 8 for dtype in numbers)
    if not wide or all(dtype.kind == numbers[0].kind for dtype in numbers):
        return np.result_type(*numbers)
    candidates = ("c16",) if any(dtype.kind == "c" for dtype in numbers) else ("i8", "u8", "f8")
    for candidate in map(np.dtype, candidates):
        if all(holds_exactly(part, candidate) for part in parts):
            return candidate
    return None


def holds_exactly(values: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Whether casting `values` to `dtype` changes none of them.

    Examples
    --------
    >>> holds_exactly(np.array([2**53 + 1]), np.dtype("f8")), holds_exactly(np.array([1.0, np.nan]), np.dtype("i8"))
    (False, False)
    """
    if values.size == 0 or (
        np.can_cast(values.dtype, dtype)
        and not (values.dtype.kind in "iu" and values.dtype.itemsize == 8 and dtype.kind in "fc")
    ):
        return True
    if values.dtype.kind in "iu":
        if dtype.kind in "iu":
            info = np.iinfo(dtype)
            return int(values.min()) >= info.min and int(values.max()) <= info.max
        limit = 2**53
        return int(values.min()) >= -limit and int(values.max()) <= limit
    if values.dtype.kind == "f" and dtype.kind in "iu":
        info = np.iinfo(dtype)
        low, high = float(info.min), float(info.max) + 1
        return bool(
            np.isfinite(values).all()
            and (values == np.floor(values)).all()
            and (values >= low).all()
            and (values < high).all()
        )
    return False


class Layout(Enum):
    """Arrow forms of a numeric column."""

    SCALAR = "primitive"
    FIXED = "nested fixed-size lists, row-major"
    ROWS = "list of rows"
    VECTOR = "list"
    FREE = "struct of data and shape"


class LayoutPlan(NamedTuple):
    """Chosen form, its fixed dims (FIXED: all, ROWS: the row length), and which elements are null."""

    layout: Layout
    dims: tuple[int, ...]
    is_null: NDArray[np.bool_]


def plan_layout(headers: Headers) -> LayoutPlan:
    """Form of a column of numeric elements, from their dims.

    ``[]`` (0x0) is null; other empties are empty lists where the form has lists.
    """
    dims, filled = headers.dims, headers.numel > 0
    if not filled.any():
        return LayoutPlan(Layout.SCALAR, (), np.ones(len(headers), bool))
    shown = dims if filled.all() else dims[filled]
    max_ndim = int(headers.ndim.max() if filled.all() else headers.ndim[filled].max())
    if all((column == column[0]).all() for column in shown.T):
        layout = Layout.SCALAR if shown[0].prod() == 1 else Layout.FIXED
        return LayoutPlan(layout, tuple(shown[0, :max_ndim].tolist()), ~filled)
    is_matrix = max_ndim == 2
    if is_matrix and (shown[:, 1] == shown[0, 1]).all() and shown[0, 1] > 1:
        return LayoutPlan(Layout.ROWS, (int(shown[0, 1]),), ~filled & (dims[:, 1] != shown[0, 1]))
    is_square_empty = (headers.ndim == 2) & (dims[:, :2] == 0).all(axis=1)
    if is_matrix and ((shown[:, 0] == 1).all() or (shown[:, 1] == 1).all()):
        return LayoutPlan(Layout.VECTOR, (), is_square_empty)
    return LayoutPlan(Layout.FREE, (), is_square_empty)


def row_major(dims: Int64s, counts: Int64s) -> Int64s:
    """Index that brings the values of n arrays, each column-major, to row-major order.

    Parameters
    ----------
    dims : ndarray of int64, shape (n, k)
    counts : ndarray of int64, shape (n,)
        Numbers of elements: the products of `dims`.

    Examples
    --------
    >>> row_major(np.array([[2, 3]]), np.array([6]))
    array([0, 2, 4, 1, 3, 5])
    """
    starts = counts_to_offsets(counts)
    if dims.shape[1] == 2 and len(dims) and (dims[:, 1] == dims[0, 1]).all():
        height = dims[:, 0]
        first = ragged_ranges(starts[:-1], height)
        return (first[:, None] + np.repeat(height, height)[:, None] * np.arange(dims[0, 1])).ravel()
    owner = np.repeat(np.arange(len(counts)), counts)
    rest = np.arange(starts[-1], dtype=np.int64) - starts[:-1][owner]
    strides = np.ones_like(dims)
    np.cumprod(dims[:, :-1], axis=1, out=strides[:, 1:])
    source = starts[:-1][owner]
    for axis in range(dims.shape[1] - 1, -1, -1):
        size = dims[owner, axis]
        source += rest % size * strides[owner, axis]
        rest //= size
    return source


def describe_dims(headers: Headers) -> list[int] | str:
    """Dims that all elements share, or the word ``varies``."""
    if len(headers) and (headers.dims == headers.dims[0]).all():
        return list(headers.shape(0))
    return "varies"


def describe_classes(headers: Headers) -> Iterable[str]:
    """MATLAB classes that occur, each once, in the order of their numbers."""
    codes = headers.cls.astype(np.int64) * 2 + headers.is_logical
    seen: dict[str, None] = {}
    for code in np.flatnonzero(np.bincount(codes)):
        seen[headers.class_name(int(np.argmax(codes == code)))] = None
    return seen
