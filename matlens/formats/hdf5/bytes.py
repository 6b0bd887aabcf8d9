"""Little-endian numbers and texts at many positions of a file at once."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.formats.records import Int64s

Mask = NDArray[np.bool_]
Rows = NDArray[np.uint8]


class Bytes:
    """The bytes of a file; positions must have been checked by `inside`.

    Examples
    --------
    >>> source = Bytes(bytes(range(32)))
    >>> source.number(np.array([1, 8]), 2).tolist()
    [513, 2312]
    >>> source.inside(np.array([0, 31, -1]), 2).tolist()
    [True, False, False]
    """

    def __init__(self, buffer: Any) -> None:
        self.buffer = buffer
        self.bytes: Rows = np.frombuffer(buffer, np.uint8)
        self.size = len(self.bytes)
        self._runs: dict[int, NDArray[Any]] = {}

    def inside(self, position: Int64s, length: Any) -> Mask:
        """Whether `length` bytes from each position lie in the file."""
        return np.asarray((position >= 0) & (length >= 0) & (position <= self.size - length))

    def items(self, position: Int64s, dtype: np.dtype[Any]) -> NDArray[Any]:
        """One item of `dtype` from each position."""
        length = dtype.itemsize
        if length not in self._runs:
            # One item at every byte, so that NumPy copies each run as a whole.
            count = max(self.size - length + 1, 0)
            self._runs[length] = np.ndarray((count,), f"V{length}", self.bytes, strides=(1,))
        return self._runs[length][position].view(dtype)

    def take(self, position: Int64s, length: int) -> Rows:
        """`length` bytes from each position, as rows."""
        return self.items(position, np.dtype(f"V{length}")).view(np.uint8).reshape(len(position), length)

    def number(self, position: Int64s, width: int) -> Int64s:
        """Unsigned integers of `width` bytes; undefined addresses come out as -1."""
        return self.items(position, np.dtype(f"<u{width}")).astype(np.int64)

    def texts(self, position: Int64s, length: Int64s, width: int) -> Rows:
        """The first `width` bytes of texts of some length, zero from their end on."""
        rows = self._padded(position, width)
        rows &= _kept(width)[np.clip(length, 0, width)]
        return rows

    def terminated(self, position: Int64s, width: int) -> Rows:
        """The first `width` bytes of texts that end at a NUL, zero from there on."""
        rows = self._padded(position, width)
        rows[np.logical_or.accumulate(rows == 0, axis=1)] = 0
        return rows

    def _padded(self, position: Int64s, width: int) -> Rows:
        """Rows of `width` bytes, with zeros where the file ends."""
        rows = self.take(np.minimum(position, max(self.size - width, 0)), width)
        for k in np.flatnonzero(position > self.size - width).tolist():
            tail = self.bytes[position[k] :]
            rows[k], rows[k, : len(tail)] = 0, tail
        return rows


@cache
def _kept(width: int) -> Rows:
    """Row n keeps the first n of `width` bytes."""
    return np.asarray(np.where(np.tri(width + 1, width, -1), 0xFF, 0).astype(np.uint8))


def equal_text(rows: Rows, text: bytes) -> Mask:
    """Which of the `rows` hold just `text`."""
    padded = np.frombuffer(text.ljust(rows.shape[1], b"\0"), np.uint64)
    words = rows.view(np.uint64)
    same = words[:, 0] == padded[0]
    for k in range(1, len(padded)):
        same &= words[:, k] == padded[k]
    return np.asarray(same)
