"""One cell in full, exact copies, and searching the cells of a table."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from threading import Event, Lock
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Checkbox, Input, OptionList, Static

import matlens
from matlens.errors import UnsupportedValue
from matlens.tui import searching
from matlens.tui.browser import FileView
from matlens.tui.cell_view import CellScreen
from matlens.tui.copying import CopyDialog, WriteFile
from matlens.tui.dialogs import Choose
from matlens.tui.model import cell_search
from matlens.tui.model.cell_search import Pattern, find_cells
from matlens.tui.model.grids import grid_of
from matlens.tui.model.literals import FORMS
from matlens.tui.outline import Outline
from matlens.tui.searching import SearchBar
from matlens.tui.table_view import GridView
from tests.support import FIXTURES
from tests.tui.driving import drive, lines, press, raw, settle, text


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(CopyDialog, "last_form", 0)
    # No program of this machine is handed anything.
    monkeypatch.setenv("PATH", "")


def numbers() -> matlens.MatFile:
    values = {
        "x": np.arange(500.0)[None] * math.pi,
        "big": np.array([[2**63 - 1, -5]]),
        "note": "a\x1b]0;x\x07\nlast",
        "s": np.array([("one", 1.25), ("Two", np.nan)], [("name", object), ("size", object)])[None],
    }
    return matlens.from_loadmat(values)


def full(pilot: Pilot[None]) -> str:
    return str(pilot.app.screen.query_one("#full", Static).content)


async def show(pilot: Pilot[None], view: FileView, path: str) -> None:
    view.show(view.file.at(path))
    view.table.focus()
    await settle(pilot)


def test_a_cell_shows_all_digits_and_bits() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view, "x")
        await press(pilot, "right", "v")
        assert isinstance(pilot.app.screen, CellScreen)
        assert "3.141592653589793\n" in full(pilot) and "0x1.921fb54442d18p+1" in full(pilot)
        assert str(pilot.app.screen.query_one("#where", Static).content) == "x  row 1, column 2 of (:,:)"
        assert "1x500" in str(pilot.app.screen.query_one("#about", Static).content)
        await press(pilot, "escape")
        await show(pilot, view, "big")
        await press(pilot, "space")
        assert "9223372036854775807" in full(pilot) and "0x7fffffffffffffff" in full(pilot)

    drive(steps, numbers())


def test_a_cell_shows_text_in_lines_and_lets_none_of_it_act() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "tab", "down", "down", "v")
        assert full(pilot).endswith("a\\x1b]0;x\\x07\nlast\n")
        assert "\x1b" not in raw(pilot.app)

    drive(steps, numbers())


def test_a_nested_cell_is_a_table_of_its_own() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "tab", "enter", "down", "right", "v")
        screen = pilot.app.screen
        assert isinstance(screen, CellScreen)
        table = screen.query_one(GridView)
        assert "".join(s.text for s in table.render_line(2)).split() == ["2", "181", "121", "240", "172"]
        assert "stored as float64" in str(screen.query_one("#about", Static).content)
        await press(pilot, "escape")
        assert pilot.app.screen is not screen

    drive(steps, FIXTURES / "annotations_v7.mat")


@pytest.mark.parametrize("form", FORMS)
def test_copies_are_exact(form: str) -> None:
    copied: list[str] = []

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        pilot.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        await show(pilot, view, "x")
        await press(pilot, "right", "y", *["right"] * FORMS.index(form), "enter")
        await press(pilot, "y", "down", "enter")
        await press(pilot, "y", "down", "down", "enter")
        await press(pilot, "y", "down", "down", "down", "enter")

    drive(steps, numbers())
    value, row, column, table = copied
    assert value == column == "3.141592653589793" and row == table
    expected = (np.arange(500) * math.pi).tolist()
    if form in ("TSV", "CSV"):
        found = [float(item) for item in next(csv.reader([row], delimiter="\t" if form == "TSV" else ","))]
    elif form == "JSON":
        found = json.loads(row)
    elif form == "Python":
        found = eval(row, {"np": np}).ravel().tolist()
    else:
        found = [float(item) for item in row.strip("[]").split()]
    assert found == expected


def test_rows_and_columns_of_records_are_copied_as_they_are_seen() -> None:
    copied: list[str] = []

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        pilot.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        await show(pilot, view, "s")
        await press(pilot, "s", "s")
        for downs in range(4):
            await press(pilot, "y", *["down"] * downs, "enter")

    drive(steps, numbers())
    assert copied == ["one", "name\tsize\none\t1.25", "name\none\nTwo", "name\tsize\none\t1.25\nTwo\tNaN"]


def test_a_hostile_text_is_copied_as_it_is_and_told_safely() -> None:
    copied: list[str] = []
    told: list[str] = []

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        pilot.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        pilot.app.notify = lambda text, **_: told.append(text)  # type: ignore[method-assign, assignment]
        await press(pilot, "tab", "down", "down", "y")
        assert "\x1b" not in raw(pilot.app)
        await press(pilot, "enter")

    drive(steps, numbers())
    assert list(csv.reader(copied[0].splitlines(keepends=True))) == [["a\x1b]0;x\x07\nlast"]]
    assert told == ['copied by the terminal: "a\\x1b]0;x\\x07\\nlast"']


def test_what_is_too_long_goes_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    values = np.random.default_rng(1).normal(size=(100, 100))

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view, "a")
        for answer in (0, 1):
            await press(pilot, "y", "down", "down", "down", "enter")
            assert isinstance(pilot.app.screen, WriteFile)
            await press(pilot, "enter")
            if answer == 0:
                (folder / "a.tsv").write_text("mine")
                continue
            assert isinstance(pilot.app.screen, Choose)
            await press(pilot, "down", "up", "enter")
            assert (folder / "a.tsv").read_text() == "mine"
            await press(pilot, "enter", "down", "enter")

    drive(steps, matlens.from_loadmat({"a": values}))
    assert [path.name for path in folder.iterdir()] == ["a.tsv"]
    lines_ = list(csv.reader((folder / "a.tsv").read_text().splitlines(), delimiter="\t"))
    np.testing.assert_array_equal(np.array(lines_, float), values)


def test_cells_are_searched_and_marked() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        def state() -> str:
            return str(view.query_one("#found", Static).content)

        await press(pilot, "down", "enter", "tab", "slash", *"0001", "enter")
        assert (view.table.row, view.table.column, state()) == (0, 0, "1 of 11")
        assert "0001   " in raw(pilot.app) and "1 of 11" in raw(pilot.app)
        styles = [s.style.bgcolor.name for s in view.table.render_line(10) if s.style and s.style.bgcolor]
        assert "yellow" in styles
        await press(pilot, "N")
        assert (view.table.row, state()) == (18, "11 of 11, around the start")
        await press(pilot, "n")
        assert (view.table.row, state()) == (0, "1 of 11, around the end")
        await press(pilot, "n")
        assert (view.table.row, state()) == (9, "2 of 11")
        # Sorted downwards, the rows found come from 00019.jpg to 00001.jpg.
        await press(pilot, "s", "s", "n")
        assert (view.table.row, state()) == (51, "1 of 11")
        await press(pilot, "escape")
        assert not view.table.is_marked and view.query_one(SearchBar).display is False
        assert text(view, "path").splitlines()[0] == "annotations"
        await press(pilot, "escape")
        assert view.shown is view.file

    drive(steps, FIXTURES / "annotations_v7.mat")


def test_regular_expressions_and_case() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        def state() -> str:
            return str(view.query_one("#found", Static).content)

        await show(pilot, view, "s")
        await press(pilot, "slash", *"two", "enter")
        assert state() == "1 of 1" and view.table.row == 1
        await press(pilot, "slash")
        view.query_one("SearchBar Input", Input).value = "TWO"
        await press(pilot, "enter")
        assert state() == "nothing found"
        view.query_one("#regex", Checkbox).value = True
        await press(pilot, "slash")
        view.query_one("SearchBar Input", Input).value = "^t.o$|1\\.25"
        await press(pilot, "enter")
        assert state() == "2 of 2"
        await press(pilot, "slash")
        view.query_one("SearchBar Input", Input).value = "(("
        await press(pilot, "enter")
        assert "no regular expression" in state()

    drive(steps, numbers())


def test_full_digits_and_texts_are_searched() -> None:
    def found(value: Any, query: str, is_regex: bool = False) -> list[int]:
        with matlens.from_loadmat({"v": value}) as file:
            cells = find_cells(grid_of(file["v"]), Pattern(query, is_regex), Lock(), lambda *_: True)
            assert cells is not None
            return sorted(cells.tolist())

    assert found(np.array([[math.pi, 2, 3.1416]]), "3.14159265") == [0]
    assert found(np.array([[math.pi, 2, 3.1416]]), "3.14159") == [0]
    assert found(np.array([[2**63 - 1, 1]]), "9223372036854775807") == [0]
    cube = np.arange(70_000.0).reshape(2, 35_000)
    assert found(cube, "^(34999|69999)$", True) == [34_999, 69_999]
    assert found(cube.T.copy(), "^(34999|69999)$", True) == [69_998, 69_999]
    long = np.array([["x" * 500 + "needle", "hay"]], object)
    assert found(long, "needle") == [2]
    # With a backtracking engine, this would not end.
    assert found(np.array([["a" * 50_000 + "b"]], object), "(a+)+$", True) == []


def test_a_search_is_given_up_when_nobody_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cell_search, "NUMBERS", 3)
    with matlens.from_loadmat({"v": np.zeros((3, 3))}) as file:
        asked: list[tuple[int, int, int]] = []

        def tell(column: int, row: int, count: int) -> bool:
            asked.append((column, row, count))
            return len(asked) < 2

        assert find_cells(grid_of(file["v"]), Pattern("0"), Lock(), tell) is None
    assert asked == [(0, 0, 0), (1, 0, 3)]
    with pytest.raises(UnsupportedValue, match="no regular expression"):
        Pattern("[", True)


def test_escape_stops_a_search_and_then_closes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(grid: Any, pattern: Any, lock: Any, tell: Any) -> None:
        while tell(0, 0, 0):
            Event().wait(0.01)

    monkeypatch.setattr(searching, "find_cells", endless)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await show(pilot, view, "x")
        await press(pilot, "slash", "1")
        await pilot.press("enter")
        await pilot.pause()
        assert any(worker.group == "search cells" and worker.is_running for worker in pilot.app.workers)
        await pilot.press("escape")
        await settle(pilot)
        assert text(view, "found") == "given up" and view.query_one(SearchBar).display
        await press(pilot, "escape")
        assert not view.query_one(SearchBar).display
        assert isinstance(view.shown, matlens.Node) and view.shown.path == "x"

    drive(steps, numbers())


def test_fields_of_struct_arrays_are_found_by_name() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "slash", *"box", "enter")
        assert text(view, "path").splitlines()[0] == "annotations.boxes"
        assert lines(view)[0].split() == ["class", "dims", "value"]

    drive(steps, FIXTURES / "annotations_v7.mat")


def test_the_outline_follows_what_is_found_and_the_query_stays() -> None:
    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "ctrl+f", *"00050.jpg", "enter", "down", "enter")
        node = view.query_one(Outline).cursor_node
        assert node is not None and isinstance(node.data, matlens.Node)
        assert node.data.path == text(view, "path").splitlines()[0] == "annotations(50).image"
        await press(pilot, "ctrl+f")
        assert pilot.app.screen.query_one(Input).value == "00050.jpg"
        assert pilot.app.screen.query_one(OptionList).option_count == 0

    drive(steps, FIXTURES / "annotations_v7.mat")


def test_the_outline_lists_on_to_what_is_found() -> None:
    records = np.array([(f"name {k}",) for k in range(2500)], [("name", object)])[None]

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "ctrl+f", *"name 2345", "enter", "down", "enter")
        node = view.query_one(Outline).cursor_node
        assert node is not None and isinstance(node.data, matlens.Node) and node.data.path == "r(2346).name"

    drive(steps, matlens.from_loadmat({"r": records}))
