"""What the browser looks like: SVG snapshots, to be looked at when they change.

``pytest tests/tui/test_snapshots.py --snapshot-update`` takes them anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

import matlens
from matlens.tui.app import Browser
from matlens.tui.browser import FileView
from tests.support import FIXTURES
from tests.tui.driving import settle

pytest.importorskip("pytest_textual_snapshot")

WIDE, NARROW = (110, 30), (80, 24)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    # A cursor that blinks is there at some times and not at others.
    monkeypatch.setattr(Input, "_toggle_cursor", lambda _: None)
    # Paths on the screen are relative ones.
    monkeypatch.chdir(FIXTURES)


def pictures() -> matlens.MatFile:
    y, x = np.mgrid[0:60, 0:90]
    image = np.stack([x * 2, y * 3, (x + y) % 256], axis=-1).astype(np.uint8)
    signal = np.sin(np.arange(500) / 40) * np.exp(-np.arange(500) / 300)
    signal[200:230] = np.nan
    peaks = np.sin(x / 14) * np.cos(y / 9)
    record = {"image": image, "bbox": np.array([[11.0, 6, 40, 25], [51, 21, 80, 50]]), "signal": signal, "peaks": peaks}
    return matlens.from_loadmat({"record": record, "other": peaks + (x > 60)})


def columns() -> matlens.MatFile:
    t = np.linspace(0, 10, 201)
    return matlens.from_loadmat({"m": np.column_stack([t, np.sin(t), np.cos(2 * t) / 2, np.arange(201) % 3])})


def kinds() -> matlens.MatFile:
    return matlens.open("kinds_v73.mat")


def annotations() -> matlens.MatFile:
    return matlens.open("annotations_v7.mat")


def scene() -> matlens.MatFile:
    return matlens.open("scene_v7.mat")


SCREENS: dict[str, tuple[Callable[[], matlens.MatFile], str, list[str], tuple[int, int]]] = {
    "variables": (kinds, "", [], WIDE),
    "struct_array": (annotations, "annotations", ["down", "down", "right"], WIDE),
    "struct_array_narrow": (annotations, "annotations", [], NARROW),
    "sorted": (annotations, "annotations", ["s", "s"], WIDE),
    "matrix_of_cells": (kinds, "cells", [], WIDE),
    "slice": (kinds, "numbers.nd", ["right_square_bracket"], WIDE),
    "transposed_from_zero": (kinds, "numbers.nd", ["r", "b"], WIDE),
    "sparse": (kinds, "sparse_real", [], WIDE),
    "text": (kinds, "text.matrix", [], WIDE),
    "empty": (kinds, "empty_struct", [], NARROW),
    "find": (kinds, "", ["slash", "n", "u", "m"], WIDE),
    "copy": (annotations, "annotations", ["y"], WIDE),
    "export": (annotations, "annotations", ["e"], WIDE),
    "plot": (pictures, "record.signal", ["p"], WIDE),
    "histogram": (pictures, "record.signal", ["p", "h"], WIDE),
    "plot_of_columns": (columns, "m", ["p", "c", *["space", "down"] * 3, "enter", "x", "down", "enter", "right"], WIDE),
    "histogram_by_group": (columns, "m", ["p", "h", "g", *["down"] * 4, "enter", "right"], NARROW),
    "spy": (kinds, "sparse_real", ["i"], NARROW),
    "image_records": (annotations, "", ["R", "n"], WIDE),
    "magnified": (pictures, "record.peaks", ["i", "right", "plus", "c"], NARROW),
    "heat_map": (pictures, "record.peaks", ["i"], NARROW),
    "threshold": (scene, "scene.image", ["i", "t", "right"], NARROW),
    "image_with_boxes": (pictures, "record.image", ["i", "v"], NARROW),
}


@pytest.mark.parametrize("name", SCREENS)
def test_screen(name: str, snap_compare: Any) -> None:
    opened, path, keys, size = SCREENS[name]

    async def steps(pilot: Pilot[None]) -> None:
        await settle(pilot)
        view = pilot.app.query_one(FileView)
        if path:
            view.show(view.file.at(path))
            view.table.focus()
            await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)

    before: Callable[[Pilot[None]], Awaitable[None]] = steps
    with opened() as file:
        assert snap_compare(Browser([file]), run_before=before, terminal_size=size)
