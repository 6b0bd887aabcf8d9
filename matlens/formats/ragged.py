"""Vectorised primitives over ragged data: ranges, groups, and UTF-16 to text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.formats.records import Int64s


def counts_to_offsets(counts: Any) -> Int64s:
    """Offsets of consecutive runs: a leading zero, then the cumulative counts.

    Examples
    --------
    >>> counts_to_offsets([2, 0, 3])
    array([0, 2, 2, 5])
    """
    counts = np.asarray(counts, np.int64)
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def ragged_ranges(starts: Any, counts: Any) -> Int64s:
    """All indices of the ranges ``starts[i] : starts[i] + counts[i]``, one after another.

    Examples
    --------
    >>> ragged_ranges([10, 40], [3, 2])
    array([10, 11, 12, 40, 41])
    """
    starts, counts = np.asarray(starts, np.int64), np.asarray(counts, np.int64)
    if len(counts) and (counts == counts[0]).all():
        same: Int64s = starts[:, None] + np.arange(counts[0], dtype=np.int64)
        return same.ravel()
    offsets = counts_to_offsets(counts)
    return np.asarray(np.arange(offsets[-1], dtype=np.int64) + np.repeat(starts - offsets[:-1], counts))


LONG = 256
"""Runs of more items than this on average are copied one by one."""
BLOCK_ITEMS = 1 << 18
"""Items gathered at once: the index of each takes eight bytes, whatever its own size."""


def gather_items(data: NDArray[np.uint8], starts: Int64s, counts: Int64s, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Items of `dtype` of n runs at any byte offsets, one run after another, in native byte order.

    The runs must lie inside `data`; the caller has checked that.

    Examples
    --------
    >>> data = np.arange(16, dtype=np.uint8)
    >>> gather_items(data, np.array([1, 8]), np.array([2, 1]), np.dtype("<u2")).tolist()
    [513, 1027, 2312]
    """
    if len(counts) == 1 and counts[0] and starts[0] % dtype.itemsize == 0:
        values: NDArray[Any] = np.frombuffer(data, dtype, int(counts[0]), int(starts[0]))
        return values.astype(dtype.newbyteorder("="), copy=False)
    total = int(counts.sum())
    if total > LONG * len(counts):
        pieces = zip(starts.tolist(), counts.tolist(), strict=True)
        values = np.concatenate([np.frombuffer(data, dtype, n, start) for start, n in pieces])
        return values.astype(dtype.newbyteorder("="), copy=False)
    values = np.empty(total, dtype.newbyteorder("="))
    done, step = 0, max(1, BLOCK_ITEMS * len(counts) // max(total, 1))
    for first in range(0, len(counts), step):
        block = slice(first, first + step)
        items = _block_items(data, starts[block], counts[block], dtype)
        values[done : done + len(items)] = items
        done += len(items)
    return values


def _block_items(data: NDArray[np.uint8], starts: Int64s, counts: Int64s, dtype: np.dtype[Any]) -> NDArray[Any]:
    size = dtype.itemsize
    if (starts % size == 0).all():
        return np.asarray(np.frombuffer(data, dtype, len(data) // size)[ragged_ranges(starts // size, counts)])
    first = ragged_ranges(starts, counts * size)[::size]
    return np.asarray(data[first[:, None] + np.arange(size)].view(dtype).ravel())


def groups(*keys: NDArray[Any]) -> Iterator[tuple[tuple[Any, ...], Int64s]]:
    """Index the elements that have equal keys, in order of first appearance.

    Peels one class after another, which is faster than sorting rows where there are few.

    Examples
    --------
    >>> for key, index in groups(np.array([6, 4, 6]), np.array([0, 0, 0])):
    ...     print(key, index)
    (6, 0) [0 2]
    (4, 0) [1]
    """
    rest = np.arange(len(keys[0]), dtype=np.int64)
    if len(rest) and all((k == k[0]).all() for k in keys):
        yield tuple(k[0].item() for k in keys), rest
        return
    while len(rest):
        key = tuple(k[rest[0]].item() for k in keys)
        same = np.ones(len(rest), bool)
        for k, value in zip(keys, key, strict=True):
            same &= k[rest] == value
        yield key, rest[same]
        rest = rest[~same]


def units_to_str(units: NDArray[Any]) -> str:
    r"""Text of UTF-16 code units, or of code points where they are wider than 16 bits.

    Unpaired surrogates stay as they are, so that no text is lost.

    Examples
    --------
    >>> units_to_str(np.array([0x48, 0xD83D, 0xDE00], np.uint16))
    'H😀'
    """
    if units.dtype.itemsize > 2:
        return "".join(map(chr, units.tolist()))
    return units.astype("<u2", copy=False).tobytes().decode("utf-16-le", "surrogatepass")


def decode_rows(units: NDArray[Any], dims: Sequence[int]) -> list[str]:
    """Rows of a char array whose `units` are in column-major order.

    Rows of an N-D array come page by page, the first dimension fastest.

    Examples
    --------
    >>> decode_rows(np.frombuffer(b"adbecf", np.uint8).astype("u2"), (2, 3))
    ['abc', 'def']
    """
    rows, cols, pages = dims[0], dims[1], math.prod(dims[2:])
    if rows == 1 and pages == 1:
        return [units_to_str(units)]
    by_row = units.reshape((rows, cols, pages), order="F").transpose(2, 0, 1).reshape(rows * pages, cols)
    return [units_to_str(row) for row in by_row]


def units_to_utf8(units: NDArray[Any], offsets: Int64s) -> tuple[NDArray[np.uint8], Int64s]:
    """UTF-8 bytes of n texts of UTF-16 code units, with the offsets of each text.

    Surrogates without a partner inside their own text become U+FFFD.

    Examples
    --------
    >>> data, ends = units_to_utf8(np.array([0x61, 0xE9, 0xD83D, 0xDE00], np.uint16), np.array([0, 2, 4]))
    >>> data.tobytes().decode(), ends
    ('aé😀', array([0, 3, 7]))
    """
    if len(units) == 0 or int(units.max()) < 0x80:
        return units.astype(np.uint8), offsets
    points = units.astype(np.uint32)
    high = (points >= 0xD800) & (points < 0xDC00)
    low = (points >= 0xDC00) & (points < 0xE000)
    first = np.zeros(len(points) + 1, bool)
    first[offsets] = True
    paired = high[:-1] & low[1:] & ~first[1:-1]
    is_pair = np.append(paired, False)
    is_tail = np.append(False, paired)
    points[(high & ~is_pair) | (low & ~is_tail) | (points > 0x10FFFF)] = 0xFFFD
    lengths = 1 + (points >= 0x80).astype(np.int64) + (points >= 0x800) + (points >= 0x10000)
    lengths[is_pair], lengths[is_tail] = 4, 0
    points[:-1][paired] = 0x10000 + ((points[:-1][paired] - 0xD800) << 10) + (points[1:][paired] - 0xDC00)
    data = points[~is_tail].astype("<u4").tobytes().decode("utf-32-le").encode()
    return np.frombuffer(data, np.uint8), counts_to_offsets(lengths)[offsets]
