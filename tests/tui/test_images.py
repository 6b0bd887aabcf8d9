"""Pictures looked at closely: averages, zoom, the cursor, colour maps and stacks."""

from __future__ import annotations

import numpy as np
from textual.pilot import Pilot
from textual.widgets import Static

import matlens
from matlens.tui.browser import FileView
from matlens.tui.image_pane import ImagePane
from matlens.tui.model.colour_maps import MAPS, bar_text, map_colours
from matlens.tui.model.stacks import Stack
from matlens.tui.model.viewport import Viewport, area_average
from tests.tui.driving import drive, press, raw, settle


def test_shrinking_averages_areas() -> None:
    """A line of one pixel in 16 is a sixteenth of its brightness, wherever it lies."""
    for column in range(16):
        image = np.zeros((16, 16), np.uint8)
        image[:, column] = 160
        assert area_average(image, 1, 1).tolist() == [[10.0]]
    colours = np.zeros((2, 2, 3), np.uint8)
    colours[0, 0] = (4, 8, 12)
    assert area_average(colours, 1, 1).tolist() == [[[1.0, 2.0, 3.0]]]


def test_averages_of_uneven_runs_and_gaps() -> None:
    row = np.array([[1.0, 2, 3, 4, np.nan, np.nan, np.inf]])
    # Edges at 0, 7/3, 14/3 and 7, rounded down: columns 1-2, 3-4 and 5-7.
    assert area_average(row, 1, 3).tolist() == [[1.5, 3.5, np.inf]]
    (first, second, *_), *_ = area_average(row, 1, 7).tolist()
    assert (first, second) == (1.0, 2.0)
    assert np.isnan(area_average(row[:, 4:6], 1, 1)).all()
    assert area_average(np.array([[1, 2], [3, 4]]), 4, 2).tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]


def test_viewport_magnifies_around_a_place_and_stays_inside() -> None:
    view = Viewport(100, 200)
    view.fit(100, 100)
    assert (view.extent(), view.drawn()) == ((100, 200), (50, 100))
    view.magnify(True, (99, 199))
    # A pixel of the screen for each of the image, at the lower right corner.
    assert view.scale() == 1 and view.extent() == (100, 100) and (view.top, view.left) == (0, 100)
    view.magnify(True, (99, 199))
    assert view.extent() == (50, 50) and (view.top, view.left) == (50, 150)
    assert view.place_at(0, 0) == (50, 150) and view.place_at(99, 99) == (99, 199) and view.place_at(100, 0) is None
    assert view.pixels_of(51, 150) == (2, 4, 0, 2) and view.pixels_of(49, 150) is None
    view.pan(-1, -1)
    assert (view.top, view.left) == (44, 144)
    view.follow(0, 0)
    assert (view.top, view.left) == (0, 0)
    for _ in range(20):
        view.magnify(False)
    assert view.extent() == (100, 200)
    for _ in range(20):
        view.magnify(True)
    assert view.scale() == 32


def test_colour_maps_have_their_ends_and_their_middle() -> None:
    values = np.array([[0.0, 5, 10, 20, np.nan]])
    assert map_colours(values, 0, 10, "gray")[0].tolist() == [[0] * 3, [128] * 3, [255] * 3, [255] * 3, [90] * 3]
    assert map_colours(values, 0, 10)[0, [0, 2]].tolist() == [[0x44, 1, 0x54], [0xFD, 0xE7, 0x25]]
    huge = np.array([[-1.7e308, 0, 1.7e308]])
    assert map_colours(huge, -1.7e308, 1.7e308, "gray")[0, :, 0].tolist() == [0, 128, 255]
    assert map_colours(np.full((1, 1), 3.0), 3, 3, "gray").tolist() == [[[0, 0, 0]]]
    text = bar_text(0, 2.5, "gray", 30)
    assert text.plain.startswith("0 █") and text.plain.endswith("█ 2.5  gray") and len(text.plain) == 30 + 0


