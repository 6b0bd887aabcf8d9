"""The browser, driven by keys as a person drives it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.io
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static
from textual.worker import WorkerError

import matlens
from matlens.tui.app import Browser
from matlens.tui.browser import FileView
from matlens.tui.dialogs import Choose, Export, Find, Search
from matlens.tui.model.clipboard import copy_by_program
from matlens.tui.model.grids import ArrayGrid, grid_of, sort_order
from matlens.tui.model.matches import search
from matlens.tui.model.pictures import brightness, check_boxes, draw_boxes, heat_colours
from matlens.tui.model.plots import plot_lines
from matlens.tui.model.statistics import statistics
from matlens.tui.model.thresholds import find
from matlens.tui.outline import Outline
from matlens.tui.slider import Slider
from matlens.tui.table_view import GridView
from tests.support import FIXTURES

EVIL = "\x1b]0;PWNED\x07[/oops]\u202egnp\x9b31m"
CARS = "foamliu+Car-Recognition/cars_train_annos.mat"


async def settle(pilot: Pilot[None]) -> None:
    """Wait until workers are done and their results are shown."""
    for _ in range(3):
        with contextlib.suppress(WorkerError):
            await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def drive(
    steps: Callable[[Pilot[None], FileView], Awaitable[None]],
    *sources: Any,
    size: tuple[int, int] = (120, 36),
) -> None:
    """Run the browser on files and take some steps in it."""

    async def main() -> None:
        files = [source if isinstance(source, matlens.MatFile) else matlens.open(source) for source in sources]
        app = Browser(files)
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            await steps(pilot, app.query(FileView).first())
            await settle(pilot)
        for file in files:
            file.close()

    asyncio.run(main())


def lines(view: FileView) -> list[str]:
    """The table as it stands on the screen."""
    table = view.table
    return ["".join(s.text for s in table.render_line(y)).rstrip() for y in range(table.size.height)]


def text(view: FileView, id: str) -> str:
    return str(view.query_one(f"#{id}", Static).content)


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def raw(app: Any) -> str:
    """Everything on the screen that a terminal would get, without styles."""
    rows = [app.screen._compositor.render_strips()[y] for y in range(app.size.height)]
    return "\n".join("".join(segment.text for segment in row) for row in rows)


# --- outline and table -------------------------------------------------------------------


def test_variables_are_listed_first() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        found = lines(view)
        assert found[0].split() == ["class", "dims", "value"]
        assert found[1].split()[:3] == ["cells", "cell", "2x3"]
        assert text(view, "path").splitlines()[0] == "kinds_v73.mat"
        assert [str(child.label).split()[0] for child in view.query_one(Outline).root.children] == list(view.file)

    drive(steps, FIXTURES / "kinds_v73.mat")


def test_struct_arrays_are_tables_and_nested_values_open_in_place() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "down", "enter")
        assert lines(view)[0].split() == ["image", "boxes", "labels"]
        assert lines(view)[3].split()[:2] == ["3", "00003.jpg"]
        assert text(view, "path").splitlines() == ["annotations", 'file["annotations"]']
        await press(pilot, "tab", "down", "down", "right", "enter")
        assert text(view, "path").splitlines()[0] == "annotations(3).boxes"
        assert [row.split() for row in lines(view)[1:4]] == [
            ["1", "165", "119", "218", "176"],
            ["2", "218", "150", "284", "212"],
            ["3", "271", "181", "350", "248"],
        ]
        await press(pilot, "escape")
        assert text(view, "path").splitlines()[0] == "annotations"
        assert (view.table.row, view.table.column) == (2, 1)
        await press(pilot, "escape", "escape")
        assert view.shown is view.file

    drive(steps, FIXTURES / "annotations_v7.mat")


def test_children_come_a_thousand_at_a_time(corpus: Any) -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        outline = view.query_one(Outline)
        assert not outline.root.children[0].children
        await press(pilot, "down", "enter")
        children = outline.root.children[0].children
        assert len(children) == 1001 and str(children[-1].label) == "… 7,144 more"
        outline.move_cursor(children[-1])
        await press(pilot, "enter")
        children = outline.root.children[0].children
        assert len(children) == 2001 and str(children[1000].label).startswith("(1001)")

    drive(steps, corpus(CARS))


def test_sort_by_one_and_by_several_columns(corpus: Any) -> None:
    import pandas as pd

    records = scipy.io.loadmat(corpus(CARS), squeeze_me=True)["annotations"]
    frame = pd.DataFrame(
        {name: records[name].astype(str if name == "fname" else float) for name in records.dtype.names}
    )
    one = frame.sort_values("class", kind="stable")["fname"].head(5).tolist()
    down = frame.sort_values("class", kind="stable", ascending=False)["fname"].head(5).tolist()
    both = frame.sort_values(["class", "bbox_x1"], kind="stable", ascending=[False, True])["fname"].head(5).tolist()

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        def names() -> list[str]:
            return [row.split()[-1] for row in lines(view)[1:6]]

        await press(pilot, "down", "enter", "tab", "right", "right", "right", "right", "s")
        assert "class▲" in lines(view)[0] and names() == one
        await press(pilot, "s")
        assert "class▼" in lines(view)[0] and names() == down
        await press(pilot, "home", "S")
        assert "bbox_x1▲" in lines(view)[0] and names() == both
        await press(pilot, "u")
        assert names() == [f"0000{k}.jpg" for k in range(1, 6)]

    drive(steps, corpus(CARS))


def test_rows_pages_and_ends(corpus: Any) -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "down", "enter", "tab", "pagedown")
        page = view.table.size.height - 2
        assert view.table.row == page and f"{page + 1}" in [row.split()[0] for row in lines(view)[1:]]
        await press(pilot, "ctrl+end")
        assert lines(view)[-1].split()[0] == "8144" and view.table.row == 8143
        await press(pilot, "ctrl+home", "end")
        assert (view.table.row, view.table.column) == (0, 5)
        await press(pilot, "g", *"5000", "enter")
        assert view.table.row == 4999 and any(row.split()[0] == "5000" for row in lines(view)[1:])
        await press(pilot, "b")
        assert any(row.split()[0] == "4999" for row in lines(view)[1:])

    drive(steps, corpus(CARS))


def test_dimensions_of_an_array_are_mapped_and_stepped() -> None:
    expected = scipy.io.loadmat(FIXTURES / "kinds_v7.mat")["numbers"]["nd"][0, 0]

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file.at("numbers.nd"))
        view.table.focus()
        await settle(pilot)

        def shown() -> Any:
            rows = [row.split()[1:] for row in lines(view)[1:] if row.strip()]
            return np.array(rows, float)

        np.testing.assert_array_equal(shown(), expected[:, :, 0])
        await press(pilot, "right_square_bracket")
        np.testing.assert_array_equal(shown(), expected[:, :, 1])
        assert text(view, "mapping").startswith("(:,:,2) of 2x3x4")
        await press(pilot, "left_square_bracket", "left_square_bracket")
        np.testing.assert_array_equal(shown(), expected[:, :, 3])
        await press(pilot, "r")
        grid = view.table.grid
        assert isinstance(grid, ArrayGrid) and (grid.row_dim, grid.column_dim) == (2, 1)
        np.testing.assert_array_equal(shown(), expected[0].T)
        await press(pilot, "right_square_bracket")
        np.testing.assert_array_equal(shown(), expected[1].T)
        await press(pilot, "c", "b")
        assert (grid.row_dim, grid.column_dim) == (2, 0)
        np.testing.assert_array_equal(shown(), expected[:, 0, :].T)
        assert text(view, "mapping").startswith("[:,0,:] of 2x3x4")
        view.show(view.file.at("numbers.f64"))
        await settle(pilot)
        await press(pilot, "r")
        assert (view.table.row_count, view.table.column_count) == (3, 2)

    drive(steps, FIXTURES / "kinds_v73.mat")


def test_four_dimensions_keys_and_mouse() -> None:
    values = np.arange(120.0).reshape(2, 3, 4, 5)
    file = matlens.from_loadmat({"x": values, "s": {"a": 1.0}})

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        outline = view.query_one(Outline)
        await press(pilot, "down", "down", "right")
        assert outline.root.children[1].is_expanded
        await press(pilot, "down", "left")
        assert outline.cursor_node is outline.root.children[1]
        await press(pilot, "left")
        assert not outline.root.children[1].is_expanded
        view.show(file["x"])
        await settle(pilot)
        await press(pilot, "right_square_bracket", "o", "right_square_bracket", "right_square_bracket")
        assert text(view, "mapping").startswith("(:,:,2,3) of 2x3x4x5")
        found = np.array([row.split()[1:] for row in lines(view)[1:3]], float)
        np.testing.assert_array_equal(found, values[:, :, 1, 2])
        await pilot.click(GridView, offset=(10, 2))
        await settle(pilot)
        assert (view.table.row, view.table.column) == (1, 1) and view.table.has_focus
        await press(pilot, "question_mark")
        assert pilot.app.screen.query("HelpPanel")

    drive(steps, file)


def test_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        assert pilot.app.no_color

    drive(steps, FIXTURES / "kinds_v73.mat")


def test_facts_and_statistics() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file.at("numbers.f64"))
        await settle(pilot)
        found = text(view, "facts")
        assert "double  2x3  48 bytes" in found and "count 6  NaN 1  Inf 2" in found
        assert "min -2  max 3.14159" in found and "unique 6" in found

    drive(steps, FIXTURES / "kinds_v73.mat")


def test_statistics_equal_numpy(tmp_path: Path) -> None:
    from threading import Lock

    values = np.random.default_rng(0).normal(1e6, 3, size=(300, 40, 5))
    values[0, 0, 0], values[1, 1, 1] = np.nan, np.inf
    scipy.io.savemat(tmp_path / "x.mat", {"x": values})
    with matlens.open(tmp_path / "x.mat") as file:
        found = statistics(file["x"], Lock())  # type: ignore[arg-type]
        assert statistics(file["x"], Lock(), lambda: False) is None  # type: ignore[arg-type]
    finite = values[np.isfinite(values)]
    assert found is not None and (found.count, found.nan, found.infinite) == (values.size, 1, 1)
    np.testing.assert_allclose([found.mean, found.std], [finite.mean(), finite.std()], rtol=1e-12)
    assert (found.minimum, found.maximum) == (finite.min(), finite.max())
    np.testing.assert_array_equal(found.histogram, np.histogram(finite, 40)[0])
    assert found.unique == len(np.unique(values))


# --- finding, copying, exporting ---------------------------------------------------------


def test_find_by_letters_of_the_path() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "slash", *"numnd")
        assert isinstance(pilot.app.screen, Find)
        assert str(pilot.app.screen.query_one(OptionList).get_option_at_index(0).prompt) == "numbers.nd"
        await press(pilot, "enter")
        assert text(view, "path").splitlines()[0] == "numbers.nd"
        await press(pilot, "slash", *"zzzz", "enter")
        assert text(view, "path").splitlines()[0] == "numbers.nd"

    drive(steps, FIXTURES / "kinds_v73.mat")


def test_search_of_values(corpus: Any) -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "ctrl+f", *"08144.JPG", "enter")
        screen = pilot.app.screen
        assert isinstance(screen, Search)
        assert "1 found in 48,865 values, done" in str(screen.query_one("#state", Static).content)
        await press(pilot, "down", "enter")
        assert text(view, "path").splitlines()[0] == "annotations(8144).fname"
        await press(pilot, "ctrl+f", *"nothing like it", "enter", "escape")
        assert text(view, "path").splitlines()[0] == "annotations(8144).fname"

    drive(steps, corpus(CARS))


def test_search_finds_numbers_and_passes_over_damage() -> None:
    values = {"s": {"a": np.array([1.0, 2.5]), "t": "about 2.5 m", "c": np.array([2.5, "x"], object)}, "n": 3.0}
    with matlens.from_loadmat(values) as file:
        hits = [hit for node in file.values() for hit in search(node, "2.5") if hit.path]  # type: ignore[arg-type]
    assert {hit.path for hit in hits} == {"s.a", "s.t", "s.c{1}"}


# --- clipboard ---------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_program_copies_where_the_terminal_may_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "xclip"
    program.write_text(f'#!/bin/sh\ncat > "{tmp_path}/copied"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    for name in ("TMUX", "WAYLAND_DISPLAY", "SSH_CONNECTION", "WSL_DISTRO_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":9")
    assert copy_by_program("numbers.nd(:,:,1)") == "xclip"
    assert (tmp_path / "copied").read_text() == "numbers.nd(:,:,1)"
    monkeypatch.setenv("SSH_CONNECTION", "1")
    assert copy_by_program("x") is None
    program.write_text("#!/bin/sh\nexit 1\n")
    monkeypatch.delenv("SSH_CONNECTION")
    assert copy_by_program("x") is None


# --- objects -----------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v7", "v73"])
def test_tables_of_matlab_are_tables(version: str) -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        found = sorted(tuple(line.split()[1:3]) for line in lines(view)[1:4])
        assert found == [("duration", "1x2"), ("table", "3x4"), ("timetable", "3x3")]
        view.show(view.file["people"])
        view.table.focus()
        await settle(pilot)
        found = lines(view)
        assert found[0].split() == ["name", "score", "born", "group"]
        assert found[2].split()[:2] == ["2", "Brühl"]
        assert text(view, "facts").startswith("table  3x4")
        await press(pilot, "right", "right", "s")
        assert [line.split()[0] for line in lines(view)[1:4]] == ["1", "2", "3"]
        await press(pilot, "s")
        assert [line.split()[0] for line in lines(view)[1:4]] == ["3", "2", "1"]
        await press(pilot, "enter")
        assert text(view, "path").splitlines()[0] == "people.born"
        assert lines(view)[1].split() == ["1", "1815-12-10", "00:00:00"]
        await press(pilot, "escape", "left", "left", "y", "escape")
        view.show(view.file["took"])
        await settle(pilot)
        assert [line.split() for line in lines(view)[:3]] == [
            ["took"],
            ["1", "0:00:01.500000"],
            ["2", "0:00:00.250000"],
        ]

    drive(steps, FIXTURES / f"objects_{version}.mat")


def test_properties_of_objects_are_rows(corpus: Callable[[str], Path]) -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["obj_array"])
        view.table.focus()
        await settle(pilot)
        assert [line.split()[0] for line in lines(view)[1:5]] == ["(1,1)", "(2,1)", "(1,2)", "(2,2)"]
        await press(pilot, "down", "enter")
        assert text(view, "path").splitlines()[0] == "obj_array(2,1)"
        assert [line.split()[:3] for line in lines(view)[1:4]][0] == ["a", "double", "1x1"]

    drive(steps, corpus("JuliaIO+MAT.jl/test/v7/user_defined_classdefs.mat"))


# --- threads -----------------------------------------------------------------------------


def test_nothing_is_read_while_keys_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither is the lock of the file taken in the thread of the interface, nor a value shown by `repr`."""
    main = threading.main_thread()
    wrong: list[str] = []

    class Watched:
        def __init__(self) -> None:
            self._lock = threading.Lock()

        def __enter__(self) -> None:
            if threading.current_thread() is main:
                wrong.append("".join(traceback.format_stack(limit=4)))
            self._lock.acquire()

        def __exit__(self, *error: object) -> None:
            self._lock.release()

    def shown(self: Any) -> str:
        wrong.append("repr")
        return "?"

    monkeypatch.setattr("matlens.tui.browser.Lock", Watched)
    for kind in (matlens.MatFile, matlens.Node):
        monkeypatch.setattr(kind, "__repr__", shown)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "down", "right", "down", "enter", "tab", "down", "s", "enter", "escape", "m", "down", "m")
        await press(pilot, "escape", "y", "escape", "slash", "n", "enter", "p", "escape", "e", "escape")
        view.show(view.file.at("numbers.nd"))
        await settle(pilot)
        await press(pilot, "right_square_bracket", "r", "o", "b", "i", "t", "escape", "g", "1", "enter")
        await press(pilot, "ctrl+f", "h", "e", "enter", "escape")

    drive(steps, FIXTURES / "kinds_v73.mat")
    assert wrong == []


