"""What stands beside boxes: other boxes, labels by the stem of a name, numbers of images and frames, and paths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from matlens import boxes
from matlens.annotations import BoxSource, convert
from tests.annotations.layouts import cell, struct, structs
from tests.annotations.test_detection import made

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def found_in(tmp_path: Path, **variables: Any) -> dict[tuple[str, ...], BoxSource]:
    scipy.io.savemat(tmp_path / "a.mat", variables, long_field_names=True)
    return {source.fields: source for source in boxes.find(tmp_path / "a.mat")}


# --- other boxes ---------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "two"), [("xywh1", "xywh1"), ("xyxy1", "xywh"), ("matlab", "xyxy")])
def test_other_boxes_are_converted(tmp_path: Path, one: str, two: str) -> None:
    """They stood there as they are stored, in a convention that nothing told."""
    mine, others = (made(40, "xyxy", seed) for seed in (1, 2))
    records = [
        {"im": f"{k}.jpg", "sub_box": a[None], "obj_box": b[None] if k != 7 else np.zeros((0, 0))}
        for k, (a, b) in enumerate(zip(convert(mine, "xyxy", one), convert(others, "xyxy", two), strict=True))
    ]
    found = found_in(tmp_path, s=structs(records))
    table = found["sub_box",].to_arrow()
    expected = [None if k == 7 else row for k, row in enumerate(others.tolist())]
    assert table["obj_box"].to_pylist() == expected and "sub_box" not in table.column_names
    table = found["obj_box",].to_arrow()
    kept = np.delete(mine, 7, axis=0)
    assert table["sub_box"].to_pylist() == kept.tolist() and table.num_rows == 39
    # One that is asked for by its path, too.
    table = boxes.read(tmp_path / "a.mat", "s.sub_box")
    assert table["obj_box"].to_pylist() == expected


def test_other_boxes_of_four_fields_and_of_no_convention(tmp_path: Path) -> None:
    rows = made(30, "xyxy1")
    records = [
        {"im": f"{k}.jpg", "bbox": row[None], "face_box": np.array([[10.0, 20, 50, 60]])}
        | {f"head_{name}": x + 1 for name, x in zip(CORNERS, row.tolist(), strict=True)}
        for k, row in enumerate(rows)
    ]
    source = found_in(tmp_path, s=structs(records))["bbox",]
    table = source.to_arrow()
    head = convert(rows + 1, "xyxy1", "xyxy").tolist()
    assert table["head"].to_pylist() == head and not {f"head_{name}" for name in CORNERS} & set(table.column_names)
    assert source.left_out == ["face_box"] and "face_box" not in table.column_names


def test_many_boxes_of_a_record_are_not_repeated(tmp_path: Path) -> None:
    """A struct of 2,000 boxes took minutes: each had all others beside it."""
    rows = made(60, "xyxy1")
    fields = {f"f{k}_bbox": row[None] for k, row in enumerate(rows)}
    found = found_in(tmp_path, s=structs([fields | {"im": "a.jpg"}, fields | {"im": "b.jpg"}]))
    assert len(found) == 60
    source = found["f3_bbox",]
    assert source.to_arrow().column_names == ["source", "image", "label", *CORNERS] and len(source.left_out) == 59


# --- labels --------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("head", "body"), ("person", "dog"), ("left", "right")])
@pytest.mark.parametrize("form", ["{}_box", "{}_bbox", "bbox_{}", "{}Box"])
def test_the_label_has_the_stem_of_its_boxes(tmp_path: Path, names: tuple[str, str], form: str) -> None:
    texts = {names[0]: list("abcd"), names[1]: list("xyyx")}
    records: list[dict[str, Any]] = [{"im": f"{k}.jpg"} for k in range(12)]
    for seed, name in enumerate(names):
        for k, row in enumerate(made(12, seed=seed)):
            records[k] |= {form.format(name): row[None], name: texts[name][k % 4]}
    found = found_in(tmp_path, s=structs(records))
    for name in names:
        source = found[form.format(name),]
        assert source.label == name and source.to_arrow("xywh1")["label"].to_pylist() == texts[name] * 3


# --- images by number ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["image_id", "img_idx", "imageNumber", "frame", "frame_no", "image"])
def test_numbers_of_images(tmp_path: Path, name: str) -> None:
    numbers = np.repeat(np.arange(3.0, 13), 3)
    rows = made(30)
    flat = {"bbox": rows, name: numbers[:, None]}
    records = [{"bbox": row[None], name: number} for row, number in zip(rows, numbers.tolist(), strict=True)]
    nested = [{name: 3.0 + k, "object": structs([{"bbox": rows[[3 * k + j]]} for j in range(3)])} for k in range(10)]
    for variables in (flat, {"d": struct(**flat)}, {"s": structs(records)}, {"s": structs(nested)}):
        (source,) = found_in(tmp_path, **variables).values()
        table = source.to_arrow("xywh1")
        assert source.image == name and table["image"].to_pylist() == [str(int(number)) for number in numbers]
        assert table.column_names.count(name) == (name == "image")
        assert source.image_rows()["image"][0].as_py() == "3"


def test_what_is_no_number_of_an_image(tmp_path: Path) -> None:
    rows = made(30)
    for column in (np.arange(30) + 0.5, np.arange(-1.0, 29), np.full(30, np.nan)):
        (source,) = found_in(tmp_path, bbox=rows, image_id=column[:, None]).values()
        assert source.image is None
    (source,) = found_in(tmp_path, bbox=rows, image_width=np.full((30, 1), 640.0)).values()
    assert source.image is None
    # A name tells more, and the frame of a video has its own column.
    names = cell(["clip.avi"] * 30)
    (source,) = found_in(tmp_path, bbox=rows, frame=np.arange(1.0, 31)[:, None], video=names).values()
    table = source.to_arrow("xywh1")
    assert source.image == "video" and table["frame"].to_pylist() == list(range(1, 31))
    assert table.column_names[:4] == ["source", "image", "frame", "label"]


# --- paths ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lying", [True, False])
def test_four_vectors_have_a_path_for_each_box(tmp_path: Path, lying: bool) -> None:
    rows = made(12, "xyxy")
    fields = {name: rows[:, k].reshape((1, -1) if lying else (-1, 1)) for k, name in enumerate(CORNERS)}
    for variables, base in ((fields, ""), ({"s": struct(**fields)}, "s."), ({"a": struct(b=struct(**fields))}, "a.b.")):
        (source,) = found_in(tmp_path, **variables, names=cell([f"{k}.jpg" for k in range(12)])).values()
        told = source.to_arrow()["source"].to_pylist()
        assert told == [f"{base}xmin({k})" for k in range(1, 13)] and source.variable == f"{base}xmin"
        (again,) = boxes.find(tmp_path / "a.mat", source.variable)
        assert len(again) == 12
    records = structs([dict(zip(CORNERS, row, strict=True)) for row in rows.tolist()])
    (source,) = found_in(tmp_path, s=records).values()
    assert source.to_arrow()["source"].to_pylist() == [f"s({k})" for k in range(1, 13)]


def test_a_row_of_labels_beside_rows_of_boxes(tmp_path: Path) -> None:
    """It was taken for many numbers of one record."""
    rows, numbers = made(12), np.array([1.0, 3, 2, 2, 1, 1, 3, 2, 1, 3, 3, 1])
    for labels in (numbers[None], numbers[:, None]):
        (source,) = found_in(tmp_path, boxes=rows, labels=labels).values()
        assert source.to_arrow("xywh1")["label"].to_pylist() == numbers.tolist()
        fields = {name: rows[:, [k]].reshape(labels.shape) for k, name in enumerate("xywh")}
        (source,) = found_in(tmp_path, s=struct(**fields, labels=labels), im=cell(["a"] * 12)).values()
        assert source.to_arrow("xywh1")["label"].to_pylist() == numbers.tolist()
