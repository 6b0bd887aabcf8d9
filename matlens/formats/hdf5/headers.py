"""HDF5 object headers for whole batches at once, straight from the bytes of the file.

Objects of one batch are read in lock-step, message by message. Covered is what MATLAB
writes: version-1 object headers, old-style groups of one symbol node, compact and
contiguous layouts, version-1 attributes. Everything else is left to `matlens.formats.hdf5.object`. Layout after
The HDF Group, *HDF5 File Format Specification Version 3.0*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matlens.formats.hdf5.bytes import Bytes, Mask, equal_text
from matlens.formats.records import Int64s

__all__ = [
    "CHUNKED",
    "CLASS_NAMES",
    "FIXED",
    "FLOAT",
    "NO_CLASS",
    "REFERENCE",
    "VLEN",
    "Objects",
    "read_objects",
]

FIXED, FLOAT, STRING, COMPOUND, REFERENCE, VLEN = 0, 1, 3, 6, 7, 9
COMPACT, CONTIGUOUS, CHUNKED = 0, 1, 2
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
_DATASPACE, _DATATYPE, _LAYOUT, _FILTERS, _ATTRIBUTE, _CONTINUATION, _SYMBOL_TABLE = 1, 3, 8, 11, 12, 16, 17
_HARMLESS = (0, 4, 5, 13, 14, 18)
"""Padding, fill values, comments, times."""


@dataclass(slots=True, eq=False)
class Objects:
    """Headers of n objects: a struct of arrays. Where `ok` is false, nothing else counts.

    `data` is where the values of compact and contiguous data sets stand; `chunks` and
    `filters` where the layout of chunked ones and the filters are described. `fields` and
    `field_count` locate a list of field names, `fields_at` is the address of a data set
    that holds it instead.
    """

    ok: Mask
    is_group: Mask
    ndim: Int64s
    dims: Int64s
    numel: Int64s
    type_class: Int64s
    type_bits: Int64s
    type_size: Int64s
    is_complex: Mask
    layout: Int64s
    data: Int64s
    data_size: Int64s
    chunks: Int64s
    filters: Int64s
    btree: Int64s
    heap: Int64s
    matlab_class: Int64s
    is_empty: Mask
    is_global: Mask
    decode: Int64s
    sparse_rows: Int64s
    fields: Int64s
    field_count: Int64s
    fields_at: Int64s

    @classmethod
    def unread(cls, n: int) -> Objects:
        def numbers(fill: int = 0) -> Int64s:
            return np.full(n, fill, np.int64)

        return cls(
            ok=np.ones(n, bool),
            is_group=np.zeros(n, bool),
            ndim=numbers(-1),
            dims=np.ones((n, MAX_NDIM), np.int64),
            numel=numbers(1),
            type_class=numbers(-1),
            type_bits=numbers(),
            type_size=numbers(),
            is_complex=np.zeros(n, bool),
            layout=numbers(-1),
            data=numbers(-1),
            data_size=numbers(),
            chunks=numbers(-1),
            filters=numbers(-1),
            btree=numbers(-1),
            heap=numbers(-1),
            matlab_class=numbers(NO_CLASS),
            is_empty=np.zeros(n, bool),
            is_global=np.zeros(n, bool),
            decode=numbers(),
            sparse_rows=numbers(-1),
            fields=numbers(-1),
            field_count=numbers(),
            fields_at=numbers(-1),
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
        head = source.take(position, 8)
        kind, size = head.view("<u2")[:, :2].astype(np.int64).T
        body = position + 8
        good = body + size <= self.end[index]
        shared = head[:, 4] & 2 != 0
        if shared.any():
            good &= ~shared | np.isin(kind, _HARMLESS)
        self.objects.ok[index[~good]] = False
        self.position[index] = body + size
        self.left[index] -= 1
        for value in np.flatnonzero(np.bincount(kind[good])).tolist():
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
        numel = np.ones(len(index))
        for axis in range(int(ndim.max(initial=0))):
            some = ndim > axis
            size = source.number(body[some] + 8 + 8 * axis, 8)
            objects.dims[index[some], axis] = size
            # As floats, so that a product beyond 64 bits does not come out small; infinite times 0 is not, either.
            with np.errstate(invalid="ignore"):
                numel[some] *= np.where((size < 0) | (size >= 2**53), np.inf, size)
        fits = self._refuse(index, numel < 2**53)
        objects.numel[index[fits]] = numel[fits].astype(np.int64)

    def _datatype(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        good = self._refuse(index, size >= 8)
        index, body, size = index[good], body[good], size[good]
        self._set_type(index, body)
        compound = self.objects.type_class[index] == COMPOUND
        self._complex(index[compound], body[compound], size[compound])

    def _set_type(self, index: Int64s, body: Int64s) -> None:
        head = self.source.take(body, 8)
        self.objects.type_class[index] = head[:, 0] & 15
        self.objects.type_bits[index] = head[:, 1]
        self.objects.type_size[index] = head[:, 4:].copy().view("<u4").ravel()

    def _complex(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        """A compound of two numbers ``real`` and ``imag`` of one type counts as complex of that type."""
        objects, source = self.objects, self.source
        # Version 1 spends 40 bytes on a member before its type; types of 8 bytes carry 4 to 12 more.
        good = self._refuse(index, (source.number(body, 2) == 0x0216) & (size >= 8 + 2 * (40 + 8 + 4)))
        index, body, size, whole = index[good], body[good], size[good], objects.type_size[index[good]]
        real = body + 8
        self._set_type(index, real + 40)
        extra = np.where(objects.type_class[index] == FLOAT, 12, 4)
        imag = real + 40 + 8 + extra
        good = self._refuse(index, (size >= 8 + 2 * (48 + extra)) & (whole == 2 * objects.type_size[index]))
        index, real, imag = index[good], real[good], imag[good]
        same = equal_text(source.take(real, 8), b"real") & (source.number(real + 8, 4) == 0)
        same &= equal_text(source.take(imag, 8), b"imag")
        same &= source.number(imag + 8, 4) == objects.type_size[index]
        same &= (source.take(real + 40, 12) == source.take(imag + 40, 12)).all(axis=1)
        self._refuse(index, same)
        objects.is_complex[index] = True

    def _layout(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        source, objects = self.source, self.objects
        head = source.take(body, 2)
        good = self._refuse(index, (head[:, 0] == 3) & ((size >= 18) | ((head[:, 1] == COMPACT) & (size >= 4))))
        index, body, layout = index[good], body[good], head[good, 1]
        objects.layout[index] = layout
        compact, plain, chunked = (layout == kind for kind in (COMPACT, CONTIGUOUS, CHUNKED))
        objects.data[index[compact]] = body[compact] + 4
        objects.data_size[index[compact]] = source.number(body[compact] + 2, 2)
        address = source.number(body[plain] + 2, 8)
        objects.data[index[plain]] = np.where(address >= 0, address + self.base, -1)
        objects.data_size[index[plain]] = source.number(body[plain] + 10, 8)
        inside = source.inside(objects.data[index], objects.data_size[index])
        objects.data[index[~inside]] = -1
        objects.chunks[index[chunked]] = body[chunked]
        # One 32-bit size for each dimension, and one for the size of an item.
        self._refuse(index[chunked], source.number(body[chunked] + 2, 1) * 4 + 11 <= size[good][chunked])

    def _filters(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        good = self._refuse(index, size >= 8)
        self.objects.filters[index[good]] = body[good]

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
            same = good & equal_text(names, known)
            if same.any():
                handler(self, index[same], datatype[same], dataspace[same], data[same], room[same])

    def _class_attribute(self, index: Int64s, datatype: Int64s, space: Int64s, data: Int64s, room: Int64s) -> None:
        length = self.source.number(datatype + 4, 4)
        good = self._refuse(index, (self.source.number(datatype, 1) & 15 == STRING) & (length <= room))
        texts = self.source.texts(data[good], length[good])
        found = np.full(len(texts), OTHER_CLASS, np.int64)
        for code, name in enumerate(CLASS_NAMES):
            found[equal_text(texts, name)] = code
        self.objects.matlab_class[index[good]] = found

    def _empty_attribute(self, index: Int64s, datatype: Int64s, space: Int64s, data: Int64s, room: Int64s) -> None:
        good = self._refuse(index, room >= 1)
        self.objects.is_empty[index[good]] = self.source.number(data[good], 1) != 0

    def _global_attribute(self, index: Int64s, datatype: Int64s, space: Int64s, data: Int64s, room: Int64s) -> None:
        self.objects.is_global[index] = True

    def _decode_attribute(self, index: Int64s, datatype: Int64s, space: Int64s, data: Int64s, room: Int64s) -> None:
        good = self._refuse(index, (self.source.number(datatype + 4, 4) == 4) & (room >= 4))
        self.objects.decode[index[good]] = self.source.number(data[good], 4)

    def _sparse_attribute(self, index: Int64s, datatype: Int64s, space: Int64s, data: Int64s, room: Int64s) -> None:
        good = self._refuse(index, (self.source.number(datatype + 4, 4) == 8) & (room >= 8))
        self.objects.sparse_rows[index[good]] = self.source.number(data[good], 8)

    def _fields_attribute(self, index: Int64s, datatype: Int64s, space: Int64s, data: Int64s, room: Int64s) -> None:
        source = self.source
        kind = source.number(datatype, 1) & 15
        head = source.take(np.minimum(space, source.size - 16), 16)
        is_vector = (head[:, 0] == 1) & (head[:, 1] == 1)
        count = np.ascontiguousarray(head[:, 8:]).view("<u8").ravel().astype(np.int64)
        listed = (kind == VLEN) & is_vector & (count >= 0) & (count <= room // 16)
        elsewhere = (kind == REFERENCE) & (source.number(datatype + 4, 4) == 8) & (room >= 8)
        self._refuse(index, listed | elsewhere)
        self.objects.fields[index[listed]] = data[listed]
        self.objects.field_count[index[listed]] = count[listed]
        self.objects.fields_at[index[elsewhere]] = source.number(data[elsewhere], 8)


_HANDLERS: dict[int, Any] = {
    _DATASPACE: _Walk._dataspace,
    _DATATYPE: _Walk._datatype,
    _LAYOUT: _Walk._layout,
    _FILTERS: _Walk._filters,
    _ATTRIBUTE: _Walk._attribute,
    _CONTINUATION: _Walk._continuation,
    _SYMBOL_TABLE: _Walk._symbol_table,
}
_ATTRIBUTES: dict[bytes, Any] = {
    b"MATLAB_class": _Walk._class_attribute,
    b"MATLAB_empty": _Walk._empty_attribute,
    b"MATLAB_global": _Walk._global_attribute,
    b"MATLAB_fields": _Walk._fields_attribute,
    b"MATLAB_object_decode": _Walk._decode_attribute,
    b"MATLAB_sparse": _Walk._sparse_attribute,
}
