"""The commands and the browser over one file: nothing raw on the terminal, no traceback."""

from __future__ import annotations

import asyncio
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matlens
from matlens.cli import group
from matlens.cli.output import run as run_command

__all__ = ["run_commands"]

RAW = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]")
"""Control characters other than tab and newline, and those that turn the direction of text."""


def run_commands(path: Path) -> dict[str, Any]:
    """Every command, and a walk through the browser, over one file."""
    out = path.with_name("out")
    lines = [
        ["ls", "--verbose", str(path)],
        ["ls", "--json", str(path)],
        ["tree", str(path)],
        ["show", str(path)],
        ["check", str(path)],
        ["diff", str(path), str(path)],
        ["boxes", str(path), "-o", str(out / "b.parquet"), "--force"],
        ["keypoints", str(path)],
        ["annotations", str(path), "--json"],
        ["convert", str(path), "-o", str(out / "c"), "--force"],
        ["convert", str(path), "-o", str(out / "d"), "--format", "json", "--force"],
    ]
    faults = []
    for arguments in lines:
        faults += [f"{arguments[0]}: {fault}" for fault in _run(arguments)]
    faults += [f"outside: {each}" for each in path.parent.parent.glob("*") if each != path.parent]
    try:
        asyncio.run(_browse(path))
    except matlens.MatlensError:
        pass
    except Exception as error:
        faults.append(f"browse: {type(error).__name__}: {error}"[:300])
    return {"faults": faults}


def _run(arguments: list[str]) -> Iterator[str]:
    with _captured() as (output, errors):
        sys.argv = ["matlens", *arguments]
        code: Any = None
        try:
            code = run_command(group)
        except BaseException as error:
            yield f"{type(error).__name__}: {error}"[:300]
    for stream in (output, errors):
        text = stream.buffer.getvalue()
        found = RAW.search(text)
        if found:
            yield f"raw bytes {text[max(found.start() - 20, 0) : found.end() + 20]!r}"
        if b"Traceback" in text:
            yield "a traceback"
    if code not in (0, 1, 2, 4, None):
        yield f"exit code {code}"


@contextmanager
def _captured() -> Iterator[tuple[Any, Any]]:
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = streams
    try:
        yield streams[0], streams[1]
    finally:
        sys.stdout, sys.stderr = kept


async def _browse(path: Path) -> None:
    from matlens.tui.app import Browser

    with matlens.open(path) as file:
        browser = Browser([file])
        async with browser.run_test(size=(100, 30)) as pilot:
            for key in ("down", "enter", "down", "down", "tab", "down", "escape"):
                await pilot.press(key)
                await pilot.pause()
