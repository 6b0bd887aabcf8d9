"""Matrices and images as coloured half-blocks: two pixels in each character of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.annotations import CONVENTIONS, convert
from matlens.tui.model.colour_maps import Colour, Colours
from matlens.tui.model.ticks import number_label

REGION_COLOURS = ((255, 255, 255),)
BOX_COLOURS = ((255, 80, 80), (80, 220, 255), (255, 200, 60), (160, 255, 120))


def is_rgb(dims: tuple[int, ...]) -> bool:
    """Whether an array of these dims is taken for a colour image."""
    return len(dims) == 3 and dims[2] in (3, 4) and min(dims[:2]) > 4


def rgb_colours(values: NDArray[np.generic]) -> Colours:
    """Red, green and blue of an image of bytes, of 16-bit numbers, or of floats from 0 to 1, as MATLAB takes them."""
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values[..., :3], np.uint8)
    if values.dtype == np.uint16:
        return np.asarray(values[..., :3].astype(np.uint16) // 256, np.uint8)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nan_to_num(np.clip(values[..., :3].astype(np.float64), 0, 1)) * 255, np.uint8)


def value_text(value: Any) -> str:
    """The number of a pixel, or those of a colour.

    Examples
    --------
    >>> value_text(np.float64(0.5)), value_text(np.array([255, 0, 7], np.uint8)), value_text(np.True_)
    ('0.5', '255 0 7', '1')
    """
    numbers = np.atleast_1d(np.asarray(value))
    is_exact = numbers.dtype.kind in "biu"
    return " ".join(str(int(number)) if is_exact else number_label(float(number)) for number in numbers)


class BoxCheck(NamedTuple):
    """What a convention makes of some boxes: canonical corners, and how many do not make sense."""

    convention: str
    corners: NDArray[np.float64]
    outside: int
    empty: int


def check_boxes(boxes: NDArray[np.float64], rows: int, columns: int) -> list[BoxCheck]:
    """Every convention with the boxes that it puts outside of the image, or gives no area.

    Examples
    --------
    >>> found = {check.convention: check for check in check_boxes(np.array([[7.0, 5, 15, 10]]), 12, 16)}
    >>> found["xyxy1"].corners.tolist(), found["xyxy1"].outside, found["xywh"].outside
    ([[6.0, 4.0, 15.0, 10.0]], 0, 1)
    """
    checks = []
    for name in CONVENTIONS:
        corners = convert(boxes, name, "xyxy", (columns, rows))
        low, high = corners[:, :2], corners[:, 2:]
        outside = ((low < 0) | (high > (columns, rows))).any(axis=1)
        empty = (high <= low).any(axis=1)
        checks.append(BoxCheck(name, corners, int(outside.sum()), int(empty.sum())))
    return checks


def brightness(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """A matrix as it is; of a colour image what MATLAB's `rgb2gray` makes of it, by the weights of Rec. ITU-R BT.601.

    Examples
    --------
    >>> brightness(np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])).tolist()
    [[0.299, 0.587]]
    """
    if values.ndim == 2:
        return values
    return np.asarray(values[..., :3].astype(np.float64) @ np.array([0.299, 0.587, 0.114]))


def draw_boxes(
    colours: Colours, corners: NDArray[np.float64], rows: int, columns: int, palette: Sequence[Colour] = BOX_COLOURS
) -> Colours:
    """The picture of an image of `rows` by `columns` with the outlines of boxes, given in pixels of the image."""
    drawn = colours.copy()
    height, width = drawn.shape[:2]
    scale = np.array([width / columns, height / rows] * 2)
    for k, box in enumerate(corners):
        if not np.isfinite(box).all():
            continue
        x1, y1, x2, y2 = (
            np.clip(np.floor(box * scale - (0, 0, 1e-9, 1e-9)), -1, (width, height) * 2).astype(int).tolist()
        )
        colour = palette[k % len(palette)]
        left, right, top, bottom = max(x1, 0), min(x2, width - 1), max(y1, 0), min(y2, height - 1)
        for y in (y1, y2):
            if 0 <= y < height and left <= right:
                drawn[y, left : right + 1] = colour
        for x in (x1, x2):
            if 0 <= x < width and top <= bottom:
                drawn[top : bottom + 1, x] = colour
    return drawn
