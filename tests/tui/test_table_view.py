"""Outline, table and facts, driven by keys as a person drives them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
import scipy.io
from textual.pilot import Pilot

import matlens
from matlens.tui.browser import FileView
from matlens.tui.model.arrangement import sorted_rows
from matlens.tui.model.facts import statistics_text
from matlens.tui.model.grids import ArrayGrid, grid_of
from matlens.tui.model.statistics import statistics
from matlens.tui.outline import Outline
from matlens.tui.table_view import GridView
from tests.support import FIXTURES
from tests.tui.driving import drive, lines, press, settle, text

CARS = "foamliu+Car-Recognition/cars_train_annos.mat"


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
        assert lines(view)[0].split() == ["image", "boxes", "labels", "›"]
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
        assert "bbox_x1▲" not in lines(view)[0] and names() == down
        await press(pilot, "U")
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


def test_sorted_rows_of_a_grid_equal_numpy() -> None:
    values = np.array([[3, 1.0], [1, np.nan], [3, 0.5], [np.nan, 2], [1, 2]])
    grid = grid_of(matlens.from_loadmat({"x": values})["x"])
    rows = np.arange(5)
    assert sorted_rows(grid, rows, [(0, False)]).tolist() == [1, 4, 0, 2, 3]
    assert sorted_rows(grid, rows, [(0, True), (1, False)]).tolist() == [2, 0, 4, 1, 3]


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


BIG = np.finfo(float).max


@pytest.mark.parametrize(
    "values",
    [
        [BIG, BIG],
        [BIG, -BIG, 0.0],
        [1e200, 3e200, np.nan, np.inf],
        [5e-324, 1e-320, 0.0],
        [0.0, 0.0],
        [np.nan, np.inf],
        [1e308, 1.0],
    ],
)
def test_statistics_of_any_finite_double(tmp_path: Path, values: list[float]) -> None:
    """Against exact fractions: nothing overflows, whatever the size of the numbers."""
    scipy.io.savemat(tmp_path / "x.mat", {"x": np.array(values)})
    with matlens.open(tmp_path / "x.mat") as file:
        found = statistics(file["x"], Lock())  # type: ignore[arg-type]
    assert found is not None
    finite = [Fraction(value) for value in values if np.isfinite(value)]
    assert found.histogram.sum() == len(finite)
    if not finite:
        assert np.isnan([found.minimum, found.maximum, found.mean, found.std]).all()
        return
    mean = sum(finite) / len(finite)
    variance = sum((value - mean) ** 2 for value in finite) / len(finite)
    assert (found.minimum, found.maximum) == (float(min(finite)), float(max(finite)))
    assert found.mean == pytest.approx(float(mean), rel=1e-12, abs=5e-324)
    assert abs(Fraction(found.std) ** 2 - variance) <= max(variance / 10**9, Fraction(1, 2**2140))


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_extremes_of_integers_are_exact(tmp_path: Path, dtype: str) -> None:
    info = np.iinfo(dtype)
    values = np.array([info.min, info.max, info.max - 1, 2**53 + 1], dtype)
    scipy.io.savemat(tmp_path / "x.mat", {"x": values})
    with matlens.open(tmp_path / "x.mat") as file:
        found = statistics(file["x"], Lock())  # type: ignore[arg-type]
    assert found is not None and (found.minimum, found.maximum, found.unique) == (info.min, info.max, 4)
    assert f"max {info.max}" in statistics_text(found).plain
