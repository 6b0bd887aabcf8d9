"""What can be asked of an HDF5 object, and the answers from the bytes of the file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, UnsupportedValue
from matlens.formats.hdf5 import layout
from matlens.formats.hdf5.layout import FIXED, FLOAT, REFERENCE
from matlens.formats.hdf5.object_single import Datatype
from matlens.formats.records import Int64s

REFERENCES = np.dtype("<u8")
"""Type of references, which are addresses."""
SHOWN = 20
"""Values of an attribute that are shown."""


class Stored(NamedTuple):
    """Layout, bytes in the file, dims of chunks, and numbers and parameters of the filters that values went through."""

    layout: str
    nbytes: int | None = None
    chunk: tuple[int, ...] | None = None
    filters: Sequence[tuple[int, tuple[int, ...]]] = ()


class H5Object(ABC):
    """A group or a data set, at an address that counts from the start of the HDF5 file.

    Dims and axes are in HDF5's order. Whatever is asked raises `CorruptFile` where it is damaged, `UnsafeFile` where it
    stands in other files, and `UnsupportedValue` or `LimitExceeded`.
    """

    address: int
    is_group: bool
    is_reference: bool
    """Whether it is a data set of references to objects."""
    shape: tuple[int, ...]
    nbytes: int
    """Bytes of the values, as far as the header says them."""

    @abstractmethod
    def has(self, name: bytes) -> bool:
        """Whether there is an attribute of this name."""

    @abstractmethod
    def text(self, name: bytes) -> bytes | None:
        """The text of an attribute, None without it."""

    @abstractmethod
    def integer(self, name: bytes) -> int | None:
        """The integer of an attribute, None without it."""

    @abstractmethod
    def texts(self, name: bytes) -> list[bytes] | None:
        """A list of texts in an attribute, or in the data set to which the attribute refers; None without it."""

    @abstractmethod
    def shown_attributes(self, hidden: Container[bytes]) -> dict[str, Any]:
        """Attributes but the `hidden` ones, as texts, numbers or lists of these."""

    @abstractmethod
    def members(self) -> dict[bytes, int]:
        """Addresses of the members of a group by name, `SOFT_LINK` for those that no hard link leads to."""

    @property
    @abstractmethod
    def dtype(self) -> np.dtype[Any]:
        """Type of numbers, of pairs ``real`` and ``imag``, or `REFERENCES`."""

    @abstractmethod
    def values(self) -> NDArray[Any]:
        """Values of a data set in their own type."""

    def references(self) -> Int64s:
        """The addresses in a data set of references, as a vector."""
        if not self.is_reference:
            raise CorruptFile("references are expected")
        return np.asarray(self.values().ravel().astype(np.int64))

    @abstractmethod
    def window(self, axis: int, start: int, stop: int) -> NDArray[Any] | None:
        """Values whose index along `axis` lies from `start` to before `stop`; None where reading all costs no more."""

    def window_step(self, axis: int) -> int:
        """Length of the stored blocks along `axis`."""
        return 1

    @abstractmethod
    def stored(self) -> Stored:
        """How the values are stored."""

    def describe(self, hidden: Container[bytes]) -> dict[str, Any]:
        """How it is stored, for people, with attributes but the `hidden` ones."""
        attributes, stored = self.shown_attributes(hidden), self.stored()
        if self.is_group:
            return {"layout": stored.layout, "attributes": attributes}
        dtype = self.dtype
        kind = f"complex {dtype['real']}" if dtype.names else "reference" if self.is_reference else str(dtype)
        return {
            "type": kind,
            "layout": stored.layout,
            **({"chunk": list(stored.chunk)} if stored.chunk else {}),
            "filters": [_filter_text(*each) for each in stored.filters],
            "bytes": stored.nbytes,
            "attributes": attributes,
        }


def _filter_text(number: int, values: tuple[int, ...]) -> str:
    name = layout.FILTER_NAMES.get(number, f"filter {number}")
    return f"{name} {values[0]}" if name == "deflate" and values else name


@lru_cache(256)
def number_type(kind: Datatype) -> np.dtype[Any]:
    """NumPy's type for numbers and references.

    Examples
    --------
    >>> number_type(Datatype(FIXED, bits=layout.SIGNED, size=2)), number_type(Datatype(FLOAT, 0, 4, is_complex=True))
    (dtype('int16'), dtype([('real', '<f4'), ('imag', '<f4')]))
    """
    if kind.cls == REFERENCE and kind.size == REFERENCES.itemsize:
        return REFERENCES
    order = ">" if kind.bits & layout.BIG_ENDIAN else "<"
    letter = {FLOAT: "f", FIXED: "i" if kind.bits & layout.SIGNED else "u"}.get(kind.cls)
    if letter is None or kind.size not in ((4, 8) if letter == "f" else (1, 2, 4, 8)):
        name = layout.TYPE_NAMES.get(kind.cls, f"HDF5 type {kind.cls} of {kind.size} bytes")
        raise UnsupportedValue(f"{name} is neither numbers nor references")
    part = np.dtype(f"{order}{letter}{kind.size}")
    return np.dtype([("real", part), ("imag", part)]) if kind.is_complex else part


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
