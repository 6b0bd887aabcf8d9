"""Objects as Arrow columns: an element for each string, point in time, category …, a row for each row of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from matlens.classes.instances import CONVERTERS, SIZED_BY, convert
from matlens.classes.strings import CategoryArray, StoredStrings, stored_strings
from matlens.classes.time_zones import arrow_zone
from matlens.columns.buffers import MAX_OFFSET, number_array, string_array, text_array
from matlens.columns.unify import row_dims
from matlens.errors import CorruptFile
from matlens.formats.mcos import parse_reference
from matlens.formats.ragged import counts_to_offsets, units_to_utf8
from matlens.formats.reader import Reader
from matlens.formats.records import Elements, Headers, Int64s, MatlabClass
from matlens.values.loadmat_form import decode_values, decoding
from matlens.values.objects import refuse_missing
from matlens.values.table_layout import RowTimes, Tabular, stored_map, stored_tabular

CALENDAR = pa.struct({"months": pa.float64(), "days": pa.float64(), "time": pa.duration("us")})


class ObjectBatch:
    """Objects of one level: each property is decoded for all of them at once, when it is first asked for."""

    def __init__(self, reader: Reader, headers: Headers) -> None:
        self._reader, self._headers = reader, headers
        self._stored = [_stored_properties(reader, headers, i) for i in range(len(headers))]
        self._values: dict[str, list[Any]] = {}
        self._tabular: dict[int, Tabular] = {}

    def __len__(self) -> int:
        return len(self._stored)

    def class_name(self, i: int) -> str:
        return self._headers.class_name(i)

    def record(self, i: int) -> Mapping[str, Any] | None:
        """Properties of object `i`; None of one that was deleted, and of what is not decoded."""
        stored = self._stored[i]
        return None if stored is None else _RecordOfBatch(self, i, stored)

    def tabular(self, i: int) -> Tabular | None:
        """Parts of the table, timetable or map `i`; None where it is not decoded."""
        stored, reader = self._stored[i], self._reader
        if stored is not None and i not in self._tabular:
            name, decode = self.class_name(i), decoding(reader)
            make = stored_map if name in CONVERTERS else stored_tabular
            self._tabular[i] = make(reader, name, stored, decode)
        return self._tabular.get(i)

    def values(self, name: str) -> list[Any]:
        """A property of each object; None where it is not stored."""
        if name not in self._values:
            found, places = self._places(name)
            self._values[name] = [None] * len(self)
            if found is not None:
                for i, value in zip(places, decode_values(self._reader, found), strict=True):
                    self._values[name][i] = value
        return self._values[name]

    def dims(self, i: int) -> tuple[int, ...]:
        """Dims of the array of single values that object `i` is, as they are stored."""
        name, record = self.class_name(i), self.record(i)
        if record is None:
            return (1, 1)
        if name == "string":
            return _stored_strings(record).dims
        if name in SIZED_BY:
            return tuple(np.shape(record[SIZED_BY[name]]))
        return tuple(convert(name, record).shape)

    def _places(self, name: str) -> tuple[Elements | None, list[int]]:
        """Where a property stands, and of which objects."""
        places = [i for i, stored in enumerate(self._stored) if stored is not None and name in stored]
        found = [stored[name] for stored in self._stored if stored is not None and name in stored]
        if not found:
            return None, []
        return Elements(found[0].segment, np.concatenate([each.positions for each in found])), places


class _RecordOfBatch(Mapping[str, Any]):
    def __init__(self, batch: ObjectBatch, i: int, stored: Mapping[str, Elements]) -> None:
        self._batch, self._i, self._stored = batch, i, stored

    def __getitem__(self, name: str) -> Any:
        if name not in self._stored:
            raise KeyError(name)
        return self._batch.values(name)[self._i]

    def __contains__(self, name: object) -> bool:
        # Mapping's own would decode the value to know.
        return name in self._stored

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


def _stored_properties(reader: Reader, headers: Headers, i: int) -> Mapping[str, Elements] | None:
    table, stored = reader.objects(), reader.opaque(headers, i)
    refuse_missing(reader, stored)
    if table is None or not isinstance(stored.reference, np.ndarray):
        return None
    reference = parse_reference(stored.reference)
    if len(reference.object_ids) != 1:
        raise CorruptFile(f"{len(reference.object_ids)} objects of class {stored.class_name}, which is an array itself")
    number = reference.object_ids[0]
    if number and table.class_of(number) != stored.class_name:
        raise CorruptFile(f"object {number} is a {table.class_of(number)}, referred to as a {stored.class_name}")
    return table.properties(number) if number else None


def _stored_strings(record: Mapping[str, Any]) -> StoredStrings:
    found: StoredStrings = convert("string", record, lambda properties: stored_strings(properties["any"]))
    return found


def category_order(record: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Categories of an ordinal array from the least to the greatest; None of one that is not ordinal."""
    found: CategoryArray = convert("categorical", record)
    return tuple(found.names) if found.is_ordinal else None


