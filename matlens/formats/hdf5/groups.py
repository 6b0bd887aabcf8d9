"""Members of old-style HDF5 groups, and lists of names in the global heap, in batches.

A small group is a B-tree of one leaf, one symbol node, and a local heap with the names;
larger ones have more nodes. Groups with links that are not hard are left to `matlens.formats.hdf5.links`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matlens.formats.hdf5.bytes import Bytes, Rows
from matlens.formats.hdf5.headers import Objects
from matlens.formats.ragged import groups
from matlens.formats.records import Int64s

__all__ = ["Members", "Names", "field_orders", "group_members"]

MAX_NAME = 64
MAX_MEMBERS = 65_535
MAX_LEVEL = 8
MAX_HEAP_OBJECTS = 65_535
_ENTRY = 40
_SOFT_LINK = 2
_NAME = np.dtype([("length", "<u4"), ("address", "<u8"), ("index", "<u4")])
"""A variable-length sequence: number of items, global heap collection, index in it."""

Names = tuple[bytes, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Groups of a batch that have the same member names: their indices and the addresses.

    `addresses` has one row for each group, one column for each name.
    """

    index: Int64s
    names: Names
    addresses: Int64s

    def take(self, chosen: Int64s) -> Members:
        """Some of the groups, by their number among these."""
        return Members(self.index[chosen], self.names, self.addresses[chosen])

    def reorder(self, names: Names) -> Members:
        """The same with the columns in the order of `names`."""
        column = {name: k for k, name in enumerate(self.names)}
        return Members(self.index, names, self.addresses[:, [column[name] for name in names]])


def group_members(source: Bytes, base: int, objects: Objects, index: Int64s) -> list[Members]:
    """Members of the groups at `index`; those that are not covered are in no result."""
    heap = _heap_data(source, base, objects.heap[index] + base)
    index, heap = index[heap >= 0], heap[heap >= 0]
    tree = objects.btree[index] + base
    node = _only_nodes(source, base, tree)
    found: list[Members] = []
    single = node >= 0
    for (size,), same in groups(np.where(single, source.number(np.where(single, node, 0) + 6, 2), 0)):
        same = same[source.inside(node[same], 8 + size * _ENTRY)]
        if not size or not len(same):
            continue
        entries = node[same, None] + 8 + _ENTRY * np.arange(size)
        found += _members(source, index[same], entries, heap[same])
    for k in np.flatnonzero(~single).tolist():
        entries = _entries_of_tree(source, base, int(tree[k]))
        if 0 < len(entries) <= MAX_MEMBERS:
            found += _members(source, index[k : k + 1], entries[None, :], heap[k : k + 1])
    return found


def _only_nodes(source: Bytes, base: int, tree: Int64s) -> Int64s:
    """Position of the only symbol node of each B-tree; -1 where there are more, or none."""
    found = np.full(len(tree), -1, np.int64)
    index = np.flatnonzero(source.inside(tree, 40))
    # "TREE", node type 0 (group), level 0, one entry.
    head = source.take(tree[index], 8).view("<u8").ravel()
    index = index[head == np.frombuffer(b"TREE\x00\x00\x01\x00", "<u8")[0]]
    node = source.number(tree[index] + 32, 8) + base
    fits = source.inside(node, 8)
    index, node = index[fits], node[fits]
    signed = source.number(node, 4) == int.from_bytes(b"SNOD", "little")
    found[index[signed]] = node[signed]
    return found


def _entries_of_tree(source: Bytes, base: int, tree: int) -> Int64s:
    """Positions of all entries of a group of several symbol nodes; none where one is damaged."""
    none = np.zeros(0, np.int64)
    level = np.array([tree], np.int64)
    for _ in range(MAX_LEVEL):
        if not len(level) or len(level) > MAX_MEMBERS or not source.inside(level, 24).all():
            return none
        heads = source.take(level, 8)
        if not (heads[:, :5] == np.frombuffer(b"TREE\x00", np.uint8)).all() or len(set(heads[:, 5].tolist())) > 1:
            return none
        counts = heads[:, 6:].copy().view("<u2").ravel().tolist()
        if sum(counts) > MAX_MEMBERS:
            return none
        below: list[Int64s] = []
        for position, count in zip(level.tolist(), counts, strict=True):
            slots = position + 32 + 16 * np.arange(count)
            if not source.inside(slots, 8).all():
                return none
            below.append(source.number(slots, 8) + base)
        level = np.concatenate([none, *below])
        if heads[0, 5] == 0:
            return _entries_of_nodes(source, level)
    return none


def _entries_of_nodes(source: Bytes, node: Int64s) -> Int64s:
    inside = len(node) > 0 and source.inside(node, 8).all()
    if not inside or (source.number(node, 4) != int.from_bytes(b"SNOD", "little")).any():
        return np.zeros(0, np.int64)
    counts = source.number(node + 6, 2)
    if not source.inside(node, 8 + counts * _ENTRY).all() or counts.sum() > MAX_MEMBERS:
        return np.zeros(0, np.int64)
    parts = [start + 8 + _ENTRY * np.arange(n) for start, n in zip(node.tolist(), counts.tolist(), strict=True)]
    return np.concatenate(parts)


