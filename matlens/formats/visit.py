"""Bookkeeping of a walk down nested values, so that hostile nesting ends in an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from matlens.errors import CorruptFile, LimitExceeded, MatlensError
from matlens.formats.ragged import groups
from matlens.formats.reader import Reader
from matlens.formats.records import Elements, Headers, Int64s

__all__ = ["Walk", "blocks", "kinds"]

MAX_ELEMENTS = 100_000_000
MAX_SHARED = 20_000
"""Elements of containers that are referred to more than once; in real files none are."""
BLOCK_BYTES = 32 << 20
_ONE = np.zeros(1, np.int64)


class Walk:
    """One walk: the elements of every level above, and how many were visited.

    v7.3 references may form cycles, or share values so often that expanding them never
    ends. A value that contains itself is found by its position among its own ancestors. With `most`, no more elements
    are visited than that.
    """

    def __init__(self, reader: Reader, most: int = MAX_ELEMENTS) -> None:
        self.reader = reader
        self._most = most
        self._shared = 0
        self._levels: list[tuple[Int64s, Int64s]] = []
        self._visited = 0

    def enter(self, elements: Elements, owner: Int64s | None = None) -> Headers:
        """Go down to `elements`, whose parents are the elements `owner` of the level above."""
        owner = np.zeros(len(elements), np.int64) if owner is None else owner
        self.enter_known(elements, owner)
        try:
            if elements.segment == 0:
                self._refuse_cycles(elements.positions, owner)
                if self._visited > self.reader.most_unshared and len(self._levels) > 1:
                    self._refuse_laughs(owner)
            return self.reader.headers(elements)
        except MatlensError:
            self.leave()
            raise

    def enter_known(self, elements: Elements, owner: Int64s | None) -> None:
        """Go down to elements that another walk has been through."""
        self._count(len(elements))
        self._levels.append((elements.positions, np.zeros(len(elements), np.int64) if owner is None else owner))

    def enter_single(self, position: int) -> None:
        """Go down to one value of a reader whose values cannot contain themselves."""
        self._count(1)
        self._levels.append((np.array([position]), _ONE))

    def _count(self, elements: int) -> None:
        limits = self.reader.limits
        if len(self._levels) >= limits.depth:
            raise LimitExceeded.of(limits, "depth", f"values are nested deeper than {limits.depth} levels")
        self.visit(elements)

    def visit(self, elements: int) -> None:
        """Count elements that are not gone down to."""
        self._visited += elements
        if self._visited > self._most:
            limits = self.reader.limits
            if self._most == limits.elements:
                raise LimitExceeded.of(limits, "elements", f"more than {self._most} elements as Python objects")
            raise LimitExceeded(f"more than {self._most} elements")

    @property
    def depth(self) -> int:
        """How many levels down the walk is."""
        return len(self._levels)

    def _refuse_laughs(self, owner: Int64s) -> None:
        """Refuse containers that are shared so often that a small file has any number of elements.

        Elements that are shared themselves are fine: empty ones stand in files once for all.
        """
        parents = self._levels[-2][0]
        _, first = np.unique(parents, return_index=True)
        is_first = np.zeros(len(parents), bool)
        is_first[first] = True
        self._shared += int(np.count_nonzero(~is_first[owner]))
        if self._shared > MAX_SHARED:
            raise LimitExceeded(f"cells and structs that are shared would expand to more than {MAX_SHARED} elements")

    def leave(self) -> None:
        self._levels.pop()

    def _refuse_cycles(self, position: Int64s, owner: Int64s) -> None:
        for above, next_owner in reversed(self._levels[:-1]):
            same = above[owner] == position
            if same.any():
                at = int(position[np.argmax(same)])
                raise CorruptFile("the value contains itself", offset=at, position=(0, at))
            owner = next_owner[owner]


def kinds(headers: Headers, *, as_stored: bool = False) -> Iterator[tuple[tuple[Any, ...], Int64s]]:
    """Groups of one class, complexity and logical flag, for one `Reader.gather` each."""
    keys = [headers.cls, headers.is_complex, headers.is_logical]
    return groups(*keys, headers.storage) if as_stored else groups(*keys)


def blocks(headers: Headers) -> Iterator[Int64s]:
    """Indices of runs of numbers or chars that take bounded memory together, or of one that takes more."""
    sizes = np.cumsum(headers.numel * 16) // BLOCK_BYTES
    for block in np.split(np.arange(len(headers)), np.flatnonzero(np.diff(sizes)) + 1):
        if len(block):
            yield block
