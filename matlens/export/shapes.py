"""Polygons and masks beside boxes, in the forms of data sets: those of COCO, and one ring for each as YOLO has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.helpers.outlines import area_of, outlines_of, signed_area
from matlens.helpers.run_lengths import mask_of

SHAPES = ("polygon", "mask")
"""Columns of tables of polygons and of masks."""
Rings = list[NDArray[np.float64]]


def shapes_in(table: pa.Table) -> list[Any]:
    """The polygons or masks of a table, one for each row; none of a table of boxes alone."""
    name = next((name for name in SHAPES if name in table.column_names), None)
    return [] if name is None else table[name].to_pylist()


def rings_of(shape: Any) -> Rings:
    """Rings of a polygon, or around the pixels of a mask."""
    if isinstance(shape, dict):
        return outlines_of(mask_of(tuple(shape["size"]), shape["counts"]))
    return [np.array(ring, np.float64).reshape(-1, 2) for ring in shape or ()]


def has_holes(shape: Any) -> bool:
    """Whether a ring of a polygon turns the other way round than the largest, as holes do."""
    areas = [] if isinstance(shape, dict) else [signed_area(ring) for ring in rings_of(shape)]
    return bool(areas) and min(areas) < 0 < max(areas)


def coco_shape(shape: Any) -> dict[str, Any]:
    """``segmentation`` and ``area`` of a polygon or mask, after the data format of COCO.

    Examples
    --------
    >>> coco_shape([[[0.0, 0.0], [4.0, 0.0], [4.0, 3.0]]])
    {'segmentation': [[0.0, 0.0, 4.0, 0.0, 4.0, 3.0]], 'area': 6.0}
    """
    rings = rings_of(shape)
    if isinstance(shape, dict):
        return {"segmentation": shape, "area": area_of(rings)}
    # What has less than three points is no polygon to those that read it.
    polygons = [ring.ravel().tolist() for ring in rings if len(ring) > 2]
    return {"segmentation": polygons, "area": area_of(rings)}


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
