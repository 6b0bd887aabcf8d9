"""Single elements that hid all other boxes of their column: of another class, another width, or texts among numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from matlens import boxes
from matlens.annotations import BoxSource
from tests.annotations.layouts import cell, struct, structs
from tests.annotations.test_detection import made
from tests.support import run

COUNT, AT = 30, 6
ODD: dict[str, Any] = {
    "1x4 char": "none",
    "1x5 double": np.ones((1, 5)),
    "3x7 double": np.ones((3, 7)),
    "4x1 double": np.ones((4, 1)),
    "1x1 double": 7.0,
    "1x4 complex double": np.ones((1, 4)) * 1j,
    "2x4x3 double": np.ones((2, 4, 3)),
    "1x3 logical": np.ones((1, 3), bool),
    "1x1 cell": cell(["a"]),
    "1x1 struct": struct(a=1.0),
    "1x4 sparse double": scipy.sparse.csc_matrix(np.ones((1, 4))),
}
NOTHING: dict[str, Any] = {"[]": np.zeros((0, 0)), "0x4": np.zeros((0, 4)), "''": "", "NaN": np.nan}


def parts_of(form: str) -> list[Any]:
    counts = [1] * COUNT if form == "one" else [2] * COUNT if form == "two" else [1 + k % 3 for k in range(COUNT)]
    return [made(n, seed=k) for k, n in enumerate(counts)]


def found_in(tmp_path: Path, path: str | None = None, **variables: Any) -> tuple[BoxSource, list[str]]:
    scipy.io.savemat(tmp_path / "a.mat", variables)
    problems: list[Any] = []
    (source,) = boxes.find(tmp_path / "a.mat", path, problems=problems)
    return source, list(map(str, problems))


@pytest.mark.parametrize("form", ["one", "two", "many"])
@pytest.mark.parametrize("odd", [*ODD, *NOTHING])
def test_one_odd_element(tmp_path: Path, form: str, odd: str) -> None:
    parts = parts_of(form)
    images = [f"{k}.jpg" for k in range(COUNT)]
    stored: list[Any] = [*parts[:AT], (ODD | NOTHING)[odd], *parts[AT + 1 :]]
    expected = np.concatenate([*parts[:AT], *parts[AT + 1 :]])
    records = [{"im": image, "bbox": part} for image, part in zip(images, stored, strict=True)]
    layouts: dict[str, dict[str, Any]] = {
        "s({}).bbox": {"s": structs(records)},
        "bbox{{{}}}": {"bbox": cell(stored), "im": cell(images)},
        "d.bbox{{{}}}": {"d": struct(bbox=cell(stored), im=cell(images))},
    }
    for place, variables in layouts.items():
        source, problems = found_in(tmp_path, **variables)
        np.testing.assert_array_equal(source.reading.values, expected)
        assert source.to_arrow("xywh1")["image"].to_pylist() == [
            image for k, image in enumerate(images) for _ in range(len(parts[k]) * (k != AT))
        ]
        told = f"left out: 1 of {COUNT} that does not fit, {odd} at {place.format(AT + 1)}"
        assert [told in source.reasons, len(problems)] == ([True, 1] if odd in ODD else [False, 0])
        assert all(told in problem for problem in problems)


def test_odd_elements_below(tmp_path: Path) -> None:
    """In lists of structs, in cells of cells, and where the odd one is a list itself."""
    rows = made(60)
    counts = [1 + k % 3 for k in range(12)]
    starts = np.concatenate([[0], np.cumsum(counts)])

    def objects(k: int) -> list[dict[str, Any]]:
        return [{"bbox": rows[[starts[k] + j]], "class": "ab"[j % 2]} for j in range(counts[k])]

    records = [{"im": f"{k}.jpg", "object": structs(objects(k))} for k in range(12)]
    records[4]["object"] = "nothing"
    source, problems = found_in(tmp_path, rec=structs(records))
    kept = np.delete(np.arange(starts[-1]), np.arange(starts[4], starts[5]))
    np.testing.assert_array_equal(source.reading.values, rows[kept])
    assert "1x7 char at rec(5).object" in problems[0] and source.label == "object.class"
    records = [{"im": f"{k}.jpg", "object": structs(objects(k))} for k in range(12)]
    records[5]["object"]["bbox"][0, 1] = "no"
    source, problems = found_in(tmp_path, rec=structs(records))
    np.testing.assert_array_equal(source.reading.values, np.delete(rows[: starts[-1]], starts[5] + 1, axis=0))
    assert "1x2 char at rec(6).object(2).bbox" in problems[0]
    cells = [cell([rows[[3 * k + j]] for j in range(3)]) for k in range(5)]
    cells[2][1, 0] = np.ones((2, 9))
    source, problems = found_in(tmp_path, boxes=cell(cells))
    np.testing.assert_array_equal(source.reading.values, np.delete(rows[:15], 7, axis=0))
    assert "2x9 double at boxes{3}{2}" in problems[0]


def test_boxes_in_columns_with_an_odd_one(tmp_path: Path) -> None:
    parts = [made(1 + k % 3, seed=k) for k in range(20)]
    stored = [part.T.copy() for part in parts]
    stored[3] = np.ones((2, 5))
    source, problems = found_in(tmp_path, s=structs([{"im": f"{k}.jpg", "bbox": p} for k, p in enumerate(stored)]))
    np.testing.assert_array_equal(source.reading.values, np.concatenate([*parts[:3], *parts[4:]]))
    assert "2x5 double at s(4).bbox" in problems[0]


@pytest.mark.parametrize("is_text", [True, False])
@pytest.mark.parametrize("bad", ["?", "12px", "1 2"])
def test_a_text_that_is_no_number(tmp_path: Path, bad: str, is_text: bool) -> None:
    rows = made(20, "xyxy")
    names = ("xmin", "ymin", "xmax", "ymax")
    records = [
        {"im": f"{k}.jpg"} | {name: f"{x:g}" if is_text else x for name, x in zip(names, row, strict=True)}
        for k, row in enumerate(rows.tolist())
    ]
    records[3]["ymax"] = bad
    source, problems = found_in(tmp_path, s=structs(records))
    np.testing.assert_array_equal(source.reading.values, np.delete(rows, 3, axis=0))
    assert len(problems) == 1 and "1 of 20" in problems[0] and bad in problems[0] and "s(4).ymax" in problems[0]


def test_more_odd_elements_than_boxes_are_no_boxes(tmp_path: Path) -> None:
    stored = [row[None] if k % 3 == 0 else "none" for k, row in enumerate(made(30))]
    scipy.io.savemat(tmp_path / "a.mat", {"s": structs([{"im": f"{k}.jpg", "bbox": x} for k, x in enumerate(stored)])})
    assert boxes.find(tmp_path / "a.mat") == []


def test_what_is_beside_boxes_is_not_taken_apart(tmp_path: Path) -> None:
    """Texts and lists of any length that hold four numbers by chance are what they were."""
    records = [
        {"im": f"{k}.jpg", "bbox": row[None], "note": "x" if k % 7 else 5.0, "ids": np.arange(4.0 if k else 3.0)[None]}
        for k, row in enumerate(made(20))
    ]
    source, problems = found_in(tmp_path, s=structs(records))
    assert problems == [] and source.to_arrow("xywh1")["note"].to_pylist()[0:2] == ["5.0", '"x"']


def test_the_command_tells_of_them_and_goes_on(tmp_path: Path) -> None:
    records = [{"im": f"{k}.jpg", "bbox": "none" if k == 2 else row[None]} for k, row in enumerate(made(20))]
    scipy.io.savemat(tmp_path / "a.mat", {"s": structs(records)})
    for more in ((), ("--path", "s.bbox")):
        done = run("boxes", str(tmp_path / "a.mat"), *more, "-o", str(tmp_path / "b.parquet"), "--force")
        assert done.returncode == 1 and boxes.read(tmp_path / "a.mat").num_rows == 19
        assert b"s.bbox: left out: 1 of 20 that does not fit, 1x4 char at s(3).bbox" in done.stderr
        assert (tmp_path / "b.parquet").exists()
