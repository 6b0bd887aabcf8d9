"""Paths of the elements of a batch, written out only for those that are asked for."""

from __future__ import annotations

import math
import re
from typing import Protocol

import numpy as np

from matlens.formats.records import Children, Headers, Int64s

_NAME = re.compile(r"[^\W\d]\w*")


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
    >>> from matlens.formats.records import Elements
    >>> headers = Headers.empty(Elements(0, np.array([0])))
    >>> headers.set_dims(0, (1, 3))
    >>> group = Children(np.array([0]), ("a", "b"), Elements(0, np.arange(6)), np.array([0, 3]))
    >>> ChildPlaces(OnePlace("s"), headers, group).path(3)
    's(2).b'
    """

    def __init__(self, above: Places, headers: Headers, group: Children, field: int | None = None) -> None:
        self._above, self._headers, self._group, self._field = above, headers, group, field

    def path(self, i: int) -> str:
        group = self._group
        record, field = (i, self._field) if self._field is not None else divmod(i, group.width)
        k = int(np.searchsorted(group.offsets, record, "right")) - 1
        parent, rank = int(group.parents[k]), record - int(group.offsets[k])
        place = rank * group.width + field
        return child_path(self._above.path(parent), group.fields, self._headers.shape(parent), place)


def child_path(path: str, fields: tuple[str, ...] | None, dims: tuple[int, ...], i: int) -> str:
    """Path of child `i` of a cell, or of a struct with `fields`: the fields of a record stand next to each other.

    Examples
    --------
    >>> child_path("s", ("a", "b"), (1, 3), 3), child_path("s", ("a",), (1, 1), 0), child_path("c", None, (2, 2), 2)
    ('s(2).b', 's.a', 'c{1,2}')
    """
    if fields is None:
        return path + subscript(i, dims, "{}")
    record, field = divmod(i, len(fields))
    return path + (subscript(record, dims, "()") if math.prod(dims) > 1 else "") + field_suffix(fields[field])


def field_suffix(name: str) -> str:
    """How MATLAB appends a field name to a path.

    Examples
    --------
    >>> field_suffix("bbox"), field_suffix("odd name")
    ('.bbox', '.("odd name")')
    """
    if _NAME.fullmatch(name):
        return f".{name}"
    return '.("' + name.replace('"', '""') + '")'


def python_field(name: str) -> str:
    """How Python appends a field name to an expression.

    Examples
    --------
    >>> python_field("bbox")
    '["bbox"]'
    """
    return '["' + name.replace("\\", "\\\\").replace('"', '\\"') + '"]'


def subscript(position: int, dims: tuple[int, ...], brackets: str) -> str:
    """Text of the subscript of the element at a 0-based column-major position.

    Vectors get one number, matrices one for each dimension.

    Examples
    --------
    >>> subscript(2, (1, 5), "()"), subscript(2, (1, 5), "[]"), subscript(2, (2, 2), "{}")
    ('(3)', '[2]', '{1,2}')
    """
    base = 0 if brackets == "[]" else 1
    if len(dims) == 2 and 1 in dims:
        return f"{brackets[0]}{position + base}{brackets[1]}"
    numbers = []
    for size in dims:
        position, rest = divmod(position, size)
        numbers.append(str(rest + base))
    return f"{brackets[0]}{', '.join(numbers) if base == 0 else ','.join(numbers)}{brackets[1]}"
