"""How long keys have to wait: ``python pauses.py FILE VARIABLE KEY…`` prints the longest pause in milliseconds.

A process of its own for each file, as for a person.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import time

from textual.pilot import Pilot
from textual.worker import WorkerError

import matlens
from matlens.tui.app import Browser
from matlens.tui.browser import FileView
from matlens.tui.outline import Outline

TICK = 0.005


async def settle(pilot: Pilot[None]) -> None:
    for _ in range(3):
        with contextlib.suppress(WorkerError):
            await pilot.app.workers.wait_for_complete()
        await pilot.pause()


async def main(path: str, variable: str, keys: list[str]) -> float:
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            start = time.perf_counter()
            await asyncio.sleep(TICK)
            longest = max(longest, time.perf_counter() - start - TICK)

    with matlens.open(path) as file:
        app = Browser([file])
        gc.freeze()
        watcher = asyncio.create_task(watch())
        async with app.run_test(size=(120, 40)) as pilot:
            await settle(pilot)
            view = app.query_one(FileView)
            view.query_one(Outline).root.children[0].expand()
            await settle(pilot)
            view.show(file.at(variable))
            view.table.focus()
            await settle(pilot)
            for key in keys:
                await pilot.press(key)
                await settle(pilot)
        watcher.cancel()
    return longest


if __name__ == "__main__":
    print(1000 * asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:])))
