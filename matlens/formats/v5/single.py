"""Values of single v5 arrays: numbers, chars and sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile
from matlens.formats.dtypes import combine_complex
from matlens.formats.records import Int64s, MatlabClass
from matlens.formats.sparse import check_sparse
from matlens.formats.v5.tags import MI_UINT16, MI_UTF8, MI_UTF32, UNEVEN, ArrayHeader, Buffer, TagReader

MAX_BLANKS = 4096
"""As many blanks may be meant where nothing is stored."""
PACKED_FIRST = 0xC280
"""The first letter beyond ASCII as two bytes of UTF-8."""


def _payload_tags(tags: TagReader, buffer: Buffer, header: ArrayHeader, count: int) -> list[NDArray[Any]]:
    """The data of the `count` numeric elements that make up the payload of one array."""
    position = header.payload
    end = position + header.nbytes
    arrays = []
    for _ in range(count):
        tag = tags.tag(buffer, position, end)
        arrays.append(tags.values(buffer, tag, position))
        position = tag.next
    return arrays


def numbers(tags: TagReader, buffer: Buffer, header: ArrayHeader) -> NDArray[Any]:
    """Values of a numeric array in their storage type, complex if it is complex."""
    count, is_complex = header.numel, header.is_complex
    if count == 0:
        # An element of no bytes is an empty double.
        dtype = tags.dtype(header.storage, 0) if header.storage else np.dtype(np.float64)
        return np.zeros(0, np.complex128 if is_complex else dtype.newbyteorder("="))
    parts = _payload_tags(tags, buffer, header, 2 if is_complex else 1)
    for part in parts:
        if len(part) != count:
            raise CorruptFile(f"{len(part)} items stored, {count} declared", offset=header.payload)
    if is_complex:
        return combine_complex(parts[0], parts[1], single=header.cls == MatlabClass.SINGLE)
    return parts[0].astype(parts[0].dtype.newbyteorder("="), copy=False)


def char_units(tags: TagReader, buffer: Buffer, header: ArrayHeader) -> NDArray[Any]:
    """Code units of a char array: UTF-16, or code points where only those fit its dims."""
    count, start, storage = header.numel, header.payload, header.storage & ~UNEVEN
    if count == 0:
        return np.zeros(0, np.uint16)
    units = _payload_tags(tags, buffer, header, 1)[0]
    if storage in (MI_UTF8, MI_UTF32):
        return _decoded_units(tags, units.tobytes(), storage, count, start)
    if len(units) == 0 and count <= MAX_BLANKS:
        # MATLAB may leave out the data of a char that is all blanks.
        return np.full(count, ord(" "), np.uint16)
    if len(units) != count:
        raise CorruptFile(f"{len(units)} characters stored, {count} declared", offset=start)
    units = (units.view(np.uint8) if units.dtype.itemsize == 1 else units).astype(np.uint16)
    return _unpacked(units) if tags.packs_utf8 and storage == MI_UINT16 else units


def may_be_packed(units: NDArray[Any]) -> bool:
    """Whether some units could be two bytes of UTF-8 each."""
    return bool(len(units)) and bool(units.max() >= PACKED_FIRST) and bool(((units & 0xE0C0) == 0xC080).any())


def _unpacked(units: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Code units of text in which each letter beyond ASCII is two bytes of UTF-8 in one unit, if all are.

    So wrote MATLAB in the form of version 6 on Linux and macOS: ``0xC3A9`` is an e with acute accent.
    """
    beyond = units[units > 0x7F]
    if not len(beyond) or beyond.min() < PACKED_FIRST or ((beyond & 0xE0C0) != 0xC080).any():
        return units
    return np.where(units > 0x7F, (units >> 2) & 0x7C0 | units & 0x3F, units).astype(np.uint16)


def _decoded_units(tags: TagReader, raw: bytes, storage: int, count: int, start: int) -> NDArray[Any]:
    codec = "utf-8" if storage == MI_UTF8 else f"utf-32-{'be' if tags.byte_order == '>' else 'le'}"
    text = raw.decode(codec, "replace")
    utf16 = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), np.uint16)
    if len(utf16) == count:
        return utf16
    if len(text) == count:
        return np.array([ord(char) for char in text], np.uint32)
    if len(raw) == count:
        return np.frombuffer(raw, np.uint8).astype(np.uint16)
    raise CorruptFile(f"{len(text)} characters stored, {count} declared", offset=start)


def _logical_bytes(tags: TagReader, buffer: Buffer, header: ArrayHeader) -> NDArray[Any]:
    """Non-zeros of a logical sparse matrix: one byte each under a tag that says double."""
    position = header.payload
    end = position + header.nbytes
    for _ in range(2):
        position = tags.tag(buffer, position, end).next
    tag = tags.tag(buffer, position, end)
    return np.frombuffer(buffer, np.uint8, tag.nbytes, tag.data)


def sparse_storage(tags: TagReader, buffer: Buffer, header: ArrayHeader) -> str:
    """Type in which the non-zeros of a sparse matrix are stored."""
    return str(_payload_tags(tags, buffer, header, 3)[2].dtype.newbyteorder("="))


def sparse_triplets(tags: TagReader, buffer: Buffer, header: ArrayHeader) -> tuple[Int64s, Int64s, NDArray[Any]]:
    """Row, column and value of the non-zeros of a sparse matrix, checked against its dims."""
    rows, cols = header.dims[:2]
    arrays = _payload_tags(tags, buffer, header, 4 if header.is_complex else 3)
    row, starts = arrays[0].astype(np.int64), arrays[1].astype(np.int64)
    if header.is_logical and arrays[2].nbytes < len(row) * arrays[2].itemsize:
        arrays[2] = _logical_bytes(tags, buffer, header)
    return check_sparse(row, starts, arrays[2:], rows, cols, header.is_logical, header.payload)
