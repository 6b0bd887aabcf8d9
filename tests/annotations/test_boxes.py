"""Conventions, inference, and boxes found in files of every shape."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

import matlens
from matlens import boxes
from matlens.annotations import CONVENTIONS, convert
from matlens.annotations.evidence import judge
from matlens.errors import AmbiguousConvention, NoBoxesFound, PathError, ShapeMismatch, UnsupportedValue
from matlens.export.writers.parquet import write_parquet
from tests.support import FIXTURES

# The region of rows 5 to 10 and columns 7 to 15, counted from 1, in an image of 640x480.
SIZE = (640, 480)
EXAMPLE = {
    "xyxy": [6, 4, 15, 10],
    "xyxy1": [7, 5, 15, 10],
    "xywh": [6, 4, 9, 6],
    "xywh1": [7, 5, 9, 6],
    "matlab": [6.5, 4.5, 9, 6],
    "xxyy": [6, 15, 4, 10],
    "yyxx": [4, 10, 6, 15],
    "cxcywh": [10.5, 7, 9, 6],
    "yolo": [10.5 / 640, 7 / 480, 9 / 640, 6 / 480],
    "rowcol": [4, 6, 10, 15],
}


@pytest.mark.parametrize(("source", "target"), list(itertools.product(EXAMPLE, EXAMPLE)))
def test_the_fixed_example_in_every_direction(source: str, target: str) -> None:
    found = convert(EXAMPLE[source], source, target, SIZE)
    np.testing.assert_allclose(found, EXAMPLE[target], rtol=1e-12)


def test_the_example_covers_every_convention() -> None:
    assert set(EXAMPLE) == set(CONVENTIONS)


def test_convert_takes_any_leading_shape_and_leaves_its_input() -> None:
    given = np.array([[[7, 5, 15, 10]] * 3] * 2)
    found = convert(given, "xyxy1", "xywh")
    assert found.shape == (2, 3, 4) and given[0, 0].tolist() == [7, 5, 15, 10]
    assert convert(np.zeros((0, 4)), "xywh", "rowcol").shape == (0, 4)


def test_convert_refuses() -> None:
    with pytest.raises(ShapeMismatch, match=r"shape \(2, 5\)"):
        convert(np.zeros((2, 5)), "xyxy", "xywh")
    with pytest.raises(UnsupportedValue, match="no box convention 'xyhw'"):
        convert(np.zeros((2, 4)), "xyhw", "xywh")
    with pytest.raises(UnsupportedValue, match="image_size"):
        convert(np.zeros((2, 4)), "yolo", "xywh")


def sample(count: int, seed: int = 0) -> Any:
    """Canonical integer boxes inside 640x480, one of them at the origin."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, [600, 440], (count, 2))
    low[0] = 0
    size = rng.integers(5, 40, (count, 2))
    return np.hstack([low, low + size]).astype(float)


@pytest.mark.parametrize("convention", ["xyxy", "xyxy1", "xywh", "xywh1", "matlab", "xxyy"])
def test_inference_from_values(convention: str) -> None:
    found = judge(convert(sample(200), "xyxy", convention), "bbox")
    assert found.convention == convention
    assert found.require() == convention and found.reasons


def test_inference_never_trusts_the_first_row() -> None:
    rows = convert(sample(100), "xyxy", "xywh1")
    rows[0] = [17, 59, 174, 182]  # could be corners
    assert judge(rows, "bound").convention == "xywh1"


def test_few_slips_do_not_change_the_verdict() -> None:
    rows = convert(sample(1000), "xyxy", "xyxy1")
    rows[5] = [50, 60, 40, 30]
    found = judge(rows, "bbox")
    assert found.convention == "xyxy1" and found.violations["xyxy"] == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [("bbox_xywh", "xywh"), ("boxes_ltrb", "xyxy"), ("face_rect", "xywh"), ("box_rowcol", "rowcol")],
)
def test_names_decide_where_values_do_not(name: str, expected: str) -> None:
    assert judge(np.array([[10.0, 20, 50, 60]]), name).layout == expected


def test_undecided_says_so() -> None:
    found = judge(np.array([[10.0, 20, 50, 60]]), "bbox")
    assert found.convention is None
    with pytest.raises(AmbiguousConvention, match="--convention"):
        found.require()


def test_bounding_box_of_regionprops() -> None:
    assert judge(np.array([[6.5, 4.5, 9, 6]]), "BoundingBox").convention == "matlab"


def test_stanford_cars(car_annotations: Path) -> None:
    with matlens.open(car_annotations) as file:
        (source,) = boxes.find(file)
        table = boxes.read(file)
        assert float(np.sum(source.reading.values[:, 0])) == 528_601
    assert source.convention == "xyxy1" and table.num_rows == 8144
    first = table.slice(0, 1).to_pylist()[0]
    assert first == {
        "source": "annotations(1)",
        "image": "00001.jpg",
        "label": "Audi TTS Coupe 2012",
        "xmin": 38.0,
        "ymin": 115.0,
        "xmax": 569.0,
        "ymax": 375.0,
        "class": 14.0,
    }
    # The names stand in a neighbour of the file.
    assert (
        source.classes is not None and source.classes.origin == "cars_meta.mat: class_names, 196 names counted from 1"
    )


