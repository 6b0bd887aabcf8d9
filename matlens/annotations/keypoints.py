"""Keypoints of a file: landmarks of faces, joints of people, each with its name and whether it is seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

import numpy as np
import pyarrow as pa

from matlens.annotations.choosing import ENOUGH, Confidence
from matlens.annotations.class_names import Classes, ClassNames, class_names
from matlens.annotations.file_levels import levels_in
from matlens.annotations.levels import POINT_NAME, Level, levels_below, without_indices
from matlens.annotations.point_sets import (
    ABSENT,
    NamedBoxes,
    PointSet,
    box_around,
    may_hold_points,
    named_boxes,
    point_sets_of,
)
from matlens.annotations.polygon_sets import may_hold_polygons, polygon_sets_of
from matlens.annotations.roles import Roles, roles_of
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
)
from matlens.annotations.sources import as_label
from matlens.columns.buffers import list_array, number_array
from matlens.columns.table import with_metadata
from matlens.errors import MatlensError
from matlens.tree.file import MatFile, ReadingOptions, Source, opened


@dataclass(slots=True)
class KeypointSource(ShapeSource):
    """Keypoints of one field, and what stands beside them.

    Attributes
    ----------
    names : list of str
        Names of the points; their numbers from 1 where the file has none.
    points : PointSet
        The points as they are stored.
    box : NamedBoxes or None
        The boxes beside them in which they lie.
    classes : ClassNames or None
        Names of the classes that the label has as numbers.
    """

    names: list[str]
    points: PointSet = field(repr=False)
    box: NamedBoxes | None = field(repr=False)
    classes: ClassNames | None = field(repr=False)

    def __len__(self) -> int:
        return len(self.points.record)

    def to_arrow(self, *, origin: int = 1) -> pa.Table:
        """A row for each set of keypoints.

        ``keypoints`` are lists of x, y and visible, one for each name: 0-based pixels, and 0 for a point that is not
        labelled, 1 for one that is hidden, 2 for one that is seen, as COCO has them. ``xmin, ymin, xmax, ymax`` are the
        box beside the points, or the one around those that have a place. `origin` is the number of the first pixel in
        the file: MATLAB counts from 1.
        """
        points, visible = self.points.points - origin, self.points.visible
        flat = np.concatenate([np.where(visible[..., None] == ABSENT, 0.0, points), visible[..., None]], axis=-1)
        items = pa.FixedSizeListArray.from_arrays(number_array(np.ascontiguousarray(flat).ravel()), 3)
        own = (self.points.name, *(() if self.box is None else self.box.fields))
        others = beside(self.points.level, self.points.record, self.image, self.label, own)
        columns: dict[str, pa.Array] = {"source": self.points.paths()}
        columns |= {name: others.pop(name) for name in ("image", "frame", "label") if name in others}
        columns["label"] = as_label(columns["label"])
        named_labels(columns, self.classes)
        columns["keypoints"] = list_array(items, np.full(len(self), flat.shape[1], np.int64))
        columns |= corner_columns(_around(points, visible) if self.box is None else self.box.corners)
        columns |= {name: array for name, array in others.items() if name not in columns}
        told = {"names": self.names, "layout": self.layout, "origin": origin, "confidence": self.confidence}
        return with_metadata(pa.table(columns), {"source": self.file, "variable": self.path, "keypoints": told})


def _around(points: Any, visible: Any) -> Any:
    """Boxes around the points that have a place; NaN where there are none."""
    placed = (visible > ABSENT)[..., None]
    low = np.where(placed, points, np.inf).min(axis=1)
    high = np.where(placed, points, -np.inf).max(axis=1)
    return np.where(placed.any(axis=1), np.concatenate([low, high], axis=1), np.nan)


def find_keypoints(
    source: Source,
    path: str | None = None,
    *,
    image_field: str | None = None,
    label_field: str | None = None,
    classes: Classes = None,
    problems: list[MatlensError] | None = None,
    **options: Unpack[ReadingOptions],
) -> list[KeypointSource]:
    """Find the keypoints of a file.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object or MatFile
    path : str, optional
        Look only at this value, whatever its name.
    image_field, label_field : str, optional
        Field with the image name, and with the label, instead of the ones that are found.
    classes : str, sequence of str or mapping of int to str, optional
        Names of the classes that a label has as numbers, as for `matlens.boxes.find`.
    problems : list, optional
        Filled with the errors of values that could not be looked into.
    **options
        ``engine``, ``isolate``, ``limits``, ``errors``, as for `matlens.open`.

    Returns
    -------
    list of KeypointSource
        Empty if there are none.

    Examples
    --------
    >>> import matlens
    >>> shapes = np.cumsum(np.ones((2, 5, 2)), axis=1)
    >>> cells = np.empty((2, 1), object)
    >>> cells[:, 0] = [shapes[0], shapes[1]]
    >>> (found,) = find_keypoints(matlens.from_loadmat({"landmarks": cells}))
    >>> len(found), found.names, found.to_arrow()["keypoints"][0].as_py()[1]
    (2, ['1', '2', '3', '4', '5'], [1.0, 1.0, 2.0])
    """
    with opened(source, **options) as file:
        levels = levels_in(file, [] if problems is None else problems)
        wanted = None if path is None else file.at(path).path
        found = []
        for points in _all(levels, any_name=wanted is not None):
            first = points.paths()[0].as_py()
            if is_at(without_indices(first), wanted):
                made = _source(file.name, first, points, levels, (image_field, label_field))
                numbers = None if made.label is None else points.level.column(made.label)
                made.classes = None if numbers is None else class_names(file, levels, numbers, classes)
                found.append(made)
        return found


def _all(levels: Sequence[Level], *, any_name: bool) -> Iterator[PointSet]:
    for level in levels:
        yield from point_sets_of(level, any_name=any_name)
        yield from _all(levels_below(level, may_hold_points), any_name=any_name)


def uneven_points(file: MatFile) -> list[str]:
    """What is named as keypoints are, though its records have different numbers of points: each in words."""
    found, levels = list[str](), levels_in(file, [])
    while levels:
        for level in levels:
            for points in polygon_sets_of(level, any_name=True):
                low, high = points.counts.min(), points.counts.max()
                if low < high and any(map(POINT_NAME.search, points.names)):
                    variable = without_indices(points.paths()[0].as_py())
                    found.append(f"{variable} has {low:,} to {high:,} points: matlens polygons --path {variable}")
        levels = [below for level in levels for below in levels_below(level, may_hold_polygons)]
    return found


def _source(
    file: str, path: str, points: PointSet, levels: Sequence[Level], chosen: tuple[str | None, str | None]
) -> KeypointSource:
    level = points.level
    box = box_around(points, named_boxes(level))
    roles: Roles = roles_of(level, points.name, [points.name])
    names = _names(levels, points.points.shape[1])
    image = chosen_field(level, roles.image, chosen[0], file)
    label = chosen_field(level, roles.label, chosen[1], file)
    certain: Confidence = "sure" if image or len(points.record) >= ENOUGH else "likely"
    confidence: Confidence = "doubtful" if points.doubts else certain
    hold_beside(level)
    told = (image, label, confidence, points.doubts)
    return KeypointSource(file, path, points.layout, *told, names, points, box, None)


def _names(levels: Sequence[Level], count: int) -> list[str]:
    """Names of so many points, where one list of texts of the file has as many; else their numbers."""
    found = []
    for level in levels:
        if level.size == count and level.base is not None:
            for name, kind in level.columns.types.items():
                texts = level.columns[name].to_pylist() if pa.types.is_string(kind) else []
                if texts and all(texts) and len(set(texts)) == count:
                    found.append(texts)
    return found[0] if len(found) == 1 else [str(k + 1) for k in range(count)]


def read_keypoints(source: Source, path: str | None = None, *, origin: int = 1, **options: Any) -> pa.Table:
    """All keypoints of a file as one table.

    Parameters
    ----------
    source, path, **options
        As for `find_keypoints`.
    origin : {1, 0}
        Number of the first pixel in the file.

    Returns
    -------
    pyarrow.Table
        ``source, image, label, keypoints`` (lists of x, y, visible), ``xmin, ymin, xmax, ymax``, then what stands
        beside.

    Raises
    ------
    NoAnnotationsFound
    """
    reading = {name: options.pop(name) for name in ReadingOptions.__annotations__.keys() & options.keys()}
    with opened(source, **reading) as file:
        found = find_keypoints(file, path, **options)
        near = [] if found else uneven_points(file)
        certain = certain_of(found, "keypoints", path, file.name, near)
        return joined([each.to_arrow(origin=origin) for each in certain])
