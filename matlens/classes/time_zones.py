"""Time zones of points in time, which are stored in UTC."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.classes.strings import texts_of

_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})")


class ZonedTimes(np.ndarray[Any, Any]):
    """Points in time of an array that has a time zone: datetime64[us] in UTC, and the name of the zone.

    Examples
    --------
    >>> times = ZonedTimes.of(np.array(["2024-07-01T12:00"], "M8[us]"), "Asia/Tokyo")
    >>> times.zone, times.astype("M8[s]").tolist()
    ('Asia/Tokyo', [datetime.datetime(2024, 7, 1, 12, 0)])
    >>> [str(time) for time in python_times(times)]
    ['2024-07-01 21:00:00+09:00']
    """

    zone: str

    @classmethod
    def of(cls, times: NDArray[Any], zone: str) -> NDArray[Any]:
        """The times with their zone; as they are if they have none."""
        if not zone:
            return times
        found = times.view(cls)
        found.zone = zone
        return found

    def __array_finalize__(self, other: Any) -> None:
        self.zone = getattr(other, "zone", "")

    def __reduce__(self) -> Any:
        return ZonedTimes.of, (np.array(self), self.zone)


def time_zone(record: Mapping[str, Any]) -> str:
    """Time zone of a datetime array; empty if it has none."""
    return next(iter(texts_of(record["tz"])), "") if "tz" in record else ""


def zone_info(zone: str) -> dt.tzinfo | None:
    """A time zone by its name, or by its offset from UTC; None if it is not known here.

    Examples
    --------
    >>> str(zone_info("+05:30")), zone_info("Nowhere/Land")
    ('UTC+05:30', None)
    """
    if zone in ("UTC", "UTCLeapSeconds"):
        return dt.UTC
    if offset := _OFFSET.fullmatch(zone):
        sign, hours, minutes = offset.groups()
        span = dt.timedelta(hours=int(hours), minutes=int(minutes))
        return dt.timezone(-span if sign == "-" else span) if span < dt.timedelta(days=1) else None
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return None


def arrow_zone(zone: str) -> str | None:
    """The name that Arrow has for a time zone: UTC for one that is not known here, None for none at all.

    Examples
    --------
    >>> arrow_zone("Europe/Berlin"), arrow_zone("-0530"), arrow_zone("Nowhere/Land"), arrow_zone("")
    ('Europe/Berlin', '-05:30', 'UTC', None)
    """
    if not zone:
        return None
    if offset := _OFFSET.fullmatch(zone):
        return "{}{}:{}".format(*offset.groups()) if zone_info(zone) else "UTC"
    return zone if zone != "UTCLeapSeconds" and zone_info(zone) else "UTC"


def python_times(times: NDArray[Any], zone: dt.tzinfo | None = None) -> list[Any]:
    """Times and durations as datetime's, with their zone or the one that is given, in column-major order.

    Those beyond datetime's years are ISO texts in UTC, missing ones None. Where a zone is not known, they are UTC.
    """
    if isinstance(times, ZonedTimes) and times.zone:
        zone = zone_info(times.zone) or dt.UTC
    return [_python_time(time, zone) for time in np.asarray(times).ravel(order="F")]


def _python_time(time: Any, zone: dt.tzinfo | None) -> Any:
    if np.isnat(time):
        return None
    found = time.item()
    if isinstance(found, int):
        return str(time)
    if zone is None:
        return found
    utc = found.replace(tzinfo=dt.UTC)
    try:
        return utc.astimezone(zone)
    except OverflowError:
        # The first and the last day that datetime knows.
        return utc
