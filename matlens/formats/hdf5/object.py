"""What can be asked of an HDF5 object, and the answers from the bytes of the file."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Container, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, UnsupportedValue
from matlens.formats.bounds import check_stored
from matlens.formats.hdf5 import layout
from matlens.formats.hdf5.chunks import Chunks, read_chunks, read_filters, read_values, read_window
from matlens.formats.hdf5.layout import CHUNKED, FIXED, FLOAT, REFERENCE, STRING, VLEN
from matlens.formats.hdf5.object_single import Attribute, Datatype, ObjectHeader
from matlens.formats.records import Int64s

if TYPE_CHECKING:
    from matlens.formats.hdf5.hdf5_file import H5File

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


class ParsedObject(H5Object):
    """An object read from the bytes of `file`."""

    def __init__(self, file: H5File, address: int, header: ObjectHeader) -> None:
        self._file, self.address, self.header = file, address, header
        self.is_group = header.is_group
        self.shape = header.dims or ()
        self.nbytes = max(header.data_size, 0)
        kind = header.datatype
        self.is_reference = kind is not None and kind.cls == REFERENCE and kind.size == REFERENCES.itemsize

    def has(self, name: bytes) -> bool:
        return name in self.header.attributes

    def _stored(self, name: bytes) -> Attribute | None:
        found = self.header.attributes.get(name)
        if isinstance(found, UnsupportedValue):
            raise found.at()
        return found

    def text(self, name: bytes) -> bytes | None:
        stored = self._stored(name)
        if stored is None:
            return None
        if stored.datatype.cls != STRING or stored.datatype.size > stored.room:
            raise CorruptFile(f"attribute {_text(name)} is not a text", offset=stored.data)
        return bytes(self._file.buffer[stored.data : stored.data + stored.datatype.size]).rstrip(b"\0")

    def integer(self, name: bytes) -> int | None:
        stored = self._stored(name)
        if stored is None:
            return None
        kind = stored.datatype
        if kind.cls != FIXED or kind.size > min(stored.room, 8) or stored.numel != 1:
            raise CorruptFile(f"attribute {_text(name)} is not an integer", offset=stored.data)
        raw = bytes(self._file.buffer[stored.data : stored.data + kind.size])
        return int.from_bytes(
            raw, "big" if kind.bits & layout.BIG_ENDIAN else "little", signed=bool(kind.bits & layout.SIGNED)
        )

    def texts(self, name: bytes) -> list[bytes] | None:
        stored = self._stored(name)
        if stored is None:
            return None
        kind, count, data = stored.datatype, stored.numel, stored.data
        if kind.cls == REFERENCE and kind.size == REFERENCES.itemsize and stored.room >= kind.size:
            (address,) = layout.ADDRESS.one(self._file.buffer, data)
            listed = self._file.object(address).header
            if listed.dims is None or listed.datatype is None:
                raise CorruptFile("a list of names is missing", offset=listed.position)
            kind, count, data = listed.datatype, math.prod(listed.dims), listed.data
        elif layout.SEQUENCE.size * count > stored.room:
            raise CorruptFile(f"{count} names in {stored.room} bytes", offset=data)
        if kind.cls != VLEN or kind.size != layout.SEQUENCE.size:
            raise CorruptFile(f"{count} names of a type that has none", offset=data)
        return self._file.texts(data, count)

    def shown_attributes(self, hidden: Container[bytes]) -> dict[str, Any]:
        return {
            _text(name): self._shown(name, stored)
            for name, stored in self.header.attributes.items()
            if name not in hidden and isinstance(stored, Attribute)
        }

    def _shown(self, name: bytes, stored: Attribute) -> Any:
        """The value of an attribute as text, a number, or a list of these."""
        buffer, kind, count = self._file.buffer, stored.datatype, min(stored.numel, SHOWN)
        if kind.itemsize * count > stored.room:
            raise CorruptFile(f"attribute {_text(name)} is cut off", offset=stored.data)
        if kind.cls == VLEN and kind.size == layout.SEQUENCE.size:
            items: list[Any] = list(map(_text, self._file.texts(stored.data, count)))
        elif kind.cls == STRING:
            items = list(map(_text, np.frombuffer(buffer, f"S{kind.size}", count, stored.data).tolist()))
        elif kind.cls in (FIXED, FLOAT):
            items = np.frombuffer(buffer, number_type(kind), count, stored.data).tolist()
        else:
            return f"{stored.numel} values"
        return items[0] if stored.numel == 1 else items

    def members(self) -> dict[bytes, int]:
        return self._file.links(self.address)

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.header.unread_type is not None:
            raise self.header.unread_type.at(offset=self.header.position)
        if self.header.datatype is None:
            raise CorruptFile("values are expected", offset=self.header.position)
        return number_type(self.header.datatype)

    def values(self) -> NDArray[Any]:
        dtype, header = self.dtype, self.header
        numel = math.prod(self.shape)
        if numel == 0:
            return np.zeros(self.shape, dtype)
        if header.layout == CHUNKED:
            return read_values(self._file.source, [self.chunks()], dtype)[0].reshape(self.shape)
        if header.data >= 0:
            return np.frombuffer(self._file.buffer, dtype, numel, header.data).reshape(self.shape)
        check_stored(self._file.limits, numel * dtype.itemsize, 0)
        fill = header.fill if len(header.fill) == dtype.itemsize else bytes(dtype.itemsize)
        return np.full(self.shape, np.frombuffer(fill, dtype)[0])

    def window(self, axis: int, start: int, stop: int) -> NDArray[Any] | None:
        if self.header.layout != CHUNKED:
            return None
        return read_window(self._file.source, self.chunks(), self.dtype, axis, start, stop)

    def window_step(self, axis: int) -> int:
        return self.chunks().shape[axis] if self.header.layout == CHUNKED else 1

    def chunks(self) -> Chunks:
        return read_chunks(self._file.source, self._file.base, self.header, self._file.limits)

    def stored(self) -> Stored:
        header = self.header
        if header.layout is None:
            return Stored("group")
        name = layout.LAYOUT_NAMES[header.layout]
        if header.layout != CHUNKED:
            return Stored(name, header.data_size)
        chunks = self.chunks()
        return Stored(name, int(chunks.nbytes.sum()), chunks.shape, read_filters(self._file.source, header.filters))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
