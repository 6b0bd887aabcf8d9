"""Reading a file end to end: what is readable, what is damaged, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from matlens.errors import MatlensError
from matlens.model import CLASS_DTYPES, Children, Elements, Headers, Int64s, MatlabClass
from matlens.nodes import Node
from matlens.places import ChildPlaces, OnePlace, Places, SomePlaces
from matlens.readers.base import Reader
from matlens.tables import StoredArray, pieces
from matlens.tree import MatFile
from matlens.values import decode_values, function_texts
from matlens.walk import Walk, blocks, kinds

__all__ = ["VariableCheck", "check", "check_node"]

MAX_DAMAGES = 1000


@dataclass(slots=True)
class VariableCheck:
    """What came out for one variable.

    Attributes
    ----------
    name, summary : str
    damages : list of MatlensError
        Empty if everything was read; each knows its path and byte offset.
    elements : int
        How many values were read, nested ones included.
    has_checksum : bool
        Whether the file keeps a checksum of the values: without one, a changed number is
        not told from a right one.
    """

    name: str
    summary: str
    damages: list[MatlensError] = field(default_factory=list)
    elements: int = 0
    has_checksum: bool = False

    @property
    def is_readable(self) -> bool:
        return not self.damages


def check(file: MatFile) -> Iterator[VariableCheck]:
    """Read every value of every variable, and keep none.

    Examples
    --------
    >>> import matlens
    >>> [(found.name, found.is_readable) for found in check(matlens.open("fixtures/annotations_v7.mat"))]
    [('annotations', True)]
    """
    for name, node in file.items():
        found = check_node(node)
        found.has_checksum = file.variable(name).compressed
        yield found


def check_node(node: Node) -> VariableCheck:
    """Read everything below a node, and keep nothing."""
    found = VariableCheck(node.name or node.path, node.summary())
    checker = _Checker(node.owner.reader, node.owner.name)
    checker.read(node.elements, OnePlace(node.path))
    found.damages, found.elements = checker.damages, checker.elements
    return found


class _Checker:
    """Reads batches of elements; where one fails, its halves are tried."""

    def __init__(self, reader: Reader, file: str) -> None:
        self._reader = reader
        self._file = file
        self._walk = Walk(reader)
        self.damages: list[MatlensError] = []
        self.elements = 0

    def read(self, elements: Elements, places: Places, owner: Int64s | None = None) -> None:
        """Read `elements` and all below them."""
        try:
            headers = self._walk.enter(elements, owner)
        except MatlensError as error:
            self._note(error, places.path(0))
            return
        self.elements += len(elements)
        for i in np.flatnonzero(~headers.ok).tolist():
            self._note(headers.errors[i], places.path(i))
        index = np.flatnonzero(headers.ok)
        headers = headers.take(index)
        for (cls, *_), some in kinds(headers):
            self._kind(cls, headers.take(some), SomePlaces(places, index[some]), index[some])
        self._walk.leave()

    def _note(self, error: MatlensError, path: str) -> None:
        if len(self.damages) < MAX_DAMAGES:
            error.file, error.variable = error.file or self._file, error.variable or path
            self.damages.append(error)

    def _kind(self, cls: int, headers: Headers, places: Places, index: Int64s) -> None:
        if cls in CLASS_DTYPES or cls == MatlabClass.CHAR:
            for block in blocks(headers):
                self._attempt(self._numbers, headers.take(block), SomePlaces(places, block))
        elif cls == MatlabClass.SPARSE:
            self._attempt(self._reader.triplets, headers, places)
        elif cls == MatlabClass.FUNCTION:
            self._attempt(lambda h: function_texts(self._reader, h), headers, places)
        elif cls == MatlabClass.OPAQUE:
            self._attempt(lambda h: decode_values(self._reader, h.elements), headers, places, at_once=False)
        else:
            self._children(headers, places, index)

    def _numbers(self, headers: Headers) -> None:
        if len(headers) > 1 or headers.cls[0] == MatlabClass.CHAR:
            self._reader.gather(headers)
            return
        for _ in pieces(StoredArray(self._reader, headers)):
            pass

    def _attempt(
        self, read: Callable[[Headers], Any], headers: Headers, places: Places, *, at_once: bool = True
    ) -> None:
        """Read all elements together, or if that fails, halves of them, down to those at fault."""
        try:
            if at_once or len(headers) == 1:
                read(headers)
                return
        except MatlensError as error:
            if len(headers) == 1:
                self._note(error, places.path(0))
                return
        middle = len(headers) // 2
        for half in (np.arange(middle), np.arange(middle, len(headers))):
            if len(half):
                self._attempt(read, headers.take(half), SomePlaces(places, half), at_once=at_once)

    def _children(self, headers: Headers, places: Places, index: Int64s) -> None:
        found: list[tuple[list[Children], Headers, Places, Int64s]] = []

        def read(some: Headers) -> None:
            # The elements stand in order, which tells the part of the batch that `some` is.
            inside = np.flatnonzero(np.isin(headers.elements.positions, some.elements.positions))
            found.append((self._reader.children(some), some, SomePlaces(places, inside), index[inside]))

        self._attempt(read, headers, places)
        for groups, some, where, own in found:
            for group in groups:
                owner = own[np.repeat(group.parents, np.diff(group.offsets) * group.width)]
                if len(owner):
                    self.read(group.elements, ChildPlaces(where, some, group), owner)
