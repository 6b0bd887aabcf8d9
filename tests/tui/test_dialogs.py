"""Finding, copying and exporting."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList, Static

import matlens
from matlens.tui.browser import FileView
from matlens.tui.copying import CopyDialog
from matlens.tui.dialogs import Export, Find, Search
from matlens.tui.model.clipboard import copy_by_program
from matlens.tui.model.literals import FORMS
from matlens.tui.model.matches import search
from tests.support import FIXTURES
from tests.tui.driving import drive, press, settle, text

CARS = "foamliu+Car-Recognition/cars_train_annos.mat"


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


def test_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        pilot.app.copy_to_clipboard = copied.append  # type: ignore[method-assign]
        await press(pilot, "down", "enter", "tab", "down", "right")
        monkeypatch.setattr(CopyDialog, "last_form", FORMS.index("MATLAB"))
        for downs in (4, 5, 6, 0):
            await press(pilot, "y")
            assert isinstance(pilot.app.screen, CopyDialog)
            await press(pilot, *["down"] * downs, "enter")

    drive(steps, FIXTURES / "annotations_v7.mat")
    assert copied[:2] == ["annotations(2).boxes", 'file["annotations"][1]["boxes"]']
    assert copied[2].startswith("matlens show ") and copied[2].endswith("'annotations(2).boxes'")
    assert copied[3] == "[128 90 174 136; 181 121 240 172]"


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
