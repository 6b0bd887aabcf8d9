"""The part of an image that is shown, and pixels of the screen that are averages of those of the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LARGEST_PIXEL = 32
"""Pixels of the screen to a side of one of the image, at most."""


@dataclass(slots=True)
class Viewport:
    """Shows an image of `rows` by `columns` in a room of `width` by `height` pixels: all of it, or a part magnified."""

    rows: int
    columns: int
    width: int = 1
    height: int = 1
    zoom: int = 1
    top: int = 0
    left: int = 0

    def scale(self) -> float:
        """Pixels of the screen for one of the image; a whole number from 1 on, so that pixels are equally large."""
        fitted = min(self.width / self.columns, self.height / self.rows)
        scale = (float(int(fitted)) if fitted > 1 else fitted) * self.zoom
        return float(int(scale)) if scale > 1 else scale

    def extent(self) -> tuple[int, int]:
        """Rows and columns of the image that are shown."""
        scale = self.scale()
        rows, columns = (
            max(1, min(total, int(room / scale + 1e-9)))
            for total, room in ((self.rows, self.height), (self.columns, self.width))
        )
        return rows, columns

    def drawn(self) -> tuple[int, int]:
        """Height and width in pixels of the screen of what is shown."""
        scale = self.scale()
        height, width = (
            max(1, min(room, round(part * scale)))
            for part, room in zip(self.extent(), (self.height, self.width), strict=True)
        )
        return height, width

    def fit(self, width: int, height: int) -> None:
        """Take another room."""
        self.width, self.height = max(width, 1), max(height, 1)
        self.move(0, 0)

    def move(self, down: int, right: int) -> None:
        """Move the part, within the image."""
        rows, columns = self.extent()
        self.top = min(max(self.top + down, 0), self.rows - rows)
        self.left = min(max(self.left + right, 0), self.columns - columns)

    def pan(self, down: int, right: int) -> None:
        """Move the part by eighths of itself."""
        rows, columns = self.extent()
        self.move(down * max(rows // 8, 1), right * max(columns // 8, 1))

    def magnify(self, is_larger: bool, place: tuple[int, int] | None = None) -> None:
        """Show half as much or twice as much, around a place of the image; by default around the middle."""
        rows, columns = self.extent()
        row, column = place or (self.top + rows // 2, self.left + columns // 2)
        if is_larger:
            self.zoom *= 2 if self.scale() * 2 <= LARGEST_PIXEL else 1
        else:
            self.zoom = max(self.zoom // 2, 1)
        rows, columns = self.extent()
        self.top, self.left = row - rows // 2, column - columns // 2
        self.move(0, 0)

    def follow(self, row: int, column: int) -> None:
        """Move the part so far that a place of the image is in it."""
        rows, columns = self.extent()
        self.top = min(max(self.top, row - rows + 1), row)
        self.left = min(max(self.left, column - columns + 1), column)
        self.move(0, 0)

    def place_at(self, y: int, x: int) -> tuple[int, int] | None:
        """Row and column of the image that a pixel of the screen shows the first of."""
        (rows, columns), (height, width) = self.extent(), self.drawn()
        if not (0 <= y < height and 0 <= x < width):
            return None
        return self.top + y * rows // height, self.left + x * columns // width

    def pixels_of(self, row: int, column: int) -> tuple[int, int, int, int] | None:
        """First and last+1 row, first and last+1 column of the pixels of the screen that show a place."""
        (rows, columns), (height, width) = self.extent(), self.drawn()
        row, column = row - self.top, column - self.left
        if not (0 <= row < rows and 0 <= column < columns):
            return None
        y, x = row * height // rows, column * width // columns
        return y, max((row + 1) * height // rows, y + 1), x, max((column + 1) * width // columns, x + 1)

    def corners(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corners in pixels of the image, as pixels of the part that is shown."""
        return np.asarray(boxes - np.array([self.left, self.top] * 2))

    def average(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """What is shown, each pixel the average of those of the image that it covers."""
        (rows, columns), (height, width) = self.extent(), self.drawn()
        return area_average(
            values[self.top : self.top + rows, self.left : self.left + columns], min(height, 1 << 14), width
        )


def area_average(values: NDArray[np.generic], height: int, width: int) -> NDArray[np.float64]:
    """An image of `height` by `width`, each pixel the average of those that it covers; NaN alone makes NaN.

    Examples
    --------
    >>> area_average(np.array([[1, 3, 5, 7], [1, 3, 5, np.nan]]), 1, 2).tolist()
    [[2.0, 5.666666666666667]]
    >>> area_average(np.array([[1, 2]]), 2, 4).tolist()
    [[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]
    """
    rows, columns = values.shape[:2]
    ups, downs = _edges(rows, height)
    lefts, _ = _edges(columns, width)
    result = np.empty((height, width, *values.shape[2:]))
    # Where no pixel lies in two runs, sums go from one start to the next one.
    is_shrunk = width <= columns
    for y, (up, down) in enumerate(zip(ups.tolist(), downs.tolist(), strict=True)):
        part = values[up:down]
        if not is_shrunk:
            part = part[:, lefts]
        has_gaps = False
        if values.dtype.kind not in "biu":
            part = part.astype(np.float64)
            missing = np.isnan(part)
            has_gaps = bool(missing.any())
            if has_gaps:
                part[missing] = 0
        with np.errstate(all="ignore"):
            sums = part.sum(axis=0, dtype=np.float64)
            counts = (~missing).sum(axis=0) if has_gaps else np.full(part.shape[1:], len(part))
            if is_shrunk:
                sums, counts = np.add.reduceat(sums, lefts), np.add.reduceat(counts, lefts)
            result[y] = sums / counts
    return result


def _edges(total: int, shown: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    edges = np.arange(shown + 1, dtype=np.int64) * total // shown
    return edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)
