"""Members of old-style HDF5 groups, and lists of names in the global heap, in batches.

A small group is a B-tree of one leaf, one symbol node, and a local heap with the names.
Groups with more members, or with links that are not hard, are left to libhdf5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matlens.gather import groups
from matlens.model import Int64s
from matlens.readers.h5headers import Bytes, Objects

__all__ = ["Members", "field_orders", "group_members"]

MAX_NAME = 64
MAX_MEMBERS = 64
_ENTRY = 40
_SOFT_LINK = 2

Rows = NDArray[np.uint8]


class Members:
    """Groups of a batch that have the same member names: their indices and the addresses.

    `addresses` has one row for each group, one column for each name.
    """

    def __init__(self, index: Int64s, names: tuple[bytes, ...], addresses: Int64s) -> None:
        self.index, self.names, self.addresses = index, names, addresses


def group_members(source: Bytes, base: int, objects: Objects, index: Int64s) -> list[Members]:
    """Members of the groups at `index`; those that are not covered are in no result."""
    node = _symbol_nodes(source, base, objects.btree[index] + base)
    heap = _heap_data(source, base, objects.heap[index] + base)
    good = (node >= 0) & (heap >= 0)
    index, node, heap = index[good], node[good], heap[good]
    count = source.number(node + 6, 2)
    found = []
    for (size,), same in groups(count):
        if 0 < size <= MAX_MEMBERS:
            found += _same_size(source, index[same], node[same], heap[same], size)
    return found


def _symbol_nodes(source: Bytes, base: int, tree: Int64s) -> Int64s:
    """Position of the only symbol node of each B-tree; -1 where there are more, or none."""
    found = np.full(len(tree), -1, np.int64)
    index = np.flatnonzero(source.inside(tree, 40))
    head = source.take(tree[index], 8)
    # "TREE", node type 0 (group), level 0, one entry.
    plain = (head == np.frombuffer(b"TREE\x00\x00\x01\x00", np.uint8)).all(axis=1)
    index = index[plain]
    node = source.number(tree[index] + 32, 8) + base
    fits = source.inside(node, 8)
    index, node = index[fits], node[fits]
    signed = (source.take(node, 4) == np.frombuffer(b"SNOD", np.uint8)).all(axis=1)
    found[index[signed]] = node[signed]
    return found


def _heap_data(source: Bytes, base: int, heap: Int64s) -> Int64s:
    """Position of the names of each local heap; -1 where there is none."""
    found = np.full(len(heap), -1, np.int64)
    index = np.flatnonzero(source.inside(heap, 32))
    signed = (source.take(heap[index], 4) == np.frombuffer(b"HEAP", np.uint8)).all(axis=1)
    index = index[signed]
    data = source.number(heap[index] + 24, 8) + base
    inside = source.inside(data, 8)
    found[index[inside]] = data[inside]
    return found


def _same_size(source: Bytes, index: Int64s, node: Int64s, heap: Int64s, size: int) -> list[Members]:
    """Members of groups that have `size` of them, by equal names."""
    fits = source.inside(node, 8 + size * _ENTRY)
    index, node, heap = index[fits], node[fits], heap[fits]
    entries = (node[:, None] + 8 + _ENTRY * np.arange(size)).ravel()
    offsets = source.number(entries, 8).reshape(-1, size)
    addresses = source.number(entries + 8, 8).reshape(-1, size)
    soft = (source.number(entries + 16, 4).reshape(-1, size) == _SOFT_LINK).any(axis=1)
    position = heap[:, None] + offsets
    fits = ~soft & source.inside(position.ravel(), 1).reshape(-1, size).all(axis=1) & (addresses >= 0).all(axis=1)
    index, position, addresses = index[fits], position[fits], addresses[fits]
    flat = position.ravel()
    names = source.texts(flat, np.full(len(flat), MAX_NAME), MAX_NAME)
    table = names.reshape(len(index), size * MAX_NAME)
    whole = (names[:, -1] == 0).reshape(-1, size).all(axis=1)
    index, table, addresses = index[whole], table[whole], addresses[whole]
    return [Members(index[same], _names(table[same[0]], size), addresses[same]) for same in _equal_rows(table)]


def _equal_rows(table: Rows) -> list[Int64s]:
    """Indices of rows that are the same, one class after another."""
    classes = []
    rest = np.arange(len(table), dtype=np.int64)
    while len(rest):
        same = (table[rest] == table[rest[0]]).all(axis=1)
        classes.append(rest[same])
        rest = rest[~same]
    return classes


def _names(row: Rows, size: int) -> tuple[bytes, ...]:
    return tuple(bytes(name).rstrip(b"\0") for name in row.reshape(size, MAX_NAME))


def field_orders(source: Bytes, base: int, position: Int64s, count: Int64s) -> list[tuple[bytes, ...] | None]:
    """Lists of names stored as variable-length sequences of characters; None where unreadable.

    Each name is a length, the address of a global heap collection, and an index in it.
    """
    collections: dict[int, dict[int, int]] = {}
    texts: dict[bytes, tuple[bytes, ...] | None] = {}
    orders: list[tuple[bytes, ...] | None] = []
    for start, n in zip(position.tolist(), count.tolist(), strict=True):
        raw = source.bytes[start : start + 16 * n].tobytes()
        if raw not in texts:
            texts[raw] = _order(source, base, raw, collections)
        orders.append(texts[raw])
    return orders


def _order(source: Bytes, base: int, raw: bytes, collections: dict[int, dict[int, int]]) -> tuple[bytes, ...] | None:
    names = []
    items = np.frombuffer(raw, [("length", "<u4"), ("address", "<u8"), ("index", "<u4")])
    for length, address, index in items.tolist():
        if address not in collections:
            collections[address] = _collection(source, address + base)
        start = collections[address].get(index, -1)
        if length > MAX_NAME or start < 0 or start + length > source.size:
            return None
        names.append(source.bytes[start : start + length].tobytes())
    return tuple(names)


def _collection(source: Bytes, start: int) -> dict[int, int]:
    """Positions of the objects of a global heap collection, by their index."""
    found: dict[int, int] = {}
    if not 0 <= start <= source.size - 16 or source.bytes[start : start + 5].tobytes() != b"GCOL\x01":
        return found
    size = int(source.bytes[start + 8 : start + 16].view("<u8")[0])
    end = min(start + size, source.size)
    at = start + 16
    while at + 16 <= end:
        index = int(source.bytes[at]) | int(source.bytes[at + 1]) << 8
        length = int(source.bytes[at + 8 : at + 16].view("<u8")[0])
        if index == 0 or length > end - at - 16:
            break
        found[index] = at + 16
        at += 16 + (length + 7) // 8 * 8
    return found
