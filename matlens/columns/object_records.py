"""Objects of classes that are not MATLAB's own as records of their properties."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.columns.buffers import number_array
from matlens.formats.mcos import ObjectTable, parse_reference
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.reader import Reader
from matlens.formats.records import Children, Elements, Headers, Int64s, MatlabClass
from matlens.values.loadmat_form import decode_values
from matlens.values.objects import ENUMERATION_TAG, MISSING, refuse_missing

_ENUMERATION = 255
"""How members of an enumeration are stored that stand as a struct."""


class ObjectRecords:
    """The objects of one level: each is one record, however often it is referred to.

    Parameters
    ----------
    reader : Reader
        The reader of the level.
    headers : Headers
        Objects, arrays of them, and members of enumerations.

    Attributes
    ----------
    are_objects, are_members : bool
        Whether all of them are objects with properties, and whether all are members of enumerations; those that are
        ``missing`` are both.
    counts : ndarray of int64
        How many objects each element stands for.
    classes : set of str
        Classes of the objects, which may derive from the one that is declared for their array.
    first : ndarray of int64
        The element that refers to each object first.
    """

    def __init__(self, reader: Reader, headers: Headers) -> None:
        self._reader, self._headers, self._table = reader, headers, reader.objects()
        self.are_objects = self.are_members = True
        self._is_member = np.zeros(len(headers), bool)
        found = [self._numbers(i) for i in range(len(headers))]
        self.counts = np.array([len(numbers) for numbers, _ in found], np.int64)
        self._dims = [dims for _, dims in found]
        numbers = np.array([number for numbers, _ in found for number in numbers], np.int64)
        self._is_null = numbers == 0
        known, places, inverse = np.unique(numbers[~self._is_null], return_index=True, return_inverse=True)
        self._places = np.zeros(len(numbers), np.int64)
        self._places[~self._is_null] = inverse
        self.first = np.repeat(np.arange(len(headers)), self.counts)[~self._is_null][places]
        self._known = known.tolist()
        self.classes = set() if self._table is None else set(map(self._table.class_of, self._known))

    @cached_property
    def groups(self) -> list[Children]:
        """Where the properties stand of the objects that have the same: each object is a parent with one record."""
        return [] if self._table is None else _groups(self._table, self._known)

    def __len__(self) -> int:
        return len(self.first)

    def dims(self, i: int) -> tuple[int, ...]:
        """Dims of the array of objects that element `i` is."""
        return self._dims[i]

    def of_all(self, records: pa.Array) -> pa.Array:
        """The records of the objects of all elements, one after another, from those of each object."""
        if not self._is_null.any() and np.array_equal(self._places, np.arange(len(records))):
            return records
        return records.take(number_array(self._places, self._is_null))

    def per_element(self, sizes: Int64s) -> Int64s:
        """The sum over the objects of each element of what each object takes."""
        of_all = np.zeros(len(self._places), np.int64)
        of_all[~self._is_null] = sizes[self._places[~self._is_null]]
        sums = counts_to_offsets(of_all)
        return np.diff(sums[counts_to_offsets(self.counts)])

    def members(self, i: int) -> NDArray[np.object_] | None:
        """Members of an enumeration by name, with MATLAB's dims; None of what is not an enumeration."""
        if not self._is_member[i]:
            return None
        value = decode_values(self._reader, self._headers.elements.take([i]))[0]
        return np.array([[value]], object) if isinstance(value, str) else np.asarray(value, object)

    def _numbers(self, i: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Numbers of the objects of an element, 0 for those that are null, and dims of their array."""
        reader, headers = self._reader, self._headers
        stored = None if headers.storage[i] == _ENUMERATION else reader.opaque(headers, i)
        if stored is None or (stored.type_system == "MCOS" and isinstance(stored.reference, Elements)):
            self._is_member[i], self.are_objects = True, False
            return (), (0, 0)
        is_missing = headers.class_name(i) == MISSING
        self.are_members &= is_missing
        refuse_missing(reader, stored)
        if self._table is None or stored.type_system != "MCOS" or not isinstance(stored.reference, np.ndarray):
            self.are_objects = False
            return (), (0, 0)
        reference = parse_reference(stored.reference)
        return (0,) * len(reference.object_ids) if is_missing else reference.object_ids, reference.dims


def _groups(table: ObjectTable, numbers: list[int]) -> list[Children]:
    """Where the properties of objects stand, of those together that have the same."""
    places: dict[tuple[str, ...], list[int]] = {}
    positions: dict[tuple[str, ...], list[Int64s]] = {}
    for k, number in enumerate(numbers):
        properties = table.properties(number)
        names = tuple(properties)
        places.setdefault(names, []).append(k)
        positions.setdefault(names, []).extend(elements.positions for elements in properties.values())
    segment, none = table.cells.segment, [np.zeros(0, np.int64)]
    return [
        Children(
            np.array(parents, np.int64),
            names,
            Elements(segment, np.concatenate(positions[names] or none)),
            np.arange(len(parents) + 1),
        )
        for names, parents in places.items()
    ]


def mark_enumerations(reader: Reader, headers: Headers) -> Headers:
    """Headers in which members of enumerations are objects: inside of objects they stand as structs."""
    index = np.flatnonzero((headers.cls == MatlabClass.STRUCT) & (headers.numel == 1))
    if not len(index) or not reader.may_hold_objects:
        return headers
    found = [
        (group, index[group.parents])
        for group in reader.children(headers.take(index))
        if (group.fields or ("",))[0] == ENUMERATION_TAG
    ]
    if not found:
        return headers
    marked = replace(
        headers, cls=headers.cls.copy(), storage=headers.storage.copy(), class_names=dict(headers.class_names)
    )
    for group, places in found:
        marked.cls[places], marked.storage[places] = MatlabClass.OPAQUE, _ENUMERATION
        numbers = decode_values(reader, group.column((group.fields or ()).index("ClassName")))
        for place, number in zip(places.tolist(), numbers, strict=True):
            table = reader.objects()
            marked.class_names[place] = table.class_name(int(number.ravel()[0])) if table else "enumeration"
    return marked
