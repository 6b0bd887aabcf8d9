"""Finding the next variable of a v5 file behind damage."""

from __future__ import annotations

import re
import struct
from typing import Any, Literal

from matlens.errors import MatlensError
from matlens.formats.inflate import inflate_head
from matlens.formats.v5.tags import MI_COMPRESSED, MI_MATRIX, TagReader
from matlens.limits import Limits

_HEAD_BYTES = 512
_FLAGS = {"<": rb"\x06\x00\x00\x00\x08\x00\x00\x00", ">": rb"\x00\x00\x00\x06\x00\x00\x00\x08"}
_ZLIB = rb"[\x08-\x78][\x01-\xff]"
_TYPES = {"<": (rb"\x0f\x00\x00\x00", rb"\x0e\x00\x00\x00"), ">": (rb"\x00\x00\x00\x0f", rb"\x00\x00\x00\x0e")}


def next_variable(buffer: Any, start: int, byte_order: Literal["<", ">"], limits: Limits) -> int | None:
    """Position of the first variable from `start` on; None where none can be told.

    A variable is told by its tag, by the flags behind it, inflated if need be, and by its name: what is nested in
    others has none.
    """
    compressed, plain = _TYPES[byte_order]
    pattern = compressed + rb".{4}" + _ZLIB + rb"|" + plain + rb".{4}" + _FLAGS[byte_order]
    tags = TagReader(byte_order, limits)
    for match in re.compile(pattern, re.DOTALL).finditer(buffer, start):
        if _is_variable(buffer, match.start(), tags):
            return match.start()
    return None


def _is_variable(buffer: Any, position: int, tags: TagReader) -> bool:
    try:
        tag = tags.tag(buffer, position, len(buffer))
        if tag.type == MI_COMPRESSED:
            head = inflate_head(memoryview(buffer)[tag.data : tag.data + tag.nbytes], _HEAD_BYTES)
            return bool(tags.array_header(head, 0, len(head), partial=True).name)
        return tag.type == MI_MATRIX and bool(tags.array_header(buffer, position, len(buffer)).name)
    except (MatlensError, struct.error, IndexError, ValueError):
        return False
