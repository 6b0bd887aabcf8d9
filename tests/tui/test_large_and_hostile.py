"""Large files, hostile ones, and keys that wait for neither."""

from __future__ import annotations

import threading
import traceback
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from textual.pilot import Pilot

import matlens
from matlens.tui.browser import FileView
from matlens.tui.outline import Outline
from tests.support import FIXTURES
from tests.tui.driving import drive, lines, press, raw, settle, text

EVIL = "\x1b]0;PWNED\x07[/oops]\u202egnp\x9b31m"


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


def test_a_struct_of_100_000_fields_opens_by_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {f"f{k:06d}": float(k) for k in range(100_000)}
    file = matlens.from_loadmat({"s": fields})
    made: list[int] = []
    kind = type(file["s"])
    children = kind.children

    def counted(self: Any, *arguments: Any) -> Any:
        found = children(self, *arguments)
        made.append(len(found))
        return found

    monkeypatch.setattr(kind, "children", counted)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "down", "enter")
        assert sum(made) <= 3000
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


@pytest.mark.parametrize("error", [RuntimeError("out of\x1b[31m luck"), OverflowError(34, "too large"), ValueError()])
def test_no_exception_of_a_worker_ends_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """What nobody foresaw is shown and logged, and the next key is answered."""

    def fail(*_: Any) -> None:
        raise error

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        monkeypatch.setattr("matlens.tui.browser.statistics", fail)
        view.show(view.file.at("numbers.f64"))
        await settle(pilot)
        told = [notification.message for notification in pilot.app._notifications]
        assert any(f"a fault of matlens, please report it: {type(error).__name__}" in each for each in told)
        assert not any("\x1b" in each for each in told)
        monkeypatch.undo()
        view.show(view.file.at("numbers.f64"))
        await settle(pilot)
        assert "count 6" in text(view, "facts")

    drive(steps, FIXTURES / "kinds_v73.mat")
    assert any(record.levelname == "ERROR" and record.exc_info for record in caplog.records)


@pytest.mark.parametrize("values", [[np.finfo(float).max] * 3, [np.finfo(float).max, -np.finfo(float).max, 1.0]])
def test_the_largest_numbers_are_looked_at(tmp_path: Path, values: list[float]) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"x": np.array(values)})

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        for key in ("x", "p"):
            view.show(view.file["x"])
            await settle(pilot)
            await press(pilot, key)
            await press(pilot, "escape")
        assert "max 1.79769e+308" in text(view, "facts")

    drive(steps, tmp_path / "x.mat")
