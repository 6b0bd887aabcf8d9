"""Points in time and lengths of time, in microseconds: those of MATLAB reach beyond what nanoseconds hold."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.classes.time_zones import zone_info
from matlens.errors import CorruptFile, UnsupportedValue

_LIMIT = 2.0**52
"""Milliseconds beyond which a microsecond is not told apart in 64 bits."""


def datetimes(data: Any) -> NDArray[np.datetime64]:
    """Points in time of a datetime array; NaT where they are missing, infinite, or beyond the year 280,000.

    `data` are milliseconds since 1970-01-01, with what the real part is too coarse for in the imaginary one. They are
    UTC if the array has a time zone, else as the clock shows.

    Examples
    --------
    >>> datetimes(np.array([[-14826412800000.0 + 0.25j]])).tolist()
    [[datetime.datetime(1500, 3, 4, 0, 0, 0, 250)]]
    """
    return _microseconds(data).view("M8[us]")


def durations(millis: Any) -> NDArray[np.timedelta64]:
    """Lengths of time of a duration array, from milliseconds.

    Examples
    --------
    >>> durations(np.array([[1500.25]]))
    array([[1500250]], dtype='timedelta64[us]')
    """
    return _microseconds(millis).view("m8[us]")


def calendar_durations(components: Any) -> NDArray[Any]:
    """Months and days, double because halves are allowed, and time of a calendarDuration array.

    `components` are a 1x1 struct of ``months``, ``days`` and ``millis``, arrays of the same dims or 1x1.
    """
    record = np.asarray(components).ravel()[0]
    parts = [np.asarray(record[name]) for name in ("months", "days", "millis")]
    try:
        months, days, millis = np.broadcast_arrays(*parts)
    except ValueError:
        raise CorruptFile(f"parts of calendar durations have dims {[part.shape for part in parts]}") from None
    result = np.empty(months.shape, [("months", "f8"), ("days", "f8"), ("time", "m8[us]")])
    result["months"], result["days"], result["time"] = months, days, durations(millis)
    return result


def regular_times(origin: complex, offsets: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Microseconds of times that lie `offsets` milliseconds behind an origin in milliseconds.

    Examples
    --------
    >>> regular_times(0.0, np.arange(3) * 1000.0 / 44100).tolist()
    [0, 23, 45]
    """
    whole = np.floor(offsets)
    high, low = np.real(origin), np.imag(origin)
    return _microseconds(high + whole + 1j * (low + (offsets - whole)))


class CalendarStep(NamedTuple):
    """A calendar duration: months and days as the calendar has them, and milliseconds."""

    months: float
    days: float
    millis: float

    @classmethod
    def of(cls, components: Any) -> CalendarStep:
        """The only one of the array that `components` hold."""
        found = calendar_durations(components).ravel()
        if len(found) != 1:
            raise CorruptFile(f"{len(found)} calendar durations as the step between times")
        months, days, time = found[0].item()
        return cls(float(months), float(days), np.timedelta64(time) / np.timedelta64(1, "ms"))


def calendar_times(origin: complex, step: CalendarStep, count: int, zone: str = "") -> NDArray[np.int64]:
    """Microseconds of times that lie 0, 1, 2 … steps of the calendar behind an origin in milliseconds.

    A month later is the same day of the next month, or the last one of a shorter month. With a time zone, the origin
    and the result are UTC, and a day later is the same time of day there.

    Examples
    --------
    >>> calendar_times(1706659200000.0, CalendarStep(1, 0, 0), 3).view("M8[us]").astype("M8[D]").tolist()
    [datetime.date(2024, 1, 31), datetime.date(2024, 2, 29), datetime.date(2024, 3, 31)]
    """
    steps = np.arange(count)
    start = _shifted(_microseconds(np.array([origin])).view("M8[us]"), zone, to_local=True)
    midnight = start.astype("M8[D]")
    first = start.astype("M8[M]")
    months = first + np.round(steps * step.months).astype(np.int64)
    last = (months + 1).astype("M8[D]") - months.astype("M8[D]") - 1
    days = months.astype("M8[D]") + np.minimum(midnight - first.astype("M8[D]"), last)
    days = days + np.round(steps * step.days).astype(np.int64)
    local = days.astype("M8[us]") + (start - midnight)
    moved: NDArray[np.int64] = _shifted(local, zone, to_local=False).view(np.int64)
    moved += np.rint(steps * step.millis * 1000).astype(np.int64)
    return moved


def _shifted(times: NDArray[np.datetime64], zone: str, *, to_local: bool) -> NDArray[np.datetime64]:
    """UTC as the clock of a time zone shows it, or back; times beyond the years of a datetime stay."""
    if not zone:
        return times
    there = zone_info(zone)
    if there is None:
        raise UnsupportedValue(f"time zone {zone!r} is not known here")
    if there is dt.UTC:
        return times
    here = (dt.UTC, there) if to_local else (there, dt.UTC)
    shifted = [
        time.replace(tzinfo=here[0]).astimezone(here[1]).replace(tzinfo=None) if isinstance(time, dt.datetime) else time
        for time in times.tolist()
    ]
    return np.array(shifted, "M8[us]")


def _microseconds(millis: Any) -> NDArray[np.int64]:
    values = np.asarray(millis)
    if values.dtype.kind not in "iufc":
        raise CorruptFile(f"times are stored as {values.dtype}")
    high = np.ascontiguousarray(values.real, np.float64)
    low = np.ascontiguousarray(values.imag, np.float64)
    known = np.isfinite(high) & np.isfinite(low) & (np.abs(high) < _LIMIT) & (np.abs(low) < _LIMIT)
    whole = np.floor(np.where(known, high, 0))
    # The fraction of the high part is exact, so that no digit is lost in the sum.
    rest = np.where(known, high - whole + low, 0)
    total = whole.astype(np.int64) * 1000 + np.rint(rest * 1000).astype(np.int64)
    result: NDArray[np.int64] = np.where(known, total, np.iinfo(np.int64).min)
    return result
