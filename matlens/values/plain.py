"""The walk of `scipy.io.loadmat` output: records decoded by their dtype's field names.

SciPy returns a struct array as a structured NumPy array, an element of it as a
`numpy.void`, and a cell as an object array, each wrapped in as many brackets as MATLAB
has dimensions. `decode` turns all of it into dictionaries, lists, texts and arrays.
"""

from __future__ import annotations

import datetime as dt
import math
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from matlens.classes.time_zones import python_times
from matlens.errors import LimitExceeded
from matlens.escape import json_default
from matlens.formats.loadmat_output import field_of, fields_of, is_record, kind_of, letters
from matlens.limits import Limits

_LETTERS = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
"""NumPy's texts as bytes."""


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
    if _is_pandas(value) or hasattr(value, "class_name"):
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


def plain(value: Any, limits: Limits | None = None) -> Any:
    """Builtin Python objects only, by the rules of MATLAB's ``jsonencode``.

    1x1 numbers become scalars; vectors of any class flat lists, matrices lists of rows; complex numbers ``complex``,
    sparse matrices what their full form gives, if `limits` allow as many elements, function handles their text. An
    object that was met before is told by its class.

    Examples
    --------
    >>> plain(np.array([[5.0]])), plain(np.array([[1, 2]])), plain(np.array([[1, 2], [3, 4]]))
    (5.0, [1, 2], [[1, 2], [3, 4]])
    >>> plain(np.array([["a", "b"], ["c", "d"]], object))
    [['a', 'b'], ['c', 'd']]
    """
    return PlainValues(limits or Limits()).all_of(value)


