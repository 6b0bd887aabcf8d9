"""Statistics of numeric arrays, piece by piece, so that an array of any size takes bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

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

    Extremes of integers are integers. `unique` counts different numbers, None for arrays of over a million; the
    histogram has bins of equal width from the minimum to the maximum.
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


@dataclass(slots=True)
class _Moments:
    """Number, mean and sum of squares about it of numbers by `scale`, a power of two, so that nothing overflows."""

    scale: float
    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, values: NDArray[np.float64]) -> None:
        """Join those of a piece without cancellation, after Chan, Golub and LeVeque (1979)."""
        part = values / self.scale
        total, shift = self.count + len(part), float(part.mean()) - self.mean
        self.squares += float(((part - part.mean()) ** 2).sum()) + shift**2 * self.count * len(part) / total
        self.mean += shift * len(part) / total
        self.count = total


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
    count = nan = infinite = 0
    low, high = math.inf, -math.inf
    for values in _pieces(node, lock):
        if not keep_on():
            return None
        count += len(values)
        nan += int(np.isnan(values).sum())
        infinite += int(np.isinf(values).sum())
        part = values[np.isfinite(values)]
        if len(part):
            low, high = min(low, +part.min().item()), max(high, +part.max().item())
    histogram, moments = np.zeros(BINS, np.int64), _Moments(_power_above(max(abs(low), abs(high))))
    for values in _pieces(node, lock) if high >= low else ():
        if not keep_on():
            return None
        part = values[np.isfinite(values)].astype(np.float64)
        if len(part):
            scaled = float(low) / moments.scale, float(high) / moments.scale
            edges = scaled if scaled[1] > scaled[0] else (scaled[0], scaled[0] + 1)
            histogram += np.histogram(part / moments.scale, BINS, edges)[0]
            moments.add(part)
    unique = None
    if count <= UNIQUE_LIMIT:
        unique = len(np.unique(np.concatenate([*_pieces(node, lock), np.zeros(0, node.dtype)])))
    if not moments.count:
        return Statistics(count, nan, infinite, math.nan, math.nan, math.nan, math.nan, unique, histogram)
    std = math.sqrt(moments.squares / moments.count) * moments.scale
    return Statistics(count, nan, infinite, low, high, moments.mean * moments.scale, std, unique, histogram)


def _power_above(size: float) -> float:
    """The power of two next above a size, which divides numbers of it without rounding; 1 for none.

    Examples
    --------
    >>> _power_above(5.0), _power_above(0.0), _power_above(math.inf)
    (8.0, 1.0, 1.0)
    """
    exponent = math.frexp(size)[1] if math.isfinite(size) else 0
    return math.ldexp(1.0, min(exponent, 1023)) if size else 1.0


def _pieces(node: NumericNode, lock: Lock) -> Iterator[NDArray[Any]]:
    """Real parts as vectors of their own type; the lock is held for one piece at a time."""
    pieces = pieces_of(node)
    while True:
        with lock:
            piece = next(pieces, None)
        if piece is None:
            return
        yield np.asarray(piece).real.ravel(order="K")


def sparkline(counts: NDArray[np.int64]) -> str:
    """Counts as bars of eight heights; a count above zero always shows.

    Examples
    --------
    >>> sparkline(np.array([0, 1, 50, 100]))
    ' ▁▄█'
    """
    top = max(int(counts.max(initial=0)), 1)
    return "".join(BARS[0 if not n else max(1, round(n / top * 8))] for n in counts.tolist())
