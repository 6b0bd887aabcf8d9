"""Reading everything below a value, batch by batch, to find what cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from matlens.errors import LimitExceeded, MatlensError
from matlens.formats.guards.salvage import SalvagingReader
from matlens.formats.places import ChildPlaces, OnePlace, Places, SomePlaces
from matlens.formats.reader import Reader
from matlens.formats.records import CLASS_DTYPES, Children, Elements, Headers, Int64s, MatlabClass, Variable
from matlens.formats.visit import Walk, blocks, kinds
from matlens.values.loadmat_form import decode_values, function_texts
from matlens.values.windows import StoredArray, pieces

__all__ = ["Examiner", "salvage"]

MAX_DAMAGES = 1000
"""As many damages are told of; all of them count."""


def salvage(reader: SalvagingReader, variable: Variable, path: str, file: str) -> list[MatlensError]:
    """Mark what is damaged inside a variable, so that `reader` passes over it; the damages, each with its path.

    A variable that is damaged itself is not marked: its errors are raised.
    """
    examiner = Examiner(reader, file, reader.mark)
    examiner.examine(variable.elements, path)
    reader.unmark(variable.elements)
    return [damage for damage in examiner.damages if damage.variable != path]


class Examiner:
    """Reads batches of elements; where one fails, its halves are tried.

    Parameters
    ----------
    reader : Reader
    file : str
        Its name, for errors.
    on_damage : callable, optional
        Called with elements that cannot be read and the reason.

    Attributes
    ----------
    damages : list of MatlensError
        Each with its path; no more than `MAX_DAMAGES`.
    elements : int
        How many were read.
    """

    def __init__(
        self,
        reader: Reader,
        file: str,
        on_damage: Callable[[Elements, MatlensError], None] | None = None,
    ) -> None:
        self._reader = reader
        self._file = file
        self._walk = Walk(reader)
        self._on_damage = on_damage
        self.damages: list[MatlensError] = []
        self.elements = 0

    def examine(self, elements: Elements, path: str) -> None:
        """Read the one element of `elements`, whose path is given, and all below it."""
        try:
            self._read(elements, OnePlace(path), None)
        except MatlensError as error:
            self._note(error, path, elements)

    def _read(self, elements: Elements, places: Places, owner: Int64s | None) -> None:
        """Read `elements` and all below them.

        Raises
        ------
        MatlensError
            If they are not to be gone down to: they contain themselves, or exceed a limit.
        """
        headers = self._walk.enter(elements, owner)
        self.elements += len(elements)
        for i in np.flatnonzero(~headers.ok).tolist():
            self._note(headers.errors[i], places.path(i), elements.take([i]))
        index = np.flatnonzero(headers.ok)
        headers = headers.take(index)
        for (cls, *_), some in kinds(headers):
            self._kind(cls, headers.take(some), SomePlaces(places, index[some]), index[some])
        self._walk.leave()

    def _note(self, error: MatlensError, path: str, elements: Elements) -> None:
        if self._on_damage is not None:
            self._on_damage(elements, error)
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
                self._note(error, places.path(0), headers.elements)
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
                self._descend(group, some, where, own)

    def _descend(self, group: Children, headers: Headers, places: Places, index: Int64s) -> None:
        """Read the children of a group, or those of halves of its parents, down to those that are at fault."""
        counts = np.diff(group.offsets) * group.width
        owner = index[np.repeat(group.parents, counts)]
        if not len(owner):
            return
        try:
            self._read(group.elements, ChildPlaces(places, headers, group), owner)
        except MatlensError as error:
            total = len(group.parents)
            if total == 1 or isinstance(error, LimitExceeded):
                self._note(error, places.path(int(group.parents[0])), headers.elements.take(group.parents))
                return
            for half in (slice(total // 2), slice(total // 2, total)):
                self._descend(group.part(half), headers, places, index)
