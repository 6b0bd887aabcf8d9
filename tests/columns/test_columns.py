"""Elements to Arrow: types, nulls, promotion, nesting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from mat73_writer import Mat73Writer

import matlens
from matlens.export.writers.parquet import write_parquet
from tests.support import FIXTURES


def records(**fields: list[Any]) -> Any:
    """A 1xn struct array in loadmat form."""
    count = len(next(iter(fields.values())))
    array = np.empty((1, count), [(name, object) for name in fields])
    for name, values in fields.items():
        for i, value in enumerate(values):
            array[name][0, i] = value
    return array


def num(*rows: Any, dtype: str = "f8") -> Any:
    return np.atleast_2d(np.array(rows if len(rows) != 1 else rows[0], dtype))


@pytest.fixture(params=["loadmat", "v73"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Builds the Arrow table of a struct array, through memory or through a v7.3 file."""

    def build(**fields: list[Any]) -> pa.Table:
        array = records(**fields)
        if request.param == "loadmat":
            return matlens.from_loadmat({"s": array})["s"].to_arrow()
        path = tmp_path / "s.mat"
        with Mat73Writer(path) as writer:
            writer.write("s", array)
        with matlens.open(path) as file:
            return file["s"].to_arrow()

    return build


def column(table: pa.Table, name: str) -> Any:
    return table[name].combine_chunks()


def test_scalars_take_the_type_of_their_class(table: Any) -> None:
    found = table(
        d=[num(1.5), num(2)], u=[num(1, dtype="u1"), num(255, dtype="u1")], b=[np.array([[True]]), np.array([[False]])]
    )
    assert found.schema.types == [pa.float64(), pa.uint8(), pa.bool_()]
    assert found.to_pylist() == [{"d": 1.5, "u": 1, "b": True}, {"d": 2.0, "u": 255, "b": False}]


def test_int64_is_exact(table: Any) -> None:
    big = 2**63 - 1
    found = table(i=[np.array([[big]], np.int64), np.array([[-big]], np.int64)])
    assert found["i"].to_pylist() == [big, -big]


def test_promotion_is_to_the_smallest_exact_type(table: Any) -> None:
    found = table(
        a=[num(200, dtype="u1"), num(60000, dtype="u2")],
        b=[num(200, dtype="u1"), num(-3, dtype="i1")],
        c=[num(2, dtype="i4"), num(0.5)],
        d=[np.array([[2**60 + 1]], np.int64), num(7.0)],
    )
    assert found.schema.types == [pa.uint16(), pa.int16(), pa.float64(), pa.int64()]
    assert found["d"].to_pylist() == [2**60 + 1, 7]
    notes = json.loads(found.schema.metadata[b"matlens"])["notes"]
    assert any("promoted" in note for note in notes)


def test_what_no_number_type_holds_becomes_text_and_is_noted(table: Any) -> None:
    found = table(x=[np.array([[2**60 + 1]], np.int64), num(0.5)])
    assert found["x"].to_pylist() == [str(2**60 + 1), "0.5"]
    assert "do not unify" in json.loads(found.schema.metadata[b"matlens"])["notes"][0]


def test_equal_dims_become_fixed_lists_row_major(table: Any) -> None:
    matrix = np.array([[1.0, 2, 3], [4, 5, 6]])
    found = table(
        row=[num(1, 2, 3, 4), num(5, 6, 7, 8)], m=[matrix, matrix + 10], column=[num([[1], [2]]), num([[3], [4]])]
    )
    assert found.schema.field("row").type == pa.list_(pa.float64(), 4)
    assert found["m"].to_pylist() == [[[1, 2, 3], [4, 5, 6]], [[11, 12, 13], [14, 15, 16]]]
    assert found["column"].to_pylist() == [[1, 2], [3, 4]]


def test_three_dims(table: Any) -> None:
    cube = np.arange(24.0).reshape(2, 3, 4)
    found = table(c=[cube, cube + 1])
    np.testing.assert_array_equal(np.array(found["c"].to_pylist()), [cube, cube + 1])


def test_ragged_rows(table: Any) -> None:
    boxes = [num([[1, 2, 3, 4], [5, 6, 7, 8]]), np.zeros((0, 0)), num([[9, 10, 11, 12]]), np.zeros((0, 4))]
    found = table(boxes=boxes)
    assert found.schema.field("boxes").type == pa.list_(pa.list_(pa.float64(), 4))
    assert found["boxes"].to_pylist() == [[[1, 2, 3, 4], [5, 6, 7, 8]], None, [[9, 10, 11, 12]], []]


def test_ragged_vectors_and_free_dims(table: Any) -> None:
    free = [np.array([[1.0, 2], [3, 4]]), np.array([[5.0, 6, 7]]), np.zeros((0, 0)), np.ones((3, 1))]
    found = table(v=[num(1, 2, 3), num(4), np.zeros((1, 0)), np.zeros((0, 0))], f=free)
    assert found["v"].to_pylist() == [[1, 2, 3], [4], [], None]
    assert found["f"].to_pylist() == [
        {"data": [1, 2, 3, 4], "shape": [2, 2]},
        {"data": [5, 6, 7], "shape": [1, 3]},
        None,
        {"data": [1, 1, 1], "shape": [3, 1]},
    ]


def test_text(table: Any) -> None:
    found = table(
        t=[np.array([list("naïve")]), np.array([list("日本")]), np.zeros((0, 0), "U1")],
        m=[np.array([list("ab"), list("cd")]), np.array([list("ef")]), np.array([["g"]])],
    )
    assert found["t"].to_pylist() == ["naïve", "日本", ""]
    assert found["m"].to_pylist() == [["ab", "cd"], ["ef"], ["g"]]


