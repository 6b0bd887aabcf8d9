"""Chunked HDF5 data sets: the chunk index read in Python, the chunks inflated in threads.

Covered are version-1 B-trees and the filters deflate, shuffle and Fletcher-32. Layout after The HDF Group, *HDF5 File
Format Specification Version 3.0*, III.A.1, IV.A.2.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, LimitExceeded, MatlensError, UnsafeFile
from matlens.formats.bounds import check_stored
from matlens.formats.hdf5 import layout
from matlens.formats.hdf5.bytes import Bytes
from matlens.formats.hdf5.layout import DEFLATE, FILTER_NAMES, FLETCHER32, SHORT, SHUFFLE, TREE_NODE, WORD
from matlens.formats.hdf5.object_single import ObjectHeader
from matlens.formats.inflate import MAX_RATIO, THREADED_BYTES, in_threads, inflate
from matlens.formats.records import Int64s
from matlens.limits import Limits

_KNOWN = {DEFLATE, SHUFFLE, FLETCHER32}
MAX_PARTS = 64
"""Chunks are shared out to threads in no more parts than this."""


class Chunks(NamedTuple):
    """Where the chunks of one data set stand, and how they are stored.

    `corner` has a row for each chunk: its first index along each dimension of the data set. Elements of chunks that
    are not stored have the bytes `fill`, or are zero.
    """

    dims: tuple[int, ...]
    shape: tuple[int, ...]
    filters: tuple[int, ...]
    corner: Int64s
    start: Int64s
    nbytes: Int64s
    skipped: Int64s
    """Bit k is set where filter k was not applied to the chunk."""
    is_whole: bool
    fill: bytes
    limits: Limits


_Task = tuple[Chunks, int, NDArray[Any]]
"""Chunks of a data set, the number of one of them, and the array for its values."""


def read_chunks(source: Bytes, base: int, found: ObjectHeader, limits: Limits) -> Chunks:
    """The chunks of a data set, none of which is inflated."""
    if found.dims is None or found.datatype is None or found.chunks is None:
        raise CorruptFile("no chunks are described", offset=found.position)
    dims, itemsize = found.dims, found.datatype.itemsize
    tree, sizes = found.chunks
    shape = sizes[:-1]
    if len(sizes) != len(dims) + 1 or not dims or not all(sizes) or sizes[-1] != itemsize:
        text = f"chunks {shape} of items of {sizes[-1:]} bytes for dims {dims} of items of {itemsize}"
        raise CorruptFile(text, offset=found.position)
    filters = tuple(number for number, _ in read_filters(source, found.filters))
    if len(_KNOWN.intersection(filters)) < len(filters):
        names = ", ".join(FILTER_NAMES.get(number, f"filter {number}") for number in filters)
        text = f"values went through {names}; deflate, shuffle and fletcher32 are read"
        raise UnsafeFile(text, offset=found.position)
    count = math.prod(-(-n // size) for n, size in zip(dims, shape, strict=True))
    nbytes = math.prod(sizes)
    if nbytes > limits.chunk:
        raise LimitExceeded.of(limits, "chunk", f"chunks of {nbytes} bytes")
    nothing = np.zeros(0, np.int64)
    index = nothing.reshape(0, len(dims)), nothing, nothing, nothing
    if tree >= 0:
        index = _index(source, base, tree, len(sizes), count)
    chunks = Chunks(dims, shape, filters, *index, len(index[0]) == count, found.fill, limits)
    _check(chunks, nbytes, source.size)
    return chunks


def _check(chunks: Chunks, chunk_bytes: int, file_size: int) -> None:
    """Refuse chunks that stand outside the data set or twice, and more than what is stored can hold."""
    stored = int(chunks.nbytes.sum())
    ratio = MAX_RATIO if DEFLATE in chunks.filters else 1
    if stored > file_size or chunk_bytes * len(chunks.start) > stored * ratio:
        raise CorruptFile(f"{len(chunks.start)} chunks of {chunk_bytes} bytes are declared in {stored} bytes")
    grid = np.array(chunks.shape, np.int64)
    place = chunks.corner // grid
    on_grid = (chunks.corner % grid == 0) & (chunks.corner >= 0) & (chunks.corner < np.array(chunks.dims))
    if not on_grid.all():
        raise CorruptFile("a chunk stands outside of its data set")
    if len(place) != len(np.unique(place, axis=0)):
        raise CorruptFile("two chunks stand in one place")


def read_filters(source: Bytes, position: int) -> list[tuple[int, tuple[int, ...]]]:
    """Numbers and parameters of the filters, in the order in which they were applied."""
    if position < 0:
        return []
    buffer = source.buffer
    version, count = layout.FILTER_HEAD.one(buffer, position)
    if version not in layout.FILTERS_START or count > layout.MAX_FILTERS:
        raise CorruptFile(f"{count} filters, version {version}", offset=position)
    at = position + layout.FILTERS_START[version]
    found = []
    for _ in range(count):
        (number,) = SHORT.one(buffer, at)
        has_name = version == 1 or number >= layout.NAMED_FILTERS
        name = SHORT.one(buffer, at + 2)[0] if has_name else 0
        (values,) = SHORT.one(buffer, at + (6 if has_name else 4))
        at += (8 if has_name else 6) + ((name + 7) // 8 * 8 if version == 1 else name)
        found.append((number, tuple(WORD.one(buffer, at + WORD.size * k)[0] for k in range(values))))
        at += WORD.size * (values + (values % 2 if version == 1 else 0))
    return found


def _index(source: Bytes, base: int, tree: int, rank: int, most: int) -> tuple[Int64s, Int64s, Int64s, Int64s]:
    """Corners, positions, stored sizes and skipped filters of all chunks of a B-tree, `most` at most."""
    key = 8 + 8 * rank
    level, above = np.array([tree], np.int64), -1
    for _ in range(layout.MAX_TREE_LEVEL):
        if not source.inside(level, TREE_NODE.size).all():
            raise CorruptFile("the index of the chunks leads outside the file", offset=tree)
        heads = TREE_NODE.many(source, level)
        depth = set(heads["level"].tolist())
        fits = (heads["signature"] == layout.TREE) & (heads["kind"] == layout.CHUNK_TREE)
        if not fits.all() or len(depth) != 1:
            raise CorruptFile("the index of the chunks is damaged", offset=tree)
        if above >= 0 and depth != {above - 1}:
            raise CorruptFile("the index of the chunks leads back to itself", offset=tree)
        (above,) = depth
        counts, first = heads["count"].astype(np.int64), level + TREE_NODE.size
        if counts.sum() > most or not source.inside(first, counts * (key + 8)).all():
            raise CorruptFile(f"{counts.sum()} entries in the index of {most} chunks", offset=tree)
        starts = zip(first.tolist(), counts.tolist(), strict=True)
        slots = np.concatenate([start + (key + 8) * np.arange(n) for start, n in starts])
        rows = source.take(slots, key + 8)
        below = rows[:, key:].copy().view("<i8").ravel() + base
        if depth != {0}:
            level = below
            continue
        nbytes, skipped = rows[:, :8].copy().view("<u4").astype(np.int64).T
        corner = rows[:, 8 : key - 8].copy().view("<i8").reshape(len(rows), rank - 1)
        inside = source.inside(below, nbytes)
        if not inside.all():
            raise CorruptFile("a chunk stands outside the file", offset=int(below[~inside][0]))
        return corner, below, nbytes, skipped
    raise CorruptFile("the index of the chunks is too deep", offset=tree)


def read_values(source: Bytes, data_sets: list[Chunks], dtype: np.dtype[Any]) -> list[NDArray[Any]]:
    """Values of data sets of one type, each as a vector in the order of HDF5."""
    arrays = [_new_array(chunks, chunks.dims, dtype) for chunks in data_sets]
    pairs = zip(data_sets, arrays, strict=True)
    tasks = [(chunks, number, array) for chunks, array in pairs for number in range(len(chunks.start))]
    _place_all(source, tasks, sum(array.nbytes for array in arrays))
    return [array.ravel() for array in arrays]


def read_window(source: Bytes, chunks: Chunks, dtype: np.dtype[Any], axis: int, start: int, stop: int) -> NDArray[Any]:
    """Values whose index along `axis` lies from `start` to before `stop`, in the order of HDF5.

    Only the chunks that hold some of them are inflated.
    """
    first = chunks.corner[:, axis]
    wanted = np.flatnonzero((first < stop) & (first + chunks.shape[axis] > start))
    dims = list(chunks.dims)
    dims[axis] = stop - start
    array = _new_array(chunks, tuple(dims), dtype)
    _place_all(source, [(chunks, number, array) for number in wanted.tolist()], array.nbytes, axis, start)
    return array


def _place_all(source: Bytes, tasks: list[_Task], nbytes: int, axis: int = 0, start: int = 0) -> None:
    """Inflate chunks into arrays of `nbytes` in all, which begin at `start` along `axis`."""

    def place(part: list[_Task]) -> None:
        for task in part:
            _place(source, *task, axis, start)

    if nbytes < THREADED_BYTES:
        place(tasks)
        return
    # Chunks are often so small that handing each over to a thread takes longer than inflating it.
    size = max(1, -(-len(tasks) // MAX_PARTS))
    in_threads(place, [tasks[first : first + size] for first in range(0, len(tasks), size)])


def _new_array(chunks: Chunks, dims: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array for all chunks, with the fill value where none is stored."""
    check_stored(chunks.limits, math.prod(dims) * dtype.itemsize, int(chunks.nbytes.sum()))
    if chunks.is_whole:
        return np.empty(dims, dtype)
    if len(chunks.fill) == dtype.itemsize:
        return np.full(dims, np.frombuffer(chunks.fill, dtype)[0])
    return np.zeros(dims, dtype)


