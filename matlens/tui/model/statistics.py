"""Statistics of numeric arrays, piece by piece, so that an array of any size takes bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from matlens.tree.access import pieces_of
from matlens.tree.nodes import NumericNode
from matlens.tui.model.plots import BARS

BINS = 40
UNIQUE_LIMIT = 1_000_000


@dataclass(slots=True)
class Statistics:
    """Of the real parts of all numbers; extremes, mean, standard deviation (over n) and histogram of the finite ones.

    `unique` counts different numbers, None for arrays of over a million; the histogram has bins of equal width from
    the minimum to the maximum.
    """

    count: int
    nan: int
    infinite: int
    minimum: float
    maximum: float
    mean: float
    std: float
    unique: int | None
    histogram: NDArray[np.int64]


def statistics(node: NumericNode, lock: Lock, keep_on: Callable[[], bool] = lambda: True) -> Statistics | None:
    """Statistics of an array in two passes; None if `keep_on` says no before the end.

    Examples
    --------
    >>> import matlens
    >>> node = matlens.open("fixtures/kinds_v7.mat").at("numbers.f64")
    >>> found = statistics(node, Lock())
    >>> found.count, found.nan, found.infinite, found.minimum, found.maximum
    (6, 1, 2, -2.0, 3.141592653589793)
    """
    count = nan = infinite = finite = 0
    low, high, mean, squares = math.inf, -math.inf, 0.0, 0.0
    for values in _pieces(node, lock):
        if not keep_on():
            return None
        count += len(values)
        nan += int(np.isnan(values).sum())
        infinite += int(np.isinf(values).sum())
        part = values[np.isfinite(values)]
        if len(part):
            low, high = min(low, float(part.min())), max(high, float(part.max()))
            # Chan, Golub and LeVeque (1979): means and squares of parts joined without cancellation.
            part_mean, shift = float(part.mean()), float(part.mean()) - mean
            squares += float(((part - part_mean) ** 2).sum()) + shift**2 * finite * len(part) / (finite + len(part))
            mean += shift * len(part) / (finite + len(part))
            finite += len(part)
    histogram = np.zeros(BINS, np.int64)
    for values in _pieces(node, lock) if finite else ():
        if not keep_on():
            return None
        part = values[np.isfinite(values)]
        histogram += np.histogram(part, BINS, (low, high if high > low else low + 1))[0]
    unique = None
    if count <= UNIQUE_LIMIT:
        unique = len(np.unique(np.concatenate([*_pieces(node, lock), np.zeros(0)])))
    if not finite:
        low = high = mean = squares = math.nan
    std = math.sqrt(squares / max(finite, 1))
    return Statistics(count, nan, infinite, low, high, mean, std, unique, histogram)


def _pieces(node: NumericNode, lock: Lock) -> Iterator[NDArray[np.float64]]:
    """Real parts as float64 vectors; the lock is held for one piece at a time."""
    pieces = pieces_of(node)
    while True:
        with lock:
            piece = next(pieces, None)
        if piece is None:
            return
        yield np.asarray(piece).real.ravel(order="K").astype(np.float64)


def sparkline(counts: NDArray[np.int64]) -> str:
    """Counts as bars of eight heights; a count above zero always shows.

    Examples
    --------
    >>> sparkline(np.array([0, 1, 50, 100]))
    ' ▁▄█'
    """
    top = max(int(counts.max(initial=0)), 1)
    return "".join(BARS[0 if not n else max(1, round(n / top * 8))] for n in counts.tolist())