def arrow_column(class_name: str, record: Mapping[str, Any]) -> pa.Array:
    """The elements of an array of one of `ARRAYS`, in column-major order.

    `record` has the properties of the object, in the form of `scipy.io.loadmat`.

    Examples
    --------
    >>> arrow_column("duration", {"millis": np.array([[1.5, 2.0]])}).type
    DurationType(duration[us])
    """
    if class_name == "string":
        return _string_column(_stored_strings(record))
    array = convert(class_name, record)
    if isinstance(array, CategoryArray):
        flat = array.places.ravel(order="F").astype(np.int32)
        codes = number_array(np.maximum(flat, 0), flat < 0)
        return pa.DictionaryArray.from_arrays(codes, text_array(array.names), ordered=array.is_ordinal)
    flat = np.asarray(array).ravel(order="F")
    if class_name == "datetime":
        return zoned(flat, getattr(array, "zone", ""))
    if class_name == "duration":
        return number_array(flat)
    parts = [number_array(np.ascontiguousarray(flat[name])) for name in CALENDAR.names]
    return pa.StructArray.from_arrays(parts, fields=list(CALENDAR))


def zoned(times: Any, zone: str) -> pa.Array:
    """Points in time, which are UTC where they have a zone."""
    return number_array(times).view(pa.timestamp("us", tz=arrow_zone(zone)))


def row_times(times: RowTimes) -> pa.Array:
    """Times of a regular timetable."""
    return zoned(times.values, times.zone) if times.values.dtype.kind == "M" else number_array(times.values)


def as_type(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Items in the type of their column: points in time of another zone, categories of another order.

    Examples
    --------
    >>> as_type(zoned(np.array([0], "M8[us]"), "Asia/Tokyo"), pa.timestamp("us", tz="UTC")).type
    TimestampType(timestamp[us, tz=UTC])
    """
    if array.type == kind:
        return array
    if pa.types.is_timestamp(kind):
        # The same microseconds: those with a zone are UTC whatever the zone is.
        return array.view(pa.int64()).view(kind)
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(array.indices, array.dictionary, ordered=kind.ordered)
    return array.cast(kind)


def joined(arrays: Sequence[pa.Array], kind: pa.DataType) -> pa.Array:
    """Arrays one after another, in the type of their column."""
    if not arrays:
        return pa.nulls(0, kind)
    found = [as_type(array, kind) for array in arrays]
    return found[0] if len(found) == 1 else pa.concat_arrays(found)


def by_rows(array: pa.Array, dims: tuple[int, ...]) -> pa.Array:
    """Items in column-major order brought to row-major order."""
    if math.prod(dims[1:]) <= 1 or not len(array):
        return array
    order = np.arange(len(array)).reshape(dims, order="F").ravel()
    return array.take(number_array(order))


def row_columns(found: Tabular) -> list[tuple[str, Elements | RowTimes]]:
    """Names and places of the columns of a table: the names or times of its rows come first."""
    columns: list[tuple[str, Elements | RowTimes]] = list(zip(found.parts.names, found.variables, strict=True))
    return columns if found.rows is None else [(found.parts.row_label, found.rows), *columns]


def upright(headers: Headers, count: int) -> Headers:
    """Header of a vector of so many elements as that of a column."""
    if headers.cls[0] == MatlabClass.OPAQUE or headers.numel[0] != count or not count:
        return headers
    column = replace(headers, dims=np.ones_like(headers.dims), ndim=headers.ndim.copy(), numel=headers.numel.copy())
    column.set_dims(0, (count, 1))
    return column


def row_header(headers: Headers, count: int) -> Headers:
    """Header of one row of a variable of a table of so many rows; sparse ones are told by their full form."""
    dims = headers.shape(0)
    if dims[0] != count:
        text = "x".join(map(str, dims))
        raise CorruptFile(f"expected {count} rows in a variable of a table, found dims {text}")
    cls = np.where(headers.cls == MatlabClass.SPARSE, MatlabClass.DOUBLE, headers.cls).astype(np.uint8)
    row = replace(headers, cls=cls, dims=headers.dims.copy(), ndim=headers.ndim.copy(), numel=headers.numel.copy())
    row.set_dims(0, row_dims(dims[1:]))
    return row


def _string_column(*arrays: StoredStrings) -> pa.Array:
    """Texts in column-major order; halves of a letter become U+FFFD, as UTF-8 cannot hold them."""
    units = np.concatenate([strings.units for strings in arrays])
    lengths = np.concatenate([np.diff(strings.ends, prepend=0) for strings in arrays])
    missing = np.concatenate([strings.is_missing for strings in arrays])
    data, offsets = units_to_utf8(units, counts_to_offsets(lengths))
    return string_array(data, offsets, len(data) > MAX_OFFSET, missing)


def arrow_columns(class_name: str, records: Sequence[Mapping[str, Any]], kind: pa.DataType) -> tuple[pa.Array, Int64s]:
    """The elements of several arrays of one class, one after another in the type `kind`, and how many each has."""
    if class_name == "string" and records:
        arrays = [_stored_strings(record) for record in records]
        return as_type(_string_column(*arrays), kind), np.array([len(array.ends) for array in arrays], np.int64)
    columns = [arrow_column(class_name, record) for record in records]
    return joined(columns, kind), np.array([len(column) for column in columns], np.int64)
