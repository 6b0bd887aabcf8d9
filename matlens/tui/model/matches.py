"""Searching the values of a file: texts that contain the query, numbers that equal it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from threading import Lock
from typing import NamedTuple

import numpy as np

from matlens.errors import MatlensError
from matlens.formats.places import ChildPlaces, OnePlace, Places, SomePlaces
from matlens.formats.ragged import units_to_str
from matlens.formats.reader import Reader
from matlens.formats.records import CLASS_DTYPES, Elements, Headers, Int64s, MatlabClass
from matlens.formats.visit import Walk, blocks, kinds
from matlens.tree.nodes.node import Node
from matlens.values.windows import StoredArray, pieces

__all__ = ["Hit", "search"]

BLOCK = 4096
"""Elements looked at between two signs of life."""
CONTAINERS = (MatlabClass.CELL, MatlabClass.STRUCT, MatlabClass.OBJECT)


class Hit(NamedTuple):
    """A value that matches: where it is, and the text or number found there.

    As a sign of life, `path` is empty and `text` tells how many values were looked at.
    """

    path: str
    text: str


def search(node: Node, query: str, lock: Lock) -> Iterator[Hit]:
    """Matches below a node, in stored order; whatever cannot be read is passed over.

    Examples
    --------
    >>> import matlens
    >>> node = matlens.open("fixtures/annotations_v7.mat")["annotations"]
    >>> [hit for hit in search(node, "00003.JPG", Lock()) if hit.path]
    [Hit(path='annotations(3).image', text='00003.jpg')]
    """
    with suppress(MatlensError):
        yield from _Search(node.owner.reader, query, lock).run(node.elements, OnePlace(node.path))


class _Search:
    def __init__(self, reader: Reader, query: str, lock: Lock) -> None:
        self._reader, self._lock = reader, lock
        self._text = query.casefold()
        try:
            self._number: float | None = float(query)
        except ValueError:
            self._number = None
        self._walk = Walk(reader)
        self._seen = 0

    def run(self, elements: Elements, places: Places, owner: Int64s | None = None) -> Iterator[Hit]:
        with self._lock:
            headers = self._walk.enter(elements, owner)
        self._seen += len(elements)
        yield Hit("", f"{self._seen:,}")
        ok = np.flatnonzero(headers.ok)
        for (cls, *_), some in kinds(headers.take(ok)):
            index = ok[some]
            for start in range(0, len(index), BLOCK):
                part = index[start : start + BLOCK]
                yield from self._kind(cls, headers.take(part), SomePlaces(places, part), part)
        self._walk.leave()

    def _kind(self, cls: int, headers: Headers, places: Places, index: Int64s) -> Iterator[Hit]:
        try:
            if cls == MatlabClass.CHAR:
                for block in blocks(headers):
                    yield from self._chars(headers.take(block), SomePlaces(places, block))
            elif cls in CLASS_DTYPES and self._number is not None:
                for block in blocks(headers):
                    numbers = headers.take(block)
                    found = self._large if len(block) == 1 else self._numbers
                    yield from found(numbers, SomePlaces(places, block))
            elif cls in CONTAINERS:
                with self._lock:
                    groups = self._reader.children(headers)
                for group in groups:
                    owner = index[np.repeat(group.parents, np.diff(group.offsets) * group.width)]
                    if len(owner):
                        yield from self.run(group.elements, ChildPlaces(places, headers, group), owner)
        except MatlensError:
            return

    def _chars(self, headers: Headers, places: Places) -> Iterator[Hit]:
        with self._lock:
            units, offsets = self._reader.gather(headers)
        for i in range(len(headers)):
            text = units_to_str(units[offsets[i] : offsets[i + 1]])
            if self._text in text.casefold():
                yield Hit(places.path(i), text)

    def _large(self, headers: Headers, places: Places) -> Iterator[Hit]:
        """One array, piece by piece."""
        found = pieces(StoredArray(self._reader, headers))
        while True:
            with self._lock:
                _, (piece,) = next(found, (0, [None]))
            if piece is None:
                return
            yield Hit("", f"{self._seen:,}")
            if (piece == self._number).any():
                yield Hit(places.path(0), str(self._number))
                return

    def _numbers(self, headers: Headers, places: Places) -> Iterator[Hit]:
        with self._lock:
            values, offsets = self._reader.gather(headers)
        found = np.flatnonzero(values == self._number)
        owners, first = np.unique(np.searchsorted(offsets, found, "right") - 1, return_index=True)
        for i, k in zip(owners.tolist(), found[first].tolist(), strict=True):
            yield Hit(places.path(i), str(values[k].item()))
