"""Which Arrow form columns take: decided from the headers of all their elements, values unread.

A column may be read in windows of rows, whose arrays must all have one type. So its form
is planned first, over the headers of every window, and the windows are built after it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from matlens.columns.buffers import NO_FIELDS
from matlens.columns.column_plan import ColumnPlan, column_path
from matlens.columns.notes import Note
from matlens.columns.plan_json import VERSION, column_from_dict, column_to_dict
from matlens.columns.unify import Kind, Layout, Rows, Shapes
from matlens.errors import FormMismatch
from matlens.names import safe_column_names


class Plan:
    """Columns by path: a name, then the fields below it, with ``{}`` for the elements of cells.

    A plan comes of headers alone, and plans of several windows, values or files merge.

    Examples
    --------
    >>> import numpy as np
    >>> from matlens.formats.memory import LoadmatReader
    >>> from matlens.columns.planner import plan_of
    >>> first, second = (plan_of(LoadmatReader({"x": x}), "x") for x in (np.int8([[1]]), np.int16([[1, 2]])))
    >>> print(first.type_of("x"), second.type_of("x"), first.merge(second).type_of("x"), sep="; ")
    int8; fixed_size_list<item: int16>[2]; list<item: int16>
    """

    def __init__(self, rows: Rows = Rows.RECORDS) -> None:
        self.columns: dict[str, ColumnPlan] = {}
        self.rows = rows

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and (self.rows, self.columns) == (other.rows, other.columns)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Plan of {len(self.columns)} columns: {', '.join(list(self.columns)[:8])}>"

    def merge(self, other: Plan) -> Plan:
        """The plan of all elements of both: in any order, and as often as one likes, the same.

        Examples
        --------
        >>> import matlens
        >>> file = matlens.open("fixtures/kinds_v7.mat")
        >>> small, large = (file.at(path).form() for path in ("integers.i8", "integers.i64"))
        >>> small.merge(large) == large.merge(small)
        True
        """
        merged = Plan(max(self.rows, other.rows, key=lambda rows: rows.value))
        for path in sorted({*self.columns, *other.columns}):
            mine, others = (plan.columns.get(path, ColumnPlan(path)) for plan in (self, other))
            merged.columns[path] = mine.merge(others)
        for path, plan in merged.columns.items():
            for part in (self, other):
                known = part.columns.get(path)
                for name in plan.positions if known is not None and (known.records or known.tables) else ():
                    if known is not None and name not in known.positions:
                        merged.columns[column_path(path, name)].lacking = True
        return merged

    def add_root(self, names: Sequence[str]) -> None:
        """Make these the columns of the table, in their order: the fields at the path ``""``."""
        self.columns[""] = ColumnPlan("")
        self.columns[""].add_fields(names)

    def part(self, name: str) -> Plan:
        """The plan of one column, and of what is below it."""
        found = Plan()
        found.add_root([name])
        inside = (f"{name}.", f"{name}{{")
        found.columns |= {path: p for path, p in self.columns.items() if path == name or path.startswith(inside)}
        return found

    def to_json(self) -> str:
        """The plan as JSON, which `from_json` reads.

        Examples
        --------
        >>> import matlens
        >>> form = matlens.open("fixtures/annotations_v7.mat")["annotations"].form()
        >>> Plan.from_json(form.to_json()) == form
        True
        """
        columns = {path: column_to_dict(column) for path, column in self.columns.items()}
        return json.dumps({"form": VERSION, "rows": self.rows.name.lower(), "columns": columns}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` wrote; `FormMismatch` tells of text that is not one."""
        try:
            stored = json.loads(text)
            if stored["form"] != VERSION:
                raise FormMismatch(f"a form of version {stored['form']!r}, {VERSION} is known")
            plan = cls(Rows[stored["rows"].upper()])
            plan.columns = {path: column_from_dict(path, column) for path, column in stored["columns"].items()}
        except FormMismatch:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise FormMismatch(f"expected a form as JSON, found {text[:40]!r}: {error}") from None
        return plan

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
            case Kind.TABLE | Kind.MAP:
                return list_type(self.record_type(path), large)
            case Kind.OPAQUE if plan.are_records:
                record = self.record_type(path)
                return record if plan.objects_alone else list_type(record, large)
            case Kind.OPAQUE if not plan.members_only:
                return text
            case Kind.FUNCTION | None:
                return pa.string()
        return plan.item_type if plan.objects_alone else list_type(plan.item_type, large)

    def record_type(self, path: str) -> pa.DataType:
        """Arrow type of one record of the structs at `path`."""
        fields = self.columns[path].fields
        if not fields:
            return NO_FIELDS
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
