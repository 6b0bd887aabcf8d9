"""Members of old-style HDF5 groups, and lists of names in the global heap, in batches.

A small group is a B-tree of one leaf, one symbol node, and a local heap with the names. Larger ones have more nodes,
which are read one group after another. Groups with links that are not hard are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matlens.errors import MatlensError
from matlens.formats.hdf5 import layout
from matlens.formats.hdf5.bytes import Bytes, Rows
from matlens.formats.hdf5.group_single import read_links
from matlens.formats.hdf5.layout import BATCH_NAME, SEQUENCE, SYMBOL, SYMBOL_NODE
from matlens.formats.hdf5.object_batch import Objects, Wanted, read_objects
from matlens.formats.ragged import groups
from matlens.formats.records import Int64s
from matlens.limits import Limits

MAX_HEAP_OBJECTS = 65_535
"""Objects in one collection of the global heap have numbers of 16 bits."""

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


def merged(parts: list[Members]) -> list[Members]:
    """Members of several batches, those of the same names together."""
    by_names: dict[Names, list[Members]] = {}
    for part in parts:
        by_names.setdefault(part.names, []).append(part)
    return [
        Members(np.concatenate([p.index for p in same]), names, np.concatenate([p.addresses for p in same]))
        for names, same in by_names.items()
    ]


def group_members(source: Bytes, base: int, objects: Objects, index: Int64s, limits: Limits) -> list[Members]:
    """Members of the groups at `index`; those that are not covered are in no result."""
    tree, heap = objects.btree[index] + base, objects.heap[index] + base
    node = _only_nodes(source, base, tree)
    single = np.flatnonzero(node >= 0)
    found = _members_of_trees(source, base, index[node < 0], tree[node < 0], heap[node < 0], limits)
    names = _heap_data(source, base, heap[single])
    single, names = single[names >= 0], names[names >= 0]
    for (size,), same in groups(SYMBOL_NODE.many(source, node[single])["count"].astype(np.int64)):
        start = node[single[same]]
        same = same[source.inside(start, SYMBOL_NODE.size + size * SYMBOL.size)]
        if size and len(same):
            entries = node[single[same], None] + SYMBOL_NODE.size + SYMBOL.size * np.arange(size)
            found += _members(source, index[single[same]], entries, names[same])
    return found


def _members_of_trees(
    source: Bytes, base: int, index: Int64s, tree: Int64s, heap: Int64s, limits: Limits
) -> list[Members]:
    """Members of groups of several nodes."""
    found = []
    for i, root, texts in zip(index.tolist(), tree.tolist(), heap.tolist(), strict=True):
        try:
            links, problems = read_links(source.buffer, base, root, texts, limits)
        except MatlensError:
            # What is wrong with it is said where it is read by itself.
            continue
        if links and not problems and min(links.values()) >= 0:
            found.append(Members(np.array([i]), tuple(links), np.array([[*links.values()]], np.int64)))
    return merged(found)


def _only_nodes(source: Bytes, base: int, tree: Int64s) -> Int64s:
    """Position of the only symbol node of each B-tree; -1 where there are more, or none."""
    found = np.full(len(tree), -1, np.int64)
    # The address of the node stands behind a key of the same size.
    slot = layout.TREE_NODE.size + layout.ADDRESS.size
    index = np.flatnonzero(source.inside(tree, slot + layout.ADDRESS.size))
    head = layout.TREE_NODE.many(source, tree[index])
    fits = (head["signature"] == layout.TREE) & (head["kind"] == layout.GROUP_TREE)
    index = index[fits & (head["level"] == 0) & (head["count"] == 1)]
    node = source.number(tree[index] + slot, 8) + base
    fits = source.inside(node, SYMBOL_NODE.size)
    index, node = index[fits], node[fits]
    signed = SYMBOL_NODE.many(source, node)["signature"] == layout.SYMBOLS
    found[index[signed]] = node[signed]
    return found


def _heap_data(source: Bytes, base: int, heap: Int64s) -> Int64s:
    """Position of the names of each local heap; -1 where there is none."""
    found = np.full(len(heap), -1, np.int64)
    index = np.flatnonzero(source.inside(heap, layout.HEAP_HEAD.size))
    head = layout.HEAP_HEAD.many(source, heap[index])
    data = head["data"] + base
    fits = (head["signature"] == layout.LOCAL_HEAP) & source.inside(data, 8)
    found[index[fits]] = data[fits]
    return found


def _members(source: Bytes, index: Int64s, entries: Int64s, heap: Int64s) -> list[Members]:
    """Members of groups that have the same number of `entries`, by equal names."""
    size = entries.shape[1]
    symbols = SYMBOL.many(source, entries.ravel())
    addresses, position = symbols["address"], np.repeat(heap, size) + symbols["name"]
    hard = (symbols["cache"] != layout.SOFT_CACHE) & (addresses >= 0)
    good = (hard & source.inside(position, 1)).reshape(-1, size).all(axis=1)
    index, addresses = index[good], addresses.reshape(-1, size)[good]
    names = source.terminated(position.reshape(-1, size)[good].ravel(), BATCH_NAME)
    table = names.reshape(len(index), size * BATCH_NAME)
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
    return tuple(bytes(name).rstrip(b"\0") for name in row.reshape(-1, BATCH_NAME))


def name_lists(source: Bytes, base: int, stored: Int64s, wanted: Wanted) -> list[tuple[Names, Int64s]]:
    """Readable lists of names by the attributes in which they were found, each with the indices that have it."""
    position, count, address = stored.T.copy()
    elsewhere = np.flatnonzero(position < 0)
    if len(elsewhere):
        lists = read_objects(source, base, address[elsewhere], wanted)
        fits = lists.ok & (lists.type_class == layout.VLEN) & (lists.type_size == SEQUENCE.size) & (lists.data >= 0)
        fits &= lists.data_size // SEQUENCE.size >= lists.numel
        position[elsewhere], count[elsewhere] = lists.data, np.where(fits, lists.numel, -1)
    orders: list[tuple[Names, Int64s]] = []
    for (size,), same in groups(count):
        if size < 0:
            continue
        slots = position[same, None] + SEQUENCE.size * np.arange(size)
        items = SEQUENCE.many(source, slots.ravel())
        length = items["length"].astype(np.int64)
        start = _heap_objects(source, base, items["address"].astype(np.int64), items["index"])
        good = (start >= 0) & (length <= BATCH_NAME) & source.inside(start, length)
        readable = good.reshape(len(same), size).all(axis=1)
        chosen = np.repeat(readable, size)
        same = same[readable]
        table = source.texts(start[chosen], length[chosen], BATCH_NAME).reshape(len(same), size * BATCH_NAME)
        orders += [(_names(table[rows[0]]), same[rows]) for rows in _equal_rows(table)]
    return orders


def _heap_objects(source: Bytes, base: int, address: Int64s, number: Int64s) -> Int64s:
    """Positions of objects of global heap collections, by their number there; -1 where there is none."""
    collections, which = np.unique(address, return_inverse=True)
    start = collections + base
    active = np.flatnonzero(source.inside(start, layout.GLOBAL_HEAP.size))
    head = layout.GLOBAL_HEAP.many(source, start[active])
    signed = (head["signature"] == layout.COLLECTION) & (head["version"] == layout.COLLECTION_VERSION)
    active = active[signed]
    end = np.zeros(len(start), np.int64)
    end[active] = start[active] + np.clip(head["size"][signed].astype(np.int64), 0, source.size - start[active])
    at = start + layout.GLOBAL_HEAP.size
    # The first key is never wanted: it keeps the search from having nothing to find.
    keys, places = [np.full(1, -1, np.int64)], [np.full(1, -1, np.int64)]
    size = layout.HEAP_OBJECT.size
    for _ in range(MAX_HEAP_OBJECTS):
        active = active[at[active] + size <= end[active]]
        head = layout.HEAP_OBJECT.many(source, at[active])
        index, length = head["index"].astype(np.int64), head["size"]
        fine = (index > 0) & (length >= 0) & (length <= end[active] - at[active] - size)
        active, index, length = active[fine], index[fine], length[fine]
        if not len(active):
            break
        keys.append(active << 16 | index)
        places.append(at[active] + size)
        at[active] += size + (length + 7) // 8 * 8
    known = np.concatenate(keys)
    order = np.argsort(known)
    wanted = which << 16 | np.clip(number.astype(np.int64), 0, 0xFFFF)
    found = np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)
    return np.where(known[order[found]] == wanted, np.concatenate(places)[order[found]], -1)
