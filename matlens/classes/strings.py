"""Strings and categories."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile

if TYPE_CHECKING:
    import pandas as pd

_MISSING = 0xFFFFFFFFFFFFFFFF
_SEPARATOR = 0xFFFF
"""A unit that no text should hold: U+FFFF is no letter."""


class StoredStrings(NamedTuple):
    """A string array as `stored_strings` finds it."""

    dims: tuple[int, ...]
    ends: NDArray[np.int64]
    """Where each text ends among `units`."""
    is_missing: NDArray[np.bool_]
    units: NDArray[np.uint16]
    """UTF-16 units of all texts, one after another."""

    def to_numpy(self) -> NDArray[np.object_]:
        """Texts with MATLAB's dims, None where they are missing."""
        texts = np.empty(len(self.ends), object)
        texts[:] = self._texts()
        texts[self.is_missing] = None
        return texts.reshape(self.dims, order="F")

    def _texts(self) -> list[str]:
        if not len(self.ends):
            return []
        if (self.units == _SEPARATOR).any():
            return [_text(self.units[start:stop]) for start, stop in pairwise([0, *self.ends.tolist()])]
        # One call that splits is several times faster than a slice for each text.
        separated = np.insert(self.units, self.ends[:-1], _SEPARATOR)
        return _text(separated).split(chr(_SEPARATOR))


def _text(units: NDArray[np.uint16]) -> str:
    """Text of UTF-16 units; halves of a letter stay as they are, so that nothing is lost."""
    return units.astype("<u2", copy=False).tobytes().decode("utf-16-le", "surrogatepass")


def stored_strings(stored: Any) -> StoredStrings:
    """Find the texts of a string array.

    It is stored as numbers of 64 bits: version, number of dims, dims, the number of UTF-16 units of each text (all bits
    set: missing), and the units, four in each number.

    Examples
    --------
    >>> stored_strings(np.array([1, 2, 1, 2, 1, _MISSING, 0x41], np.uint64)).to_numpy()
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
    is_missing = lengths == _MISSING
    lengths = np.where(is_missing, np.uint64(0), lengths)
    units = words[2 + ndim + count :].view("<u2")
    # Each at most all units, and so no sum of them beyond 64 bits.
    if (lengths > len(units)).any():
        raise CorruptFile(f"a string of {lengths.max()} letters declared, {len(units)} stored")
    ends = np.cumsum(lengths.astype(np.int64))
    total = int(ends[-1]) if count else 0
    if total > len(units):
        raise CorruptFile(f"strings of {total} letters declared, {len(units)} stored")
    return StoredStrings(dims, ends, is_missing, units[:total])


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


class CategoryArray(NamedTuple):
    """A categorical array: the place of the category of each element, with MATLAB's dims; -1 is undefined."""

    places: NDArray[np.int64]
    names: list[str]
    is_ordinal: bool

    def column(self, k: int) -> pd.Categorical:
        """The elements of column `k` of a matrix."""
        return self._categorical(self.places[:, k])

    def natural(self) -> Any:
        """pandas' categorical for vectors, an array of texts and None otherwise."""
        if max(self.places.shape, default=0) == self.places.size:
            return self._categorical(self.places.ravel())
        return np.array([*self.names, None], object)[self.places]

    def _categorical(self, places: NDArray[np.int64]) -> pd.Categorical:
        import pandas as pd

        return pd.Categorical.from_codes(places, pd.Index(self.names, dtype=object), ordered=self.is_ordinal)


def category_array(codes: Any, names: Any, *, is_ordinal: bool) -> CategoryArray:
    """A categorical array from the numbers of its categories, which count from 1; 0 is undefined.

    Examples
    --------
    >>> stored = category_array(np.array([[2], [0], [1]], np.uint8), np.array(["a", "b"], object), is_ordinal=False)
    >>> list(stored.natural())
    ['b', nan, 'a']
    """
    codes, labels = np.asarray(codes), texts_of(names)
    if codes.dtype.kind not in "iuf" or (codes.size and not 0 <= int(codes.min()) <= int(codes.max()) <= len(labels)):
        raise CorruptFile(f"codes up to {codes.max() if codes.size else 0} for {len(labels)} categories")
    return CategoryArray(codes.astype(np.int64) - 1, labels, is_ordinal)
