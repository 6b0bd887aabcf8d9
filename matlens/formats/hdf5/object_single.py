"""Single HDF5 objects, every field of their headers checked: what batches leave, and what is wrong with it.

Layout after The HDF Group, *HDF5 File Format Specification Version 3.0*, IV.A.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from matlens.errors import CorruptFile, LimitExceeded, MatlensError, UnsafeFile, UnsupportedValue
from matlens.formats.hdf5 import layout
from matlens.formats.hdf5.layout import CHUNKED, COMPACT, CONTIGUOUS, FIXED, FLOAT, MESSAGE, TYPE_HEAD, UNDEFINED
from matlens.limits import Limits

_OTHER_FORM = "which only engine='reference' reads"


class Datatype(NamedTuple):
    """Class, class bits and size of a type; of a complex number, those of its parts."""

    cls: int
    bits: int
    size: int
    is_complex: bool = False

    @property
    def itemsize(self) -> int:
        return self.size * (1 + self.is_complex)


class Attribute(NamedTuple):
    """Where the value of an attribute stands."""

    datatype: Datatype
    numel: int
    data: int
    room: int


@dataclass(slots=True, eq=False)
class ObjectHeader:
    """What the header of an object says. Positions count from the start of the file; -1 stands for none.

    `dims` are in HDF5's order. `data` is where compact and contiguous values stand, `chunks` where the index of the
    chunks does, with their dims and, as the last, the size of an item. `fill` is the value of elements that are not
    stored, empty for zero. `group` has the places of the B-tree and the heap of a group, `links` the members of one
    that has them in its header. Of types that are not read, attributes have the error that says so in place of a value.
    """

    position: int
    dims: tuple[int, ...] | None = None
    datatype: Datatype | None = None
    unread_type: UnsupportedValue | None = None
    layout: int | None = None
    data: int = UNDEFINED
    data_size: int = 0
    chunks: tuple[int, tuple[int, ...]] | None = None
    filters: int = UNDEFINED
    fill: bytes = b""
    group: tuple[int, int] | None = None
    links: dict[bytes, int] | None = None
    attributes: dict[bytes, Attribute | UnsupportedValue] = field(default_factory=dict)

    @property
    def is_group(self) -> bool:
        return self.group is not None or self.links is not None


def read_object(buffer: Any, base: int, address: int, pair: tuple[bytes, bytes], limits: Limits) -> ObjectHeader:
    """The header of the object at `address`, which counts from `base`; `pair` names the parts of complex numbers."""
    parser = _Parser(buffer, base, address + base, pair, limits)
    try:
        return parser.run()
    except MatlensError as error:
        raise error.at(offset=parser.at) from None


class _Parser:
    def __init__(self, buffer: Any, base: int, position: int, pair: tuple[bytes, bytes], limits: Limits) -> None:
        self._buffer, self._base, self._size = buffer, base, len(buffer)
        self._pair, self._limits = pair, limits
        self._found = ObjectHeader(position)
        self.at = position

    def run(self) -> ObjectHeader:
        start = self._found.position
        if not 0 <= start <= self._size - layout.PREFIX.size:
            raise CorruptFile("reference leads outside the file")
        version, left, size = layout.PREFIX.one(self._buffer, start)
        if version != layout.PREFIX_VERSION:
            if bytes(self._buffer[start : start + 4]) == b"OHDR":
                raise UnsupportedValue(f"an object header of version 2, {_OTHER_FORM}")
            raise CorruptFile("no object stands here")
        blocks = [(start + layout.PREFIX.size, size)]
        while blocks and left:
            begin, length = blocks.pop(0)
            if not (begin >= 0 and 0 <= length <= self._size - begin):
                raise CorruptFile(f"{length} bytes of an object header are declared to stand at byte {begin}")
            left = self._block(begin, begin + length, left, blocks)
        self._finish()
        return self._found

    def _block(self, at: int, end: int, left: int, blocks: list[tuple[int, int]]) -> int:
        """Read the messages of one block; how many are left."""
        while at + MESSAGE.size <= end and left:
            self.at = at
            kind, size, flags = MESSAGE.one(self._buffer, at)
            body = at + MESSAGE.size
            if body + size > end:
                raise CorruptFile(f"a header message of {size} bytes, {end - body} are there")
            if kind > layout.LAST_MESSAGE:
                raise CorruptFile(f"a header message of type {kind}")
            left -= 1
            at = body + size
            if kind == layout.CONTINUATION:
                begin, length = layout.CONTINUED.one(self._buffer, body)
                blocks.append((begin + self._base, length))
            elif kind not in layout.IGNORED:
                self._message(kind, flags, body, size)
        return left

    def _message(self, kind: int, flags: int, body: int, size: int) -> None:
        if flags & layout.SHARED:
            raise UnsupportedValue(f"a type that objects share, {_OTHER_FORM}")
        match kind:
            case layout.ATTRIBUTE:
                self._attribute(body, size)
            case layout.DATASPACE:
                self._found.dims = self._dims(body, size)
            case layout.DATATYPE:
                self._values_type(body, size)
            case layout.LAYOUT:
                self._layout(body, size)
            case layout.FILL:
                self._fill(body, size)
            case layout.OLD_FILL:
                self._found.fill = self._fill_value(body, size, layout.WORD.size)
            case layout.FILTERS:
                self._found.filters = body
            case layout.SYMBOL_TABLE:
                tree, heap = layout.GROUP_PLACES.one(self._buffer, body)
                self._found.group = tree + self._base, heap + self._base
            case layout.LINK:
                self._link(body, size)
            case layout.LINK_INFO:
                self._link_info(body)
            case layout.EXTERNAL:
                raise UnsafeFile("values are stored in other files, which are not read")
            case _:
                raise UnsupportedValue(f"a header message of type {kind}, {_OTHER_FORM}")

    def _dims(self, body: int, size: int) -> tuple[int, ...]:
        version, ndim, kind = layout.SPACE_HEAD.one(self._buffer, body)
        start = layout.SPACE_START.get(version, size)
        if ndim > layout.MAX_NDIM or start + 8 * ndim > size:
            raise CorruptFile(f"a data space of version {version} with {ndim} dimensions in {size} bytes")
        if version == 2 and kind == layout.NULL_SPACE:
            raise UnsupportedValue(f"a data space without elements, {_OTHER_FORM}")
        dims: tuple[int, ...] = layout.DIMS[ndim].one(self._buffer, body + start)
        # Beside a dim of 0, others may be of any size.
        if max(math.prod(dims), *dims, 0) >= layout.MAX_NUMEL:
            text = f"dims {'x'.join(map(str, dims[::-1]))} are beyond any memory"
            raise LimitExceeded.of(self._limits, "memory", text)
        return dims

    def _values_type(self, body: int, size: int) -> None:
        try:
            self._found.datatype = self._datatype(body, size)
        except UnsupportedValue as error:
            self._found.unread_type = error

    def _datatype(self, body: int, size: int) -> Datatype:
        if size < TYPE_HEAD.size:
            raise CorruptFile(f"a type in {size} bytes")
        head, bits, nbytes = TYPE_HEAD.one(self._buffer, body)
        version, cls = head >> 4, head & 15
        if not 1 <= version <= layout.LAST_TYPE_VERSION or cls > layout.LAST_TYPE or nbytes == 0:
            raise CorruptFile(f"a type of class {cls}, version {version}, {nbytes} bytes")
        found = Datatype(cls, bits, nbytes)
        return self._complex(found, body, size) if cls == layout.COMPOUND else found

    def _complex(self, whole: Datatype, body: int, size: int) -> Datatype:
        """A compound of two numbers of one type, with the names of a pair."""
        fits = size >= TYPE_HEAD.size + layout.PAIR_COUNT * layout.PART_SIZE[FIXED]
        fits = fits and layout.PAIR.one(self._buffer, body) == (layout.PAIR_HEAD, layout.PAIR_COUNT)
        parts: list[Datatype] = []
        at, end = body + TYPE_HEAD.size, body + size
        for expected in self._pair if fits else ():
            if at + layout.PART_SIZE[FIXED] > end:
                break
            name, offset = layout.PART.one(self._buffer, at)
            part = self._datatype(at + layout.PART.size, TYPE_HEAD.size)
            if name.rstrip(b"\0") != expected or part.cls not in (FIXED, FLOAT) or offset != len(parts) * part.size:
                break
            parts.append(part)
            at += layout.PART_SIZE[part.cls]
        if len(parts) != 2 or at > end or parts[0] != parts[1] or whole.size != 2 * parts[0].size:
            names = " and ".join(name.decode("ascii") for name in self._pair)
            raise UnsupportedValue(f"a compound of other than two equal numbers {names}, {_OTHER_FORM}")
        return parts[0]._replace(is_complex=True)

    def _layout(self, body: int, size: int) -> None:
        version, second, third = layout.LAYOUT_HEAD.one(self._buffer, body)
        is_old = version in (1, 2)
        kind, start = (third, body + 8) if is_old else (second, body + 2)
        if version == 4 and kind == layout.VIRTUAL:
            raise UnsafeFile("values stand in other data sets or files, which are not read")
        if version == 4:
            raise UnsupportedValue(f"a layout of version {version}, {_OTHER_FORM}")
        if not 1 <= version <= layout.LAYOUT_VERSION or kind not in (COMPACT, CONTIGUOUS, CHUNKED):
            raise CorruptFile(f"a layout of version {version} and class {kind}")
        found = self._found
        found.layout = kind
        if kind == COMPACT:
            # The old form repeats the dims of the data set before the values.
            length = layout.WORD if is_old else layout.SHORT
            (found.data_size,) = length.one(self._buffer, start + 4 * second * is_old)
            found.data = end = start + 4 * second * is_old + length.size
            end += found.data_size
        elif kind == CONTIGUOUS:
            (address,) = layout.ADDRESS.one(self._buffer, start)
            end = start + (layout.ADDRESS if is_old else layout.CONTIGUOUS_PLACE).size
            found.data_size = -1 if is_old else layout.CONTIGUOUS_PLACE.one(self._buffer, start)[1]
            found.data = UNDEFINED if address == UNDEFINED else address + self._base
        else:
            rank, start = (second, start) if is_old else (third, start + 1)
            (tree,) = layout.ADDRESS.one(self._buffer, start)
            end = start + layout.ADDRESS.size + layout.WORD.size * rank
            places = range(start + layout.ADDRESS.size, end, layout.WORD.size)
            sizes = tuple(layout.WORD.one(self._buffer, at)[0] for at in places)
            found.chunks = UNDEFINED if tree == UNDEFINED else tree + self._base, sizes
        if end > body + size:
            raise CorruptFile(f"a layout of class {kind} in {size} bytes")

    def _link(self, body: int, size: int) -> None:
        """Note a member that stands in the header of its group."""
        version, flags = layout.LINK_HEAD.one(self._buffer, body)
        if version != 1:
            raise CorruptFile(f"a link of version {version}")
        at, end = body + layout.LINK_HEAD.size, body + size
        is_hard = not flags & 8 or self._buffer[at : at + 1] == b"\0"
        at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        length = int.from_bytes(self._buffer[at : at + width], "little")
        at += width
        if at + length + (layout.ADDRESS.size if is_hard else 0) > end:
            raise CorruptFile(f"the name of a link of {length} bytes in a message of {size}")
        if length > self._limits.name:
            raise LimitExceeded.of(self._limits, "name", f"the name of a member has {length} bytes")
        name = bytes(self._buffer[at : at + length])
        if self._found.links is None:
            self._found.links = {}
        self._found.links[name] = layout.ADDRESS.one(self._buffer, at + length)[0] if is_hard else layout.SOFT_LINK

    def _link_info(self, body: int) -> None:
        _, flags = layout.LINK_HEAD.one(self._buffer, body)
        (heap,) = layout.ADDRESS.one(self._buffer, body + (10 if flags & 1 else 2))
        if heap != UNDEFINED:
            raise UnsupportedValue(f"a group with an index, {_OTHER_FORM}")
        self._found.links = self._found.links or {}

    def _fill(self, body: int, size: int) -> None:
        version, flags, is_defined = layout.FILL_HEAD.one(self._buffer, body)
        if version not in (1, 2, 3):
            raise CorruptFile(f"a fill value of version {version}")
        if flags & layout.FILL_DEFINED if version == 3 else is_defined:
            self._found.fill = self._fill_value(body, size, 6 if version == 3 else 8)

    def _fill_value(self, body: int, size: int, start: int) -> bytes:
        """The value of what is not stored; empty where it is zero."""
        if size < start:
            return b""
        (length,) = layout.WORD.one(self._buffer, body + start - layout.WORD.size)
        if length == layout.NO_FILL:
            return b""
        if length > size - start:
            raise CorruptFile(f"a fill value of {length} bytes in {size}")
        value = bytes(self._buffer[body + start : body + start + length])
        return value if any(value) else b""

    def _attribute(self, body: int, size: int) -> None:
        version, flags, *lengths = layout.ATTRIBUTE_HEAD.one(self._buffer, body)
        if version not in layout.ATTRIBUTE_START:
            raise CorruptFile(f"an attribute of version {version}")
        padded = [(n + 7) // 8 * 8 for n in lengths] if version == 1 else lengths
        name = body + layout.ATTRIBUTE_START[version]
        datatype, dataspace = name + padded[0], name + padded[0] + padded[1]
        data = dataspace + padded[2]
        if data > body + size:
            raise CorruptFile(f"an attribute of {data - body} bytes in a message of {size}")
        text = bytes(self._buffer[name : name + lengths[0]]).split(b"\0")[0]
        try:
            if version > 1 and flags & layout.SHARED_PARTS:
                raise UnsupportedValue(f"a type that objects share, {_OTHER_FORM}")
            kind, numel = self._datatype(datatype, lengths[1]), math.prod(self._dims(dataspace, lengths[2]))
            self._found.attributes[text] = Attribute(kind, numel, data, body + size - data)
        except UnsupportedValue as error:
            self._found.attributes[text] = error.at(offset=body)

    def _finish(self) -> None:
        """Check what one message says against the others."""
        found = self._found
        if found.is_group:
            return
        if found.layout is None:
            raise CorruptFile("neither a group nor a data set", offset=found.position)
        if found.dims is None or (found.datatype is None and found.unread_type is None):
            raise CorruptFile("a data set without dims or type", offset=found.position)
        if found.layout == CHUNKED or found.datatype is None:
            return
        needed = math.prod(found.dims) * found.datatype.itemsize
        if found.data_size < 0:
            # Old layouts do not say it.
            found.data_size = needed
        if found.data >= 0 and (found.data_size < needed or found.data + found.data_size > self._size):
            there = min(found.data_size, max(self._size - found.data, 0))
            raise CorruptFile(f"values of {needed} bytes, {there} are there", offset=found.data)
