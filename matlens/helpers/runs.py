"""Runs of equal pixels: the form in which `regions` labels and measures an array.

A run is an unbroken stretch of one region along the last axis. An array has far fewer runs
than pixels, and area, box, centroid and moments of a region follow from its runs alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]

# One run for so many pixels is noise.
_NOISY = 16

# Pixels that are looked at together: a few copies of them stay in the cache.
_BLOCK_PIXELS = 1 << 20


class Intensity(NamedTuple):
    """Sum, smallest and largest value of an image in each run."""

    total: NDArray[np.float64]
    smallest: NDArray[Any]
    largest: NDArray[Any]


@dataclass(frozen=True)
class Runs:
    """Runs of an array of this shape in raster order, from column `start` to before `stop`.

    The `line` of a run is its index along the other axes than the last, flattened in C order;
    `value` is what its pixels share, `intensity` what a second image holds there.
    """

    shape: tuple[int, ...]
    line: Int64s
    start: Int64s
    stop: Int64s
    value: NDArray[Any]
    intensity: Intensity | None = None

    def __len__(self) -> int:
        return len(self.line)

    def take(self, order: Int64s) -> Runs:
        """Some of the runs, in the given order."""
        intensity = None if self.intensity is None else Intensity(*(values[order] for values in self.intensity))
        return Runs(self.shape, self.line[order], self.start[order], self.stop[order], self.value[order], intensity)

    def coordinates(self) -> list[Int64s]:
        """Index of each run along every axis but the last."""
        if len(self.shape) == 1:
            return []
        return [axis.astype(np.int64) for axis in np.unravel_index(self.line, self.shape[:-1])]


def find_runs(
    array: NDArray[Any],
    *,
    key: Callable[[NDArray[Any]], NDArray[Any]],
    background: Any,
    intensity: NDArray[Any] | None = None,
) -> Runs:
    """Every run of equal values but those of the background, with what the image `intensity` holds in it.

    `key` makes of a piece of the array the mask or the labels whose runs are sought.
    """
    columns = array.shape[-1]
    lines = array.reshape(-1, columns) if array.size else array.reshape(0, max(columns, 1))
    other = None if intensity is None else intensity.reshape(lines.shape)
    step = max(1, _BLOCK_PIXELS // max(lines.shape[1], 1))
    found = []
    # At least one block, if without lines: dtypes come from it.
    for first in range(0, max(len(lines), 1), step):
        block = slice(first, first + step)
        found.append(_runs_of_block(first, key(lines[block]), background, None if other is None else other[block]))
    line, start, stop, value = (np.concatenate([block[i] for block in found]) for i in range(4))
    measured = None
    if other is not None:
        parts = [block[4] for block in found]
        measured = Intensity(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return Runs(array.shape, line, start, stop, value, measured)


def _runs_of_block(first: int, keys: NDArray[Any], background: Any, other: NDArray[Any] | None) -> tuple[Any, ...]:
    count, columns = keys.shape
    # A column of background ends the runs of each line, so that the lines can be read as one.
    padded = np.full((count, columns + 1), background, keys.dtype)
    padded[:, :-1] = keys
    flat = padded.reshape(-1)
    bounds = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if flat.size and flat[0] != background:
        bounds = np.concatenate([[0], bounds])
    value = flat[bounds]
    inside = np.flatnonzero(value != background)
    begin = bounds[inside]
    # Behind a run there always is another bound, for every line ends with background.
    end = bounds[inside + 1]
    line = begin // (columns + 1)
    start = begin - line * (columns + 1)
    stop = start + (end - begin)
    measured = None if other is None else _measure(other, keys != background, stop - start)
    return line + first, start, stop, value[inside], measured


def _measure(image: NDArray[Any], mask: NDArray[np.bool_], lengths: Int64s) -> tuple[NDArray[Any], ...]:
    pixels = image[mask]
    if not len(lengths):
        return np.zeros(0), pixels, pixels
    offsets = np.cumsum(lengths) - lengths
    return (
        np.add.reduceat(pixels.astype(np.float64, copy=False), offsets),
        np.minimum.reduceat(pixels, offsets),
        np.maximum.reduceat(pixels, offsets),
    )


def connect(runs: Runs, connectivity: int) -> tuple[int, NDArray[np.int32]]:
    """Number the regions of touching runs, in raster order of their first pixels.

    Gives how many there are, and of each run the region, from 0. The coordinates of touching pixels differ
    by one in at most `connectivity` of the axes.
    """
    if len(runs) * _NOISY > math.prod(runs.shape):
        return _connect_pixels(runs, connectivity)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = [_touching(runs, *offset) for offset in _neighbours(runs.shape, connectivity)]
    a = np.concatenate([np.zeros(0, np.int64), *(pair[0] for pair in pairs)])
    b = np.concatenate([np.zeros(0, np.int64), *(pair[1] for pair in pairs)])
    if not len(a):
        return len(runs), np.arange(len(runs), dtype=np.int32)
    graph = coo_array((np.ones(len(a), np.bool_), (a, b)), shape=(len(runs), len(runs)))
    count, region = connected_components(graph, directed=False)
    return int(count), region


def _connect_pixels(runs: Runs, connectivity: int) -> tuple[int, NDArray[np.int32]]:
    """The same by way of pixels: four times as fast on noise, where a run is hardly more than one."""
    from scipy import ndimage

    structure = ndimage.generate_binary_structure(len(runs.shape), connectivity)
    labels, count = ndimage.label(draw(runs), structure)
    return int(count), labels.reshape(-1, runs.shape[-1])[runs.line, runs.start] - np.int32(1)


def draw(runs: Runs) -> NDArray[np.bool_]:
    """The mask that runs in raster order make up."""
    first = runs.line * runs.shape[-1]
    bounds = np.stack([first + runs.start, first + runs.stop], axis=1).reshape(-1)
    lengths = np.diff(bounds, prepend=0, append=math.prod(runs.shape))
    # Outside and inside by turns, beginning outside.
    mask: NDArray[np.bool_] = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(runs.shape)
    return mask


def _neighbours(shape: tuple[int, ...], connectivity: int) -> Iterator[tuple[tuple[int, ...], bool]]:
    """Steps to the neighbouring lines behind, each with whether a run may touch them by a corner."""
    for step in product((-1, 0, 1), repeat=len(shape) - 1):
        distance = sum(map(abs, step))
        if step > (0,) * len(step) and distance <= connectivity:
            yield step, distance < connectivity


def _touching(runs: Runs, step: tuple[int, ...], by_corner: bool) -> tuple[Int64s, Int64s]:
    """Pairs of runs that touch across a step from line to line."""
    # One more along every axis keeps steps beyond an edge from arriving on its other side.
    strides = np.ones(len(runs.shape), np.int64)
    for axis in range(len(runs.shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * (runs.shape[axis + 1] + 1)
    base = runs.start * 0
    for coordinate, stride in zip(runs.coordinates(), strides[:-1], strict=True):
        base += coordinate * stride
    start, stop = base + runs.start, base + runs.stop
    shift = int(np.dot(step, strides[:-1]))
    first = np.searchsorted(stop, start + (shift - by_corner), side="right")
    behind = np.searchsorted(start, stop + (shift + by_corner), side="left")
    counts = np.maximum(behind - first, 0)
    a = np.repeat(np.arange(len(runs)), counts)
    offsets = np.cumsum(counts) - counts
    b = np.arange(len(a)) - np.repeat(offsets - first, counts)
    return a, b
