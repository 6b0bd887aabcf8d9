"""From references to values: each object is looked at once, and cycles of handles stay cycles."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from matlens.classes.instances import KNOWN_CLASSES, TABULAR_CLASSES, Instance, convert, members, natural
from matlens.classes.strings import CategoryArray, texts_of
from matlens.classes.tabular import frame
from matlens.classes.time_zones import ZonedTimes
from matlens.errors import CorruptFile, LimitExceeded, UnsupportedValue
from matlens.formats.mcos import ObjectTable, parse_reference
from matlens.formats.reader import Reader
from matlens.formats.records import Elements, MatlabClass, OpaqueValue
from matlens.values.table_layout import Decode, Record, RowTimes, stored_tabular

if TYPE_CHECKING:
    import pandas as pd

MISSING = "missing"
"""MATLAB's class of a value that is missing, whatever stands beside it."""
ENUMERATION_TAG = "EnumerationInstanceTag"
"""First field of the struct that stands for members of an enumeration."""


def is_enumeration(stored: Any) -> bool:
    """Whether a struct stands for an array of an enumeration, as they are stored."""
    if not isinstance(stored, np.ndarray) or stored.dtype.names is None or stored.size != 1:
        return False
    return bool(stored.dtype.names[0] == ENUMERATION_TAG)


def refuse_missing(reader: Reader, stored: OpaqueValue) -> None:
    """Refuse a reference to an object whose data the file does not have, where the reader would know of them."""
    if stored.type_system != "MCOS" or not reader.knows_objects or reader.objects() is not None:
        return
    if isinstance(stored.reference, np.ndarray) or _is_struct(reader, stored.reference):
        name = stored.class_name
        raise CorruptFile(f"a {name} is referred to, but the data of all objects are missing: was the file cut off?")


def _is_struct(reader: Reader, reference: Any) -> bool:
    """Whether a struct stands in place of a reference, as for members of an enumeration."""
    return isinstance(reference, Elements) and bool(reader.headers(reference).cls[0] == MatlabClass.STRUCT)


