"""Line plots, scatter plots and histograms in dots of Braille, eight in each character of the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from matlens.tui.model.axes import Axis, axis_of
from matlens.tui.model.line_points import line_points
from matlens.tui.model.plot_columns import Series

_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)
"""Bits of the dots of a Braille pattern, four rows of two (Unicode, Braille Patterns)."""
BARS = " ▁▂▃▄▅▆▇█"
COLOURS = (
    "green",
    "yellow",
    "cyan",
    "magenta",
    "red",
    "blue",
    "bright_green",
    "bright_cyan",
    "bright_magenta",
    "white",
)
MOST_SEGMENTS = 1 << 16
"""More lines than this, in no order along the abscissa, are drawn as points."""
_LARGEST = float(np.finfo(np.float64).max)
Dots = NDArray[np.bool_]


def empty_dots(width: int, height: int) -> Dots:
    """Dots of a room of `width` by `height` characters, none set."""
    return np.zeros((4 * height, 2 * width), bool)


def braille(dots: Dots) -> list[str]:
    """Lines of characters that show dots."""
    rows, columns = dots.shape[0] // 4, dots.shape[1] // 2
    cells = dots.reshape(rows, 4, columns, 2).transpose(0, 2, 1, 3)
    codes = (cells * _BITS).sum(axis=(2, 3), dtype=np.int64)
    return ["".join(chr(0x2800 + code) for code in row) for row in codes.tolist()]


def draw_series(dots: Dots, x: NDArray[np.float64], y: NDArray[np.float64], *, is_scatter: bool = False) -> None:
    """Set the dots of points at places from 0 to 1, and of the lines from each to the next; none to NaN or from it."""
    height, width = dots.shape
    x, y = x * (width - 1), y * (height - 1)
    rising = len(x) < 2 or bool((x[1:] >= x[:-1]).all())
    if not is_scatter and (rising or len(x) <= MOST_SEGMENTS):
        if rising and len(x) > 4 * width:
            x, y = _thinned(x, y, width)
        _set_dots(dots, *line_points(x, y, width, height))
    _set_dots(dots, x, y)


def _set_dots(dots: Dots, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    height, width = dots.shape
    with np.errstate(invalid="ignore"):
        inside = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    columns = np.clip(np.round(x[inside]), 0, width - 1).astype(np.int64)
    rows = np.clip(np.round(y[inside]), 0, height - 1).astype(np.int64)
    dots[height - 1 - rows, columns] = True


def _thinned(
    x: NDArray[np.float64], y: NDArray[np.float64], width: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First, smallest, largest and last point of each column of dots; NaN for columns that have nothing else."""
    # All that lies beyond the edges counts as one column on either side.
    columns = np.clip(np.round(x), -1, width).astype(np.int64)
    starts = np.flatnonzero(np.r_[True, columns[1:] != columns[:-1]])
    ends = np.r_[starts[1:], len(x)] - 1
    # Beyond the edges, only the point that is nearest to them matters.
    low, high = np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
    before, after = columns[starts] < 0, columns[starts] >= width
    low[before], high[before] = y[ends[before]], y[ends[before]]
    low[after], high[after] = y[starts[after]], y[starts[after]]
    first, last = np.where(before, y[ends], y[starts]), np.where(after, y[starts], y[ends])
    at = np.where(before, x[ends], np.where(after, x[starts], columns[starts]))
    # A gap at the end of a column is no gap where the column has points.
    first = np.where(np.isnan(first), low, first)
    last = np.where(np.isnan(last), high, last)
    return np.repeat(at, 4), np.stack([first, low, high, last], axis=1).ravel()


def plot_lines(values: NDArray[np.float64], width: int, height: int) -> tuple[list[str], float, float]:
    """Lines of text that show a series over its numbers, and the values at the lower and the upper edge.

    Gaps are left where values are NaN; infinite values are left out as well.
    """
    dots, axis = empty_dots(width, height), axis_of([values], False)
    if axis is None:
        return braille(dots), np.nan, np.nan
    places = np.arange(len(values)) / max(len(values) - 1, 1)
    draw_series(dots, places, axis.places(values))
    return braille(dots), axis.low, axis.high


def visible(series: Sequence[Series], x: Axis) -> list[NDArray[np.float64]]:
    """Values of the points that lie on the part of the abscissa that is shown."""
    return [each.y[(each.x >= x.low) & (each.x <= x.high)] for each in series]


