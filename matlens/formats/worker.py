"""The process behind `IsolatedReader`."""

from __future__ import annotations

import contextlib
import os
import sys
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

from matlens.formats.guards.isolated import REMOTE, receive, send
from matlens.formats.inflate import inflate
from matlens.formats.open import open_reader
from matlens.formats.reader import Reader, damage_of
from matlens.limits import Limits

_IMPORTED_LATE = (
    "concurrent.futures.thread",
    "encodings.ascii",
    "encodings.latin_1",
    "encodings.utf_16_le",
    "encodings.utf_32_le",
    "matlens.formats.mcos",
    "scipy.io.matlab",
    "scipy.sparse",
)
_ROOM = 512 << 20
"""Bytes beyond a value's own that decoding it may take."""


def main() -> None:
    """Answer calls that come through standard input until it ends."""
    # Whatever a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    source, engine, limits = receive(requests)
    try:
        reader = _limited_reader(source, engine, limits)
    except Exception as error:  # noqa: BLE001 - the caller must learn of any
        with contextlib.suppress(EOFError):
            receive(requests)
            send(answers, (False, damage_of(error, limits)))
        return
    while True:
        try:
            method, arguments, options = receive(requests)
        except EOFError:
            return
        try:
            answer: tuple[bool, Any] = True, _answer(reader, method, *arguments, **options)
        except Exception as error:  # noqa: BLE001 - the caller must learn of any
            answer = False, damage_of(error, limits)
        send(answers, answer)


def _limited_reader(source: Any, engine: Any, limits: Limits) -> Reader:
    _limit_memory(limits.memory + _ROOM)
    reader = open_reader(source, engine, isolate="never", limits=limits).reader
    _limit_files()
    return reader


def _answer(reader: Reader, method: str, *arguments: Any, **options: Any) -> Any:
    """What `IsolatedReader` asks."""
    if method not in REMOTE:
        raise ValueError(f"nobody may ask for {method}")
    if method == "describe":
        return reader.version, reader.header, reader.problems, reader.most_unshared
    found = getattr(reader, method)(*arguments, **options)
    if method == "variables":
        return found, reader.problems
    if method == "objects":
        return None if found is None else (found.cells, found.byte_order)
    return found


def _limit_memory(more: int) -> None:
    """Allow the process `more` bytes of memory than it has now."""
    try:
        import resource

        now = int(Path("/proc/self/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + more, now + more))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        # A system without such limits; the caller's clock still runs.
        return


def _limit_files() -> None:
    """Allow the process no file beyond those that it has open."""
    # What is imported late is a file, too.
    for name in _IMPORTED_LATE:
        import_module(name)
    inflate(memoryview(zlib.compress(b"x")), 1)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    except (ImportError, OSError, ValueError):
        # A system without such limits: links are refused by the reader all the same.
        return
