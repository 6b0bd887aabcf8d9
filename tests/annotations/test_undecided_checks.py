"""Boxes whose convention is undecided are checked for what is wrong under every one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from matlens import boxes
from matlens.annotations.undecided_checks import NO_BOX, check_undecided, fitting_layouts
from tests.annotations.layouts import cell
from tests.annotations.test_detection import made
from tests.support import run

nan, inf = np.nan, np.inf


def listed(tmp_path: Path, *options: str, **variables: Any) -> tuple[int, list[tuple[int, str]], str]:
    scipy.io.savemat(tmp_path / "a.mat", variables)
    done = run("boxes", str(tmp_path / "a.mat"), "--check", "--json", *options)
    rows = json.loads(done.stdout)["problems"] if done.stdout else []
    return done.returncode, [(row["row"], row["problem"]) for row in rows], done.stderr.decode()


def test_what_is_wrong_under_every_convention(tmp_path: Path) -> None:
    # Of the last: as corners it has no width, as a corner and a size it is sound.
    rows = [[5, 6, 20, 30], [5, 6, 20, 30], [7, nan, 8, 9], [7, 8, inf, 9], [9, 8, -1, -2], [7, 8, 7, 30]]
    code, found, told = listed(tmp_path, boxes=np.array(rows))
    assert code == 1 and found == [(1, "duplicate"), (2, "not finite"), (3, "not finite"), (4, "negative size")]
    assert (
        "what is wrong under every convention is listed; --path boxes --convention xywh or xxyy checks the rest" in told
    )
    assert "4 problems of 6 boxes" in told
    code, found, _ = listed(tmp_path, "--path", "boxes", "--convention", "xyxy", boxes=np.array(rows))
    assert code == 1 and (5, "no area") in found


def test_sound_boxes_without_a_convention(tmp_path: Path) -> None:
    rows = np.array([[5, 6, 20, 30], [6, 7, 40, 50], [30, 31, 35, 60]], float)
    code, found, told = listed(tmp_path, boxes=rows)
    assert code == 0 and found == [] and "--convention xyxy or xywh or xxyy checks the rest" in told
    # Sides of less than a pixel are not tiny where all is relative to the image.
    relative = np.array([[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4], [0.2, 0.1, 0.5, 0.6]])
    code, found, told = listed(tmp_path, "--path", "bboxes", bboxes=relative)
    assert code == 1 and found == [(1, "duplicate")] and "--convention yolo --image-size W H checks" in told


def test_beside_boxes_that_are_decided(tmp_path: Path) -> None:
    """Rows count on behind those of boxes whose convention is decided."""
    sound, other = made(30), np.array([[5, 6, 20, 30], [5, 6, 20, 30]], float)
    code, found, told = listed(tmp_path, first_xywh=sound, second_box=other)
    assert code == 1 and (31, "duplicate") in found and "of 32 boxes" in told
    # What is asked for without a check stays as it was.
    scipy.io.savemat(tmp_path / "b.mat", {"second_box": other})
    done = run("boxes", str(tmp_path / "b.mat"))
    assert done.returncode == 2 and b"name it with --convention" in done.stderr


def test_boxes_that_are_none_in_different_ways(tmp_path: Path) -> None:
    """No width as corners, no size as a corner and a size."""
    scipy.io.savemat(tmp_path / "a.mat", {"boxes": np.array([[5, 6, 20, 30], [9, 4, 0, 4], [6, 7, 40, 50]], float)})
    (source,) = boxes.find(tmp_path / "a.mat")
    assert source.convention is None and fitting_layouts(source) == ["xyxy", "xywh", "xxyy"]
    found = check_undecided(source, source.to_arrow("xyxy"))
    assert [(row["row"], row["problem"], row["box"]) for row in found.to_pylist()] == [(1, NO_BOX, "9, 4, 0, 4")]


@pytest.mark.parametrize("name", ["coco", "fiftyone"])
def test_numbers_that_json_does_not_have_are_told(tmp_path: Path, name: str) -> None:
    images = cell([f"{k}.jpg" for k in range(30)])
    scores = np.array([nan, inf, *np.linspace(0, 1, 28)])[:, None]
    scipy.io.savemat(tmp_path / "a.mat", {"bboxes": made(30), "images": images, "depth": scores})
    target = tmp_path / ("a.json" if name == "coco" else "out")
    given = ("--convention", "xywh1", "--image-size", "999", "999", "--format", name, "-o", str(target))
    done = run("boxes", str(tmp_path / "a.mat"), *given)
    assert done.returncode == 0, done.stderr.decode()
    told = b"loss: JSON has no NaN and no infinity, such numbers are left out or null: 2 of depth"
    assert told in done.stderr
    text = (target if name == "coco" else target / "labels.json").read_text()
    assert "NaN" not in text and "Infinity" not in text
    scipy.io.savemat(tmp_path / "a.mat", {"bboxes": made(30), "images": images, "depth": np.ones((30, 1))})
    assert b"JSON has no" not in run("boxes", str(tmp_path / "a.mat"), *given, "--force").stderr
