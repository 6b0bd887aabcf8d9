"""Places of equal names and form are judged together; one that stays undecided costs itself alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from matlens import boxes
from matlens.annotations import convert
from matlens.errors import AmbiguousConvention
from tests.annotations.layouts import cell, struct, structs
from tests.annotations.test_detection import made
from tests.support import run

# Corners and sizes fit these as well.
FEW = np.array([[10.0, 20, 50, 60], [12, 22, 80, 90]])
CONVENTIONS = ["xyxy", "xyxy1", "xywh", "xywh1", "matlab"]


def layouts(many: Any, few: Any) -> dict[str, dict[str, Any]]:
    images = [cell([f"{name}{k}.jpg" for k in range(len(rows))]) for name, rows in (("a", many), ("b", few))]
    records = [structs([{"im": f"{k}.jpg", "bbox": row[None]} for k, row in enumerate(rows)]) for rows in (many, few)]
    return {
        "structs": {"train": struct(boxes=many, image=images[0]), "test": struct(boxes=few, image=images[1])},
        "variables": {"train_boxes": many, "val_boxes": few},
        "arrays": {"one": records[0], "two": records[1]},
        "cells": {"a": struct(bb=cell([row[None] for row in many])), "b": struct(bb=cell([row[None] for row in few]))},
        "numbered": {"boxes1": many, "boxes2": few},
        "deep": {"d": struct(x=struct(bbox=many), y=struct(y=struct(bbox=few)))},
    }


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("layout", ["structs", "variables", "arrays", "cells", "numbered", "deep"])
def test_a_small_place_has_the_convention_of_a_large_one(tmp_path: Path, layout: str, convention: str) -> None:
    canonical = convert(made(200), "xywh1", "xyxy")
    many, few = (convert(rows, "xyxy", convention) for rows in (canonical, canonical[-2:]))
    scipy.io.savemat(tmp_path / "a.mat", layouts(many, few)[layout])
    found = boxes.find(tmp_path / "a.mat")
    assert sorted(map(len, found)) == [2, 200] and {source.convention for source in found} == {convention}
    small = min(found, key=len)
    if convention != "matlab":
        assert "judged together with places of the same name: 202 boxes in 2 places" in small.evidence.reasons
    table = boxes.read(tmp_path / "a.mat")
    got = np.stack([table[name].to_numpy() for name in ("xmin", "ymin", "xmax", "ymax")], axis=1)
    expected = np.concatenate([canonical, canonical[-2:]])
    np.testing.assert_array_equal(got[np.lexsort(got.T)], expected[np.lexsort(expected.T)])


def test_small_places_decide_together(tmp_path: Path) -> None:
    """Each of many cells with three boxes tells nothing; all of them do."""
    parts = np.split(made(60, "xyxy1"), 20)
    values = {f"v{k}": struct(bbox=part) for k, part in enumerate(parts)}
    scipy.io.savemat(tmp_path / "a.mat", values)
    found = boxes.find(tmp_path / "a.mat")
    assert len(found) == 20 and {source.convention for source in found} == {"xyxy1"}


def test_places_that_differ_keep_their_own(tmp_path: Path) -> None:
    corners, sizes = made(100, "xyxy1"), made(100, "xywh", seed=1)
    scipy.io.savemat(tmp_path / "a.mat", {"a": struct(bbox=corners), "b": struct(bbox=sizes), "c": struct(bbox=FEW)})
    found = {source.variable: source.convention for source in boxes.find(tmp_path / "a.mat")}
    assert found == {"a.bbox": "xyxy1", "b.bbox": "xywh", "c.bbox": None}


def test_rows_that_contradict_the_others_stay_undecided(tmp_path: Path) -> None:
    relative = np.array([[0.25, 0.25, 0.5, 0.5]])
    scipy.io.savemat(tmp_path / "a.mat", {"a": struct(bbox=made(100, "xyxy1")), "b": struct(bbox=relative)})
    found = {source.variable: source.convention for source in boxes.find(tmp_path / "a.mat")}
    assert found["a.bbox"] == "xyxy1" and found.get("b.bbox") is None


def test_an_undecided_place_costs_itself_alone(tmp_path: Path) -> None:
    many, path = made(100, "xyxy1"), tmp_path / "a.mat"
    images = {"image": cell(["x.jpg", "y.jpg"])}
    scipy.io.savemat(path, {"a": struct(bbox=many), "b": struct(face_box=FEW, **images)})
    with pytest.warns(UserWarning, match=r"b\.face_box.*2 boxes are left out"):
        assert boxes.read(path).num_rows == 100
    assert boxes.read(path, convention="xyxy1").num_rows == 102
    done = run("boxes", str(path), "-o", str(tmp_path / "b.parquet"))
    told = b"2 boxes are left out, whose convention is undecided: read them with --path b.face_box --convention"
    assert done.returncode == 2 and told in done.stderr and (tmp_path / "b.parquet").exists()
    assert told not in run("boxes", str(path), "--convention", "xyxy1").stderr
    table = boxes.read(path, "b.face_box", convention="xyxy")
    assert table["xmax"].to_pylist() == [50, 80]
    scipy.io.savemat(path, {"b": struct(face_box=FEW, **images)})
    with pytest.raises(AmbiguousConvention, match="2 boxes do not decide"):
        boxes.read(path)


def test_rows_with_nan_are_counted_where_nothing_is_decided(tmp_path: Path) -> None:
    rows = np.vstack([FEW, np.full((3, 4), np.nan)])
    scipy.io.savemat(tmp_path / "a.mat", {"bbox": rows, "image": cell([f"{k}.jpg" for k in range(5)])})
    with pytest.raises(AmbiguousConvention, match=r"2 boxes do not decide .*, and 3 with NaN or infinity tell nothing"):
        boxes.read(tmp_path / "a.mat")


def test_places_that_are_alike_are_told_once(tmp_path: Path) -> None:
    """Thousands of places filled the terminal, and as many errors of one kind."""
    rows = made(600, "xyxy1").reshape(300, 2, 4)
    records = {f"v{k}": struct(bbox=pair) for k, pair in enumerate(rows)}
    scipy.io.savemat(tmp_path / "a.mat", {"d": struct(**records)})
    done = run("boxes", str(tmp_path / "a.mat"))
    assert done.returncode == 0 and len(done.stderr.splitlines()) < 60
    assert b"297 more places like these, with 594 boxes" in done.stderr
    for k, record in enumerate(records.values()):
        record["bbox"][0, 0] = cell([*rows[k][:, None], "none"])
    scipy.io.savemat(tmp_path / "a.mat", {"d": struct(**records)})
    done = run("boxes", str(tmp_path / "a.mat"))
    assert done.returncode == 1 and len(done.stderr.splitlines()) < 60
    assert b"left out: 1 of 3 that does not fit, 1x4 char at d.v0.bbox{3}" in done.stderr
    assert b"297 more like these" in done.stderr and b"error: a.mat: d.v9.bbox" not in done.stderr
