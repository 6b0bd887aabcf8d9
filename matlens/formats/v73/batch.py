"""The common v7.3 objects, for whole batches at once and without libhdf5.

Numbers, chars and references in data sets, structs, struct arrays, sparse matrices and
function handles in groups. Whatever looks different is left to the reader of single objects.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.formats.children import FieldNames, unique_names
from matlens.formats.dtypes import combine_complex
from matlens.formats.hdf5.bytes import Bytes, Mask
from matlens.formats.hdf5.chunks import Chunks, read_chunks, read_values, read_window
from matlens.formats.hdf5.groups import Members, Names, field_orders, group_members
from matlens.formats.hdf5.hdf5_file import H5File
from matlens.formats.hdf5.headers import (
    CHUNKED,
    CLASS_NAMES,
    FIXED,
    FLOAT,
    NO_CLASS,
    REFERENCE,
    VLEN,
    Objects,
    read_objects,
)
from matlens.formats.ragged import counts_to_offsets, gather_items, ragged_ranges
from matlens.formats.records import CLASS_DTYPES, Children, Elements, Headers, Int64s, MatlabClass
from matlens.formats.v73.rules import ARRAY_OF_STRUCTS, AS_STRUCT, EMPTY, FUNCTION
from matlens.formats.v73.single import DIRECT, IN_CHUNKS

__all__ = ["Batch"]

BLOCK = 16_384
"""Objects handled at once, few enough that their intermediate arrays stay in the cache."""

_CODES = {name: code for code, name in enumerate(CLASS_NAMES)}
_CLASS = np.array(
    [*CLASS_DTYPES, MatlabClass.UINT8, MatlabClass.CHAR, MatlabClass.CELL, MatlabClass.STRUCT, MatlabClass.DOUBLE],
    np.uint8,
)
"""MATLAB class of each of `CLASS_NAMES`."""
_DTYPES = {int(cls): dtype for cls, dtype in CLASS_DTYPES.items()} | {int(MatlabClass.CHAR): np.dtype("u2")}
_REFERENCES = np.dtype("<u8")


class Batch:
    """Reads objects of one file by their addresses."""

    def __init__(self, file: H5File) -> None:
        self._file = file
        self._source = Bytes(file.buffer)
        self._base = file.base
        self._known: tuple[Elements, list[Members]] = (Elements(0, np.zeros(0, np.int64)), [])

    def _objects(self, addresses: Int64s) -> Objects:
        return read_objects(self._source, self._base, addresses)

    # --- headers -------------------------------------------------------------------

    def headers(self, elements: Elements) -> tuple[Headers, Int64s]:
        """Headers of the objects of common form, and the indices of the others."""
        headers = Headers.empty(elements, max_ndim=8)
        headers.payload[:] = elements.positions
        done = np.zeros(len(elements), bool)
        members: list[Members] = []
        for start in range(0, len(elements), BLOCK):
            index = np.arange(start, min(start + BLOCK, len(elements)))
            objects = self._objects(elements.positions[index])
            if elements.segment == AS_STRUCT:
                objects.matlab_class[:], objects.decode[:] = _CODES[b"struct"], 0
            headers.is_global[index] = objects.is_global
            done[index] = self._data_sets(headers, objects, index) | self._empties(headers, objects, index)
            done[index] |= self._functions(headers, objects, index) | self._sparse(headers, objects, index)
            for part in self._structs(headers, objects, index):
                done[part.index] = True
                members.append(part)
        # Whoever asks for headers of structs will ask for their children.
        self._known = elements, _merge(members)
        return headers.narrow(), np.flatnonzero(~done)

    def _data_sets(self, headers: Headers, objects: Objects, index: Int64s) -> Mask:
        """Fill in numbers, chars and cells; which elements that were."""
        code = objects.matlab_class
        cls = np.where(code >= 0, _CLASS[code], MatlabClass.UNKNOWN).astype(np.uint8)
        cls[(code == NO_CLASS) & (objects.type_class == REFERENCE)] = MatlabClass.CELL
        fits = np.zeros(len(code), bool)
        for value, dtype in _DTYPES.items():
            stored = _is_stored_as(objects, dtype)
            if value != MatlabClass.CHAR:
                cls[(code == NO_CLASS) & stored] = value
            fits |= (cls == value) & stored
        fits &= (cls != MatlabClass.CHAR) | ~objects.is_complex
        fits |= (cls == MatlabClass.CELL) & (objects.type_class == REFERENCE) & (objects.type_size == 8)
        numel = objects.numel
        fits &= objects.ok & ~objects.is_group & ~objects.is_empty & (objects.ndim >= 0) & (objects.decode == 0)
        fits &= numel > 0
        chunked = objects.layout == CHUNKED
        enough = objects.data_size >= numel * objects.type_size * (1 + objects.is_complex)
        fits &= chunked & (objects.ndim > 0) | (objects.data >= 0) & enough
        some, where = index[fits], fits
        headers.cls[some] = cls[where]
        headers.is_logical[some] = code[where] == _CODES[b"logical"]
        headers.is_complex[some] = objects.is_complex[where]
        headers.storage[some] = np.where(chunked[where], IN_CHUNKS, DIRECT)
        headers.payload[some] = np.where(chunked[where], headers.payload[some], objects.data[where])
        headers.nbytes[some] = objects.data_size[where]
        self._dims(headers, objects, index, np.flatnonzero(fits))
        return np.asarray(fits)

    def _dims(self, headers: Headers, objects: Objects, index: Int64s, chosen: Int64s) -> None:
        """Store dims in MATLAB's order, the reverse of HDF5's; vectors are columns."""
        ndim = objects.ndim[chosen]
        for n in np.flatnonzero(np.bincount(ndim)).tolist():
            some = chosen[ndim == n]
            headers.dims[index[some], :n] = objects.dims[some, :n][:, ::-1]
            headers.ndim[index[some]] = max(n, 2)
        headers.numel[index[chosen]] = objects.numel[chosen]

    def _empties(self, headers: Headers, objects: Objects, index: Int64s) -> Mask:
        """Fill in empty arrays, whose data are their dims."""
        count = objects.numel
        fits = objects.ok & objects.is_empty & ~objects.is_group & (objects.data >= 0) & (objects.ndim == 1)
        fits &= (count >= 2) & (count <= 8) & (objects.data_size == 8 * count) & (objects.type_size == 8)
        fits &= (objects.matlab_class >= 0) & (objects.decode == 0)
        for k in np.flatnonzero(fits).tolist():
            dims = self._source.number(np.arange(count[k]) * 8 + objects.data[k], 8)
            # Only a struct without fields may have elements.
            fieldless = objects.matlab_class[k] == _CODES[b"struct"] and objects.fields[k] < 0
            empty = dims.prod() == 0 or (fieldless and dims.prod() < 2**31)
            fits[k] = ((dims >= 0) & (dims < 2**31)).all() and empty and objects.fields_at[k] < 0
            if fits[k]:
                headers.set_dims(int(index[k]), tuple(dims.tolist()))
        some = index[fits]
        headers.cls[some] = _CLASS[objects.matlab_class[fits]]
        headers.is_logical[some] = objects.matlab_class[fits] == _CODES[b"logical"]
        headers.storage[some] = EMPTY
        return np.asarray(fits)

    def _functions(self, headers: Headers, objects: Objects, index: Int64s) -> Mask:
        fits = objects.ok & objects.is_group & (objects.decode == FUNCTION)
        headers.cls[index[fits]] = MatlabClass.FUNCTION
        headers.numel[index[fits]] = 1
        return np.asarray(fits)

    def _sparse(self, headers: Headers, objects: Objects, index: Int64s) -> Mask:
        """Fill in sparse matrices: as many columns as members of ``jc``, less one."""
        done = np.zeros(len(index), bool)
        sparse = objects.ok & objects.is_group & (objects.sparse_rows >= 0) & (objects.decode == 0)
        for members in group_members(self._source, self._base, objects, np.flatnonzero(sparse)):
            if b"jc" not in members.names:
                continue
            starts = self._objects(members.addresses[:, members.names.index(b"jc")])
            fits = starts.ok & (starts.ndim == 1) & (starts.dims[:, 0] > 0)
            if b"data" in members.names:
                values = self._objects(members.addresses[:, members.names.index(b"data")])
                fits &= values.ok
                headers.is_complex[index[members.index]] = values.is_complex
            chosen = members.index[fits]
            done[chosen] = True
            rows, cols = objects.sparse_rows[chosen], starts.dims[fits, 0] - 1
            headers.dims[index[chosen], 0], headers.dims[index[chosen], 1] = rows, cols
            headers.numel[index[chosen]] = rows * cols
        headers.cls[index[done]] = MatlabClass.SPARSE
        headers.is_logical[index[done]] = objects.matlab_class[done] == _CODES[b"logical"]
        return done

    def _structs(self, headers: Headers, objects: Objects, index: Int64s) -> list[Members]:
        """Fill in structs, and struct arrays, whose first member is a data set of references."""
        known = (objects.matlab_class == NO_CLASS) | (objects.matlab_class == _CODES[b"struct"])
        wanted = objects.ok & objects.is_group & known & (objects.decode == 0) & (objects.sparse_rows < 0)
        found = []
        for members in self._members(objects, np.flatnonzero(wanted)):
            first = self._objects(members.addresses[:, 0])
            members = members.take(np.flatnonzero(first.ok))
            is_array = (first.type_class == REFERENCE) & (first.matlab_class == NO_CLASS) & (first.ndim >= 0)
            is_array &= ~first.is_group
            some = index[members.index]
            headers.cls[some] = MatlabClass.STRUCT
            headers.numel[some] = 1
            arrays = np.flatnonzero(is_array & first.ok)
            some = some[is_array[first.ok]]
            headers.storage[some] = ARRAY_OF_STRUCTS
            self._dims(headers, first, _scatter(arrays, some), arrays)
            found.append(replace(members, index=index[members.index]))
        return found

    # --- children ------------------------------------------------------------------

    def cells(self, headers: Headers) -> Children | None:
        """Elements of cells that are all `DIRECT`, `IN_CHUNKS` or `EMPTY`."""
        filled = headers.take(headers.numel > 0)
        positions = self._references(filled)
        if positions is None:
            return None
        elements = Elements(0, positions)
        return Children(np.arange(len(headers)), None, elements, counts_to_offsets(headers.numel))

    def structs(self, headers: Headers) -> tuple[list[Children], Int64s]:
        """Members of structs, grouped by field names, and the indices of structs left over."""
        left = np.ones(len(headers), bool)
        found = []
        for members in self._members_of(headers):
            is_array = headers.storage[members.index] == ARRAY_OF_STRUCTS
            for some in (np.flatnonzero(~is_array), np.flatnonzero(is_array)):
                children = self._records(headers, members.take(some)) if len(some) else None
                if children is not None:
                    left[children.parents] = False
                    found.append(children)
        return found, np.flatnonzero(left)

    def _members_of(self, headers: Headers) -> list[Members]:
        """Members of structs, from the last headers that were read where they are the same."""
        wanted, (known, members) = headers.elements, self._known
        if known.segment == wanted.segment and np.array_equal(known.positions, wanted.positions):
            return members
        self.headers(wanted)
        return self._known[1]

    def _members(self, objects: Objects, index: Int64s) -> list[Members]:
        """Members of groups in the order of ``MATLAB_fields``, and those it does not list after them."""
        ordered = []
        for members in group_members(self._source, self._base, objects, index):
            listed = (objects.fields[members.index] >= 0) | (objects.fields_at[members.index] >= 0)
            if len(members.names) == 1 or not listed.any():
                ordered.append(members)
                continue
            if not listed.all():
                ordered.append(members.take(np.flatnonzero(~listed)))
                members = members.take(np.flatnonzero(listed))
            for order, same in self._orders(objects, members.index):
                if order is not None:
                    names = [name for name in dict.fromkeys(order) if name in set(members.names)]
                    rest = sorted(set(members.names).difference(names))
                    ordered.append(members.take(same).reorder((*names, *rest)))
        return ordered

    def _orders(self, objects: Objects, index: Int64s) -> list[tuple[Names | None, Int64s]]:
        """Lists of field names, which long ones keep in a data set of their own."""
        position, count = objects.fields[index], objects.field_count[index]
        elsewhere = np.flatnonzero(position < 0)
        if len(elsewhere):
            lists = self._objects(objects.fields_at[index[elsewhere]])
            numel = lists.numel
            fits = lists.ok & (lists.type_class == VLEN) & (lists.type_size == 16) & (lists.data >= 0)
            fits &= (numel <= 65_535) & (lists.data_size >= 16 * numel)
            position[elsewhere], count[elsewhere] = np.where(fits, lists.data, 0), np.where(fits, numel, 0)
        return field_orders(self._source, self._base, position, count)

    def _records(self, headers: Headers, members: Members) -> Children | None:
        if len(members.names) > self._file.limits.fields:
            return None
        fields: FieldNames = unique_names([name.decode("utf-8", "replace") for name in members.names])
        counts = headers.numel[members.index]
        addresses = members.addresses
        if (headers.storage[members.index] == ARRAY_OF_STRUCTS).any():
            columns = [self._field(members.addresses[:, k], counts) for k in range(len(members.names))]
            if any(column is None for column in columns):
                return None
            addresses = np.stack([column for column in columns if column is not None], axis=1)
        elements = Elements(0, np.ascontiguousarray(addresses).ravel())
        return Children(members.index, fields, elements, counts_to_offsets(counts))

    def _field(self, addresses: Int64s, counts: Int64s) -> Int64s | None:
        """References of one field of struct arrays, one array after another."""
        headers = Headers.empty(Elements(0, addresses), max_ndim=8)
        headers.payload[:] = addresses
        for start in range(0, len(addresses), BLOCK):
            index = np.arange(start, min(start + BLOCK, len(addresses)))
            if not self._data_sets(headers, self._objects(addresses[index]), index).all():
                return None
        fits = (headers.cls == MatlabClass.CELL).all() and (headers.numel == counts).all()
        return self._references(headers) if fits else None

    def _references(self, headers: Headers) -> Int64s | None:
        values = self._items(headers, _REFERENCES)
        return None if values is None else np.asarray(values.astype(np.int64))

    # --- values --------------------------------------------------------------------

    def gather(self, headers: Headers) -> NDArray[Any] | None:
        """Values of numbers or chars of one class and complexity; None where that is not covered."""
        dtype = _DTYPES[int(headers.cls[0])].newbyteorder("<")
        if not headers.is_complex[0]:
            return self._items(headers, dtype)
        pairs = self._items(headers, np.dtype([("real", dtype), ("imag", dtype)]))
        single = bool(headers.cls[0] == MatlabClass.SINGLE)
        return None if pairs is None else combine_complex(pairs["real"], pairs["imag"], single=single)

    def _items(self, headers: Headers, dtype: np.dtype[Any]) -> NDArray[Any] | None:
        """Items of data sets that are `DIRECT`, `IN_CHUNKS` or `EMPTY`, one after another."""
        chunked = np.flatnonzero(headers.storage == IN_CHUNKS)
        if not len(chunked):
            return gather_items(self._source.bytes, headers.payload, headers.numel, dtype)
        if not np.isin(headers.storage, (DIRECT, IN_CHUNKS, EMPTY)).all():
            return None
        data_sets = self._chunks(headers.payload[chunked])
        parts = read_values(self._source, data_sets, dtype)
        if len(headers) == 1:
            return parts[0].astype(dtype.newbyteorder("="), copy=False)
        offsets = counts_to_offsets(headers.numel)
        joined = np.empty(int(offsets[-1]), dtype.newbyteorder("="))
        for k, part in zip(chunked.tolist(), parts, strict=True):
            joined[offsets[k] : offsets[k + 1]] = part
        direct = np.flatnonzero(headers.storage == DIRECT)
        items = gather_items(self._source.bytes, headers.payload[direct], headers.numel[direct], dtype)
        joined[ragged_ranges(offsets[direct], headers.numel[direct])] = items
        return joined

    def window(self, headers: Headers, axis: int, start: int, stop: int) -> NDArray[Any]:
        """Values of one array of numbers `IN_CHUNKS`, of a range of its dimension `axis`, as MATLAB counts them."""
        dtype = _DTYPES[int(headers.cls[0])].newbyteorder("<")
        stored = np.dtype([("real", dtype), ("imag", dtype)]) if headers.is_complex[0] else dtype
        data_sets = self._chunks(headers.payload)
        values = read_window(self._source, data_sets[0], stored, len(data_sets[0].dims) - 1 - axis, start, stop)
        if headers.is_complex[0]:
            single = bool(headers.cls[0] == MatlabClass.SINGLE)
            flat = combine_complex(values["real"].ravel(), values["imag"].ravel(), single=single)
            values = flat.reshape(values.shape)
        return values.T

    def window_step(self, headers: Headers, axis: int) -> int:
        """Length of the chunks of an array along its dimension `axis`."""
        (found,) = self._chunks(headers.payload)
        return found.shape[len(found.dims) - 1 - axis]

    def _chunks(self, addresses: Int64s) -> list[Chunks]:
        return [
            read_chunks(self._source, self._base, self._file.object(at), self._file.limits) for at in addresses.tolist()
        ]


def _is_stored_as(objects: Objects, dtype: np.dtype[Any]) -> Mask:
    """Which data sets hold little-endian numbers of `dtype`, or pairs of them."""
    kind = FLOAT if dtype.kind == "f" else FIXED
    signed = 8 if dtype.kind == "i" else 0
    # The sign of a float is a bit of its own; MATLAB's integers are little-endian like the rest.
    bits_fit = (objects.type_bits & 1 == 0) & ((kind == FLOAT) | (objects.type_bits & 8 == signed))
    return np.asarray((objects.type_class == kind) & (objects.type_size == dtype.itemsize) & bits_fit)


def _scatter(where: Int64s, values: Int64s) -> Int64s:
    """An array that holds `values` at `where`."""
    scattered = np.zeros(int(where.max(initial=-1)) + 1, np.int64)
    scattered[where] = values
    return scattered


def _merge(parts: list[Members]) -> list[Members]:
    """Members of several blocks, those of the same names together."""
    by_names: dict[Names, list[Members]] = {}
    for part in parts:
        by_names.setdefault(part.names, []).append(part)
    return [
        Members(np.concatenate([p.index for p in same]), names, np.concatenate([p.addresses for p in same]))
        for names, same in by_names.items()
    ]
