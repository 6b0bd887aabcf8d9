"""A reader that passes over what is damaged inside structs and cells."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import MatlensError
from matlens.formats.reader import Reader
from matlens.formats.records import Children, Elements, Headers, Int64s, MatlabClass, Single
from matlens.formats.v5.reader import Mat5Reader

__all__ = ["SalvagingReader"]


class SalvagingReader:
    """Reads as `reader` does, but for elements that were marked as damaged.

    These have the class `MatlabClass.UNKNOWN`, dims 0x0 and their error in `Headers.errors`, and count as readable.
    Everything else is answered by the other reader.

    Parameters
    ----------
    reader : Reader
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._damaged: dict[int, dict[int, MatlensError]] = {}
        if isinstance(reader, Mat5Reader):
            reader.keeps_before_damage = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

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
        known = self._damaged.get(elements.segment)
        if not known:
            return headers
        index = np.flatnonzero(np.isin(elements.positions, np.fromiter(known, np.int64, len(known))))
        lost = Headers.empty(elements.take(index))
        lost.cls[:], lost.dims[:] = MatlabClass.UNKNOWN, 0
        lost.errors.update({i: known[position] for i, position in enumerate(lost.elements.positions.tolist())})
        for i in index.tolist():
            headers.class_names.pop(i, None)
        return headers.put(index, lost)

    def children(self, headers: Headers) -> list[Children]:
        return [] if _is_damaged(headers) else self._reader.children(headers)

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        if _is_damaged(headers):
            return np.zeros(0), np.zeros(len(headers) + 1, np.int64)
        return self._reader.gather(headers, as_stored=as_stored)

    def single(self, segment: int, position: int, *, as_stored: bool = False) -> Single | None:
        if position in self._damaged.get(segment, ()):
            return None
        return self._reader.single(segment, position, as_stored=as_stored)

    def prefetch(self, elements: Iterable[Elements]) -> None:
        self._reader.prefetch(elements)


def _is_damaged(headers: Headers) -> bool:
    return bool(len(headers)) and bool((headers.ok & (headers.cls == MatlabClass.UNKNOWN)).all())
