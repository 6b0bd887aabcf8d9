"""Objects inside structs, cells and tables are structs of their properties, and maps lists of their entries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import matlens
from tests import objects as o
from tests.classes.test_maps import container, dictionary

VERSIONS = ("v7", "v7.3")
POINT = pa.struct({"x": pa.float64(), "name": pa.string()})


def point(k: int) -> Any:
    return o.made("my.Point", x=np.array([[float(k)]]), name=o.char(f"p{k}"))


def told(k: int) -> dict[str, Any]:
    return {"x": float(k), "name": f"p{k}"}


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_objects_wherever_they_stand(tmp_path: Path, version: str) -> None:
    array = o.made_array(point(1), point(2), point(3))
    file = o.save(
        tmp_path, version,
        one=o.struct(p=point(1), n=np.array([[7.0]])),
        records=o.struct_array([{"p": point(k)} for k in range(3)]),
        cell=o.cell(point(1), point(2)),
        arrays=o.cell(array, point(4)),
        deep=o.cell(o.cell(point(1)), o.cell()),
        table=o.table(3, p=o.made_array(point(1), point(2), point(3), shape=(3, 1))),
        wide=o.table(2, p=o.made_array(*map(point, range(4)), shape=(2, 2))),
        cells=o.table(2, p=o.cell(point(5), point(6), shape=(2, 1))),
    )  # fmt: skip
    for name, kind, expected in (
        ("one", POINT, [told(1)]),
        ("records", POINT, [told(0), told(1), told(2)]),
        ("cell", POINT, [told(1), told(2)]),
        ("arrays", pa.list_(POINT), [[told(1), told(2), told(3)], [told(4)]]),
        ("deep", pa.list_(POINT), [[told(1)], []]),
        ("table", POINT, [told(1), told(2), told(3)]),
        ("wide", pa.list_(POINT), [[told(0), told(2)], [told(1), told(3)]]),
        ("cells", POINT, [told(5), told(6)]),
    ):
        table = file[name].to_arrow()
        assert table.column(0).type == kind and table.column(0).to_pylist() == expected, name
        table.validate(full=True)
        assert file[name].table().notes == [] or name in ("arrays", "deep"), name
        again = file[name].to_arrow(form=file[name].form())
        assert again.schema.equals(table.schema) and again.to_pylist() == table.to_pylist(), name


def test_objects_that_differ_share_their_properties(tmp_path: Path, version: str) -> None:
    """One that is shared comes wherever it is referred to; what an object does not have is null."""
    shared, other = point(1), o.made("my.Other", name=o.char("o"), flag=np.array([[True]]))
    with o.save(tmp_path, version, c=o.cell(shared, other, shared, np.zeros((0, 0)))) as file:
        column = file["c"].to_arrow().column(0)
        assert column.type == pa.struct({"name": pa.string(), "x": pa.float64(), "flag": pa.bool_()})
        first = {"name": "p1", "x": 1.0, "flag": None}
        assert column.to_pylist() == [first, {"name": "o", "x": None, "flag": True}, first, None]
        about = json.loads(file["c"].to_arrow().schema.metadata[b"matlens"])["columns"]["c"]
        assert about["class"] == ["double", "my.Other", "my.Point"]


def test_graphs_of_objects_end(tmp_path: Path, version: str) -> None:
    """Objects of a class inside objects of that class, those too deep, and those of too many properties are JSON."""
    node = o.made("my.Node", id=np.array([[1.0]]))
    node.properties["next"] = node
    deep = o.made("A", b=o.made("B", c=o.made("C", d=o.made("D", x=np.array([[5.0]])))))
    wide = o.made("Wide", **{f"p{k}": np.array([[float(k)]]) for k in range(101)})
    with o.save(tmp_path, version, n=o.cell(node), d=o.cell(deep), w=o.cell(wide)) as file:
        table = file["n"].table()
        (row,) = table.read_all().column(0).to_pylist()
        assert row["id"] == 1.0 and json.loads(row["next"]) == {"id": 1.0, "next": "<the my.Node above>"}
        assert [str(note) for note in table.notes] == ["n.next: objects of class my.Node inside of objects: JSON text"]
        (row,) = file["d"].to_arrow().column(0).to_pylist()
        assert json.loads(row["b"]["c"].pop("d")) == {"x": 5.0} and row == {"b": {"c": {}}}
        (text,) = file["w"].to_arrow().column(0).to_pylist()
        assert json.loads(text) == {f"p{k}": float(k) for k in range(101)}


def test_objects_beside_what_is_not_one(tmp_path: Path, version: str) -> None:
    file = o.save(
        tmp_path, version,
        struct=o.cell(point(1), o.struct(x=np.array([[2.0]]))),
        missing=o.cell(point(1), o.made("missing")),
        none=o.cell(o.made("my.Nothing"), o.made("my.Nothing")),
    )  # fmt: skip
    texts = file["struct"].to_arrow().column(0).to_pylist()
    assert [json.loads(text) for text in texts] == [told(1), {"x": 2.0}]
    assert file["missing"].to_arrow().column(0).to_pylist() == [told(1), None]
    assert file["none"].to_arrow().column(0).type == pa.struct({"_": pa.bool_()})


def test_numbers_of_properties_are_exact(tmp_path: Path, version: str) -> None:
    """Which type holds them all is told by their values, in objects as elsewhere."""
    made = [o.made("my.P", n=np.array([[value]])) for value in (np.int64(2**60 + 1), np.float64(3.0))]
    with o.save(tmp_path, version, c=o.cell(*made)) as file:
        column = file["c"].to_arrow().column(0)
        assert column.type == pa.struct({"n": pa.int64()}) and column.to_pylist() == [{"n": 2**60 + 1}, {"n": 3}]


def test_maps_wherever_they_stand(tmp_path: Path, version: str) -> None:
    letters = container([o.char("a"), o.char("bc")], [np.array([[1.0]]), np.array([[2.0]])])
    words = dictionary(Key=o.string([["k"], ["l"], ["m"]]), Value=o.string([["x"], ["y"], ["z"]]))
    mixed = container([o.char("a"), o.char("b")], [np.array([[1.0]]), o.char("t")])
    empty = o.made("containers.Map", serialization=np.zeros((0, 0)))
    file = o.save(
        tmp_path, version,
        alone=letters, words=words, mixed=mixed, empty=empty,
        field=o.struct(m=letters, n=np.array([[1.0]])),
        cell=o.cell(letters, empty, letters),
        values=o.cell(dictionary(Key=np.array([[1.0], [2.0]]), Value=o.cell(o.char("u"), o.char("v"), shape=(2, 1)))),
        table=o.table(2, m=o.cell(letters, empty, shape=(2, 1))),
        objects=o.cell(dictionary(Key=o.string([["k"]]), Value=point(3))),
    )  # fmt: skip
    entries = [{"key": "a", "value": 1.0}, {"key": "bc", "value": 2.0}]
    kind = pa.list_(pa.struct({"key": pa.string(), "value": pa.float64()}))
    assert file["alone"].to_arrow().to_pylist() == entries
    assert file["words"].to_arrow().to_pylist()[2] == {"key": "m", "value": "z"}
    assert file["mixed"].to_arrow()["value"].to_pylist() == ["1.0", '"t"']
    assert file["empty"].to_arrow().num_rows == 0 and file["empty"].to_arrow().schema.names == ["key", "value"]
    assert file["field"].to_arrow().schema.types == [kind, pa.float64()]
    assert file["cell"].to_arrow().column(0).type == kind
    assert file["cell"].to_arrow().column(0).to_pylist() == [entries, [], entries]
    assert file["values"].to_arrow().column(0).to_pylist() == [[{"key": 1.0, "value": "u"}, {"key": 2.0, "value": "v"}]]
    assert file["table"].to_arrow()["m"].to_pylist() == [entries, []]
    assert file["objects"].to_arrow().column(0).to_pylist() == [[{"key": "k", "value": told(3)}]]


def test_objects_and_maps_in_parquet(tmp_path: Path, version: str) -> None:
    letters = container([o.char("a")], [np.array([[1.0]])])
    records = [{"id": np.array([[float(k)]]), "p": point(k), "m": letters} for k in range(3)]
    with o.save(tmp_path, version, r=o.struct_array(records)) as file:
        matlens.convert(file, tmp_path / "out")
    frame = pl.read_parquet(tmp_path / "out" / "r.parquet")
    assert frame["p"].struct.field("name").to_list() == ["p0", "p1", "p2"]
    assert frame["m"].to_list() == [[{"key": "a", "value": 1.0}]] * 3