def test_many_variables_are_listed_in_pages() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        outline = view.query_one(Outline)
        assert len(outline.root.children) == 1001
        assert str(outline.root.children[-1].label) == "… 1,500 more"
        for _ in range(2):
            outline.move_cursor(outline.root.children[-1])
            await press(pilot, "enter")
        assert len(outline.root.children) == 2500
        assert outline.listed(3000) == [f"v{k}" for k in range(2500)]

    drive(steps, matlens.from_loadmat({f"v{k}": float(k) for k in range(2500)}))


# --- pictures and plots ------------------------------------------------------------------


def test_picture_of_an_image_with_the_boxes_beside_it() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, 30:] = 200
    boxes = np.array([[11.0, 6, 20, 15], [31, 21, 40, 30]])
    file = matlens.from_loadmat({"r": {"image": image, "bbox": boxes}})

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(file.at("r.image"))
        await settle(pilot)
        await press(pilot, "i")
        about = str(pilot.app.screen.query_one("#about", Static).content)
        assert "r.image  40x60x3  colour image" in about and "2 boxes as xyxy: 0 reach outside" in about
        await press(pilot, "v")
        assert "2 boxes as xyxy1: 0 reach outside of the image, 0 have no area" in str(
            pilot.app.screen.query_one("#about", Static).content
        )
        await press(pilot, "x", "escape")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, file)


