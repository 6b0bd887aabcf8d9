"""Nothing is lost silently: faults of matlens itself, of libraries that write, and columns of one name."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.io

import matlens
from matlens.cli import group
from matlens.cli.output import OWN_FAULT
from matlens.cli.output import run as run_command
from matlens.errors import OutputFailed
from matlens.export.registry import value_formats
from matlens.operations.convert import convert
from tests.support import FIXTURES, out

ANNOTATIONS = str(FIXTURES / "annotations_v7.mat")
COMMANDS: dict[str, list[str]] = {
    "ls": [ANNOTATIONS],
    "tree": [ANNOTATIONS],
    "show": [ANNOTATIONS, "annotations"],
    "check": [ANNOTATIONS],
    "boxes": [ANNOTATIONS],
    "convert": [ANNOTATIONS, "-o", "OUT/"],
    "diff": [ANNOTATIONS, ANNOTATIONS],
    "sql": [ANNOTATIONS, "select 1 from annotations"],
    "regions": [str(FIXTURES / "scene_v7.mat"), "mask"],
}


def broken(*arguments: Any, **options: Any) -> Any:
    raise ZeroDivisionError("a fault on purpose")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_fault_of_matlens_is_one_line_and_code_70(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(matlens.tree.file.MatFile, "_known_variables", broken)
    arguments = [word.replace("OUT", str(tmp_path)) for word in COMMANDS[name]]
    monkeypatch.setattr(sys, "argv", ["matlens", name, *arguments])
    assert run_command(group) == OWN_FAULT == 70
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        "a fault of matlens, please report it: ZeroDivisionError: a fault on purpose; --traceback shows where" in line
    )
    monkeypatch.setattr(sys, "argv", ["matlens", name, *arguments, "--traceback"])
    assert run_command(group) == 70
    assert "in broken" in capsys.readouterr().err


def test_a_fault_in_one_file_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        scipy.io.savemat(tmp_path / f"{name}.mat", {"x": 1.0})
    known = matlens.tree.file.MatFile._known_variables

    def of_one(self: Any) -> Any:
        return broken() if self.name == "a.mat" else known(self)

    monkeypatch.setattr(matlens.tree.file.MatFile, "_known_variables", of_one)
    monkeypatch.setattr(sys, "argv", ["matlens", "check", str(tmp_path / "a.mat"), str(tmp_path / "b.mat")])
    assert run_command(group) == 70
    told = capsys.readouterr()
    assert "a.mat: a fault of matlens" in told.err and "ok  x" in told.out


@pytest.mark.parametrize("name", [found.name for found in value_formats()])
def test_what_a_library_refuses_to_write_leaves_the_others(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (chosen,) = [found for found in value_formats() if found.name == name]
    write = type(chosen).write

    def refusing(self: Any, items: Any, target: Path, options: Any) -> Any:
        if items[0].name == "bad":
            raise pa.ArrowNotImplementedError("no such type here")
        return write(self, items, target, options)

    monkeypatch.setattr(type(chosen), "write", refusing)
    scipy.io.savemat(tmp_path / "a.mat", {"bad": np.ones((2, 2)), "good": np.ones((2, 2))})
    folder = tmp_path / "out"
    with pytest.raises(OutputFailed, match=r"a\.mat: bad.*: not written to .*: ArrowNotImplementedError: no such type"):
        convert(tmp_path / "a.mat", f"{folder}/", format=name)
    written = [path.stem for path in folder.iterdir()]
    # One file of several values is whole or absent.
    assert written == ([] if chosen.many else ["good"])


def columns_of(path: Path) -> dict[str, list[Any]]:
    record = scipy.io.loadmat(path, squeeze_me=True)
    (value,) = [value for name, value in record.items() if not name.startswith("__")]
    return {name: np.atleast_1d(value[name].item()).tolist() for name in value.dtype.names}


def test_results_of_sql_as_a_mat_file(tmp_path: Path) -> None:
    query = "select image, len(boxes) as n, size, null as nothing from annotations order by image limit 3"
    out("sql", ANNOTATIONS, query, "-o", str(tmp_path / "x.mat"))
    found = columns_of(tmp_path / "x.mat")
    expected = matlens.query(ANNOTATIONS, query).to_pylist()
    assert found["image"] == [row["image"] for row in expected] and found["n"] == [row["n"] for row in expected]
    assert found["size"] == [row["size"] for row in expected]
    with matlens.open(tmp_path / "x.mat") as file:
        (node,) = file.values()
        assert node["n"].dims == (3, 1) and node["nothing"].dims == (3, 1)


def test_regions_as_a_mat_file(tmp_path: Path) -> None:
    scene, table = str(FIXTURES / "scene_v7.mat"), tmp_path / "x.json"
    for target in (table, tmp_path / "x.mat"):
        out("regions", scene, "scene.image", "--threshold", "100", "-o", str(target))
    rows = json.loads(table.read_text())
    found = columns_of(tmp_path / "x.mat")
    assert rows and found["area"] == [row["area"] for row in rows] and found["label"] == [row["label"] for row in rows]


@pytest.mark.parametrize("deliver", ["text", "json", "csv", "parquet"])
def test_columns_of_one_name(deliver: str, tmp_path: Path) -> None:
    query = "select image, 7 as image, 8 as image from annotations limit 1"
    read: dict[str, Callable[[], list[str]]] = {
        "text": lambda: out("sql", ANNOTATIONS, query).splitlines()[0].split(),
        "json": lambda: list(json.loads(out("sql", ANNOTATIONS, query, "--json"))["rows"][0]),
        "csv": lambda: (tmp_path / "x.csv").read_text().splitlines()[0].replace('"', "").split(","),
        "parquet": lambda: pa.parquet.read_schema(tmp_path / "x.parquet").names,
    }
    if deliver in ("csv", "parquet"):
        import pyarrow.parquet  # noqa: F401 - read by it

        out("sql", ANNOTATIONS, query, "-o", str(tmp_path / f"x.{deliver}"))
    assert read[deliver]() == ["image", "image_2", "image_3"]
