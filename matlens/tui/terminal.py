"""The terminal that the browser runs in: where its keys come from, and the signals that end it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

from textual.app import App

from matlens.errors import UnsafeFile

_TERMINAL = "/dev/tty"


def take_keys() -> None:
    """Have keys read from the terminal, also where standard input is a pipe that a file came through.

    Raises
    ------
    UnsafeFile
        If there is no terminal to show anything on, or to read keys from.
    """
    # Something else than a terminal drives it, such as a web server.
    if os.environ.get("TEXTUAL_DRIVER") or os.name != "posix":
        return
    if sys.__stderr__ is None or not sys.__stderr__.isatty():
        raise UnsafeFile("no terminal to browse in: tree, show and ls write to files and pipes")
    if sys.__stdin__ is not None and sys.__stdin__.isatty():
        return
    try:
        terminal = os.open(_TERMINAL, os.O_RDWR)
    except OSError as error:
        raise UnsafeFile("standard input is no terminal, and there is none to read keys from") from error
    os.dup2(terminal, 0)
    os.close(terminal)


def leave_on_signals(app: App[Any]) -> None:
    """End an application in order, so that the terminal is as it was; its return code is that of the signal."""
    if os.name != "posix":
        return
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _leave, app, 128 + number)


def _leave(app: App[Any], code: int) -> None:
    app.exit(return_code=code)
