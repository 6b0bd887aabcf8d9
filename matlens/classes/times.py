"""Points in time and lengths of time, in microseconds: those of MATLAB reach beyond what nanoseconds hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile

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
