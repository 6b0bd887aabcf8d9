"""Images as the codes that terminals draw pixels from: those of kitty, of iTerm2, and sixels."""

from __future__ import annotations

import re
import struct
import zlib
from base64 import standard_b64encode
from collections.abc import Mapping
from itertools import groupby

import numpy as np

from matlens.tui.model.colour_maps import Colours

QUERY = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c"
"""Asks whether the terminal knows the codes of kitty, and then what it is, which every terminal answers."""
_ATTRIBUTES = re.compile(rb"\x1b\[\?([\d;]*)c")
_CHUNK = 4096


def by_environment(environment: Mapping[str, str]) -> str | None:
    """The protocol that variables of the environment speak for; inside of tmux and screen they say nothing.

    Examples
    --------
    >>> by_environment({"TERM": "xterm-kitty"}), by_environment({"TERM_PROGRAM": "iTerm.app"}), by_environment({})
    ('kitty', 'iterm2', None)
    >>> by_environment({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"})
    """
    if environment.get("TMUX") or environment.get("TERM", "").startswith(("screen", "tmux")):
        return None
    program = environment.get("TERM_PROGRAM", "") or environment.get("LC_TERMINAL", "")
    if environment.get("KITTY_WINDOW_ID") or "kitty" in environment.get("TERM", "") or program == "ghostty":
        return "kitty"
    return "iterm2" if program in ("iTerm.app", "iTerm2", "WezTerm") else None


def by_answer(answer: bytes) -> str | None:
    """The protocol that a terminal tells in its answer to `QUERY`.

    Examples
    --------
    >>> by_answer(b"\\x1b_Gi=31;OK\\x1b\\\\\\x1b[?62;c"), by_answer(b"\\x1b[?62;4;22c"), by_answer(b"\\x1b[?64;14c")
    ('kitty', 'sixel', None)
    """
    if b"\x1b_Gi=31;OK" in answer:
        return "kitty"
    found = _ATTRIBUTES.search(answer)
    return "sixel" if found and b"4" in found[1].split(b";")[1:] else None


def is_complete(answer: bytes) -> bool:
    """Whether a terminal has answered all that it was asked."""
    return _ATTRIBUTES.search(answer) is not None


def encode(colours: Colours, protocol: str) -> str:
    """An image in the codes of a protocol, one pixel for each of the terminal."""
    return {"kitty": kitty, "iterm2": iterm2, "sixel": sixel}[protocol](colours)


def kitty(colours: Colours) -> str:
    """Codes of the terminal graphics protocol of kitty: deflated pixels in pieces of 4096 letters."""
    height, width = colours.shape[:2]
    data = standard_b64encode(zlib.compress(colours.tobytes())).decode()
    pieces = [data[k : k + _CHUNK] for k in range(0, len(data), _CHUNK)]
    codes = []
    for k, piece in enumerate(pieces):
        # An answer of the terminal would be taken for keys: q=2 asks for none.
        head = f"a=T,f=24,o=z,q=2,s={width},v={height}," if k == 0 else ""
        codes.append(f"\x1b_G{head}m={int(k + 1 < len(pieces))};{piece}\x1b\\")
    return "".join(codes)


def iterm2(colours: Colours) -> str:
    """Codes of the inline images of iTerm2: a PNG."""
    data = png(colours)
    height, width = colours.shape[:2]
    arguments = f"inline=1;size={len(data)};width={width}px;height={height}px"
    return f"\x1b]1337;File={arguments}:{standard_b64encode(data).decode()}\x07"


def png(colours: Colours) -> bytes:
    """A PNG of an image in colour."""
    height, width = colours.shape[:2]
    lines = np.zeros((height, 1 + 3 * width), np.uint8)
    lines[:, 1:] = colours.reshape(height, -1)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines.tobytes())),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def sixel(colours: Colours) -> str:
    """Codes of sixels, six rows at a time, in the 216 colours of six levels each.

    Examples
    --------
    >>> sixel(np.full((1, 5, 3), 255, np.uint8))
    '\\x1bPq"1;1;5;1#215;2;100;100;100#215!5@-\\x1b\\\\'
    """
    height, width = colours.shape[:2]
    levels = (colours.astype(np.int64) * 5 + 127) // 255
    numbers = levels @ np.array([36, 6, 1])
    codes = [f'\x1bPq"1;1;{width};{height}']
    for number in np.unique(numbers).tolist():
        parts = (number // 36 * 20, number // 6 % 6 * 20, number % 6 * 20)
        codes.append(f"#{number};2;{';'.join(map(str, parts))}")
    for top in range(0, height, 6):
        band = numbers[top : top + 6]
        bits = (1 << np.arange(len(band)))[:, None]
        lines = []
        for number in np.unique(band).tolist():
            sixels = ((band == number) * bits).sum(axis=0) + 63
            runs = [(chr(code), len(list(run))) for code, run in groupby(sixels.tolist())]
            lines.append(f"#{number}" + "".join(_run(letter, count) for letter, count in runs))
        codes.append("$".join(lines) + "-")
    return "".join(codes) + "\x1b\\"


def _run(letter: str, count: int) -> str:
    return f"!{count}{letter}" if count > 3 else letter * count
