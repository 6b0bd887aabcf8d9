"""Several files and values, what is remembered, settings, small terminals."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
from textual.pilot import Pilot
from textual.widgets import Static

import matlens
from matlens.tui.browser import FileView
from matlens.tui.dialogs import Find
from matlens.tui.outline import Outline
from matlens.tui.table_view import GridView
from tests.support import FIXTURES
from tests.tui.driving import drive, press, raw, settle, text


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
