"""From references to values: each object is looked at once, and cycles of handles stay cycles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from matlens.classes.instances import CONVERTERS, Instance, convert, members
from matlens.errors import CorruptFile, LimitExceeded, UnsupportedValue
from matlens.formats.mcos import ObjectTable, Property, parse_reference
from matlens.formats.records import Elements, OpaqueValue
from matlens.limits import Limits

Decode = Callable[[Elements, int], Any]
"""Gives the value of one element; the number says which element of the level above holds it."""

ENUMERATION_TAG = "EnumerationInstanceTag"
"""First field of the struct that stands for members of an enumeration."""


def is_enumeration(stored: Any) -> bool:
    """Whether a struct stands for an array of an enumeration, as they are stored."""
    if not isinstance(stored, np.ndarray) or stored.dtype.names is None or stored.size != 1:
        return False
    return bool(stored.dtype.names[0] == ENUMERATION_TAG)


class Objects:
    """The values of the objects of a file."""

    def __init__(self, table: ObjectTable, decode: Decode, limits: Limits) -> None:
        self._table, self._decode, self._limits = table, decode, limits
        self._known: dict[int, Any] = {}
        self._open: list[int] = []

    def value(self, stored: OpaqueValue, place: int) -> Any:
        """The value of an object, of an array of objects, or of an enumeration."""
        if isinstance(stored.reference, Elements):
            found = self._decode(stored.reference, place)
            return self.enumeration(found) if is_enumeration(found) else found
        if not isinstance(stored.reference, np.ndarray):
            raise UnsupportedValue(f"an object of class {stored.class_name} without a reference")
        reference = parse_reference(stored.reference)
        name = self._table.class_name(reference.class_id)
        if name != stored.class_name and (name in CONVERTERS or stored.class_name in CONVERTERS):
            raise CorruptFile(f"a {stored.class_name} is stored as a {name}")
        if name in CONVERTERS and len(reference.object_ids) > 1:
            raise CorruptFile(f"{len(reference.object_ids)} objects of class {name}, which is an array itself")
        found = [self._object(number, reference.class_id, place) for number in reference.object_ids]
        if len(found) == 1 and reference.dims == (1, 1):
            return found[0]
        array = np.empty(len(found), object)
        for i, item in enumerate(found):
            array[i] = item
        return array.reshape(reference.dims, order="F")

    def _object(self, number: int, class_id: int, place: int) -> Any:
        declared = self._table.class_name(class_id)
        if number == 0:
            # No object is stored: one that was deleted, or that has nothing but its class.
            return None if declared in CONVERTERS else Instance(declared)
        name = self._table.class_of(number)
        if name != declared and (name in CONVERTERS or declared in CONVERTERS):
            raise CorruptFile(f"object {number} is a {name}, referred to as a {declared}")
        if number in self._known:
            return self._known[number]
        if number in self._open:
            raise CorruptFile(f"object {number}, a {name}, contains itself")
        if len(self._open) >= self._limits.depth:
            raise LimitExceeded.of(self._limits, "depth", f"objects are nested deeper than {self._limits.depth} levels")
        self._open.append(number)
        try:
            properties = Properties(self._table.properties(number), self._decode, place, self._limits)
            if name in CONVERTERS:
                self._known[number] = convert(name, properties)
            else:
                # Known before its properties are: one of them may be the object again.
                self._known[number] = instance = Instance(name)
                instance.update(properties)
        finally:
            self._open.pop()
        return self._known[number]

    def enumeration(self, stored: Any) -> Any:
        """Members by name, of a struct that `is_enumeration`."""
        record = np.asarray(stored).ravel()[0]
        try:
            numbers = np.asarray(record["ValueNames"]).ravel().tolist()
            found = members([self._table.name(int(number)) for number in numbers], record["ValueIndices"])
        except (ValueError, TypeError) as error:
            if isinstance(error, CorruptFile):
                raise
            raise CorruptFile(f"an enumeration without its members: {error}") from None
        return found.ravel()[0] if found.size == 1 else found


class Properties(Mapping[str, Any]):
    """Properties by name, decoded when they are asked for; `limits` are those of their file."""

    def __init__(self, properties: Mapping[str, Property], decode: Decode, place: int, limits: Limits) -> None:
        self._properties, self._decode, self._place = properties, decode, place
        self.limits = limits

    def __getitem__(self, name: str) -> Any:
        stored = self._properties[name]
        if isinstance(stored, Elements):
            return self._decode(stored, self._place)
        return stored if isinstance(stored, str) else np.array([[stored != 0]])

    def __contains__(self, name: object) -> bool:
        # Mapping's own would decode the value to know.
        return name in self._properties

    def __iter__(self) -> Iterator[str]:
        return iter(self._properties)

    def __len__(self) -> int:
        return len(self._properties)
