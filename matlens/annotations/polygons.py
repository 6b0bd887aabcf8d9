"""Polygons of a file: outlines of objects, texts and regions, each as rings of points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

import numpy as np
import pyarrow as pa

from matlens.annotations.choosing import ENOUGH, Confidence
from matlens.annotations.class_names import Classes, ClassNames, class_names
from matlens.annotations.file_levels import levels_in
from matlens.annotations.label_regions import POLYGON
from matlens.annotations.levels import Level, levels_below, without_indices
from matlens.annotations.masks import MaskSource, find_masks
from matlens.annotations.point_sets import named_boxes
from matlens.annotations.polygon_sets import MIN_POINTS, PolygonSet, may_hold_polygons, polygon_sets_of
from matlens.annotations.roles import roles_of
from matlens.annotations.shape_sources import (
    ShapeSource,
    beside,
    certain_of,
    chosen_field,
    corner_columns,
    hold_beside,
    is_at,
    joined,
    named_labels,
    uncertain_label,
)
from matlens.annotations.sources import as_label
from matlens.columns.buffers import list_array, number_array
from matlens.columns.table import with_metadata
from matlens.errors import MatlensError
from matlens.formats.records import Int64s
from matlens.helpers.outlines import outlines_of
from matlens.helpers.run_lengths import mask_of
from matlens.tree.file import ReadingOptions, Source, opened

MOST_ODD = 0.5
"""Share of polygons without area from which on they are taken for lines."""
Numbers = Any


@dataclass(slots=True)
class PolygonSource(ShapeSource):
    """Polygons of one field, or of two fields of coordinates.

    Attributes
    ----------
    polygons : PolygonSet
        Their points as they are stored, with what stands beside them.
    classes : ClassNames or None
        Names of the classes that the label has as numbers.
    """

    polygons: PolygonSet = field(repr=False)
    classes: ClassNames | None = field(repr=False)

    def __len__(self) -> int:
        return len(self.polygons.record)

    def to_arrow(self, *, origin: int = 1) -> pa.Table:
        """A row for each polygon.

        ``polygon`` is a list of rings, each a list of points x and y in 0-based pixels; ``xmin, ymin, xmax, ymax`` is
        the box around them. `origin` is the number of the first pixel in the file: MATLAB counts from 1.
        """
        points, sizes, rings = self.polygons.rings()
        points = points - origin
        level, record = self.polygons.level, self.polygons.record
        columns: dict[str, pa.Array] = {"source": self.polygons.paths()}
        others = beside(level, record, self.image, self.label, self.polygons.names)
        columns |= {name: others.pop(name) for name in ("image", "frame", "label") if name in others}
        columns["label"] = as_label(columns["label"])
        named_labels(columns, self.classes)
        columns["polygon"] = polygon_array(points, sizes, rings)
        columns |= corner_columns(_boxes(points, sizes, rings))
        columns |= {name: array for name, array in others.items() if name not in columns}
        told = {"layout": self.layout, "origin": origin, "confidence": self.confidence}
        return with_metadata(pa.table(columns), {"source": self.file, "variable": self.path, "polygons": told})


def polygon_array(points: Numbers, sizes: Int64s, rings: Int64s) -> pa.Array:
    """Polygons as Arrow has them: all points, how many each ring has, and how many rings each polygon has."""
    flat = number_array(np.ascontiguousarray(points, np.float64).ravel())
    return list_array(list_array(pa.FixedSizeListArray.from_arrays(flat, 2), sizes), rings)


def _boxes(points: Numbers, sizes: Int64s, rings: Int64s) -> Numbers:
    """Boxes around polygons; NaN around those without points."""
    owner = np.repeat(np.repeat(np.arange(len(rings)), rings), sizes)
    boxes = np.full((len(rings), 4), np.nan)
    if len(points):
        first = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
        boxes[owner[first], :2] = np.minimum.reduceat(points, first)
        boxes[owner[first], 2:] = np.maximum.reduceat(points, first)
    return boxes


# --- finding -------------------------------------------------------------------------------


def find_polygons(
    source: Source,
    path: str | None = None,
    *,
    image_field: str | None = None,
    label_field: str | None = None,
    classes: Classes = None,
    any_name: bool = False,
    problems: list[MatlensError] | None = None,
    **options: Unpack[ReadingOptions],
) -> list[PolygonSource]:
    """Find the polygons of a file.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object or MatFile
    path : str, optional
        Look only at this value, whatever its name.
    image_field, label_field : str, optional
        Field with the image name, and with the label, instead of the ones that are found.
    classes : str, sequence of str or mapping of int to str, optional
        Names of the classes that a label has as numbers, as for `matlens.boxes.find`.
    any_name : bool, optional
        Find points whose name tells nothing, too; they are doubtful.
    problems : list, optional
        Filled with the errors of values that could not be looked into.
    **options
        ``engine``, ``isolate``, ``limits``, ``errors``, as for `matlens.open`.

    Returns
    -------
    list of PolygonSource
        Empty if there are none.

    Examples
    --------
    >>> import matlens
    >>> square = np.array([[1, 1], [11, 1], [11, 6], [1, 6]])
    >>> cells = np.empty((2, 1), object)
    >>> cells[:, 0] = [square, np.array([[5, 5], [9, 5], [7, 9]])]
    >>> (found,) = find_polygons(matlens.from_loadmat({"outlines": cells}))
    >>> found.to_arrow().select(["polygon", "xmax", "ymax"]).to_pylist()[0]
    {'polygon': [[[0.0, 0.0], [10.0, 0.0], [10.0, 5.0], [0.0, 5.0]]], 'xmax': 10.0, 'ymax': 5.0}
    """
    with opened(source, **options) as file:
        told = [] if problems is None else problems
        levels = levels_in(file, told, region=POLYGON)
        wanted = None if path is None else file.at(path).path
        found = []
        for polygons in _all(levels, any_name=any_name or wanted is not None):
            first = polygons.paths()[0].as_py()
            if is_at(without_indices(first), wanted):
                made = _source(file.name, first, polygons, (image_field, label_field))
                numbers = None if made.label is None else polygons.level.column(made.label)
                made.classes = None if numbers is None else class_names(file, levels, numbers, classes)
                found.append(made)
        return found


def _all(levels: Sequence[Level], *, any_name: bool) -> Iterator[PolygonSet]:
    for level in levels:
        yield from polygon_sets_of(level, any_name=any_name)
        yield from _all(levels_below(level, may_hold_polygons), any_name=any_name)


def _source(file: str, path: str, polygons: PolygonSet, chosen: tuple[str | None, str | None]) -> PolygonSource:
    level = polygons.level
    roles = roles_of(level, polygons.name, polygons.names)
    image = chosen_field(level, roles.image, chosen[0], file)
    label = chosen_field(level, roles.label, chosen[1], file)
    reasons = [*polygons.doubts, *_stand_in_boxes(polygons), *uncertain_label(label, roles)]
    confidence = _confidence(polygons, image, reasons)
    hold_beside(level)
    return PolygonSource(file, path, polygons.layout, image, label, confidence, reasons, polygons, None)


def _confidence(polygons: PolygonSet, image: str | None, reasons: list[str]) -> Confidence:
    """How certain it is that points are polygons: by their name, and by the area that they enclose."""
    _, sizes, rings = polygons.rings()
    flat = int((np.bincount(np.repeat(np.arange(len(rings)), rings), sizes >= MIN_POINTS, len(rings)) == 0).sum())
    if flat:
        reasons.append(f"{flat:,} of {len(rings):,} have less than {MIN_POINTS} points")
    if not polygons.is_named:
        reasons.append("the name tells nothing")
    if not polygons.is_named or flat > MOST_ODD * len(rings):
        return "doubtful"
    return "sure" if image is not None or len(polygons.record) >= ENOUGH else "likely"


def _stand_in_boxes(polygons: PolygonSet) -> list[str]:
    """Move polygons that count from the corner of the box beside them, as those of Caltech 101 do; and say so."""
    owner = np.repeat(np.arange(len(polygons.counts)), polygons.counts)
    for _, record, corners in named_boxes(polygons.level):
        if not np.array_equal(record, polygons.record):
            continue
        low, high = corners[owner, :2], corners[owner, 2:]
        margin = 1 + 0.1 * (high - low)
        with np.errstate(invalid="ignore"):
            beyond = [
                (part < -margin) | (part > high - low + margin) for part in (polygons.points - low, polygons.points)
            ]
        if beyond[0].any() and not beyond[1].any():
            # The corner in the numbers of MATLAB, from 1, as the points are.
            polygons.points = polygons.points + low + 1
            return ["the points count from the corner of the box beside them"]
    return []


# --- reading -------------------------------------------------------------------------------


def read_polygons(source: Source, path: str | None = None, *, origin: int = 1, **options: Any) -> pa.Table:
    """All polygons of a file as one table; of a file that has masks alone their outlines.

    Parameters
    ----------
    source, path, **options
        As for `find_polygons`.
    origin : {1, 0}
        Number of the first pixel in the file.

    Returns
    -------
    pyarrow.Table
        ``source, image, label, polygon, xmin, ymin, xmax, ymax``, then what stands beside.

    Raises
    ------
    NoAnnotationsFound
        If there are none, or doubtful ones alone; it names what came near.
    """
    reading = {name: options.pop(name) for name in ReadingOptions.__annotations__.keys() & options.keys()}
    with opened(source, **reading) as file:
        found = find_polygons(file, path, **options)
        if not any(path is not None or each.confidence != "doubtful" for each in found):
            masks = [each for each in find_masks(file, path, **options) if each.confidence != "doubtful"]
            if masks:
                return joined([outlines_table(each) for each in masks])
            found = found or find_polygons(file, path, any_name=True, **options)
        certain = certain_of(found, "polygons", path, file.name)
        return joined([each.to_arrow(origin=origin) for each in certain])


def outlines_table(masks: MaskSource) -> pa.Table:
    """The outlines of masks as polygons along the edges of their pixels, with what stands beside them."""
    table = masks.to_arrow()
    flat, sizes, rings = list[Numbers](), list[int](), list[int]()
    corners = (table[name].to_pylist() for name in ("xmin", "ymin", "xmax", "ymax"))
    for mask, xmin, ymin, xmax, ymax in zip(table["mask"].to_pylist(), *corners, strict=True):
        found = []
        if xmin is not None:
            inside = mask_of(mask["size"], mask["counts"])[int(ymin) : int(ymax), int(xmin) : int(xmax)]
            found = [ring + [xmin, ymin] for ring in outlines_of(inside)]
        flat += found
        sizes += map(len, found)
        rings.append(len(found))
    points = np.concatenate([*flat, np.zeros((0, 2))])
    array = polygon_array(points, np.array(sizes, np.int64), np.array(rings, np.int64))
    table = table.set_column(table.schema.get_field_index("mask"), "polygon", array)
    told = {"layout": "outlines of masks", "confidence": masks.confidence}
    return with_metadata(table, {"source": masks.file, "variable": masks.path, "polygons": told})