def blobs() -> np.ndarray:
    """Three bright squares of 4x4, 6x6 and 8x8 pixels, of 100, 150 and 200."""
    image = np.zeros((40, 60), np.uint8)
    for size, row, column, level in ((4, 3, 5, 100), (6, 12, 20, 150), (8, 25, 40, 200)):
        image[row : row + size, column : column + size] = level
    return image


def test_threshold_slider_labels_regions_and_draws_their_boxes() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        def about() -> str:
            return str(pilot.app.screen.query_one("#about", Static).content)

        def white() -> int:
            return int((pilot.app.screen.query_one("_Picture")._drawn() == 255).all(axis=2).sum())

        view.show(view.file.at("r.image"))
        await settle(pilot)
        await press(pilot, "i", "t")
        assert "above 100: 2 regions, 100 pixels, the largest 64" in about()
        drawn = white()
        assert drawn > 0
        await press(pilot, "left")
        assert "above 98: 3 regions, 116 pixels, the largest 64" in about()
        assert white() > drawn
        await press(pilot, "shift+right", "shift+right", "shift+right")
        assert "above 158: 1 region, 64 pixels" in about()
        await press(pilot, "d")
        assert "below 158: 1 region, 2,336 pixels" in about()
        await press(pilot, "d", "end")
        assert "above 200: 0 regions, 0 pixels" in about()
        await press(pilot, "equals_sign")
        pilot.app.screen.query_one(Input).value = "149.6"
        await press(pilot, "enter")
        assert "above 150: 1 region" in about()
        await press(pilot, "equals_sign")
        pilot.app.screen.query_one(Input).value = "[/oops]"
        await press(pilot, "enter", "home")
        assert "above 0: 3 regions" in about()
        slider = pilot.app.screen.query_one(Slider)
        await pilot.click(slider, offset=(slider.size.width // 2, 0))
        await settle(pilot)
        assert 90 < slider.value < 110
        await press(pilot, "t")
        assert "regions" not in about() and not pilot.app.screen.query(Slider)
        assert white() == 0
        await press(pilot, "escape")

    drive(steps, matlens.from_loadmat({"r": {"image": blobs()}}))


@pytest.mark.parametrize("value", [np.full((6, 6), np.nan), np.full((6, 6), 3.0), np.full((6, 6), True)])
def test_threshold_slider_of_images_without_a_range(value: np.ndarray) -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["x"])
        await settle(pilot)
        await press(pilot, "i", "t", "right", "d", "equals_sign", "escape", "t", "escape")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, matlens.from_loadmat({"x": value}))


