"""Boxes of labelers and detectors: one definition, one image and equal counts take the way of many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import matlens
from tests import objects as o
from tests.support import CORPUS

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
