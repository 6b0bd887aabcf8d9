"""An HDF5 file read from its bytes: superblock, objects and groups by address."""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, MatlensError, UnsafeFile, UnsupportedValue
from matlens.formats.bounds import check_stored
from matlens.formats.hdf5 import layout
from matlens.formats.hdf5.bytes import Bytes
from matlens.formats.hdf5.chunks import Chunks, read_chunks, read_filters, read_values, read_window
from matlens.formats.hdf5.group_single import Collection, heap_texts, read_collection, read_links
from matlens.formats.hdf5.layout import ADDRESS_SIZE, CHUNKED, FIXED, FLOAT, REFERENCE, SOFT_LINK, STRING, VLEN
from matlens.formats.hdf5.object import REFERENCES, SHOWN, H5Object, Stored, number_type
from matlens.formats.hdf5.object_batch import Wanted
from matlens.formats.hdf5.object_single import Attribute, ObjectHeader, read_object
from matlens.formats.recent import Recent
from matlens.formats.sniff import HDF5_SIGNATURE, find_hdf5
from matlens.limits import Limits

_KEPT = 4096
"""Objects that are remembered: whoever asks for one asks for its values next."""
_KEPT_COLLECTIONS = 16
"""Heaps of texts that are remembered: names of fields of many structs stand in few."""
LINK_REFUSED = "a soft or external link is stored instead of a value, and links are not followed"


def read_superblock(buffer: Any) -> tuple[int, int, int]:
    """Where the HDF5 file begins in the buffer, the address of its root group, and the size that it declares."""
    base = find_hdf5(buffer)
    if base is None:
        raise CorruptFile("no HDF5 signature")
    version, offset_size, length_size = layout.SUPERBLOCK.one(buffer, base + len(HDF5_SIGNATURE))
    if version not in layout.SUPERBLOCK_TABLE:
        raise UnsupportedValue(f"a superblock of version {version}, which only engine='reference' reads")
    if (offset_size, length_size) != (ADDRESS_SIZE, ADDRESS_SIZE):
        raise UnsupportedValue(f"addresses of {offset_size} bytes, which only engine='reference' reads")
    size, root = layout.SUPERBLOCK_ADDRESSES.one(buffer, base + layout.SUPERBLOCK_TABLE[version])
    return base, root, size


def cut_off(size: int, declared: int) -> list[MatlensError]:
    """The error of a file that is smaller than it declares to be, if it is."""
    text = f"file ends after {size} bytes, {declared} declared"
    return [CorruptFile(text, offset=size)] if size < declared < 1 << 63 else []


class H5File:
    """Objects of a file by their addresses; any thread may ask."""

    def __init__(self, buffer: Any, wanted: Wanted, limits: Limits) -> None:
        self.buffer, self.source, self.wanted, self.limits = buffer, Bytes(buffer), wanted, limits
        self.base, self.root, declared = read_superblock(buffer)
        self.problems = cut_off(len(buffer), declared)
        self._objects: Recent[int, ParsedObject] = Recent(self._read, _KEPT)
        self._links: Recent[int, dict[bytes, int]] = Recent(self._read_links, _KEPT)
        self._collections: Recent[int, Collection] = Recent(
            lambda address: read_collection(self.buffer, address + self.base), _KEPT_COLLECTIONS
        )

    def close(self) -> None:
        self.buffer, self.source = b"", Bytes(b"")
        self._objects.clear()
        self._links.clear()
        self._collections.clear()

    def object(self, address: int) -> ParsedObject:
        """The object at `address`."""
        return self._objects.get(address)

    def _read(self, address: int) -> ParsedObject:
        if address == 0:
            raise CorruptFile("reference is null")
        if address == SOFT_LINK:
            raise UnsafeFile(LINK_REFUSED)
        return ParsedObject(self, address, read_object(self.buffer, self.base, address, self.wanted.pair, self.limits))

    def links(self, address: int) -> dict[bytes, int]:
        """Addresses of the members of the group at `address`, by name."""
        return self._links.get(address)

    def _read_links(self, address: int) -> dict[bytes, int]:
        links, problems = self.readable_links(address)
        if problems:
            raise problems[0]
        return links

    def readable_links(self, address: int) -> tuple[dict[bytes, int], list[MatlensError]]:
        """The members of a group as far as they are readable, and what is wrong with the others."""
        header = self.object(address).header
        if header.links is not None:
            return dict(sorted(header.links.items())), []
        if header.group is None:
            raise CorruptFile("a group is expected", offset=header.position)
        return read_links(self.buffer, self.base, *header.group, self.limits)

    def texts(self, data: int, count: int) -> list[bytes]:
        """Texts of variable-length sequences that are described at the position `data`."""
        return heap_texts(self.buffer, data, count, self._collections.get, self.limits)


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
