"""The browser: CPU time of what a person waits for, imports left aside."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from textual.pilot import Pilot
from textual.worker import WorkerError

import matlens
from matlens.tui.app import Browser
from matlens.tui.browser import FileView
from matlens.tui.outline import Outline
from tests.benchmarks import files

pytestmark = pytest.mark.benchmark(min_rounds=3, warmup=False, timer=time.process_time)
Steps = Callable[[Pilot[None], FileView], Awaitable[None]]


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


async def settle(pilot: Pilot[None]) -> None:
    for _ in range(2):
        with contextlib.suppress(WorkerError):
            await pilot.app.workers.wait_for_complete()
        await pilot.pause()


def timed(benchmark: Any, open_file: Callable[[], matlens.MatFile], before: Steps | None, steps: Steps) -> None:
    """CPU seconds of `steps`, after the browser is up and `before` has been done."""
    spent: list[float] = []

    async def main() -> None:
        with open_file() as file:
            app = Browser([file])
            async with app.run_test(size=(120, 40)) as pilot:
                await settle(pilot)
                view = app.query_one(FileView)
                if before is not None:
                    await before(pilot, view)
                start = time.process_time()
                await steps(pilot, view)
                spent.append(time.process_time() - start)
                app.workers.cancel_all()

    for _ in range(3):
        asyncio.run(main())
    benchmark.extra_info["CPU seconds"] = sorted(spent)[1]
    benchmark.pedantic(lambda: None, rounds=1)


async def nothing(pilot: Pilot[None], view: FileView) -> None:
    pass


@pytest.mark.parametrize("kind", ["v5 of 1 GB", "v7.3 of 2,000 entries"])
def test_first_paint(benchmark: Any, tmp_path: Path, kind: str) -> None:
    """From the open file to the first table, the application included."""
    path = tmp_path / "x.mat"
    if kind.startswith("v5"):
        scipy.io.savemat(path, {"x": np.zeros((8000, 16_000))})
    else:
        files.svhn_like(path, 2000)
    spent = []

    async def main() -> None:
        start = time.process_time()
        with matlens.open(path) as file:
            async with Browser([file]).run_test(size=(120, 40)) as pilot:
                await settle(pilot)
                spent.append(time.process_time() - start)

    for _ in range(3):
        asyncio.run(main())
    benchmark.extra_info["CPU seconds"] = sorted(spent)[1]
    benchmark.pedantic(lambda: None, rounds=1)
    assert sorted(spent)[1] < 0.5


def test_page_down(benchmark: Any, car_annotations: Path) -> None:
    async def before(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["annotations"])
        view.table.focus()
        await settle(pilot)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await pilot.press("pagedown")
        await settle(pilot)

    timed(benchmark, lambda: matlens.open(car_annotations), before, steps)
    assert benchmark.extra_info["CPU seconds"] < 0.2


def test_expand_100_000_fields(benchmark: Any) -> None:
    fields = {f"f{k:06d}": float(k) for k in range(100_000)}

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        view.query_one(Outline).root.children[0].expand()
        await settle(pilot)

    timed(benchmark, lambda: matlens.from_loadmat({"s": fields}), None, steps)


def test_two_billion_rows(benchmark: Any, tmp_path: Path) -> None:
    """A second of work at the last row of a chunked matrix, statistics in the background included."""
    path = tmp_path / "huge.mat"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("m", (1, 2_000_000_000), "u1", chunks=(1, 4_000_000), compression=1)
        dataset.attrs["MATLAB_class"] = np.bytes_("uint8")
        block = np.zeros((1, 4_000_000), np.uint8)
        for start in range(0, 2_000_000_000, 4_000_000):
            dataset[:, start : start + 4_000_000] = block

    async def before(pilot: Pilot[None], view: FileView) -> None:
        view.show(view.file["m"])
        view.table.focus()
        await pilot.pause(0.5)

    async def steps(pilot: Pilot[None], view: FileView) -> None:
        await pilot.press("end")
        for _ in range(50):
            await pilot.pause(0.02)

    timed(benchmark, lambda: matlens.open(path), before, steps)


SEARCH = ["ctrl+f", *"1234567.5", "enter", "escape"]
WALKS: dict[str, tuple[Callable[[Path], object], str, list[str]]] = {
    "100,000 records": (
        lambda path: files.struct_array(path, 100_000, compressed=True),
        "s",
        ["s", "ctrl+end", "S", "y", "escape", "home", "p", "escape", "slash", "1", "escape", "e", "escape", *SEARCH],
    ),
    "100,000 fields": (
        lambda path: scipy.io.savemat(path, {"s": {f"f{k}": float(k) for k in range(100_000)}}, long_field_names=True),
        "s",
        ["ctrl+end", "pageup", "y", "escape", "slash", "1", "escape", *SEARCH],
    ),
    "20,000 variables": (
        lambda path: scipy.io.savemat(path, {f"v{k}": float(k) for k in range(20_000)}),
        "v7",
        ["escape", "ctrl+end", "slash", "9", "escape"],
    ),
    "image of 4000x4000": (
        lambda path: scipy.io.savemat(path, {"x": np.random.default_rng(0).integers(0, 255, (4000, 4000), np.uint8)}),
        "x",
        ["pagedown", "s", "i", "t", "right", "right", "escape", "p", "h", "escape"],
    ),
    "10,000,000 numbers": (
        lambda path: scipy.io.savemat(path, {"x": np.random.default_rng(0).random(10_000_000)}),
        "x",
        ["ctrl+end", "s", "p", "h", "escape", "r"],
    ),
}


@pytest.mark.parametrize("kind", list(WALKS))
def test_pauses(benchmark: Any, tmp_path: Path, kind: str) -> None:
    """The longest time in which no key would have been answered, opening of the file excluded."""
    write, variable, keys = WALKS[kind]
    write(tmp_path / "x.mat")
    command = [sys.executable, Path(__file__).with_name("pauses.py"), tmp_path / "x.mat", variable, *keys]
    found = [float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(3)]
    benchmark.extra_info["longest pause in ms"] = sorted(found)[1]
    benchmark.pedantic(lambda: None, rounds=1)
    assert sorted(found)[1] < 200
