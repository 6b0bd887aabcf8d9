"""HDF5 object headers for whole batches at once, straight from the bytes of the file.

Objects of one batch are read in lock-step, message by message. Covered is what MATLAB
writes: version-1 object headers, old-style groups of one symbol node, compact and
contiguous layouts, version-1 attributes. Everything else is left to libhdf5. Layout after
The HDF Group, *HDF5 File Format Specification Version 3.0*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.model import Int64s

__all__ = ["CLASS_NAMES", "FIXED", "FLOAT", "REFERENCE", "Bytes", "Objects", "read_objects"]

Mask = NDArray[np.bool_]

FIXED, FLOAT, STRING, REFERENCE, VLEN = 0, 1, 3, 7, 9
MAX_NDIM = 8
MAX_STEPS = 64
NO_CLASS, OTHER_CLASS = -1, -2
CLASS_NAMES = (
    b"double",
    b"single",
    b"int8",
    b"uint8",
    b"int16",
    b"uint16",
    b"int32",
    b"uint32",
    b"int64",
    b"uint64",
    b"logical",
    b"char",
    b"cell",
    b"struct",
    b"canonical empty",
)
_NAME_BYTES = 24
_DATASPACE, _DATATYPE, _LAYOUT, _ATTRIBUTE, _CONTINUATION, _SYMBOL_TABLE = 1, 3, 8, 12, 16, 17
_HARMLESS = (0, 4, 5, 11, 13, 14, 18)
"""Padding, fill values, filters, comments, times."""


class Bytes:
    """Little-endian numbers at any positions of a file; positions are checked by `inside`."""

    def __init__(self, buffer: Any) -> None:
        self.bytes: NDArray[np.uint8] = np.frombuffer(buffer, np.uint8)
        self.size = len(self.bytes)

    def inside(self, position: Int64s, length: Any) -> Mask:
        """Whether `length` bytes from each position lie in the file."""
        return np.asarray((position >= 0) & (length >= 0) & (position <= self.size - length))

    def take(self, position: Int64s, length: int) -> NDArray[np.uint8]:
        """`length` bytes from each position, as rows."""
        return np.asarray(self.bytes[position[:, None] + np.arange(length)])

    def number(self, position: Int64s, width: int) -> Int64s:
        """Unsigned integers of `width` bytes; undefined addresses come out as -1."""
        rows = np.zeros((len(position), 8), np.uint8)
        rows[:, :width] = self.take(position, width)
        return rows.view("<u8").ravel().astype(np.int64)

    def texts(self, position: Int64s, length: Int64s, width: int = _NAME_BYTES) -> NDArray[np.uint8]:
        """Up to `width` bytes of text from each position, zero from its end or first NUL on."""
        padded = np.minimum(position[:, None] + np.arange(width), self.size - 1)
        rows = self.bytes[padded]
        stop = np.minimum(np.where((rows == 0).any(axis=1), (rows == 0).argmax(axis=1), width), length)
        rows[np.arange(width)[None, :] >= stop[:, None]] = 0
        return np.asarray(rows)


@dataclass(slots=True, eq=False)
class Objects:
    """Headers of n objects: a struct of arrays. Where `ok` is false, nothing else counts."""

    ok: Mask
    is_group: Mask
    ndim: Int64s
    dims: Int64s
    type_class: Int64s
    type_bits: Int64s
    type_size: Int64s
    data: Int64s
    data_size: Int64s
    btree: Int64s
    heap: Int64s
    matlab_class: Int64s
    is_empty: Mask
    is_global: Mask
    fields: Int64s
    field_count: Int64s

    @classmethod
    def unread(cls, n: int) -> Objects:
        def numbers(fill: int = 0) -> Int64s:
            return np.full(n, fill, np.int64)

        return cls(
            ok=np.ones(n, bool),
            is_group=np.zeros(n, bool),
            ndim=numbers(-1),
            dims=np.ones((n, MAX_NDIM), np.int64),
            type_class=numbers(-1),
            type_bits=numbers(),
            type_size=numbers(),
            data=numbers(-1),
            data_size=numbers(),
            btree=numbers(-1),
            heap=numbers(-1),
            matlab_class=numbers(NO_CLASS),
            is_empty=np.zeros(n, bool),
            is_global=np.zeros(n, bool),
            fields=numbers(-1),
            field_count=numbers(),
        )


def read_objects(source: Bytes, base: int, addresses: Int64s) -> Objects:
    """Headers of the objects at `addresses`, which count from `base`."""
    return _Walk(source, base, addresses).run()


class _Walk:
    """The state of a lock-step walk: where each object's next message stands."""

    def __init__(self, source: Bytes, base: int, addresses: Int64s) -> None:
        self.source, self.base = source, base
        self.objects = Objects.unread(len(addresses))
        self.position = addresses + base
        self.end = np.zeros(len(addresses), np.int64)
        self.left = np.zeros(len(addresses), np.int64)
        self.continued = np.zeros((len(addresses), 2), np.int64)

    def run(self) -> Objects:
        self._prefixes()
        for _ in range(MAX_STEPS):
            self._continue()
            active = np.flatnonzero(self.objects.ok & (self.left > 0))
            if not len(active):
                break
            self._messages(active)
        self.objects.ok &= self.left <= 0
        self.objects.is_group = self.objects.btree >= 0
        return self.objects

    def _prefixes(self) -> None:
        source, start = self.source, self.position
        fits = source.inside(start, 16)
        self.objects.ok &= fits
        index = np.flatnonzero(fits)
        start = start[index]
        self.objects.ok[index] &= source.number(start, 1) == 1
        self.left[index] = source.number(start + 2, 2)
        size = source.number(start + 8, 4)
        self.position[index] = start + 16
        self.end[index] = start + 16 + size
        self.objects.ok[index] &= source.inside(start + 16, size)

    def _continue(self) -> None:
        """Go on in the continuation block where the current block is used up."""
        done = self.objects.ok & (self.left > 0) & (self.position + 8 > self.end)
        index = np.flatnonzero(done)
        self.position[index] = self.continued[index, 0]
        self.end[index] = self.continued[index].sum(axis=1)
        # Messages that are declared but not there: the header ends here.
        self.left[index[self.continued[index, 1] < 8]] = 0
        self.continued[index] = 0

    def _messages(self, index: Int64s) -> None:
        source, position = self.source, self.position[index]
        kind, size = source.number(position, 2), source.number(position + 2, 2)
        shared = source.number(position + 4, 1) & 2 != 0
        body = position + 8
        good = (body + size <= self.end[index]) & ~(shared & ~np.isin(kind, _HARMLESS))
        self.objects.ok[index[~good]] = False
        self.position[index] = body + size
        self.left[index] -= 1
        for value in np.unique(kind[good]).tolist():
            chosen = good & (kind == value)
            handler = _HANDLERS.get(value)
            if handler is not None:
                handler(self, index[chosen], body[chosen], size[chosen])
            elif value not in _HARMLESS:
                self.objects.ok[index[chosen]] = False

    def _refuse(self, index: Int64s, good: Mask) -> Mask:
        self.objects.ok[index[~good]] = False
        return good

    def _dataspace(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        source, objects = self.source, self.objects
        head = source.take(body, 8)
        ndim = head[:, 1].astype(np.int64)
        good = self._refuse(index, (head[:, 0] == 1) & (ndim <= MAX_NDIM) & (8 + 8 * ndim <= size))
        index, body, ndim = index[good], body[good], ndim[good]
        objects.ndim[index] = ndim
        for axis in range(int(ndim.max(initial=0))):
            some = ndim > axis
            objects.dims[index[some], axis] = source.number(body[some] + 8 + 8 * axis, 8)
        # As floats, so that a product beyond 64 bits does not come out small.
        few = np.prod(objects.dims[index].astype(float), axis=1) < 2**53
        objects.ok[index] &= few & (objects.dims[index] >= 0).all(axis=1)

    def _datatype(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        good = self._refuse(index, size >= 8)
        index, body = index[good], body[good]
        self.objects.type_class[index] = self.source.number(body, 1) & 15
        self.objects.type_bits[index] = self.source.number(body + 1, 1)
        self.objects.type_size[index] = self.source.number(body + 4, 4)

    def _layout(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        source, objects = self.source, self.objects
        head = source.take(body, 2)
        self._refuse(index, (head[:, 0] == 3) & (size >= 18) | (head[:, 0] == 3) & (head[:, 1] == 0))
        compact = (head[:, 0] == 3) & (head[:, 1] == 0)
        objects.data[index[compact]] = body[compact] + 4
        objects.data_size[index[compact]] = source.number(body[compact] + 2, 2)
        plain = (head[:, 0] == 3) & (head[:, 1] == 1) & (size >= 18)
        address = source.number(body[plain] + 2, 8)
        objects.data[index[plain]] = np.where(address >= 0, address + self.base, -1)
        objects.data_size[index[plain]] = source.number(body[plain] + 10, 8)
        inside = source.inside(objects.data[index], objects.data_size[index])
        objects.data[index[~inside]] = -1

    def _symbol_table(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        good = self._refuse(index, size >= 16)
        self.objects.btree[index[good]] = self.source.number(body[good], 8)
        self.objects.heap[index[good]] = self.source.number(body[good] + 8, 8)

    def _continuation(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        good = self._refuse(index, size >= 16)
        index, body = index[good], body[good]
        start, length = self.source.number(body, 8) + self.base, self.source.number(body + 8, 8)
        second = self.continued[index, 1] > 0
        self._refuse(index, self.source.inside(start, length) & ~second)
        self.continued[index, 0], self.continued[index, 1] = start, length

    def _attribute(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        source = self.source
        good = self._refuse(index, (size >= 8) & (source.number(body, 1) == 1))
        index, body, size = index[good], body[good], size[good]
        lengths = [source.number(body + at, 2) for at in (2, 4, 6)]
        name = body + 8
        datatype = name + (lengths[0] + 7) // 8 * 8
        dataspace = datatype + (lengths[1] + 7) // 8 * 8
        data = dataspace + (lengths[2] + 7) // 8 * 8
        room = body + size - data
        good = self._refuse(index, (room >= 0) & (lengths[1] >= 8))
        names = source.texts(name, lengths[0])
        for known, handler in _ATTRIBUTES.items():
            same = good & _equal(names, known)
            if same.any():
                handler(self, index[same], datatype[same], dataspace[same], data[same], room[same])

    def _class_attribute(self, index: Int64s, datatype: Int64s, space: Int64s, data: Int64s, room: Int64s) -> None:
        length = self.source.number(datatype + 4, 4)
        good = self._refuse(index, (self.source.number(datatype, 1) & 15 == STRING) & (length <= room))
        texts = self.source.texts(data[good], length[good])
        found = np.full(len(texts), OTHER_CLASS, np.int64)
        for code, name in enumerate(CLASS_NAMES):
            found[_equal(texts, name)] = code
        self.objects.matlab_class[index[good]] = found
        self.objects.ok[index[good]] &= found >= 0

    def _empty_attribute(self, index: Int64s, datatype: Int64s, space: Int64s, data: Int64s, room: Int64s) -> None:
        good = self._refuse(index, room >= 1)
        self.objects.is_empty[index[good]] = self.source.number(data[good], 1) != 0

    def _global_attribute(self, index: Int64s, datatype: Int64s, space: Int64s, data: Int64s, room: Int64s) -> None:
        self.objects.is_global[index] = True

    def _fields_attribute(self, index: Int64s, datatype: Int64s, space: Int64s, data: Int64s, room: Int64s) -> None:
        source = self.source
        is_list = source.number(datatype, 1) & 15 == VLEN
        head = source.take(np.minimum(space, source.size - 16), 16)
        is_vector = (head[:, 0] == 1) & (head[:, 1] == 1)
        count = np.ascontiguousarray(head[:, 8:]).view("<u8").ravel().astype(np.int64)
        good = self._refuse(index, is_list & is_vector & (count >= 0) & (count * 16 <= room))
        self.objects.fields[index[good]] = data[good]
        self.objects.field_count[index[good]] = count[good]

    def _foreign_attribute(self, index: Int64s, datatype: Int64s, space: Int64s, data: Int64s, room: Int64s) -> None:
        """Objects, function handles and sparse matrices are left to libhdf5."""
        self.objects.ok[index] = False


def _equal(rows: NDArray[np.uint8], text: bytes) -> Mask:
    padded = np.frombuffer(text.ljust(_NAME_BYTES, b"\0"), np.uint8)
    return np.asarray((rows == padded).all(axis=1))


_HANDLERS: dict[int, Any] = {
    _DATASPACE: _Walk._dataspace,
    _DATATYPE: _Walk._datatype,
    _LAYOUT: _Walk._layout,
    _ATTRIBUTE: _Walk._attribute,
    _CONTINUATION: _Walk._continuation,
    _SYMBOL_TABLE: _Walk._symbol_table,
}
_ATTRIBUTES: dict[bytes, Any] = {
    b"MATLAB_class": _Walk._class_attribute,
    b"MATLAB_empty": _Walk._empty_attribute,
    b"MATLAB_global": _Walk._global_attribute,
    b"MATLAB_fields": _Walk._fields_attribute,
    b"MATLAB_object_decode": _Walk._foreign_attribute,
    b"MATLAB_sparse": _Walk._foreign_attribute,
}
