"""An image in the pixels of the terminal, while the browser stands aside."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any

from textual.app import App, SuspendNotSupported

from matlens.tui.model.colour_maps import Colours
from matlens.tui.model.pixel_codes import QUERY, by_answer, by_environment, encode, is_complete
from matlens.tui.workers import fault_text

LOG = logging.getLogger("matlens.tui")
SECONDS = 0.5
"""How long a terminal may take to answer."""
CELL = (8, 16)
"""Pixels of a character, where the terminal does not tell."""
LARGEST = (4096, 4096)
NO_PIXELS = "this terminal shows half-blocks only; --pixels kitty, iterm2 or sixel insists"


def show_pixels(app: App[Any], draw: Callable[[int, int], Colours], protocol: str) -> str:
    """Show what `draw` makes for a room of some pixels until a key is pressed; returns why that was not possible."""
    if protocol == "blocks":
        return NO_PIXELS
    try:
        with app.suspend():
            try:
                return _show(draw, protocol)
            except Exception as error:
                # Whatever leaves this block leaves the terminal without the browser.
                LOG.error("pixels: a fault of matlens", exc_info=error)
                return fault_text(error)
    except SuspendNotSupported:
        return "pixels need a terminal of one's own"


def _show(draw: Callable[[int, int], Colours], protocol: str) -> str:
    source, target = sys.__stdin__, sys.__stdout__
    if source is None or target is None or not (source.isatty() and target.isatty()):
        return "pixels need a terminal"
    number = source.fileno()

    def write(text: str) -> None:
        target.write(text)
        target.flush()

    with _unbuffered(number):
        found = protocol if protocol != "auto" else by_environment(os.environ) or _asked(number, write)
        if found is None:
            return NO_PIXELS
        width, height, rows = _room(target.fileno())
        write("\x1b[?1049h\x1b[2J\x1b[H")
        try:
            write(encode(draw(width, height), found))
            write(f"\x1b[{rows};1Hany key goes back")
            os.read(number, 64)
        except (KeyboardInterrupt, OSError):
            pass
        finally:
            write(("\x1b_Ga=d,q=2\x1b\\" if found == "kitty" else "") + "\x1b[?1049l")
    return ""


@contextlib.contextmanager
def _unbuffered(number: int) -> Iterator[None]:
    """Keys come one by one, unseen; as they were afterwards, and without what was typed meanwhile."""
    import termios
    import tty

    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number)
        yield
    finally:
        termios.tcsetattr(number, termios.TCSAFLUSH, before)


def _asked(number: int, write: Callable[[str], None]) -> str | None:
    """Ask the terminal; one that does not answer in time knows no pixels."""
    write(QUERY)
    answer = b""
    while not is_complete(answer) and len(answer) < 1024:
        ready, _, _ = select.select([number], [], [], SECONDS)
        piece = os.read(number, 256) if ready else b""
        if not piece:
            break
        answer += piece
    return by_answer(answer)


def _room(number: int) -> tuple[int, int, int]:
    """Width and height in pixels above the last row, and the number of rows."""
    import fcntl
    import termios

    size = fcntl.ioctl(number, termios.TIOCGWINSZ, b"\0" * 8)
    rows, columns, width, height = struct.unpack("HHHH", size)
    rows, columns = rows or 24, columns or 80
    if not width or not height:
        width, height = CELL[0] * columns, CELL[1] * rows
    # A row for the hint, and one more that sixels scroll at their end.
    height = height * max(rows - 2, 1) // rows
    return min(width, LARGEST[0]), min(height, LARGEST[1]), rows
