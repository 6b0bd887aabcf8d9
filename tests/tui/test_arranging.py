"""Filters, counts, derived and moved columns, driven by keys; values against NumPy and the file's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.io
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

from matlens.tui.arranging import TableView
from matlens.tui.browser import FileView
from matlens.tui.counting import FrequencyScreen
from matlens.tui.model.arrangement import Arrangement
from matlens.tui.model.column_facts import column_text
from matlens.tui.model.frequencies import aggregates, frequencies, leaves
from tests.support import EVIL
from tests.tui.driving import drive, lines, press, raw, settle, text

TAGS = ("a", "b", "c", "d")


@pytest.fixture
def detections(tmp_path: Path) -> Path:
    random = np.random.default_rng(3)
    records = np.zeros((1, 60), [(name, "O") for name in ("image", "label", "score", "tags", "x1", "x2")])
    for k, record in enumerate(records[0]):
        tags = np.array(TAGS[: random.integers(0, 5)], object)
        values = (f"{k:03d}.jpg", ("car", "van", "bus")[k % 3], random.random(), tags, k, 2 * k + 1)
        for name, value in zip(records.dtype.names, values, strict=True):
            record[name] = value
    scipy.io.savemat(tmp_path / "d.mat", {"dets": records, "other": np.arange(6.0).reshape(2, 3)})
    return tmp_path / "d.mat"


def records_of(path: Path) -> list[dict[str, Any]]:
    return list(scipy.io.loadmat(path, simplify_cells=True)["dets"])


def images(view: FileView) -> list[str]:
    """The images in the rows that are seen, whichever column they stand in."""
    table = view.table
    assert table.grid is not None
    column = [table.grid.column_name(k) for k in range(table.grid.column_count)].index("image")
    names = table.grid.column_arrow(column).to_pylist()
    return [names[table.stored_row(row)] for row in range(table.row_count)]


async def show(pilot: Pilot[None], view: FileView, path: str = "dets") -> None:
    view.show(view.file.at(path))
    view.table.focus()
    await settle(pilot)


def notices(pilot: Pilot[None]) -> list[str]:
    return [notice.message for notice in pilot.app._notifications]


async def enter(pilot: Pilot[None], value: str) -> None:
    pilot.app.screen.query_one(Input).value = value
    await press(pilot, "enter")


def test_filters_add_up_and_are_undone(detections: Path) -> None:
    records = records_of(detections)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view)
        await press(pilot, "f")
        await enter(pilot, "score > 0.5")
        high = [r["image"] for r in records if r["score"] > 0.5]
        assert images(view) == high and f"{len(high)} of 60 rows" in text(view, "chips")
        await press(pilot, "f")
        await enter(pilot, "any(tags == 'd')")
        both = [r["image"] for r in records if r["score"] > 0.5 and "d" in np.atleast_1d(r["tags"])]
        assert images(view) == both and "[score > 0.5]  [any(tags == 'd')]" in text(view, "chips")
        await press(pilot, "u")
        assert images(view) == high
        await press(pilot, "u")
        assert len(images(view)) == 60 and not view.query_one("#chips").display

    drive(steps, detections)


def test_a_filter_of_the_cell_and_a_filter_without_rows(detections: Path) -> None:
    records = records_of(detections)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view)
        await press(pilot, "down", "right", "comma")
        assert images(view) == [r["image"] for r in records if r["label"] == "van"]
        await press(pilot, "f")
        await enter(pilot, "score > 2")
        assert images(view) == [] and "(empty)" in raw(pilot.app)
        # Nothing there is to sort, count or filter, and none of it is a fault.
        await press(pilot, "s", "comma", "F", "escape", "minus", "enter", "u", "u")
        assert len(images(view)) == 20

    drive(steps, detections)


def test_what_does_not_parse_is_asked_again_and_what_does_not_fit_is_told(detections: Path) -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view)
        await press(pilot, "f")
        await enter(pilot, "score >")
        assert "expected a value" in str(pilot.app.screen.query_one("#problem", Static).content)
        await enter(pilot, "scor > 1")
        assert len(images(view)) == 60 and any("did you mean score?" in told for told in notices(pilot))
        assert "working" not in text(view, "chips")

    drive(steps, detections)


def test_sorting_and_filters_are_there_after_enter_and_escape(detections: Path) -> None:
    records = records_of(detections)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view)
        await press(pilot, "f")
        await enter(pilot, "x1 >= 10")
        await press(pilot, "right", "right", "s", "down", "down", "right")
        expected = [r["image"] for r in sorted(records[10:], key=lambda r: r["score"])]
        assert images(view) == expected
        place = (view.table.row, view.table.column)
        await press(pilot, "enter")
        assert text(view, "path").startswith("dets(")
        await press(pilot, "escape")
        assert images(view) == expected and (view.table.row, view.table.column) == place

    drive(steps, detections)


def test_counts_of_nested_values_filter_and_sum_up(detections: Path) -> None:
    records = records_of(detections)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view)
        await press(pilot, "right", "right", "right", "F")
        screen = pilot.app.screen
        assert isinstance(screen, FrequencyScreen)
        table = screen.query_one(TableView)
        counted = {tag: sum(tag in np.atleast_1d(r["tags"]) for r in records) for tag in TAGS}
        assert table.grid is not None
        found = dict(zip(table.grid.column_values(0).tolist(), table.grid.column_values(1).tolist(), strict=True))
        assert found == counted
        await press(pilot, "a")
        pilot.app.screen.query_one(OptionList).highlighted = 2
        await press(pilot, "enter")
        names = [table.grid.column_name(k) for k in range(table.grid.column_count)]
        means = table.grid.column_values(names.index("mean score"))
        for tag, mean in zip(table.grid.column_values(0), means, strict=True):
            assert mean == pytest.approx(np.mean([r["score"] for r in records if tag in np.atleast_1d(r["tags"])]))
        await press(pilot, "ctrl+end", "enter")
        assert images(view) == [r["image"] for r in records if "d" in np.atleast_1d(r["tags"])]
        assert '[any(tags == "d")]' in text(view, "chips")

    drive(steps, detections)


def test_columns_are_derived_hidden_moved_and_frozen(detections: Path) -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view)
        await press(pilot, "equals_sign")
        await enter(pilot, "width = x2 - x1")
        await press(pilot, "equals_sign")
        await enter(pilot, "double = 2 * width")
        assert lines(view)[0].split() == ["image", "label", "score", "tags", "x1", "x2", "width", "double"]
        assert [line.split()[-2:] for line in lines(view)[1:4]] == [["1", "2"], ["2", "4"], ["3", "6"]]
        await press(pilot, "end", "s", "s")
        assert images(view)[:2] == ["059.jpg", "058.jpg"]
        await press(pilot, "home", "right", "minus", "right", "greater_than_sign")
        assert lines(view)[0].split() == ["image", "score", "x1", "tags", "x2", "width", "double▼"]
        assert "1 column hidden" in text(view, "chips")
        await press(pilot, "home", "z", "end")
        assert lines(view)[0].split()[0] == "image"
        await press(pilot, "U")
        assert lines(view)[0].split() == ["image", "label", "score", "tags", "x1", "x2"]

    drive(steps, detections, size=(150, 36))


def test_frozen_columns_stay_in_a_narrow_terminal(detections: Path) -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view)
        await press(pilot, "z", "end")
        header = lines(view)[0].split()
        assert header[0] == "image" and header[-1] == "x2" and "label" not in header
        assert lines(view)[1].split()[-1] == "1"
        await press(pilot, "home", "right", "right")
        assert "score" in lines(view)[0]

    drive(steps, detections, size=(40, 24))


def test_the_column_of_the_cursor_is_summed_up(detections: Path) -> None:
    records = records_of(detections)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view)
        await press(pilot, "right", "right")
        scores = np.array([r["score"] for r in records])
        assert f"min {scores.min():.6g}  max {scores.max():.6g}  mean {scores.mean():.6g}" in text(view, "column")
        await press(pilot, "left")
        assert text(view, "column").splitlines()[1] == "most frequent: bus 20, car 20, van 20"
        await press(pilot, "comma")
        assert text(view, "column").startswith("label: 20 rows  unique 1")

    drive(steps, detections)


def test_a_click_on_a_name_sorts(detections: Path) -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view)
        place = lines(view)[0].index("label")
        await pilot.click(TableView, offset=(place + 1, 0))
        await settle(pilot)
        assert "label▲" in lines(view)[0] and images(view)[0] == "002.jpg"

    drive(steps, detections)


def test_structs_of_equally_long_vectors_are_tables(tmp_path: Path) -> None:
    vectors = {"t": np.arange(5.0)[:, None], "pos": np.arange(15.0).reshape(5, 3), "n": np.array(list("abcde"), object)}
    scipy.io.savemat(tmp_path / "s.mat", {"s": vectors, "uneven": {"a": 1.0, "b": np.arange(3.0)}})

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view, "s")
        assert lines(view)[0].split() == ["t", "pos", "n"] and view.table.row_count == 5
        await press(pilot, "f")
        await enter(pilot, "t > 1 and max(pos) < 12")
        assert [line.split()[1] for line in lines(view)[1:3]] == ["2", "3"]
        await show(pilot, view, "uneven")
        assert [line.split()[0] for line in lines(view)[1:3]] == ["a", "b"]

    drive(steps, tmp_path / "s.mat")


def test_hostile_names_and_values_in_filters_and_counts(evil_file: Path, tmp_path: Path) -> None:
    records = np.zeros((1, 2), [("a", "O"), ("b", "O")])
    records[0]["a"], records[0]["b"] = [EVIL, "x"], [1.0, 2.0]
    scipy.io.savemat(tmp_path / "e.mat", {"e": records})

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view, "e")
        await press(pilot, "f")
        assert "\x1b" not in raw(pilot.app)
        await press(pilot, "escape", "comma", "F")
        assert "\x1b" not in raw(pilot.app)
        await press(pilot, "escape")
        assert view.table.row_count == 1 and "\x1b" not in raw(pilot.app)

    drive(steps, tmp_path / "e.mat")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([[1, 2], None, [], [2]]), {2: 2, 1: 1}),
        (pa.array([[["a"], ["a", "b"]], [[]]]), {"a": 2, "b": 1}),
        (pa.array(["x", "y", "x"]).dictionary_encode(), {"x": 2, "y": 1}),
        (pa.array([True, False, None, True]), {True: 2, False: 1, None: 1}),
        (pa.array([{"p": 1}, {"p": 1}, {"p": 2}]), {'{"p": 1}': 2, '{"p": 2}': 1}),
        (pa.nulls(3), {None: 3}),
        (pa.array([], pa.string()), {}),
    ],
)
def test_counts_of_every_form(values: pa.Array, expected: dict[Any, int]) -> None:
    for column in (pa.chunked_array([values]), pa.chunked_array([values.slice(0, 1), values.slice(1)])):
        found = frequencies("x", column)
        assert dict(zip(found.values.to_pylist(), found.counts.tolist(), strict=True)) == expected
        assert list(found.counts) == sorted(found.counts, reverse=True)
        column_text("x", column)


def test_aggregates_count_a_row_for_each_value_in_it() -> None:
    labels, sizes = pa.chunked_array([[["a", "b"], ["a"], [], None]]), pa.chunked_array([[1, 5, 100, 100]])
    found = frequencies("labels", labels)
    sums = aggregates(found, labels, sizes)
    assert found.values.to_pylist() == ["a", "b"]
    assert sums["sum"].to_pylist() == [6, 1] and sums["max"].to_pylist() == [5, 1]
    assert leaves(sizes) is sizes


@pytest.mark.parametrize("top", [np.finfo(float).max, 1.0, 5e-324, 0.0])
def test_statistics_of_extreme_numbers(top: float) -> None:
    told = column_text("x", pa.chunked_array([np.array([-top, top, np.nan, np.inf])]))
    assert "NaN 1  Inf 1" in told and f"max {top:.6g}" in told and "mean 0" in told.replace("mean -0", "mean 0")
    assert f"std {top:.6g}" in told


def test_arrangements_are_values() -> None:
    start = Arrangement().filtered("a > 1")
    assert start.filtered("a > 1") is start and start.filtered("b").filters == ("a > 1", "b")
    assert Arrangement().hidden(0, 1) == Arrangement()
    assert Arrangement(frozen=2).hidden(0, 3) == Arrangement(columns=(1, 2), frozen=1)
