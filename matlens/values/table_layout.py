"""Tables and timetables as they are stored: where their variables stand, and the names or times of their rows.

Nothing is decoded but what a table says of itself: a variable that cannot be decoded costs itself alone.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.classes.instances import ARRAYS, convert
from matlens.classes.tabular import TableParts, table_parts, timetable_parts
from matlens.classes.time_zones import time_zone
from matlens.classes.times import CalendarStep, calendar_times, regular_times
from matlens.errors import CorruptFile, LimitExceeded, MatlensError
from matlens.formats.mcos import parse_reference
from matlens.formats.metadata_values import NOTHING
from matlens.formats.reader import Reader
from matlens.formats.records import Elements, MatlabClass
from matlens.values.plain import json_safe, plain

Decode = Callable[[Elements], Any]
"""Gives the value of one element."""


class Record(Mapping[str, Any]):
    """Properties of an object or fields of a 1x1 struct by name, each decoded when it is asked for."""

    def __init__(
        self, reader: Reader, stored: Mapping[str, Elements], decode: Decode, empty: Container[str] = ()
    ) -> None:
        self._reader, self._stored, self._decode, self._empty = reader, stored, decode, empty

    def __getitem__(self, name: str) -> Any:
        stored = self._stored[name]
        # Most of what a table may say is empty.
        return np.empty((0, 0), object) if name in self._empty else self._decode(stored)

    def __contains__(self, name: object) -> bool:
        # Mapping's own would decode the value to know.
        return name in self._stored

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def elements(self, name: str) -> Elements | None:
        """Where the value of a property stands."""
        return self._stored.get(name)

    def record(self, name: str) -> Record:
        """The fields of a property that is a 1x1 struct; none of anything else."""
        elements = self.elements(name)
        headers = None if elements is None else self._reader.headers(elements)
        if headers is None or not headers.ok[0] or headers.cls[0] != MatlabClass.STRUCT or headers.numel[0] != 1:
            return Record(self._reader, {}, self._decode)
        (group,) = self._reader.children(headers)
        fields = group.fields or ()
        inner = self._reader.headers(group.elements)
        empty = {name for k, name in enumerate(fields) if inner.ok[k] and inner.numel[k] == 0}
        return Record(self._reader, {name: group.column(k) for k, name in enumerate(fields)}, self._decode, empty)

    def object(self, name: str) -> tuple[str, Record]:
        """Class and properties of a property that is a single object; none of anything else."""
        elements, table = self.elements(name), self._reader.objects()
        if elements is not None and table is not None:
            headers = self._reader.headers(elements)
            if headers.ok[0] and headers.cls[0] == MatlabClass.OPAQUE:
                reference = self._reader.opaque(headers, 0).reference
                ids = parse_reference(reference).object_ids if isinstance(reference, np.ndarray) else ()
                if len(ids) == 1 and ids[0]:
                    properties = table.properties(ids[0])
                    return headers.class_name(0), Record(self._reader, properties, self._decode)
        return "", Record(self._reader, {}, self._decode)

    def cells(self, name: str) -> list[Elements]:
        """The elements of a property that is a cell, one by one."""
        elements = self.elements(name)
        if elements is None:
            raise CorruptFile(f"a table without {name}")
        headers = self._reader.headers(elements)
        headers.raise_first_error()
        if headers.cls[0] != MatlabClass.CELL:
            raise CorruptFile(f"expected a cell of the variables of a table, found {headers.class_name(0)}")
        groups = self._reader.children(headers) if headers.numel[0] else []
        return [groups[0].elements.take([k]) for k in range(len(groups[0].elements))] if groups else []


class RowTimes(NamedTuple):
    """Times that a regular timetable does not store; `zone` is empty where they have none."""

    values: NDArray[Any]
    zone: str


class Tabular(NamedTuple):
    """A table or timetable: `rows` are where its names or times are stored, or the times of a regular timetable.

    `custom` are the custom properties of the table, `variable_custom` those that have an element for each variable.
    With `are_vectors`, variables may lie as rows of as many elements as there are rows.
    """

    parts: TableParts
    variables: list[Elements]
    rows: Elements | RowTimes | None
    custom: Record
    variable_custom: Record
    are_vectors: bool = False

    def about(self) -> dict[str, Any]:
        """What the table says of itself, with custom properties that can be decoded, as builtin objects."""
        about = self.parts.about()
        custom = _readable(self.custom)
        for name, values in _readable(self.variable_custom).items():
            if isinstance(values, list) and len(values) == len(self.parts.names):
                for variable, value in zip(self.parts.names, values, strict=True):
                    about["variables"].setdefault(variable, {}).setdefault("custom_properties", {})[name] = value
        return about | ({"custom_properties": custom} if custom else {})


def _readable(record: Record) -> dict[str, Any]:
    found = {}
    for name in record:
        try:
            found[name] = json_safe(plain(record[name]))
        except MatlensError:
            # It is only told of: the columns do not depend on it.
            continue
    return found


def stored_tabular(reader: Reader, class_name: str, properties: Mapping[str, Elements], decode: Decode) -> Tabular:
    """Find the parts of a table or timetable from its properties.

    Raises
    ------
    CorruptFile
        If a part is missing, or if the parts do not fit each other.
    """
    record = Record(reader, properties, decode)
    rows: Elements | RowTimes | None
    if class_name == "table":
        details = record.record("props")
        parts = convert("table", record, lambda found: table_parts(found, details))
        variables, rows = record.cells("data"), record.elements("rownames")
        if rows is not None and not 0 < reader.headers(rows).numel[0] == parts.row_count:
            rows = None
        found = Tabular(parts, variables, rows, details.record("CustomProps"), details.record("VariableCustomProps"))
    else:
        record = record.record("any")
        parts = convert("timetable", record, lambda found: timetable_parts(found, record.record("arrayProps")))
        rows = _row_times(reader, record, parts.row_count)
        custom = record.record("CustomProps"), record.record("VariableCustomProps")
        found = Tabular(parts, record.cells("data"), rows, *custom)
    if len(parts.names) != len(found.variables):
        raise CorruptFile(f"{len(parts.names)} names for {len(found.variables)} variables of a table")
    return found


MAP_PARTS = {"containers.Map": ("serialization", "keys", "values"), "dictionary": ("data", "Key", "Value")}
"""The property of a map that holds everything, and its fields of keys and of values."""


def stored_map(reader: Reader, class_name: str, properties: Mapping[str, Elements], decode: Decode) -> Tabular:
    """Find the keys and values of a containers.Map or dictionary, as a table with a row for each entry.

    Raises
    ------
    CorruptFile
        If there are more keys than values, or fewer.
    """
    whole, *parts = MAP_PARTS[class_name]
    record = Record(reader, properties, decode).record(whole)
    stored = [elements for elements in map(record.elements, parts) if elements is not None]
    counts = [_count(reader, elements, record, name) for elements, name in zip(stored, parts, strict=False)]
    if len(stored) < len(parts) or not any(counts):
        # Whatever an empty map has for its entries says nothing of those of others.
        nothing = Elements(next(iter(properties.values())).segment, np.array([NOTHING]))
        stored, counts = [nothing, nothing], [0, 0]
    if counts[0] != counts[1]:
        raise CorruptFile(f"{counts[0]} keys for {counts[1]} values of a {class_name}")
    names, none = ["key", "value"], Record(reader, {}, decode)
    about = TableParts(names, names, counts[0], ["", ""], [], [], [], "")
    return Tabular(about, stored, None, none, none, are_vectors=True)


def _count(reader: Reader, elements: Elements, record: Record, name: str) -> int:
    """How many keys or values there are; an array of MATLAB's own classes tells only when it is decoded."""
    headers = reader.headers(elements)
    headers.raise_first_error()
    is_array = headers.cls[0] == MatlabClass.OPAQUE and headers.class_name(0) in ARRAYS
    return int(np.size(record[name])) if is_array else int(headers.numel[0])


