"""Single HDF5 objects, every field of their headers checked: what batches leave, and what is wrong with it.

Layout after The HDF Group, *HDF5 File Format Specification Version 3.0*, IV.A.
"""

from __future__ import annotations

import math
import struct
from typing import Any, NamedTuple

from matlens.errors import CorruptFile, LimitExceeded, MatlensError, UnsafeFile, UnsupportedValue
from matlens.formats.hdf5.headers import CHUNKED, COMPACT, COMPOUND, CONTIGUOUS, FIXED, FLOAT

__all__ = ["LINK_REFUSED", "SOFT_LINK", "Attribute", "Dataspace", "Datatype", "H5Object", "parse_object"]

_DATASPACE, _LINK_INFO, _DATATYPE, _OLD_FILL, _FILL, _LINK, _EXTERNAL, _LAYOUT = range(1, 9)
_FILTERS, _ATTRIBUTE, _CONTINUATION, _SYMBOL_TABLE = 11, 12, 16, 17
_LAST_TYPE = 24
_IGNORED = (0, 10, 13, 14, 18)
"""Padding, sizes of groups, comments, times."""
_MAX_NDIM = 32
_MAX_NUMEL = 1 << 53
_UNDEFINED = 0xFFFFFFFFFFFFFFFF
_NO_COMPLEX = "a compound of other than two equal numbers real and imag is no MATLAB value"
SOFT_LINK = -2
"""In place of the address of a member that is no hard link."""
LINK_REFUSED = "a soft or external link is stored instead of a value, and links are not followed"


class Datatype(NamedTuple):
    """Class, class bits and size of a type; of a complex number, those of its parts."""

    cls: int
    bits: int
    size: int
    is_complex: bool = False

    @property
    def itemsize(self) -> int:
        return self.size * (1 + self.is_complex)


class Dataspace(NamedTuple):
    """Dims in HDF5's order."""

    dims: tuple[int, ...]

    @property
    def numel(self) -> int:
        return math.prod(self.dims)


class Attribute(NamedTuple):
    """Where the value of an attribute stands."""

    datatype: Datatype
    dataspace: Dataspace
    data: int
    room: int


class H5Object:
    """What the header of an object says. Positions count from the start of the file.

    Attributes
    ----------
    dataspace, datatype : Dataspace, Datatype or None
        Of a data set.
    layout : int or None
        `COMPACT`, `CONTIGUOUS` or `CHUNKED`.
    data, data_size : int
        Where compact and contiguous values stand; -1 where none are stored.
    chunks : tuple or None
        Where the index of the chunks stands, -1 without one, and their dims, with the size of an item as the last.
    filters : int
        Where the filters are described; -1 without.
    fill : bytes
        Value of elements that are not stored; empty for zero.
    group : tuple of int or None
        Where the B-tree and the heap of a group stand.
    links : dict or None
        Members of a group that has them in its header: their addresses by name.
    attributes : dict
    """

    __slots__ = (
        "attributes",
        "chunks",
        "data",
        "data_size",
        "dataspace",
        "datatype",
        "fill",
        "filters",
        "group",
        "layout",
        "links",
        "position",
    )

    def __init__(self, position: int) -> None:
        self.position = position
        self.dataspace: Dataspace | None = None
        self.datatype: Datatype | None = None
        self.layout: int | None = None
        self.data, self.data_size, self.filters = -1, 0, -1
        self.chunks: tuple[int, tuple[int, ...]] | None = None
        self.fill = b""
        self.group: tuple[int, int] | None = None
        self.links: dict[bytes, int] | None = None
        self.attributes: dict[bytes, Attribute] = {}

    @property
    def is_group(self) -> bool:
        return self.group is not None or self.links is not None


def parse_object(buffer: Any, base: int, address: int) -> H5Object:
    """Read the header of the object at `address`, which counts from `base`.

    Raises
    ------
    CorruptFile
        If the header contradicts itself or the length of the file.
    UnsafeFile
        If the values stand in other files.
    UnsupportedValue
        If the object is stored as MATLAB stores none.
    """
    parser = _Parser(buffer, base, address + base)
    try:
        return parser.run()
    except struct.error:
        raise CorruptFile("an object header is cut off", offset=parser.at) from None
    except MatlensError as error:
        error.offset = parser.at if error.offset is None else error.offset
        raise


