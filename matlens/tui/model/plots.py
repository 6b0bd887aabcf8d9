"""Line plots and histograms in dots of Braille, eight in each character of the terminal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)
"""Bits of the dots of a Braille pattern, four rows of two (Unicode, Braille Patterns)."""
BARS = " ▁▂▃▄▅▆▇█"


def decimate(values: NDArray[np.float64], bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The smallest and the largest of each of `bins` runs of a series; NaN where a run has nothing else.

    Examples
    --------
    >>> low, high = decimate(np.array([3.0, 1, np.nan, np.nan, 5, 4]), 3)
    >>> low.tolist(), high.tolist()
    ([1.0, nan, 4.0], [3.0, nan, 5.0])
    """
    bins = min(bins, max(len(values), 1))
    if len(values) == 0:
        return np.full(1, np.nan), np.full(1, np.nan)
    starts = (np.arange(bins, dtype=np.int64) * len(values)) // bins
    return np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)


def plot_lines(values: NDArray[np.float64], width: int, height: int) -> tuple[list[str], float, float]:
    """Lines of text that show a series, and the values at the lower and the upper edge.

    Gaps are left where values are NaN; infinite values are left out as well.
    """
    values = np.where(np.isfinite(values), values, np.nan)
    if 1 < len(values) < 2 * width:
        # A line from each value to the next; none to NaN or from it.
        values = np.interp(np.linspace(0, len(values) - 1, 2 * width), np.arange(len(values)), values)
    low, high = decimate(values, 2 * width)
    if np.isnan(low).all():
        return ["\u2800" * width] * height, np.nan, np.nan
    bottom, top = float(np.nanmin(low)), float(np.nanmax(high))
    span = top - bottom or 1.0
    dots = np.zeros((4 * height, 2 * width), bool)
    known = ~np.isnan(low)
    columns = np.flatnonzero(known)
    lower = ((low[known] - bottom) / span * (4 * height - 1)).round().astype(int)
    upper = ((high[known] - bottom) / span * (4 * height - 1)).round().astype(int)
    for k, (column, first, last) in enumerate(zip(columns.tolist(), lower.tolist(), upper.tolist(), strict=True)):
        if k and columns[k] - columns[k - 1] == 1:
            # Reach out to the run before, so that the line is unbroken.
            first, last = min(first, int(upper[k - 1])), max(last, int(lower[k - 1]))
        dots[4 * height - 1 - last : 4 * height - first, column] = True
    return _braille(dots), bottom, top


def _braille(dots: NDArray[np.bool_]) -> list[str]:
    rows, columns = dots.shape[0] // 4, dots.shape[1] // 2
    cells = dots.reshape(rows, 4, columns, 2).transpose(0, 2, 1, 3)
    codes = (cells * _BITS).sum(axis=(2, 3), dtype=np.int64)
    return ["".join(chr(0x2800 + code) for code in row) for row in codes.tolist()]


def plot_text(values: NDArray[np.float64], width: int, height: int) -> Text:
    """A series as a line, with its extremes at the left and its length below."""
    lines, low, high = plot_lines(values, width, height)
    labels = {0: f"{high:.5g}", height - 1: f"{low:.5g}", height // 2: f"{(low + high) / 2:.5g}"}
    text = Text()
    for k, line in enumerate(lines):
        text.append(labels.get(k, "").rjust(11) + " │", "dim").append(line + "\n", "green")
    return text.append(" " * 12 + f"1{f'{len(values):,}'.rjust(width)}", "dim")


def histogram_text(values: NDArray[np.float64], width: int, height: int) -> Text:
    """The histogram of a series, with the largest count at the left and the ends of the values below."""
    counts, edges = np.histogram(values[np.isfinite(values)], max(width // 2, 1))
    text = Text()
    for k, line in enumerate(histogram_lines(counts, height)):
        label = f"{counts.max(initial=0):,}" if k == 0 else ""
        text.append(label.rjust(11) + " │", "dim").append(line + "\n", "green")
    ends = f"{edges[0]:.5g}", f"{edges[-1]:.5g}"
    return text.append(" " * 13 + ends[0] + ends[1].rjust(max(2 * len(counts) - len(ends[0]), 0)), "dim")


def histogram_lines(counts: NDArray[np.int64], height: int) -> list[str]:
    """Lines of text that show counts as bars, each two characters wide.

    Examples
    --------
    >>> histogram_lines(np.array([1, 4, 2]), 1)
    ['▂▂██▄▄']
    """
    top = max(int(counts.max(initial=0)), 1)
    eighths = np.ceil(counts / top * 8 * height).astype(int)
    return [
        "".join(2 * BARS[int(np.clip(n - 8 * level, 0, 8))] for n in eighths.tolist()) for level in range(height)[::-1]
    ]