def test_jhmdb_is_corner_and_size(corpus: Callable[[str], Path]) -> None:
    with matlens.open(corpus("gkioxari+ActionTubes/jhmdb_annot.mat")) as file:
        (source,) = boxes.find(file)
        table = source.to_arrow()
    assert source.layout == "xywh" and source.convention == "xywh1"
    assert source.evidence.violations["xyxy"] > 10_000 and len(source) == 31_838
    assert max(table["xmax"].to_pylist()) == 320 and max(table["ymax"].to_pylist()) == 240
    assert table["label"][0].as_py() == "brush_hair"


def test_300w_is_xxyy(corpus: Callable[[str], Path]) -> None:
    with matlens.open(corpus("zhusz+CVPR15-CFSS/raw_300W_release.mat")) as file:
        (source,) = boxes.find(file)
        table = source.to_arrow()
    assert source.convention == "xxyy" and source.image == "nameList"
    row = table.slice(0, 1).to_pylist()[0]
    assert [row["xmin"], row["ymin"], row["xmax"], row["ymax"]] == [556.165461, 543.384109, 1090.765867, 1075.83676]


def assert_opens_everywhere(table: Any) -> None:
    """The Parquet file has the same rows in pandas, DuckDB and polars."""
    duckdb = pytest.importorskip("duckdb")
    polars = pytest.importorskip("polars")
    import pandas as pd

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "boxes.parquet"
        write_parquet(table, path)
        rows = table.to_pylist()
        assert polars.read_parquet(path).to_dicts() == rows
        frame = pd.read_parquet(path)
        relation = duckdb.sql(f"select * from '{path}'").fetchall()
        for k, name in enumerate(table.column_names):
            expected = [list(row[name]) if isinstance(row[name], list) else row[name] for row in rows]
            for found in (frame[name].tolist(), [row[k] for row in relation]):
                assert [list(v) if isinstance(v, tuple | np.ndarray) else v for v in found] == expected


@pytest.mark.parametrize("version", ["v6", "v7", "v73"])
def test_ragged_boxes_of_70_images(version: str) -> None:
    with matlens.open(FIXTURES / f"annotations_{version}.mat") as file:
        (source,) = boxes.find(file)
        table = source.to_arrow()
    assert table.num_rows == 140 == sum(k % 5 for k in range(1, 71))
    assert_opens_everywhere(table)
    assert source.convention == "xyxy1"
    seventh = [row for row in table.to_pylist() if row["image"] == "00007.jpg"]
    assert [row["source"] for row in seventh] == ["annotations(7).boxes(1,:)", "annotations(7).boxes(2,:)"]
    # make_fixtures.m: x = 1 + mod(37k + 53j, 500), w = 20 + mod(7k + 13j, 100), label 1 + mod(k + j, 3)
    assert seventh[0]["xmin"] == (37 * 7 + 53) % 500
    assert seventh[0]["xmax"] == (37 * 7 + 53) % 500 + 20 + (7 * 7 + 13) % 100
    assert [row["label"] for row in seventh] == ["person", "car"]
    assert seventh[0]["reviewed"] is False and seventh[0]["size"] == [480, 640]


@pytest.mark.parametrize("version", ["v7", "v73"])
def test_cells_of_boxes_beside_cells_of_names(version: str) -> None:
    with matlens.open(FIXTURES / f"faces_{version}.mat") as file:
        (source,) = boxes.find(file)
        rows = source.to_arrow().to_pylist()
    assert source.layout == "xywh" and len(rows) == 2 + 3 + 4 + 3 + 4
    third = next(row for row in rows if row["source"] == "face_bbx_list{2}{1}(2,:)")
    assert third["image"] == "h_1" and third["event_list"] == "1--Handshaking"
    assert [third["xmin"], third["ymin"]] == [60 * 2 + 2 - 1, 100 - 1 - 1]


@pytest.mark.parametrize("version", ["v7", "v73"])
def test_boxes_in_nested_structs(version: str) -> None:
    with matlens.open(FIXTURES / f"digits_{version}.mat") as file:
        (source,) = boxes.find(file)
        rows = source.to_arrow().to_pylist()
    assert source.convention == "xywh1" and len(rows) == sum(1 + k % 3 for k in range(1, 7))
    assert rows[1]["source"] == "digitStruct(1).bbox(2)" and rows[1]["image"] == "1.png" and rows[1]["label"] == 3
    assert [rows[1][k] for k in ("xmin", "ymin", "xmax", "ymax")] == [10, 4, 10 + 11, 4 + 21]


def find_in(**variables: Any) -> Any:
    return boxes.find(matlens.from_loadmat(variables))