def _heap_data(source: Bytes, base: int, heap: Int64s) -> Int64s:
    """Position of the names of each local heap; -1 where there is none."""
    found = np.full(len(heap), -1, np.int64)
    index = np.flatnonzero(source.inside(heap, 32))
    signed = source.number(heap[index], 4) == int.from_bytes(b"HEAP", "little")
    index = index[signed]
    data = source.number(heap[index] + 24, 8) + base
    inside = source.inside(data, 8)
    found[index[inside]] = data[inside]
    return found


def _members(source: Bytes, index: Int64s, entries: Int64s, heap: Int64s) -> list[Members]:
    """Members of groups that have the same number of `entries`, by equal names."""
    size = entries.shape[1]
    flat = entries.ravel()
    raw = source.take(flat, 24)
    offsets, addresses = raw[:, :16].copy().view("<i8").T
    soft = raw[:, 16:20].copy().view("<u4").ravel() == _SOFT_LINK
    position = np.repeat(heap, size) + offsets
    good = (~soft & (addresses >= 0) & source.inside(position, 1)).reshape(-1, size).all(axis=1)
    index, addresses = index[good], addresses.reshape(-1, size)[good]
    names = source.terminated(position.reshape(-1, size)[good].ravel(), MAX_NAME)
    table = names.reshape(len(index), size * MAX_NAME)
    whole = (names[:, -1] == 0).reshape(-1, size).all(axis=1)
    index, table, addresses = index[whole], table[whole], addresses[whole]
    return [Members(index[same], _names(table[same[0]]), addresses[same]) for same in _equal_rows(table)]


def _equal_rows(table: Rows) -> list[Int64s]:
    """Indices of rows that are the same, one class after another."""
    classes: list[Int64s] = []
    rest = np.arange(len(table), dtype=np.int64)
    while len(rest) and len(classes) < 16:
        same = (table[rest] == table[rest[0]]).all(axis=1)
        classes.append(rest[same])
        rest = rest[~same]
    by_row: dict[bytes, list[int]] = {}
    for k in rest.tolist():
        by_row.setdefault(table[k].tobytes(), []).append(k)
    return classes + [np.array(same, np.int64) for same in by_row.values()]


def _names(row: Rows) -> Names:
    return tuple(bytes(name).rstrip(b"\0") for name in row.reshape(-1, MAX_NAME))


def field_orders(source: Bytes, base: int, position: Int64s, count: Int64s) -> list[tuple[Names | None, Int64s]]:
    """Lists of names stored as variable-length sequences of characters, each with the indices that have it.

    The names are None where a list is not readable.
    """
    orders: list[tuple[Names | None, Int64s]] = []
    for (size,), same in groups(count):
        items = source.take(position[same], 16 * size).view(_NAME).reshape(len(same), size)
        length = items["length"].ravel().astype(np.int64)
        start = _heap_objects(source, base, items["address"].ravel().astype(np.int64), items["index"].ravel())
        good = (start >= 0) & (length <= MAX_NAME) & source.inside(start, length)
        readable = good.reshape(len(same), size).all(axis=1)
        if not readable.all():
            orders.append((None, same[~readable]))
        chosen = np.repeat(readable, size)
        table = source.texts(start[chosen], length[chosen], MAX_NAME).reshape(-1, size * MAX_NAME)
        same = same[readable]
        orders += [(_names(table[rows[0]]), same[rows]) for rows in _equal_rows(table)]
    return orders


def _heap_objects(source: Bytes, base: int, address: Int64s, number: Int64s) -> Int64s:
    """Positions of objects of global heap collections, by their number there; -1 where there is none."""
    collections, which = np.unique(address, return_inverse=True)
    start = collections + base
    good = source.inside(start, 16)
    signed = source.number(np.where(good, start, 0), 8) == int.from_bytes(b"GCOL\x01\0\0\0", "little")
    active = np.flatnonzero(good & signed)
    end = np.zeros(len(start), np.int64)
    size = source.number(start[active] + 8, 8)
    end[active] = start[active] + np.clip(size, 0, source.size - start[active])
    at = start + 16
    keys, places = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for _ in range(MAX_HEAP_OBJECTS):
        active = active[at[active] + 16 <= end[active]]
        head = source.take(at[active], 16)
        index, length = head[:, :2].copy().view("<u2").ravel().astype(np.int64), head[:, 8:].copy().view("<i8").ravel()
        fine = (index > 0) & (length >= 0) & (length <= end[active] - at[active] - 16)
        active, index, length = active[fine], index[fine], length[fine]
        if not len(active):
            break
        keys.append(active << 16 | index)
        places.append(at[active] + 16)
        at[active] += 16 + (length + 7) // 8 * 8
    known = np.concatenate(keys)
    order = np.argsort(known)
    wanted = which << 16 | np.clip(number.astype(np.int64), 0, 0xFFFF)
    found = np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)
    if not len(known):
        return np.full(len(address), -1, np.int64)
    return np.where(known[order[found]] == wanted, np.concatenate(places)[order[found]], -1)
