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
        assert len(asked) <= count + 20 and sum(map(len, texts)) < 200 * count
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
