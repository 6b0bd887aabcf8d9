"""Boxes of labelers and detectors: one definition, one image and equal counts take the way of many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import matlens
from matlens.errors import NoBoxesFound
from tests import objects as o
from tests.support import CORPUS, run

ONE_DEFINITION = {
    "Akash123g+Traffic-Light-Detection-Using-Yolo-v2-Model": (64, 44, "vechi"),  # two of 46 images have none
    "Magias+CNN---Detection-OPG": (843, 29, "Tooth"),
    "Abraham-N+MATLAB-Rodent-Tracker": (740, 740, "mouse"),
}
"""Boxes, images with boxes, and label of files with a single label definition, as the README of the corpus has them."""


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the project")
@pytest.mark.parametrize("folder", ONE_DEFINITION)
def test_one_label_definition(folder: str) -> None:
    (path,) = (CORPUS / folder).rglob("*.mat")
    count, images, label = ONE_DEFINITION[folder]
    table = matlens.boxes.read(path)
    assert table.num_rows == count and set(table["label"].to_pylist()) == {label}
    frames = table["frame"].to_pylist() if "frame" in table.column_names else [None] * count
    assert len(set(zip(table["image"].to_pylist(), frames, strict=True))) == images


@pytest.mark.parametrize("version", ["v7", "v7.3"])
@pytest.mark.parametrize("counts", [[1], [2], [1, 1], [2, 2], [2, 3, 0], [0, 1]])
def test_any_number_of_boxes_in_each_image(tmp_path: Path, version: str, counts: list[int]) -> None:
    boxes = [np.arange(4.0 * n).reshape(n, 4) + 10 * k + 1 for k, n in enumerate(counts)]
    cells = o.cell(*(part if len(part) else np.zeros((0, 0)) for part in boxes), shape=(len(counts), 1))
    names = o.cell(*(f"{k}.jpg" for k in range(len(counts))), shape=(len(counts), 1))
    with o.save(tmp_path, version, t=o.table(len(counts), imageFilename=names, car=cells)) as file:
        table = matlens.boxes.read(file)
    expected = [(f"{k}.jpg", *row) for k, part in enumerate(boxes) for row in part.tolist()]
    corners = [table[name].to_pylist() for name in ("xmin", "ymin")]
    # MATLAB's pixels count from 1.
    found_rows = list(zip(table["image"].to_pylist(), *corners, strict=True))
    assert found_rows == [(image, x - 1, y - 1) for image, x, y, _, _ in expected]
    paths = [f"t.car{{{k + 1}}}({row + 1},:)" for k, part in enumerate(boxes) for row in range(len(part))]
    assert [path.removesuffix("(1,:)") for path in table["source"].to_pylist()] == [
        path.removesuffix("(1,:)") for path in paths
    ]


def ground_truth(
    count: int, labels: dict[str, tuple[str, list[Any]]], names: list[str], *, is_video: bool = False
) -> Any:
    """A `groundTruth` with labels of a type and a value for each image; the data of a video are a timetable."""
    columns = {name: o.cell(*values, shape=(count, 1)) for name, (_, values) in labels.items()}
    times = o.duration([[100.0 * k] for k in range(count)])
    data = o.timetable(count, times, **columns) if is_video else o.table(count, **columns)
    source = o.cell(*map(o.char, names), shape=(len(names), 1)) if names else np.zeros((0, 0))
    definitions: Any = np.zeros((0, 0))
    if labels:
        rows = [{"Name": o.char(name), "Type": o.char(kind)} for name, (kind, _) in labels.items()]
        definitions = o.struct_array(rows, (len(rows), 1))
    stored = o.struct(DataSource=o.struct(Source=source), LabelDefinitions=definitions, LabelData=data)
    return o.made("groundTruth", any=stored)


NONE = np.zeros((0, 0))


@pytest.mark.parametrize("version", ["v7", "v7.3"])
def test_labels_of_every_kind(tmp_path: Path, version: str) -> None:
    """Rectangles are boxes; lines, scenes, cuboids and pixels are none, whatever their numbers."""
    rows = np.array([[1.0, 2, 30, 40], [5, 6, 70, 80]])
    line = o.cell(np.array([[1.0, 2], [3, 4], [5, 6]]))
    labels = {
        "car": ("Rectangle", [rows, NONE, rows[:1]]),
        "lane": ("Line", [line, line, NONE]),
        "rain": ("Scene", [np.array([[True]])] * 3),
        "truck": ("ProjectedCuboid", [np.arange(8.0).reshape(1, 8)] * 3),
        "cube": ("Cuboid", [np.arange(9.0).reshape(1, 9)] * 3),
        "bus": ("Rectangle", [NONE, NONE, NONE]),
    }
    with o.save(tmp_path, version, g=ground_truth(3, labels, [r"C:\a\0.png", r"C:\a\1.png", r"C:\b\2.png"])) as file:
        table = matlens.boxes.read(file)
        assert table["label"].to_pylist() == ["car"] * 3
        assert table["image"].to_pylist() == [r"C:\a\0.png", r"C:\a\0.png", r"C:\b\2.png"]
        (source,) = matlens.boxes.find(file)
        assert source.confidence == "sure" and source.image_rows().num_rows == 3
    with o.save(tmp_path, version, g=ground_truth(3, labels, ["/x/drive.mp4"], is_video=True)) as file:
        table = matlens.boxes.read(file)
        assert set(table["image"].to_pylist()) == {"drive.mp4"}
        assert table["frame"].to_pylist() == [1, 1, 3] and table["time"].to_pylist() == pytest.approx([0, 0, 0.2])


@pytest.mark.parametrize("version", ["v7", "v7.3"])
@pytest.mark.parametrize("labels", [{}, {"car": ("Rectangle", [NONE])}, {"lane": ("Line", [NONE])}])
def test_a_ground_truth_without_boxes_says_so(tmp_path: Path, version: str, labels: dict[str, Any]) -> None:
    with o.save(tmp_path, version, g=ground_truth(1, labels, ["a.png"])) as file:
        assert matlens.boxes.find(file) == []
        with pytest.raises(NoBoxesFound, match="g: a groundTruth without rectangles"):
            matlens.boxes.read(file)
    with o.save(tmp_path, version, g=ground_truth(0, {"car": ("Rectangle", [])}, [])) as file:
        assert matlens.boxes.find(file) == []


def test_boxes_that_are_left_out_do_not_rename_the_others(tmp_path: Path) -> None:
    """The number of the frame was put behind the name of the video, once some box was dropped."""
    rows = np.array([[1.0, 2, 30, 40], [5, 6, 0, 0]])
    labels = {"car": ("Rectangle", [rows, rows[:1]])}
    o.save(tmp_path, "v7", g=ground_truth(2, labels, ["/x/drive.mp4"], is_video=True)).close()
    done = run("boxes", str(tmp_path / "v7.mat"), "--drop-invalid", "-o", str(tmp_path / "b.parquet"))
    assert done.returncode == 0 and b"1 invalid boxes are left out" in done.stderr
    found = pq.read_table(tmp_path / "b.parquet")
    assert found["image"].to_pylist() == ["drive.mp4"] * 2 and found["frame"].to_pylist() == [1, 2]
    assert found.column_names[:4] == ["source", "image", "frame", "label"] and "\0image" not in found.column_names
