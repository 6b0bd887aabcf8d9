"""Images with their annotations, stepped through; and which files are read for that."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

import matlens
from matlens.tui import records_view
from matlens.tui.browser import FileView
from matlens.tui.image_pane import ImagePane
from matlens.tui.model import annotated, image_files
from matlens.tui.model.annotated import Mark, extent_of, read_annotated
from matlens.tui.model.image_files import ImageFiles, NoImage, folder_of
from matlens.tui.model.marks import captions_of, colours_of, draw_marks
from matlens.tui.model.viewport import Viewport
from tests.support import FIXTURES
from tests.tui.driving import drive, press, settle

Image = pytest.importorskip("PIL.Image")


def stored(path: Path, colour: tuple[int, int, int] = (10, 20, 30), size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def records(names: list[str], labels: tuple[str, str] = ("cat", "dog"), field: str = "bbox_xyxy") -> dict[str, Any]:
    """Two boxes on each image, 1-based and with their last pixels: 3..12 and 21..30 in both directions."""
    rows = np.empty((1, len(names)), [("image", object), (field, object), ("label", object)])
    for k, name in enumerate(names):
        rows[0, k] = (name, np.array([[3.0, 3, 12, 12], [21, 11, 30, 20]]), np.array(labels, object))
    return {"annotations": rows}


# --- files ---------------------------------------------------------------------------------


def test_images_are_read_from_their_folder_and_from_nowhere_else(tmp_path: Path) -> None:
    inside = tmp_path / "images"
    stored(inside / "a.png", (1, 2, 3))
    stored(inside / "sub" / "b.png", (4, 5, 6))
    secret = stored(tmp_path / "secret.png")
    (inside / "link.png").symlink_to(secret)
    (inside / "out").symlink_to(tmp_path)
    (inside / "good.png").symlink_to(inside / "a.png")
    (inside / "loop.png").symlink_to(inside / "loop.png")
    files = ImageFiles(inside, ["a.png"])
    assert files.load("a.png")[0, 0].tolist() == [1, 2, 3] == files.load("good.png")[0, 0].tolist()
    assert files.load("sub/b.png")[0, 0].tolist() == [4, 5, 6] == files.load("sub\\b.png")[0, 0].tolist()
    hostile = [
        "../secret.png",
        "sub/../../secret.png",
        "..\\secret.png",
        "link.png",
        "out/secret.png",
        "loop.png",
        "../../../../../../etc/passwd",
        "/etc/passwd",
        str(secret),
        "C:\\Windows\\win.ini",
        "",
        ".",
        "/",
        "sub",
        "a.png\0.txt",
        "x" * 5000,
        "\ud800.png",
    ]
    for name in hostile:
        with pytest.raises(NoImage):
            files.load(name)
    with pytest.raises(NoImage, match="--images"):
        ImageFiles(None, []).load("a.png")


def test_absolute_names_are_found_by_what_they_do_not_share(tmp_path: Path) -> None:
    stored(tmp_path / "x" / "1.png", (7, 7, 7))
    names = ["D:\\set\\x\\1.png", "D:\\set\\y\\2.png"]
    assert ImageFiles(tmp_path, names).load(names[0])[0, 0].tolist() == [7, 7, 7]


def test_what_is_no_image_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "drawing.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")
    whole = stored(tmp_path / "whole.png", size=(300, 300)).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    os.mkfifo(tmp_path / "pipe.png")
    files = ImageFiles(tmp_path, [])
    for name in ("text.png", "drawing.png", "half.png", "pipe.png"):
        with pytest.raises(NoImage):
            files.load(name)
    monkeypatch.setattr(image_files, "MAX_PIXELS", 300 * 300 - 1)
    with pytest.raises(NoImage, match="300x300 pixels are too many"):
        files.load("whole.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(NoImage, match="too many"):
        files.load("whole.png")


def test_the_folder_of_images_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    file = tmp_path / "f.mat"
    stored(tmp_path / "pictures" / "b.png")
    assert folder_of(file, ["a.png", "b.png"]) == tmp_path.resolve() / "pictures"
    stored(tmp_path / "a.png")
    assert folder_of(file, ["a.png", "b.png"]) == tmp_path.resolve()
    assert folder_of(file, ["c.png"]) == tmp_path.resolve() and folder_of(None, ["c.png"]) is None


# --- marks ---------------------------------------------------------------------------------


def test_annotations_by_image(monkeypatch: pytest.MonkeyPatch) -> None:
    with matlens.from_loadmat(records(["a.png", "b.png", "a.png"])) as file:
        found = read_annotated(file, lambda: False)
        assert found is not None and found.images == ["a.png", "b.png"] and found.count() == 6
        assert found.marks[1][0].box == (2, 2, 12, 12) and found.marks[1][1].label == "dog"
        levels = found.marks[0][0].confidence
        assert len(found.chosen(0, (levels,), "cat")) == 2 and found.chosen(0, (), None) == []
        assert read_annotated(file, lambda: True) is None
        monkeypatch.setattr(annotated, "MOST_MARKS", 4)
        fewer = read_annotated(file, lambda: False)
        assert fewer is not None and fewer.count() == 4 and "only the first 4" in fewer.problems[0]


def test_keypoints_and_polygons_are_read() -> None:
    points = np.array([[1.0, 1], [5, 2], [9, 4], [7, 8], [3, 6]])
    outline = np.array([[1.0, 1], [5, 1], [5, 4]])
    with matlens.from_loadmat({"landmarks": points, "polygon": outline}) as file:
        found = read_annotated(file, lambda: False)
    assert found is not None
    kinds = {mark.kind: mark for marks in found.marks for mark in marks}
    assert kinds["keypoints"].points is not None and kinds["keypoints"].points[1].tolist() == [4, 1]
    assert kinds["polygon"].rings[0].tolist() == [[0, 0], [4, 0], [4, 3]]
    assert extent_of([kinds["polygon"], kinds["keypoints"]]) == (7, 8)
    assert extent_of([Mark("box", "", "sure", (np.nan, 0, np.inf, 1e300))]) == (1 << 13, 1)


def test_marks_lie_on_their_pixels() -> None:
    """An image shown pixel by pixel: a box of 3x3, a triangle, a point, and what lies outside or nowhere."""
    view = Viewport(10, 12, 12, 10)
    marks = [
        Mark("box", "a", "sure", (1, 1, 4, 4)),
        Mark("polygon", "b", "sure", (6, 0, 9, 3), None, (np.array([[6.0, 0], [9, 0], [9, 3]]), np.zeros((0, 2)))),
        Mark("keypoints", "c", "sure", (2, 7, 2, 7), np.array([[2.0, 7], [np.nan, 1], [1e300, -1e300]])),
        Mark("box", "a", "sure", (np.nan,) * 4),
        Mark("polygon", "b", "sure", (0, 0, 0, 0), None, (np.array([[1e300, 1e300], [np.nan, 0], [-1e300, 5e3]]),)),
    ]
    palette = colours_of(["a", "b", "c"])
    drawn = draw_marks(np.zeros((10, 12, 3), np.uint8), view, marks, palette)
    letters = {(0, 0, 0): ".", **{colour: label for label, colour in palette.items()}}
    rows = ["".join(letters[tuple(pixel)] for pixel in row) for row in drawn.tolist()]
    assert rows == [
        "......bbbb..",
        ".aaa...b.b..",
        ".a.a....bb..",
        ".aaa.....b..",
        "............",
        "............",
        "..c.........",
        ".ccc........",
        "..c.........",
        "............",
    ]
    captions = captions_of(view, marks, palette)
    assert [(c.y, c.x, c.text) for c in captions] == [(1, 1, "a"), (0, 6, "b"), (7, 2, "c"), (0, 0, "b")]


# --- the screen ----------------------------------------------------------------------------


def about(pilot: Pilot[None]) -> str:
    return str(pilot.app.screen.query_one("#about", Static).content)


def test_stepping_through_images(tmp_path: Path) -> None:
    names = ["a.png", "b.png", "../c.png"]
    stored(tmp_path / "images" / "a.png", (0, 0, 0))
    stored(tmp_path / "images" / "b.png", (9, 9, 9))
    stored(tmp_path / "c.png")

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        pilot.app.images = tmp_path / "images"  # type: ignore[attr-defined]
        await press(pilot, "R")
        pane = pilot.app.screen.query_one(ImagePane)
        legend = pilot.app.screen.query_one("#legend", Static)
        assert "a.png  1 of 3  2 boxes  (sure and likely)  40x30" in about(pilot)
        assert str(legend.content) == "■ cat 1  ■ dog 1  "
        red = (pane.drawn() == (230, 25, 75)).all(axis=2)
        assert red.any() and not (pane.drawn() == (9, 9, 9)).all(axis=2).any()
        assert any("cat" in "".join(s.text for s in pane.render_line(y)) for y in range(pane.size.height))
        await press(pilot, "n")
        assert "b.png  2 of 3" in about(pilot) and (pane.drawn() == 9).all(axis=2).any()
        await press(pilot, "n")
        assert "no image: not in the folder of images" in about(pilot)
        assert pane.values.shape == (20, 30, 3) and (pane.values == 40).all()
        await press(pilot, "n", "p", "g")
        pilot.app.screen.query_one(Input).value = "B.PN"
        await press(pilot, "enter")
        assert "b.png  2 of 3" in about(pilot)
        for answer, expected in (("1", "a.png"), ("nothing", "a.png"), ("99", "a.png")):
            await press(pilot, "g")
            pilot.app.screen.query_one(Input).value = answer
            await press(pilot, "enter")
            assert about(pilot).startswith(expected)
        await press(pilot, "f", "down", "down", "enter")
        assert "1 box  (sure and likely, label dog)" in about(pilot) and str(legend.content) == "■ dog 1  "
        await press(pilot, "x")
        assert "no marks" in about(pilot)
        await press(pilot, "x", "t", "plus", "up", "j", "0", "c", "f", "escape")
        await press(pilot, "d", "d", "d", "d")
        assert "a.png" in about(pilot)
        await press(pilot, "escape", "escape")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, matlens.from_loadmat(records(names)))


@pytest.mark.parametrize("values", [{"x": np.arange(3.0)}, {"t": "text"}])
def test_files_without_annotations(values: dict[str, Any]) -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "R")
        assert "no annotations in this file" in about(pilot)
        await press(pilot, *"npgfdxt", "plus", "up", "h", "0", "escape")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, matlens.from_loadmat(values))


def test_leaving_while_the_file_is_read() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        for keys in (["escape"], ["n", "escape", "escape"], ["g", "escape", "escape", "escape"]):
            await pilot.press("R")
            for key in keys:
                await pilot.press(key)
            await settle(pilot)
            assert len(pilot.app.screen_stack) == 1

    drive(steps, FIXTURES / "annotations_v7.mat")


def test_labels_of_a_file_are_text_alone() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "R")
        assert "\x1b" not in about(pilot)
        await press(pilot, "f", "escape", "n", "escape")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, matlens.from_loadmat(records(["[red]\x1b[31m.png", "漢字.png"], ("[/oops]\x1b]0;x\x07", "漢字"))))


def test_boxes_that_do_not_decide_their_convention() -> None:
    """Corners, or a corner and a size: the person who looks at them says."""

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "R")
        assert "no annotations in this file" in about(pilot) and "v: 2 boxes at annotations" in about(pilot)
        await press(pilot, "v", "down", "enter")
        assert "2 boxes" in about(pilot)
        await press(pilot, "v", "escape", "escape")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, matlens.from_loadmat(records(["a.png"], field="bbox")))


def test_escape_ends_the_reading_and_nobody_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started, ended = Event(), Event()

    def read(file: matlens.MatFile, is_cancelled: Callable[[], bool], convention: str | None) -> None:
        started.set()
        while not is_cancelled():
            ended.wait(0.01)
        ended.set()

    monkeypatch.setattr(records_view, "read_annotated", read)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await pilot.press("R")
        while not started.is_set():
            await pilot.pause()
        assert not view.reading.locked()
        await pilot.press("n", "p", "f", "escape")
        await settle(pilot)
        assert ended.is_set() and len(pilot.app.screen_stack) == 1

    drive(steps, FIXTURES / "annotations_v7.mat")


def test_of_very_many_boxes_the_first_are_drawn() -> None:
    corners = np.tile([[3.0, 3, 12, 12], [21, 11, 30, 20]], (4000, 1))
    values = np.empty((1, 1), [("image", object), ("bbox_xyxy", object)])
    values[0, 0] = ("a.png", corners)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "R")
        assert "8,000 boxes" in about(pilot) and "the first 5,000 are drawn" in about(pilot)
        assert str(pilot.app.screen.query_one("#legend", Static).content) == "■ (no label) 8,000  "
        await press(pilot, "escape")

    drive(steps, matlens.from_loadmat({"a": values}))


def test_a_canvas_of_hostile_boxes_takes_no_room() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "R")
        pane = pilot.app.screen.query_one(ImagePane)
        assert pane.values.shape == (1 << 13, 1 << 13, 3) and pane.values.strides == (0, 0, 0)
        assert pane.drawn().size
        await press(pilot, "plus", "down", "escape")

    values = np.empty((1, 1), [("image", object), ("bbox_xyxy", object)])
    values[0, 0] = ("a.png", np.array([[1.0, 1, 1e300, 1e300], [5, 5, 9, 9]]))
    drive(steps, matlens.from_loadmat({"a": values}))
