"""Tables and timetables, whatever they hold and wherever they stand: one row takes the way of many."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import matlens
from matlens.errors import CorruptFile
from matlens.operations.convert import convert
from tests import objects as o
from tests.support import CORPUS, out

VERSIONS = ("v7", "v7.3")
MADE = CORPUS / "made"
has_corpus = pytest.mark.skipif(not MADE.exists(), reason="no corpus beside the project")
UTC = dt.UTC

VARIABLES: dict[str, tuple[Callable[[int], Any], pa.DataType, Callable[[int], Any]]] = {
    "numbers": (lambda n: np.arange(float(n)).reshape(n, 1), pa.float64(), float),
    "integers": (lambda n: np.arange(n, dtype=np.int64).reshape(n, 1), pa.int64(), int),
    "logicals": (lambda n: (np.arange(n) % 2 == 0).reshape(n, 1), pa.bool_(), lambda k: k % 2 == 0),
    "matrix": (
        lambda n: np.arange(float(3 * n)).reshape(n, 3),
        pa.list_(pa.float64(), 3),
        lambda k: [3.0 * k, 3.0 * k + 1, 3.0 * k + 2],
    ),
    "string": (
        lambda n: o.string(np.array([[f"t{k}"] for k in range(n)], object).reshape(n, 1)),
        pa.string(),
        "t{}".format,
    ),
    "strings": (
        lambda n: o.string(np.array([[f"a{k}", None] for k in range(n)], object).reshape(n, 2)),
        pa.list_(pa.string()),
        lambda k: [f"a{k}", None],
    ),
    "datetime": (
        lambda n: o.datetime(np.arange(n).reshape(n, 1) * 1000.0),
        pa.timestamp("us"),
        lambda k: dt.datetime(1970, 1, 1, 0, 0, k),
    ),
    "zoned": (
        lambda n: o.datetime(np.arange(n).reshape(n, 1) * 1000.0, "Asia/Tokyo"),
        pa.timestamp("us", "Asia/Tokyo"),
        lambda k: dt.datetime(1970, 1, 1, 0, 0, k, tzinfo=UTC),
    ),
    "duration": (
        lambda n: o.duration(np.arange(n).reshape(n, 1) * 1000.0),
        pa.duration("us"),
        lambda k: dt.timedelta(seconds=k),
    ),
    "ordinal": (
        lambda n: o.categorical((np.arange(n) % 3).reshape(n, 1), ["low", "high"], is_ordinal=True),
        pa.dictionary(pa.int32(), pa.string(), True),
        lambda k: [None, "low", "high"][k % 3],
    ),
    "cells": (lambda n: o.cell(*(f"c{k}" for k in range(n)), shape=(n, 1)), pa.string(), "c{}".format),
    "rows_of_cells": (
        lambda n: o.cell(*(f"c{k}" for k in range(n)), *(f"d{k}" for k in range(n)), shape=(n, 2)),
        pa.list_(pa.string()),
        lambda k: [f"c{k}", f"d{k}"],
    ),
    "records": (
        lambda n: o.struct_array([{"a": float(k), "b": "z"} for k in range(n)], (n, 1)),
        pa.struct([("a", pa.float64()), ("b", pa.string())]),
        lambda k: {"a": float(k), "b": "z"},
    ),
    "inner": (
        lambda n: o.table(n, x=np.arange(float(n)).reshape(n, 1), s=o.string(np.full((n, 1), "i", object))),
        pa.struct([("x", pa.float64()), ("s", pa.string())]),
        lambda k: {"x": float(k), "s": "i"},
    ),
}
"""Variables of n rows, their Arrow type, and row k of them."""


def rows_of(count: int) -> list[dict[str, Any]]:
    return [{name: row(k) for name, (_, _, row) in VARIABLES.items()} for k in range(count)]


@pytest.fixture(scope="module", params=VERSIONS)
def tables(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> matlens.MatFile:
    """Tables of one row and of many: alone, in structs and in cells."""
    made = {n: o.table(n, **{name: make(n) for name, (make, _, _) in VARIABLES.items()}) for n in (1, 2, 5)}
    return o.save(
        tmp_path_factory.mktemp("tables"), request.param,
        one=made[1], two=made[2], five=made[5], s=o.struct(t=made[1], n=1.0), c=o.cell(made[5], made[1]),
    )  # fmt: skip


def same(found: Any, expected: Any) -> bool:
    return bool(found == expected)


@pytest.mark.parametrize(("name", "count"), [("one", 1), ("two", 2), ("five", 5)])
def test_every_class_in_tables_of_any_number_of_rows(tables: matlens.MatFile, name: str, count: int) -> None:
    table = tables[name].to_arrow()
    table.validate(full=True)
    assert table.schema.types == [kind for _, kind, _ in VARIABLES.values()]
    assert table.to_pylist() == rows_of(count)
    frame = tables[name].value
    assert len(frame) == count and frame["string"].tolist() == [f"t{k}" for k in range(count)]
    assert frame["matrix_2"].tolist() == [3 * k + 1 for k in range(count)]
    assert frame["inner.x"].tolist() == list(range(count)) and frame["ordinal"].cat.ordered
    python = tables[name].to_python()
    assert python["strings_1"] == [f"a{k}" for k in range(count)] and python["strings_2"] == [None] * count
    assert python["cells"] == [f"c{k}" for k in range(count)]


def test_tables_in_structs_and_cells_are_lists_of_rows(tables: matlens.MatFile) -> None:
    row = pa.struct([(name, kind) for name, (_, kind, _) in VARIABLES.items()])
    inside = tables["s"].to_arrow()
    assert inside.schema.field("t").type == pa.list_(row) and inside["t"].to_pylist() == [rows_of(1)]
    cell = tables["c"].to_arrow()
    cell.validate(full=True)
    assert cell.schema.field("c").type == pa.list_(row) and cell["c"].to_pylist() == [rows_of(5), rows_of(1)]
    assert [len(frame) for frame in tables["c"].value] == [5, 1]


def test_windows_of_tables(tables: matlens.MatFile, monkeypatch: pytest.MonkeyPatch) -> None:
    from matlens.values import windows

    monkeypatch.setattr(windows, "WINDOW_ROWS", 2)
    batches = list(tables["five"].to_batches())
    assert [batch.num_rows for batch in batches] == [2, 2, 1]
    assert [row for batch in batches for row in batch.to_pylist()] == rows_of(5)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_rows(tmp_path: Path, version: str) -> None:
    empty = o.table(0, x=np.zeros((0, 1)), y=np.zeros((0, 3)), s=o.string(np.empty((0, 1), object)))
    with o.save(tmp_path, version, t=empty, none=o.table(3)) as file:
        assert file["t"].to_arrow().schema.types == [pa.float64(), pa.list_(pa.float64(), 3), pa.string()]
        assert file["t"].value.shape == (0, 5) and file["none"].value.shape == (3, 0)
    shown = out("show", str(tmp_path / f"{version}.mat"), "t")
    assert shown.splitlines()[1:] == ["  x  y  s", "  0 rows"]


# --- names ---------------------------------------------------------------------------------


@has_corpus
@pytest.mark.parametrize(
    ("file", "variable", "names"),
    [
        ("tab_orig_v7", "t", ["Time (s)", "Speed (km/h)"]),
        ("ttab_orig_v7", "tt", ["Time", "Temp (°C)"]),
        ("tab_v5_v7", "t", ["V" * 100]),
    ],
)
def test_names_are_as_the_user_wrote_them(file: str, variable: str, names: list[str]) -> None:
    with matlens.open(MADE / f"{file}.mat") as opened:
        node = opened[next(iter(opened))]
        table = node.to_arrow()
        assert table.column_names == names and [child.name for child in node.children()] == names
        for child in node.children():
            assert opened.at(child.path).path == child.path
        about = json.loads(table.schema.metadata[b"matlens"])
        identifiers = [told["identifier"] for told in about["columns"].values() if "identifier" in told]
        assert identifiers and all(identifier.isidentifier() for identifier in identifiers)
        # MATLAB's identifiers lead there, too.
        assert node[identifiers[0]].path == node.children()[-len(identifiers)].path


@pytest.mark.parametrize("version", VERSIONS)
def test_names_of_rows_are_the_first_column(tmp_path: Path, version: str) -> None:
    dimensions = {"DimensionNames": o.cell(o.char("City"), o.char("Variables"))}
    made = o.table(2, ["Bern", "Rome"], dimensions, x=np.array([[1.0], [2.0]]))
    with o.save(tmp_path, version, t=made, c=o.cell(made)) as file:
        expected = [{"City": "Bern", "x": 1.0}, {"City": "Rome", "x": 2.0}]
        assert file["t"].to_arrow().to_pylist() == expected
        assert file["c"].to_arrow()["c"].to_pylist() == [expected]
        assert file["t"].to_pandas().columns.tolist() == ["City", "x"]
        frame = file["t"].value
        assert frame.index.name == "City" and frame.index.tolist() == ["Bern", "Rome"]
        path = tmp_path / f"{version}.mat"
        assert out("sql", str(path), "select City from t where x > 1").split()[-1] == "Rome"
        assert out("show", str(path), "t").splitlines()[1].split() == ["City", "x"]
        convert(file, tmp_path / "t.csv", var="t")
        assert pd.read_csv(tmp_path / "t.csv")["City"].tolist() == ["Bern", "Rome"]
        convert(file, tmp_path / "t.parquet", var="t")
        assert pq.read_table(tmp_path / "t.parquet").to_pylist() == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_table_says_of_itself(tmp_path: Path, version: str) -> None:
    told = {
        "VariableUnits": o.cell(o.char("m/s"), o.char("")),
        "VariableDescriptions": o.cell(o.char("how fast"), o.char("")),
        "Description": o.char("a trip"),
        "CustomProps": o.struct(author=o.char("Ada"), run=7.0),
        "VariableCustomProps": o.struct(sensor=o.cell(o.char("s1"), o.char("s2"))),
    }
    made = o.table(1, details=told, v=np.array([[1.0]]), w=np.array([[2.0]]))
    with o.save(tmp_path, version, t=made) as file:
        about = json.loads(file["t"].table().schema.metadata[b"matlens"])
        assert about["description"] == "a trip" and about["dimensions"] == ["Row", "Variables"]
        assert about["columns"]["v"]["unit"] == "m/s" and about["columns"]["v"]["description"] == "how fast"
        assert "unit" not in about["columns"]["w"]
        assert about["custom_properties"] == {"author": "Ada", "run": 7.0}
        assert about["columns"]["w"]["custom_properties"] == {"sensor": "s2"}
        assert file["t"].value.attrs["units"] == {"v": "m/s", "w": ""}


@has_corpus
def test_columns_of_a_matrix_take_no_name_of_a_variable() -> None:
    with matlens.open(MADE / "tab_dup_v7.mat") as file:
        frame = file["t"].value
        assert frame["mc_1"].tolist() == [7, 8] and frame.shape == (2, 3)
        assert frame["mc_1_2"].tolist() == [0, 2] and frame["mc_2"].tolist() == [1, 3]
        assert file["t"].to_arrow().to_pylist() == [{"mc": [0, 1], "mc_1": 7}, {"mc": [2, 3], "mc_1": 8}]


# --- nested tables, objects ----------------------------------------------------------------


@has_corpus
@pytest.mark.parametrize("version", ["v7", "v73"])
def test_a_table_inside_a_table_has_all_its_columns(version: str) -> None:
    with matlens.open(MADE / f"tab_nested_{version}.mat") as file:
        table = file["t"].to_arrow()
        assert table["inner"].to_pylist() == [{"x": 1.0, "s": "p"}, {"x": 2.0, "s": "q"}, {"x": 3.0, "s": "r"}]
        assert file["t"].value["inner.s"].tolist() == ["p", "q", "r"] and not file["t"].table().notes


@pytest.mark.parametrize("version", VERSIONS)
def test_an_object_for_all_rows_costs_its_own_column(tmp_path: Path, version: str) -> None:
    shape = o.made("geopointshape", kind=o.char("point"))
    made = o.table(3, details={"UserData": shape}, shape=shape, x=np.array([[1.0], [2.0], [3.0]]))
    with o.save(tmp_path, version, t=made, c=o.cell(made)) as file:
        table = file["t"].table()
        assert [str(note) for note in table.notes] == ["shape: one geopointshape for all rows of a table: null"]
        assert table.notes[0].is_lossy and table.read_all()["x"].to_pylist() == [1, 2, 3]
        assert table.read_all()["shape"].to_pylist() == [None] * 3
        assert file["c"].to_arrow()["c"].to_pylist() == [[{"shape": None, "x": x} for x in (1, 2, 3)]]
        assert file["t"].value["x"].tolist() == [1, 2, 3] and file["t"].value["shape"].tolist() == [None] * 3
        assert file.at("t.shape.kind").value == "point"
    assert (
        out(
            "convert",
            str(tmp_path / f"{version}.mat"),
            "--var",
            "t",
            "-o",
            str(tmp_path / "t.parquet"),
            "--strict",
            code=4,
        )
        == ""
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_a_variable_of_another_number_of_rows_is_damage(tmp_path: Path, version: str) -> None:
    with o.save(tmp_path, version, t=o.table(3, x=np.zeros((2, 1)))) as file:
        with pytest.raises(CorruptFile, match="expected 3 rows in a variable of a table, found dims 2x1"):
            file["t"].to_arrow()
        with pytest.raises(CorruptFile, match=r"dims \(2, 1\)"):
            file["t"].value


@pytest.mark.parametrize("version", VERSIONS)
def test_cells_of_several_classes_are_json_and_told(tmp_path: Path, version: str) -> None:
    with o.save(tmp_path, version, t=o.table(2, c=o.cell("q", np.array([[1.0, 2.0]]), shape=(2, 1)))) as file:
        table = file["t"].table()
        assert table.read_all()["c"].to_pylist() == ['"q"', "[1.0, 2.0]"]
        assert [str(note) for note in table.notes] == ["c: char, double do not unify: JSON text"]


# --- times of rows -------------------------------------------------------------------------

STEP = 1000.0 / 44100


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("count", [0, 1, 44_101])
def test_rows_of_a_rate_do_not_drift(tmp_path: Path, version: str, count: int) -> None:
    made = o.timetable(count, o.regular(o.duration(0.0), rate=44100.0), x=np.zeros((count, 1)))
    with o.save(tmp_path, version, t=made) as file:
        table = file["t"].to_arrow()
        assert table.column_names == ["Time", "x"] and table.schema.field("Time").type == pa.duration("us")
        times = table["Time"].cast(pa.int64()).to_pylist()
        assert times == [round(k * 1e6 / 44100) for k in range(count)]
        assert count < 2 or times[-1] == 1_000_000
        assert file["t"].value.index.tolist() == [pd.Timedelta(time, "us") for time in times]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("origin", "zone", "step", "expected"),
    [
        # 2024-01-31, a month each.
        (1706659200000.0, "", {"months": 1.0}, ["2024-01-31T00:00", "2024-02-29T00:00", "2024-03-31T00:00"]),
        (1706659200000.0, "", {"days": 1.0}, ["2024-01-31T00:00", "2024-02-01T00:00", "2024-02-02T00:00"]),
        # Midnight in Berlin on 2024-03-30; the next night is an hour shorter.
        (1711753200000.0, "Europe/Berlin", {"days": 1.0}, ["2024-03-29T23:00", "2024-03-30T23:00", "2024-03-31T22:00"]),
        (
            1711753200000.0,
            "Europe/Berlin",
            {"millis": 864e5},
            ["2024-03-29T23:00", "2024-03-30T23:00", "2024-03-31T23:00"],
        ),
    ],
)
def test_steps_of_the_calendar(
    tmp_path: Path, version: str, origin: float, zone: str, step: dict[str, float], expected: list[str]
) -> None:
    times = o.regular(o.datetime(origin, zone), step=o.calendar_duration(**step))
    with o.save(tmp_path, version, t=o.timetable(3, times, x=np.zeros((3, 1)))) as file:
        found = file["t"].to_arrow()["Time"]
        assert found.type == pa.timestamp("us", zone or None)
        utc = [dt.datetime.fromisoformat(text) for text in expected]
        assert found.cast(pa.timestamp("us")).to_pylist() == utc
        index = file["t"].value.index
        assert str(index.tz or "") == zone
        expected_times = [pd.Timestamp(time, tz="UTC" if zone else None) for time in utc]
        assert index.tolist() == expected_times and file["t"].to_python()["Time"] == expected_times


@pytest.mark.parametrize("version", VERSIONS)
def test_a_step_finer_than_a_microsecond(tmp_path: Path, version: str) -> None:
    times = o.regular(o.duration(250.0), step=o.duration(0.0004))
    with o.save(tmp_path, version, t=o.timetable(5, times, x=np.zeros((5, 1)))) as file:
        assert file["t"].to_arrow()["Time"].cast(pa.int64()).to_pylist() == [
            250_000,
            250_000,
            250_001,
            250_001,
            250_002,
        ]


def test_any_number_of_regular_rows_may_be_declared(tmp_path: Path) -> None:
    times = o.regular(o.duration(0.0), rate=1.0)
    o.save(tmp_path, "v7", t=o.timetable(10**12, times)).close()
    with matlens.open(tmp_path / "v7.mat") as file, pytest.raises(matlens.MatlensError, match=r"Limits\.memory"):
        file["t"].to_arrow()
