"""The one walk down nested values: level by level, for all elements of a level at once.

A level is a batch of elements: the variables of a file, all fields of all records, all elements of all cells. A
`Visitor` enters it, asks for its headers once, groups its elements by class, hands each group to the method that its
subclass has for the class, and goes down to the children of cells and structs in the same way. Recursion follows the
depth of types, never the count of elements.

Values that contain themselves, nesting beyond all measure, and values that are shared so often that a small file has
any number of elements are refused here; paths are written out only for the elements that somebody asks about; where
some of a batch is damaged, halves of it are tried, down to the elements at fault.

Examples
--------
How many numbers a file holds:

>>> from matlens.formats.open import open_reader
>>> class Counter(Visitor):
...     count = 0
...     def numbers(self, batch):
...         self.count += int(batch.headers.numel.sum())
>>> reader = open_reader("fixtures/annotations_v7.mat").reader
>>> counter = Counter(reader)
>>> counter.visit(reader.variables()[0].elements)
[None]
>>> counter.count
770
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from matlens.errors import CorruptFile, LimitExceeded, MatlensError
from matlens.formats.places import ChildPlaces, Places, SomePlaces
from matlens.formats.ragged import counts_to_offsets, groups, ragged_ranges
from matlens.formats.reader import Reader
from matlens.formats.records import CLASS_DTYPES, Children, Elements, Headers, Int64s, MatlabClass

BLOCK_BYTES = 32 << 20
_HANDLERS: dict[int, str] = dict.fromkeys(map(int, CLASS_DTYPES), "numbers") | {
    int(MatlabClass.UNKNOWN): "damaged",
    int(MatlabClass.CHAR): "text",
    int(MatlabClass.SPARSE): "sparse",
    int(MatlabClass.CELL): "cells",
    int(MatlabClass.STRUCT): "structs",
    int(MatlabClass.OBJECT): "structs",
    int(MatlabClass.FUNCTION): "functions",
    int(MatlabClass.OPAQUE): "objects",
}
"""The method of a visitor for each class."""


@dataclass(slots=True, eq=False)
class Batch:
    """Elements of one class, complexity and logical flag, out of one level of a walk.

    `index` says which elements of the level they are, `places` where they stand in the file, if anybody asks; `beside`
    are the headers of the same elements of another file, where two are compared.
    """

    headers: Headers
    index: Int64s
    places: Places | None = None
    beside: Headers | None = None

    def __len__(self) -> int:
        return len(self.headers)

    def take(self, some: Int64s) -> Batch:
        """A part of the elements."""
        places = None if self.places is None else SomePlaces(self.places, some)
        beside = None if self.beside is None else self.beside.take(some)
        return Batch(self.headers.take(some), self.index[some], places, beside)

    def path(self, i: int) -> str:
        """MATLAB path of element `i`; empty where places are not followed."""
        return "" if self.places is None else self.places.path(i)


@dataclass(slots=True, eq=False)
class Below:
    """Children on their way down: the elements, which of the level above own them, and their places."""

    group: Children
    owner: Int64s
    places: Places | None


class Walk:
    """Bookkeeping of one way down: the elements of every level above, and how many were visited.

    References of v7.3 may form cycles, or share values so often that expanding them never ends. A value that contains
    itself is found by its position among its own ancestors.
    """

    def __init__(self, reader: Reader, most: str) -> None:
        self._reader, self._limits = reader, reader.limits
        self._most = most
        self._shared = self._visited = 0
        self._above: list[tuple[Int64s, Int64s]] = []

    def enter(self, elements: Elements, owner: Int64s | None = None) -> Headers:
        """Go down a level to `elements`, whose parents are the elements `owner` of the level above."""
        owner = np.zeros(len(elements), np.int64) if owner is None else owner
        self.enter_known(elements.positions, owner)
        try:
            if elements.segment == 0:
                self._refuse_cycles(elements.positions, owner)
                if self._visited > self._reader.most_unshared and len(self._above) > 1:
                    self._refuse_sharing(owner)
            return self._reader.headers(elements)
        except MatlensError:
            self.leave()
            raise

    def enter_known(self, positions: Int64s, owner: Int64s) -> None:
        """Go down to elements whose headers are known."""
        if len(self._above) >= self._limits.depth:
            text = f"values are nested deeper than {self._limits.depth} levels"
            raise LimitExceeded.of(self._limits, "depth", text)
        self.count(len(positions))
        self._above.append((positions, owner))

    def leave(self) -> None:
        """Go up a level."""
        self._above.pop()

    @property
    def depth(self) -> int:
        """How many levels down the walk is."""
        return len(self._above)

    def count(self, elements: int) -> None:
        """Count elements, also those that are not gone down to."""
        self._visited += elements
        limit = getattr(self._limits, self._most)
        if self._visited > limit:
            raise LimitExceeded.of(self._limits, self._most, f"more than {limit} elements")

    def _refuse_cycles(self, position: Int64s, owner: Int64s) -> None:
        """Refuse elements that stand at the position of one of their ancestors."""
        for above, next_owner in reversed(self._above[:-1]):
            same = above[owner] == position
            if same.any():
                at = int(position[np.argmax(same)])
                raise CorruptFile("the value contains itself", offset=at, position=(0, at))
            owner = next_owner[owner]

    def _refuse_sharing(self, owner: Int64s) -> None:
        """Refuse containers that are shared so often that a small file has any number of elements.

        Elements that are shared themselves are fine: empty ones stand in files once for all.
        """
        parents = self._above[-2][0]
        _, first = np.unique(parents, return_index=True)
        is_first = np.zeros(len(parents), bool)
        is_first[first] = True
        self._shared += int(np.count_nonzero(~is_first[owner]))
        if self._shared > self._limits.shared:
            text = f"cells and structs that are shared would expand to more than {self._limits.shared} elements"
            raise LimitExceeded.of(self._limits, "shared", text)


class Visitor:
    """Goes through `elements` and everything below them.

    A subclass has methods for what it cares about: `numbers`, `text`, `sparse`, `cells`, `structs` (old objects
    included), `functions`, `objects`, `damaged`. Each takes a `Batch` and returns None or one result for each of its
    elements; in a visitor that is used by `stream`, each is a generator. `most` names the limit of `matlens.Limits` on
    how many elements are visited; `walk` is one to go on with.
    """

    as_stored = False
    """Whether batches are told apart by storage type, too."""

    def __init__(self, reader: Reader, *, most: str = "visited", walk: Walk | None = None) -> None:
        self.reader = reader
        self.walk = walk or Walk(reader, most)

    # --- going down ----------------------------------------------------------------

    def visit(self, elements: Elements, where: Any = None, owner: Int64s | None = None) -> Any:
        """Go through `elements`; by default, a list of one result for each.

        `where` are their `Places`, for errors, or what else a visitor takes that overrides `level`; `owner` says which
        element of the level above each belongs to.
        """
        headers = self.walk.enter(elements, owner)
        try:
            return self.level(headers, where)
        finally:
            self.walk.leave()

    def level(self, headers: Headers, where: Any) -> Any:
        """What comes of one level: a list of one result for each element."""
        self.refuse_damaged(headers, where)
        results: list[Any] = [None] * len(headers)
        for batch in self.batches(headers, where):
            found = self.handle(batch)
            if found is not None:
                for i, result in zip(batch.index.tolist(), found, strict=True):
                    results[i] = result
        return results

    def stream(self, elements: Elements, where: Any = None, owner: Int64s | None = None) -> Iterator[Any]:
        """Go through `elements` and give what the methods yield, one after another."""
        headers = self.walk.enter(elements, owner)
        try:
            yield from self.stream_level(headers, where)
        finally:
            self.walk.leave()

    def stream_level(self, headers: Headers, where: Any) -> Iterator[Any]:
        """What the methods yield for one level; damaged elements are passed over."""
        for batch in self.batches(headers, where):
            yield from self.handle(batch) or ()

    def batches(self, headers: Headers, places: Places | None) -> Iterator[Batch]:
        """The readable elements of a level, grouped by class, complexity and logical flag."""
        keys = [headers.cls, headers.is_complex, headers.is_logical]
        if self.as_stored:
            keys.append(headers.storage)
        fine = None if headers.ok.all() else np.flatnonzero(headers.ok)
        for _, some in groups(*(keys if fine is None else [key[fine] for key in keys])):
            index = some if fine is None else fine[some]
            yield Batch(headers.take(index), index, None if places is None else SomePlaces(places, index))

    def handle(self, batch: Batch) -> Any:
        """Hand a batch to the method for its class; errors of single elements get their path."""
        try:
            return getattr(self, _HANDLERS[int(batch.headers.cls[0])])(batch)
        except MatlensError as error:
            if error.variable is None and len(batch) == 1 and batch.places is not None:
                raise error.at(variable=batch.path(0)) from error.__cause__
            raise

    def below(self, batch: Batch) -> Iterator[Below]:
        """The children of cells, structs and old objects, those of equal fields together."""
        return (_below(batch, group) for group in self.reader.children(batch.headers))

    # --- what to do with a batch ---------------------------------------------------

    def numbers(self, batch: Batch) -> Any:
        """Numbers and logicals."""

    def text(self, batch: Batch) -> Any:
        """Char arrays."""

    def sparse(self, batch: Batch) -> Any:
        """Sparse matrices."""

    def functions(self, batch: Batch) -> Any:
        """Function handles."""

    def objects(self, batch: Batch) -> Any:
        """Objects of MATLAB's classes."""

    def damaged(self, batch: Batch) -> Any:
        """Damaged elements that are passed over."""

    def cells(self, batch: Batch) -> Any:
        """Cells; as structs by default."""
        return self.structs(batch)

    def structs(self, batch: Batch) -> Any:
        """Structs, struct arrays and old objects; by default, their children are visited."""
        for below in self.below(batch):
            self.visit(below.group.elements, below.places, below.owner)

    # --- damage --------------------------------------------------------------------

    def refuse_damaged(self, headers: Headers, where: Any) -> None:
        """Raise the error of the first element that cannot be read, with its path."""
        if headers.ok.all():
            return
        try:
            headers.raise_first_error()
        except MatlensError as error:
            if error.variable is None and hasattr(where, "path"):
                raise error.at(variable=where.path(int(np.argmin(headers.ok)))) from error.__cause__
            raise

    def attempt(
        self, read: Callable[[Batch], Any], batch: Batch, failed: Callable[[MatlensError, Batch], None]
    ) -> list[tuple[Batch, Any]]:
        """Read a batch, or if that fails, halves of it, down to the elements at fault, which go to `failed`.

        Gives the parts that were read, with what came of them.
        """
        try:
            return [(batch, read(batch))]
        except MatlensError as error:
            if len(batch) == 1:
                failed(error, batch)
                return []
        middle = len(batch) // 2
        halves = np.arange(middle), np.arange(middle, len(batch))
        return [part for half in halves for part in self.attempt(read, batch.take(half), failed)]

    def attempt_below(self, below: Below, batch: Batch, failed: Callable[[MatlensError, Batch], None]) -> None:
        """Visit children, or those of halves of their parents, down to the parents that lead to an error of a walk."""
        if not len(below.owner):
            return
        try:
            self.visit(below.group.elements, below.places, below.owner)
        except MatlensError as error:
            total = len(below.group.parents)
            if total == 1 or isinstance(error, LimitExceeded):
                failed(error, batch.take(below.group.parents))
                return
            for half in (slice(total // 2), slice(total // 2, total)):
                self.attempt_below(_below(batch, below.group.part(half)), batch, failed)


def _below(batch: Batch, group: Children) -> Below:
    places = None if batch.places is None else ChildPlaces(batch.places, batch.headers, group)
    return Below(group, group.owners(batch.index), places)


def blocks(batch: Batch) -> Iterator[Batch]:
    """Parts of numbers or text that take bounded memory together, or single ones that take more."""
    sizes = np.cumsum(batch.headers.numel * 16) // BLOCK_BYTES
    if not len(sizes) or sizes[-1] == sizes[0]:
        yield batch
        return
    for part in np.split(np.arange(len(batch)), np.flatnonzero(np.diff(sizes)) + 1):
        yield batch.take(part)


def field_of_records(groups: list[Children], name: str, index: Int64s) -> tuple[Elements, Int64s, Int64s]:
    """Elements of one field over all structs, the record of each, and the element that owns it.

    `index` says which elements the parents of the groups are.
    """
    starts = counts_to_offsets(_record_counts(groups))
    targets, positions, owners = [], [], []
    for group in groups:
        if name not in (group.fields or ()):
            continue
        records = np.diff(group.offsets)
        targets.append(ragged_ranges(starts[group.parents], records))
        positions.append(group.column((group.fields or ()).index(name)).positions)
        owners.append(group.owners(index, of_records=True))
    target = np.concatenate(targets)
    order: Any = np.argsort(target, kind="stable") if len(groups) > 1 else slice(None)
    elements = Elements(groups[0].elements.segment, np.concatenate(positions)[order])
    return elements, target[order], np.concatenate(owners)[order]


def record_owners(groups: list[Children], index: Int64s) -> Int64s:
    """The element that owns each record of all structs; `index` says which elements the parents of the groups are."""
    counts = _record_counts(groups)
    return np.asarray(index[np.repeat(np.arange(len(counts)), counts)])


def _record_counts(groups: list[Children]) -> Int64s:
    """How many records each parent has."""
    total = max((int(group.parents.max(initial=-1)) for group in groups), default=-1) + 1
    counts = np.zeros(total, np.int64)
    for group in groups:
        counts[group.parents] = np.diff(group.offsets)
    return counts
