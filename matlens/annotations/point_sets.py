"""Values of a level that can be read as keypoints: matrices of two or three numbers a point, rows, points by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from matlens.annotations.conventions import convert
from matlens.annotations.evidence import judge
from matlens.annotations.levels import POINT_NAME, Level, is_list
from matlens.annotations.readings import readings_of
from matlens.columns.buffers import is_number, numbers_of
from matlens.formats.records import Int64s

MIN_POINTS, MAX_POINTS = 5, 1000
MARGIN, MOST = 0.1, 0.9
"""Share of a box by which points may lie beyond its edge, and of the points that must not."""
SMOOTHER = 1.3
"""How much smoother one order of numbers must be to be the one of the points: neighbours lie near each other."""
ABSENT, HIDDEN, SEEN = 0, 1, 2
"""Visibility after the data format of COCO: not labelled, labelled but hidden, labelled and seen."""

Numbers = NDArray[np.float64]


@dataclass(slots=True)
class PointSet:
    """Keypoints of one field: `points` has the dims records, points, x and y; `visible` records, points.

    `record` says of which record of the level each is, `layout` in which order the numbers are stored.
    """

    level: Level
    name: str
    points: Numbers
    visible: NDArray[np.int8]
    record: Int64s
    layout: str
    doubts: list[str] = field(default_factory=list)

    def paths(self) -> pa.Array:
        """MATLAB path of the points of each record."""
        return self.level.paths(self.name, self.record)


def may_hold_points(kind: pa.DataType) -> bool:
    """Whether points stand somewhere inside entries of a type."""
    if is_list(kind):
        return _dims(kind) is not None or _is_point_list(kind) or may_hold_points(kind.value_type)
    return bool(pa.types.is_struct(kind)) and any(may_hold_points(part.type) for part in kind)


def point_sets_of(level: Level, *, any_name: bool = False) -> list[PointSet]:
    """What can be read as keypoints at a level, by its name, or because it lies in the boxes beside it."""
    found, boxes = [], cache(partial(named_boxes, level))
    for name, kind in level.columns.types.items():
        if not any_name and not POINT_NAME.search(name):
            found += _in_boxes(level, name, kind.list_size, boxes()) if _is_long_row(kind) else []
            continue
        if _is_point_list(kind):
            made = _by_id(level, name)
        elif _dims(kind) is not None:
            made = _of_matrices(level, name, kind)
        elif _is_long_row(kind):
            made = _of_rows(level, name, kind.list_size)
        else:
            continue
        found += [made] if made is not None and len(made.record) else []
    return found


class NamedBoxes(NamedTuple):
    """Boxes of a level that are named so: their fields, records, and 0-based half-open corners."""

    fields: tuple[str, ...]
    record: Int64s
    corners: Numbers


def named_boxes(level: Level) -> list[NamedBoxes]:
    """The boxes of a level that are named so, where their convention is known."""
    found = []
    for reading in readings_of(level):
        used = judge(reading.values, reading.name, layout=reading.layout).convention if reading.is_named else None
        if used is not None and used != "yolo":
            found.append(NamedBoxes(reading.fields, reading.record, convert(reading.values, used, "xyxy")))
    return found


def _in_boxes(level: Level, name: str, width: int, boxes: list[NamedBoxes]) -> list[PointSet]:
    """Rows of numbers that are points in the boxes of the same records."""
    made = _of_rows(level, name, width) if boxes and width % 2 == 0 else None
    return [made] if made is not None and box_around(made, boxes) is not None else []


def box_around(points: PointSet, boxes: Sequence[NamedBoxes]) -> NamedBoxes | None:
    """The boxes of the same records in which nearly all points lie; None if there are none."""
    is_seen = points.visible > ABSENT
    for found in boxes:
        if np.array_equal(points.record, found.record) and is_seen.any():
            low, high = np.split(found.corners[:, None], 2, axis=-1)
            margin = MARGIN * (high - low)
            with np.errstate(invalid="ignore"):
                inside = np.all((points.points > low - margin) & (points.points < high + margin), axis=-1)
            if np.mean(inside[is_seen]) > MOST:
                return found
    return None


# --- matrices ------------------------------------------------------------------------------


def _dims(kind: pa.DataType) -> tuple[int, int] | None:
    """Rows and columns of matrices of points, in either direction; None of another type."""
    if not (pa.types.is_fixed_size_list(kind) and pa.types.is_fixed_size_list(kind.value_type)):
        return None
    dims = kind.list_size, kind.value_type.list_size
    fits = min(dims) in (2, 3) and MIN_POINTS <= max(dims) <= MAX_POINTS
    return dims if fits and is_number(kind.value_type.value_type) else None


def _of_matrices(level: Level, name: str, kind: pa.DataType) -> PointSet:
    rows, columns = kind.list_size, kind.value_type.list_size
    array = level.columns[name]
    record = np.flatnonzero(numbers_of(array.is_valid()))
    values = numbers_of(array.drop_null().flatten().flatten().cast(pa.float64(), safe=False))
    values = values.reshape(-1, rows, columns)
    if rows < columns:
        values = values.transpose(0, 2, 1)
    width = "x y visible" if values.shape[2] == 3 else "x y"
    return _made(level, name, values, record, f"{rows}x{columns}: {width} of each point")


def _made(level: Level, name: str, values: Numbers, record: Int64s, layout: str) -> PointSet:
    """Points of three numbers or two: those at NaN or at the origin are absent."""
    points = np.ascontiguousarray(values[..., :2])
    flags = values[..., 2] if values.shape[-1] == 3 else np.ones(points.shape[:2])
    doubts = []
    known = np.unique(flags[np.isfinite(flags)])
    if len(known) > 3 or (len(known) and not np.isin(known, (-1, 0, 1, 2)).all()):
        doubts.append("the third number of each point is not its visibility")
        flags = np.ones(points.shape[:2])
    absent = ~np.isfinite(points).all(axis=-1) | (points == 0).all(axis=-1) | (points == -1).all(axis=-1)
    if known.max(initial=0) == SEEN:
        # COCO's own numbers.
        visible = np.where(absent, ABSENT, np.nan_to_num(np.maximum(flags, ABSENT))).astype(np.int8)
    else:
        visible = np.where(absent, ABSENT, np.where(flags >= 1, SEEN, HIDDEN)).astype(np.int8)
    if not (visible > ABSENT).any():
        doubts.append("no point has a place")
    return PointSet(level, name, points, visible, record, layout, doubts)


# --- rows ----------------------------------------------------------------------------------


def _is_long_row(kind: pa.DataType) -> bool:
    if not pa.types.is_fixed_size_list(kind) or not is_number(kind.value_type):
        return False
    width = int(kind.list_size)
    return 2 * MIN_POINTS <= width <= 3 * MAX_POINTS and (width % 2 == 0 or width % 3 == 0)


def _of_rows(level: Level, name: str, width: int) -> PointSet | None:
    """Rows of all numbers: of each point together, or of each coordinate; what is smoother is the order."""
    array = level.columns[name]
    record = np.flatnonzero(numbers_of(array.is_valid()))
    values = numbers_of(array.drop_null().flatten().cast(pa.float64(), safe=False)).reshape(-1, width)
    tried: list[tuple[float, str, Numbers]] = []
    for parts in (2, 3):
        if width % parts == 0:
            count = width // parts
            stacked = values.reshape(-1, parts, count).transpose(0, 2, 1)
            beside = values.reshape(-1, count, parts)
            options = [(stacked, "all x first"), (beside, "point by point")]
            tried += [
                (_roughness(each), word, each) for each, word in options if parts == 2 or _are_flags(each[..., 2])
            ]
    if not tried:
        return None
    tried.sort(key=lambda option: option[0])
    made = _made(level, name, tried[0][2], record, tried[0][1])
    if len(tried) > 1 and tried[1][0] < SMOOTHER * tried[0][0]:
        made.doubts.append(f"the order of the numbers is not certain: {tried[0][1]} or {tried[1][1]}")
    return made


def _are_flags(values: Numbers) -> bool:
    return bool(np.isin(values[np.isfinite(values)], (0.0, 1.0, 2.0)).all())


def _roughness(points: Numbers) -> float:
    """Mean distance of neighbours, by the spread of all points of a record."""
    steps = np.abs(np.diff(points[..., :2], axis=1))
    spread = np.nanstd(points[..., :2], axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.nanmean(np.where(spread > 0, steps / spread, np.nan)))


# --- points by their id --------------------------------------------------------------------


def _is_point_list(kind: pa.DataType) -> bool:
    """Whether entries are lists of structs of x and y."""
    if not is_list(kind) or not pa.types.is_struct(kind.value_type):
        return False
    numeric = {part.name for part in kind.value_type if is_number(part.type)}
    return {"x", "y"} <= numeric and len(kind.value_type) <= 6


def _by_id(level: Level, name: str) -> PointSet | None:
    """Points in any order, each with its number, as MPII has them."""
    array = level.columns[name]
    counts = numbers_of(pc.list_value_length(array).fill_null(0)).astype(np.int64)
    owner = np.repeat(np.arange(len(counts)), counts)
    items = pc.list_flatten(array)
    if not len(items):
        return None
    kinds = {part.name: part.type for part in items.type}
    x, y = (numbers_of(pc.struct_field(items, [part]).cast(pa.float64(), safe=False)) for part in "xy")
    starts = np.cumsum(counts) - counts
    number = _numbers(items, "id", kinds) if "id" in kinds else (np.arange(len(owner)) - starts[owner]).astype(float)
    good = np.isfinite(number) & (number >= 0) & (number < MAX_POINTS)
    owner, place = owner[good], number[good].astype(np.int64)
    shape = len(counts), int(place.max(initial=0)) + 1
    if shape[1] < MIN_POINTS:
        return None
    points, visible = np.full((*shape, 2), np.nan), np.zeros(shape, np.int8)
    points[owner, place] = np.stack([x[good], y[good]], axis=1)
    flags = _numbers(items, "is_visible", kinds)[good] if "is_visible" in kinds else np.ones(len(owner))
    visible[owner, place] = np.where(flags == 0, HIDDEN, SEEN)
    record = np.flatnonzero(counts > 0)
    layout = "points by their id" if "id" in kinds else "points in their order"
    return PointSet(level, name, points[record], visible[record], record, layout)


def _numbers(items: pa.Array, name: str, kinds: dict[str, Any]) -> Numbers:
    """A field as numbers; texts of numbers, and JSON of what is missing, too."""
    column = pc.struct_field(items, [name])
    if pa.types.is_string(kinds[name]):
        return np.array([_number(text) for text in column.to_pylist()])
    if pa.types.is_boolean(kinds[name]):
        column = column.cast(pa.uint8())
    return numbers_of(column.cast(pa.float64(), safe=False))


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")