class Objects:
    """The values of the objects of a file."""

    def __init__(self, reader: Reader, table: ObjectTable, decode: Decode) -> None:
        self._reader, self._table, self._decode, self._limits = reader, table, decode, reader.limits
        self._known: dict[int, Any] = {}
        self._open: list[int] = []
        self._waiting: deque[tuple[Instance, Mapping[str, Elements]]] = deque()
        self._met: list[int] = []
        self._is_filling = False

    def value(self, stored: OpaqueValue) -> Any:
        """The value of an object, of an array of objects, or of an enumeration, as it stands by itself."""
        found = natural(self.array(stored))
        self._fill()
        return found

    def _fill(self) -> None:
        """Give their properties to the objects that were met, one after another: they may be a chain of any length."""
        if self._is_filling:
            return
        self._is_filling = True
        try:
            while self._waiting:
                instance, stored = self._waiting.popleft()
                instance.update(self._record(stored))
            self._met.clear()
        finally:
            self._is_filling = False
            self._waiting.clear()
            # Of those that led to an error, none is known: it is told again to whoever asks.
            for number in self._met:
                self._known.pop(number, None)
            self._met.clear()

    def array(self, stored: OpaqueValue) -> Any:
        """The value with MATLAB's dims: an array, a `CategoryArray`, or what stands for a table or a map."""
        if isinstance(stored.reference, Elements):
            found = self._decode(stored.reference)
            return self.members(found) if is_enumeration(found) else found
        if not isinstance(stored.reference, np.ndarray):
            raise UnsupportedValue(f"an object of class {stored.class_name} without a reference")
        reference = parse_reference(stored.reference)
        name = self._table.class_name(reference.class_id)
        if name != stored.class_name and (name in KNOWN_CLASSES or stored.class_name in KNOWN_CLASSES):
            raise CorruptFile(f"a {stored.class_name} is stored as a {name}")
        found = [self._object(number, reference.class_id) for number in reference.object_ids]
        if name in KNOWN_CLASSES:
            if len(found) > 1:
                raise CorruptFile(f"{len(found)} objects of class {name}, which is an array itself")
            return found[0] if found else None
        array = np.empty(len(found), object)
        for i, item in enumerate(found):
            array[i] = item
        return array.reshape(reference.dims, order="F")

    def _object(self, number: int, class_id: int) -> Any:
        declared = self._table.class_name(class_id)
        if declared == MISSING:
            return None
        if number == 0:
            # No object is stored: one that was deleted, or that has nothing but its class.
            return None if declared in KNOWN_CLASSES else Instance(declared)
        name = self._table.class_of(number)
        if name != declared and (name in KNOWN_CLASSES or declared in KNOWN_CLASSES):
            raise CorruptFile(f"object {number} is a {name}, referred to as a {declared}")
        if number in self._known:
            return self._known[number]
        stored = self._table.properties(number)
        if name not in KNOWN_CLASSES:
            self._known[number] = instance = Instance(name)
            self._met.append(number)
            self._waiting.append((instance, stored))
            return instance
        if number in self._open:
            raise CorruptFile(f"object {number}, a {name}, contains itself")
        if len(self._open) >= self._limits.depth:
            raise LimitExceeded.of(self._limits, "depth", f"objects are nested deeper than {self._limits.depth} levels")
        self._open.append(number)
        try:
            self._known[number] = self._known_class(name, stored)
        finally:
            self._open.pop()
        return self._known[number]

    def _record(self, stored: Mapping[str, Elements]) -> Record:
        return Record(self._reader, stored, self._decode)

    def _known_class(self, name: str, stored: Mapping[str, Elements]) -> Any:
        if name in TABULAR_CLASSES:
            return self._frame(name, stored)
        return convert(name, self._record(stored))

    def _frame(self, name: str, stored: Mapping[str, Elements]) -> pd.DataFrame:
        found = stored_tabular(self._reader, name, stored, self._decode)
        count = found.parts.row_count
        variables = [self._variable(elements, count) for elements in found.variables]
        rows: Any = ZonedTimes.of(found.rows.values, found.rows.zone) if isinstance(found.rows, RowTimes) else None
        if isinstance(found.rows, Elements):
            rows = self._decode(found.rows)
            rows = texts_of(rows) if name == "table" else np.asanyarray(rows).ravel(order="F")
        made: pd.DataFrame = convert(name, {}, lambda _: frame(found.parts, variables, rows))
        return made

    def _variable(self, elements: Elements, count: int) -> Any:
        """A variable of a table with its dims; None if an object has no value for each row."""
        headers = self._reader.headers(elements)
        headers.raise_first_error()
        if headers.cls[0] == MatlabClass.SPARSE and 16 * int(headers.numel[0]) > self._limits.memory:
            raise LimitExceeded.of(self._limits, "memory", "a sparse variable of a table in its full form")
        if headers.cls[0] == MatlabClass.OPAQUE:
            try:
                found = self.array(self._reader.opaque(headers, 0))
            except UnsupportedValue:
                return None
        elif headers.cls[0] == MatlabClass.CHAR and not headers.numel[0]:
            found = np.full((headers.shape(0)[0], 1), "", object)
        else:
            found = self._decode(elements)
        if hasattr(found, "toarray"):
            return found.toarray()
        if isinstance(found, np.ndarray) and found.dtype.kind == "U":
            return found.astype(object).reshape(len(found), -1)
        if not isinstance(found, np.ndarray | CategoryArray) and not hasattr(found, "columns"):
            return _alone(found) if count == 1 else None
        return found if headers.cls[0] != MatlabClass.OPAQUE or _row_count(found) == count else None

    def enumeration(self, stored: Any) -> Any:
        """Members by name, as they stand by themselves."""
        return natural(self.members(stored))

    def members(self, stored: Any) -> Any:
        """Members by name with their dims, of a struct that `is_enumeration`."""
        record = np.asarray(stored).ravel()[0]
        try:
            numbers = np.asarray(record["ValueNames"]).ravel().tolist()
            return members([self._table.name(int(number)) for number in numbers], record["ValueIndices"])
        except (ValueError, TypeError) as error:
            if isinstance(error, CorruptFile):
                raise
            raise CorruptFile(f"an enumeration without its members: {error}") from None


def _alone(value: Any) -> Any:
    """A 1x1 array of any value."""
    array = np.empty((1, 1), object)
    array[0, 0] = value
    return array


def _row_count(found: Any) -> int:
    return len(found.places) if isinstance(found, CategoryArray) else len(found)