class _Parser:
    def __init__(self, buffer: Any, base: int, position: int) -> None:
        self._buffer, self._base, self._size = buffer, base, len(buffer)
        self._found = H5Object(position)
        self.at = position

    def run(self) -> H5Object:
        start = self._found.position
        if not 0 <= start <= self._size - 16:
            raise CorruptFile("reference leads outside the file")
        version, _, left, _, size = struct.unpack_from("<BBHII", self._buffer, start)
        if version != 1:
            if bytes(self._buffer[start : start + 4]) == b"OHDR":
                raise UnsupportedValue("an object header of version 2, which only engine='reference' reads")
            raise CorruptFile("no object stands here")
        blocks = [(start + 16, size)]
        while blocks and left:
            begin, length = blocks.pop(0)
            if not (begin >= 0 and 0 <= length <= self._size - begin):
                raise CorruptFile(f"{length} bytes of an object header are declared to stand at byte {begin}")
            left = self._block(begin, begin + length, left, blocks)
        self._finish()
        return self._found

    def _block(self, at: int, end: int, left: int, blocks: list[tuple[int, int]]) -> int:
        """Read the messages of one block; how many are left."""
        while at + 8 <= end and left:
            self.at = at
            kind, size, flags = struct.unpack_from("<HHB", self._buffer, at)
            body = at + 8
            if body + size > end:
                raise CorruptFile(f"a header message of {size} bytes, {end - body} are there")
            if kind > _LAST_TYPE:
                raise CorruptFile(f"a header message of type {kind}")
            left -= 1
            at = body + size
            if kind == _CONTINUATION:
                begin, length = struct.unpack_from("<QQ", self._buffer, body)
                blocks.append((begin + self._base, length))
            elif kind not in _IGNORED:
                self._message(kind, flags, body, size)
        return left

    def _message(self, kind: int, flags: int, body: int, size: int) -> None:
        found = self._found
        if flags & 2:
            raise UnsupportedValue("a type that objects share, which only engine='reference' reads")
        if kind == _DATASPACE:
            found.dataspace = self._dataspace(body, size)
        elif kind == _DATATYPE:
            found.datatype = self._datatype(body, size)
        elif kind == _LAYOUT:
            self._layout(body, size)
        elif kind == _FILTERS:
            found.filters = body
        elif kind == _ATTRIBUTE:
            self._attribute(body, size)
        elif kind == _SYMBOL_TABLE:
            tree, heap = struct.unpack_from("<QQ", self._buffer, body)
            found.group = tree + self._base, heap + self._base
        elif kind == _LINK:
            name, address = self._link(body, size)
            found.links = {**(found.links or {}), name: address}
        elif kind == _LINK_INFO:
            self._link_info(body)
        elif kind == _EXTERNAL:
            raise UnsafeFile("values are stored in other files, which are not read")
        elif kind in (_FILL, _OLD_FILL):
            found.fill = self._fill(kind, body, size)
        else:
            raise UnsupportedValue(f"a header message of type {kind}, which only engine='reference' reads")

    def _dataspace(self, body: int, size: int) -> Dataspace:
        version, ndim, _, kind = struct.unpack_from("<BBBB", self._buffer, body)
        start = 8 if version == 1 else 4
        if version not in (1, 2) or ndim > _MAX_NDIM or start + 8 * ndim > size:
            raise CorruptFile(f"a data space of version {version} with {ndim} dimensions in {size} bytes")
        if version == 2 and kind == 2:
            raise UnsupportedValue("a data space without elements, which only engine='reference' reads")
        dims = struct.unpack_from(f"<{ndim}Q", self._buffer, body + start)
        # Beside a dim of 0, others may be of any size.
        if max(math.prod(dims), *dims, 0) >= _MAX_NUMEL:
            raise LimitExceeded(f"dims {'x'.join(map(str, dims[::-1]))} are beyond any memory")
        return Dataspace(dims)

    def _datatype(self, body: int, size: int) -> Datatype:
        if size < 8:
            raise CorruptFile(f"a type in {size} bytes")
        head, bits, _, nbytes = struct.unpack_from("<BBHI", self._buffer, body)
        if not 1 <= head >> 4 <= 4 or head & 15 > 10 or nbytes == 0:
            raise CorruptFile(f"a type of class {head & 15}, version {head >> 4}, {nbytes} bytes")
        found = Datatype(head & 15, bits, nbytes)
        return self._complex(found, body, size) if found.cls == COMPOUND else found

    def _complex(self, whole: Datatype, body: int, size: int) -> Datatype:
        """A compound of two numbers ``real`` and ``imag`` of one type."""
        if bytes(self._buffer[body : body + 3]) != b"\x16\x02\x00" or size < 8 + 2 * 52:
            raise UnsupportedValue(_NO_COMPLEX)
        members: list[Datatype] = []
        at = body + 8
        for name in (b"real", b"imag"):
            is_named = bytes(self._buffer[at : at + 8]) == name.ljust(8, b"\0")
            offset = struct.unpack_from("<I", self._buffer, at + 8)[0]
            part = self._datatype(at + 40, 8)
            if not is_named or part.cls not in (FIXED, FLOAT) or offset != len(members) * part.size:
                raise UnsupportedValue(_NO_COMPLEX)
            members.append(part)
            at += 48 + (12 if part.cls == FLOAT else 4)
        if at > body + size or members[0] != members[1] or whole.size != 2 * members[0].size:
            raise UnsupportedValue(_NO_COMPLEX)
        return members[0]._replace(is_complex=True)

    def _layout(self, body: int, size: int) -> None:
        version, second, third = struct.unpack_from("<BBB", self._buffer, body)
        is_old = version in (1, 2)
        kind, start = (third, body + 8) if is_old else (second, body + 2)
        if version == 4 and kind == 3:
            raise UnsafeFile("values stand in other data sets or files, which are not read")
        if version == 4:
            raise UnsupportedValue(f"a layout of version {version}, which only engine='reference' reads")
        if not 1 <= version <= 3 or kind not in (COMPACT, CONTIGUOUS, CHUNKED):
            raise CorruptFile(f"a layout of version {version} and class {kind}")
        self._found.layout = kind
        if kind == COMPACT:
            # The old form repeats the dims of the data set before the values.
            length = struct.unpack_from("<I" if is_old else "<H", self._buffer, start + 4 * second * is_old)[0]
            self._found.data = start + (4 * second + 4 if is_old else 2)
            self._found.data_size = length
            fits = self._found.data + length <= body + size
        elif kind == CONTIGUOUS:
            (address,) = struct.unpack_from("<Q", self._buffer, start)
            length = -1 if is_old else struct.unpack_from("<Q", self._buffer, start + 8)[0]
            self._found.data = -1 if address == _UNDEFINED else address + self._base
            self._found.data_size = length
            fits = start + (8 if is_old else 16) <= body + size
        else:
            rank, start = (second, start) if is_old else (third, start + 1)
            tree, *sizes = struct.unpack_from(f"<Q{rank}I", self._buffer, start)
            self._found.chunks = -1 if tree == _UNDEFINED else tree + self._base, tuple(sizes)
            fits = start + 8 + 4 * rank <= body + size
        if not fits:
            raise CorruptFile(f"a layout of class {kind} in {size} bytes")

    def _link(self, body: int, size: int) -> tuple[bytes, int]:
        """Name and address of a member that stands in the header of its group."""
        version, flags = struct.unpack_from("<BB", self._buffer, body)
        if version != 1:
            raise CorruptFile(f"a link of version {version}")
        at = body + 2
        kind = self._buffer[at] if flags & 8 else 0
        at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        length = int.from_bytes(self._buffer[at : at + width], "little")
        at += width
        if at + length + (8 if kind == 0 else 0) > body + size:
            raise CorruptFile(f"the name of a link of {length} bytes in a message of {size}")
        name = bytes(self._buffer[at : at + length])
        if kind:
            return name, SOFT_LINK
        return name, struct.unpack_from("<Q", self._buffer, at + length)[0]

    def _link_info(self, body: int) -> None:
        flags = self._buffer[body + 1]
        heap = struct.unpack_from("<Q", self._buffer, body + (10 if flags & 1 else 2))[0]
        if heap != _UNDEFINED:
            raise UnsupportedValue("a group with an index, which only engine='reference' reads")
        self._found.links = self._found.links or {}

    def _fill(self, kind: int, body: int, size: int) -> bytes:
        """The value of what is not stored; empty where it is zero."""
        if kind == _OLD_FILL:
            start = 4
        else:
            version, *flags = struct.unpack_from("<BBBB", self._buffer, body)
            if version not in (1, 2, 3):
                raise CorruptFile(f"a fill value of version {version}")
            is_defined = flags[0] & 32 if version == 3 else flags[2]
            if not is_defined:
                return b""
            start = 6 if version == 3 else 8
        if size < start:
            return b""
        length = struct.unpack_from("<i", self._buffer, body + start - 4)[0]
        if not -1 <= length <= size - start:
            raise CorruptFile(f"a fill value of {length} bytes in {size}")
        value = bytes(self._buffer[body + start : body + start + max(length, 0)])
        return value if any(value) else b""

    def _attribute(self, body: int, size: int) -> None:
        version, flags, *lengths = struct.unpack_from("<BBHHH", self._buffer, body)
        if version not in (1, 2, 3):
            raise CorruptFile(f"an attribute of version {version}")
        if version > 1 and flags & 3:
            raise UnsupportedValue("a type that objects share, which only engine='reference' reads")
        padded = [(n + 7) // 8 * 8 for n in lengths] if version == 1 else lengths
        name = body + (9 if version == 3 else 8)
        datatype, dataspace = name + padded[0], name + padded[0] + padded[1]
        data = dataspace + padded[2]
        if data > body + size:
            raise CorruptFile(f"an attribute of {data - body} bytes in a message of {size}")
        text = bytes(self._buffer[name : name + lengths[0]]).split(b"\0")[0]
        try:
            parts = self._datatype(datatype, lengths[1]), self._dataspace(dataspace, lengths[2])
        except UnsupportedValue:
            if text.startswith(b"MATLAB_"):
                raise
            return
        self._found.attributes[text] = Attribute(*parts, data, body + size - data)

    def _finish(self) -> None:
        """Check what one message says against the others."""
        found = self._found
        if found.is_group:
            return
        if found.layout is None:
            raise CorruptFile("neither a group nor a data set", offset=found.position)
        if found.dataspace is None or found.datatype is None:
            raise CorruptFile("a data set without dims or type", offset=found.position)
        if found.layout == CHUNKED:
            return
        needed = found.dataspace.numel * found.datatype.itemsize
        if found.data_size < 0:
            # Old layouts do not say it.
            found.data_size = needed
        if found.data >= 0 and (found.data_size < needed or found.data + found.data_size > self._size):
            there = min(found.data_size, max(self._size - found.data, 0))
            raise CorruptFile(f"values of {needed} bytes, {there} are there", offset=found.data)
