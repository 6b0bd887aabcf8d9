"""What `scipy.io.loadmat` gives, told apart by MATLAB's kinds: records, cells, text, objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def kind_of(value: Any) -> str:
    """Which MATLAB kind a loadmat value holds: struct, cell, char, sparse, object … or number.

    Examples
    --------
    >>> kind_of(np.array([["abc"]])), kind_of(np.zeros(3)), kind_of(np.array([1, "a"], object))
    ('char', 'number', 'cell')
    """
    name = type(value).__name__
    if name in ("MatlabObject", "MatlabFunction", "MatlabOpaque"):
        return name[len("Matlab") :].lower()
    if isinstance(value, Mapping) or hasattr(value, "_fieldnames"):
        return "struct"
    if isinstance(value, str | bytes | np.str_ | np.bytes_):
        return "char"
    if value is None:
        return "number"
    if isinstance(value, list | tuple):
        return "struct" if _are_records(value) else "cell"
    if hasattr(value, "tocsc"):
        return "sparse"
    dtype = np.asarray(value).dtype
    if dtype.names is not None:
        return "struct"
    if dtype.kind in "US":
        return "char"
    if dtype.kind == "O":
        return "struct" if _holds_structs(value) else "cell"
    return "number"


def _holds_structs(array: Any) -> bool:
    """Whether an object array is a struct array read with ``struct_as_record=False``.

    A struct without fields comes as an object array of None; `MissingValues` are texts that are missing.
    """
    if type(array).__name__ == "MissingValues":
        return False
    items = np.asarray(array, object).ravel().tolist()
    if not items or all(item is None for item in items):
        return bool(items)
    fields = getattr(items[0], "_fieldnames", None)
    return fields is not None and all(getattr(item, "_fieldnames", None) == fields for item in items)


def _are_records(items: Any) -> bool:
    """Whether a list is what ``simplify_cells`` makes of a struct array."""
    fields = list(items[0]) if items and isinstance(items[0], Mapping) else None
    return fields is not None and all(isinstance(item, Mapping) and list(item) == fields for item in items)


def is_record(value: Any) -> bool:
    """Whether `value` is a single record rather than an array of them."""
    return isinstance(value, np.void | Mapping) or hasattr(value, "_fieldnames")


def fields_of(value: Any) -> tuple[str, ...]:
    """Field names of a record or struct array, in stored order."""
    if isinstance(value, Mapping):
        return tuple(str(name) for name in value)
    if hasattr(value, "_fieldnames"):
        return tuple(value._fieldnames)
    if getattr(value, "dtype", None) is not None and value.dtype.names is not None:
        return tuple(value.dtype.names)
    first = next(iter(np.asarray(value, object).ravel()), None)
    return tuple(first) if isinstance(first, Mapping) else tuple(getattr(first, "_fieldnames", ()))


def letters(value: Any) -> Any:
    """A text value as an array of single characters with its MATLAB dims.

    loadmat joins the last dimension to strings unless ``chars_as_strings=False``; a
    string that is shorter than its neighbours is filled up with blanks.

    Examples
    --------
    >>> letters(np.array(["ab", "c"])).tolist()
    [['a', 'b'], ['c', ' ']]
    """
    array = np.asarray(value)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "latin-1")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.size == 0 or array.dtype.itemsize == 0:
        return np.zeros((0, 0) if array.ndim < 2 else array.shape, "U1")
    if array.ndim >= 2 and array.dtype.itemsize == 4:
        return array
    width = array.dtype.itemsize // 4
    rows = np.ascontiguousarray(array).reshape(array.shape or (1,))
    points = rows.view(np.uint32).reshape((*rows.shape, width))
    if rows.size == 1:
        points = np.ascontiguousarray(points[..., : len(str(rows.item()))])
    elif not points[..., -1].all():
        # NumPy fills up with zeros; those before a letter are letters, too.
        is_letter = np.logical_or.accumulate(points[..., ::-1] != 0, axis=-1)[..., ::-1]
        points = np.where(is_letter, points, ord(" ")).astype(np.uint32)
    return points.view("U1") if points.size else np.zeros((0, 0), "U1")


def field_of(record: Any, name: str) -> Any:
    """One field of a record of any form."""
    return record[name] if isinstance(record, np.void | Mapping) else getattr(record, name)


def is_undecoded(value: Any) -> bool:
    """Whether an object is no more than its reference, in the form of `scipy.io.loadmat`."""
    return type(value).__name__ == "MatlabOpaque"