def test_threshold_of_a_colour_image_is_of_its_brightness() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[5:10, 5:10] = (255, 0, 0)
    image[12:18, 12:18] = (0, 255, 0)
    assert find(brightness(image), 100).corners.tolist() == [[12, 12, 18, 18]]
    assert find(brightness(image), 50).pixels == 25 + 36


def test_of_many_regions_the_largest_are_drawn() -> None:
    image = np.zeros((120, 120))
    image[::2, ::2] = 1
    image[40:60, 40:60] = 1
    found = find(image, 0.5)
    # The square touches ten single pixels below and ten to its right.
    assert found.largest == 420 and len(found.corners) == 500 < found.count
    assert found.corners[0].tolist() == [40, 40, 61, 61]
    assert "boxes of the 500 largest" in found.text()


def test_outlines_lie_on_the_pixels_of_the_region() -> None:
    """Rows 5 to 10 and columns 7 to 15, counted from 1, in an image shown pixel by pixel."""
    (check,) = [c for c in check_boxes(np.array([[7.0, 5, 15, 10]]), 12, 16) if c.convention == "xyxy1"]
    drawn = draw_boxes(np.zeros((12, 16, 3), np.uint8), check.corners, 12, 16)
    expected = np.zeros((12, 16), bool)
    expected[4:10, 6:15] = True
    expected[5:9, 7:14] = False
    np.testing.assert_array_equal(drawn.any(axis=2), expected)


