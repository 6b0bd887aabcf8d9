"""Values of a level that can be read as polygons: matrices of points, two lists of coordinates, rows, lists of points.

A polygon is a list of rings, each a list of points x and y, after the polygons of GeoArrow; MATLAB parts the rings of a
matrix or of two vectors by NaN.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from matlens.annotations.levels import POLYGON_NAME, Level, is_list
from matlens.columns.buffers import is_number, number_array, numbers_of
from matlens.formats.records import Int64s

_AXIS = re.compile(r"(|.*[._\d])([xyXY])(?:s|_?coords?|_?data|_?vals?)?|(.*[a-z])([XY])(?:s|Data)?")
"""Names of a coordinate: a stem, and the letter of the axis."""
MIN_POINTS = 3

Numbers = NDArray[np.float64]


@dataclass(slots=True)
class PolygonSet:
    """Polygons of one field, or of the fields `names`: `points` of all, one after another, and how many each has.

    `record` says of which record of the level each is, `layout` how they are stored.
    """

    level: Level
    name: str
    points: Numbers
    counts: Int64s
    record: Int64s
    layout: str
    names: tuple[str, ...]
    is_named: bool = True
    doubts: list[str] = field(default_factory=list)
    path: str | None = None

    def paths(self) -> pa.Array:
        """MATLAB path of each polygon."""
        return self.level.paths(self.name, self.record) if self.path is None else pa.array([self.path])

    def rings(self) -> tuple[Numbers, Int64s, Int64s]:
        """Points without NaN, how many each ring has, and how many rings each polygon has."""
        owner = np.repeat(np.arange(len(self.counts)), self.counts)
        good = np.logical_and(*np.isfinite(self.points).T)
        begins = np.ones(len(owner), bool)
        begins[1:] = (owner[1:] != owner[:-1]) | ~good[:-1]
        ring = np.cumsum(begins) - 1
        sizes = np.bincount(ring[good], minlength=int(begins.sum()))
        of_polygon = owner[begins]
        keep = sizes > 0
        return self.points[good], sizes[keep], np.bincount(of_polygon[keep], minlength=len(self.counts))


def may_hold_polygons(kind: pa.DataType) -> bool:
    """Whether points in any number stand somewhere inside entries of a type."""
    if is_list(kind):
        return _is_points(kind) or _is_point_list(kind) or _is_row(kind) or may_hold_polygons(kind.value_type)
    if not pa.types.is_struct(kind):
        return False
    lists = sum(is_list(part.type) and is_number(part.type.value_type) for part in kind)
    return lists >= 2 or any(may_hold_polygons(part.type) for part in kind)


def polygon_sets_of(level: Level, *, any_name: bool = False) -> Iterator[PolygonSet]:
    """What can be read as polygons at a level, by its name; `any_name` takes others, too."""
    stored = _stored(level)
    for made in _readings(level):
        made.is_named = any(POLYGON_NAME.search(part) for part in (*made.names, stored))
        if len(made.record) and (made.is_named or any_name):
            yield made


def _readings(level: Level) -> Iterator[PolygonSet]:
    """All that has the form of polygons; what two columns have together no one has alone."""
    if (single := _of_records(level)) is not None:
        yield single
    paired: set[str] = set()
    for x, y in _pairs(level):
        paired |= {x, y}
        yield _of_two(level, x, y)
    for name, kind in level.columns.types.items():
        if name in paired:
            continue
        if _is_points(kind):
            yield _of_matrices(level, name)
        elif _is_point_list(kind):
            yield _of_point_lists(level, name)
        elif _is_row(kind):
            yield _of_rows(level, name, kind.list_size)


def is_named(path: str) -> bool:
    """Whether the last two names of a path tell of polygons.

    Examples
    --------
    >>> is_named("s(3).polygon.x"), is_named("polygons.scores.mean")
    (True, False)
    """
    names = re.sub(r"[({][^(){}]*[)}]", "", path).split(".")
    return any(POLYGON_NAME.search(name) for name in names[-2:])


def _stored(level: Level) -> str:
    """Name of what a level is the inside of."""
    if level.base:
        return level.base
    path: str = level.paths("", np.zeros(1, np.int64))[0].as_py() if level.size else ""
    return re.sub(r"[({][^(){}]*[)}]", "", path)


# --- matrices ------------------------------------------------------------------------------


def _is_points(kind: pa.DataType) -> bool:
    """Whether entries are matrices of two columns, of any number of rows or of the same."""
    if not is_list(kind) or not pa.types.is_fixed_size_list(kind.value_type):
        return False
    is_upright = kind.value_type.list_size == 2 and is_number(kind.value_type.value_type)
    return is_upright or _is_turned(kind)


def _is_turned(kind: pa.DataType) -> bool:
    """Whether entries are matrices of two rows of equal length, of which each is a coordinate."""
    return bool(
        pa.types.is_fixed_size_list(kind)
        and kind.list_size == 2
        and pa.types.is_fixed_size_list(kind.value_type)
        and kind.value_type.list_size > 2
        and is_number(kind.value_type.value_type)
    )


def _of_matrices(level: Level, name: str) -> PolygonSet:
    array = level.columns[name]
    record = np.flatnonzero(numbers_of(array.is_valid()))
    full = array.drop_null()
    flat = numbers_of(_leaves(full).cast(pa.float64(), safe=False))
    if _is_turned(array.type):
        width = array.type.value_type.list_size
        points = flat.reshape(-1, 2, width).transpose(0, 2, 1).reshape(-1, 2)
        counts, layout = np.full(len(full), width, np.int64), "2xN: a point in each column"
    else:
        counts, points = _counts(full), flat.reshape(-1, 2)
        layout = "2xN: a point in each column" if name in level.columns.turned else "Nx2: a point in each row"
    keep = counts > 0
    return PolygonSet(level, name, points, counts[keep], record[keep], layout, (name,))


def _leaves(array: pa.Array) -> pa.Array:
    while is_list(array.type):
        array = pc.list_flatten(array)
    return array


def _counts(array: pa.Array) -> Int64s:
    return numbers_of(pc.list_value_length(array).fill_null(0)).astype(np.int64)


def compactness(points: Numbers) -> float:
    """Mean of area by squared perimeter of closed polygons of as many points each: dims polygons, points, x and y.

    Examples
    --------
    >>> compactness(np.array([[[0, 0], [2, 0], [2, 2], [0, 2]]]))
    0.0625
    """
    after = np.roll(points, -1, axis=1)
    areas = np.abs(np.sum(points[..., 0] * after[..., 1] - after[..., 0] * points[..., 1], axis=1)) / 2
    perimeters = np.sqrt(((after - points) ** 2).sum(axis=2)).sum(axis=1)
    return float(np.mean(areas / np.maximum(perimeters, np.finfo(float).tiny) ** 2))


# --- rows and lists of points --------------------------------------------------------------


def _is_row(kind: pa.DataType) -> bool:
    """Whether entries are x and y of three points or more, one after another."""
    return bool(
        pa.types.is_fixed_size_list(kind)
        and is_number(kind.value_type)
        and kind.list_size >= 2 * MIN_POINTS
        and kind.list_size % 2 == 0
    )


def _of_rows(level: Level, name: str, width: int) -> PolygonSet:
    array = level.columns[name]
    record = np.flatnonzero(numbers_of(array.is_valid()))
    points = numbers_of(array.drop_null().flatten().cast(pa.float64(), safe=False)).reshape(-1, 2)
    counts, layout = np.full(len(record), width // 2, np.int64), "x and y of each point in a row"
    return PolygonSet(level, name, points, counts, record, layout, (name,))


def _is_point_list(kind: pa.DataType) -> bool:
    """Whether entries are lists of structs of x and y, as numbers or as texts of numbers."""
    if not is_list(kind) or not pa.types.is_struct(kind.value_type):
        return False
    single = {part.name.lower() for part in kind.value_type if is_number(part.type) or pa.types.is_string(part.type)}
    return {"x", "y"} <= single and len(kind.value_type) <= 6


def _of_point_lists(level: Level, name: str) -> PolygonSet:
    array = level.columns[name]
    counts, items = _counts(array), pc.list_flatten(array)
    parts = {part.name.lower(): k for k, part in enumerate(items.type)}
    columns = [_numbers(pc.struct_field(items, [parts[axis]])) for axis in "xy"]
    record = np.flatnonzero(counts > 0)
    points = np.stack(columns, axis=1)
    return PolygonSet(level, name, points, counts[record], record, "points in their order", (name,))


def _numbers(column: pa.Array) -> Numbers:
    """Numbers, or texts of numbers; NaN for other texts."""
    if not pa.types.is_string(column.type):
        return numbers_of(column.cast(pa.float64(), safe=False))
    return np.array([_number(text) for text in column.to_pylist()], np.float64)


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _of_records(level: Level) -> PolygonSet | None:
    """The points that all records of a level are together: a single polygon of the record above."""
    kinds = {name: kind for name, kind in level.columns.types.items() if is_number(kind) or pa.types.is_string(kind)}
    axes = {axis[1]: name for name in kinds if (axis := axis_of(name)) is not None}
    if (
        level.parent is None
        or level.base is not None
        or level.size < MIN_POINTS
        or axes.keys() != {"x", "y"}
        or len(kinds) > 6
    ):
        return None
    if len(level.columns) > 6:
        return None
    record = np.unique(level.parent_index)
    if len(record) != 1:
        return None
    points = np.stack([_numbers(level.columns[axes[axis]]) for axis in "xy"], axis=1)
    path = level.paths("", np.zeros(1, np.int64))[0].as_py()
    path = re.sub(r"[({][^(){}]*[)}]$", "", path)
    names = (axes["x"], axes["y"])
    counts, layout = np.array([len(points)]), "points in their order"
    return PolygonSet(level.parent, "", points, counts, record, layout, names, path=path)


# --- two lists -----------------------------------------------------------------------------


def _pairs(level: Level) -> Iterator[tuple[str, str]]:
    """Columns of lists of x and of y with the same stem; of cells without names those that a text beside tells of."""
    lists = [name for name, kind in level.columns.types.items() if is_list(kind) and is_number(kind.value_type)]
    by_stem: dict[str, dict[str, str]] = {}
    for name in lists:
        axis = axis_of(name) or _told_axis(level, name)
        if axis is not None:
            by_stem.setdefault(axis[0], {}).setdefault(axis[1], name)
    for axes in by_stem.values():
        if axes.keys() == {"x", "y"}:
            yield axes["x"], axes["y"]


def axis_of(name: str) -> tuple[str, str] | None:
    """Stem and axis of the name of a coordinate.

    Examples
    --------
    >>> axis_of("polygon.x"), axis_of("poly_xs"), axis_of("Y"), axis_of("contourX"), axis_of("box")
    (('polygon.', 'x'), ('poly_', 'x'), ('', 'y'), ('contour', 'x'), None)
    """
    match = _AXIS.fullmatch(name)
    if match is None:
        return None
    return (match[1], match[2].lower()) if match[2] else (match[3], match[4].lower())


def _told_axis(level: Level, name: str) -> tuple[str, str] | None:
    """Axis of a column of a cell matrix, where the texts of the column before it are ``x:`` or ``y:``."""
    before, stem = _before(name), name.rpartition("_")[0]
    if before not in level.columns or not pa.types.is_string(level.columns.types[before]):
        return None
    told = {(text or "").strip(" :=").lower() for text in level.columns[before].unique().to_pylist()}
    return (stem, told.pop()) if told in ({"x"}, {"y"}) else None


def _before(name: str) -> str:
    """Name of the column of a cell matrix before one of these; empty of others."""
    stem, mark, number = name.rpartition("_")
    return f"{stem}_{int(number) - 1}" if mark and number.isdigit() else ""


def _of_two(level: Level, x: str, y: str) -> PolygonSet:
    """Polygons of the lists of two columns; those of unequal length are left out and counted."""
    columns = [level.columns[name] for name in (x, y)]
    counts = [_counts(column) for column in columns]
    fits = (counts[0] == counts[1]) & (counts[0] > 0)
    record = np.flatnonzero(fits)
    taken = [pc.list_flatten(column.take(number_array(record))).cast(pa.float64(), safe=False) for column in columns]
    points = np.stack([numbers_of(part) for part in taken], axis=1)
    told = [name for name in map(_before, (x, y)) if name in level.columns and _told_axis(level, x)]
    layout = f"all x in {x}, all y in {y}"
    made = PolygonSet(level, x, points, counts[0][record], record, layout, (x, y, *told))
    odd = int((counts[0] != counts[1]).sum())
    if odd:
        made.doubts.append(f"{odd:,} have not as many x as y")
    return made
