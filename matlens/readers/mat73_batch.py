"""The common v7.3 objects, for whole batches at once and without libhdf5.

Numbers, chars and references in compact or contiguous data sets, structs and struct arrays
in small groups. Whatever looks different is left to the reader of single objects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.gather import counts_to_offsets, gather_items
from matlens.model import CLASS_DTYPES, Children, Elements, Headers, Int64s, MatlabClass
from matlens.readers.h5groups import Members, field_orders, group_members
from matlens.readers.h5headers import CLASS_NAMES, FIXED, FLOAT, NO_CLASS, REFERENCE, Bytes, Objects, read_objects
from matlens.readers.mat73_objects import ARRAY_OF_STRUCTS, EMPTY

__all__ = ["BATCH", "DIRECT", "Batch"]

BATCH = 16
"""Fewer objects than this are quicker to read one by one."""
DIRECT = 16
"""Storage of elements whose `payload` is the byte offset of their data."""

_CODES = {name: code for code, name in enumerate(CLASS_NAMES)}
_CLASS = np.array(
    [*CLASS_DTYPES, MatlabClass.UINT8, MatlabClass.CHAR, MatlabClass.CELL, MatlabClass.STRUCT, MatlabClass.DOUBLE],
    np.uint8,
)
"""MATLAB class of each of `CLASS_NAMES`."""
_DTYPES = {int(cls): dtype for cls, dtype in CLASS_DTYPES.items()} | {int(MatlabClass.CHAR): np.dtype("u2")}
_REFERENCES = np.dtype("<u8")


class Batch:
    """Reads objects of one file, held in `buffer`, by their addresses."""

    def __init__(self, buffer: Any, base: int) -> None:
        self._source = Bytes(buffer)
        self._base = base

    # --- headers -------------------------------------------------------------------

    def headers(self, elements: Elements) -> tuple[Headers, Int64s]:
        """Headers of the objects of common form, and the indices of the others."""
        headers = Headers.empty(elements, max_ndim=8)
        objects = read_objects(self._source, self._base, elements.positions)
        headers.payload[:] = elements.positions
        headers.is_global[:] = objects.is_global
        done = self._data_sets(headers, objects) | self._empties(headers, objects) | self._structs(headers, objects)
        return headers.narrow(), np.flatnonzero(~done)

    def _data_sets(self, headers: Headers, objects: Objects) -> NDArray[np.bool_]:
        """Fill in numbers, chars and cells; which elements that were."""
        code = objects.matlab_class
        cls = np.where(code >= 0, _CLASS[code], MatlabClass.CELL).astype(np.uint8)
        fits = np.zeros(len(code), bool)
        for value, dtype in _DTYPES.items():
            kind = FLOAT if dtype.kind == "f" else FIXED
            signed = 8 if dtype.kind == "i" else 0
            # The sign of a float is a bit of its own; MATLAB's integers are little-endian like the rest.
            bits_fit = (objects.type_bits & 1 == 0) & ((kind == FLOAT) | (objects.type_bits & 8 == signed))
            fits |= (cls == value) & (objects.type_class == kind) & (objects.type_size == dtype.itemsize) & bits_fit
        fits |= (cls == MatlabClass.CELL) & (objects.type_class == REFERENCE) & (objects.type_size == 8)
        fits &= objects.ok & ~objects.is_group & ~objects.is_empty & (objects.data >= 0) & (objects.ndim >= 0)
        numel = objects.dims.prod(axis=1)
        fits &= (objects.dims < 2**31).all(axis=1) & (numel > 0) & (objects.data_size >= numel * objects.type_size)
        index = np.flatnonzero(fits)
        headers.cls[index] = cls[index]
        headers.is_logical[index] = code[index] == _CODES[b"logical"]
        headers.storage[index] = DIRECT
        headers.payload[index] = objects.data[index]
        headers.nbytes[index] = objects.data_size[index]
        self._dims(headers, objects, index)
        return np.asarray(fits)

    def _dims(self, headers: Headers, objects: Objects, index: Int64s) -> None:
        """Store dims in MATLAB's order, the reverse of HDF5's; vectors are columns."""
        ndim = objects.ndim[index]
        for n in np.unique(ndim).tolist():
            some = index[ndim == n]
            headers.dims[some, :n] = objects.dims[some, :n][:, ::-1]
            headers.ndim[some] = max(n, 2)
        headers.numel[index] = objects.dims[index].prod(axis=1)

    def _empties(self, headers: Headers, objects: Objects) -> NDArray[np.bool_]:
        """Fill in empty arrays, whose data are their dims."""
        count = objects.dims.prod(axis=1)
        fits = objects.ok & objects.is_empty & ~objects.is_group & (objects.data >= 0) & (objects.ndim == 1)
        fits &= (count >= 2) & (count <= 8) & (objects.data_size == 8 * count) & (objects.type_size == 8)
        fits &= (objects.matlab_class >= 0) & (objects.matlab_class != _CODES[b"struct"])
        index = np.flatnonzero(fits)
        for i, start, n in zip(index.tolist(), objects.data[index].tolist(), count[index].tolist(), strict=True):
            dims = self._source.number(np.arange(n) * 8 + start, 8)
            fits[i] = ((dims >= 0) & (dims < 2**31)).all() and dims.prod() == 0
            if fits[i]:
                headers.set_dims(i, tuple(dims.tolist()))
        index = np.flatnonzero(fits)
        headers.cls[index] = _CLASS[objects.matlab_class[index]]
        headers.is_logical[index] = objects.matlab_class[index] == _CODES[b"logical"]
        headers.storage[index] = EMPTY
        return np.asarray(fits)

    def _structs(self, headers: Headers, objects: Objects) -> NDArray[np.bool_]:
        """Fill in structs, and struct arrays, whose first member is a data set of references."""
        known = np.isin(objects.matlab_class, (NO_CLASS, _CODES[b"struct"]))
        done = np.zeros(len(headers), bool)
        for members in self._members(objects, np.flatnonzero(objects.ok & objects.is_group & known)):
            first = read_objects(self._source, self._base, members.addresses[:, 0])
            done[members.index[first.ok]] = True
            is_array = first.ok & (first.type_class == REFERENCE) & (first.matlab_class == NO_CLASS)
            is_array &= first.ndim >= 0
            headers.storage[members.index[is_array]] = ARRAY_OF_STRUCTS
            for i, k in zip(members.index[is_array].tolist(), np.flatnonzero(is_array).tolist(), strict=True):
                dims = tuple(first.dims[k, : first.ndim[k]][::-1].tolist())
                headers.set_dims(i, dims if len(dims) > 1 else (*dims, 1, 1)[:2])
        index = np.flatnonzero(done)
        headers.cls[index] = MatlabClass.STRUCT
        headers.numel[index] = headers.dims[index].prod(axis=1)
        return done

    # --- children ------------------------------------------------------------------

    def cells(self, headers: Headers) -> Children:
        """Elements of cells that are all `DIRECT` or `EMPTY`."""
        parents = np.arange(len(headers), dtype=np.int64)
        filled = headers.numel > 0
        positions = self._references(headers.payload[filled], headers.numel[filled])
        elements = Elements(headers.elements.segment, positions)
        return Children(parents, None, elements, counts_to_offsets(headers.numel))

    def structs(self, headers: Headers) -> tuple[list[Children], Int64s]:
        """Members of structs, grouped by field names, and the indices of structs left over."""
        objects = read_objects(self._source, self._base, headers.elements.positions)
        left = np.ones(len(headers), bool)
        found = []
        for members in self._members(objects, np.flatnonzero(objects.ok & objects.is_group)):
            is_array = headers.storage[members.index] == ARRAY_OF_STRUCTS
            for some in (members_at(members, ~is_array), members_at(members, is_array)):
                children = None if some is None else self._records(headers, some)
                if children is not None:
                    left[children.parents] = False
                    found.append(children)
        return found, np.flatnonzero(left)

    def _members(self, objects: Objects, index: Int64s) -> list[Members]:
        """Members of groups in the order of ``MATLAB_fields``."""
        ordered = []
        for members in group_members(self._source, self._base, objects, index):
            if len(members.names) == 1:
                ordered.append(members)
                continue
            fields, counts = objects.fields[members.index], objects.field_count[members.index]
            orders = field_orders(self._source, self._base, fields, np.where(fields < 0, 0, counts))
            for order in dict.fromkeys(orders):
                same = np.array([k for k, other in enumerate(orders) if other == order], np.int64)
                if order is not None and sorted(order) == sorted(members.names):
                    column = [members.names.index(name) for name in order]
                    ordered.append(Members(members.index[same], order, members.addresses[same][:, column]))
        return ordered

    def _records(self, headers: Headers, members: Members) -> Children | None:
        fields = tuple(name.decode("utf-8", "replace") for name in members.names)
        counts = headers.numel[members.index]
        addresses = members.addresses
        if (headers.storage[members.index] == ARRAY_OF_STRUCTS).any():
            columns = [self._field(members.addresses[:, k], counts) for k in range(len(fields))]
            if any(column is None for column in columns):
                return None
            addresses = np.stack([column for column in columns if column is not None], axis=1)
        elements = Elements(headers.elements.segment, np.ascontiguousarray(addresses).ravel())
        return Children(members.index, fields, elements, counts_to_offsets(counts))

    def _field(self, addresses: Int64s, counts: Int64s) -> Int64s | None:
        """References of one field of struct arrays, one array after another."""
        objects = read_objects(self._source, self._base, addresses)
        fits = objects.ok & (objects.type_class == REFERENCE) & (objects.type_size == 8) & (objects.data >= 0)
        fits &= (objects.dims.prod(axis=1) == counts) & (objects.data_size >= 8 * counts)
        return self._references(objects.data, counts) if fits.all() else None

    def _references(self, starts: Int64s, counts: Int64s) -> Int64s:
        values = gather_items(self._source.bytes, starts, counts, _REFERENCES)
        return np.asarray(values.astype(np.int64))

    # --- values --------------------------------------------------------------------

    def gather(self, headers: Headers) -> NDArray[Any]:
        """Values of numbers or chars of one class that are all `DIRECT`."""
        dtype = _DTYPES[int(headers.cls[0])].newbyteorder("<")
        return gather_items(self._source.bytes, headers.payload, headers.numel, dtype)


def members_at(members: Members, mask: NDArray[np.bool_]) -> Members | None:
    """The part of `members` at `mask`, None if there is none."""
    if not mask.any():
        return None
    return Members(members.index[mask], members.names, members.addresses[mask])
