"""The process behind `IsolatedReader`."""

from __future__ import annotations

import contextlib
import os
import sys
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

from matlens.errors import CorruptFile, LimitExceeded, MatlensError
from matlens.formats.inflate import inflate
from matlens.limits import Limits

__all__ = ["main"]

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
    from matlens.formats.guards.isolated import receive, send

    # Whatever a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    source, engine, limits = receive(requests)
    try:
        server = _Server(source, engine, limits)
    except Exception as error:  # noqa: BLE001 - the caller must learn of any
        with contextlib.suppress(EOFError):
            receive(requests)
            send(answers, (False, _as_error(error, limits)))
        return
    while True:
        try:
            method, arguments = receive(requests)
        except EOFError:
            return
        try:
            answer: tuple[bool, Any] = True, getattr(server, method)(*arguments)
        except Exception as error:  # noqa: BLE001 - the caller must learn of any
            answer = False, _as_error(error, limits)
        send(answers, answer)


def _as_error(error: Exception, limits: Limits) -> MatlensError:
    if isinstance(error, MatlensError):
        return error
    if isinstance(error, MemoryError):
        return LimitExceeded.of(limits, "memory", "reading takes too much memory")
    return CorruptFile(f"not readable: {type(error).__name__}: {error}")


class _Server:
    """The methods that can be called."""

    def __init__(self, source: Any, engine: Any, limits: Limits) -> None:
        from matlens.formats.open import open_reader

        _limit_memory(limits.memory + _ROOM)
        self._reader = open_reader(source, engine, isolate="never", limits=limits).reader
        _limit_files()

    def describe(self) -> Any:
        reader = self._reader
        return reader.version, reader.header, reader.problems, reader.most_unshared

    def variables(self) -> Any:
        return self._reader.variables(), self._reader.problems

    def objects(self) -> Any:
        table = self._reader.objects()
        return None if table is None else (table.cells, table.byte_order)

    def gather(self, headers: Any, as_stored: bool) -> Any:
        return self._reader.gather(headers, as_stored=as_stored)

    def __getattr__(self, name: str) -> Any:
        if name not in ("headers", "children", "storage", "triplets", "window_step", "window", "opaque"):
            raise AttributeError(name)
        return getattr(self._reader, name)


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
