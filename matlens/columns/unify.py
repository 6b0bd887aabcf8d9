"""Every choice that makes one column of unlike elements: promotion, nulls and shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.formats.ragged import counts_to_offsets, ragged_ranges
from matlens.formats.records import CLASS_DTYPES, Headers, Int64s, MatlabClass


class Kind(Enum):
    """What decides how an element becomes a column entry."""

    NUMBER = "number"
    CHAR = "char"
    CELL = "cell"
    STRUCT = "struct"
    SPARSE = "sparse"
    FUNCTION = "function"
    STRING = "string"
    CATEGORICAL = "categorical"
    DATETIME = "datetime"
    DURATION = "duration"
    CALENDAR_DURATION = "calendarDuration"
    TABLE = "table"
    MAP = "map"
    OPAQUE = "opaque"


_KINDS = {
    MatlabClass.CHAR: Kind.CHAR,
    MatlabClass.CELL: Kind.CELL,
    MatlabClass.STRUCT: Kind.STRUCT,
    MatlabClass.OBJECT: Kind.STRUCT,
    MatlabClass.SPARSE: Kind.SPARSE,
    MatlabClass.FUNCTION: Kind.FUNCTION,
} | dict.fromkeys(map(MatlabClass, CLASS_DTYPES), Kind.NUMBER)


OBJECT_KINDS = {
    "string": Kind.STRING,
    "categorical": Kind.CATEGORICAL,
    "datetime": Kind.DATETIME,
    "duration": Kind.DURATION,
    "calendarDuration": Kind.CALENDAR_DURATION,
    "table": Kind.TABLE,
    "timetable": Kind.TABLE,
    "containers.Map": Kind.MAP,
    "dictionary": Kind.MAP,
}
"""Kinds of MATLAB's own classes; all other objects are `Kind.OPAQUE`."""
ITEM_KINDS = frozenset((Kind.STRING, Kind.CATEGORICAL, Kind.DATETIME, Kind.DURATION, Kind.CALENDAR_DURATION))
"""Kinds of arrays of single values that are stored as one object."""
TABLE_KINDS = frozenset((Kind.TABLE, Kind.MAP))
"""Kinds of objects that have rows: those of a map are its entries."""


def kinds_of(headers: Headers) -> list[Kind]:
    """The kinds that occur among some elements, each once."""
    classes = np.flatnonzero(np.bincount(headers.cls)).tolist()
    found = [_KINDS[MatlabClass(cls)] for cls in classes if cls != MatlabClass.OPAQUE]
    if MatlabClass.OPAQUE in classes:
        is_object = headers.cls == MatlabClass.OPAQUE
        names = dict.fromkeys(name for i, name in headers.class_names.items() if is_object[i])
        found += [OBJECT_KINDS.get(name, Kind.OPAQUE) for name in names] or [Kind.OPAQUE]
    return list(dict.fromkeys(found))


def row_dims(inner: tuple[int, ...]) -> tuple[int, ...]:
    """Dims of a row as an element of a column, of an array that has these dims besides its rows.

    Examples
    --------
    >>> row_dims((3,)), row_dims((2, 3))
    ((1, 3), (2, 3))
    """
    return inner if len(inner) > 1 else (1, *inner)


def common_dtype(dtypes: Sequence[np.dtype[Any]], holds: Callable[[np.dtype[Any]], bool]) -> np.dtype[Any] | None:
    """The smallest type that holds the values of all `dtypes` exactly; None if there is none.

    Where the types alone do not tell (int64 with double, int64 with uint64), `holds` tells
    whether a candidate holds all values.

    Examples
    --------
    >>> common_dtype([np.dtype("u1"), np.dtype("u2")], lambda candidate: False)
    dtype('uint16')
    >>> values = [np.array([2**60]), np.array([1.0])]
    >>> common_dtype([part.dtype for part in values], lambda c: all(holds_exactly(part, c) for part in values))
    dtype('int64')
    """
    candidates = wide_candidates(dtypes)
    if candidates:
        return next((candidate for candidate in candidates if holds(candidate)), None)
    numbers = _numbers(dtypes)
    return np.result_type(*numbers) if numbers else np.dtype(bool)


def _numbers(dtypes: Sequence[np.dtype[Any]]) -> list[np.dtype[Any]]:
    return [dtype for dtype in dict.fromkeys(dtypes) if dtype.kind != "b"]


