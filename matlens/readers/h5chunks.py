"""Chunked HDF5 data sets: the chunk index read in Python, the chunks inflated in threads.

Covered are version-1 B-trees and the filters that MATLAB uses: deflate, and shuffle before
it. Everything else is left to libhdf5. Layout after The HDF Group, *HDF5 File Format
Specification Version 3.0*, III.A.1 and IV.A.2.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, MatlensError
from matlens.model import Int64s
from matlens.readers.h5bytes import Bytes
from matlens.readers.inflate import MAX_RATIO, THREADED_BYTES, in_threads, inflate

__all__ = ["Chunks", "read_chunks", "read_values", "read_window"]

DEFLATE, SHUFFLE = 1, 2
MAX_CHUNKS = 1 << 24
MAX_LEVEL = 16
MAX_PARTS = 64
"""Chunks are shared out to threads in no more parts than this."""
MAX_CHUNK_BYTES = 256 << 20


class Chunks(NamedTuple):
    """Where the chunks of one data set stand, and how they are stored.

    `corner` has a row for each chunk: its first index along each dimension of the data set.
    """

    dims: tuple[int, ...]
    shape: tuple[int, ...]
    filters: tuple[int, ...]
    corner: Int64s
    start: Int64s
    nbytes: Int64s


def read_chunks(
    source: Bytes, base: int, layout: int, filters: int, dims: tuple[int, ...], itemsize: int
) -> Chunks | None:
    """The chunks of a data set, None where it is stored in a way that is not covered.

    Parameters
    ----------
    layout, filters : int
        Positions of the bodies of the data layout and the filter messages; `filters` is
        negative where there is none.
    dims : tuple of int
        Dimensions of the data set, as HDF5 orders them.
    itemsize : int
        Bytes of one item.
    """
    rank = int(source.bytes[layout + 2])
    sizes = tuple(source.take(np.array([layout + 11]), 4 * rank).view("<u4").ravel().tolist())
    pipeline = _filters(source, filters)
    tree = int(source.number(np.array([layout + 3]), 8)[0])
    shape = sizes[:-1]
    if rank != len(dims) + 1 or sizes[-1] != itemsize or pipeline is None or tree < 0:
        return None
    count = math.prod(-(-n // size) for n, size in zip(dims, shape, strict=True)) if all(shape) else 0
    if not 0 < count <= MAX_CHUNKS or math.prod(sizes) > MAX_CHUNK_BYTES or count > source.size // 8:
        return None
    found = _index(source, base, tree + base, rank, count)
    if found is None or len(found[0]) != count:
        # A missing chunk stands for fill values.
        return None
    chunks = Chunks(dims, shape, pipeline, *found)
    stored = int(chunks.nbytes.sum())
    believable = stored <= source.size and math.prod(sizes) * count <= stored * (MAX_RATIO if pipeline else 1)
    return chunks if believable and _cover(chunks) else None


def _cover(chunks: Chunks) -> bool:
    """Whether the chunks stand on their grid inside the data set, each once."""
    grid = np.array(chunks.shape, np.int64)
    place = chunks.corner // grid
    on_grid = (chunks.corner % grid == 0) & (chunks.corner >= 0) & (chunks.corner < np.array(chunks.dims))
    if not on_grid.all():
        return False
    cells = tuple(-(-n // size) for n, size in zip(chunks.dims, chunks.shape, strict=True))
    return len(np.unique(np.ravel_multi_index(tuple(place.T), cells))) == len(place)


def _filters(source: Bytes, position: int) -> tuple[int, ...] | None:
    """Filters in the order in which they were applied."""
    if position < 0:
        return ()
    version, count = source.bytes[position : position + 2].tolist()
    at = position + (8 if version == 1 else 2)
    found = []
    for _ in range(count):
        if version not in (1, 2) or at + 8 > source.size:
            return None
        number, name, _flags, values = source.bytes[at : at + 8].view("<u2").tolist()
        if number not in (DEFLATE, SHUFFLE) or (version == 2 and number > 255):
            return None
        if version == 1:
            at += 8 + (name + 7) // 8 * 8 + 4 * (values + values % 2)
        else:
            at += 6 + 4 * values
        found.append(number)
    return tuple(found) if tuple(found) in ((), (DEFLATE,), (SHUFFLE, DEFLATE)) else None


def _index(source: Bytes, base: int, tree: int, rank: int, most: int) -> tuple[Int64s, Int64s, Int64s] | None:
    """Corners, positions and stored sizes of all chunks of a B-tree, which are no more than `most`."""
    key = 8 + 8 * rank
    level = np.array([tree], np.int64)
    for _ in range(MAX_LEVEL):
        if not source.inside(level, 24).all():
            return None
        heads = source.take(level, 8)
        depth = set(heads[:, 5].tolist())
        if not (heads[:, :5] == np.frombuffer(b"TREE\x01", np.uint8)).all() or len(depth) != 1:
            return None
        counts = heads[:, 6:].copy().view("<u2").ravel().astype(np.int64)
        if counts.sum() > most or not source.inside(level + 24, counts * (key + 8)).all():
            return None
        slots = np.concatenate(
            [start + 24 + (key + 8) * np.arange(n) for start, n in zip(level.tolist(), counts.tolist(), strict=True)]
        )
        rows = source.take(slots, key + 8)
        below = rows[:, key:].copy().view("<i8").ravel() + base
        if depth != {0}:
            level = below
            continue
        nbytes, mask = rows[:, :8].copy().view("<u4").astype(np.int64).T
        corner = rows[:, 8 : key - 8].copy().view("<i8").reshape(len(rows), rank - 1)
        if mask.any() or not source.inside(below, nbytes).all():
            return None
        return corner, below, nbytes
    return None


def read_values(source: Bytes, data_sets: list[Chunks], dtype: np.dtype[Any]) -> list[NDArray[Any]]:
    """Values of data sets of one type, each as a vector in the order of HDF5.

    Raises
    ------
    CorruptFile
        If a chunk does not hold what it must.
    """
    arrays = [np.empty(chunks.dims, dtype) for chunks in data_sets]
    tasks = [(k, number) for k, chunks in enumerate(data_sets) for number in range(len(chunks.start))]
    _place_all(source, data_sets, arrays, tasks, [0] * len(data_sets), 0)
    return [array.ravel() for array in arrays]


def read_window(source: Bytes, chunks: Chunks, dtype: np.dtype[Any], axis: int, start: int, stop: int) -> NDArray[Any]:
    """Values whose index along `axis` lies from `start` to before `stop`, in the order of HDF5.

    Only the chunks that hold some of them are inflated.
    """
    first = chunks.corner[:, axis]
    wanted = np.flatnonzero((first < stop) & (first + chunks.shape[axis] > start))
    dims = list(chunks.dims)
    dims[axis] = stop - start
    array = np.empty(dims, dtype)
    _place_all(source, [chunks], [array], [(0, number) for number in wanted.tolist()], [start], axis)
    return array


def _place_all(
    source: Bytes,
    data_sets: list[Chunks],
    arrays: list[NDArray[Any]],
    tasks: list[tuple[int, int]],
    starts: list[int],
    axis: int,
) -> None:
    """Inflate chunks of data sets into their arrays, which begin at `starts` along `axis`."""

    def place(part: list[tuple[int, int]]) -> None:
        for k, number in part:
            _place(source, data_sets[k], number, arrays[k], axis, starts[k])

    if sum(array.nbytes for array in arrays) < THREADED_BYTES:
        place(tasks)
        return
    # Chunks are often so small that handing each over to a thread takes longer than inflating it.
    size = -(-len(tasks) // MAX_PARTS)
    in_threads(place, [tasks[first : first + size] for first in range(0, len(tasks), size)])


def _place(source: Bytes, chunks: Chunks, number: int, array: NDArray[Any], axis: int, start: int) -> None:
    """Inflate one chunk and put the part of it that lies inside `array` in its place."""
    position, nbytes = int(chunks.start[number]), int(chunks.nbytes[number])
    size = math.prod(chunks.shape) * array.dtype.itemsize
    stored = source.bytes[position : position + nbytes].data
    try:
        data = inflate(stored, size) if chunks.filters and chunks.filters[-1] == DEFLATE else stored
    except MatlensError as error:
        error.offset = position
        raise
    if len(data) != size:
        raise CorruptFile(f"a chunk holds {len(data)} bytes, {size} expected", offset=position)
    if SHUFFLE in chunks.filters:
        planes = np.frombuffer(data, np.uint8).reshape(array.dtype.itemsize, -1)
        data = np.ascontiguousarray(planes.T).data.cast("B")
    block = np.frombuffer(data, array.dtype).reshape(chunks.shape)
    corner = chunks.corner[number].tolist()
    corner[axis] -= start
    target = tuple(slice(max(at, 0), at + n) for at, n in zip(corner, chunks.shape, strict=True))
    inside = tuple(
        slice(max(-at, 0), min(n, whole - at)) for at, n, whole in zip(corner, chunks.shape, array.shape, strict=True)
    )
    array[target] = block[inside]
