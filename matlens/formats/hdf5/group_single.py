"""Members of single groups, and texts in the global heap, every position checked.

Layout after The HDF Group, *HDF5 File Format Specification Version 3.0*, III.A, III.C, III.D and III.E.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from matlens.errors import CorruptFile, LimitExceeded, MatlensError
from matlens.formats.hdf5 import layout
from matlens.formats.hdf5.layout import SOFT_LINK, SYMBOL, SYMBOL_NODE, TREE_NODE
from matlens.limits import Limits


def read_links(
    buffer: Any, base: int, tree: int, heap: int, limits: Limits
) -> tuple[dict[bytes, int], list[MatlensError]]:
    """Addresses of the members of a group by name, in the order of the file, and what is wrong with those left out.

    The B-tree and the heap with the names stand at `tree` and `heap`. `SOFT_LINK` is the address of what is no hard
    link. Damage elsewhere than in the heap or the topmost node costs the members there.
    """
    walk = _Tree(buffer, base, _Heap(buffer, base, heap, limits), limits)
    walk.node(tree)
    return walk.links, walk.problems


class _Heap:
    """The local heap with the names of the members."""

    def __init__(self, buffer: Any, base: int, position: int, limits: Limits) -> None:
        self._buffer, self._limits = buffer, limits
        signature, size, start = layout.HEAP_HEAD.one(buffer, position)
        if signature != layout.LOCAL_HEAP:
            raise CorruptFile("the names of a group are missing", offset=position)
        self._start = start + base
        # A file that is cut off still has the names before its end.
        self._end = min(self._start + size, len(buffer))

    def name(self, offset: int) -> bytes:
        start, most = self._start + offset, self._limits.name
        if not 0 <= start < self._end:
            raise CorruptFile("the name of a member is missing", offset=self._start)
        end = self._buffer.find(b"\0", start, min(start + most + 1, self._end))
        if end < 0 and start > self._last_zero:
            raise CorruptFile("the name of a member has no end", offset=start)
        if end < 0:
            raise LimitExceeded.of(
                self._limits, "name", f"the name of a member has more than {most} bytes", offset=start
            )
        return bytes(self._buffer[start:end])

    @cached_property
    def _last_zero(self) -> int:
        return int(self._buffer.rfind(b"\0", self._start, self._end))


class _Tree:
    """A walk through the B-tree of a group; a damaged node costs its own members only."""

    def __init__(self, buffer: Any, base: int, names: _Heap, limits: Limits) -> None:
        self._buffer, self._base, self._names, self._limits = buffer, base, names, limits
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
        self._refuse_more_than(len(self._seen), "nodes")
        signature, count = SYMBOL_NODE.one(self._buffer, position)
        if signature == layout.SYMBOLS:
            self._members(position, count)
            return []
        signature, kind, found, count = TREE_NODE.one(self._buffer, position)
        if (signature, kind) != (layout.TREE, layout.GROUP_TREE) or (level >= 0 and found != level):
            raise CorruptFile("the members of a group are missing", offset=position)
        # A key, which is the place of a name, stands before each address.
        first = position + TREE_NODE.size + layout.ADDRESS.size
        if first + 16 * count > len(self._buffer):
            raise CorruptFile("the tree of a group is cut off", offset=position)
        slots = range(first + 16 * (count - 1), first - 1, -16)
        return [(layout.ADDRESS.one(self._buffer, at)[0] + self._base, found - 1) for at in slots]

    def _members(self, position: int, count: int) -> None:
        first = position + SYMBOL_NODE.size
        there = min(count, (len(self._buffer) - first) // SYMBOL.size)
        if there < count:
            self.problems.append(CorruptFile(f"{there} of {count} members of a group are there", offset=position))
        for at in range(first, first + SYMBOL.size * there, SYMBOL.size):
            offset, address, kind = SYMBOL.one(self._buffer, at)
            try:
                name = self._names.name(offset)
            except (CorruptFile, LimitExceeded) as error:
                self.problems.append(error)
                continue
            self.links[name] = SOFT_LINK if kind == layout.SOFT_CACHE or address < 0 else address
        self._refuse_more_than(len(self.links), "members")

    def _refuse_more_than(self, count: int, what: str) -> None:
        if count > self._limits.members:
            raise LimitExceeded.of(self._limits, "members", f"a group of {count} {what} or more")


Collection = dict[int, tuple[int, int]]
"""Positions and sizes of the objects of a global heap collection, by number."""


def heap_texts(
    buffer: Any, data: int, count: int, collection: Callable[[int], Collection], limits: Limits
) -> list[bytes]:
    """Texts of `count` variable-length sequences of single bytes at `data`; `collection` gives one by its address."""
    if count > limits.members:
        raise LimitExceeded.of(limits, "members", f"a list of {count} names", offset=data)
    if not 0 <= data <= len(buffer) - layout.SEQUENCE.size * count:
        raise CorruptFile(f"a list of {count} names", offset=data)
    found = []
    for at in range(data, data + layout.SEQUENCE.size * count, layout.SEQUENCE.size):
        length, address, index = layout.SEQUENCE.one(buffer, at)
        if length == 0:
            found.append(b"")
            continue
        if length > limits.name:
            raise LimitExceeded.of(limits, "name", f"a name in a list has {length} bytes", offset=at)
        start, size = collection(address).get(index, (0, -1))
        if length > size:
            raise CorruptFile(f"text {index} of a heap is missing", offset=at)
        found.append(bytes(buffer[start : start + length]))
    return found


def read_collection(buffer: Any, position: int) -> Collection:
    """The objects of the global heap collection at `position`."""
    signature, version, size = layout.GLOBAL_HEAP.one(buffer, position)
    if (signature, version) != (layout.COLLECTION, layout.COLLECTION_VERSION):
        raise CorruptFile("a heap of texts is missing", offset=position)
    end = min(position + size, len(buffer))
    places: Collection = {}
    at = position + layout.GLOBAL_HEAP.size
    while at + layout.HEAP_OBJECT.size <= end:
        index, length = layout.HEAP_OBJECT.one(buffer, at)
        at += layout.HEAP_OBJECT.size
        if index == 0 or not 0 <= length <= end - at:
            break
        places[index] = at, length
        at += (length + 7) // 8 * 8
    return places
