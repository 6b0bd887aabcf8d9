"""Regions of an image above or below a threshold, as the picture shows them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matlens.helpers import find_regions

_DRAWN = 500
"""Boxes that are drawn, of the largest regions: more would hide the picture."""


@dataclass(frozen=True)
class Found:
    """How many regions there are, and the boxes of the largest: canonical corners, x before y."""

    threshold: float
    is_below: bool
    count: int
    pixels: int
    largest: int
    corners: NDArray[np.float64]

    def text(self) -> str:
        """One line of it all."""
        side = "below" if self.is_below else "above"
        drawn = f", boxes of the {len(self.corners):,} largest" if len(self.corners) < self.count else ""
        plural = "" if self.count == 1 else "s"
        return (
            f"{side} {self.threshold:.6g}: {self.count:,} region{plural}, {self.pixels:,} pixels, "
            f"the largest {self.largest:,}{drawn}   ← → move, = number, d above/below"
        )


def find(image: NDArray[np.generic], threshold: float, *, is_below: bool = False) -> Found:
    """Label the regions of an image and take the boxes of the largest.

    Examples
    --------
    >>> found = find(np.array([[0, 9, 9], [0, 0, 9]]), 5)
    >>> found.count, found.largest, found.corners.tolist()
    (1, 3, [[1.0, 0.0, 3.0, 2.0]])
    """
    regions = find_regions(image, threshold, comparison="<" if is_below else ">")
    area = regions.area
    largest = np.argsort(-area, kind="stable")[:_DRAWN]
    min_row, min_col, max_row, max_col = regions.bbox[largest].T
    corners = np.stack([min_col, min_row, max_col, max_row], axis=1).astype(np.float64)
    return Found(threshold, is_below, len(regions), int(area.sum()), int(area.max(initial=0)), corners)
