"""containers.Map and dictionary: their keys lead to values, one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matlens
from matlens.errors import PathError
from tests import objects as o
from tests.support import CORPUS, out


def container(keys: list[Any], values: list[Any], key_type: str = "char") -> Any:
    stored = o.struct(
        keys=o.cell(*keys), values=o.cell(*values), uniformity=np.array([[False]]),
        keyType=o.char(key_type), valueType=o.char("any"),
    )  # fmt: skip
    return o.made("containers.Map", serialization=stored)


def dictionary(**fields: Any) -> Any:
    return o.made("dictionary", data=o.struct(Version=np.array([[1.0]]), **fields))


@pytest.fixture(scope="module", params=["v7", "v7.3"])
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> matlens.MatFile:
    number, struct = np.array([[1.0]]), o.struct(x=np.array([[5.0]]))
    return o.save(
        tmp_path_factory.mktemp("maps"), request.param,
        one=container([o.char("a")], [number]),
        texts=container([o.char("it's"), o.char("b c")], [o.char("x"), o.char("yz")]),
        mixed=container([o.char("a"), o.char("s")], [np.array([[1.0, 2.0]]), struct]),
        numbers=container([number, np.array([[2.5]])], [o.char("p"), o.char("q")], "double"),
        none=o.made("containers.Map", serialization=np.zeros((0, 0))),
        d1=dictionary(Key=o.string([["key"]]), Value=o.string([["v"]])),
        d2=dictionary(Key=o.string([["k"], ["l"]]), Value=np.array([[5.0], [6.0]])),
        structs=dictionary(Key=o.string([["k"], ["l"]]), Value=o.struct_array([{"x": 1.0}, {"x": 2.0}], (2, 1))),
        cells=dictionary(Key=np.array([[1.0], [2.0]]), Value=o.cell(o.char("u"), number, shape=(2, 1))),
        empty=dictionary(),
        inside=o.struct(m=container([o.char("a")], [struct])),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("one", {"a": 1.0}),
        ("texts", {"it's": "x", "b c": "yz"}),
        ("mixed", {"a": [1.0, 2.0], "s": {"x": 5.0}}),
        ("numbers", {1.0: "p", 2.5: "q"}),
        ("none", {}),
        ("d1", {"key": "v"}),
        ("d2", {"k": 5.0, "l": 6.0}),
        ("structs", {"k": {"x": 1.0}, "l": {"x": 2.0}}),
        ("cells", {1.0: "u", 2.0: 1.0}),
        ("empty", {}),
    ],
)
def test_entries(file: matlens.MatFile, name: str, expected: dict[Any, Any]) -> None:
    node = file[name]
    assert node.to_python() == expected
    assert node.keys() == list(node) == list(expected) and len(node) == node.child_count == len(expected)
    children = node.children()
    for child, (key, value) in zip(children, expected.items(), strict=True):
        assert child.to_python() == value and child.name == str(key)
        assert file.at(child.path).to_python() == value and file.at(child.path).path == child.path
        assert file.at(child.python_path.removeprefix("file")).path == child.path


def test_paths(file: matlens.MatFile) -> None:
    assert file.at("texts('it''s')").value == "x" and file.at('["texts"]["b c"]').value == "yz"
    assert file.at("numbers(2.5)").value == "q" and file.at("inside.m('a').x").value == 5
    assert file["mixed"]["s"]["x"].path == "mixed('s').x"
    for path, message in (("one('b')", "no key 'b'|'b'"), ("numbers(7)", "no key 7"), ("inside('m')", "no keys")):
        with pytest.raises(PathError, match=message):
            file.at(path)


def test_values_that_unify_are_one_column(file: matlens.MatFile) -> None:
    assert file["one"].to_arrow().to_pylist() == [{"key": "a", "value": 1.0}]
    assert file["texts"].to_arrow().to_pylist() == [{"key": "it's", "value": "x"}, {"key": "b c", "value": "yz"}]
    assert file["cells"].to_arrow()["value"].to_pylist() == ['"u"', "1.0"]
    assert [str(note) for note in file["cells"].table().notes] == ["value: char, double do not unify: JSON text"]


def test_only_what_is_shown_is_read(tmp_path: Path) -> None:
    count = 3000
    keys = [o.char(f"k{k}") for k in range(count)]
    values = [o.struct(x=np.full((20, 20), k)) for k in range(count)]
    o.save(tmp_path, "v7", m=container(keys, values)).close()
    with matlens.open(tmp_path / "v7.mat") as file:
        assert len(file["m"].one_line(200)) < 300 and len(repr(file["m"])) < 5000
        assert file.at("m('k7').x(1,1)").value == 7
    shown = out("show", str(tmp_path / "v7.mat"), "m", "--rows", "5").splitlines()
    assert len(shown) < 12 and max(map(len, shown)) < 300


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the project")
def test_a_map_of_the_corpus() -> None:
    (path,) = CORPUS.glob("matkodu+*/**/*.mat")
    with matlens.open(path) as file:
        (node,) = (found for found in file.values() if found.matlab_class == "containers.Map")
        assert len(node) == 15 and node.to_arrow().num_rows == 15
        key = node.keys()[3]
        assert node[key].value == node.value[key]


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the project")
def test_a_map_of_octave_is_a_map() -> None:
    with matlens.open(CORPUS / "made" / "o_map.mat") as file:
        assert file["m"].value == {"k1": 1.0, "k2": "v"} and file.at("m('k2')").value == "v"
        assert file["m2"].keys() == [3.0] and file.at("m2(3)").value.tolist() == [[1, 2]]
        assert file["m2"].to_arrow().to_pylist() == [{"key": 3.0, "value": [1.0, 2.0]}]
