"""Files that are written while they are open, signals, and keys where standard input is a pipe."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from textual.pilot import Pilot

import matlens
from matlens.tui.browser import FileView
from matlens.tui.reloading import Watch
from tests.tui.driving import drive, press, settle, text


def write(path: Path, version: str, offset: int, *, length: int = 50_000) -> None:
    """Write a matrix, over the file that is there."""
    values = np.arange(float(length)).reshape(-1, 5) + offset
    if version == "v7.3":
        with h5py.File(path, "w") as file:
            file.create_dataset("x", data=values.T).attrs["MATLAB_class"] = np.bytes_("double")
    else:
        scipy.io.savemat(path, {"x": values}, do_compression=version == "v7")


def notices(pilot: Pilot[None]) -> str:
    return " ".join(notice.message for notice in pilot.app._notifications)


@pytest.mark.parametrize("version", ["v6", "v7", "v7.3"])
def test_a_file_that_was_written_is_read_again_as_it_was_shown(version: str, tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    write(path, version, 0)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["x"])
        view.table.focus()
        await press(pilot, "down", "down", "right", "s", "s")
        arrangement = view.table.arrangement
        write(path, version, 1000)
        await press(pilot, "ctrl+r")
        again = pilot.app.query_one(FileView)
        await settle(pilot)
        assert again is not view and text(again, "path").startswith("x\n")
        assert again.table.arrangement == arrangement and arrangement.sort_keys == ((1, True),)
        assert again.table.grid is not None and again.table.has_focus
        assert again.table.grid.column_values(0)[:2].tolist() == [1000.0, 1005.0]

    drive(steps, path)


def test_that_a_file_was_written_is_told_once_and_read_again_where_asked(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    write(path, "v7", 0)
    watch = Watch(matlens.open(path))
    write(path, "v7", 1, length=60_000)
    # Whoever writes may not have finished at the first look.
    assert [watch.has_changed() for _ in range(4)] == [False, True, False, False]
    path.unlink()
    assert not watch.has_changed() and not watch.has_changed()

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        app: Any = pilot.app
        write(path, "v7", 2)
        view._look()
        view._look()
        await settle(pilot)
        assert "Ctrl+R reads it again" in notices(pilot)
        app.is_watching = True
        write(path, "v7", 3, length=70_000)
        view._look()
        view._look()
        await settle(pilot)
        again = app.query_one(FileView)
        assert again is not view and again.file["x"].dims == (14_000, 5)

    write(path, "v7", 0)
    drive(steps, path)


@pytest.mark.parametrize("kept", [0, 64, 200, 5000])
def test_a_file_that_was_cut_is_told_and_neither_crashes_nor_ends(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    write(path, "v6", 0)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        with path.open("r+b") as file:
            file.truncate(kept)
        await press(pilot, "down", "enter", "tab", "down", "pagedown", "s", "F", "escape", "ctrl+r")
        assert pilot.app.is_running and notices(pilot)
        write(path, "v6", 7)
        await press(pilot, "ctrl+r")
        again = pilot.app.query_one(FileView)
        assert again.file["x"].value[0, 0] == 7.0

    drive(steps, path)


def test_what_came_through_a_pipe_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    write(path, "v7", 0)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await press(pilot, "ctrl+r")
        assert "cannot be read again" in notices(pilot) and pilot.app.query_one(FileView) is view

    drive(steps, path.read_bytes())


def in_terminal(command: str, keys: bytes = b"", signal_number: int = 0) -> tuple[int, bytes]:
    """Run a shell command in a terminal of its own; give its exit code and all that it wrote."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="100", LINES="30")
        os.execvp("sh", ["sh", "-c", command])
    found, sent = b"", False
    # What is silent for so long does not go on any more.
    while select.select([terminal], [], [], 60)[0]:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        if not chunk:
            break
        found += chunk
        if not sent and b"double" in found:
            sent = True
            if keys:
                os.write(terminal, keys)
            if signal_number:
                os.kill(pid, signal_number)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), found


def test_keys_come_from_the_terminal_where_the_file_comes_through_a_pipe(tmp_path: Path) -> None:
    write(tmp_path / "x.mat", "v7", 0)
    code, shown = in_terminal(f"cat {tmp_path}/x.mat | {sys.executable} -m matlens browse -", keys=b"q")
    assert code == 0 and b"<stdin>" in shown


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_in_order_and_restore_the_terminal(number: int, tmp_path: Path) -> None:
    write(tmp_path / "x.mat", "v7", 0)
    code, shown = in_terminal(f"exec {sys.executable} -m matlens browse {tmp_path}/x.mat", signal_number=number)
    assert code == 128 + number and b"Traceback" not in shown
    # The alternate screen and the mouse are off, the cursor is back.
    assert shown.rindex(b"\x1b[?1049l") > shown.rindex(b"\x1b[?1049h")
    assert shown.rindex(b"\x1b[?1000l") > shown.rindex(b"\x1b[?1000h") and b"\x1b[?25h" in shown


def test_without_a_terminal_it_refuses(tmp_path: Path) -> None:
    write(tmp_path / "x.mat", "v7", 0)
    content = (tmp_path / "x.mat").read_bytes()
    for name in ("-", str(tmp_path / "x.mat")):
        command = [sys.executable, "-m", "matlens", "browse", name]
        done = subprocess.run(command, input=content, capture_output=True, timeout=60, start_new_session=True)
        assert done.returncode in (1, 2) and b"no terminal" in done.stderr and b"Traceback" not in done.stderr
