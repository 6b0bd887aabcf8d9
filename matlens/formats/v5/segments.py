"""Segments of a v5 file: the file itself, and its compressed variables inflated on demand."""

from __future__ import annotations

import struct
from collections import Counter, OrderedDict
from collections.abc import Iterable
from functools import cached_property
from threading import Lock
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, MatlensError, error_context
from matlens.formats.bounds import check_stored
from matlens.formats.inflate import THREADED_BYTES, in_threads, inflate, inflate_head
from matlens.formats.records import Int64s
from matlens.formats.v5.tags import Buffer
from matlens.limits import Limits

HEAD_BYTES = 512
"""Room for the header of any array: flags, 32 dims, a name of 63 letters, the tag of the data."""
CACHE_BYTES = 64 << 20
"""Inflated variables are kept up to this size in all, or one where it is larger."""
_WORD = 0xFFFFFFFF


class Segment:
    """The bytes of a file or of an inflated variable, also as 32-bit words and pairs of them."""

    def __init__(self, buffer: Buffer, byte_order: Literal["<", ">"]) -> None:
        self.buffer = buffer
        self.size = len(buffer)
        self.byte_order = byte_order

    # A small variable is read without NumPy's views, which cost more than its values do.

    @cached_property
    def bytes(self) -> NDArray[np.uint8]:
        return np.frombuffer(self.buffer, np.uint8)

    @cached_property
    def words(self) -> NDArray[np.uint32]:
        return np.frombuffer(self.buffer, np.dtype(np.uint32).newbyteorder(self.byte_order), self.size // 4)

    @cached_property
    def _pairs(self) -> Int64s:
        return np.frombuffer(self.buffer, np.dtype(np.int64).newbyteorder(self.byte_order), self.size // 8)

    def pairs(self, slot: Int64s) -> tuple[Int64s, Int64s]:
        """The two words at each position, given in units of 8 bytes."""
        pair = self._pairs.take(slot).astype(np.int64, copy=False)
        low, high = pair & _WORD, (pair >> 32) & _WORD
        return (low, high) if self.byte_order == "<" else (high, low)

    def holds(self, slot: Int64s, first: int, second: int) -> NDArray[np.bool_]:
        """Where these two words stand, among positions in units of 8 bytes."""
        words = np.array([first, second], self.words.dtype)
        return np.asarray(self._pairs.take(slot) == words.view(self._pairs.dtype)[0])


class Segments:
    """The segments of one file by number: 0 is the file, k > 0 its k-th compressed variable.

    Any thread may ask for any of them; two that ask for the same one at once may both inflate it.
    """

    def __init__(self, file: Buffer, byte_order: Literal["<", ">"], stats: Counter[str], limits: Limits) -> None:
        self._limits = limits
        self._byte_order = byte_order
        self._stats = stats
        self._lock = Lock()
        self._streams: list[tuple[int, int]] = [(0, len(file))]
        self._inflated: OrderedDict[int, Segment] = OrderedDict()
        self._size = 0
        self._prefetched: set[int] = set()
        self._pinned: dict[int, Segment] = {0: Segment(file, byte_order)}

    def close(self) -> None:
        with self._lock:
            self._inflated.clear()
            self._size = 0
            self._pinned = {0: Segment(b"", self._byte_order)}

    def add(self, start: int, nbytes: int) -> int:
        """Number of the segment whose compressed data stand at `start`."""
        with self._lock:
            self._streams.append((start, nbytes))
            return len(self._streams) - 1

    def pin(self, content: memoryview) -> int:
        """Number of a segment for bytes that are stored inside an array, as those of the objects are."""
        number = self.add(0, 0)
        self._pinned[number] = Segment(content, self._byte_order)
        return number

    def head(self, segment: int) -> bytes:
        """The first bytes of a compressed variable, as many as can be had."""
        start, stream = self._stream(segment)
        with error_context(offset=start):
            return inflate_head(stream, HEAD_BYTES)

    def buffer(self, segment: int) -> Buffer:
        """All bytes of a segment, inflated if need be."""
        return self.segment(segment).buffer

    def segment(self, number: int) -> Segment:
        """A segment, inflated if need be."""
        found = self._pinned.get(number) or self._inflated.get(number)
        if found is None:
            return self._keep(number, self._inflate(number))
        if number and self._size > CACHE_BYTES // 2:
            # Soon the oldest will have to go.
            with self._lock:
                if number in self._inflated:
                    self._inflated.move_to_end(number)
        return found

    def prefetch(self, segments: Iterable[int]) -> None:
        """Inflate the first of these segments in threads, as many as the cache may hold."""
        room, chosen = CACHE_BYTES, []
        for segment in segments:
            if segment in self._inflated or segment in self._prefetched:
                break
            if segment in self._pinned:
                continue
            try:
                room -= self._declared(segment)
            except MatlensError:
                continue
            if room < 0:
                break
            chosen.append(segment)
        with self._lock:
            self._prefetched.update(chosen)
        if CACHE_BYTES - room < THREADED_BYTES:
            return
        for segment, data in zip(chosen, in_threads(self._inflate_or_none, chosen), strict=True):
            if data is not None:
                self._keep(segment, data)

    def _keep(self, number: int, data: memoryview) -> Segment:
        """Remember an inflated segment, and forget those that were not asked for the longest time."""
        with self._lock:
            found = self._inflated.setdefault(number, Segment(data, self._byte_order))
            if found.buffer is data:
                self._stats["inflated bytes"] += found.size
                self._size += found.size
            while len(self._inflated) > 1 and self._size > CACHE_BYTES:
                self._size -= self._inflated.popitem(last=False)[1].size
            return found

    def _stream(self, segment: int) -> tuple[int, memoryview]:
        start, nbytes = self._streams[segment]
        return start, memoryview(self._pinned[0].buffer)[start : start + nbytes]

    def _declared(self, segment: int) -> int:
        """Bytes that a compressed variable declares, its tag included."""
        start, stream = self._stream(segment)
        with error_context(offset=start):
            head = inflate_head(stream, 8)
            if len(head) < 8:
                raise CorruptFile("compressed data hold no array")
        return 8 + int(struct.unpack_from(self._byte_order + "II", head)[1])

    def _inflate(self, segment: int) -> memoryview:
        start, stream = self._stream(segment)
        nbytes = self._declared(segment)
        with error_context(offset=start):
            check_stored(self._limits, nbytes, len(stream))
            return inflate(stream, nbytes)

    def _inflate_or_none(self, segment: int) -> memoryview | None:
        try:
            return self._inflate(segment)
        except MatlensError:
            return None
