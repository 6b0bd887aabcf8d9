"""A reader that passes over what is damaged inside structs and cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import MatlensError
from matlens.formats.guards.wrapped import WrappedReader
from matlens.formats.reader import Reader
from matlens.formats.records import Children, Elements, Headers, Int64s, MatlabClass


class SalvagingReader(WrappedReader):
    """Reads as `reader` does, but for elements that were marked as damaged.

    These have the class `MatlabClass.UNKNOWN`, dims 0x0 and their error in `Headers.errors`, and count as readable.
    Everything else is answered by the other reader, which stays as it is.
    """

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader.limits)
        self._reader = reader
        self.header, self.most_unshared = reader.header, reader.most_unshared
        self.problems, self.stats = reader.problems, reader.stats
        self._damaged: dict[int, dict[int, MatlensError]] = {}

    @property
    def version(self) -> str:
        return self._reader.version

    @property
    def closed(self) -> bool:
        return self._reader.closed

    def check(self) -> None:
        self._reader.check()

    @property
    def may_hold_objects(self) -> bool:
        return self._reader.may_hold_objects

    def _release(self) -> None:
        self._reader.close()

    def _ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        return getattr(self._reader, method)(*arguments, **options)

    def mark(self, elements: Elements, error: MatlensError) -> None:
        """Take `elements` for damaged from now on."""
        known = self._damaged.setdefault(elements.segment, {})
        for position in elements.positions.tolist():
            known.setdefault(position, error)

    def unmark(self, elements: Elements) -> None:
        """Let `elements` raise their errors."""
        for position in elements.positions.tolist():
            self._damaged.get(elements.segment, {}).pop(position, None)

    def headers(self, elements: Elements) -> Headers:
        headers = self._reader.headers(elements)
        known = dict(self._damaged.get(elements.segment, ()))
        if not known:
            return headers
        index = np.flatnonzero(np.isin(elements.positions, np.fromiter(known, np.int64, len(known))))
        lost = Headers.empty(elements.take(index))
        lost.cls[:], lost.dims[:] = MatlabClass.UNKNOWN, 0
        lost.errors.update({i: known[position] for i, position in enumerate(lost.elements.positions.tolist())})
        for i in index.tolist():
            headers.class_names.pop(i, None)
        return headers.put(index, lost)

    def children(self, headers: Headers, *, keep_damage: bool = False) -> list[Children]:
        return [] if _is_damaged(headers) else self._reader.children(headers, keep_damage=True)

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        if _is_damaged(headers):
            return np.zeros(0), np.zeros(len(headers) + 1, np.int64)
        return self._reader.gather(headers, as_stored=as_stored)


def _is_damaged(headers: Headers) -> bool:
    return bool(len(headers)) and bool((headers.ok & (headers.cls == MatlabClass.UNKNOWN)).all())
