"""The walk of `scipy.io.loadmat` output: records decoded by their dtype's field names.

SciPy returns a struct array as a structured NumPy array, an element of it as a
`numpy.void`, and a cell as an object array, each wrapped in as many brackets as MATLAB
has dimensions. `decode` turns all of it into dictionaries, lists, texts and arrays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from matlens.errors import LimitExceeded

__all__ = ["decode", "field_of", "fields_of", "is_record", "kind_of", "letters", "plain"]

MAX_FULL = 5_000_000
"""Elements of a sparse matrix that is written out in full."""


def decode(value: Any) -> Any:
    """Decode what `scipy.io.loadmat` returned, or any part of it, to plain Python and arrays.

    Parameters
    ----------
    value : object
        A dictionary of variables, a structured array, a `numpy.void`, an object array, a
        text array, a number array, under any of loadmat's options.

    Returns
    -------
    object
        =========================================  ======================================
        one record (``numpy.void``, 1x1 struct)    dict, by ``dtype.names``
        struct array of n records                  list of n dicts, column-major
        cell                                       list, column-major
        char row, char matrix                      str, list of str
        numbers, logicals, sparse matrices         returned as they are
        function handle, object                    dict of what is stored
        =========================================  ======================================

    Examples
    --------
    >>> marks = np.array([("Sarah", (8.0, 7.0)), ("John", (6.0, 7.0))],
    ...                  dtype=[("name", "U16"), ("grades", "f8", (2,))])
    >>> decode(marks[1])
    {'name': 'John', 'grades': array([6., 7.])}
    >>> [student["name"] for student in decode(marks)]
    ['Sarah', 'John']
    """
    if _is_pandas(value):
        return value
    kind = kind_of(value)
    if isinstance(value, Mapping):
        return {name: decode(item) for name, item in value.items()}
    if kind in ("struct", "object", "function", "opaque"):
        return _decode_records(value)
    if kind == "cell":
        items = value if isinstance(value, list | tuple) else value.ravel(order="F")
        return [decode(item) for item in items]
    if kind == "char":
        return _decode_text(value)
    return value


def plain(value: Any) -> Any:
    """Builtin Python objects only, by the rules of MATLAB's ``jsonencode``.

    1x1 numbers become scalars, vectors flat lists, matrices lists of rows, complex
    numbers ``complex``, sparse matrices what their full form gives.

    Examples
    --------
    >>> plain(np.array([[5.0]])), plain(np.array([[1, 2]])), plain(np.array([[1, 2], [3, 4]]))
    (5.0, [1, 2], [[1, 2], [3, 4]])
    """
    return _plain(value, ())


def _plain(value: Any, above: tuple[int, ...]) -> Any:
    """`plain`, below the objects of these identities: handles may lead back to what holds them."""
    if hasattr(value, "class_name"):
        if id(value) in above:
            return f"<the {value.class_name} above>"
        return {name: _plain(item, (*above, id(value))) for name, item in value.items()}
    if _is_pandas(value):
        return _plain_pandas(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "mM":
        return _plain_times(value)
    if isinstance(value, Mapping):
        return {name: _plain(item, above) for name, item in value.items()}
    if isinstance(value, np.ndarray) and value.dtype == object and kind_of(value) == "cell":
        return [_plain(item, above) for item in value.ravel(order="F").tolist()]
    value = decode(value)
    if isinstance(value, dict):
        return {name: _plain(item, above) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, above) for item in value]
    if hasattr(value, "toarray"):
        if math.prod(value.shape) > MAX_FULL:
            dims = "x".join(map(str, value.shape))
            raise LimitExceeded(f"a sparse matrix of {dims} has more than {MAX_FULL} elements in its full form")
        value = value.toarray()
    if not isinstance(value, np.ndarray):
        return value.item() if isinstance(value, np.generic) else value
    if value.size == 1:
        return value.item()
    if value.ndim == 2 and 1 in value.shape:
        value = value.ravel()
    return value.tolist() if value.size else []


def _is_pandas(value: Any) -> bool:
    return hasattr(value, "iloc") or (hasattr(value, "codes") and hasattr(value, "categories"))


def _plain_pandas(value: Any) -> Any:
    """A categorical as a list, a frame as lists of its columns, those of its index first if they have a name."""
    if not hasattr(value, "iloc"):
        return [None if code < 0 else str(value.categories[code]) for code in value.codes.tolist()]
    index = {value.index.name: value.index} if value.index.name else {}
    columns = {str(name): value[name].array if name in value else part for name, part in index.items()}
    columns |= {str(name): value[name].array for name in value.columns}
    return {name: _plain_column(column) for name, column in columns.items()}


def _plain_column(column: Any) -> list[Any]:
    if _is_pandas(column):
        return list(_plain_pandas(column))
    array = np.asarray(column)
    if array.dtype.kind in "mM":
        found = _plain_times(array)
        return found if isinstance(found, list) else [found]
    return [plain(item) if isinstance(item, np.ndarray | dict) else item for item in array.tolist()]


def _plain_times(value: Any) -> Any:
    """Times as datetime's, those beyond its years as ISO texts, missing ones as None."""
    items = []
    for time in value.ravel(order="F"):
        plain_time = None if np.isnat(time) else time.item()
        items.append(str(time) if isinstance(plain_time, int) else plain_time)
    if len(items) == 1:
        return items[0]
    if value.ndim == 2 and 1 not in value.shape:
        return np.array([*items, None], object)[:-1].reshape(value.shape, order="F").tolist()
    return items


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

    A struct without fields comes as an object array of None.
    """
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
    if array.size == 0 or array.dtype.itemsize == 0:
        return np.zeros((0, 0) if array.ndim < 2 else array.shape, "U1")
    if array.ndim >= 2 and array.dtype.itemsize == 4:
        return array
    width = array.dtype.itemsize // 4
    rows = np.ascontiguousarray(array).reshape(array.shape or (1,))
    points = rows.view(np.uint32).reshape((*rows.shape, width))
    if rows.size == 1:
        points = points[..., : len(str(rows.item()))]
    points = np.where(points == 0, ord(" "), points).astype(np.uint32)
    return points.view("U1") if points.size else np.zeros((0, 0), "U1")


def _decode_records(value: Any) -> Any:
    fields = fields_of(value)
    if is_record(value):
        return {name: decode(field_of(value, name)) for name in fields}
    records = np.asarray(value).ravel(order="F")
    decoded = [{name: decode(field_of(record, name)) for name in fields} for record in records]
    return decoded[0] if len(decoded) == 1 else decoded


def field_of(record: Any, name: str) -> Any:
    """One field of a record of any form."""
    return record[name] if isinstance(record, np.void | Mapping) else getattr(record, name)


def _decode_text(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    array = letters(value)
    if array.size == 0:
        return ""
    rows = np.moveaxis(array, 1, -1)
    texts = ["".join(rows[index].tolist()) for index in _column_major(rows.shape[:-1])]
    return texts[0] if len(texts) == 1 else texts


def _column_major(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [index[::-1] for index in np.ndindex(*shape[::-1])]
