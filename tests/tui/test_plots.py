"""Plots: ticks, axes, lines, groups and histograms, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from textual.pilot import Pilot
from textual.widgets import SelectionList, Static

import matlens
from matlens.tui.browser import FileView
from matlens.tui.model.axes import Axis, axis_of
from matlens.tui.model.line_points import line_points
from matlens.tui.model.plot_columns import REST, OneColumn, Series, groups_of, nearest, series_of
from matlens.tui.model.plots import chart_text, draw_series, empty_dots, histogram_text
from matlens.tui.model.spy import spy_text
from matlens.tui.model.ticks import log_ticks, nice_ticks, number_label
from matlens.tui.model.viewport import Viewport
from tests.tui.driving import drive, press, raw, settle

EMPTY = "\u2800"


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 1, 6, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-1, 1, 5, [-1, -0.5, 0, 0.5, 1]),
        (0.13, 0.97, 5, [0.2, 0.4, 0.6, 0.8]),
        (-3e-7, 2e-7, 6, [-3e-7, -2e-7, -1e-7, 0, 1e-7, 2e-7]),
        (1, 1000, 5, [200, 400, 600, 800, 1000]),
        (1e300, 3e300, 5, [1e300, 1.5e300, 2e300, 2.5e300, 3e300]),
        (0, 0, 5, [0]),
        (2, 1, 5, []),
        (float("nan"), 1, 5, []),
        (0, float("inf"), 5, []),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, most: int, expected: list[float]) -> None:
    assert nice_ticks(low, high, most) == expected


def test_ticks_of_any_range_are_inside_and_few() -> None:
    random = np.random.default_rng(5)
    ends = random.choice([-1, 1], (500, 2)) * 10.0 ** random.uniform(-300, 307, (500, 2))
    for low, high in np.sort(ends, axis=1).tolist():
        ticks = nice_ticks(low, high, 6)
        assert 0 < len(ticks) <= 6 and ticks == sorted(set(ticks))
        slack = 1e-9 * (high - low)
        assert low - slack <= ticks[0] and ticks[-1] <= high + slack
    assert len(nice_ticks(-1.7e308, 1.7e308, 5)) >= 2
    assert nice_ticks(0, 5e-324, 5)


def test_zero_is_zero() -> None:
    labels = [number_label(tick) for tick in nice_ticks(-0.3, 0.3, 7)]
    assert " ".join(labels) == "-0.3 -0.2 -0.1 0 0.1 0.2 0.3"
    assert [number_label(value) for value in (1e6, 1.5e-8, 99999, 1e5, -2.50, float("inf"))] == [
        "1e6",
        "1.5e-8",
        "99999",
        "1e5",
        "-2.5",
        "inf",
    ]


def test_logarithmic_axes() -> None:
    axis = axis_of([np.array([0.0, -5, 1, 1000, np.inf, np.nan])], True)
    assert axis == Axis(1, 1000, True)
    assert axis.places(np.array([10.0, -1])).tolist()[0] == pytest.approx(1 / 3)
    assert [label for _, label in axis.ticks(8)] == ["1", "10", "100", "1000"]
    assert axis.value_at(2 / 3) == pytest.approx(100)
    assert axis.zoomed(0.5, 1.0).high == pytest.approx(1000**0.5)
    assert log_ticks(1e-300, 1e300, 4) == [1e-300, 1.0, 1e300] or len(log_ticks(1e-300, 1e300, 4)) <= 4
    assert log_ticks(0, 1, 5) == [] and axis_of([np.array([-1.0])], True) is None


def test_axes_reach_to_the_ends_of_the_doubles() -> None:
    axis = Axis(-1.7e308, 1.7e308)
    assert axis.places(np.array([-1.7e308, 0, 1.7e308])).tolist() == [0, 0.5, 1]
    assert axis.zoomed(2, 0) == axis


def test_lines_go_from_point_to_point_and_leave_gaps() -> None:
    dots = empty_dots(2, 1)
    draw_series(dots, np.array([0.0, 1]), np.array([0.0, 1]))
    assert dots.tolist() == np.eye(4, dtype=bool)[::-1].tolist()
    dots = empty_dots(4, 1)
    draw_series(dots, np.linspace(0, 1, 8), np.array([0, 0, 0, np.nan, np.nan, 1, 1, 1]))
    assert dots[3].tolist() == [True] * 3 + [False] * 5 and dots[0].tolist() == [False] * 5 + [True] * 3
    x, y = line_points(np.array([0.0, 1000]), np.array([0.0, 1000]), 4, 4)
    assert x.tolist() == y.tolist() == pytest.approx([0, 1, 2, 3])
    assert all(len(part) == 0 for part in line_points(np.array([5.0, 9]), np.array([0.0, 1]), 4, 4))


def test_many_points_are_drawn_as_few_ones_are() -> None:
    """Of a column with very many points, the smallest and the largest matter; the line through them is unbroken."""
    x = np.linspace(0, 1, 200_001)
    y = np.where((x * 100).astype(int) % 2 == 0, 0.0, 1.0)
    dots = empty_dots(50, 4)
    draw_series(dots, x, y)
    assert dots[0].any() and dots[-1].any() and dots.any(axis=0).all()
    y[100_000] = np.nan
    again = empty_dots(50, 4)
    draw_series(again, x, y)
    assert (dots == again).all()


def test_points_in_no_order() -> None:
    dots = empty_dots(2, 1)
    draw_series(dots, np.array([1.0, 0, 1]), np.array([0.0, 0, 1]), is_scatter=True)
    assert [tuple(place) for place in np.argwhere(dots).tolist()] == [(0, 3), (3, 0), (3, 3)]


def test_charts_have_ticks_in_their_places() -> None:
    series = [Series("a", np.array([0.0, 10]), np.array([0.0, 4]))]
    lines = chart_text(series, Axis(0, 10), Axis(0, 4), 44, 11).plain.split("\n")
    # Nine lines of the plot, the axis and its labels.
    assert len(lines) == 11
    assert "".join(line[:3] for line in lines[:9]) == " 4┤  │  │  │ 2┤  │  │  │ 0┤"
    assert lines[9] == "  └┬" + "─" * 19 + "┬" + "─" * 19 + "┬"
    assert lines[10].split() == ["0", "5", "10"]
    crossed = chart_text(series, Axis(0, 10), Axis(0, 4), 44, 11, cross=0.0).plain
    assert crossed.count("┊") == 8


def test_groups_and_parts() -> None:
    columns = OneColumn("z", np.array([3 + 4j, -1j]))
    assert [series_of(columns, (0,), None, None, part)[0].y.tolist() for part in ("real", "imag", "abs", "phase")] == [
        [3, 0],
        [4, -1],
        [5, 1],
        [np.arctan2(4, 3), -np.pi / 2],
    ]
    groups = groups_of(np.array([f"g{k}" for k in range(12)] + ["g11"]))
    assert [name for name, _ in groups][:2] == ["g11", "g0"] and groups[-1][0] == REST and len(groups) == 10
    assert groups[0][1].sum() == 2 and groups[-1][1].sum() == 3
    assert nearest([Series("a", np.array([np.nan]), np.array([1.0]))], 0) == []


def test_histograms_tell_counts_by_group() -> None:
    series = [Series("a", np.arange(4.0), np.array([0.0, 0, 1, 10])), Series("b", np.arange(1.0), np.array([10.0]), 1)]
    text, told = histogram_text(series, 32, 14, cross=9.9)
    assert "a  4" in text.plain and "b  1" in text.plain and told == "[9, 10]: a 1, b 1"
    text, told = histogram_text(series[:1], 32, 14, cross=0.0)
    assert told == "[0, 1): 2" and text.plain.startswith(" 2┤█")
    for values in ([], [np.nan], [5.0], [5.0] * 9, [-1.7e308, 1.7e308], [1e16, 1e16 + 2], [5e-324, 0]):
        for is_log in (False, True):
            histogram_text(
                [Series("x", np.arange(float(len(values))), np.array(values))], 40, 10, cross=1.0, is_log=is_log
            )


def test_spy_plots_and_their_zoom() -> None:
    places = np.array([0, 99])
    view = Viewport(100, 100, 20, 20)
    lines = spy_text(places, places, view, 10, 5).plain.split("\n")
    assert lines[1] == "│⠁" + EMPTY * 9 + "│" and lines[5] == "│" + EMPTY * 9 + "⢀│"
    view.magnify(True, (0, 0))
    # Ten rows are 20 dots high at twice two dots each: the last entry is out of sight.
    assert sum(line.count(EMPTY) for line in spy_text(places, places, view, 10, 5).plain.split("\n")) == 49


def about(pilot: Pilot[None]) -> str:
    return str(pilot.app.screen.query_one("#about", Static).content)


def table() -> dict[str, np.ndarray]:
    t = np.linspace(0, 10, 101)
    return {"x": np.column_stack([t, 2 * t, t**2, np.arange(101) % 3])}


def test_columns_groups_and_the_crosshair() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["x"])
        await settle(pilot)
        view.table.focus()
        await press(pilot, "p")
        assert "x, column 1  101 values" in about(pilot)
        await press(pilot, "c")
        listed = pilot.app.screen.query_one(SelectionList)
        assert listed.selected == [0]
        await press(pilot, "space", "down", "space", "down", "space", "enter")
        assert "x  101 values" in about(pilot) and "● 2  ● 3" in about(pilot)
        await press(pilot, "x", "down", "enter", "right")
        assert "x: 1" in about(pilot) and "2 (5, 10)  3 (5, 25)" in about(pilot)
        await press(pilot, "shift+left", "left")
        assert "2 (3.9, 7.8)  3 (3.9, 15.21)" in about(pilot)
        await press(pilot, "plus", "plus", "right_square_bracket", "left_square_bracket", "minus", "minus", "minus")
        await press(pilot, "0", "g", *["down"] * 4, "enter")
        assert "groups: 4" in about(pilot) and "● 2 0  ● 2 1  ● 2 2  ● 3 0" in about(pilot)
        await press(pilot, "s", "y", "X")
        assert "log x  log y" in about(pilot)
        await press(pilot, "h", "right")
        assert "[" in about(pilot) and "2 0  33" in raw(pilot.app)
        await press(pilot, "plus", "y", "h", "g", "enter", "c", "escape", "x", "escape", "escape")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, matlens.from_loadmat(table()), size=(120, 40))


def test_parts_of_complex_numbers() -> None:
    values = np.exp(1j * np.linspace(0, 3, 50)) * 2

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["z"])
        await settle(pilot)
        await press(pilot, "p")
        seen = [about(pilot)]
        for _ in range(3):
            await press(pilot, "m")
            seen.append(about(pilot))
        assert [text.rpartition("  ")[2] for text in seen] == ["real part", "imag part", "abs", "phase"]
        await press(pilot, "c", "x", "g", "q")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, matlens.from_loadmat({"z": values.reshape(-1, 1)}))


@pytest.mark.parametrize("values", [[np.nan], [np.inf, -np.inf], [0.0], [-1.7e308, 1.7e308], [1, 1], [-1, -2]])
def test_every_key_on_every_plot(values: list[float]) -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["x"])
        await settle(pilot)
        view.table.focus()
        await press(pilot, "p", "right", "plus", "left", "minus", "right_square_bracket", *"ysXhymXh0hy0", "escape")
        assert len(pilot.app.screen_stack) == 1

    drive(steps, matlens.from_loadmat({"x": np.array(values)}))


def test_sparse_matrices_show_where_their_entries_are() -> None:
    matrix = scipy.sparse.random(500, 300, 0.01, random_state=1, format="csc")

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["s"])
        await settle(pilot)
        await press(pilot, "i")
        assert "s  500x300, 1,500 entries, 1.000%" in about(pilot)
        await press(pilot, "plus", "plus", "j", "l", "k", "h", "minus", "up")
        assert "rows " in about(pilot)
        await press(pilot, "0")
        assert "rows " not in about(pilot)
        await press(pilot, "escape")
        view.show(view.file["none"])
        await settle(pilot)
        await press(pilot, "i", "plus", "escape")
        assert len(pilot.app.screen_stack) == 1

    none = scipy.sparse.csc_matrix((4, 5))
    drive(steps, matlens.from_loadmat({"s": matrix, "none": none}))
