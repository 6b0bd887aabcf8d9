"""Matrices and images as coloured half-blocks: two pixels in each character of the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.annotations import CONVENTIONS, convert

Colours = NDArray[np.uint8]
"""Shape (height, width, 3)."""
Colour = tuple[int, int, int]

_VIRIDIS = np.frombuffer(
    bytes.fromhex("440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725"), np.uint8
).reshape(-1, 3)
"""Ten colours of the map viridis (S. van der Walt and N. Smith, 2015, CC0), from low to high."""
NAN_COLOUR = (90, 90, 90)
REGION_COLOURS = ((255, 255, 255),)
BOX_COLOURS = ((255, 80, 80), (80, 220, 255), (255, 200, 60), (160, 255, 120))


def sample(rows: int, columns: int, width: int, height: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of an array to show in a picture of at most `width` by `height` pixels, its shape kept.

    Examples
    --------
    >>> [part.tolist() for part in sample(4, 8, 4, 4)]
    [[1, 3], [1, 3, 5, 7]]
    """
    scale = max(rows / max(height, 1), columns / max(width, 1), 1e-9)
    shown = [max(1, min(n, round(n / max(scale, 1)))) for n in (rows, columns)]
    if scale < 1:
        grow = max(1, int(1 / scale))
        shown = [rows * grow, columns * grow]
    places = [
        ((np.arange(n) + 0.5) * total / n).astype(np.int64) for n, total in zip(shown, (rows, columns), strict=True)
    ]
    return places[0], places[1]


def heat_colours(values: NDArray[np.float64], clip: float = 1.0) -> Colours:
    """Colours of the map viridis, from the `clip` percentile to 100 minus that; NaN is grey.

    Examples
    --------
    >>> heat_colours(np.array([[0.0, 1.0], [np.nan, 1.0]]), 0)[:, :, 0].tolist()
    [[68, 253], [90, 253]]
    """
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [clip, 100 - clip]) if len(finite) else (0.0, 1.0)
    with np.errstate(invalid="ignore"):
        place = np.clip((values - low) / (high - low if high > low else 1.0), 0, 1) * (len(_VIRIDIS) - 1)
    known = np.isfinite(place)
    place = np.where(known, place, 0.0)
    channels = [np.interp(place, np.arange(len(_VIRIDIS)), _VIRIDIS[:, k]) for k in range(3)]
    colours = np.round(np.stack(channels, axis=-1)).astype(np.uint8)
    colours[~known] = NAN_COLOUR
    return colours


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
