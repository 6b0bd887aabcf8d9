"""What is named as boxes are and is none is told with the reason, and what lies too deep to be looked into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from matlens import boxes
from matlens.errors import NoBoxesFound
from tests.annotations.layouts import cell, struct, structs
from tests.annotations.test_detection import made
from tests.support import run

ROWS = made(30)
KINDS: dict[str, tuple[Any, str]] = {
    "sparse": (scipy.sparse.csc_matrix(ROWS), "sparse matrix"),
    "complex": (ROWS + 1j, "complex numbers"),
    "logical": (ROWS > 3, "logical"),
    "pages": (np.stack([ROWS, ROWS], 2), "more than two dimensions"),
}


@pytest.mark.parametrize("name", ["bboxes", "gt_rects", "roi"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_named_as_boxes_and_is_none(tmp_path: Path, kind: str, name: str) -> None:
    value, why = KINDS[kind]
    images = cell([f"{k}.jpg" for k in range(5)])
    layouts: dict[str, dict[str, Any]] = {
        name: {name: value, "image": images},
        f"d.{name}": {"d": struct(**{name: value, "image": images})},
        f"s.{name}": {"s": structs([{"im": f"{k}.jpg", name: value} for k in range(5)])},
        f"r.object.{name}": {
            "r": structs([{"im": "a", "object": structs([{name: value, "k": 1.0}] * (k + 1))} for k in range(3)])
        },
    }
    for path, variables in layouts.items():
        scipy.io.savemat(tmp_path / "a.mat", variables)
        near: list[str] = []
        assert boxes.find(tmp_path / "a.mat", near=near) == []
        assert len(near) == 1 and near[0].startswith(f"{path}: ") and why in near[0]
        with pytest.raises(NoBoxesFound, match=f"what came near: {path}: .*{why}"):
            boxes.read(tmp_path / "a.mat")
    scipy.io.savemat(tmp_path / "a.mat", layouts[name])
    done = run("boxes", str(tmp_path / "a.mat"), "--path", name)
    assert done.returncode == 1 and why.encode() in done.stderr


def test_what_is_no_near_miss(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"image": np.ones((5, 5, 3)), "weights": np.eye(4) * 1j, "mask": ROWS > 3})
    near: list[str] = []
    assert boxes.find(tmp_path / "a.mat", near=near) == [] and near == []


@pytest.mark.parametrize("depth", [3, 15, 20])
def test_boxes_of_any_depth(tmp_path: Path, depth: int) -> None:
    value: dict[str, Any] = {"boxes": ROWS}
    for _ in range(depth):
        value = {"a": value}
    scipy.io.savemat(tmp_path / "a.mat", {"d": value})
    problems: list[Any] = []
    found = boxes.find(tmp_path / "a.mat", problems=problems)
    assert bool(found) == (depth < 16) and len(problems) == (depth > 15)
    assert all("d.a.a" in str(problem) and "more than 16 structs deep" in str(problem) for problem in problems)
    problems.clear()
    (source,) = boxes.find(tmp_path / "a.mat", "d" + ".a" * depth, problems=problems)
    np.testing.assert_array_equal(source.reading.values, ROWS)
    assert problems == []


TEXTS = ["cat", "dog"] * 14 + ["cat"]
SHORT: dict[str, Any] = {
    "cell": cell(TEXTS),
    "lying cell": cell(TEXTS, lying=True),
    "column": (np.arange(29.0) % 3)[:, None],
    "row": np.arange(29.0) % 3,
    "rows of letters": np.array(TEXTS),
}


@pytest.mark.parametrize("kind", SHORT)
def test_a_list_that_is_one_too_short(tmp_path: Path, kind: str) -> None:
    for before, variables in (
        ("", {"boxes": ROWS, "labels": SHORT[kind]}),
        ("d.", {"d": struct(boxes=ROWS, labels=SHORT[kind])}),
    ):
        scipy.io.savemat(tmp_path / "a.mat", variables)
        (source,) = boxes.find(tmp_path / "a.mat")
        assert source.label is None and len(source) == 30
        assert f"{before}labels: 29 values beside 30 boxes, not used" in source.reasons
        done = run("boxes", str(tmp_path / "a.mat"))
        assert b"labels: 29 values beside 30 boxes, not used" in done.stderr


def test_lists_of_images_and_scores_that_are_too_short(tmp_path: Path) -> None:
    images = cell([f"{k}.jpg" for k in range(31)])
    scipy.io.savemat(tmp_path / "a.mat", {"boxes": ROWS, "image_names": images, "scores": np.linspace(0, 1, 28)})
    (source,) = boxes.find(tmp_path / "a.mat")
    told = [reason for reason in source.reasons if "not used" in reason]
    assert sorted(told) == [
        "image_names: 31 values beside 30 boxes, not used",
        "scores: 28 values beside 30 boxes, not used",
    ]
    # Boxes of images in cells: the list is one of images.
    scipy.io.savemat(tmp_path / "a.mat", {"boxes": cell([ROWS[:2]] * 10), "image_names": cell(images[:9].ravel())})
    (source,) = boxes.find(tmp_path / "a.mat")
    assert "image_names: 9 values beside 10 records, not used" in source.reasons


def test_lists_that_are_not_almost_as_long(tmp_path: Path) -> None:
    """A list of classes, one of another length, and one beside a list that fits are none."""
    for more in (
        {"class_names": cell(TEXTS)},
        {"labels": cell(TEXTS[:15])},
        {"labels": cell([*TEXTS, "dog"]), "species": cell(TEXTS)},
    ):
        scipy.io.savemat(tmp_path / "a.mat", {"boxes": ROWS, **more})
        (source,) = boxes.find(tmp_path / "a.mat")
        assert not [reason for reason in source.reasons if "not used" in reason]