def test_heat_maps_clip_one_percent_at_both_ends() -> None:
    values = np.arange(1000.0).reshape(20, 50)
    values[0, 0], values[19, 49] = -1e9, 1e9
    colours = heat_colours(values)
    assert colours[0, 0].tolist() == [68, 1, 84] and colours[19, 49].tolist() == [253, 231, 37]
    assert 30 <= colours[10, 0, 0] <= 40 and 140 <= colours[10, 0, 1] <= 160


def test_plot_keeps_extremes_and_gaps() -> None:
    values = np.zeros(10_000_000)
    values[1_234_567], values[8_000_000:8_500_000] = 5.0, np.nan
    start = time.process_time()
    lines_, low, high = plot_lines(values, 100, 20)
    assert time.process_time() - start < 1.0
    assert (low, high) == (0, 5) and len(lines_) == 20 and all(len(line) == 100 for line in lines_)
    dots = np.array([[ord(c) - 0x2800 for c in line] for line in lines_])
    assert dots[0].nonzero()[0].tolist() == [12] and not dots[:, 81:84].any() and dots[-1, 90]


def test_plot_and_histogram_screens() -> None:
    file = matlens.from_loadmat({"x": np.sin(np.arange(300.0) / 20), "t": "text"})

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(file["x"])
        await settle(pilot)
        await press(pilot, "p")
        assert "x  300 values" in raw(pilot.app)
        assert any(0x2800 < ord(letter) < 0x2900 for letter in raw(pilot.app))
        await press(pilot, "h")
        assert "█" in raw(pilot.app)
        await press(pilot, "escape")
        view.show(file["t"])
        await settle(pilot)
        await press(pilot, "p", "i")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, file)


