"""Whether images are masks: few whole values in regions, and not the shades of a photograph."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.annotations.choosing import Confidence
from matlens.annotations.stored_images import Picture

MASK_NAME = re.compile(
    r"mask|segm|(^|_|\.)segs?($|_)|silhouette|label_?(map|mat|matrix|img|im|image|s)$|inst(ance)?s?(_?map)?$|"
    r"type_?map|ground_?truth$|(^|_|\.)gt$|fore_?ground|(^|_|\.)fg$|matte|super_?pixel|boundar|trimap|"
    r"(^|\.)(L|BW|CC)\d*$|regions?$",
    re.IGNORECASE,
)
"""Names of masks."""
TRIED = 3
"""Images that tell."""
MOST_CHANGES = 0.35
"""Share of neighbouring pixels that differ in a mask at most; in photographs nearly all do."""
CALM = 0.1
"""Share of them in masks that nothing but their values tells of."""
MOST_VALUES, MOST_UNNAMED = 65_535, 256
"""Different values of label matrices, and of those that have no name of masks."""
LEAST_UNNAMED = 32
"""Rows and columns of images that have no name of masks."""
THIN = 0.05
"""Share of the pixels of edges that lie in squares of three: lines of one pixel have none."""


class MaskEvidence(NamedTuple):
    """How certain it is that images are masks, why, and how they are stored."""

    confidence: Confidence
    reasons: list[str]
    layout: str


def judge_masks(variable: str, pictures: Iterable[Picture], *, several: bool) -> MaskEvidence | None:
    """What speaks for masks; None of photographs and of other matrices, and where there are no pixels.

    `several` tells whether there are images of several records.
    """
    tried = list(islice(pictures, TRIED))
    if not tried or not all(_has_regions(picture.pixels) for picture in tried):
        return None
    named = bool(MASK_NAME.search(variable))
    is_logical = all(picture.pixels.dtype == bool for picture in tried)
    rows, columns = tried[0].pixels.shape
    layout = f"{rows}x{columns} {'logical images' if is_logical else 'label matrices'}"
    changes = max(_changes(picture.pixels) for picture in tried)
    if all(_is_thin(picture.pixels) for picture in tried):
        reasons = ["lines of one pixel: edges rather than regions"]
        return MaskEvidence("doubtful", reasons, layout) if named else None
    if named:
        return MaskEvidence("sure", ["named so, and neighbouring pixels are equal"], layout)
    is_calm = changes <= CALM and max(_count(picture.pixels) for picture in tried) in range(2, MOST_UNNAMED + 1)
    if not is_calm or min(rows, columns) < LEAST_UNNAMED or not (is_logical or several):
        return None
    reasons = ["neighbouring pixels are equal; the name tells nothing"]
    return MaskEvidence("likely" if is_logical and several else "doubtful", reasons, layout)


def _has_regions(pixels: NDArray[Any]) -> bool:
    """Whether values are whole, none below 0, not too many, and mostly as their neighbours."""
    if pixels.ndim != 2 or not pixels.size:
        return False
    if pixels.dtype != bool:
        with np.errstate(invalid="ignore"):
            if not np.isfinite(pixels).all() or (pixels < 0).any() or (pixels != np.floor(pixels)).any():
                return False
        if pixels.max() >= 2**31 or _count(pixels) > MOST_VALUES:
            return False
    return _changes(pixels) <= MOST_CHANGES


def _count(pixels: NDArray[Any]) -> int:
    return len(np.unique(pixels))


def _changes(pixels: NDArray[Any]) -> float:
    """Share of pixels that differ from the next one, down or to the right, whichever are fewer."""
    shares = [
        float(np.mean(a != b)) if a.size else 0.0
        for a, b in ((pixels[1:], pixels[:-1]), (pixels[:, 1:], pixels[:, :-1]))
    ]
    return min(shares)


def _is_thin(pixels: NDArray[Any]) -> bool:
    """Whether a single value draws lines of a pixel or two: hardly any lies in a full square of three."""
    inside = pixels != 0
    count = int(inside.sum())
    if not count or _count(pixels) > 2:
        return False
    squares = np.lib.stride_tricks.sliding_window_view(inside, (3, 3)).all(axis=(2, 3))
    return bool(squares.sum() < THIN * count)
