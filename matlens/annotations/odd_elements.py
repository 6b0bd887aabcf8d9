"""Elements that do not fit beside the boxes of their column: of another class or width. They are left out, and told."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from matlens.annotations.levels import BOX_NAME, POINT_NAME, POLYGON_NAME, Odd, may_hold_boxes
from matlens.annotations.readings import MAX_WIDTH
from matlens.columns.column_plan import ColumnPlan, is_numeric
from matlens.columns.planner import Planner
from matlens.columns.unify import Kind, Layout
from matlens.errors import UnsupportedValue
from matlens.formats.guards.salvage import SalvagingReader
from matlens.formats.reader import Reader
from matlens.formats.records import Elements, Headers, Int64s, MatlabClass

BOX_WIDTH = 4
MAX_DEPTH = 4
"""Levels of cells and structs, one in another, that may hold odd elements."""
_CONTAINERS = ((MatlabClass.STRUCT, MatlabClass.OBJECT), (MatlabClass.CELL,))


def plan_of_boxes(reader: Reader, elements: Elements, name: str, depth: int = 0) -> tuple[Reader, Planner, list[Odd]]:
    """The plan of a column, without odd elements where the others may be boxes; what reads it, and what is left out.

    Without it, a single text among boxes would make texts of all of them.
    """
    odd, used = list[Odd](), reader
    for _ in range(MAX_DEPTH - depth):
        planner = Planner(used, keep=True)
        planner.survey([(elements, name)])
        found = list(_odd_of(reader, planner, depth))
        if not found:
            break
        masked = used if isinstance(used, SalvagingReader) and used is not reader else SalvagingReader(reader)
        for path, headers, index in found:
            masked.mark(headers.elements.take(index), UnsupportedValue(f"does not fit beside the others of {path}"))
            odd += _told(reader, path, headers, index)
        used = masked
    return used, planner, odd


def _odd_of(reader: Reader, planner: Planner, depth: int) -> Iterator[tuple[str, Headers, Int64s]]:
    """Columns some of whose elements hide that the others may be boxes, and which these are."""
    for path, (headers, _) in planner.levels.items():
        plan = planner.plan.columns[path]
        is_number = plan.kinds == [Kind.NUMBER]
        if len(plan.kinds) < 2 and not (is_number and _is_uneven(plan)):
            continue
        fits = _rows_that_fit(path, headers, plan)
        if fits is None and not is_number:
            fits = _containers_that_fit(reader, path, headers, depth)
        if fits is not None and len(odd := np.flatnonzero(~fits & ~_is_nothing(headers))):
            yield path, headers, odd


def _is_uneven(plan: ColumnPlan) -> bool:
    """Whether numbers have no width in common, or are complex."""
    dtype = plan.dtype
    return plan.shapes.layout in (Layout.VECTOR, Layout.FREE) or (dtype is not None and dtype.kind == "c")


def _rows_that_fit(path: str, headers: Headers, plan: ColumnPlan) -> NDArray[np.bool_] | None:
    """Which elements are matrices of one width, as most of them are; of four rows, where boxes stand in columns.

    A list of any length may have four entries by chance: it is of boxes where its name says so.
    """
    is_named = bool(BOX_NAME.search(path))
    is_list = plan.kinds == [Kind.NUMBER] and plan.shapes.layout == Layout.VECTOR
    if not is_named and (is_list or POINT_NAME.search(path) or POLYGON_NAME.search(path)):
        return None
    numbers = is_numeric(headers) & (headers.numel > 0) & (headers.ndim == 2) & ~headers.is_complex
    widths = np.bincount(np.minimum(headers.dims[numbers, 1], MAX_WIDTH + 1), minlength=MAX_WIDTH + 2)
    width = BOX_WIDTH + int(widths[BOX_WIDTH : MAX_WIDTH + 1].argmax()) if is_named else BOX_WIDTH
    fits = numbers & (headers.dims[:, 1] == width)
    if is_named and (turned := numbers & (headers.dims[:, 0] == BOX_WIDTH)).sum() > fits.sum():
        fits = turned
    return fits if 2 * fits.sum() > np.count_nonzero(headers.numel) else None


def _containers_that_fit(reader: Reader, path: str, headers: Headers, depth: int) -> NDArray[np.bool_] | None:
    """Which elements are cells, or structs, as most of them are, if there may be boxes in these."""
    for classes in _CONTAINERS:
        fits = np.isin(headers.cls, classes)
        if 2 * fits.sum() > np.count_nonzero(headers.numel) and depth + 1 < MAX_DEPTH:
            _, planner, _ = plan_of_boxes(reader, headers.elements.take(fits), path, depth + 1)
            return fits if may_hold_boxes(planner.plan.type_of(path)) else None
    return None


def _is_nothing(headers: Headers) -> NDArray[np.bool_]:
    return np.asarray(is_numeric(headers) & (headers.numel == 0))


def _told(reader: Reader, path: str, headers: Headers, index: Int64s) -> list[Odd]:
    """What is left out; none of empty values and of a single NaN, which say that there is no box."""
    some = headers.take(index[headers.numel[index] > 0])
    index = index[headers.numel[index] > 0]
    single = np.flatnonzero(is_numeric(some) & (some.numel == 1) & (some.cls == MatlabClass.DOUBLE) & ~some.is_complex)
    if len(single):
        values, _ = reader.gather(some.take(single))
        index = np.delete(index, single[np.isnan(values.astype(np.float64))])
    if not len(index):
        return []
    first = int(index[0])
    kind = "complex " * bool(headers.is_complex[first]) + "sparse " * bool(headers.cls[first] == MatlabClass.SPARSE)
    what = f"{'x'.join(map(str, headers.shape(first)))} {kind}{headers.class_name(first)}"
    return [Odd(path.replace("{}", ""), len(headers), len(index), first, what)]
