"""Cells of classes and images, as detectors write them, and lists that fit the boxes in all records but one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from matlens import boxes
from tests.annotations.layouts import cell, struct, structs
from tests.annotations.test_detection import made

CLASSES = ["cat", "dog", "bird"]


def parts_of(classes: int, images: int, score: bool) -> list[list[Any]]:
    """Boxes of each class and image, with a score in the last column."""
    rng = np.random.default_rng(0)
    found = []
    for c in range(classes):
        rows = [made(int(rng.integers(0, 5)), seed=100 * c + k) for k in range(images)]
        found.append([np.hstack([part, rng.random((len(part), 1))]) if score else part for part in rows])
    return found


def matrix(parts: list[list[Any]]) -> Any:
    array = np.empty((len(parts), len(parts[0])), object)
    for i, row in enumerate(parts):
        for j, part in enumerate(row):
            array[i, j] = part
    return array


@pytest.mark.parametrize("score", [False, True])
@pytest.mark.parametrize("images", [2, 5, 40])
@pytest.mark.parametrize("form", ["nested", "matrix"])
@pytest.mark.parametrize("order", ["class, image", "image, class"])
@pytest.mark.parametrize("names", [("boxes", "images", "classes"), ("dets_bbox", "im_list", "class_names")])
def test_cells_of_classes_and_images(
    tmp_path: Path, form: str, order: str, images: int, score: bool, names: tuple[str, str, str]
) -> None:
    """The index inside was lost, and the labels with it."""
    by_class = parts_of(3, images, score)
    parts = by_class if order == "class, image" else [list(some) for some in zip(*by_class, strict=True)]
    stored = cell([cell(some) for some in parts]) if form == "nested" else matrix(parts)
    files = [f"{k}.jpg" for k in range(images)]
    variables = {names[0]: stored, names[1]: cell(files), names[2]: cell(CLASSES)}
    expected = sorted(
        (files[k], CLASSES[c], *row[:2]) for c in range(3) for k in range(images) for row in by_class[c][k].tolist()
    )
    for whole in (variables, {"d": struct(**variables)}):
        scipy.io.savemat(tmp_path / "a.mat", whole)
        (source,) = boxes.find(tmp_path / "a.mat")
        assert (source.image, source.label) == names[1:]
        table = boxes.read(tmp_path / "a.mat", source.variable, columns="1:4", convention="xywh")
        got = zip(*(table[name].to_pylist() for name in ("image", "label", "xmin", "ymin")), strict=True)
        assert sorted(got) == expected


def test_the_path_of_a_cell_of_a_matrix(tmp_path: Path) -> None:
    parts = parts_of(3, 5, score=False)
    scipy.io.savemat(tmp_path / "a.mat", {"boxes": matrix(parts), "images": cell([f"{k}.jpg" for k in range(5)])})
    table = boxes.read(tmp_path / "a.mat", convention="xywh")
    for path, xmin in zip(table["source"].to_pylist(), table["xmin"].to_pylist(), strict=True):
        c, k, row = (int(number) - 1 for number in path.removeprefix("boxes{").replace("}(", ",").split(",")[:3])
        assert parts[c][k][row, 0] == xmin


def test_as_many_classes_as_images_tell_nothing(tmp_path: Path) -> None:
    parts = parts_of(3, 3, score=False)
    variables = {"boxes": cell([cell(some) for some in parts]), "images": cell(["a.jpg", "b.jpg", "c.jpg"])}
    scipy.io.savemat(tmp_path / "a.mat", variables | {"classes": cell(CLASSES)})
    (source,) = boxes.find(tmp_path / "a.mat")
    assert source.label is None


@pytest.mark.parametrize("kind", ["names", "numbers"])
@pytest.mark.parametrize("count", [1, 4])
def test_labels_that_fit_all_but_one(tmp_path: Path, kind: str, count: int) -> None:
    """They were dropped without a word."""
    parts = [made(1 + k % 3, seed=k) for k in range(10)]
    labels: list[Any] = [
        cell(CLASSES[: len(part)]) if kind == "names" else np.arange(1.0, len(part) + 1)[:, None] for part in parts
    ]
    labels[4] = cell((CLASSES * 2)[:count]) if kind == "names" else np.arange(1.0, count + 1)[:, None]
    images = [f"{k}.jpg" for k in range(10)]
    records = [{"im": a, "bbox": b, "labels": c} for a, b, c in zip(images, parts, labels, strict=True)]
    parallel = {"bbox": cell(parts), "labels": cell(labels), "im": cell(images)}
    for variables, path in (({"s": structs(records)}, "s(5).labels"), (parallel, "labels{5}")):
        scipy.io.savemat(tmp_path / "a.mat", variables)
        (source,) = boxes.find(tmp_path / "a.mat")
        assert f"labels is left out: it has {count} for 2 at {path}" in source.reasons and source.label is None
        assert len(source) == sum(map(len, parts))


def test_lists_of_other_lengths_are_not_told(tmp_path: Path) -> None:
    parts = [made(1 + k % 3, seed=k) for k in range(10)]
    records = [{"im": f"{k}.jpg", "bbox": b, "words": cell(["x"] * (k % 5 + 1))} for k, b in enumerate(parts)]
    scipy.io.savemat(tmp_path / "a.mat", {"s": structs(records)})
    (source,) = boxes.find(tmp_path / "a.mat")
    assert not any("left out" in reason for reason in source.reasons)


def test_paths_of_cells_in_cells_and_structs(tmp_path: Path) -> None:
    """A cell inside a cell was told as a row of a matrix, a struct in a cell as one of an array."""
    rows = made(12)
    single = cell([cell([rows[[3 * k + j]] for j in range(3)]) for k in range(4)])
    many = cell([cell([rows[[3 * k + j]].repeat(2, axis=0) for j in range(3)]) for k in range(4)])
    records = [
        {"im": f"{k}.jpg", "objects": cell([struct(bbox=rows[[3 * k + j]], id=j) for j in range(3)])} for k in range(4)
    ]
    fields = [{"im": f"{k}.jpg", "object": structs([{"bbox": cell([rows[[k]]] * 2)}] * 2)} for k in range(4)]
    for variables, expected in (
        ({"boxes": single}, "boxes{2}{3}"),
        ({"boxes": many}, "boxes{1}{3}(2,:)"),
        ({"s": structs(records)}, "s(2).objects{3}.bbox"),
        ({"s": structs(fields)}, "s(2).object(1).bbox{2}"),
    ):
        scipy.io.savemat(tmp_path / "a.mat", variables)
        table = boxes.read(tmp_path / "a.mat", convention="xywh")
        assert table["source"][5].as_py() == expected
