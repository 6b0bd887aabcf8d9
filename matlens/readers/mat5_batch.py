"""The common v5 element, for whole batches at once.

Nearly all nested arrays have one form: an 8-byte tag, flags, two dims, an empty name, and
one data element. Those are read and gathered by NumPy for thousands at a time; whatever
looks different is left to the reader of single elements.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from matlens.gather import counts_to_offsets, gather_items, groups, ragged_ranges
from matlens.model import CLASS_DTYPES, Elements, Headers, Int64s, MatlabClass
from matlens.readers.mat5_format import MI_MATRIX, MI_UTF8, MI_UTF16, MI_UTF32, STORAGE_DTYPES

__all__ = ["Segment", "batch_headers", "chase", "gather_values"]

Words = NDArray[np.uint32]

HEADER_WORDS = 14
"""Tag, flags, dims, name, and the tag of the data: 56 bytes."""
BEFORE_PAYLOAD = 48

_ITEMSIZE = np.zeros(256, np.int64)
for _storage, _dtype in STORAGE_DTYPES.items():
    _ITEMSIZE[_storage] = _dtype.itemsize
_HAS_DATA = np.zeros(256, bool)
_HAS_DATA[[*CLASS_DTYPES, MatlabClass.CHAR]] = True
_IS_SIMPLE = _HAS_DATA.copy()
_IS_SIMPLE[[MatlabClass.CELL, MatlabClass.STRUCT, MatlabClass.SPARSE]] = True


class Segment:
    """The bytes of a file or of an inflated variable, also as 32-bit words."""

    def __init__(self, buffer: Any, byte_order: Literal["<", ">"]) -> None:
        self.buffer = buffer
        self.size = len(buffer)
        self.byte_order = byte_order
        self.bytes: NDArray[np.uint8] = np.frombuffer(buffer, np.uint8)
        self.words: Words = np.frombuffer(buffer, np.dtype(np.uint32).newbyteorder(byte_order), self.size // 4)
        self.pairs: NDArray[np.uint64] = np.frombuffer(buffer, np.uint64, self.size // 8)


def batch_headers(segment: Segment, elements: Elements) -> tuple[Headers, Int64s]:
    """Headers of the elements of common form, and the indices of the others."""
    headers = Headers.empty(elements)
    position = elements.positions
    fits = (position % 8 == 0) & (position >= 0) & (position + 4 * HEADER_WORDS <= segment.size)
    index = np.flatnonzero(fits)
    position = position[index]
    # Twice as wide as needed, because gathering half as many numbers takes half the time.
    pairs = segment.pairs[(position // 8)[:, None] + np.arange(HEADER_WORDS // 2)]
    table = pairs.view(segment.words.dtype)
    size = table[:, 1].astype(np.int64)
    cls = (table[:, 4] & 0xFF).astype(np.uint8)
    dims = table[:, 8:10].astype(np.int64)
    numel = dims[:, 0] * dims[:, 1]
    nbytes = size - (BEFORE_PAYLOAD - 8)
    good = (
        (table[:, [0, 2, 3, 6, 7, 10, 11]] == (MI_MATRIX, 6, 8, 5, 8, 1, 0)).all(axis=1)
        & (nbytes >= 0)
        & (position + 8 + size <= segment.size)
        & (dims < 2**31).all(axis=1)
        & _IS_SIMPLE[cls]
    )
    storage = np.zeros(len(index), np.int64)
    data = _HAS_DATA[cls] & ((numel > 0) | (nbytes >= 8))
    storage[data], stored = _data_tags(table[data], nbytes[data])
    good[data] &= stored == numel[data]
    good[cls == MatlabClass.CELL] &= (numel * 8 <= nbytes)[cls == MatlabClass.CELL]

    chosen = index[good]
    headers.cls[chosen] = cls[good]
    headers.is_complex[chosen] = (table[good, 4] & 0x800) != 0
    headers.is_global[chosen] = (table[good, 4] & 0x400) != 0
    headers.is_logical[chosen] = (table[good, 4] & 0x200) != 0
    headers.dims[chosen] = dims[good]
    headers.numel[chosen] = numel[good]
    headers.storage[chosen] = storage[good]
    headers.payload[chosen] = position[good] + BEFORE_PAYLOAD
    headers.nbytes[chosen] = nbytes[good]
    left = np.ones(len(elements), bool)
    left[chosen] = False
    return headers, np.flatnonzero(left)


def _data_tags(table: Words, room: Int64s) -> tuple[Int64s, Int64s]:
    """Storage type and number of items of each data element; -1 items where the tag is no good."""
    word = table[:, 12].astype(np.int64)
    is_small = word >> 16 != 0
    storage = np.where(is_small, word & 0xFFFF, word)
    nbytes = np.where(is_small, word >> 16, table[:, 13].astype(np.int64))
    itemsize = _ITEMSIZE[np.where(storage < 256, storage, 0)]
    fine = (itemsize > 0) & (storage < 256) & (nbytes + np.where(is_small, 4, 8) <= room)
    fine &= ~is_small | (nbytes <= 4)
    return np.where(fine, storage, 0), np.where(fine, nbytes // np.maximum(itemsize, 1), -1)


def chase(segment: Segment, start: int, end: int, count: int, width: int) -> Int64s | None:
    """Positions of `count` arrays that stand one after another; None if they do not all fit.

    Each position depends on the size stored before it. Records of `width` arrays tend to
    have the sizes of the record before, so those are guessed for all that is left and
    verified at once; where a guess fails, some records are followed one array at a time.
    """
    if start % 8 or start < 0 or not segment.words.dtype.isnative:
        return None
    found = np.empty(count, np.int64)
    done, step = 0, width
    while done < count:
        followed = _follow(segment, start, end, min(step, count - done))
        if followed is None:
            return None
        positions, start = followed
        found[done : done + len(positions)] = positions
        done += len(positions)
        if len(positions) >= width and done < count:
            guessed, start = _guess(segment, positions[-width:], start, end, count - done)
            found[done : done + len(guessed)] = guessed
            done += len(guessed)
            step = width if len(guessed) > 8 * width else min(step * 2, 4096 * width)
    return found


def _follow(segment: Segment, start: int, end: int, count: int) -> tuple[Int64s, int] | None:
    """Positions of `count` arrays, one size after another, and where the last one ends."""
    words = memoryview(segment.buffer)[: segment.size // 4 * 4].cast("I")
    positions = [0] * count
    last = end - 8
    for k in range(count):
        if start > last or start & 7:
            return None
        positions[k] = start
        start += 8 + words[(start >> 2) + 1]
    found = np.array(positions, np.int64)
    if start > end or not (segment.words[found // 4] == MI_MATRIX).all():
        return None
    return found, start


def _guess(segment: Segment, record: Int64s, start: int, end: int, count: int) -> tuple[Int64s, int]:
    """Positions of the arrays after `start` that have the sizes of `record`, and where they end."""
    sizes = segment.words[record // 4 + 1].astype(np.int64)
    length = start - int(record[0])
    records = min(count // len(record), (end - start) // length)
    first = start + length * np.arange(records, dtype=np.int64)
    positions = first[:, None] + (record - record[0])
    at = positions // 4
    right = ((segment.words[at] == MI_MATRIX) & (segment.words[at + 1] == sizes)).all(axis=1)
    good = records if right.all() else int(np.argmin(right))
    return positions[:good].ravel(), start + good * length


def gather_values(segment: Segment, headers: Headers) -> NDArray[Any] | None:
    """Values of real arrays or chars of common form, as stored; None if any is different.

    Numbers of several storage types come in their common type, which holds them exactly
    because the class of all is the same.
    """
    if headers.is_complex.any() or (headers.payload % 4 != 0).any():
        return None
    is_char = bool(len(headers)) and headers.cls[0] == MatlabClass.CHAR
    starts = counts_to_offsets(headers.numel)
    parts = []
    for (storage,), index in groups(headers.storage):
        part = headers.take(index)
        if part.numel.sum() == 0:
            continue
        if storage == 0 or (is_char and storage in (MI_UTF16, MI_UTF32)):
            return None
        values = _gather_storage(segment, part, int(storage))
        if storage == MI_UTF8 and len(values) and values.max() >= 0x80:
            return None
        parts.append((index, values))
    if not parts:
        return np.zeros(0, np.uint16 if is_char else np.uint8)
    if len(parts) == 1:
        return parts[0][1]
    joined = np.empty(int(starts[-1]), np.result_type(*(values.dtype for _, values in parts)))
    for index, values in parts:
        joined[ragged_ranges(starts[index], headers.numel[index])] = values
    return joined


def _gather_storage(segment: Segment, headers: Headers, storage: int) -> NDArray[Any]:
    dtype = STORAGE_DTYPES[storage].newbyteorder(segment.byte_order)
    is_small = segment.words[headers.payload // 4] >> 16 != 0
    return gather_items(segment.bytes, headers.payload + np.where(is_small, 4, 8), headers.numel, dtype)
