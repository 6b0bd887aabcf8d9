"""The common v7.3 objects, for whole batches at once and without libhdf5.

Numbers, chars and references in data sets, structs, struct arrays, sparse matrices and
function handles in groups. Whatever looks different is left to the reader of single objects.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.formats.children import FieldNames, unique_names
from matlens.formats.dtypes import combine_complex
from matlens.formats.hdf5.bytes import Mask
from matlens.formats.hdf5.chunks import read_values
from matlens.formats.hdf5.group_batch import Members, group_members, merged, name_lists
from matlens.formats.hdf5.hdf5_file import H5File
from matlens.formats.hdf5.layout import BATCH_NDIM, BIG_ENDIAN, CHUNKED, FIXED, FLOAT, REFERENCE, SIGNED
from matlens.formats.hdf5.object import REFERENCES
from matlens.formats.hdf5.object_batch import ABSENT, FLAG, NAMES, PRESENT, Objects, Wanted, integer, read_objects, word
from matlens.formats.ragged import counts_to_offsets, gather_items, ragged_ranges
from matlens.formats.records import CLASS_DTYPES, Children, Elements, Headers, Int64s, MatlabClass
from matlens.formats.v73 import rules
from matlens.formats.v73.rules import ARRAY_OF_STRUCTS, AS_STRUCT, CLASSES, DTYPES, EMPTY, FUNCTION, MAX_DIM

BLOCK = 16_384
"""Objects handled at once, few enough that their intermediate arrays stay in the cache."""
DIRECT, IN_CHUNKS, OTHER_TYPE = 16, 17, 18
"""Storage of values at the byte offset `payload`, of values in chunks of the object at the address `payload`, and of
values of another type than that of their class."""
_CODES = {name: code for code, name in enumerate(CLASSES)}
_CLASS_OF_CODE = np.array([*CLASSES.values(), MatlabClass.UNKNOWN, MatlabClass.UNKNOWN], np.uint8)
"""Classes by the number of their name; the last two stand for other names and for none."""
_NUMBERS = [int(cls) for cls in CLASS_DTYPES]
KEPT = 4
"""Batches whose members are remembered."""
_LOGICAL, _STRUCT = _CODES[b"logical"], _CODES[b"struct"]
_KINDS = {rules.CLASS: word(list(CLASSES)), rules.FIELDS: NAMES, rules.IS_EMPTY: FLAG, rules.GLOBAL: PRESENT}
WANTED = Wanted(_KINDS | {rules.DECODE: integer(4), rules.SPARSE_ROWS: integer(8)}, rules.PAIR)
"""The attributes of objects that are read in batches."""


class Batch:
    """Reads objects of one file by their addresses."""

    def __init__(self, file: H5File) -> None:
        self._file, self._base = file, file.base
        self._known: list[tuple[Elements, list[Members]]] = []
        self._lock = Lock()

    def _objects(self, addresses: Int64s) -> Objects:
        return read_objects(self._file.source, self._base, addresses, WANTED)

    def headers(self, elements: Elements) -> tuple[Headers, Int64s]:
        """Headers of the objects of common form, and the indices of the others."""
        headers, done, members = self._find(elements)
        if members:
            # Whoever asks for headers of structs will ask for their children.
            with self._lock:
                self._known = [(elements, members), *self._known[: KEPT - 1]]
        return headers.narrow(), np.flatnonzero(~done)

    def _find(self, elements: Elements) -> tuple[Headers, Mask, list[Members]]:
        """Headers of objects, which of them are found, and the members of those that are structs."""
        headers = Headers.empty(elements, max_ndim=BATCH_NDIM)
        headers.payload[:] = elements.positions
        done = np.zeros(len(elements), bool)
        members: list[Members] = []
        for start in range(0, len(elements), BLOCK):
            index = np.arange(start, min(start + BLOCK, len(elements)))
            objects = self._objects(elements.positions[index])
            if elements.segment == AS_STRUCT:
                objects.attributes[rules.CLASS][:], objects.attributes[rules.DECODE][:] = _STRUCT, ABSENT
            headers.is_global[index] = objects.attributes[rules.GLOBAL] != ABSENT
            done[index] = self._data_sets(headers, objects, index) | self._empties(headers, objects, index)
            done[index] |= self._functions(headers, objects, index) | self._sparse(headers, objects, index)
            for part in self._structs(headers, objects, index):
                done[part.index] = True
                members.append(part)
        return headers, done, merged(members)

    def _members_of(self, headers: Headers) -> list[Members]:
        """Members of structs, from the last headers that were read where they are the same."""
        wanted = headers.elements
        for known, members in self._known:
            if known.segment == wanted.segment and np.array_equal(known.positions, wanted.positions):
                return members
        return self._find(wanted)[2]

    def _data_sets(self, headers: Headers, objects: Objects, index: Int64s) -> Mask:
        """Fill in numbers, chars and cells; which elements that were."""
        code, numel = objects.attributes[rules.CLASS], objects.numel
        cls = _CLASS_OF_CODE[code]
        fits = np.zeros(len(code), bool)
        for value, dtype in DTYPES.items():
            stored = _is_stored_as(objects, dtype)
            if value != MatlabClass.CHAR:
                cls[(code == ABSENT) & stored] = value
            fits |= (cls == value) & stored
        fits &= np.isin(cls, _NUMBERS) | ~objects.is_complex
        fits &= _plain(objects) & ~objects.is_group & (objects.attributes[rules.IS_EMPTY] <= 0)
        fits &= (objects.ndim >= 0) & (numel > 0)
        chunked = objects.layout == CHUNKED
        enough = objects.data_size >= numel * objects.type_size * (1 + objects.is_complex)
        fits &= chunked & (objects.ndim > 0) | (objects.data >= 0) & enough
        some = index[fits]
        headers.cls[some] = cls[fits]
        headers.is_logical[some] = code[fits] == _LOGICAL
        headers.is_complex[some] = objects.is_complex[fits]
        headers.storage[some] = np.where(chunked[fits], IN_CHUNKS, DIRECT)
        headers.payload[some] = np.where(chunked[fits], headers.payload[some], objects.data[fits])
        headers.nbytes[some] = objects.data_size[fits]
        self._dims(headers, some, objects, np.flatnonzero(fits))
        return np.asarray(fits)

    def _dims(self, headers: Headers, index: Int64s, objects: Objects, chosen: Int64s) -> None:
        """Store dims of the `chosen` at `index`, in MATLAB's order, the reverse of HDF5's; vectors are columns."""
        ndim = objects.ndim[chosen]
        for n in np.flatnonzero(np.bincount(ndim)).tolist():
            some = index[ndim == n]
            headers.dims[some, :n] = objects.dims[chosen[ndim == n], :n][:, ::-1]
            headers.ndim[some] = max(n, 2)
        headers.numel[index] = objects.numel[chosen]

    def _empties(self, headers: Headers, objects: Objects, index: Int64s) -> Mask:
        """Fill in empty arrays, whose data are their dims."""
        count = objects.numel
        code, fields = objects.attributes[rules.CLASS], objects.attributes[rules.FIELDS].max(axis=1)
        fits = _plain(objects) & (objects.attributes[rules.IS_EMPTY] > 0) & ~objects.is_group
        fits &= (objects.data >= 0) & (objects.ndim == 1) & (code >= 0)
        fits &= (count >= 2) & (count <= 8) & (objects.data_size == 8 * count) & (objects.type_size == 8)
        for k in np.flatnonzero(fits).tolist():
            dims = self._file.source.number(np.arange(count[k]) * 8 + objects.data[k], 8)
            # Only a struct without fields may have elements.
            fieldless = code[k] == _STRUCT and fields[k] == ABSENT
            empty = dims.prod() == 0 or (fieldless and dims.prod() < 2**31)
            fits[k] = ((dims >= 0) & (dims < 2**31)).all() and empty
            if fits[k]:
                headers.set_dims(int(index[k]), tuple(dims.tolist()))
        some = index[fits]
        headers.cls[some], headers.is_logical[some] = _CLASS_OF_CODE[code[fits]], code[fits] == _LOGICAL
        headers.storage[some] = EMPTY
        return np.asarray(fits)

    def _functions(self, headers: Headers, objects: Objects, index: Int64s) -> Mask:
        fits = objects.ok & objects.is_group & (objects.attributes[rules.DECODE] == FUNCTION)
        headers.cls[index[fits]] = MatlabClass.FUNCTION
        headers.numel[index[fits]] = 1
        return np.asarray(fits)

    def _sparse(self, headers: Headers, objects: Objects, index: Int64s) -> Mask:
        """Fill in sparse matrices: as many columns as members of ``jc``, less one."""
        done = np.zeros(len(index), bool)
        rows = objects.attributes[rules.SPARSE_ROWS]
        sparse = _plain(objects) & objects.is_group & (rows >= 0) & (rows < MAX_DIM)
        for members in self._groups(objects, np.flatnonzero(sparse)):
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
            cols = starts.dims[fits, 0] - 1
            headers.dims[index[chosen], 0], headers.dims[index[chosen], 1] = rows[chosen], cols
            headers.numel[index[chosen]] = rows[chosen] * cols
        headers.cls[index[done]] = MatlabClass.SPARSE
        headers.is_logical[index[done]] = objects.attributes[rules.CLASS][done] == _LOGICAL
        return done

    def _groups(self, objects: Objects, index: Int64s) -> list[Members]:
        return group_members(self._file.source, self._base, objects, index, self._file.limits)

    def _structs(self, headers: Headers, objects: Objects, index: Int64s) -> list[Members]:
        """Fill in structs, and struct arrays, whose first member is a data set of references."""
        known = np.isin(objects.attributes[rules.CLASS], (ABSENT, _STRUCT))
        wanted = _plain(objects) & objects.is_group & known & (objects.attributes[rules.SPARSE_ROWS] == ABSENT)
        found = []
        for members in self._members(objects, np.flatnonzero(wanted)):
            first = self._objects(members.addresses[:, 0])
            members = members.take(np.flatnonzero(first.ok))
            is_array = (first.type_class == REFERENCE) & (first.attributes[rules.CLASS] == ABSENT) & (first.ndim >= 0)
            is_array &= ~first.is_group
            some = index[members.index]
            headers.cls[some] = MatlabClass.STRUCT
            headers.numel[some] = 1
            some = some[is_array[first.ok]]
            headers.storage[some] = ARRAY_OF_STRUCTS
            self._dims(headers, some, first, np.flatnonzero(is_array & first.ok))
            found.append(replace(members, index=index[members.index]))
        return found

    def cells(self, headers: Headers) -> Children | None:
        """Elements of cells that are all `DIRECT`, `IN_CHUNKS` or `EMPTY`."""
        filled = headers.take(headers.numel > 0)
        positions = self._references(filled)
        if positions is None:
            return None
        return Children(np.arange(len(headers)), None, Elements(0, positions), counts_to_offsets(headers.numel))

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

    def _members(self, objects: Objects, index: Int64s) -> list[Members]:
        """Members of groups in the order of ``MATLAB_fields``, and those it does not list after them."""
        ordered = []
        for members in self._groups(objects, index):
            lists = objects.attributes[rules.FIELDS][members.index]
            listed = (lists != ABSENT).any(axis=1)
            if len(members.names) == 1 or not listed.any():
                ordered.append(members)
                continue
            if not listed.all():
                ordered.append(members.take(np.flatnonzero(~listed)))
                members, lists = members.take(np.flatnonzero(listed)), lists[listed]
            for order, same in name_lists(self._file.source, self._base, lists, WANTED):
                names = [name for name in dict.fromkeys(order) if name in set(members.names)]
                rest = sorted(set(members.names).difference(names))
                ordered.append(members.take(same).reorder((*names, *rest)))
        return ordered

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
        headers = Headers.empty(Elements(0, addresses), max_ndim=BATCH_NDIM)
        headers.payload[:] = addresses
        for start in range(0, len(addresses), BLOCK):
            index = np.arange(start, min(start + BLOCK, len(addresses)))
            if not self._data_sets(headers, self._objects(addresses[index]), index).all():
                return None
        fits = (headers.cls == MatlabClass.CELL).all() and (headers.numel == counts).all()
        return self._references(headers) if fits else None

    def _references(self, headers: Headers) -> Int64s | None:
        values = self._items(headers, REFERENCES)
        return None if values is None else np.asarray(values.astype(np.int64))

    def gather(self, headers: Headers) -> NDArray[Any] | None:
        """Values of numbers or chars of one class and complexity; None where that is not covered."""
        dtype = DTYPES[int(headers.cls[0])].newbyteorder("<")
        if not headers.is_complex[0]:
            return self._items(headers, dtype)
        pairs = self._items(headers, np.dtype([("real", dtype), ("imag", dtype)]))
        single = bool(headers.cls[0] == MatlabClass.SINGLE)
        return None if pairs is None else combine_complex(pairs["real"], pairs["imag"], single=single)

    def _items(self, headers: Headers, dtype: np.dtype[Any]) -> NDArray[Any] | None:
        """Items of data sets that are `DIRECT`, `IN_CHUNKS` or `EMPTY`, one after another."""
        chunked = np.flatnonzero(headers.storage == IN_CHUNKS)
        if not len(chunked):
            return gather_items(self._file.source.bytes, headers.payload, headers.numel, dtype)
        if not np.isin(headers.storage, (DIRECT, IN_CHUNKS, EMPTY)).all():
            return None
        data_sets = [self._file.object(address).chunks() for address in headers.payload[chunked].tolist()]
        parts = read_values(self._file.source, data_sets, dtype)
        if len(headers) == 1:
            return parts[0].astype(dtype.newbyteorder("="), copy=False)
        offsets = counts_to_offsets(headers.numel)
        joined = np.empty(int(offsets[-1]), dtype.newbyteorder("="))
        for k, part in zip(chunked.tolist(), parts, strict=True):
            joined[offsets[k] : offsets[k + 1]] = part
        direct = np.flatnonzero(headers.storage == DIRECT)
        items = gather_items(self._file.source.bytes, headers.payload[direct], headers.numel[direct], dtype)
        joined[ragged_ranges(offsets[direct], headers.numel[direct])] = items
        return joined


def _plain(objects: Objects) -> Mask:
    """Which objects are readable, and neither functions nor objects of a class."""
    return np.asarray(objects.ok & (objects.attributes[rules.DECODE] <= 0))


def _is_stored_as(objects: Objects, dtype: np.dtype[Any]) -> Mask:
    """Which data sets hold references, or little-endian numbers of `dtype`, or pairs of them."""
    if dtype is REFERENCES:
        return np.asarray((objects.type_class == REFERENCE) & (objects.type_size == dtype.itemsize))
    kind = FLOAT if dtype.kind == "f" else FIXED
    signed = SIGNED if dtype.kind == "i" else 0
    # The sign of a float is a bit of its own.
    bits_fit = (objects.type_bits & BIG_ENDIAN == 0) & ((kind == FLOAT) | (objects.type_bits & SIGNED == signed))
    return np.asarray((objects.type_class == kind) & (objects.type_size == dtype.itemsize) & bits_fit)
