"""Function handles and graphs of objects: text without the workspace, each object once, cycles of any kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matlens
from matlens.errors import MatlensError
from matlens.formats.mcos import ObjectTable
from matlens.formats.metadata_values import (
    NOTHING,
    in_metadata,
    metadata_headers,
    metadata_value,
    name_position,
    number_position,
)
from matlens.formats.records import Elements
from tests import objects as o
from tests.support import CORPUS, out

VERSIONS = ("v7", "v7.3")
FIGURE = CORPUS / "HebiRobotics+MFL"
has_corpus = pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the project")


@has_corpus
@pytest.mark.parametrize(
    "command", [["tree"], ["check"], ["show", "--json"], ["convert", "--force", "-o", "OUT/"], ["ls"], ["boxes"]]
)
def test_a_figure_whose_handles_lead_back_to_themselves(command: list[str], tmp_path: Path) -> None:
    (figure,) = FIGURE.rglob("plot-simple.fig")
    arguments = [word.replace("OUT", str(tmp_path)) for word in command]
    shown = out(arguments[0], str(figure), *arguments[1:], code=1 if command == ["boxes"] else 0)
    assert "RecursionError" not in shown and "EnumerationInstanceTag" not in shown
    if command[0] == "convert":
        assert sorted(path.name for path in tmp_path.iterdir()) == ["hgM_070000.parquet", "hgS_070000.parquet"]


@has_corpus
def test_handles_inside_objects_are_handles() -> None:
    """`timeseries` keep the function that interpolates them."""
    (path,) = CORPUS.glob("RakVish1342+MPC_CarSim/**/ref_sig_500m_DLC_ts.mat")
    with matlens.open(path) as file:
        (series,) = file.values()
        handle = series.at("DataInfo.Interpolation.Fhandle{1}")
        assert handle.matlab_class == "function_handle" and handle.value == handle.preview() == "@tsinterp"
        assert series.to_python()["DataInfo"]["Interpolation"]["Fhandle"] == ["@tsinterp", "linear"]
    assert "@tsinterp" in out("tree", str(path), "--depth", "8") and "3707764736" not in out(
        "show", str(path), "--json"
    )


def graph(count: int) -> list[Any]:
    """Objects that know their parent, their children and the next one; the last one leads back to the first."""
    nodes = [o.made("my.Node", id=float(k)) for k in range(count)]
    for k, node in enumerate(nodes):
        below = nodes[5 * k + 1 : 5 * k + 6]
        node.properties["parent"] = nodes[(k - 1) // 5] if k else np.zeros((0, 0))
        node.properties["kids"] = o.cell(*below) if below else np.zeros((0, 0))
        node.properties["next"] = nodes[(k + 1) % count]
    return nodes


@pytest.mark.parametrize("version", VERSIONS)
def test_each_object_of_a_graph_is_read_once(tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 100
    nodes = graph(count)
    with o.save(tmp_path, version, root=nodes[0], c=o.cell(*nodes[:10])) as file:
        asked: list[int] = []
        properties = ObjectTable.properties

        def counted(self: ObjectTable, object_id: int) -> Any:
            asked.append(object_id)
            return properties(self, object_id)

        monkeypatch.setattr(ObjectTable, "properties", counted)
        value = file["root"].value
        assert len(asked) <= count + 1
        assert value["next"]["next"]["parent"] is value and value["kids"][0, 0]["parent"] is value
        asked.clear()
        told = file["root"].to_python()
        assert len(asked) <= count + 1 and len(json.dumps(told)) < 200 * count
        assert told["kids"][0]["parent"] == told["next"] == "<the my.Node above>"
        asked.clear()
        texts = file["c"].to_arrow()["c"].to_pylist()
        assert len(asked) <= count + 20 and len(str(texts)) < 200 * count
        with pytest.raises(MatlensError, match="no bounding boxes"):
            matlens.boxes.read(file)
        assert list(matlens.diff(file, file)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_long_chain_of_objects(tmp_path: Path, version: str) -> None:
    # mat-io itself goes down the chain.
    nodes = [o.made("my.Link", id=float(k)) for k in range(90)]
    for k, node in enumerate(nodes[:-1]):
        node.properties["next"] = nodes[k + 1]
    with o.save(tmp_path, version, first=nodes[0]) as file:
        value, length = file["first"].value, 1
        while "next" in value and isinstance(value["next"], dict):
            value, length = value["next"], length + 1
        assert length == 90
        with pytest.raises(MatlensError, match=r"Limits\.depth"):
            file["first"].to_python()


@has_corpus
def test_an_object_without_properties(tmp_path: Path) -> None:
    (path,) = FIGURE.rglob("simpleempty.mat")
    for suffix in ("parquet", "arrow", "json", "jsonl", "sqlite", "npz"):
        out("convert", str(path), "-o", str(tmp_path / f"x.{suffix}"))
        assert (tmp_path / f"x.{suffix}").exists()
    with matlens.open(path) as file:
        (node,) = file.values()
        assert node.to_pandas().shape[0] == 1 and node.to_python() == {}


@has_corpus
def test_values_in_the_metadata_of_objects_are_values_as_others_are() -> None:
    """Whole numbers and members of enumerations have no cell: once numbers were true, and neither was in any table."""
    (figure,) = FIGURE.rglob("plot-simple.fig")
    with matlens.open(figure) as file:
        window = file.at("hgM_070000.GraphicsObjects.Format3Data")
        found = {child.name: child for child in window.children()}
        assert list(found) == list(window.value)
        assert found["Copyable"].value.dtype == np.int32 and found["Copyable"].to_python() == 1
        assert (found["NextPlotMode"].matlab_class, found["NextPlotMode"].value) == ("char", "manual")
        position = found["StoragePosition"]
        assert position.to_python()["ScreenResolution_I"] == position["ScreenResolution_I"].to_python() == 96
        row = position.to_arrow().to_pylist()[0]
        assert (row["ScreenResolution_I"], row["Units_I"]) == (96, "pixels")
        assert position["Units_I"].storage() == {"type": "metadata of objects"}


def test_positions_of_values_in_the_metadata() -> None:
    names = ["", "on", "é😀"]
    places = np.array(
        [number_position(v) for v in (0, 96, -1, 2**31 - 1)] + [name_position(1), name_position(2), NOTHING]
    )
    assert in_metadata(places).all() and not in_metadata(np.array([0, 2**62, -1])).any()
    headers = metadata_headers(Elements(3, places), names.__getitem__)
    assert [headers.class_name(i) for i in range(7)] == ["int32"] * 4 + ["char"] * 2 + ["double"]
    assert [headers.shape(i) for i in range(3, 7)] == [(1, 1), (1, 2), (1, 3), (0, 0)]
    values = [metadata_value(int(place), names.__getitem__) for place in places]
    assert [int(value[0]) for value in values[:4]] == [0, 96, -1, 2**31 - 1]
    assert values[5].tobytes().decode("utf-16") == "é😀" and values[6].size == 0