class PlainValues:
    """One answer, in which each object is told once: handles may be shared, and lead back to what holds them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._met: set[int] = set()
        self._waiting: list[tuple[Any, dict[str, Any]]] = []

    def all_of(self, value: Any) -> Any:
        """The answer; its objects are gone into level by level, so that each is told where it is nearest."""
        found = self.of(value)
        level = 0
        while self._waiting:
            level += 1
            if level > self._limits.depth:
                text = f"objects are nested deeper than {self._limits.depth} levels"
                raise LimitExceeded.of(self._limits, "depth", text)
            waiting, self._waiting = self._waiting, []
            for instance, told in waiting:
                told.update((name, self.of(item)) for name, item in instance.items())
        return found

    def of(self, value: Any) -> Any:
        if hasattr(value, "class_name"):
            return self._object(value)
        if _is_pandas(value):
            return self._pandas(value)
        if isinstance(value, np.ndarray) and value.dtype.kind in "mM":
            return _rows(python_times(value), value.shape, is_single=True)
        match kind_of(value):
            case "struct":
                return self._records(value)
            case "object" | "opaque":
                return self._records(np.asarray(value))
            case "function":
                return function_text(value)
            case "cell" if isinstance(value, np.ndarray):
                return _rows([self.of(item) for item in value.ravel(order="F").tolist()], value.shape)
            case "cell":
                return [self.of(item) for item in value]
            case "char":
                return _decode_text(value)
        return self._numbers(value)

    def _object(self, value: Any) -> Any:
        if id(value) in self._met:
            return f"<the {value.class_name} above>"
        self._met.add(id(value))
        told: dict[str, Any] = {}
        self._waiting.append((value, told))
        return told

    def _records(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self.of(item) for name, item in value.items()}
        fields = fields_of(value)
        if is_record(value):
            return {name: self.of(field_of(value, name)) for name in fields}
        array = np.asarray(value, None if isinstance(value, np.ndarray) else object)
        items = [{name: self.of(field_of(record, name)) for name in fields} for record in array.ravel(order="F")]
        return _rows(items, array.shape, is_single=True)

    def _pandas(self, value: Any) -> Any:
        """A categorical as a list, a frame as lists of its columns, those of its index first if they have a name."""
        if not hasattr(value, "iloc"):
            return [None if code < 0 else str(value.categories[code]) for code in value.codes.tolist()]
        index = {value.index.name: value.index} if value.index.name else {}
        columns = {str(name): value[name].array if name in value else part for name, part in index.items()}
        columns |= {str(name): value[name].array for name in value.columns}
        return {name: self._column(column) for name, column in columns.items()}

    def _column(self, column: Any) -> list[Any]:
        if _is_pandas(column):
            return list(self._pandas(column))
        zone = getattr(column.dtype, "tz", None)
        if zone is not None:
            return python_times(np.asarray(column.tz_convert(None)), zone)
        array = np.asarray(column)
        if array.dtype.kind in "mM":
            return python_times(array)
        return [item if isinstance(item, str) or item is None else self.of(item) for item in array.tolist()]

    def _numbers(self, value: Any) -> Any:
        if hasattr(value, "toarray"):
            if math.prod(value.shape) > self._limits.elements:
                dims = "x".join(map(str, value.shape))
                raise LimitExceeded.of(self._limits, "elements", f"a sparse matrix of {dims} in its full form")
            value = value.toarray()
        if not isinstance(value, np.ndarray):
            return value.item() if isinstance(value, np.generic) else value
        if value.size == 1:
            return value.item()
        if value.ndim == 2 and 1 in value.shape:
            value = value.ravel()
        return value.tolist() if value.size else []


def _rows(items: list[Any], dims: tuple[int, ...], *, is_single: bool = False) -> Any:
    """Items in column-major order as a list, or as a list of rows if they are a matrix; one alone with `is_single`."""
    if is_single and len(items) == 1:
        return items[0]
    if len(dims) < 2 or (len(dims) == 2 and 1 in dims) or not items:
        return items
    array = np.empty(len(items), object)
    for i, item in enumerate(items):
        array[i] = item
    return array.reshape(dims, order="F").tolist()


def function_text(value: Any) -> str:
    """Text of a function handle in the form of `scipy.io.loadmat`; its workspace is not looked at."""
    stored: Any = np.asarray(value)
    for _ in range(4):
        while isinstance(stored, np.ndarray) and stored.size == 1 and stored.dtype == object:
            stored = stored.ravel()[0]
        if kind_of(stored) != "struct" or not is_record(stored):
            break
        name = "function" if "function" in fields_of(stored) else "function_handle"
        if name not in fields_of(stored):
            return ""
        stored = field_of(stored, name)
    text = _decode_text(stored) if kind_of(stored) == "char" else ""
    return text if isinstance(text, str) else ""


def _is_pandas(value: Any) -> bool:
    return hasattr(value, "iloc") or (hasattr(value, "codes") and hasattr(value, "categories"))


def _decode_records(value: Any) -> Any:
    fields = fields_of(value)
    if is_record(value):
        return {name: decode(field_of(value, name)) for name in fields}
    records = np.asarray(value).ravel(order="F")
    decoded = [{name: decode(field_of(record, name)) for name in fields} for record in records]
    return decoded[0] if len(decoded) == 1 else decoded


def _decode_text(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    array = letters(value)
    if array.size == 0:
        return ""
    rows = np.moveaxis(array, 1, -1)
    # By its bytes: a letter that is zero would be an empty text.
    row_bytes = (rows[index[::-1]].tobytes() for index in np.ndindex(*rows.shape[-2::-1]))
    texts = [_whole(row.decode(_LETTERS, "surrogatepass")) for row in row_bytes]
    return texts[0] if len(texts) == 1 else texts


def _whole(text: str) -> str:
    """Text in which two halves of a letter are one."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def json_safe(value: Any) -> Any:
    """Values that JSON knows: no NaN or infinity, complex as two numbers."""
    if isinstance(value, dict):
        return {printable(str(key)): json_safe(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_safe(item) for item in value]
    if isinstance(value, complex):
        return {"real": json_safe(value.real), "imag": json_safe(value.imag)}
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dt.datetime | dt.timedelta):
        return json_default(value)
    return printable(value) if isinstance(value, str) else value


def printable(text: str) -> str:
    """`text` with U+FFFD for each half of a surrogate pair, which no encoding has."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
