"""containers.Map and dictionary."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from matlens.classes.maps import item_of, items_of
from matlens.columns.unify import Rows
from matlens.errors import CorruptFile, PathError
from matlens.formats.records import Elements
from matlens.tree.nodes.containers import CellNode
from matlens.tree.nodes.node import Label, Node
from matlens.tree.nodes.opaque import OpaqueNode
from matlens.tree.nodes.texts import fields_preview, find_name
from matlens.tree.paths import Index, key_suffix
from matlens.values.loadmat_form import decode_values, decoding
from matlens.values.table_layout import MAP_PARTS, Record, stored_map

if TYPE_CHECKING:
    from matlens.columns.stored_tables import StoredTable


class MapNode(OpaqueNode):
    """A containers.Map or dictionary: a mapping of its keys to nodes; `value` is a dict.

    ``m('key')`` and ``m(3)`` are paths, as in MATLAB, and ``["m"]["key"]`` in Python's form. Only the values that are
    asked for are read.
    """

    @cached_property
    def _entries(self) -> tuple[list[Any], Node | Elements | None]:
        """Keys, and the node of all values, or where each of them stands."""
        properties, reader = self._properties(), self._owner._reader
        whole, keys, values = MAP_PARTS[self.matlab_class]
        record = Record(reader, properties or {}, decoding(reader)).record(whole)
        stored = record.elements(values)
        if keys not in record or stored is None:
            return [], None
        found = items_of(record[keys])
        node = self._owner._make_nodes(stored, [("value", self.path, self.python_path)])[0]
        if len(found) != node.numel:
            raise CorruptFile(f"{len(found)} keys for {node.numel} values of a {self.matlab_class}")
        return found, node._cell_elements() if isinstance(node, CellNode) else node

    def keys(self) -> list[Any]:
        """The keys, in stored order."""
        with self._guarded():
            return list(self._entries[0])

    def __len__(self) -> int:
        return len(self.keys())

    def __iter__(self) -> Iterator[Any]:
        return iter(self.keys())

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __bool__(self) -> bool:
        return len(self) > 0

    def _ipython_key_completions_(self) -> list[Any]:
        return self.keys()

    def _find_dims(self) -> tuple[int, ...]:
        return len(self._entries[0]), 1

    @property
    def child_count(self) -> int:
        return len(self)

    def children(self, start: int = 0, stop: int | None = None) -> list[Node]:
        with self._guarded():
            places = range(len(self._entries[0]))[start:stop]
            return [self._entry(k) for k in places]

    def _entry(self, k: int) -> Node:
        """The node of one value."""
        keys, whole = self._entries
        assert whole is not None
        matlab, python = key_suffix(keys[k])
        label: Label = str(keys[k]), self.path + matlab, self.python_path + python
        if isinstance(whole, Elements):
            return self._owner._make_nodes(whole.take([k]), [label])[0]
        found = whole._index(Index("(", str(k + 1)))
        found.name, found.path, found.python_path = label
        return found

    def _field(self, name: str) -> Node:
        with self._guarded():
            keys = self._entries[0]
            if name not in keys:
                find_name(name, tuple(map(str, keys)), "key ")
                raise PathError(f"key {name!r} is a number: ({name})")
            return self._entry(keys.index(name))

    def _key(self, name: str) -> Node:
        return self._field(name)

    def _index(self, step: Index) -> Node:
        with self._guarded():
            keys = self._entries[0]
            try:
                return self._entry(keys.index(float(step.text)))
            except ValueError:
                shown = ", ".join(key_suffix(key)[0] for key in keys[:8])
                raise PathError(f"no key {step.text} in this {self.matlab_class}; there are {shown}") from None

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        from matlens.columns.tabular_table import TabularTable

        properties, reader = self._properties(), self._owner._reader
        if properties is None:
            return super()._source(axis, names, rows)
        return TabularTable(reader, stored_map(reader, self.matlab_class, properties, decoding(reader)))

    def _preview(self, depth: int, width: int) -> str:
        return fields_preview(self.children(0, 8), depth, width) + (", …" if len(self) > 8 else "")


class OctaveMapNode(MapNode):
    """A containers.Map as GNU Octave saves it: an old object whose field ``map`` has a field for each key.

    Keys that are numbers are the hexadecimal digits of their double.
    """

    @cached_property
    def _entries(self) -> tuple[list[Any], Node | Elements | None]:
        reader = self._owner._reader
        (group,) = reader.children(self._headers)
        fields = group.fields or ()
        part = {name: group.column(k) for k, name in enumerate(fields)}
        if "map" not in part:
            raise CorruptFile("a containers.Map without its field map")
        inside = reader.headers(part["map"])
        groups = reader.children(inside) if inside.numel[0] else []
        keys: list[Any] = list(groups[0].fields or ()) if groups else []
        if "numeric_keys" in part and bool(np.any(decode_values(reader, part["numeric_keys"])[0])):
            keys = [_number(key) for key in keys]
        return keys, groups[0].elements if groups else None

    def _find_properties(self) -> None:
        return None

    def _reference(self) -> None:
        return None

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        import pyarrow as pa

        from matlens.columns.array_tables import ArrowTable, JoinedTable
        from matlens.columns.buffers import items_array
        from matlens.columns.stored_tables import ElementsTable

        keys, whole = self._entries
        if not isinstance(whole, Elements):
            return super()._source(axis, names, rows)
        column = ArrowTable(pa.table({"key": items_array(keys)}))
        values = ElementsTable(self._owner._reader, ["value"], [whole])
        return JoinedTable([column, values], ["key", "value"])

    def _whole_value(self) -> Any:
        keys, stored = self._entries
        values: Any = decode_values(self._owner._reader, stored) if isinstance(stored, Elements) else []
        return {key: item_of(value) for key, value in zip(keys, values, strict=True)}


def _number(digits: str) -> float:
    try:
        (number,) = struct.unpack(">d", bytes.fromhex(digits))
    except (ValueError, struct.error):
        raise CorruptFile(f"{digits!r} is not the hexadecimal digits of a key") from None
    return float(number)
