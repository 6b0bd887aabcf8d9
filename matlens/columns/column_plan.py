"""What is known of all elements of one column: noted from their headers, merged, and what follows for its form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.classes.time_zones import arrow_zone, zone_info
from matlens.columns.notes import Note
from matlens.columns.object_columns import CALENDAR
from matlens.columns.unify import (
    ITEM_KINDS,
    TABLE_KINDS,
    Kind,
    Layout,
    Shapes,
    common_dtype,
    holds_exactly,
    kinds_of,
    wide_candidates,
)
from matlens.formats.dtypes import value_dtype
from matlens.formats.ragged import groups
from matlens.formats.records import CLASS_DTYPES, Headers, Int64s, MatlabClass

INT32_MAX = 2**31 - 1
UTF8_BYTES = 3
"""Bytes of UTF-8 that one UTF-16 code unit becomes at most."""

MAX_LEVELS = 2
"""In how many objects, one in another, an object may stand that is a struct."""
MAX_PROPERTIES = 100
"""How many properties an object may have that is a struct."""

_IS_NUMBER = np.zeros(256, bool)
# Damaged elements that are passed over count as [], which is null.
_IS_NUMBER[[*CLASS_DTYPES, MatlabClass.UNKNOWN]] = True
ITEMSIZE = np.zeros(256, np.int64)
for _cls, _dtype in CLASS_DTYPES.items():
    ITEMSIZE[_cls] = _dtype.itemsize
ITEMSIZE[MatlabClass.CHAR] = UTF8_BYTES


@dataclass(slots=True)
class ColumnPlan:
    """What is known of all elements of one column, and the form that follows from it.

    `path` has the names of the fields down to the column, with ``{}`` for elements of cells. `kinds` leaves empty
    numeric arrays aside, `positions` says where each field stands among the others, `lacking` that some structs have no
    such field, and `records` counts the elements of all structs or cells.
    """

    path: str
    kinds: list[Kind] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    lacking: bool = False
    shapes: Shapes = field(default_factory=Shapes)
    records: int = 0
    _classes: dict[int, str] = field(default_factory=dict)
    _types: dict[tuple[int, bool, bool], bool] = field(default_factory=dict)
    _exact: dict[Any, bool] = field(default_factory=dict)
    is_text_row: bool = True
    """Whether every char array is a single row."""
    is_record: bool = True
    """Whether every struct is 1x1."""
    _vectors_only: bool = True
    _units: int = 0
    _sparse_types: set[tuple[bool, bool]] = field(default_factory=set)
    object_classes: set[str] = field(default_factory=set)
    tables: int = 0
    """How many tables were seen."""
    objects_alone: bool = True
    """Whether every object is a single item."""
    objects_known: bool = True
    """Whether objects are more than references: those of `scipy.io.loadmat` output are not."""
    members_only: bool = True
    """Whether all objects of classes that are not MATLAB's own are members of enumerations."""
    properties_known: bool = True
    """Whether all objects of classes that are not MATLAB's own have properties, which are the fields."""
    inside: set[str] = field(default_factory=set)
    """Classes of the objects in whose properties these objects stand."""
    levels: int = 0
    """In how many objects, one in another, these objects stand."""
    apart: set[str] = field(default_factory=set)
    """Classes of objects that stand for all rows of a table together."""
    zones: set[str] = field(default_factory=set)
    """Time zones of points in time, empty for those without one."""
    orders: set[tuple[str, ...] | None] = field(default_factory=set)
    """Categories in their order, None for those of categorical arrays that are not ordinal."""

    def merge(self, other: ColumnPlan) -> ColumnPlan:
        """The plan of the elements of both."""
        fields = dict.fromkeys((*self.positions, *other.positions))
        return ColumnPlan(
            self.path,
            kinds=_ordered((*self.kinds, *other.kinds)),
            positions={name: min(p.positions[name] for p in (self, other) if name in p.positions) for name in fields},
            lacking=self.lacking or other.lacking,
            shapes=self.shapes.merge(other.shapes),
            records=max(self.records, other.records),
            _classes=self._classes | other._classes,
            _types=self._types | {key: filled or self._types.get(key, False) for key, filled in other._types.items()},
            _exact=self._exact | {key: exact and self._exact.get(key, True) for key, exact in other._exact.items()},
            is_text_row=self.is_text_row and other.is_text_row,
            _vectors_only=self._vectors_only and other._vectors_only,
            is_record=self.is_record and other.is_record,
            _units=max(self._units, other._units),
            _sparse_types=self._sparse_types | other._sparse_types,
            object_classes=self.object_classes | other.object_classes,
            tables=max(self.tables, other.tables),
            objects_alone=self.objects_alone and other.objects_alone,
            objects_known=self.objects_known and other.objects_known,
            members_only=self.members_only and other.members_only,
            properties_known=self.properties_known and other.properties_known,
            inside=self.inside | other.inside,
            levels=max(self.levels, other.levels),
            apart=self.apart | other.apart,
            zones=self.zones | other.zones,
            orders=self.orders | other.orders,
        )

    @property
    def fields(self) -> list[str]:
        """Names of the fields, in order of their positions and then of the alphabet."""
        return sorted(self.positions, key=lambda name: (self.positions[name], name))

    def add_fields(self, names: Sequence[str]) -> None:
        """Take notice of the fields of some structs, in their order."""
        for place, name in enumerate(names):
            self.positions[name] = min(place, self.positions.get(name, place))

    def add(self, headers: Headers) -> Int64s:
        """Take notice of some elements; indices of those that are not null."""
        is_number = is_numeric(headers)
        self._note_classes(headers)
        self.shapes.add(headers, is_number)
        if is_number.all():
            if Kind.NUMBER not in self.kinds and (headers.numel > 0).any():
                self.kinds = _ordered((*self.kinds, Kind.NUMBER))
            return np.zeros(0, np.int64)
        present = np.flatnonzero(~(is_number & (headers.numel == 0)))
        self.kinds = _ordered((*self.kinds, *kinds_of(headers.take(present))))
        self._note_others(headers if len(present) == len(headers) else headers.take(present))
        return present

    def _note_classes(self, headers: Headers) -> None:
        for (cls, is_complex, is_logical), index in groups(headers.cls, headers.is_complex, headers.is_logical):
            if cls == MatlabClass.UNKNOWN:
                continue
            if cls in (MatlabClass.OPAQUE, MatlabClass.OBJECT):
                self.object_classes |= {headers.class_name(i) for i in index.tolist()}
            else:
                self._classes[2 * cls + is_logical] = headers.class_name(int(index[0]))
            if _IS_NUMBER[cls] and not self._types.get((cls, is_complex, is_logical)):
                self._types[cls, is_complex, is_logical] = bool((headers.numel[index] > 0).any())
            elif cls == MatlabClass.SPARSE:
                self._sparse_types.add((is_complex, is_logical))

    def _note_others(self, headers: Headers) -> None:
        """What decides the form of text, cells and structs."""
        numel, dims, flat = headers.numel, headers.dims, headers.ndim == 2
        is_char, is_cell = headers.cls == MatlabClass.CHAR, headers.cls == MatlabClass.CELL
        is_struct = (headers.cls == MatlabClass.STRUCT) | (headers.cls == MatlabClass.OBJECT)
        self._units += int(numel[is_char].sum())
        self.records += int(numel[is_cell | is_struct].sum())
        self.is_text_row &= bool((((dims[:, 0] == 1) & flat) | (numel == 0) | ~is_char).all())
        self._vectors_only &= bool((flat & ((dims == 1).any(axis=1) | (numel == 0)) | ~is_cell).all())
        self.is_record &= bool(((numel == 1) | ~is_struct).all())

    # --- rows of tables ------------------------------------------------------------

    def add_copies(self, row: Headers, count: int) -> None:
        """Count `count` more elements like the only one of `row`, which was added."""
        items = count * int(row.numel[0])
        if self.kinds == [Kind.CHAR]:
            self._units += items
        elif self.kinds == [Kind.NUMBER]:
            self.shapes.items += items
        else:
            self.records += items

    def add_records(self, class_name: str) -> None:
        """Take notice of a table inside a table, of which each row is one record."""
        self.object_classes.add(class_name)
        self.kinds = _ordered((*self.kinds, Kind.STRUCT))

    def add_times(self, kind: Kind, zone: str) -> None:
        """Take notice of times that are computed."""
        self.object_classes.add(kind.value)
        self.kinds = _ordered((*self.kinds, kind))
        if kind == Kind.DATETIME:
            self.zones.add(zone)

    def add_apart(self, class_name: str) -> None:
        """Take notice of an object that has no value for each row of its table."""
        self.object_classes.add(class_name)
        self.apart.add(class_name)

    # --- what follows --------------------------------------------------------------

    @property
    def classes(self) -> list[str]:
        """MATLAB classes that occur, each once: those of arrays in the order of their numbers, then objects."""
        return [self._classes[code] for code in sorted(self._classes)] + sorted(self.object_classes)

    @property
    def kind(self) -> Kind | None:
        """The one kind of the column; None where kinds or types do not unify."""
        if len(self.kinds) > 1 or (self.kinds == [Kind.SPARSE] and len(self._sparse_types) > 1):
            return None
        kind = self.kinds[0] if self.kinds else Kind.NUMBER
        return None if kind == Kind.NUMBER and self.dtype is None else kind

    @property
    def are_records(self) -> bool:
        """Whether objects of classes that are not MATLAB's own become structs of their properties.

        Those that stand in objects of their own class or in several others do not, and those of very many properties:
        graphs of objects have no end otherwise.
        """
        return (
            self.kind == Kind.OPAQUE
            and self.properties_known
            and not self.members_only
            and not self.is_nested
            and len(self.positions) <= MAX_PROPERTIES
        )

    @property
    def is_nested(self) -> bool:
        """Whether objects stand too deep in others for a struct."""
        return self.levels > MAX_LEVELS or not self.inside.isdisjoint(self.object_classes)

    @property
    def dtypes(self) -> list[np.dtype[Any]]:
        """NumPy dtypes of the classes of numbers that occur, those of empty arrays only if there is no other."""
        wanted = [key for key, filled in self._types.items() if filled] or list(self._types)
        found = [value_dtype(cls, is_logical=logical, is_complex=cplx) for cls, cplx, logical in wanted]
        return list(dict.fromkeys(found)) or [np.dtype("f8")]

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The smallest dtype that holds all numbers exactly; None if there is none."""
        return common_dtype(self.dtypes, lambda candidate: self._exact.get(candidate, True))

    @property
    def needs_values(self) -> bool:
        """Whether the classes alone do not tell the dtype."""
        return self.kinds == [Kind.NUMBER] and bool(wide_candidates(self.dtypes))

    def add_values(self, values: NDArray[Any]) -> None:
        """Take notice of the values of some elements, where `needs_values`."""
        for candidate in wide_candidates(self.dtypes):
            self._exact[candidate] = self._exact.get(candidate, True) and holds_exactly(values, candidate)

    @property
    def may_miss(self) -> bool:
        """Whether some entries may be null."""
        return self.lacking or bool(self.shapes.empties)

    @property
    def is_large(self) -> bool:
        """Whether offsets into all items of the column need 64 bits."""
        return max(self.shapes.items, self.records, self._units * UTF8_BYTES) > INT32_MAX

    def notes(self) -> list[Note]:
        """Every choice that is not plain, and whether it loses something."""
        found = []
        kind, names = self.kind, self.classes
        if kind is None:
            found.append(Note(self.path, f"{', '.join(names)} do not unify: JSON text"))
        elif kind == Kind.NUMBER and len(self.dtypes) > 1:
            found.append(Note(self.path, f"{' and '.join(names)} promoted to {self.dtype}"))
        elif kind == Kind.CELL and not self._vectors_only:
            found.append(Note(self.path, "cell matrices become lists, column by column"))
        else:
            found += self._notes_of_objects()
        if kind == Kind.NUMBER and self.shapes.layout == Layout.FREE:
            found.append(Note(self.path, "dims vary: stored as row-major data and shape", is_lossy=False))
        if self.apart:
            found.append(Note(self.path, f"one {', '.join(sorted(self.apart))} for all rows of a table: null"))
        lost = 0 if kind is None else self.shapes.lost_empties(are_numbers=kind == Kind.NUMBER)
        if lost:
            found.append(Note(self.path, f"empty arrays lose their dims: {lost:,}"))
        if self.lacking:
            found.append(Note(self.path, "some structs lack this field: null"))
        return found

    @property
    def item_type(self) -> pa.DataType:
        """Arrow type of one item of the objects."""
        match self.kind:
            case Kind.CATEGORICAL:
                is_ordered = len(self.orders) == 1 and None not in self.orders
                return pa.dictionary(pa.int32(), pa.string(), is_ordered)
            case Kind.DATETIME:
                zone = next(iter(self.zones)) if len(self.zones) == 1 else "" if "" in self.zones else "UTC"
                return pa.timestamp("us", tz=arrow_zone(zone))
            case Kind.DURATION:
                return pa.duration("us")
            case Kind.CALENDAR_DURATION:
                return CALENDAR
        return pa.string()

    def _notes_of_objects(self) -> list[Note]:
        names = ", ".join(self.classes)
        if self.kind in ITEM_KINDS | TABLE_KINDS | {Kind.OPAQUE} and not self.objects_known:
            return [Note(self.path, f"objects of class {names} without a table of objects: null")]
        if self.kind == Kind.OPAQUE and not self.members_only and not self.are_records:
            within = " inside of objects" if self.is_nested else ""
            return [Note(self.path, f"objects of class {names}{within}: JSON text")]
        if self.kind == Kind.DATETIME and len(self.zones) > 1:
            zones = ", ".join(sorted(self.zones - {""}))
            if "" in self.zones:
                return [Note(self.path, f"some points in time have no time zone, others {zones}: none is kept")]
            return [Note(self.path, f"time zones differ: {zones}: UTC", is_lossy=False)]
        if self.kind == Kind.DATETIME and (unknown := [zone for zone in self.zones if zone and not zone_info(zone)]):
            return [Note(self.path, f"time zone {unknown[0]} is not known: UTC")]
        if self.kind == Kind.CATEGORICAL and len(self.orders) > 1 and self.orders != {None}:
            return [Note(self.path, "categories are ordered differently: the order is not kept")]
        return []


def _ordered(kinds: Iterable[Kind]) -> list[Kind]:
    """Kinds, each once, in the order of their definition."""
    found = set(kinds)
    return [kind for kind in Kind if kind in found]


def is_numeric(headers: Headers) -> NDArray[np.bool_]:
    """Which elements are numbers or logicals."""
    return np.asarray(_IS_NUMBER[headers.cls])


def column_path(path: str, name: str) -> str:
    """Path of the column of a field."""
    return f"{path}.{name}" if path else name