def _row_times(reader: Reader, record: Record, count: int) -> Elements | RowTimes | None:
    """Where the times of the rows are stored; or those of a regular timetable, from its origin and its step or rate."""
    regular = record.record("rowTimes")
    if not len(regular):
        return record.elements("rowTimes")
    # They take no room in a file, so that any number may be declared.
    if 8 * count > reader.limits.memory:
        raise LimitExceeded.of(reader.limits, "memory", f"{count} evenly spaced times")
    found: RowTimes = convert("timetable", regular, lambda _: _regular_times(regular, count))
    return found


def _regular_times(regular: Record, count: int) -> RowTimes:
    origin_class, origin = regular.object("origin")
    if origin_class not in ("datetime", "duration"):
        raise CorruptFile(f"expected a datetime or duration as the first time of a table, found {origin_class!r}")
    is_datetime = origin_class == "datetime"
    start = np.asarray(origin["data" if is_datetime else "millis"]).ravel()[0]
    zone = time_zone(origin) if is_datetime else ""
    step_class, step = regular.object("stepSize")
    if np.asarray(regular.get("specifiedAsRate", False)).any():
        rate = float(np.asarray(regular["sampleRate"]).ravel()[0])
        times = regular_times(start, np.arange(count) * 1000.0 / rate)
    elif step_class == "duration":
        times = regular_times(start, np.arange(count) * float(np.asarray(step["millis"]).ravel()[0]))
    elif step_class == "calendarDuration":
        times = calendar_times(start, CalendarStep.of(step["components"]), count, zone)
    else:
        raise CorruptFile(f"expected a duration between the times of a table, found {step_class!r}")
    return RowTimes(times.view("M8[us]" if is_datetime else "m8[us]"), zone)
