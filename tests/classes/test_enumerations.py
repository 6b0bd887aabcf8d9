"""Members of enumerations are known by name wherever they stand."""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import matlens
from tests import objects as o


class Color(Enum):
    red = {"code": 0.0}  # noqa: RUF012
    green = {"code": 1.0}  # noqa: RUF012


def colors(*names: str, shape: tuple[int, int]) -> Any:
    o.matio()
    from matio.utils.matclass import MatlabEnumerationArray

    array = np.empty(len(names), object)
    array[:] = [Color[name] for name in names]
    return MatlabEnumerationArray(array.reshape(shape, order="F"), "Color")


@pytest.fixture(scope="module", params=["v7", "v7.3"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> matlens.MatFile:
    red, green = colors("red", shape=(1, 1)), colors("green", shape=(1, 1))
    return o.save(
        tmp_path_factory.mktemp("colors"), request.param,
        one=red, two=colors("red", "green", shape=(2, 1)), s=o.struct(c=green), c=o.cell(red, green),
        lists=o.cell(red, colors("green", "red", shape=(1, 2))), obj=o.made("my.Car", color=green, doors=4.0),
        t=o.table(2, c=colors("red", "green", shape=(2, 1))), t1=o.table(1, c=green),
        cells=o.table(2, c=o.cell(red, green, shape=(2, 1))),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "expected"),
    [("one", "red"), ("two", ["red", "green"]), ("s.c", "green"), ("obj.color", "green"), ("t.c", ["red", "green"])],
)
def test_value_and_preview(file: matlens.MatFile, path: str, expected: Any) -> None:
    node = file.at(path)
    assert node.to_python() == expected and node.matlab_class == "Color"
    assert node.numel == (1 if isinstance(expected, str) else len(expected))
    assert node.preview() == (expected if isinstance(expected, str) else f"[{', '.join(expected)}]")


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("two", pa.string(), ["red", "green"]),
        ("s", pa.string(), ["green"]),
        ("c", pa.string(), ["red", "green"]),
        ("lists", pa.list_(pa.string()), [["red"], ["green", "red"]]),
        ("t", pa.string(), ["red", "green"]),
        ("t1", pa.string(), ["green"]),
        ("cells", pa.string(), ["red", "green"]),
        ("obj", pa.string(), ["green"]),
    ],
)
def test_columns(file: matlens.MatFile, path: str, kind: pa.DataType, expected: Any) -> None:
    table = file[path].to_arrow()
    assert table.column(0).type == kind and table.column(0).to_pylist() == expected
    assert not file[path].table().notes
