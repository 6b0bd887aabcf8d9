"""Polygons, masks and keypoints beside boxes, in the forms of data sets: those of COCO and of YOLO."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.columns.table import metadata_of
from matlens.errors import UnfitFormat
from matlens.helpers.outlines import area_of, outlines_of, signed_area
from matlens.helpers.run_lengths import mask_of

KINDS = ("polygon", "mask", "keypoints")
"""Columns of tables of polygons, of masks and of keypoints."""
Rings = list[NDArray[np.float64]]


@dataclass(slots=True)
class Shapes:
    """Shapes of one kind, one for each box; of keypoints the names of the points, too."""

    kind: str = ""
    values: list[Any] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.kind)

    def take(self, rows: list[int]) -> Shapes:
        """Those of some boxes."""
        return Shapes(self.kind, [self.values[row] for row in rows] if self.kind else [], self.names)

    def count_holes(self) -> int:
        """How many polygons have a hole."""
        return sum(map(has_holes, self.values)) if self.kind == "polygon" else 0


def shapes_in(table: pa.Table) -> Shapes:
    """The shapes of a table, one for each row; none of a table of boxes alone."""
    kind = next((name for name in KINDS if name in table.column_names), "")
    values = table[kind].to_pylist() if kind else []
    if kind != "keypoints" or not values:
        return Shapes(kind, values)
    counts = sorted(set(map(len, values)))
    if len(counts) > 1:
        told = " and ".join(map(str, counts[:2]))
        raise UnfitFormat(f"a data set has as many keypoints in each set, found sets of {told}: --path picks some")
    return Shapes(kind, values, point_names(table, counts[0]))


def point_names(table: pa.Table, count: int) -> list[str]:
    """Names of keypoints as the table tells them; numbers from 1 where it does not."""
    about = metadata_of(table).get("keypoints", {})
    names = about.get("names", []) if isinstance(about, dict) else []
    return [str(name) for name in names] if len(names) == count else [str(k + 1) for k in range(count)]


def rings_of(shape: Any) -> Rings:
    """Rings of a polygon, or around the pixels of a mask."""
    if isinstance(shape, dict):
        return outlines_of(mask_of(tuple(shape["size"]), shape["counts"]))
    return [np.array(ring, np.float64).reshape(-1, 2) for ring in shape or ()]


def has_holes(polygon: Any) -> bool:
    """Whether a ring of a polygon turns the other way round than another, as holes do."""
    areas = [signed_area(ring) for ring in rings_of(polygon)]
    return bool(areas) and min(areas) < 0 < max(areas)


def coco_shape(kind: str, shape: Any) -> dict[str, Any]:
    """What an annotation of COCO says of a shape.

    Examples
    --------
    >>> coco_shape("polygon", [[[0.0, 0.0], [4.0, 0.0], [4.0, 3.0]]])
    {'segmentation': [[0.0, 0.0, 4.0, 0.0, 4.0, 3.0]], 'area': 6.0}
    >>> coco_shape("keypoints", [[2.5, 3.0, 2.0], [0.0, 0.0, 0.0]])
    {'keypoints': [2.5, 3.0, 2, 0.0, 0.0, 0], 'num_keypoints': 1}
    """
    if kind == "keypoints":
        numbers = [part for x, y, visible in shape for part in (x, y, int(visible))]
        return {"keypoints": numbers, "num_keypoints": sum(visible > 0 for _, _, visible in shape)}
    rings = rings_of(shape)
    if kind == "mask":
        return {"segmentation": shape, "area": area_of(rings)}
    # What has less than three points is no polygon to those that read it.
    polygons = [ring.ravel().tolist() for ring in rings if len(ring) > 2]
    return {"segmentation": polygons, "area": area_of(rings)}


def yolo_shape(kind: str, shape: Any, width: float, height: float) -> list[float]:
    """The numbers of a shape in a line of YOLO, by the width and height of the image.

    Of an outline x and y of each point; of keypoints x, y and visible, where those without a place are 0.

    Examples
    --------
    >>> yolo_shape("keypoints", [[5.0, 3.0, 2.0], [0.0, 0.0, 0.0], [-4.0, 30.0, 1.0]], 10, 10)
    [0.5, 0.3, 2, 0.0, 0.0, 0, 0.0, 1.0, 1]
    """
    if kind != "keypoints":
        numbers: list[float] = (single_ring(shape) / (width, height)).clip(0, 1).ravel().tolist()
        return numbers
    places = np.clip(np.array(shape, float)[:, :2] / (width, height), 0, 1).tolist()
    return [part for (x, y), point in zip(places, shape, strict=True) for part in (x, y, int(point[2]))]


def single_ring(shape: Any) -> NDArray[np.float64]:
    """All rings of a shape as one, joined by lines of no width from the first point of each to that of the first.

    Examples
    --------
    >>> single_ring([[[0, 0], [9, 0], [9, 9]], [[2, 1], [3, 1], [3, 2]]]).astype(int).tolist()
    [[0, 0], [9, 0], [9, 9], [0, 0], [2, 1], [3, 1], [3, 2], [2, 1], [0, 0]]
    """
    first, *others = rings_of(shape) or [np.zeros((0, 2))]
    parts = [first]
    for ring in others:
        parts += [first[:1], ring, ring[:1]]
    return np.concatenate([*parts, first[:1]] if others else parts)
