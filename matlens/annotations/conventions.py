"""Box conventions and the conversions between them.

Canonical are 0-based, half-open corners at pixel edges, ``(xmin, ymin, xmax, ymax)``, as
torchvision's ``xyxy`` and the bounds of `skimage.measure.regionprops`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matlens.errors import ShapeMismatch, UnsupportedValue

CONVENTIONS = {
    "xyxy": "0-based half-open corners (xmin, ymin, xmax, ymax)",
    "xyxy1": "1-based inclusive corners, as MATLAB indexes pixels",
    "xywh": "0-based corner and size (COCO)",
    "xywh1": "1-based corner and size",
    "matlab": "regionprops BoundingBox: corner at the half-pixel, and size",
    "xxyy": "0-based [x1 x2 y1 y2]",
    "yyxx": "0-based [y1 y2 x1 x2]",
    "cxcywh": "0-based centre and size",
    "yolo": "centre and size, divided by the image size",
    "rowcol": "(min_row, min_col, max_row, max_col), half-open (scikit-image)",
}
"""Names of the conventions and what they mean."""

_CORNER_SHIFT = {"xywh": 0.0, "xywh1": 1.0, "matlab": 0.5}
"""What the corner of a corner-and-size convention lies beyond the canonical one."""


def convert(array: ArrayLike, /, source: str, target: str, image_size: ArrayLike | None = None) -> NDArray[np.float64]:
    """Convert boxes from one convention to another.

    Parameters
    ----------
    array : array_like, shape (..., 4)
        Boxes in convention `source`.
    source, target : str
        Names from `CONVENTIONS`.
    image_size : array_like, shape (2,) or (..., 2), optional
        Width and height in pixels, needed for ``yolo`` only.

    Returns
    -------
    ndarray of float64, shape (..., 4)

    Raises
    ------
    ShapeMismatch
        If the last dimension is not 4.
    UnsupportedValue
        For an unknown convention, ``yolo`` without `image_size`, or numbers that are not real.

    Notes
    -----
    MATLAB's ``BoundingBox`` is ``[x y w h]`` with the corner at the upper left edge of the
    pixel, whose centre has integer coordinates: a box that begins with pixel 1 has x = 0.5
    (documentation of ``regionprops``).

    Examples
    --------
    The region of rows 5 to 10 and columns 7 to 15, counted from 1:

    >>> convert([7, 5, 15, 10], "xyxy1", "xyxy").tolist()
    [6.0, 4.0, 15.0, 10.0]
    >>> convert([6.5, 4.5, 9, 6], "matlab", "xywh").tolist()
    [6.0, 4.0, 9.0, 6.0]
    >>> convert([7, 5, 9, 6], "xywh1", "rowcol").tolist()
    [4.0, 6.0, 10.0, 15.0]
    """
    given = np.asarray(array)
    if given.dtype.kind not in "biuf":
        raise UnsupportedValue(f"boxes are real numbers, found {given.dtype}")
    boxes = given.astype(np.float64)
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise ShapeMismatch(f"boxes have 4 numbers in the last dimension, shape {boxes.shape} given")
    for name in (source, target):
        if name not in CONVENTIONS:
            raise UnsupportedValue(f"no box convention {name!r}; there are {', '.join(CONVENTIONS)}")
    scale = _scale(image_size) if "yolo" in (source, target) else np.ones(4)
    return _from_canonical(_to_canonical(boxes, source, scale), target, scale)


def _scale(image_size: ArrayLike | None) -> NDArray[np.float64]:
    if image_size is None:
        raise UnsupportedValue("convention 'yolo' is relative to the image: image_size=(width, height) is needed")
    size = np.asarray(image_size, np.float64)
    return np.concatenate([size, size], axis=-1)


def _to_canonical(boxes: NDArray[np.float64], source: str, scale: NDArray[np.float64]) -> NDArray[np.float64]:
    if source in ("cxcywh", "yolo"):
        scaled = boxes if source == "cxcywh" else boxes * scale
        centre, size = scaled[..., :2], scaled[..., 2:]
        return np.concatenate([centre - size / 2, centre + size / 2], axis=-1)
    if source in _CORNER_SHIFT:
        corner = boxes[..., :2] - _CORNER_SHIFT[source]
        return np.asarray(np.concatenate([corner, corner + boxes[..., 2:]], axis=-1))
    if source == "xyxy1":
        return np.asarray(boxes - _INCLUSIVE)
    return np.asarray(boxes[..., _TO_CANONICAL.get(source, [0, 1, 2, 3])])


def _from_canonical(boxes: NDArray[np.float64], target: str, scale: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = boxes[..., :2], boxes[..., 2:]
    if target in ("cxcywh", "yolo"):
        centred = np.concatenate([(low + high) / 2, high - low], axis=-1)
        return centred if target == "cxcywh" else np.asarray(centred / scale)
    if target in _CORNER_SHIFT:
        return np.concatenate([low + _CORNER_SHIFT[target], high - low], axis=-1)
    if target == "xyxy1":
        return np.asarray(boxes + _INCLUSIVE)
    return np.asarray(boxes[..., _FROM_CANONICAL.get(target, [0, 1, 2, 3])])


_INCLUSIVE = np.array([1.0, 1.0, 0.0, 0.0])
"""What 1-based inclusive corners lie beyond canonical ones: the end is the same number."""
_TO_CANONICAL = {"xxyy": [0, 2, 1, 3], "yyxx": [2, 0, 3, 1], "rowcol": [1, 0, 3, 2]}
_FROM_CANONICAL = _TO_CANONICAL | {"yyxx": [1, 3, 0, 2]}
