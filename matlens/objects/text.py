"""Strings and categories."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile

__all__ = ["categories", "strings", "texts_of"]

_MISSING = 0xFFFFFFFFFFFFFFFF


def strings(stored: Any) -> NDArray[np.object_]:
    """Texts of a string array, None where they are missing.

    Parameters
    ----------
    stored : ndarray of uint64
        Version, number of dims, dims, the number of UTF-16 units of each text (all bits set: missing), and the
        units, four in each number.

    Returns
    -------
    ndarray of object
        With MATLAB's dims.

    Raises
    ------
    CorruptFile
        If the numbers do not fit together.

    Examples
    --------
    >>> strings(np.array([1, 2, 1, 2, 1, _MISSING, 0x41], np.uint64))
    array([['A', None]], dtype=object)
    """
    words = np.ascontiguousarray(np.asarray(stored).ravel(order="F"))
    if words.dtype != np.uint64 or len(words) < 4:
        raise CorruptFile(f"a string array is stored as {len(words)} numbers of {words.dtype}")
    ndim = int(words[1])
    if not 2 <= ndim <= min(len(words) - 2, 32):
        raise CorruptFile(f"a string array of {ndim} dimensions in {len(words)} numbers")
    dims = tuple(words[2 : 2 + ndim].tolist())
    count = math.prod(dims)
    if count > len(words) - 2 - ndim:
        raise CorruptFile(f"{count} strings declared in {len(words)} numbers")
    lengths = words[2 + ndim : 2 + ndim + count]
    missing = lengths == _MISSING
    if (lengths[~missing] >> np.uint64(60)).any():
        raise CorruptFile("a string longer than any memory")
    ends = np.cumsum(np.where(missing, np.uint64(0), lengths).astype(np.int64))
    units = words[2 + ndim + count :].view("<u2")
    if count and (int(ends[-1]) > len(units) or (np.diff(ends) < 0).any()):
        raise CorruptFile(f"strings of {int(ends[-1])} letters declared, {len(units)} stored")
    texts = _cut(units[: int(ends[-1]) if count else 0], ends)
    result = np.empty(count, object)
    result[:] = texts
    result[missing] = None
    return result.reshape(dims, order="F")


def _cut(units: NDArray[np.uint16], ends: NDArray[np.int64]) -> list[str]:
    """Texts that end at these units."""
    whole = units.tobytes().decode("utf-16-le", "surrogatepass")
    if len(whole) != len(units):
        # Letters beyond the first 65,536 take two units: count letters instead.
        second = (units >= 0xDC00) & (units < 0xE000) & np.concatenate([[False], _is_high(units[:-1])])
        ends = ends - np.concatenate([[0], np.cumsum(second)])[ends]
    return [whole[start:stop] for start, stop in pairwise([0, *ends.tolist()])]


def _is_high(units: NDArray[np.uint16]) -> NDArray[np.bool_]:
    return (units >= 0xD800) & (units < 0xDC00)


def texts_of(value: Any) -> list[str]:
    """Texts of a char array, of a cell of such, or of a string array, in column-major order."""
    array = np.asarray(value)
    if array.dtype.kind == "U":
        return [str(text) for text in array.ravel(order="F")]
    if array.size and array.dtype != object:
        raise CorruptFile(f"text is expected, {array.dtype} is stored")
    found: list[str] = []
    for item in array.ravel(order="F").tolist():
        if item is None:
            found.append("")
        elif isinstance(item, str):
            found.append(item)
        elif isinstance(item, np.ndarray):
            inner = texts_of(item)
            found.append(inner[0] if inner else "")
        else:
            raise CorruptFile(f"text is expected, {type(item).__name__} is stored")
    return found


def categories(codes: Any, names: Any, *, is_ordinal: bool) -> Any:
    """A categorical array: pandas' for vectors, an array of texts and None otherwise.

    Parameters
    ----------
    codes : ndarray of unsigned integers
        Number of the category of each element, from 1; 0 is undefined.
    names : cell of char rows
        Names of the categories.

    Raises
    ------
    CorruptFile
        If there are fewer names than codes.

    Examples
    --------
    >>> list(categories(np.array([[2], [0], [1]], np.uint8), np.array(["a", "b"], object), is_ordinal=False))
    ['b', nan, 'a']
    """
    codes, labels = np.asarray(codes), texts_of(names)
    if codes.dtype.kind not in "iuf" or (codes.size and int(codes.max()) > len(labels)):
        raise CorruptFile(f"codes up to {codes.max() if codes.size else 0} for {len(labels)} categories")
    places = codes.astype(np.int64) - 1
    if max(codes.shape, default=0) == codes.size:
        import pandas as pd

        return pd.Categorical.from_codes(places.ravel(), pd.Index(labels, dtype=object), ordered=is_ordinal)
    table = np.array([*labels, None], object)
    return table[places]
