"""The common v5 element, for whole batches at once.

Nearly all nested arrays have one form: an 8-byte tag, flags, two dims, an empty name, and
one data element. Those are read and gathered by NumPy for thousands at a time; whatever
looks different is left to the reader of single elements.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.formats.ragged import counts_to_offsets, gather_items, groups, ragged_ranges
from matlens.formats.records import CLASS_DTYPES, Elements, Headers, Int64s, MatlabClass
from matlens.formats.v5.segments import Segment
from matlens.formats.v5.single import may_be_packed
from matlens.formats.v5.tags import MI_MATRIX, MI_UINT16, MI_UTF8, MI_UTF32, STORAGE_DTYPES, UNEVEN

Mask = NDArray[np.bool_]

HEADER_BYTES = 56
"""Tag, flags, dims, name, and the tag of the data, as MATLAB writes nearly all nested arrays."""
BEFORE_PAYLOAD = 48
BLOCK = 16_384
"""Elements handled at once, few enough that their intermediate arrays stay in the cache."""
SCAN_WINDOW = 1 << 20
SCAN_LIMIT = 4096
"""Arrays of more bytes than this on average are followed one by one."""

_ITEMSIZE = np.zeros(256, np.int64)
for _storage, _dtype in STORAGE_DTYPES.items():
    _ITEMSIZE[_storage] = _dtype.itemsize
_HAS_DATA = np.zeros(256, bool)
_HAS_DATA[[*CLASS_DTYPES, MatlabClass.CHAR]] = True
_IS_SIMPLE = _HAS_DATA.copy()
_IS_SIMPLE[[MatlabClass.CELL, MatlabClass.STRUCT, MatlabClass.SPARSE]] = True


def batch_headers(segment: Segment, elements: Elements) -> tuple[Headers, Int64s]:
    """Headers of the elements of common form, and the indices of the others."""
    headers = Headers.empty(elements)
    done = np.zeros(len(elements), bool)
    if segment.size >= HEADER_BYTES:
        for start in range(0, len(elements), BLOCK):
            block = slice(start, start + BLOCK)
            done[block] = _block_headers(segment, headers, block)
    return headers, np.flatnonzero(~done)


def _block_headers(segment: Segment, headers: Headers, block: slice) -> Mask:
    """Fill in the headers of one block; which of them have the common form."""
    at = headers.elements.positions[block]
    good = (at & 7 == 0) & (at >= 0) & (at <= segment.size - HEADER_BYTES)
    if not good.all():
        at = np.where(good, at, 0)
    slot = at >> 3
    kind, size = segment.pairs(slot)
    flags, _ = segment.pairs(slot + 2)
    rows, cols = segment.pairs(slot + 4)
    nbytes = size - (BEFORE_PAYLOAD - 8)
    good &= (kind == MI_MATRIX) & (nbytes >= 0) & (at + 8 + size <= segment.size)
    good &= segment.holds(slot + 1, 6, 8) & segment.holds(slot + 3, 5, 8) & segment.holds(slot + 5, 1, 0)
    good &= (rows < 2**31) & (cols < 2**31)
    cls = (flags & 0xFF).astype(np.uint8)
    numel = rows * cols
    has_data = _HAS_DATA[cls]
    storage, stored = _data_tags(segment, slot + BEFORE_PAYLOAD // 8, nbytes)
    fits = np.where(has_data, (stored == numel) | ((numel == 0) & (nbytes < 8)), _IS_SIMPLE[cls])
    good &= fits & ((cls != MatlabClass.CELL) | (numel * 8 <= nbytes))

    index = block if good.all() else np.flatnonzero(good) + block.start
    chosen = slice(None) if index is block else good
    headers.cls[index] = cls[chosen]
    headers.is_complex[index] = (flags[chosen] & 0x800) != 0
    headers.is_global[index] = (flags[chosen] & 0x400) != 0
    headers.is_logical[index] = (flags[chosen] & 0x200) != 0
    headers.dims[index, 0], headers.dims[index, 1] = rows[chosen], cols[chosen]
    headers.numel[index] = numel[chosen]
    headers.storage[index] = np.where(has_data & (nbytes >= 8), storage, 0)[chosen]
    headers.payload[index] = at[chosen] + BEFORE_PAYLOAD
    headers.nbytes[index] = nbytes[chosen]
    return np.asarray(good)


def _data_tags(segment: Segment, slot: Int64s, room: Int64s) -> tuple[Int64s, Int64s]:
    """Storage type and number of items of each data element; -1 items where the tag is no good."""
    word, nbytes = segment.pairs(slot)
    is_small = word > 0xFFFF
    if is_small.any():
        nbytes = np.where(is_small, word >> 16, nbytes)
        word = np.where(is_small, word & 0xFFFF, word)
        fine = (nbytes + np.where(is_small, 4, 8) <= room) & (~is_small | (nbytes <= 4))
    else:
        fine = nbytes + 8 <= room
    itemsize = _ITEMSIZE[np.minimum(word, 255)]
    fine &= itemsize > 0
    return word, np.where(fine, nbytes // np.maximum(itemsize, 1), -1)


def chase(segment: Segment, start: int, end: int, count: int) -> Int64s | None:
    """Positions of `count` arrays that stand one after another; None if they do not all fit.

    Each position depends on the size stored before it. Where arrays are small, every word
    that could begin one is looked up at once, and those whose size leads to the next are
    taken together.
    """
    find = _follow if end - start > SCAN_LIMIT * count else _scan
    found = np.empty(count, np.int64)
    done = 0
    while done < count:
        if start % 8 or start < 0 or start + 8 > end:
            return None
        positions, start = find(segment, start, end, count - done)
        if not len(positions):
            return None
        found[done : done + len(positions)] = positions
        done += len(positions)
    return found if start <= end else None


def _follow(segment: Segment, start: int, end: int, count: int) -> tuple[Int64s, int]:
    """Positions of up to `count` arrays, one size after another, and where the last one ends."""
    unpack = Struct(segment.byte_order + "II").unpack_from
    positions: list[int] = []
    while len(positions) < count and start + 8 <= end and start % 8 == 0:
        kind, size = unpack(segment.buffer, start)
        if kind != MI_MATRIX:
            break
        positions.append(start)
        start += 8 + size
    return np.array(positions, np.int64), start


def _scan(segment: Segment, start: int, end: int, count: int) -> tuple[Int64s, int]:
    """The same within one window of the segment."""
    words = segment.words[start // 4 : min(start + SCAN_WINDOW, end) // 4]
    at = np.flatnonzero(words[:-1:2] == MI_MATRIX)
    if not len(at) or at[0] != 0:
        return at[:0], start
    position = start + 8 * at
    after = position + 8 + words[2 * at + 1].astype(np.int64)
    breaks = np.flatnonzero(after[:-1] != position[1:])
    run = min(int(breaks[0]) + 1 if len(breaks) else len(at), count)
    if run == count or not len(breaks):
        return position[:run], int(after[run - 1])
    # Arrays inside arrays, or data that look like one, stand between.
    follower = np.searchsorted(position, after)
    inside = follower < len(at)
    inside[inside] = position[follower[inside]] == after[inside]
    chain = np.where(inside, follower, -1).tolist()
    taken = list(range(run))
    while len(taken) < count and chain[taken[-1]] >= 0:
        taken.append(chain[taken[-1]])
    return position[taken], int(after[taken[-1]])


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
        numel = headers.numel[index]
        if not numel.any():
            continue
        if storage == 0 or storage & UNEVEN or (is_char and storage == MI_UTF32):
            return None
        values = _gather_storage(segment, headers.payload[index], numel, int(storage))
        if storage == MI_UTF8 and len(values) and values.max() >= 0x80:
            return None
        if is_char and storage == MI_UINT16 and may_be_packed(values):
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


def _gather_storage(segment: Segment, payload: Int64s, numel: Int64s, storage: int) -> NDArray[Any]:
    dtype = STORAGE_DTYPES[storage].newbyteorder(segment.byte_order)
    is_small = segment.words[payload // 4] > 0xFFFF
    return gather_items(segment.bytes, payload + np.where(is_small, 4, 8), numel, dtype)
