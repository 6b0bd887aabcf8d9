"""Reading everything below a value, batch by batch, to find what cannot be read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from matlens.errors import MatlensError
from matlens.formats.guards.salvage import SalvagingReader
from matlens.formats.places import OnePlace, Places
from matlens.formats.reader import Reader
from matlens.formats.records import Elements, Headers, Variable
from matlens.formats.visit import Batch, Visitor, blocks
from matlens.values.handles import function_texts
from matlens.values.loadmat_form import decode_values, objects_of
from matlens.values.objects import Objects
from matlens.values.windows import StoredArray, pieces

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


class Examiner(Visitor):
    """Reads everything, and keeps nothing; where a batch fails, its halves are tried.

    `on_damage` is called with elements that cannot be read and the reason; `damages` are no more than `MAX_DAMAGES`,
    each with its path; `elements` is how many were read.
    """

    def __init__(
        self, reader: Reader, file: str, on_damage: Callable[[Elements, MatlensError], None] | None = None
    ) -> None:
        super().__init__(reader)
        self._file = file
        self._on_damage = on_damage
        self.damages: list[MatlensError] = []
        self.elements = 0
        self._objects: Objects | None = None

    def examine(self, elements: Elements, path: str) -> None:
        """Read the one element of `elements`, whose path is given, and all below it."""
        try:
            self.visit(elements, OnePlace(path))
        except MatlensError as error:
            self._note(error, path, elements)

    def level(self, headers: Headers, where: Places) -> None:
        self.elements += len(headers)
        for i in np.flatnonzero(~headers.ok).tolist():
            self._note(headers.errors[i], where.path(i), headers.elements.take([i]))
        for batch in self.batches(headers, where):
            self.handle(batch)

    def _note(self, error: MatlensError, path: str, elements: Elements) -> None:
        if self._on_damage is not None:
            self._on_damage(elements, error)
        if len(self.damages) < MAX_DAMAGES:
            self.damages.append(error.at(file=self._file, variable=path))

    def _failed(self, error: MatlensError, batch: Batch) -> None:
        self._note(error, batch.path(0), batch.headers.elements)

    # --- batches of one class ------------------------------------------------------

    def numbers(self, batch: Batch) -> None:
        for block in blocks(batch):
            self.attempt(self._read_numbers, block, self._failed)

    def _read_numbers(self, batch: Batch) -> None:
        if len(batch) > 1:
            self.reader.gather(batch.headers)
            return
        for _ in pieces(StoredArray(self.reader, batch.headers)):
            pass

    def text(self, batch: Batch) -> None:
        for block in blocks(batch):
            self.attempt(lambda part: self.reader.gather(part.headers), block, self._failed)

    def sparse(self, batch: Batch) -> None:
        self.attempt(lambda part: self.reader.triplets(part.headers), batch, self._failed)

    def functions(self, batch: Batch) -> None:
        self.attempt(lambda part: function_texts(self.reader, part.headers), batch, self._failed)

    def objects(self, batch: Batch) -> None:
        # One by one: what makes one fail is known to the objects that were decoded before.
        for i in range(len(batch)):
            one = batch.take(np.array([i]))
            self.attempt(self._decode, one, self._failed)

    def _decode(self, batch: Batch) -> None:
        if self._objects is None:
            self._objects = objects_of(self.reader)
        decode_values(self.reader, batch.headers.elements, objects=self._objects)

    def structs(self, batch: Batch) -> None:
        for part, groups in self.attempt(lambda part: list(self.below(part)), batch, self._failed):
            for below in groups:
                self.attempt_below(below, part, self._failed)
