"""Searching the values of a file: texts that contain the query, numbers that equal it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from matlens.errors import MatlensError
from matlens.formats.places import OnePlace, Places
from matlens.formats.ragged import units_to_str
from matlens.formats.reader import Reader
from matlens.formats.records import Headers
from matlens.formats.visit import Batch, Visitor, blocks
from matlens.tree.access import elements_of, reader_of
from matlens.tree.nodes.node import Node
from matlens.values.windows import StoredArray, pieces

BLOCK = 4096
"""Elements looked at between two signs of life."""


class Hit(NamedTuple):
    """A value that matches: where it is, and the text or number found there.

    As a sign of life, `path` is empty and `text` tells how many values were looked at.
    """

    path: str
    text: str


def search(node: Node, query: str) -> Iterator[Hit]:
    """Matches below a node, in stored order; whatever cannot be read is passed over.

    Examples
    --------
    >>> import matlens
    >>> node = matlens.open("fixtures/annotations_v7.mat")["annotations"]
    >>> [hit for hit in search(node, "00003.JPG") if hit.path]
    [Hit(path='annotations(3).image', text='00003.jpg')]
    """
    with suppress(MatlensError):
        yield from _Search(reader_of(node), query).stream(elements_of(node), OnePlace(node.path))


class _Search(Visitor):
    """Yields hits, and signs of life between them."""

    def __init__(self, reader: Reader, query: str) -> None:
        super().__init__(reader)
        self._text = query.casefold()
        try:
            self._number: float | None = float(query)
        except ValueError:
            self._number = None
        self._seen = 0

    def stream_level(self, headers: Headers, where: Places) -> Iterator[Hit]:
        self._seen += len(headers)
        yield self._alive()
        for batch in self.batches(headers, where):
            for start in range(0, len(batch), BLOCK):
                with suppress(MatlensError):
                    yield from self.handle(batch.take(np.arange(start, min(start + BLOCK, len(batch))))) or ()

    def _alive(self) -> Hit:
        return Hit("", f"{self._seen:,}")

    def structs(self, batch: Batch) -> Iterator[Hit]:
        for below in self.below(batch):
            if len(below.owner):
                yield from self.stream(below.group.elements, below.places, below.owner)

    def text(self, batch: Batch) -> Iterator[Hit]:
        for block in blocks(batch):
            units, offsets = self.reader.gather(block.headers)
            for i in range(len(block)):
                text = units_to_str(units[offsets[i] : offsets[i + 1]])
                if self._text in text.casefold():
                    yield Hit(block.path(i), text)

    def numbers(self, batch: Batch) -> Iterator[Hit]:
        for block in blocks(batch) if self._number is not None else ():
            yield from self._large(block) if len(block) == 1 else self._small(block)

    def _large(self, batch: Batch) -> Iterator[Hit]:
        """One array, piece by piece."""
        for _, (piece,) in pieces(StoredArray(self.reader, batch.headers)):
            yield self._alive()
            if (piece == self._number).any():
                yield Hit(batch.path(0), str(self._number))
                return

    def _small(self, batch: Batch) -> Iterator[Hit]:
        values, offsets = self.reader.gather(batch.headers)
        found = np.flatnonzero(values == self._number)
        owners, first = np.unique(np.searchsorted(offsets, found, "right") - 1, return_index=True)
        for i, k in zip(owners.tolist(), found[first].tolist(), strict=True):
            yield Hit(batch.path(i), str(values[k].item()))
