"""Which Arrow form a column takes: decided from the headers of all its elements, values unread.

A column may be read in windows of rows, whose arrays must all have one type. So its form
is planned first, over the headers of every window, and the windows are built after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.columns.notes import Note
from matlens.columns.object_columns import item_type, items_of
from matlens.columns.unify import Kind, Layout, Shapes, common_dtype, holds_exactly, kinds_of, wide_candidates
from matlens.formats.dtypes import value_dtype
from matlens.formats.loadmat_output import is_undecoded
from matlens.formats.ragged import ragged_ranges
from matlens.formats.reader import Reader
from matlens.formats.records import CLASS_DTYPES, Children, Elements, Headers, Int64s, MatlabClass
from matlens.formats.visit import Walk, kinds
from matlens.names import safe_column_names
from matlens.values.loadmat_form import decode_values

__all__ = ["ColumnPlan", "Planner", "is_numeric", "leaf_type", "reorder_children"]

INT32_MAX = 2**31 - 1
UTF8_BYTES = 3
"""Bytes of UTF-8 that one UTF-16 code unit becomes at most."""

_IS_NUMBER = np.zeros(256, bool)
# Damaged elements that are passed over count as [], which is null.
_IS_NUMBER[[*CLASS_DTYPES, MatlabClass.UNKNOWN]] = True
_ITEMSIZE = np.zeros(256, np.int64)
for _cls, _dtype in CLASS_DTYPES.items():
    _ITEMSIZE[_cls] = _dtype.itemsize
_ITEMSIZE[MatlabClass.CHAR] = UTF8_BYTES

Level = tuple[Headers, list[Children]]
"""The headers of a level of values, and their children."""


@dataclass(slots=True)
class ColumnPlan:
    """What is known of all elements of one column, and the form that follows from it.

    Attributes
    ----------
    path : str
        Names of the fields down to the column, with ``{}`` for elements of cells.
    kinds : list of Kind
        Kinds that occur, empty numeric arrays left aside.
    fields : list of str
        Field names of structs, in order of first appearance.
    lacking : bool
        Some structs do not have this field.
    """

    path: str
    kinds: list[Kind] = field(default_factory=list)
    fields: list[str] = field(default_factory=list)
    lacking: bool = False
    shapes: Shapes = field(default_factory=Shapes)
    _classes: dict[int, str] = field(default_factory=dict)
    _types: dict[tuple[int, bool, bool], bool] = field(default_factory=dict)
    _exact: dict[Any, bool] = field(default_factory=dict)
    _rows_only: bool = True
    _vectors_only: bool = True
    _ones_only: bool = True
    _units: int = 0
    _records: int = 0
    _sparse_types: set[tuple[bool, bool]] = field(default_factory=set)
    object_classes: set[str] = field(default_factory=set)
    objects_alone: bool = True
    objects_known: bool = True

    def add(self, headers: Headers) -> Int64s:
        """Take notice of some elements; indices of those that are not null."""
        is_number = is_numeric(headers)
        self._note_classes(headers)
        self.shapes.add(headers, is_number)
        if is_number.all():
            if Kind.NUMBER not in self.kinds and (headers.numel > 0).any():
                self.kinds.append(Kind.NUMBER)
            return np.zeros(0, np.int64)
        present = np.flatnonzero(~(is_number & (headers.numel == 0)))
        self.kinds += [kind for kind in kinds_of(headers.cls[present]) if kind not in self.kinds]
        if len(self.kinds) == 1:
            self._note_others(headers if len(present) == len(headers) else headers.take(present))
        return present

    def _note_classes(self, headers: Headers) -> None:
        for (cls, is_complex, is_logical), index in kinds(headers):
            if cls == MatlabClass.UNKNOWN:
                continue
            self._classes.setdefault(2 * cls + is_logical, headers.class_name(int(index[0])))
            if _IS_NUMBER[cls] and not self._types.get((cls, is_complex, is_logical)):
                self._types[cls, is_complex, is_logical] = bool((headers.numel[index] > 0).any())
            elif cls == MatlabClass.SPARSE:
                self._sparse_types.add((is_complex, is_logical))

    def _note_others(self, headers: Headers) -> None:
        """What decides the form of text, cells and structs, as long as there is one kind of them."""
        numel, dims, flat = headers.numel, headers.dims, headers.ndim == 2
        if self.kinds == [Kind.CHAR]:
            self._units += int(numel.sum())
            self._rows_only &= bool((((dims[:, 0] == 1) & flat) | (numel == 0)).all())
        elif self.kinds == [Kind.CELL]:
            self._records += int(numel.sum())
            self._vectors_only &= bool((flat & ((dims == 1).any(axis=1) | (numel == 0))).all())
        elif self.kinds == [Kind.STRUCT]:
            self._records += int(numel.sum())
            self._ones_only &= bool((numel == 1).all())

    # --- what follows --------------------------------------------------------------

    @property
    def classes(self) -> list[str]:
        """MATLAB classes that occur, each once, in the order of their numbers."""
        return [self._classes[code] for code in sorted(self._classes)]

    @property
    def kind(self) -> Kind | None:
        """The one kind of the column; None where kinds or types do not unify."""
        if len(self.kinds) > 1 or (self.kinds == [Kind.SPARSE] and len(self._sparse_types) > 1):
            return None
        kind = self.kinds[0] if self.kinds else Kind.NUMBER
        return None if kind == Kind.NUMBER and self.dtype is None else kind

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
    def is_text_row(self) -> bool:
        """Whether every char array is a single row."""
        return self._rows_only

    @property
    def is_record(self) -> bool:
        """Whether every struct is 1x1."""
        return self._ones_only

    @property
    def may_miss(self) -> bool:
        """Whether some entries may be null."""
        return self.lacking or bool(self.shapes.empties)

    @property
    def is_large(self) -> bool:
        """Whether offsets into all items of the column need 64 bits."""
        return max(self.shapes.items, self._records, self._units * UTF8_BYTES) > INT32_MAX

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
        elif kind == Kind.OPAQUE:
            found += self._notes_of_objects()
        if kind == Kind.NUMBER and self.shapes.layout == Layout.FREE:
            found.append(Note(self.path, "dims vary: stored as row-major data and shape", is_lossy=False))
        lost = 0 if kind is None else self.shapes.lost_empties(are_numbers=kind == Kind.NUMBER)
        if lost:
            found.append(Note(self.path, f"empty arrays lose their dims: {lost:,}"))
        if self.lacking:
            found.append(Note(self.path, "some structs lack this field: null"))
        return found

    @property
    def object_item(self) -> pa.DataType | None:
        """Arrow type of one element of the objects, None where there is no such type."""
        return item_type(self.object_classes) if self.objects_known else None

    def _notes_of_objects(self) -> list[Note]:
        names = ", ".join(sorted(self.object_classes))
        if not self.objects_known:
            return [Note(self.path, f"objects of class {names} without a table of objects: null")]
        if self.object_item is None:
            return [Note(self.path, f"objects of class {names}: JSON text")]
        if "datetime" in self.object_classes:
            return [Note(self.path, "time zones of datetimes inside other values are not kept: UTC", is_lossy=False)]
        return []


def is_numeric(headers: Headers) -> NDArray[np.bool_]:
    """Which elements are numbers or logicals."""
    return np.asarray(_IS_NUMBER[headers.cls])


class Planner:
    """Plans the columns below one or several paths, window by window.

    Parameters
    ----------
    reader : Reader
    keep : bool
        Keep headers and children in `levels`, to build the only window from.
    """

    def __init__(self, reader: Reader, *, keep: bool = False) -> None:
        self._reader = reader
        self._walk = Walk(reader)
        self._keep = keep
        self._values_of: set[str] | None = None
        self.columns: dict[str, ColumnPlan] = {}
        self.levels: dict[str, Level] = {}

    def add(self, elements: Elements, path: str, owner: Int64s | None = None) -> Int64s:
        """Plan with some elements of a column; about how many bytes each will take in Arrow."""
        headers = self._walk.enter(elements, owner)
        headers.raise_first_error()
        plan = self.columns.setdefault(path, ColumnPlan(path))
        if self._values_of is None:
            index = plan.add(headers)
        else:
            index = np.flatnonzero(~(is_numeric(headers) & (headers.numel == 0)))
            if path in self._values_of:
                self._add_values(plan, headers)
        sizes = headers.numel * _ITEMSIZE[headers.cls] * (1 + headers.is_complex) + 1
        groups: list[Children] = []
        if plan.kinds == [Kind.OPAQUE] and len(index):
            self._add_objects(plan, headers.take(index))
        if plan.kinds in ([Kind.CELL], [Kind.STRUCT]) and len(index):
            present = headers if len(index) == len(headers) else headers.take(index)
            groups = self._reader.children(present)
            below = self._cells if plan.kinds == [Kind.CELL] else self._structs
            sizes += below(plan, groups, index, len(headers))
        else:
            sizes += np.where(is_numeric(headers) | (headers.cls == MatlabClass.CHAR), 0, headers.nbytes)
        if self._keep:
            self.levels[path] = headers, groups
        self._walk.leave()
        return np.asarray(sizes)

    def _add_objects(self, plan: ColumnPlan, headers: Headers) -> None:
        """Whether each stands for one element; how many an object holds is not in its header."""
        plan.object_classes |= set(headers.class_names.values())
        if plan.object_item is not None and plan.objects_alone:
            values = decode_values(self._reader, headers.elements)
            plan.objects_known &= not any(is_undecoded(value) for value in values)
            plan.objects_alone = plan.objects_known and all(len(items_of(value)) == 1 for value in values)

    def _cells(self, plan: ColumnPlan, groups: list[Children], index: Int64s, total: int) -> Int64s:
        sizes = np.zeros(total, np.int64)
        for group in groups:
            owner = index[np.repeat(group.parents, np.diff(group.offsets))]
            if len(owner):
                below = self.add(group.elements, f"{plan.path}{{}}", owner)
                sizes += np.bincount(owner, below, total).astype(np.int64)
        return sizes

    def _structs(self, plan: ColumnPlan, groups: list[Children], index: Int64s, total: int) -> Int64s:
        sizes = np.zeros(total, np.int64)
        names = list(dict.fromkeys(name for group in groups for name in group.fields or ()))
        records = sum(int(group.offsets[-1]) for group in groups)
        seen = plan._records > records
        added = [name for name in names if name not in plan.fields]
        plan.fields += added
        for name in names:
            elements, _, owner = reorder_children(groups, name, index)
            path = column_path(plan.path, name)
            below = self.add(elements, path, owner)
            sizes += np.bincount(owner, below, total).astype(np.int64)
            self.columns[path].lacking |= len(elements) < records or (seen and name in added)
        for name in plan.fields:
            if name not in names:
                self.columns[column_path(plan.path, name)].lacking = True
        return sizes

    def _add_values(self, plan: ColumnPlan, headers: Headers) -> None:
        for _, index in kinds(headers):
            plan.add_values(self._reader.gather(headers.take(index))[0])

    def plan(self, columns: Sequence[tuple[Elements, str]], window: int | None = None) -> Int64s:
        """Plan columns of equal length, `window` rows at a time; about how many bytes each row will take.

        Where classes alone do not tell a dtype, the values of such columns are read.
        """
        sizes = self._pass(columns, window)
        wanting = {path for path, plan in self.columns.items() if plan.needs_values}
        if wanting:
            self._values_of, self._walk, self._keep = wanting, Walk(self._reader), False
            self._pass(columns, window)
        return sizes

    def _pass(self, columns: Sequence[tuple[Elements, str]], window: int | None) -> Int64s:
        total = max((len(elements) for elements, _ in columns), default=0)
        step = window or max(total, 1)
        sizes = np.zeros(total, np.int64)
        for start in range(0, total, step):
            rows = slice(start, start + step)
            for elements, path in columns:
                sizes[rows] += self.add(elements.take(rows), path)
        return sizes

    # --- types ---------------------------------------------------------------------

    def type_of(self, path: str) -> pa.DataType:
        """Arrow type of the column at `path`."""
        plan = self.columns.get(path)
        if plan is None:
            return pa.null()
        large = plan.is_large
        text = pa.large_string() if large else pa.string()
        match plan.kind:
            case Kind.NUMBER:
                return _number_type(plan.shapes, leaf_type(plan.dtype), large)
            case Kind.CHAR:
                return text if plan.is_text_row else pa.list_(pa.string())
            case Kind.CELL:
                return list_type(self.type_of(f"{path}{{}}"), large)
            case Kind.STRUCT:
                record = self.record_type(path)
                return record if plan.is_record else list_type(record, large)
            case Kind.SPARSE:
                ((is_complex, is_logical),) = plan._sparse_types
                value = np.dtype(bool) if is_logical else np.dtype("c16" if is_complex else "f8")
                index, value_type = list_type(pa.int64(), large), list_type(leaf_type(value), large)
                shape = pa.list_(pa.int64(), 2)
                return pa.struct({"row": index, "col": index, "value": value_type, "shape": shape})
            case Kind.OPAQUE:
                item = plan.object_item
                return text if item is None else item if plan.objects_alone else list_type(item, large)
        return pa.string()

    def record_type(self, path: str) -> pa.DataType:
        """Arrow type of one record of the structs at `path`."""
        fields = self.columns[path].fields
        if not fields:
            return pa.struct({"_": pa.bool_()})
        types = [self.type_of(column_path(path, name)) for name in fields]
        return pa.struct(list(zip(safe_column_names(fields), types, strict=True)))

    def notes(self) -> list[Note]:
        """Notes of all columns, and of the names that were changed."""
        found = [note for plan in self.columns.values() for note in plan.notes()]
        for plan in self.columns.values():
            found += renamed_notes(plan.fields, plan.path)
        return found


def renamed_notes(names: list[str], path: str = "") -> list[Note]:
    """A note for each name that is not fit for a column."""
    pairs = zip(names, safe_column_names(names), strict=True)
    return [Note(column_path(path, name), f"named {safe!r}") for name, safe in pairs if name != safe]


def column_path(path: str, name: str) -> str:
    """Path of the column of a field."""
    return f"{path}.{name}" if path else name


def leaf_type(dtype: np.dtype[Any] | None) -> pa.DataType:
    """Arrow type of numbers; complex ones are structs of real and imag."""
    dtype = np.dtype("f8") if dtype is None else dtype
    if dtype.kind == "c":
        part = pa.from_numpy_dtype(np.dtype(f"f{dtype.itemsize // 2}"))
        return pa.struct({"real": part, "imag": part})
    return pa.from_numpy_dtype(dtype)


def _number_type(shapes: Shapes, leaf: pa.DataType, large: bool) -> pa.DataType:
    """Arrow type of a column of numbers, from its layout."""
    for size in reversed(shapes.lists):
        leaf = pa.list_(leaf, size)
    if shapes.layout in (Layout.ROWS, Layout.VECTOR):
        return list_type(leaf, large)
    if shapes.layout == Layout.FREE:
        return pa.struct({"data": list_type(leaf, large), "shape": pa.list_(pa.int64())})
    return leaf


def list_type(items: pa.DataType, large: bool) -> pa.DataType:
    return pa.large_list(items) if large else pa.list_(items)


def reorder_children(groups: list[Children], name: str, index: Int64s) -> tuple[Elements, Int64s, Int64s]:
    """Elements of one field over all structs, the record of each, and the element that owns it.

    `index` says which elements the parents of the groups are.
    """
    total = max((int(group.parents.max(initial=-1)) for group in groups), default=-1) + 1
    counts = np.zeros(total, np.int64)
    for group in groups:
        counts[group.parents] = np.diff(group.offsets)
    starts = np.concatenate([[0], np.cumsum(counts)])
    targets, positions, owners = [], [], []
    for group in groups:
        if name not in (group.fields or ()):
            continue
        records = np.diff(group.offsets)
        targets.append(ragged_ranges(starts[group.parents], records))
        positions.append(group.column((group.fields or ()).index(name)).positions)
        owners.append(index[np.repeat(group.parents, records)])
    target = np.concatenate(targets)
    order: Any = np.argsort(target, kind="stable") if len(groups) > 1 else slice(None)
    elements = Elements(groups[0].elements.segment, np.concatenate(positions)[order])
    return elements, target[order], np.concatenate(owners)[order]
