"""Points in time with the zone of their array, wherever they stand."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import matlens
from tests import objects as o
from tests.support import out


@pytest.mark.parametrize("version", ["v7", "v7.3"])
@pytest.mark.parametrize(
    ("zone", "millis", "expected"),
    [
        ("Asia/Tokyo", 1e12, "2001-09-09T10:46:40+09:00"),
        ("Europe/Berlin", 1e12, "2001-09-09T03:46:40+02:00"),
        ("+05:30", 0.0, "1970-01-01T05:30:00+05:30"),
        ("-03:00", 0.0, "1969-12-31T21:00:00-03:00"),
        ("UTC", 0.25, "1970-01-01T00:00:00.000250+00:00"),
        ("Nowhere/Land", 0.0, "1970-01-01T00:00:00+00:00"),
        ("", 0.0, "1970-01-01T00:00:00"),
    ],
)
def test_times_keep_their_zone(version: str, zone: str, millis: float, expected: str, tmp_path: Path) -> None:
    """Alone, in structs, cells and objects, in tables and as their index; in Python, JSON and the tree."""
    when = o.datetime([[millis]], zone)
    many = o.datetime([[millis], [millis], [np.nan]], zone)
    values = {
        "alone": when,
        "record": o.struct(when=when),
        "items": o.cell(when, o.struct(inner=many)),
        "instance": o.made("my.Thing", when=when),
        "rows": o.table(3, when=many),
        "series": o.timetable(3, many, x=np.zeros((3, 1))),
    }
    file = o.save(tmp_path, version, **values)
    time, times = dt.datetime.fromisoformat(expected), [dt.datetime.fromisoformat(expected)] * 2 + [None]
    told = {name: file[name].to_python() for name in values}
    assert told == {
        "alone": time,
        "record": {"when": time},
        "items": [time, {"inner": times}],
        "instance": {"when": time},
        "rows": {"when": times},
        "series": {"Time": times, "x": [0.0, 0.0, 0.0]},
    }
    assert [found.isoformat() for found in (told["alone"], told["record"]["when"], told["rows"]["when"][0])] == [
        expected
    ] * 3
    assert json.loads(out("show", str(tmp_path / f"{version}.mat"), "record", "--json"))["values"][0]["value"] == {
        "when": expected
    }
    assert file["record"].to_pandas()["when"].iloc[0] == time
    matlens.convert(file, tmp_path / "r.jsonl", var="record")
    assert json.loads((tmp_path / "r.jsonl").read_text()) == {"when": expected}
    assert str(time).removesuffix(" 00:00:00") in file["record"]["when"].preview()
    whole = pickle.loads(pickle.dumps(file["alone"].value))
    assert whole.dtype == "M8[us]" and getattr(whole, "zone", "") == zone
    assert whole.item() == (time.astimezone(dt.UTC).replace(tzinfo=None) if zone else time)
