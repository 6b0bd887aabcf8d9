"""An HDF5 file as matlens reads it by itself: superblock, objects and groups by address."""

from __future__ import annotations

import struct
from collections import OrderedDict
from typing import Any

from matlens.errors import CorruptFile, MatlensError, UnsafeFile, UnsupportedValue
from matlens.formats.hdf5.links import read_links
from matlens.formats.hdf5.object import LINK_REFUSED, SOFT_LINK, H5Object, parse_object
from matlens.formats.sniff import find_hdf5
from matlens.limits import Limits

__all__ = ["H5File", "superblock_version"]

_KEPT = 4096
"""Headers of objects that are remembered: whoever asks for one asks for its values next."""
_SIZES = b"\x08\x08"


def superblock_version(buffer: Any) -> int:
    """Version of the superblock; -1 where there is none.

    Examples
    --------
    >>> superblock_version(b"\\x89HDF\\r\\n\\x1a\\n\\x00")
    0
    """
    base = find_hdf5(buffer)
    return -1 if base is None or base + 8 >= len(buffer) else int(buffer[base + 8])


class H5File:
    """Reads the headers of objects from the bytes of a file.

    Parameters
    ----------
    buffer : bytes or mmap
    limits : Limits

    Raises
    ------
    CorruptFile
        If the file does not begin as HDF5 files do.
    UnsupportedValue
        If its addresses are not of eight bytes, or its superblock is of a version after 1.
    """

    def __init__(self, buffer: Any, limits: Limits) -> None:
        self.buffer = buffer
        self.limits = limits
        base = find_hdf5(buffer)
        if base is None:
            raise CorruptFile("no HDF5 signature")
        self.base = base
        self.header = bytes(buffer[:116]).decode("latin-1").strip(" \t\n\0") if base else ""
        self.problems: list[MatlensError] = []
        self._known: OrderedDict[int, H5Object] = OrderedDict()
        self._links: OrderedDict[int, dict[bytes, int]] = OrderedDict()
        self.root = self._superblock()

    def _superblock(self) -> int:
        """Address of the root group."""
        head = bytes(self.buffer[self.base : self.base + 104])
        version = head[8] if len(head) > 8 else -1
        if version > 1:
            raise UnsupportedValue(f"a superblock of version {version}, which only engine='reference' reads")
        start = 24 if version == 0 else 28
        if len(head) < start + 72:
            raise CorruptFile("the superblock is cut off", offset=self.base)
        if head[13:15] != _SIZES:
            raise UnsupportedValue(f"addresses of {head[13]} bytes, which only engine='reference' reads")
        declared, size = struct.unpack_from("<Q", head, start + 16)[0], len(self.buffer)
        if size < declared < 1 << 63:
            self.problems.append(CorruptFile(f"file ends after {size} bytes, {declared} declared", offset=size))
        return int(struct.unpack_from("<Q", head, start + 40)[0])

    def close(self) -> None:
        self.buffer = b""
        self._known.clear()
        self._links.clear()

    def object(self, address: int) -> H5Object:
        """The header of the object at `address`.

        Raises
        ------
        CorruptFile, UnsafeFile, UnsupportedValue, LimitExceeded
            If it is damaged, no hard link leads to it, or it is stored as MATLAB stores none.
        """
        found = self._known.get(address)
        if found is None:
            if address == 0:
                raise CorruptFile("reference is null")
            if address == SOFT_LINK:
                raise UnsafeFile(LINK_REFUSED)
            found = self._known[address] = parse_object(self.buffer, self.base, address)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found

    def links(self, address: int) -> dict[bytes, int]:
        """Addresses of the members of the group at `address`, by name."""
        if address not in self._links:
            found = self.object(address)
            if found.links is not None:
                return dict(sorted(found.links.items()))
            if found.group is None:
                raise CorruptFile("a group is expected", offset=found.position)
            self._links[address], problems = read_links(self.buffer, self.base, *found.group)
            if problems and address != self.root:
                raise problems[0]
            self.problems += problems
            if len(self._links) > _KEPT:
                self._links.popitem(last=False)
        return self._links[address]
