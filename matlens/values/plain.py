"""The walk of `scipy.io.loadmat` output: records decoded by their dtype's field names.

SciPy returns a struct array as a structured NumPy array, an element of it as a
`numpy.void`, and a cell as an object array, each wrapped in as many brackets as MATLAB
has dimensions. `decode` turns all of it into dictionaries, lists, texts and arrays.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from matlens.errors import LimitExceeded
from matlens.formats.loadmat_output import field_of, fields_of, is_record, kind_of, letters
from matlens.limits import Limits


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


def plain(value: Any, limits: Limits | None = None) -> Any:
    """Builtin Python objects only, by the rules of MATLAB's ``jsonencode``.

    1x1 numbers become scalars, vectors flat lists, matrices lists of rows, complex
    numbers ``complex``, sparse matrices what their full form gives, if `limits` allow as many elements.

    Examples
    --------
    >>> plain(np.array([[5.0]])), plain(np.array([[1, 2]])), plain(np.array([[1, 2], [3, 4]]))
    (5.0, [1, 2], [[1, 2], [3, 4]])
    """
    return _plain(value, (), limits or Limits())


def _plain(value: Any, above: tuple[int, ...], limits: Limits) -> Any:
    """`plain`, below the objects of these identities: handles may lead back to what holds them."""
    if hasattr(value, "class_name"):
        if id(value) in above:
            return f"<the {value.class_name} above>"
        return {name: _plain(item, (*above, id(value)), limits) for name, item in value.items()}
    if _is_pandas(value):
        return _plain_pandas(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "mM":
        return _plain_times(value)
    if isinstance(value, Mapping):
        return {name: _plain(item, above, limits) for name, item in value.items()}
    if isinstance(value, np.ndarray) and value.dtype == object and kind_of(value) == "cell":
        return [_plain(item, above, limits) for item in value.ravel(order="F").tolist()]
    value = decode(value)
    if isinstance(value, dict):
        return {name: _plain(item, above, limits) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, above, limits) for item in value]
    if hasattr(value, "toarray"):
        if math.prod(value.shape) > limits.elements:
            dims = "x".join(map(str, value.shape))
            raise LimitExceeded.of(limits, "elements", f"a sparse matrix of {dims} in its full form")
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
    texts = ["".join(rows[index[::-1]].tolist()) for index in np.ndindex(*rows.shape[-2::-1])]
    return texts[0] if len(texts) == 1 else texts


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
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return str(value)
    return printable(value) if isinstance(value, str) else value


def printable(text: str) -> str:
    """`text` with U+FFFD for each half of a surrogate pair, which no encoding has."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
