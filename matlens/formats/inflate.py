"""Inflating zlib streams of known size: by libdeflate where it is installed, else by zlib.

libdeflate decodes a whole stream at once, several times as fast as zlib, and lets other
threads run meanwhile. Layout of a stream after RFC 1950 and RFC 1951.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, TypeVar

from matlens.errors import CorruptFile

MAX_RATIO = 1032
"""Bytes that one byte of a deflate stream can stand for: 258 bytes in two bits, RFC 1951, 3.2.5."""
STEP = 128
THREADED_BYTES = 1 << 20
"""Fewer bytes than this are inflated before a thread has started."""

Task = TypeVar("Task")
Result = TypeVar("Result")


def inflate_head(stream: memoryview, nbytes: int) -> bytes:
    """The first `nbytes` of inflated data, or as many as can be had before the end or damage; `CorruptFile` if none.

    Examples
    --------
    >>> inflate_head(memoryview(zlib.compress(b"a" * 1000)), 4)
    b'aaaa'
    """
    inflater, head = zlib.decompressobj(), b""
    # In small steps, so that damage further on does not hide what comes before it.
    for position in range(0, len(stream), STEP):
        try:
            head += inflater.decompress(stream[position : position + STEP], nbytes - len(head))
        except zlib.error as error:
            if not head:
                raise CorruptFile(f"compressed data are damaged: {error}") from None
            break
        if len(head) == nbytes or inflater.eof:
            break
    return head


def inflate(stream: memoryview, nbytes: int) -> memoryview:
    """All inflated data, which must be `nbytes` long; checksum verified, read-only.

    Examples
    --------
    >>> bytes(inflate(memoryview(zlib.compress(b"abc")), 3))
    b'abc'
    """
    if nbytes > MAX_RATIO * len(stream):
        raise CorruptFile(f"{nbytes} bytes declared in {len(stream)} compressed bytes, which no stream can hold")
    libdeflate = _libdeflate()
    if libdeflate is not None:
        try:
            data = libdeflate.zlib_decompress(stream, nbytes)
        except libdeflate.DeflateError:
            # zlib says what is wrong.
            data = bytearray()
        if len(data) == nbytes:
            return memoryview(data).toreadonly()
    return memoryview(_by_zlib(stream, nbytes))


@cache
def _libdeflate() -> Any:
    """The module `deflate`, None on a platform that it has no wheel for."""
    try:
        import deflate
    except ImportError:
        return None
    return deflate


def _by_zlib(stream: memoryview, nbytes: int) -> bytes:
    inflater = zlib.decompressobj()
    try:
        # One byte more than declared, so that the stream's end and checksum are reached.
        data = inflater.decompress(stream, nbytes + 1)
    except zlib.error as error:
        raise CorruptFile(f"compressed data are damaged: {error}") from None
    if len(data) != nbytes or not inflater.eof:
        found = f"more than {nbytes}" if len(data) > nbytes else str(len(data))
        raise CorruptFile(f"compressed data hold {found} bytes, {nbytes} declared")
    return data


def in_threads(function: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """Results of `function` for each of the `tasks`, computed in as many threads as there are cores."""
    todo = list(tasks)
    if len(todo) < 2:
        return [function(task) for task in todo]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(len(todo), os.cpu_count() or 1)) as pool:
        return list(pool.map(function, todo))
