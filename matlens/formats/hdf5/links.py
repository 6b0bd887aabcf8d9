"""Members of single groups, and texts in the global heap, every position checked.

Layout after The HDF Group, *HDF5 File Format Specification Version 3.0*, III.A, III.C, III.D and III.E.
"""

from __future__ import annotations

import struct
from typing import Any

from matlens.errors import CorruptFile, LimitExceeded, MatlensError
from matlens.formats.hdf5.object import SOFT_LINK

__all__ = ["heap_items", "read_links"]

MAX_MEMBERS = 1_000_000
MAX_NAME = 4096
MAX_ITEMS = 1_000_000
_SOFT_CACHE = 2


def read_links(buffer: Any, base: int, tree: int, heap: int) -> tuple[dict[bytes, int], list[MatlensError]]:
    """Addresses of the members of a group by name, in the order of the file, which is that of the names.

    Parameters
    ----------
    tree, heap : int
        Positions of the B-tree and of the heap with the names.

    Returns
    -------
    links : dict
        A member that is no hard link has `SOFT_LINK` in place of its address.
    problems : list of CorruptFile
        Parts of the group that are damaged; the members elsewhere are there.

    Raises
    ------
    CorruptFile
        If there is no such group.
    """
    names = _Heap(buffer, base, heap)
    walk = _Tree(buffer, base, names)
    walk.node(tree)
    return walk.links, walk.problems


class _Heap:
    """The local heap with the names of the members."""

    def __init__(self, buffer: Any, base: int, position: int) -> None:
        self._buffer = buffer
        if bytes(buffer[max(position, 0) : position + 4]) != b"HEAP" or position + 32 > len(buffer):
            raise CorruptFile("the names of a group are missing", offset=position)
        size, _, start = struct.unpack_from("<QQQ", buffer, position + 8)
        self._start = start + base
        self._end = self._start + size
        if self._end > len(buffer):
            # A file that is cut off still has the names before its end.
            self._end = len(buffer)

    def name(self, offset: int) -> bytes:
        start = self._start + offset
        if not 0 <= start < self._end:
            raise CorruptFile("the name of a member is missing", offset=self._start)
        raw = bytes(self._buffer[start : min(start + MAX_NAME + 1, self._end)])
        if b"\0" not in raw:
            raise CorruptFile(f"the name of a member has no end within {len(raw)} bytes", offset=start)
        return raw[: raw.index(b"\0")]


class _Tree:
    """A walk through the B-tree of a group; a damaged node costs its own members only."""

    def __init__(self, buffer: Any, base: int, names: _Heap) -> None:
        self._buffer, self._base, self._names = buffer, base, names
        self._seen: set[int] = set()
        self.links: dict[bytes, int] = {}
        self.problems: list[MatlensError] = []

    def node(self, root: int) -> None:
        """Read the members below a node, which may be of any depth."""
        left = [(root, -1)]
        while left:
            position, level = left.pop()
            try:
                left += self._one(position, level)
            except CorruptFile as error:
                if position == root:
                    raise
                self.problems.append(error)

    def _one(self, position: int, level: int) -> list[tuple[int, int]]:
        """Read one node, whose level must be `level` unless that is negative; the nodes below it."""
        if position in self._seen:
            raise CorruptFile("the tree of a group leads back to itself", offset=position)
        self._seen.add(position)
        head = bytes(self._buffer[max(position, 0) : position + 8])
        if len(self._seen) > MAX_MEMBERS:
            raise LimitExceeded(f"a group of more than {MAX_MEMBERS:,} nodes")
        if head[:4] == b"SNOD":
            self._members(position, struct.unpack_from("<H", head, 6)[0])
            return []
        if head[:5] != b"TREE\0" or (level >= 0 and head[5] != level):
            raise CorruptFile("the members of a group are missing", offset=position)
        count = struct.unpack_from("<H", head, 6)[0]
        if position + 32 + 16 * count > len(self._buffer):
            raise CorruptFile("the tree of a group is cut off", offset=position)
        slots = range(position + 32 + 16 * (count - 1), position + 31, -16)
        below = [struct.unpack_from("<Q", self._buffer, at)[0] + self._base for at in slots]
        return [(at, head[5] - 1) for at in below]

    def _members(self, position: int, count: int) -> None:
        there = min(count, (len(self._buffer) - position - 8) // 40)
        if there < count:
            self.problems.append(CorruptFile(f"{there} of {count} members of a group are there", offset=position))
        for at in range(position + 8, position + 8 + 40 * there, 40):
            offset, address, kind = struct.unpack_from("<QQI", self._buffer, at)
            try:
                name = self._names.name(offset)
            except CorruptFile as error:
                self.problems.append(error)
                continue
            self.links[name] = SOFT_LINK if kind == _SOFT_CACHE or address >= 1 << 63 else address
            if len(self.links) > MAX_MEMBERS:
                raise LimitExceeded(f"a group of more than {MAX_MEMBERS:,} members")


def heap_items(buffer: Any, base: int, data: int, count: int) -> list[bytes]:
    """Texts of `count` variable-length sequences of single bytes, described at `data`.

    Raises
    ------
    CorruptFile
        If one of them is not where it must be.
    """
    if not 0 <= count <= MAX_ITEMS or not 0 <= data <= len(buffer) - 16 * count:
        raise CorruptFile(f"a list of {count} names", offset=data)
    collections: dict[int, dict[int, tuple[int, int]]] = {}
    found = []
    for k in range(count):
        length, address, index = struct.unpack_from("<IQI", buffer, data + 16 * k)
        if length == 0:
            found.append(b"")
            continue
        if address not in collections:
            collections[address] = _collection(buffer, address + base)
        place = collections[address].get(index)
        if place is None or length > place[1]:
            raise CorruptFile(f"text {index} of a heap is missing", offset=address + base)
        found.append(bytes(buffer[place[0] : place[0] + length]))
    return found


def _collection(buffer: Any, position: int) -> dict[int, tuple[int, int]]:
    """Positions and sizes of the objects of a global heap collection."""
    if bytes(buffer[max(position, 0) : position + 5]) != b"GCOL\1" or position + 16 > len(buffer):
        raise CorruptFile("a heap of texts is missing", offset=position)
    end = min(position + struct.unpack_from("<Q", buffer, position + 8)[0], len(buffer))
    places: dict[int, tuple[int, int]] = {}
    at = position + 16
    while at + 16 <= end:
        index, _, size = struct.unpack_from("<HH4xQ", buffer, at)
        if index == 0 or size > end - at - 16:
            break
        places[index] = at + 16, size
        at += 16 + (size + 7) // 8 * 8
    return places
