"""Objects of MATLAB classes: strings, dates, tables, maps, enumerations, and those of one's own classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matlens.classes.instances import ARRAYS, KNOWN_CLASSES, SIZED_BY, Instance
from matlens.classes.strings import stored_strings
from matlens.classes.time_zones import python_times
from matlens.columns.unify import Rows
from matlens.errors import CorruptFile, MatlensError, PathError, UnsupportedValue
from matlens.formats.loadmat_output import is_undecoded
from matlens.formats.mcos import ObjectReference, parse_reference
from matlens.formats.metadata_values import NOTHING
from matlens.formats.places import subscript
from matlens.formats.records import Elements, OpaqueValue
from matlens.tree.nodes.node import Node
from matlens.tree.nodes.texts import fields_preview, find_name
from matlens.tree.paths import Index
from matlens.values.loadmat_form import LoadmatOptions, decode_values, decoding
from matlens.values.objects import MISSING, refuse_missing
from matlens.values.plain import plain
from matlens.values.table_layout import Record

if TYPE_CHECKING:
    from matlens.columns.stored_tables import StoredTable


class OpaqueNode(Node):
    """An object of a MATLAB class.

    `value` is the NumPy or pandas value of MATLAB's own classes: str or an array of texts and None (string),
    datetime64[us], timedelta64[us], `pandas.Categorical`, `pandas.DataFrame` (table, timetable), dict
    (containers.Map, dictionary), texts (enumerations); of others a dict of properties with a ``class_name``, or an
    array of these. Objects outside of MATLAB's object system, Java's for instance, are an `OpaqueValue`.
    """

    kind = "opaque"
    _known_dims: tuple[int, ...] | None = None
    _known_properties: tuple[dict[str, Elements] | None] | None = None

    @property
    def dims(self) -> tuple[int, ...]:
        """Dims of the array that the object stands for: an array of strings is stored as one object."""
        if self._selection is not None:
            return self._selection.dims
        if self._known_dims is None:
            with self._guarded():
                self._known_dims = self._find_dims()
        return self._known_dims

    @property
    def _is_tabular(self) -> bool:
        """Whether it has rows: a table, a map, or an array of strings, dates and the like."""
        name = self.matlab_class
        has_rows = name in KNOWN_CLASSES and not (name in ARRAYS and self.numel == 1)
        return has_rows and self._selection is None

    def _find_dims(self) -> tuple[int, ...]:
        name, reader = self.matlab_class, self._owner._reader
        properties = self._properties() if name in KNOWN_CLASSES else None
        if properties is None:
            return np.shape(self._members()) if self._is_enumeration else self._headers.shape(0)
        sized = properties.get(SIZED_BY.get(name, ""))
        if sized is not None:
            return reader.headers(sized).shape(0)
        if name == "string":
            return stored_strings(self._part(properties, "any")).dims
        value = self._whole_value()
        return tuple(value.shape) if hasattr(value, "shape") else (1, 1)

    @property
    def _is_enumeration(self) -> bool:
        """Whether it is an array of members of an enumeration, which are known by name."""
        if self.matlab_class in KNOWN_CLASSES or self._owner._reader.objects() is None:
            return False
        stored = self._owner._reader.opaque(self._headers, 0)
        return stored.type_system == "MCOS" and isinstance(stored.reference, Elements)

    def _members(self) -> NDArray[Any]:
        value = self._whole_value()
        return np.array([[value]], object) if isinstance(value, str) else np.asarray(value)

    # --- the object ----------------------------------------------------------------

    def _reference(self) -> ObjectReference | None:
        stored = self._owner._reader.opaque(self._headers, 0)
        if stored.type_system != "MCOS" or not isinstance(stored.reference, np.ndarray):
            return None
        return parse_reference(stored.reference)

    def _properties(self) -> dict[str, Elements] | None:
        """Properties of a single object of the object system; None of arrays and of all others."""
        if self._known_properties is None:
            self._known_properties = (self._find_properties(),)
        return self._known_properties[0]

    def _find_properties(self) -> dict[str, Elements] | None:
        reference, table = self._reference(), self._owner._reader.objects()
        if reference is None or table is None:
            return None
        ids = reference.object_ids
        if self._selection is not None and self.matlab_class not in KNOWN_CLASSES:
            ids = tuple(ids[k] for k in self._selection.linear.tolist())
        return table.properties(ids[0]) if len(ids) == 1 and ids[0] else None

    def _part(self, properties: Mapping[str, Elements], name: str) -> Any:
        stored = properties.get(name)
        if stored is None:
            raise CorruptFile(f"a {self.matlab_class} without {name}")
        return decode_values(self._owner._reader, stored)[0]

    def _count(self, properties: Mapping[str, Elements], name: str) -> int:
        found = np.asarray(self._part(properties, name)).ravel()
        if found.dtype.kind not in "iuf" or len(found) != 1 or not 0 <= found[0] < 2**53:
            raise CorruptFile(f"{name} of a {self.matlab_class} is no count")
        return int(found[0])

    def _whole_value(self) -> Any:
        if self._owner._reader.objects() is None:
            stored = self._owner._reader.opaque(self._headers, 0)
            refuse_missing(self._owner._reader, stored)
            return stored
        found = decode_values(self._owner._reader, self._elements)[0]
        return self._owner._reader.opaque(self._headers, 0) if is_undecoded(found) else found

    def _value(self) -> Any:
        return self._picked(self._whole_value())

    def _picked(self, value: Any) -> Any:
        if self._selection is None:
            return value
        if not isinstance(value, np.ndarray) and hasattr(value, "take"):
            return value.take(self._selection.linear)
        flat = np.asarray(value, None if isinstance(value, np.ndarray) else object).ravel(order="F")
        picked = flat[self._selection.linear].reshape(self._selection.dims, order="F")
        return picked.item() if picked.dtype == object and picked.size == 1 else picked

    def _decoded(self, options: LoadmatOptions) -> Any:
        return self._picked(decode_values(self._owner._reader, self._elements)[0])

    def to_python(self) -> Any:
        with self._guarded():
            value = self._value()
            if isinstance(value, OpaqueValue):
                raise self._undecoded()
            return plain(value)

    # --- going down ----------------------------------------------------------------

    def _parts(self) -> list[tuple[str, Elements]]:
        """Names and places of what is below: variables of a table, properties of an object."""
        name = self.matlab_class
        properties = None if name in KNOWN_CLASSES else self._properties()
        return [] if properties is None else list(properties.items())

    @property
    def child_count(self) -> int:
        with self._guarded():
            return self.numel if self._is_array() else len(self._parts())

    def _is_array(self) -> bool:
        return self.matlab_class not in KNOWN_CLASSES and self.numel != 1 and not self._is_enumeration

    def children(self, start: int = 0, stop: int | None = None) -> list[Node]:
        with self._guarded():
            if self._is_array():
                places = range(self.numel)[start:stop] if self._selection is None else range(0)
                found = [self._index(Index("(", subscript(k, self.dims, "()")[1:-1])) for k in places]
                for element in found:
                    element.name = ""
                return found
            return [self._below(name, elements) for name, elements in self._parts()[start:stop]]

    def _below(self, name: str, elements: Elements) -> Node:
        return self._owner._make_nodes(elements, [self._field_label(name)])[0]

    def _columns(self) -> dict[str, Elements]:
        """The stored values of each property of the objects of an array, as those of a struct array."""
        reference, table = self._reference(), self._owner._reader.objects()
        if reference is None or table is None:
            return {}
        ids = np.array(reference.object_ids)[self._positions()]
        stored = [table.properties(number) if number else {} for number in ids.tolist()]
        names = dict.fromkeys(name for properties in stored for name in properties)
        nothing = Elements(table.cells.segment, np.array([NOTHING]))
        columns = {name: [properties.get(name, nothing).positions for properties in stored] for name in names}
        return {name: Elements(nothing.segment, np.concatenate(places)) for name, places in columns.items()}

    def _positions(self) -> Any:
        return slice(None) if self._selection is None else self._selection.linear

    def _element_paths(self, start: int, stop: int | None) -> list[tuple[str, str]]:
        """MATLAB and Python paths of the objects from `start` to before `stop`."""
        dims = self._headers.shape(0)
        places = np.arange(self._headers.numel[0])[self._positions()][start:stop].tolist()
        path, python = self._whole.path, self._whole.python_path
        return [(path + subscript(p, dims, "()"), python + subscript(p, dims, "[]")) for p in places]

    def _field_of_all(self, name: str) -> Node:
        """One property of all objects of an array, as the cell ``{objects.name}``."""
        from matlens.tree.nodes.structs import FieldNode

        columns = self._columns()
        names = tuple(columns)
        return FieldNode(self._owner, self, names[find_name(name, names)], columns[name])

    def _field(self, name: str) -> Node:
        with self._guarded():
            if self._is_array():
                return self._field_of_all(name)
            parts = self._parts()
            if not parts:
                raise PathError(f"a {self.matlab_class} has no properties to go into, {name!r} asked for")
            return self._below(name, parts[find_name(name, tuple(key for key, _ in parts))][1])

    # --- tables --------------------------------------------------------------------

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        import pyarrow as pa

        from matlens.columns.array_tables import ArrowTable
        from matlens.columns.buffers import number_array, structs_without_fields
        from matlens.columns.object_columns import arrow_column
        from matlens.columns.stored_tables import ElementsTable

        if self.matlab_class in ARRAYS and (properties := self._properties()) is not None:
            reader = self._owner._reader
            found = Record(reader, properties, decoding(reader))
            column = arrow_column(self.matlab_class, found)
            picked = column if self._selection is None else column.take(number_array(self._selection.linear))
            return ArrowTable(pa.table({self.name or "value": picked}))
        if self._is_array() and (columns := self._columns()):
            return ElementsTable(self._owner._reader, list(columns), list(columns.values()))
        if parts := dict(self._parts()):
            return ElementsTable(self._owner._reader, list(parts), list(parts.values()))
        value = self._value()
        if isinstance(value, Instance):
            return ArrowTable(pa.table({self.name or "value": structs_without_fields(1)}))
        if isinstance(value, OpaqueValue):
            raise self._undecoded()
        return ArrowTable(_table_of(self.name or "value", value))

    def _undecoded(self) -> MatlensError:
        """Why an object is not decoded."""
        stored = self._owner._reader.opaque(self._headers, 0)
        refuse_missing(self._owner._reader, stored)
        system = {"java": "Java", "handle": "COM"}.get(stored.type_system, stored.type_system)
        return UnsupportedValue(f"a {system} object of class {self.matlab_class}: MATLAB's own objects alone are read")

    # --- display -------------------------------------------------------------------

    def _preview(self, depth: int, width: int) -> str:
        name = self.matlab_class
        if name not in (*KNOWN_CLASSES, MISSING) and self.numel == 1 and not self._is_enumeration:
            return fields_preview(self.children(0, 8), depth, width)
        if self.numel > 10_000:
            return ""
        value = self._value()
        if isinstance(value, OpaqueValue):
            return f"an object of {value.type_system}"
        if isinstance(value, str):
            return f"'{value}'" if name == "string" else value
        if isinstance(value, np.ndarray) and value.dtype.kind == "M":
            value = [_time_text(time) for time in python_times(value.ravel(order="F")[:20])]
        if isinstance(value, np.ndarray) and any(isinstance(item, Instance) for item in value.ravel()[:1]):
            return ""
        return _text(plain(value))


class EnumerationNode(OpaqueNode):
    """Members of an enumeration inside an object, where they are stored as a struct; `value` has their names."""

    _is_enumeration = True

    @cached_property
    def _fields(self) -> dict[str, Elements]:
        groups = self._owner._reader.children(self._headers)
        return {name: groups[0].column(k) for k, name in enumerate(groups[0].fields or ())}

    @cached_property
    def matlab_class(self) -> str:
        try:
            table = self._owner._reader.objects()
            number = self._count(self._fields, "ClassName")
            return table.class_name(number) if table is not None else "struct"
        except MatlensError:
            return "struct"

    def _find_dims(self) -> tuple[int, ...]:
        indices = self._fields.get("ValueIndices")
        return self._headers.shape(0) if indices is None else self._owner._reader.headers(indices).shape(0)

    def _find_properties(self) -> None:
        return None

    def _whole_value(self) -> Any:
        return decode_values(self._owner._reader, self._elements)[0]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value[:20])) + (", …]" if len(value) > 20 else "]")
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(item)}" for key, item in list(value.items())[:8])
    return "missing" if value is None else str(value)


def _time_text(time: Any) -> str:
    """A date, with the time of day if it is not midnight."""
    return "NaT" if time is None else str(time).removesuffix(" 00:00:00")


def _table_of(name: str, value: Any) -> Any:
    """The elements of an array as a column; what Arrow cannot hold as JSON text."""
    import pyarrow as pa

    from matlens.columns.buffers import items_array
    from matlens.columns.json_texts import json_texts

    flat = value.ravel(order="F").tolist() if isinstance(value, np.ndarray) else [value]
    items = [plain(item) for item in flat]
    try:
        return pa.table({name: items_array(items)})
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return pa.table({name: json_texts(items)})
