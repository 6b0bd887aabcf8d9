"""Paths of the elements of a batch, written out only for those that are asked for."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from matlens.model import Children, Headers, Int64s
from matlens.paths import field_suffix, subscript

__all__ = ["ChildPlaces", "OnePlace", "Places", "SomePlaces"]


class Places(Protocol):
    """Where the n elements of a batch stand in the file."""

    def path(self, i: int) -> str:
        """MATLAB path of element `i`."""
        ...


class OnePlace:
    """The place of a single value."""

    def __init__(self, path: str) -> None:
        self._path = path

    def path(self, i: int) -> str:
        return self._path


class SomePlaces:
    """Those of a batch at `index`."""

    def __init__(self, places: Places, index: Int64s) -> None:
        self._places, self._index = places, index

    def path(self, i: int) -> str:
        return self._places.path(int(self._index[i]))


class ChildPlaces:
    """The children of a group, of one field or of all.

    Examples
    --------
    >>> from matlens.model import Elements
    >>> headers = Headers.empty(Elements(0, np.array([0])))
    >>> headers.set_dims(0, (1, 3))
    >>> group = Children(np.array([0]), ("a", "b"), Elements(0, np.arange(6)), np.array([0, 3]))
    >>> ChildPlaces(OnePlace("s"), headers, group).path(3)
    's(2).b'
    """

    def __init__(self, above: Places, headers: Headers, group: Children, field: int | None = None) -> None:
        self._above, self._headers, self._group, self._field = above, headers, group, field

    def path(self, i: int) -> str:
        fields = self._group.fields
        record, field = (i, self._field) if self._field is not None else divmod(i, self._group.width)
        k = int(np.searchsorted(self._group.offsets, record, "right")) - 1
        parent = int(self._group.parents[k])
        rank, dims = record - int(self._group.offsets[k]), self._headers.shape(parent)
        path = self._above.path(parent)
        if fields is None:
            return path + subscript(rank, dims, "{}")
        if self._headers.numel[parent] > 1:
            path += subscript(rank, dims, "()")
        return path + field_suffix(fields[field])
