"""Structs, struct arrays, and the fields of all their records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from matlens.columns.unify import Rows
from matlens.formats.places import field_suffix, python_field, subscript
from matlens.formats.records import Elements, Headers
from matlens.tree.nodes.containers import CellNode, Container
from matlens.tree.nodes.leaves import NumericNode
from matlens.tree.nodes.node import Label, Node, Owner
from matlens.tree.nodes.texts import fields_preview, find_name
from matlens.tree.paths import Index, Selection
from matlens.values.loadmat_form import LoadmatOptions, decode_values

if TYPE_CHECKING:
    from matlens.columns.stored_tables import StoredTable

MAX_VECTORS = 4096
"""A struct of more fields is no table of columns."""


class ArrayOfRecords(Protocol):
    """What `FieldNode` needs of a struct array, or of an array of objects."""

    _headers: Headers

    @property
    def dims(self) -> tuple[int, ...]: ...

    @property
    def nbytes(self) -> int: ...

    @property
    def _stored_bytes(self) -> int: ...

    def _field_label(self, name: str) -> Label: ...

    def _element_paths(self, start: int, stop: int | None) -> list[tuple[str, str]]: ...

    def _narrow(self, chosen: Selection) -> Node: ...


class FieldNode(CellNode):
    """One field of all elements of a struct array, or of an array of objects, as the cell ``{s.field}``."""

    kind = "field"

    def __init__(self, owner: Owner, parent: ArrayOfRecords, name: str, elements: Elements) -> None:
        super().__init__(owner, parent._headers, *parent._field_label(name))
        self._records_elements = elements
        self._parent = parent

    @property
    def dims(self) -> tuple[int, ...]:
        return self._parent.dims

    def _cell_elements(self) -> Elements:
        return self._records_elements

    @property
    def _is_part(self) -> bool:
        return True

    @property
    def matlab_class(self) -> str:
        return "cell"

    @property
    def nbytes(self) -> int:
        return self._parent.nbytes

    def children(self, start: int = 0, stop: int | None = None) -> list[Node]:
        with self._guarded():
            elements = self._records_elements.take(slice(start, stop))
            records = self._parent._element_paths(start, stop)
            suffix = (field_suffix(self.name), python_field(self.name))
            labels = [("", path + suffix[0], python + suffix[1]) for path, python in records]
            return self._owner._make_nodes(elements, labels)

    def _index(self, step: Index) -> Node:
        chosen = self._select(step)
        if not chosen.is_scalar:
            return self._parent._narrow(chosen)._field(self.name)
        return self._chosen(chosen)

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        from matlens.columns.stored_tables import ElementsTable

        stored = self._parent._stored_bytes
        return ElementsTable(self._owner._reader, [self.name], [self._records_elements], stored_bytes=stored)

    def _decoded(self, options: LoadmatOptions) -> Any:
        return decode_values(self._owner._reader, self._records_elements, options).reshape(self.dims, order="F")


class StructNode(Node, Mapping[str, Node]):
    """A 1x1 struct, or one record of a struct array: a mapping of field names to nodes."""

    kind = "struct"
    _holds_nodes: ClassVar[bool] = True

    # A value is read anew each time, so that nodes are equal only to themselves.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(
        self,
        owner: Owner,
        headers: Headers,
        name: str,
        path: str,
        python_path: str,
        record: tuple[tuple[str, ...], Elements] | None = None,
    ) -> None:
        super().__init__(owner, headers, name, path, python_path)
        self._record = record
        self._is_record = record is not None

    @property
    def dims(self) -> tuple[int, ...]:
        return (1, 1)

    @property
    def _is_part(self) -> bool:
        return self._is_record

    def _fields_and_elements(self) -> tuple[tuple[str, ...], Elements]:
        """Field names, and the element of each field."""
        if self._record is None:
            with self._guarded():
                groups = self._owner._reader.children(self._headers)
                self._record = (groups[0].fields or (), groups[0].elements)
        return self._record

    def fields(self) -> tuple[str, ...]:
        """Field names, in stored order."""
        return self._fields_and_elements()[0]

    def get(self, name: str, default: Any = None) -> Any:
        """The field `name`, or `default` where there is none."""
        if name not in self:
            return default
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields())

    def __len__(self) -> int:
        return len(self.fields())

    def __contains__(self, name: object) -> bool:
        return name in self.fields()

    def __bool__(self) -> bool:
        return len(self) > 0

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.fields())

    @property
    def nbytes(self) -> int:
        return 0 if self._is_record else super().nbytes

    @property
    def child_count(self) -> int:
        return len(self.fields())

    def children(self, start: int = 0, stop: int | None = None) -> list[Node]:
        with self._guarded():
            fields, elements = self._fields_and_elements()
            labels = list(map(self._field_label, fields[start:stop]))
            return self._owner._make_nodes(elements.take(slice(start, stop)), labels)

    def _field(self, name: str) -> Node:
        position = find_name(name, self.fields())
        return self.children(position, position + 1)[0]

    def _index(self, step: Index) -> Node:
        self._select(step)
        return self

    def _value(self) -> StructNode:
        return self

    def _decoded(self, options: LoadmatOptions) -> Any:
        if not self._is_record:
            return super()._decoded(options)
        fields, elements = self._fields_and_elements()
        values = decode_values(self._owner._reader, elements, options)
        record = np.empty((1, 1), [(name, object) for name in fields])
        for name, value in zip(fields, values, strict=True):
            record[name][0, 0] = value
        return record

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        from matlens.columns.array_tables import JoinedTable
        from matlens.columns.stored_tables import ElementsTable

        fields, elements = self._fields_and_elements()
        columns = self._vectors() if rows != Rows.RECORDS else []
        if columns:
            return JoinedTable(columns, fields)
        found = ElementsTable(self._owner._reader, fields, [elements.take([k]) for k in range(len(fields))])
        is_single = 0 < len(self) <= MAX_VECTORS and all(node._column_length is None for node in self.children())
        found.rows = Rows.SINGLE if is_single else Rows.RECORDS
        return found

    def _vectors(self) -> list[StoredTable]:
        """A column for each field if all are vectors of one length, or matrices of as many rows; else none."""
        nodes = self.children() if 0 < len(self) <= MAX_VECTORS else []
        sizes = {node._column_length for node in nodes} - {None}
        if len(sizes) != 1:
            return []
        (rows,) = sizes
        if not all(node._column_length == rows or _is_matrix(node, rows) for node in nodes):
            return []
        return [node._column() for node in nodes]

    def _preview(self, depth: int, width: int) -> str:
        return fields_preview(self.children(0, 8), depth, width) + (", …" if len(self) > 8 else "")


class ObjectNode(StructNode):
    """An object of an old-style class (``@class`` folder): its fields are what was stored."""

    kind = "object"


class StructArrayNode(Container):
    """A struct array: children are its records; a field name gives the field of all of them."""

    kind = "struct array"

    def fields(self) -> tuple[str, ...]:
        """Field names, in stored order."""
        with self._guarded():
            return self._stored()[0] or ()

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.fields())

    def _element_paths(self, start: int, stop: int | None) -> list[tuple[str, str]]:
        """MATLAB and Python paths of the records from `start` to before `stop`."""
        dims = self._headers.shape(0)
        path, python = self._whole.path, self._whole.python_path
        return [(path + subscript(p, dims, "()"), python + subscript(p, dims, "[]")) for p in self._listed(start, stop)]

    def _field_elements(self, name: str) -> Elements:
        """The elements of one field, for the records of this node."""
        fields, elements = self._stored()
        position = find_name(name, fields or ())
        return elements.take(self._positions(0, None) * len(fields or ()) + position)

    def children(self, start: int = 0, stop: int | None = None) -> list[Node]:
        with self._guarded():
            fields, elements = self._stored()
            names = fields or ()
            nodes: list[Node] = []
            for position, (path, python) in zip(
                self._listed(start, stop), self._element_paths(start, stop), strict=True
            ):
                first = position * len(names)
                record = (names, elements.take(slice(first, first + len(names))))
                nodes.append(StructNode(self._owner, self._headers, "", path, python, record))
            return nodes

    def _field(self, name: str) -> Node:
        with self._guarded():
            return FieldNode(self._owner, self, name, self._field_elements(name))

    def _narrow(self, chosen: Selection) -> Node:
        return self._chosen(chosen) if chosen.is_scalar else super()._narrow(chosen)

    def _value(self) -> StructArrayNode:
        return self

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        from matlens.columns.stored_tables import ElementsTable

        fields = self.fields()
        columns = [self._field_elements(name) for name in fields]
        return ElementsTable(self._owner._reader, fields, columns, stored_bytes=self._stored_bytes)

    def _preview(self, depth: int, width: int) -> str:
        names = self.fields()
        return "fields " + ", ".join(names[:12]) + ("…" if len(names) > 12 else "") if names else ""


def _is_matrix(node: Node, rows: int | None) -> bool:
    """Whether a value is a matrix of so many rows of two numbers or more."""
    return isinstance(node, NumericNode) and len(node.dims) == 2 and node.dims[0] == rows and node.dims[1] > 1