def test_scalar_struct_and_single_variables() -> None:
    record = np.empty((1, 1), [(name, object) for name in ("filename", "xmin", "ymin", "xmax", "ymax")])
    for name, value in zip(record.dtype.names or (), ("a.jpg", 0.0, 3.0, 9.0, 8.0), strict=True):
        record[name][0, 0] = value
    (source,) = find_in(annotation=record)
    assert source.convention == "xyxy" and source.image == "filename"
    assert source.to_arrow().to_pylist()[0]["xmax"] == 9.0


def test_wide_rows_keep_class_and_score() -> None:
    rows = np.hstack([convert(sample(50), "xyxy", "xyxy1"), np.arange(50)[:, None], np.full((50, 1), 0.5)])
    (source,) = find_in(boxes=rows)
    table = source.to_arrow()
    assert table["boxes_5"].to_pylist() == list(range(50)) and table["boxes_6"][0].as_py() == 0.5


def test_labels_in_a_list_beside_the_rows() -> None:
    array = np.empty((1, 2), [("img", object), ("bb", object), ("cls", object)])
    rows = convert(sample(20), "xyxy", "xyxy1")
    for i, part in enumerate((slice(0, 12), slice(12, 20))):
        array["img"][0, i], array["bb"][0, i] = f"{i}.png", rows[part]
        array["cls"][0, i] = np.arange(part.start, part.stop, dtype=float)[:, None]
    (source,) = find_in(data=array)
    table = source.to_arrow()
    assert source.label == "cls" and table["label"].to_pylist() == list(range(20))
    assert table["image"].to_pylist() == ["0.png"] * 12 + ["1.png"] * 8


def test_overrides() -> None:
    file = matlens.open(FIXTURES / "annotations_v7.mat")
    table = boxes.read(file, convention="xywh", image_field="labels", label_field="image")
    first = table.slice(0, 1).to_pylist()[0]
    assert first["image"] == "person" and first["label"] == "00001.jpg"
    assert [first[k] for k in ("xmin", "ymin", "xmax", "ymax")] == [91, 61, 91 + 130, 61 + 96]
    assert json.loads(table.schema.metadata[b"matlens"])["boxes"]["inferred"] is False
    with pytest.raises(PathError, match="no field 'nme'"):
        boxes.read(file, image_field="nme")
    assert boxes.read(file, "annotations.boxes").num_rows == 140
    with pytest.raises(NoBoxesFound, match=r"annotations_v7.mat: no bounding boxes in annotations.size\(1\)"):
        boxes.read(file, "annotations.size(1)")


def test_path_takes_any_four_numbers() -> None:
    file = matlens.from_loadmat({"stuff": convert(sample(30), "xyxy", "xywh")})
    assert boxes.find(file) == []
    assert boxes.find(file, "stuff")[0].convention == "xywh"


def test_no_boxes(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"a": np.eye(4)})
    with matlens.open(tmp_path / "x.mat") as file, pytest.raises(NoBoxesFound, match=r"x\.mat: no bounding boxes"):
        boxes.read(file)


def test_several_sources_become_one_table() -> None:
    file = matlens.from_loadmat({"train_boxes": sample(30), "test_boxes": sample(40, 1)})
    table = boxes.read(file)
    assert table.num_rows == 70
    assert table["source"][69].as_py() == "test_boxes(40,:)"


def test_a_damaged_sibling_does_not_hide_boxes() -> None:
    file = matlens.from_loadmat({"boxes": sample(30), "when": np.array(["2020"], "M8[Y]")})
    problems: list[Any] = []
    assert len(boxes.find(file, problems=problems)) == 1
    assert "datetime64" in str(problems[0])


def record(**fields: Any) -> Any:
    array = np.empty((1, 1), [(name, object) for name in fields])
    for name, value in fields.items():
        array[name][0, 0] = value
    return array


def test_names_above_are_carried_down() -> None:
    # As the annotations of PASCAL VOC: a file name above a struct array of objects.
    corners = [record(xmin=float(k), ymin=3.0, xmax=k + 9.0, ymax=8.0) for k in range(1, 4)]
    objects = np.empty((1, 3), [("class", object), ("bndbox", object)])
    for k in range(3):
        objects["class"][0, k], objects["bndbox"][0, k] = f"kind{k}", corners[k]
    (source,) = find_in(annotation=record(filename="a.jpg", object=objects))
    rows = source.to_arrow().to_pylist()
    assert [row["image"] for row in rows] == ["a.jpg"] * 3 and [row["label"] for row in rows] == [
        "kind0",
        "kind1",
        "kind2",
    ]
    assert rows[2]["source"] == "annotation.object(3)" and rows[2]["xmin"] == 2
    (single,) = find_in(annotation=record(filename="a.jpg", object=record(**{"class": "dog", "bndbox": corners[0]})))
    assert single.image == "filename" and single.label == "class"
    (matrix,) = find_in(image_path="b.png", boxes=sample(20))
    assert matrix.to_arrow()["image"].to_pylist() == ["b.png"] * 20
