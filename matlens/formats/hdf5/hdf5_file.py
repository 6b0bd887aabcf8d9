"""An HDF5 file read from its bytes: superblock, objects and groups by address."""

from __future__ import annotations

from typing import Any

from matlens.errors import CorruptFile, MatlensError, UnsafeFile, UnsupportedValue
from matlens.formats.hdf5 import layout
from matlens.formats.hdf5.bytes import Bytes
from matlens.formats.hdf5.group_single import Collection, heap_texts, read_collection, read_links
from matlens.formats.hdf5.layout import ADDRESS_SIZE, SOFT_LINK
from matlens.formats.hdf5.object import ParsedObject
from matlens.formats.hdf5.object_batch import Wanted
from matlens.formats.hdf5.object_single import read_object
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