def test_stacks_count_as_matlab_does() -> None:
    values = np.arange(6 * 7 * 2 * 3).reshape(6, 7, 2, 3)
    stack = Stack(values)
    assert stack.count == 6 and not stack.is_rgb
    assert (stack.frame(1) == values[:, :, 1, 0]).all() and (stack.frame(4) == values[:, :, 0, 2]).all()
    assert stack.number_of((1, 2)) == 5 and stack.number_of((9, 9)) == 0 and stack.number_of(()) == 0
    colour = Stack(np.zeros((6, 7, 3, 4), np.uint8))
    assert colour.is_rgb and colour.count == 4 and colour.frame(3).shape == (6, 7, 3)
    single = Stack(np.zeros((6, 7)))
    assert single.count == 1 and single.index_text(0) == "" and single.frame(0).shape == (6, 7)


def bar(pilot: Pilot[None]) -> str:
    return str(pilot.app.screen.query_one("#bar", Static).content)


def about(pilot: Pilot[None]) -> str:
    return str(pilot.app.screen.query_one("#about", Static).content)


def test_zoom_cursor_and_value() -> None:
    values = np.arange(200.0 * 300).reshape(200, 300)
    values[100, 150] = np.nan

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["x"])
        await settle(pilot)
        await press(pilot, "i", "right")
        pane = pilot.app.screen.query_one(ImagePane)
        assert "(101, 151) = NaN" in bar(pilot) and "viridis" in bar(pilot)
        await press(pilot, "plus", "plus", "plus", "plus")
        assert pane.view.scale() >= 1
        await press(pilot, "right", "down")
        assert f"(102, 152) = {101 * 300 + 151}" in bar(pilot)
        await press(pilot, *["left"] * 3, "h", "h", "j", "k", "l", "minus")
        await pilot.click(ImagePane, offset=(0, 0))
        await settle(pilot)
        row, column = pane.view.top, pane.view.left
        assert f"({row + 1}, {column + 1}) = " in bar(pilot)
        for name in [*list(MAPS)[1:], "viridis"]:
            await press(pilot, "c")
            assert name in bar(pilot)
        await press(pilot, "0")
        assert pane.view.extent() == (200, 300) and "=" not in bar(pilot)
        await press(pilot, "escape", "escape")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, matlens.from_loadmat({"x": values}), size=(80, 24))


def test_frames_of_colour_step_and_play() -> None:
    values = np.zeros((12, 16, 3, 4), np.uint8)
    for k in range(4):
        values[..., k] = 50 * (k + 1)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["x"])
        await settle(pilot)
        view.table.focus()
        await press(pilot, "i")
        pane = pilot.app.screen.query_one(ImagePane)
        assert "x(:,:,:,1)  12x16x3  colour image" in about(pilot) and "frame 1 of 4" in about(pilot)
        assert (pane.drawn() == 50).all()
        await press(pilot, "right_square_bracket", "right_square_bracket")
        assert "x(:,:,:,3)" in about(pilot) and (pane.drawn() == 150).all()
        await press(pilot, "left_square_bracket", "right_square_bracket", "right_square_bracket")
        assert (pane.drawn() == 200).all()
        await press(pilot, "t", "right_square_bracket", "t", "up")
        assert "(7, 9) = 50 50 50" in bar(pilot)
        screen = pilot.app.screen
        await press(pilot, "space")
        screen._next()
        assert "frame 1 of 4" not in about(pilot)
        await press(pilot, "space", "space", "escape")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, matlens.from_loadmat({"x": values}))


def test_a_stack_of_matrices_begins_at_the_slice_of_the_table() -> None:
    values = np.arange(6 * 7 * 2 * 2.0).reshape(6, 7, 2, 2)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file.at("x"))
        await settle(pilot)
        view.table.focus()
        await press(pilot, "o", "right_square_bracket", "i")
        assert "x(:,:,1,2)" in about(pilot) and "frame 3 of 4" in about(pilot)
        await press(pilot, "escape", "r", "i")
        assert "frame" not in about(pilot)
        assert "heat map" in raw(pilot.app)
        await press(pilot, "escape")

    drive(steps, matlens.from_loadmat({"x": values}))
