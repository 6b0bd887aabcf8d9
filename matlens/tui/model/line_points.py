"""Lines as the points that they go through."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def line_points(x: Floats, y: Floats, width: int, height: int) -> tuple[Floats, Floats]:
    """Points on the lines from each point to the next that lie inside of a room, no further than one from each other.

    There is no line to NaN or from it.

    Examples
    --------
    >>> [part.tolist() for part in line_points(np.array([0.0, 2, -1e300]), np.array([1.0, 3, 3]), 5, 5)]
    [[0.0, 1.0, 2.0, 2.0, 1.0, 0.0], [1.0, 2.0, 3.0, 3.0, 3.0, 3.0]]
    """
    # Beyond this, lines have no direction any more that doubles could tell.
    x, y = np.clip(x, -1e9, 1e9), np.clip(y, -1e9, 1e9)
    start, step = np.stack([x[:-1], y[:-1]]), np.stack([np.diff(x), np.diff(y)])
    known = np.isfinite(start).all(axis=0) & np.isfinite(step).all(axis=0)
    start, step = start[:, known], step[:, known]
    # The share of each line that is inside: from t0 to t1.
    t0, t1 = np.zeros(start.shape[1]), np.ones(start.shape[1])
    for from_, by, size in zip(start, step, (width, height), strict=True):
        with np.errstate(all="ignore"):
            ends = np.sort(np.stack([(0 - from_) / by, (size - 1 - from_) / by]), axis=0)
        is_flat, is_inside = by == 0, (from_ >= -0.5) & (from_ <= size - 0.5)
        t0 = np.where(is_flat, np.where(is_inside, t0, 2.0), np.maximum(t0, ends[0]))
        t1 = np.where(is_flat, t1, np.minimum(t1, ends[1]))
    inside = t0 <= t1
    start, step, t0, t1 = start[:, inside], step[:, inside], t0[inside], t1[inside]
    counts = np.ceil(np.abs(step).max(axis=0, initial=0) * (t1 - t0) - 1e-6).clip(0).astype(np.int64) + 1
    which = np.repeat(np.arange(len(counts)), counts)
    k = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    t = t0[which] + (t1 - t0)[which] * k / np.maximum(counts - 1, 1)[which]
    return start[0, which] + t * step[0, which], start[1, which] + t * step[1, which]