def test_copy(tmp_path: Path) -> None:
    copied: list[str] = []

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        pilot.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        await press(pilot, "down", "enter", "tab", "down", "right")
        for downs in range(4):
            await press(pilot, "y")
            assert isinstance(pilot.app.screen, Choose)
            await press(pilot, *["down"] * downs, "enter")

    drive(steps, FIXTURES / "annotations_v7.mat")
    assert copied[:2] == ["annotations(2).boxes", 'file["annotations"][1]["boxes"]']
    assert copied[2].startswith("matlens show ") and copied[2].endswith("'annotations(2).boxes'")
    assert copied[3] == "[128, 90, 174, 136; 181, 121, 240, 172]"


def test_export_dialog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "down", "enter", "e")
        screen = pilot.app.screen
        assert isinstance(screen, Export)
        preview = str(screen.query_one("#preview", Static).content)
        assert "70 rows" in preview and "boxes  list<item: fixed_size_list<item: double>[4]>" in preview
        screen.query_one("#output", Input).value = "a.csv"
        await settle(pilot)
        await pilot.click("#export")
        await settle(pilot)
        assert "CSV has no nested values" in str(screen.query_one("#preview", Static).content)
        screen.query_one("#output", Input).value = "a.parquet"
        await settle(pilot)
        await pilot.click("#export")
        await settle(pilot)
        assert pilot.app.screen is not screen
        await press(pilot, "e")
        pilot.app.screen.query_one("#output", Input).value = "a.parquet"
        await settle(pilot)
        assert "the file exists" in str(pilot.app.screen.query_one("#preview", Static).content)
        await press(pilot, "escape")

    drive(steps, FIXTURES / "annotations_v7.mat")
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 70


