"""Axes of plots: which dot a number is drawn at, and the ticks beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from matlens.tui.model.ticks import log_ticks, nice_ticks, number_label


@dataclass(frozen=True, slots=True)
class Axis:
    """Numbers from `low` to `high`, evenly or by their logarithms."""

    low: float
    high: float
    is_log: bool = False

    def places(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where numbers lie, from 0 at the lower end to 1 at the upper one; NaN where they have no place.

        Examples
        --------
        >>> Axis(1, 100, True).places(np.array([1.0, 10, 100, 0])).tolist()
        [0.0, 0.5, 1.0, nan]
        >>> Axis(3, 3).places(np.array([3.0, np.inf])).tolist()
        [0.5, nan]
        """
        low, high = self.low, self.high
        with np.errstate(all="ignore"):
            values = np.where(np.isfinite(values), values, np.nan)
            if self.is_log:
                values = np.where(values > 0, np.log10(values), np.nan)
                low, high = float(np.log10(low)), float(np.log10(high))
            if not high > low:
                return np.where(np.isnan(values), np.nan, 0.5)
            # Halves, so that the ends of the doubles have a distance.
            return np.asarray((values / 2 - low / 2) / (high / 2 - low / 2))

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Places from 0 to 1 of round numbers, and their texts."""
        numbers = log_ticks(self.low, self.high, most) if self.is_log else nice_ticks(self.low, self.high, most)
        places = self.places(np.array(numbers, np.float64)).tolist()
        return [(place, number_label(number)) for place, number in zip(places, numbers, strict=True)]

    def value_at(self, place: float) -> float:
        """The number at a place from 0 to 1."""
        if self.is_log:
            low, high = np.log10(self.low), np.log10(self.high)
            return float(10 ** (low + place * (high - low)))
        return float(self.low * (1 - place) + self.high * place)

    def zoomed(self, factor: float, around: float) -> Axis:
        """The axis with `factor` of its length, in which a number stays where it is.

        Examples
        --------
        >>> Axis(0, 64).zoomed(0.5, 16)
        Axis(low=8.0, high=40.0, is_log=False)
        """
        place = float(self.places(np.array([around]))[0])
        place = place if 0 <= place <= 1 else 0.5
        low, high = self.value_at(place - place * factor), self.value_at(place + (1 - place) * factor)
        return replace(self, low=low, high=high) if np.isfinite([low, high]).all() and high > low else self

    def moved(self, share: float) -> Axis:
        """The axis moved by a share of its length."""
        low, high = self.value_at(share), self.value_at(1 + share)
        return replace(self, low=low, high=high) if np.isfinite([low, high]).all() and high > low else self


def axis_of(parts: list[NDArray[np.float64]], is_log: bool) -> Axis | None:
    """From the smallest to the largest of finite numbers, positive ones on a logarithmic axis; None without any."""
    ends = []
    for part in parts:
        known = part[np.isfinite(part) & (part > 0) if is_log else np.isfinite(part)]
        if len(known):
            ends += [float(known.min()), float(known.max())]
    return Axis(min(ends), max(ends), is_log) if ends else None
