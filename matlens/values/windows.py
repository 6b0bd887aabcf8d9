"""Numeric arrays in windows of bounded size, so that memory stays bounded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import LimitExceeded
from matlens.formats.dtypes import target_dtype
from matlens.formats.inflate import MAX_RATIO
from matlens.formats.reader import Reader
from matlens.formats.records import Headers, Int64s
from matlens.limits import Limits

WINDOW_ROWS = 122_880
"""As many rows as a row group of Parquet should have."""
WINDOW_BYTES = 32 << 20
MAX_UNSTORED = 256 << 20


def window_bounds(row_bytes: Int64s | int, rows: int, step: int = 1, *, limits: Limits | None = None) -> list[int]:
    """Bounds of windows of bounded rows and bytes, at multiples of `step` where these are not too large.

    Examples
    --------
    >>> window_bounds(8, 300_000)
    [0, 122880, 245760, 300000]
    >>> window_bounds(WINDOW_BYTES, 3), window_bounds(8, 300_000, 100_000)
    ([0, 1, 2, 3], [0, 100000, 200000, 300000])
    """
    if limits is not None and rows > limits.rows:
        raise LimitExceeded.of(limits, "rows", f"{rows} rows")
    if isinstance(row_bytes, int):
        size = max(1, min(WINDOW_ROWS, WINDOW_BYTES // max(row_bytes, 1)))
        most = max(1, 4 * WINDOW_BYTES // max(row_bytes, 1))
        # Blocks that do not end where a window ends are read twice.
        size = max(step, size // step * step) if step <= most else most
        return [*range(0, rows, size), rows]
    ends = np.cumsum(row_bytes)
    bounds = [0]
    while bounds[-1] < rows:
        before = ends[bounds[-1] - 1] if bounds[-1] else 0
        stop = int(np.searchsorted(ends, before + WINDOW_BYTES, "right"))
        bounds.append(min(max(stop, bounds[-1] + 1), bounds[-1] + WINDOW_ROWS, rows))
    return bounds


class StoredArray:
    """A numeric array of a file, read in windows along one dimension."""

    def __init__(self, reader: Reader, headers: Headers) -> None:
        self._reader, self._headers = reader, headers
        self.limits: Limits | None = reader.limits
        self._whole: NDArray[Any] | None = None
        self.dims = headers.shape(0)
        self.dtype = target_dtype(headers)

    def step(self, axis: int) -> int:
        """Length of the blocks in which it is stored."""
        return self._reader.window_step(self._headers, axis)

    def refuse_unstored(self) -> None:
        """Refuse to go through what is declared but cannot be stored: no compression gains as much."""
        nbytes = math.prod(self.dims) * self.dtype.itemsize
        if nbytes <= MAX_UNSTORED or self._reader.version != "v7.3":
            return
        stored = int(self._reader.storage(self._headers)["bytes"] or 0)
        limits = self._reader.limits
        limits = replace(limits, ratio=max(limits.ratio, MAX_RATIO))
        if nbytes > limits.ratio * stored:
            raise LimitExceeded.of(limits, "ratio", f"{nbytes} bytes declared, {stored} stored")

    def window(self, axis: int, start: int, stop: int) -> NDArray[Any]:
        """The part whose index along `axis` lies from `start` to before `stop`."""
        part = None
        if self._whole is None and (start, stop) != (0, self.dims[axis]):
            part = self._reader.window(self._headers, axis, start, stop)
        if part is None:
            if self._whole is None:
                # As stored, for it may be a view of the file.
                stored = self._reader.gather(self._headers, as_stored=True)[0]
                self._whole = stored.reshape(self.dims, order="F")
            part = self._whole[(slice(None),) * axis + (slice(start, stop),)]
        return part.astype(self.dtype, copy=False)


class MemoryArray:
    """A numeric array in memory."""

    def __init__(self, values: NDArray[Any]) -> None:
        self._values = values
        self.limits: Limits | None = None
        self.dims = values.shape
        self.dtype = values.dtype

    def step(self, axis: int) -> int:
        return 1

    def refuse_unstored(self) -> None:
        """It is in memory."""

    def window(self, axis: int, start: int, stop: int) -> NDArray[Any]:
        return self._values[(slice(None),) * axis + (slice(start, stop),)]


def pieces(*arrays: StoredArray | MemoryArray) -> Iterator[tuple[int, list[NDArray[Any]]]]:
    """Arrays of equal dims in pieces of bounded size, one after another in column-major order.

    Gives the column-major position of the first number of each piece, and a piece of each array.
    """
    dims = arrays[0].dims
    axis = max((k for k, size in enumerate(dims) if size > 1), default=0)
    before = math.prod(dims) // max(dims[axis], 1)
    row_bytes = before * max(array.dtype.itemsize for array in arrays)
    for array in arrays:
        array.refuse_unstored()
    step = max(array.step(axis) for array in arrays)
    for start, stop in pairwise(window_bounds(row_bytes, dims[axis], step, limits=arrays[0].limits)):
        yield start * before, [array.window(axis, start, stop) for array in arrays]
