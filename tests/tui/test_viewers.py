"""Pictures, thresholds and plots."""

from __future__ import annotations

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

import matlens
from matlens.tui.browser import FileView
from matlens.tui.model.colour_maps import limits_of, map_colours
from matlens.tui.model.pictures import brightness, check_boxes, draw_boxes
from matlens.tui.model.plots import plot_lines
from matlens.tui.model.thresholds import find
from matlens.tui.slider import Slider
from tests.counting import count_calls
from tests.tui.driving import drive, press, raw, settle


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
            return int((pilot.app.screen.query_one("ImagePane").drawn() == 255).all(axis=2).sum())

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
    colours = map_colours(values, *limits_of(values))
    assert colours[0, 0].tolist() == [68, 1, 84] and colours[19, 49].tolist() == [253, 231, 37]
    assert 30 <= colours[10, 0, 0] <= 40 and 140 <= colours[10, 0, 1] <= 160


def test_plot_keeps_extremes_and_gaps() -> None:
    values = np.zeros(10_000_000)
    values[1_234_567], values[8_000_000:8_500_000] = 5.0, np.nan
    calls, (lines_, low, high) = count_calls(lambda: plot_lines(values, 100, 20))
    assert calls < 10_000
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