def wide_candidates(dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
    """Types that may hold all values of `dtypes`, smallest first; none where the dtypes alone tell.

    Examples
    --------
    >>> wide_candidates([np.dtype("i8"), np.dtype("f8")])
    (dtype('int64'), dtype('uint64'), dtype('float64'))
    >>> wide_candidates([np.dtype("i4"), np.dtype("f8")])
    ()
    """
    numbers = _numbers(dtypes)
    wide = any(dtype.kind in "iu" and dtype.itemsize == 8 for dtype in numbers)
    if len(numbers) < 2 or not wide or all(dtype.kind == numbers[0].kind for dtype in numbers):
        return ()
    return tuple(map(np.dtype, ("c16",) if any(dtype.kind == "c" for dtype in numbers) else ("i8", "u8", "f8")))


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


class Rows(Enum):
    """What the rows of a table are, where the dims of a value allow for more than one answer."""

    SINGLE = 0
    """A scalar, or a struct of such: one row in any case."""
    VECTORS = 1
    """A vector, or a struct of equally long ones: a row for each element, whichever way it lies."""
    RECORDS = 2
    """Anything else: a row for each row of a matrix, and one for a struct."""


@dataclass(slots=True)
class Shapes:
    """What the dims of the elements of a column have in common."""

    items: int = 0
    first: tuple[int, ...] | None = None
    same: bool = True
    columns: int | None = None
    columns_vary: bool = False
    flat: bool = True
    rows_one: bool = True
    columns_one: bool = True
    described: list[int | None] | None = None
    empties: Counter[tuple[int, ...]] = field(default_factory=Counter)

    def add(self, headers: Headers, is_number: NDArray[np.bool_]) -> None:
        """Take notice of some elements; forms are decided by those that are numbers."""
        self._describe(headers)
        filled = is_number & (headers.numel > 0)
        if not filled.all():
            empty = np.flatnonzero(is_number & ~filled)
            self.empties.update(headers.shape(i) for i in empty.tolist())
        if not filled.any():
            return
        dims = headers.dims if filled.all() else headers.dims[filled]
        ndim = int(headers.ndim.max() if filled.all() else headers.ndim[filled].max())
        first = tuple(dims[0, :ndim].tolist())
        same = all((column == column[0]).all() for column in dims.T)
        self.items += int(headers.numel.sum() if filled.all() else headers.numel[filled].sum())
        if self.first is None:
            self.first, self.columns = first, first[1]
        self.same &= same and first == self.first
        self.flat &= ndim == 2
        self.rows_one &= first[0] == 1 if same else bool((dims[:, 0] == 1).all())
        self.columns_one &= first[1] == 1 if same else bool((dims[:, 1] == 1).all())
        self.columns_vary |= not (first[1] == self.columns and (same or bool((dims[:, 1] == first[1]).all())))

    def merge(self, other: Shapes) -> Shapes:
        """What the elements of both have in common."""
        known = [shapes for shapes in (self, other) if shapes.first is not None]
        firsts = sorted({shapes.first for shapes in known if shapes.first is not None})
        widths = sorted({shapes.columns for shapes in known if shapes.columns is not None})
        described = [shapes.described for shapes in (self, other) if shapes.described is not None]
        return Shapes(
            # Counts are those of the largest part: merged parts are not built as one.
            items=max(self.items, other.items),
            first=firsts[0] if firsts else None,
            same=len(firsts) < 2 and self.same and other.same,
            columns=widths[0] if widths else None,
            columns_vary=len(widths) > 1 or self.columns_vary or other.columns_vary,
            flat=self.flat and other.flat,
            rows_one=self.rows_one and other.rows_one,
            columns_one=self.columns_one and other.columns_one,
            described=_shared_dims(described[0], described[-1]) if described else None,
            empties=self.empties | other.empties,
        )

    def _describe(self, headers: Headers) -> None:
        """Dims that all elements share, None for each that varies."""
        for size in np.flatnonzero(np.bincount(headers.ndim)).tolist():
            dims = headers.dims[:, :size] if (headers.ndim == size).all() else headers.dims[headers.ndim == size, :size]
            shared = [int(c[0]) if (c == c[0]).all() else None for c in dims.T]
            self.described = _shared_dims(shared if self.described is None else self.described, shared)

    @property
    def layout(self) -> Layout:
        """Form of a column of numbers.

        ``[]`` (0x0) is null; other empties are empty lists where the form has lists.
        """
        if self.first is None:
            return Layout.SCALAR
        if self.same:
            return Layout.SCALAR if max(self.first) == 1 else Layout.FIXED
        if self.flat and not self.columns_vary and self.columns is not None and self.columns > 1:
            return Layout.ROWS
        return Layout.VECTOR if self.flat and (self.rows_one or self.columns_one) else Layout.FREE

    @property
    def lists(self) -> tuple[int, ...]:
        """Sizes of the nested fixed-size lists of the forms FIXED and ROWS, outermost first."""
        if self.first is None or self.layout == Layout.SCALAR:
            return ()
        if self.layout == Layout.FIXED:
            return (max(self.first),) if len(self.first) == 2 and 1 in self.first else self.first
        return (self.columns,) if self.layout == Layout.ROWS and self.columns else ()

    def is_null(self, headers: Headers) -> NDArray[np.bool_]:
        """Which numeric elements are null in the form of the column."""
        empty = headers.numel == 0
        if self.layout in (Layout.SCALAR, Layout.FIXED):
            return np.asarray(empty)
        if self.layout == Layout.ROWS:
            return np.asarray(empty & ((headers.dims[:, 1] != self.columns) | (headers.ndim != 2)))
        return np.asarray((headers.ndim == 2) & (headers.dims[:, :2] == 0).all(axis=1))

    def lost_empties(self, *, are_numbers: bool) -> int:
        """How many empty arrays become null though they have dims other than 0x0."""
        if are_numbers and self.layout in (Layout.VECTOR, Layout.FREE):
            return 0
        kept = self.columns if are_numbers and self.layout == Layout.ROWS else None
        return sum(n for dims, n in self.empties.items() if any(dims) and (dims[1] != kept or len(dims) != 2))


def _shared_dims(a: list[int | None], b: list[int | None]) -> list[int | None]:
    """Dims that two descriptions share, None for each that differs; nothing where their number does."""
    return [x if x == y else None for x, y in zip(a, b, strict=True)] if len(a) == len(b) else []


def row_major(dims: Int64s, counts: Int64s) -> Int64s:
    """Index that brings the values of n arrays, each column-major, to row-major order; `counts` are their sizes.

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