def chart_text(
    series: Sequence[Series],
    x: Axis,
    y: Axis,
    width: int,
    height: int,
    *,
    is_scatter: bool = False,
    cross: float | None = None,
) -> Text:
    """Series with axes at the left and below, in a room of `width` by `height` characters."""
    margin = max((len(label) for _, label in y.ticks(max(height // 3, 2))), default=0) + 1
    room, rows = max(width - margin - 1, 4), max(height - 2, 1)
    shown, colours = np.zeros((4 * rows, 2 * room), bool), np.full((rows, room), -1)
    for each in series:
        dots = empty_dots(room, rows)
        draw_series(dots, x.places(each.x), y.places(each.y), is_scatter=is_scatter)
        colours[dots.reshape(rows, 4, room, 2).any(axis=(1, 3))] = each.colour
        shown |= dots
    at = float(x.places(np.array([cross]))[0]) if cross is not None else np.nan
    column = round(at * (room - 1)) if 0 <= at <= 1 else None
    labels = {rows - 1 - round(place * (rows - 1)): label for place, label in y.ticks(max(height // 3, 2))}
    text = Text(no_wrap=True)
    for k, line in enumerate(braille(shown)):
        text.append(labels.get(k, "").rjust(margin) + ("┤" if k in labels else "│"), "dim")
        _append_coloured(text, line, colours[k].tolist(), column)
        text.append("\n")
    return text.append(_abscissa(x, margin, room), "dim")


def _append_coloured(text: Text, line: str, colours: list[int], column: int | None) -> None:
    start = 0
    for k in range(1, len(line) + 1):
        cut = column in (k, k - 1) or k == len(line)
        if not cut and colours[k] == colours[start]:
            continue
        part = line[start:k]
        if start == column and part == "\u2800":
            text.append("┊", "bright_white")
        else:
            text.append(part, COLOURS[colours[start] % len(COLOURS)] if colours[start] >= 0 else "")
        start = k


def _abscissa(x: Axis, margin: int, room: int) -> str:
    """The line below a plot with its ticks, and their texts below that."""
    line, texts = ["─"] * room, [" "] * (margin + 1 + room)
    end = 0
    for place, label in x.ticks(max(room // 12, 2)):
        column = round(place * (room - 1))
        start = min(max(margin + 1 + column - len(label) // 2, 0), len(texts) - len(label))
        if start < end:
            continue
        line[column] = "┬"
        texts[start : start + len(label)] = label
        end = start + len(label) + 1
    return " " * margin + "└" + "".join(line) + "\n" + "".join(texts).rstrip()


# --- histograms --------------------------------------------------------------------


def histogram_text(
    series: Sequence[Series], width: int, height: int, *, cross: float | None = None, is_log: bool = False
) -> tuple[Text, str]:
    """Histograms over the same bins, one below another, and what the bin of the crosshair holds."""
    axis = axis_of([each.y for each in series], is_log)
    if axis is None:
        return Text("no finite numbers" if not is_log else "no positive numbers", "dim"), ""
    shown = series[: max(height // 4, 1)]
    rows = max((height - 2) // len(shown) - (len(shown) > 1), 1)
    edges = bin_edges(axis, max((width - 12) // 2, 2))
    counts = [np.histogram(each.y[np.isfinite(each.y)], edges)[0] for each in shown]
    margin = max(len(f"{count.max():,}") for count in counts) + 1
    text, told = Text(no_wrap=True), []
    at = -1 if cross is None else int(np.clip(np.searchsorted(edges, cross, "right") - 1, 0, len(edges) - 2))
    for each, count in zip(shown, counts, strict=True):
        if len(shown) > 1:
            text.append(f"{' ' * margin}{each.name}  {count.sum():,}\n", COLOURS[each.colour % len(COLOURS)])
        for k, line in enumerate(histogram_lines(count, rows)):
            label = f"{count.max(initial=0):,}" if k == 0 else "0" if k == rows - 1 else ""
            text.append(label.rjust(margin) + ("┤" if label else "│"), "dim")
            _append_coloured(text, line, [each.colour] * len(line), 2 * at if at >= 0 else None)
            text.append("\n")
        if at >= 0:
            told.append(f"{each.name} {count[at]:,}" if len(shown) > 1 else f"{count[at]:,}")
    text.append(_abscissa(Axis(float(edges[0]), float(edges[-1]), is_log), margin, 2 * (len(edges) - 1)), "dim")
    closing = "]" if at == len(edges) - 2 else ")"
    return text, f"[{edges[at]:.6g}, {edges[at + 1]:.6g}{closing}: {', '.join(told)}" if told else ""


def bin_edges(axis: Axis, most: int) -> NDArray[np.float64]:
    """Edges of at most `most` bins; a number that stands alone is in the middle of them.

    Examples
    --------
    >>> bin_edges(Axis(0, 4), 4).tolist(), bin_edges(Axis(3, 3), 2).tolist()
    ([0.0, 1.0, 2.0, 3.0, 4.0], [2.5, 3.0, 3.5])
    """
    if axis.is_log and axis.high > axis.low:
        return np.unique(np.geomspace(axis.low, axis.high, most + 1))
    low, high = axis.low, axis.high
    if not high / 2 - low / 2 > 0:
        most, around = min(most, 10), max(0.5, abs(low) / (1 << 20))
        low, high = max(low - around, -_LARGEST), min(high + around, _LARGEST)
    shares = np.linspace(0.0, 1.0, most + 1)
    # Numbers so near to each other that bins would have no width are in few bins.
    return np.unique(low * (1 - shares) + high * shares)


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
