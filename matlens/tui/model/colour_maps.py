"""Colour maps: numbers between two limits as colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style
from rich.text import Text

from matlens.tui.model.ticks import number_label

Colours = NDArray[np.uint8]
"""Shape (height, width, 3)."""
Colour = tuple[int, int, int]


def _stops(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(-1, 3)


MAPS = {
    "viridis": _stops("440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6ece58 b5de2b fde725"),
    "gray": _stops("000000 ffffff"),
    "magma": _stops("000004 180f3d 440f76 721f81 9e2f7f cd4071 f1605d fd9668 feca8d fcfdbf"),
    "hot": _stops("0a0000 ff0000 ffff00 ffffff"),
    "cool-warm": _stops("3b4cc0 7b9ff9 c0d4f5 f2cbb7 ee8468 b40426"),
    "jet": _stops("000080 0000ff 0080ff 00ffff 80ff80 ffff00 ff8000 ff0000 800000"),
}
"""Colours from low to high. Viridis and magma are of S. van der Walt and N. Smith (2015, CC0), cool-warm follows K.
Moreland (2009), and gray, hot and jet are those of MATLAB."""
NAN_COLOUR = (90, 90, 90)
_SAMPLED = 1 << 20
"""Values that limits are taken from, at most."""


def limits_of(values: NDArray[np.generic], clip: float = 1.0) -> tuple[float, float]:
    """The `clip` percentile and 100 minus that of the finite values, of a regular sample where there are very many.

    Examples
    --------
    >>> limits_of(np.array([0.0, 50, 100, np.nan]), 1)
    (1.0, 99.0)
    """
    if values.size > _SAMPLED:
        # Steps along both dims, so that no column of a picture is taken whole and another one left out.
        step = int(np.ceil(np.sqrt(values.size / _SAMPLED)))
        values = values[::step, ::step]
    finite = values[np.isfinite(values)].astype(np.float64)
    if not len(finite):
        return 0.0, 1.0
    low, high = np.percentile(finite, [clip, 100 - clip])
    return float(low), float(high)


def map_colours(values: NDArray[np.float64], low: float, high: float, name: str = "viridis") -> Colours:
    """Colours of a map from `low` to `high`; what is beyond has the colour of the end, NaN is grey.

    Examples
    --------
    >>> map_colours(np.array([[0.0, 1.0, np.nan]]), 0, 2, "gray").tolist()
    [[[0, 0, 0], [128, 128, 128], [90, 90, 90]]]
    """
    stops = MAPS[name]
    with np.errstate(invalid="ignore", over="ignore"):
        # Halves, so that limits at both ends of the doubles have a distance.
        span = high / 2 - low / 2
        place = np.clip((values / 2 - low / 2) / (span if span > 0 else 1.0), 0, 1) * (len(stops) - 1)
    known = np.isfinite(place)
    place = np.where(known, place, 0.0)
    channels = [np.interp(place, np.arange(len(stops)), stops[:, k]) for k in range(3)]
    colours = np.round(np.stack(channels, axis=-1)).astype(np.uint8)
    colours[~known] = NAN_COLOUR
    return colours


def bar_text(low: float, high: float, name: str, width: int) -> Text:
    """The colours of a map between the numbers that its ends stand for."""
    ends = f"{number_label(low)} ", f" {number_label(high)}  {name}"
    room = max(width - sum(map(len, ends)), 2)
    text = Text(ends[0], no_wrap=True)
    for red, green, blue in map_colours(np.linspace(0, 1, room)[None], 0, 1, name)[0].tolist():
        text.append("█", Style(color=Color.from_rgb(red, green, blue)))
    return text.append(ends[1])