def test_complex(table: Any) -> None:
    found = table(z=[np.array([[1 + 2j]]), np.array([[3 - 4j]])])
    assert found["z"].to_pylist() == [{"real": 1, "imag": 2}, {"real": 3, "imag": -4}]


def cell(*items: Any) -> Any:
    array = np.empty((1, len(items)), object)
    for i, item in enumerate(items):
        array[0, i] = item
    return array


def test_cells(table: Any) -> None:
    text = [np.array([list(word)]) for word in ("a", "bc", "d")]
    found = table(c=[cell(*text[:2]), cell(), cell(text[2])], n=[cell(num(1), num(2)), cell(num(3)), cell()])
    assert found["c"].to_pylist() == [["a", "bc"], [], ["d"]]
    assert found["n"].to_pylist() == [[1, 2], [3], []]


def test_mixed_cells_become_json_text(table: Any) -> None:
    found = table(c=[cell(num(1), np.array([list("two")]), num(1, 2)), cell()])
    assert [json.loads(item) for item in found["c"].to_pylist()[0]] == [1, "two", [1, 2]]
    (note,) = json.loads(found.schema.metadata[b"matlens"])["notes"]
    assert note.startswith("c{}: ") and note.endswith("do not unify: JSON text")


def test_nested_structs(table: Any) -> None:
    one = records(x=[num(1)], y=[num(2)])
    two = records(x=[num(3), num(4)], y=[num(5), num(6)])
    found = table(scalar=[one, one], ragged=[one, two])
    assert found["scalar"].to_pylist() == [{"x": 1, "y": 2}] * 2
    assert found["ragged"].to_pylist() == [[{"x": 1, "y": 2}], [{"x": 3, "y": 5}, {"x": 4, "y": 6}]]


def test_structs_with_different_fields(table: Any) -> None:
    found = table(s=[records(a=[num(1)], b=[num(2)]), records(b=[num(3)]), records(a=[num(4)])])
    assert found["s"].to_pylist() == [{"a": 1, "b": 2}, {"a": None, "b": 3}, {"a": 4, "b": None}]


def test_sparse(table: Any) -> None:
    import scipy.sparse

    matrix = scipy.sparse.csc_array(([5.0, 6.0], ([1, 0], [0, 2])), shape=(2, 3))
    found = table(s=[matrix, matrix * 2])
    assert found["s"].to_pylist()[1] == {"row": [1, 0], "col": [0, 2], "value": [10, 12], "shape": [2, 3]}


@pytest.mark.parametrize("version", ["v6", "v7", "v73"])
def test_annotations(version: str) -> None:
    with matlens.open(FIXTURES / f"annotations_{version}.mat") as file:
        found = file["annotations"].to_arrow()
    assert found.num_rows == 70
    assert found["boxes"].to_pylist()[2] == [[165, 119, 218, 176], [218, 150, 284, 212], [271, 181, 350, 248]]
    assert found["labels"].to_pylist()[2] == ["van", "person", "car"]
    assert found["size"].to_pylist()[0] == [480, 640]
    about = json.loads(found.schema.metadata[b"matlens"])
    assert about["variable"] == "annotations" and about["dims"] == [1, 70]
    assert about["columns"]["reviewed"] == {"class": ["logical"], "dims": [1, 1]}


def test_tables_of_other_nodes() -> None:
    with matlens.open(FIXTURES / "kinds_v7.mat") as file:
        assert file.at("numbers.f64").to_arrow().column_names == ["x1", "x2", "x3"]
        assert file.at("text.matrix").to_arrow()["text"].to_pylist() == ["abc", "def"]
        assert file["sparse_real"].to_arrow().to_pylist()[0] == {"row": 0, "col": 0, "value": 10.0}
        assert file["nested"].to_arrow().to_pylist() == [{"level1": {"level2": {"level3": "deep"}}}]
        assert file["no_fields"].to_arrow().num_columns == 0
        assert file["structs"]["a"].to_pandas().shape == (3, 1)
    with matlens.open(FIXTURES / "faces_v7.mat") as file:
        assert file["event_list"].to_arrow()["event_list"].to_pylist() == ["0--Parade", "1--Handshaking"]
        assert len(file["face_bbx_list"].to_arrow()["face_bbx_list"][0]) == 3


def test_parquet_opens_in_pandas_duckdb_and_polars(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    polars = pytest.importorskip("polars")
    import pandas as pd

    path = tmp_path / "a.parquet"
    with matlens.open(FIXTURES / "annotations_v7.mat") as file:
        expected = file["annotations"].to_arrow()
    write_parquet(expected, path)
    rows = expected.to_pylist()
    assert polars.read_parquet(path).to_dicts() == rows
    relation = duckdb.sql(f"select * from '{path}'")
    found = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    for left, right in zip(found, rows, strict=True):
        boxes = None if left["boxes"] is None else [list(box) for box in left["boxes"]]
        assert left | {"boxes": boxes, "size": list(left["size"])} == right
    frame = pd.read_parquet(path)
    assert frame["image"].tolist() == expected["image"].to_pylist()
    assert [None if b is None else [list(x) for x in b] for b in frame["boxes"]] == expected["boxes"].to_pylist()


def test_stanford_cars_equal_scipy_and_pandas(car_annotations: Path) -> None:
    import pandas as pd
    import scipy.io

    with matlens.open(car_annotations) as file:
        found = file["annotations"].to_pandas()
    loaded = scipy.io.loadmat(car_annotations, squeeze_me=True, mat_dtype=True)["annotations"]
    expected = pd.DataFrame.from_records(loaded)
    pd.testing.assert_frame_equal(found, expected.infer_objects().astype(found.dtypes.to_dict()))
