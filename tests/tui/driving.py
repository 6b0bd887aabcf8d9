"""The browser without a terminal: started, driven by keys, and looked at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot
from textual.widgets import Static
from textual.worker import WorkerError

import matlens
from matlens.tui.app import Browser
from matlens.tui.browser import FileView

ROUNDS = 3
"""Quiet rounds in a row after which nothing more is under way."""


async def settle(pilot: Pilot[None]) -> None:
    """Wait until all widgets are there, workers are done and their results are shown."""
    quiet = 0
    while quiet < ROUNDS:
        with contextlib.suppress(WorkerError):
            await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        screen = pilot.app.screen
        are_there = all(widget.is_mounted for widget in (screen, *screen.walk_children()))
        is_quiet = are_there and all(worker.is_finished for worker in pilot.app.workers)
        quiet = quiet + 1 if is_quiet else 0


def drive(
    steps: Callable[[Pilot[None], FileView], Awaitable[None]], *sources: Any, size: tuple[int, int] = (120, 36)
) -> None:
    """Run the browser on files and take some steps in it."""

    async def main() -> None:
        files = [source if isinstance(source, matlens.MatFile) else matlens.open(source) for source in sources]
        app = Browser(files)
        async with app.run_test(size=size) as pilot:
            await settle(pilot)
            await steps(pilot, app.query(FileView).first())
            await settle(pilot)
        for file in files:
            file.close()

    asyncio.run(main())


def lines(view: FileView) -> list[str]:
    """The table as it stands on the screen."""
    table = view.table
    return ["".join(s.text for s in table.render_line(y)).rstrip() for y in range(table.size.height)]


def text(view: FileView, id: str) -> str:
    return str(view.query_one(f"#{id}", Static).content)


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def raw(app: Any) -> str:
    """Everything on the screen that a terminal would get, without styles."""
    rows = [app.screen._compositor.render_strips()[y] for y in range(app.size.height)]
    return "\n".join("".join(segment.text for segment in row) for row in rows)