def test_two_values_side_by_side() -> None:
    file = matlens.from_loadmat({"a": np.arange(200.0).reshape(40, 5), "b": np.arange(200.0).reshape(40, 5) * 1.5})

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        for name in ("a", "b"):
            view.show(file[name])
            await settle(pilot)
            await press(pilot, "m")
        screen = pilot.app.screen
        assert "199 values, at most 99.5 apart" in str(screen.query_one("#differences", Static).content)
        await press(pilot, "ctrl+end", "end")
        assert [(table.row, table.column) for table in screen.query(GridView)] == [(39, 4)] * 2
        await press(pilot, "escape", "m", "m")
        assert "no differences" in str(pilot.app.screen.query_one("#differences", Static).content)

    drive(steps, file)


@pytest.fixture(autouse=True)
def folders_of_the_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configuration and state of each test are its own."""
    folder = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    return folder


def test_a_file_is_shown_as_it_was_left(folders_of_the_user: Path) -> None:
    async def leave(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "down", "enter")
        view.show(view.file.at("numbers.nd"))
        await settle(pilot)
        await press(pilot, "right_square_bracket", "r", "b", "q")

    async def return_(pilot: Pilot[None], view: FileView) -> None:
        assert text(view, "path").splitlines()[0] == "numbers.nd"
        assert text(view, "mapping").startswith("[0,:,:] of 2x3x4") and view.table.base == 0
        assert view.query_one(Outline).opened_variables() == ["cells"]

    drive(leave, FIXTURES / "kinds_v73.mat")
    drive(return_, FIXTURES / "kinds_v73.mat")
    for broken in ("[1]", "{", '{"x": 1}', "\x00" * 10):
        (folders_of_the_user / "state" / "matlens" / "browser.json").write_text(broken)
        drive(lambda pilot, view: asyncio.sleep(0), FIXTURES / "kinds_v73.mat")


def test_theme_and_keys_come_from_the_configuration(folders_of_the_user: Path) -> None:
    path = folders_of_the_user / "config" / "matlens" / "browser.toml"
    path.parent.mkdir(parents=True)
    path.write_text('theme = "nord"\n[keys]\nfind = "f"\n')

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        assert pilot.app.theme == "nord"
        await press(pilot, "f")
        assert isinstance(pilot.app.screen, Find)

    drive(steps, FIXTURES / "kinds_v73.mat")
    path.write_text("theme = \x1b")

    async def warned(pilot: Pilot[None], view: FileView) -> None:
        (told,) = [notification.message for notification in pilot.app._notifications]
        assert "browser.toml" in told and "\x1b" not in told + raw(pilot.app)

    drive(warned, FIXTURES / "kinds_v73.mat")


def test_several_files_have_tabs() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        assert len(pilot.app.query(FileView)) == 2
        shown = raw(pilot.app)
        assert "kinds_v7.mat" in shown and "sparse_real" in shown and "annotations_v7.mat" in shown
        assert pilot.app.focused is view.query_one(Outline)

    drive(steps, FIXTURES / "kinds_v7.mat", FIXTURES / "annotations_v7.mat")


def test_small_terminals_stack_the_panes() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "down", "enter")
        outline = view.query_one(Outline)
        assert view.has_class("narrow") and outline.region.bottom <= view.table.region.y
        assert outline.size.height >= 5 and view.table.size.height >= 6

    drive(steps, FIXTURES / "annotations_v7.mat", size=(80, 24))


# --- hostile and large files -------------------------------------------------------------


def hostile(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        for name in (EVIL, "[/oops]", "\u202egnp"):
            units = np.array([[ord(c)] for c in EVIL], np.uint16)
            dataset = file.create_dataset(name, data=units)
            dataset.attrs["MATLAB_class"] = np.bytes_("char")
            dataset.attrs["MATLAB_int_decode"] = np.int32(2)
        cell = file.create_dataset("loop", (1, 1), h5py.ref_dtype)
        cell[0, 0] = cell.ref
        cell.attrs["MATLAB_class"] = np.bytes_("cell")
        dataset = file.create_dataset("long", data=np.full((1_000_000, 1), 65, np.uint16))
        dataset.attrs["MATLAB_class"] = np.bytes_("char")
        file.create_dataset("odd", data=np.zeros(3, [("a", "f4"), ("b", "i2")]))
        records = file.create_group("s")
        records.attrs["MATLAB_class"] = np.bytes_("struct")
        records[f"field{EVIL}".replace("/", "")] = np.zeros((2, 2))
    return path


def test_hostile_names_and_values_neither_raise_nor_reach_the_terminal(tmp_path: Path) -> None:
    path = hostile(tmp_path / f"a{EVIL.replace('/', '')}.mat")

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        for name in list(view.file):
            view.show(view.file[name])
            await settle(pilot)
            shown = raw(pilot.app)
            assert not set(shown) & set("\x1b\x07\x9b\u202e"), name
        view.show(view.file)
        view.table.focus()
        for key in ("down", "down", "enter", "escape", "end", "y", "enter", "e", "escape", "slash", "enter", "s"):
            await press(pilot, key)
            assert not set(raw(pilot.app)) & set("\x1b\x07\x9b\u202e")
        outline = view.query_one(Outline)
        for child in list(outline.root.children):
            child.expand()
            await settle(pilot)
        assert not set(raw(pilot.app)) & set("\x1b\x07\x9b\u202e")

    drive(steps, path)


def test_a_struct_of_100_000_fields_opens_by_the_page() -> None:
    fields = {f"f{k:06d}": float(k) for k in range(100_000)}
    file = matlens.from_loadmat({"s": fields})

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        start = time.process_time()
        await press(pilot, "down", "enter")
        assert time.process_time() - start < 5
        outline = view.query_one(Outline)
        assert len(outline.root.children[0].children) == 1001
        await press(pilot, "tab", "ctrl+end")
        assert lines(view)[-1].split()[:2] == ["f099999", "double"]

    drive(steps, file)


def test_two_billion_rows(tmp_path: Path) -> None:
    """A chunked matrix of which a single chunk is stored."""
    path = tmp_path / "huge.mat"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("m", (2, 2_000_000_000), "u1", chunks=(1, 1_000_000), compression=1, fillvalue=0)
        dataset[0, 1_999_999_000:] = 7
        dataset.attrs["MATLAB_class"] = np.bytes_("uint8")

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["m"], remember=False)
        view.table.focus()
        await pilot.pause(0.2)
        assert view.table.virtual_size.height == 2_000_000_001
        view.table.go_to(1_999_999_999, 0)
        assert view.table.row == 1_999_999_999
        pilot.app.workers.cancel_all()

    drive(steps, path)


def test_sorted_rows_of_a_grid_equal_numpy() -> None:
    values = np.array([[3, 1.0], [1, np.nan], [3, 0.5], [np.nan, 2], [1, 2]])
    grid = grid_of(matlens.from_loadmat({"x": values})["x"])
    assert sort_order(grid, [(0, False)]).tolist() == [1, 4, 0, 2, 3]
    assert sort_order(grid, [(0, True), (1, False)]).tolist() == [2, 0, 4, 1, 3]


# --- the real program --------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_the_program_in_a_terminal(tmp_path: Path, corpus: Any) -> None:
    """Open Stanford Cars, walk to annotations, sort by class, export to Parquet, quit."""
    session = f"matlens-{tmp_path.name}"
    tmux = ["tmux", "-L", session, "-f", "/dev/null"]

    def keys(*names: str) -> None:
        for name in names:
            subprocess.run([*tmux, "send-keys", "-t", "0", name], check=True)
            time.sleep(0.15)

    def screen_with(wanted: str) -> str:
        for _ in range(100):
            shown = subprocess.run([*tmux, "capture-pane", "-p", "-t", "0"], capture_output=True, text=True, check=True)
            if wanted in shown.stdout:
                return shown.stdout
            time.sleep(0.1)
        raise AssertionError(f"{wanted!r} is not on the screen:\n{shown.stdout}")

    command = f"cd {tmp_path} && {sys.executable} -m matlens browse {corpus(CARS)}; echo left with $?; sleep 60"
    subprocess.run([*tmux, "new-session", "-d", "-x", "120", "-y", "36", command], check=True)
    try:
        screen_with("1x8144 struct")
        keys("Down", "Enter")
        screen_with("00001.jpg")
        keys("Tab", "Right", "Right", "Right", "Right", "s")
        assert "00163.jpg" in screen_with("class▲")
        keys("e")
        screen_with("8,144 rows")
        keys("Enter")
        screen_with("written: annotations.parquet")
        keys("q")
        screen_with("left with 0")
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
    assert pq.read_table(tmp_path / "annotations.parquet").num_rows == 8144
