"""Variables that a file holds several times, as `save -append` leaves them: the last counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

import matlens
from tests.support import out


@pytest.fixture(params=["4", "5"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """`x` three times, and `y`."""
    with (tmp_path / "x.mat").open("wb") as file:
        for k, values in enumerate(({"x": 1.0}, {"y": 5.0}, {"x": np.array([[2.0, 3.0]])}, {"x": 7.0})):
            part = tmp_path / "part.mat"
            scipy.io.savemat(part, values, format=request.param)
            content = part.read_bytes()
            file.write(content[128:] if k and request.param == "5" else content)
    return tmp_path / "x.mat"


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_the_last_counts(path: Path, engine: Any) -> None:
    with matlens.open(path, engine=engine) as file:
        assert sorted(file) == ["x", "y"] and file["x"].value == 7.0


def test_the_earlier_can_be_read_and_are_told(path: Path) -> None:
    with matlens.open(path) as file:
        assert file["x#1"].value == 1.0 and file.at("x#2").value.tolist() == [[2.0, 3.0]]
        assert file.at(file["x#2"].path).value.tolist() == [[2.0, 3.0]] and "x#1" in file and "x#3" not in file
        assert file.remarks == ["x is stored 3 times: the last counts, the earlier can be read as x#1 to x#2"]
        assert len(file) == 2 and not file.problems
    with pytest.warns(UserWarning, match="x: stored 3 times, the last counts"):
        assert matlens.loadmat(path)["x"] == 7.0


def test_commands_take_the_last(path: Path, tmp_path: Path) -> None:
    assert out("show", str(path), "x").split()[-1] == "7"
    for command in ("ls", "tree", "check"):
        assert "note: x is stored 3 times: the last counts" in out(command, str(path))
    assert out("sql", str(path), "select sum(x1) from x").split()[-1] in ("7", "7.0")
    out("convert", str(path), "-o", f"{tmp_path}/out/")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["x.parquet", "y.parquet"]
    out("convert", str(path), "--var", "x#1", "-o", f"{tmp_path}/first.csv")
    assert (tmp_path / "first.csv").read_text().split() == ['"x1"', "1"]