def _place(source: Bytes, chunks: Chunks, number: int, array: NDArray[Any], axis: int, start: int) -> None:
    """Decode one chunk and put the part of it that lies inside `array` in its place."""
    position, nbytes = int(chunks.start[number]), int(chunks.nbytes[number])
    stored = source.bytes[position : position + nbytes].data
    skipped = int(chunks.skipped[number])
    filters = [code for k, code in enumerate(chunks.filters) if not skipped >> k & 1]
    size = math.prod(chunks.shape) * array.dtype.itemsize
    try:
        data = _decoded(stored, filters, size, array.dtype.itemsize)
    except MatlensError as error:
        raise error.at(offset=position) from error.__cause__
    block = np.frombuffer(data, array.dtype).reshape(chunks.shape)
    corner = chunks.corner[number].tolist()
    corner[axis] -= start
    target = tuple(slice(max(at, 0), at + n) for at, n in zip(corner, chunks.shape, strict=True))
    inside = tuple(
        slice(max(-at, 0), min(n, whole - at)) for at, n, whole in zip(corner, chunks.shape, array.shape, strict=True)
    )
    array[target] = block[inside]


def _decoded(data: Any, filters: list[int], size: int, itemsize: int) -> Any:
    """The bytes of a chunk, taken through its filters backwards."""
    for k in range(len(filters) - 1, -1, -1):
        if filters[k] == DEFLATE:
            # A checksum that was taken before is inside of what is compressed.
            data = inflate(data, size + 4 * (FLETCHER32 in filters[:k]))
        elif filters[k] == FLETCHER32:
            if len(data) < 4 or fletcher32(data[:-4]) != int.from_bytes(data[-4:], "little"):
                raise CorruptFile("a chunk does not have its checksum")
            data = data[:-4]
        else:
            # What is left after whole items, such as a part of a checksum, was not shuffled.
            raw, whole = np.frombuffer(data, np.uint8), len(data) // itemsize * itemsize
            items = np.ascontiguousarray(raw[:whole].reshape(itemsize, -1).T).ravel()
            data = (items if whole == len(raw) else np.concatenate([items, raw[whole:]])).data
    if len(data) != size:
        raise CorruptFile(f"a chunk holds {len(data)} bytes, {size} expected")
    return data


def fletcher32(data: Any) -> int:
    """Checksum of Fletcher over 16-bit words, as HDF5 computes it.

    Examples
    --------
    >>> hex(fletcher32(b"abcde"))
    '0x4ff029c7'
    """
    raw = bytes(data) + b"\0" * (len(data) % 2)
    words = np.frombuffer(raw, ">u2").astype(np.uint64)
    first = second = 0
    for start in range(0, len(words), 1 << 15):
        part = words[start : start + (1 << 15)]
        # After n words the second sum has grown by n times the first, and by each word as often as it is counted.
        second += first * len(part) + int((part * np.arange(len(part), 0, -1, dtype=np.uint64)).sum())
        first += int(part.sum())
        first, second = _folded(first), _folded(second)
    return second << 16 | first


def _folded(total: int) -> int:
    """A sum in 16 bits, with the carries added: 65535 stands for itself, not for 0."""
    return (total - 1) % 0xFFFF + 1 if total else 0
