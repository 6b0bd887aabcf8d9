"""Nodes with nodes below them: cells, structs and struct arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from matlens.errors import CorruptFile, LimitExceeded, PathError, ShapeMismatch
from matlens.formats.places import field_suffix, python_field, subscript
from matlens.formats.reader import Reader
from matlens.formats.records import Elements, Headers, Int64s, MatlabClass
from matlens.tree.nodes.leaves import CharNode, DamagedNode, FunctionNode, NumericNode, SparseNode
from matlens.tree.nodes.node import Node, Owner, fields_preview, find_name, joined
from matlens.tree.nodes.opaque import EnumerationNode, OpaqueNode, is_enumeration
from matlens.tree.nodes.rows import cells_of_rows, first_row
from matlens.tree.paths import Index, select
from matlens.values.kinds import char_values, number_arrays
from matlens.values.loadmat_form import decode_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matlens.columns.stored_tables import StoredTable

__all__ = [
    "CellNode",
    "FieldNode",
    "ObjectNode",
    "StructArrayNode",
    "StructNode",
    "make_node",
    "make_nodes",
    "vector_source",
]


MAX_VECTORS = 4096
"""A struct of more fields is no table of columns."""


class _Container(Node):
    """A node with stored children; finds them once."""

    _found: tuple[tuple[str, ...] | None, Elements] | None = None

    def _stored(self) -> tuple[tuple[str, ...] | None, Elements]:
        """Field names and all elements, element-major."""
        if self._found is None:
            groups = self._owner.reader.children(self._headers)
            self._found = (groups[0].fields, groups[0].elements) if groups else (None, self.elements.take([]))
        return self._found

    def _positions(self, start: int, stop: int | None) -> Int64s:
        """0-based column-major positions of the elements `start` to before `stop` of this node."""
        if self._selection is None:
            return np.arange(start, self.numel if stop is None else min(stop, self.numel), dtype=np.int64)
        return self._selection.linear[start:stop]

    def _listed(self, start: int, stop: int | None) -> list[int]:
        """`_positions` for nodes, which are Python objects and so are limited in number."""
        count = (self.numel if stop is None else min(stop, self.numel)) - start
        limits = self._owner.reader.limits
        if count > limits.elements:
            raise LimitExceeded.of(limits, "elements", f"{count} nodes at once; ask for a part of them")
        positions: list[int] = self._positions(start, stop).tolist()
        return positions


class CellNode(_Container):
    """A cell array: children are its elements; `value` is a list, or an object array with dims."""

    kind = "cell"

    @property
    def child_count(self) -> int:
        return self.numel

    def cell_elements(self) -> Elements:
        """The stored elements of this cell, column-major."""
        return self._stored()[1].take(self._positions(0, None))

    def children(self, start: int = 0, stop: int | None = None) -> list[Node]:
        with self._owner.guard(self):
            positions = self._listed(start, stop)
            elements = self._stored()[1].take(np.array(positions, np.int64))
            dims = self._headers.shape(0)
            path, python = self._whole.path, self._whole.python_path
            labels = [("", path + subscript(p, dims, "{}"), python + subscript(p, dims, "[]")) for p in positions]
            return make_nodes(self._owner, elements, labels)

    def index(self, step: Index) -> Node:
        chosen = select(step, self.dims)
        if step.bracket != "(" and chosen.is_scalar:
            return self.children(int(chosen.linear[0]), int(chosen.linear[0]) + 1)[0]
        if step.bracket == "{":
            raise PathError(f"{self.path}{{{step.text}}} is several values: use parentheses for a cell of them")
        return self._narrow(chosen)

    def _value(self) -> Any:
        return self._list_value(())

    def _list_value(self, above: tuple[int, ...]) -> Any:
        """Values of the elements; `above` holds the positions of the cells around this one."""
        position = int(self.elements.positions[0])
        if self.elements.segment == 0 and position in above:
            raise CorruptFile("the value contains itself", offset=position)
        limits = self._owner.reader.limits
        if len(above) >= limits.depth:
            raise LimitExceeded.of(limits, "depth", f"cells are nested deeper than {limits.depth} levels")
        nodes = self.children()
        values = np.empty(len(nodes), object)
        for index, decoded in _leaf_values(self._owner.reader, nodes):
            values[index] = decoded
        for i, node in enumerate(nodes):
            if isinstance(node, CellNode):
                with self._owner.guard(node):
                    values[i] = node._list_value((*above, position))
            elif isinstance(node, _Container | StructNode):
                values[i] = node
        if len(self.dims) == 2 and (1 in self.dims or 0 in self.dims):
            return values.tolist()
        return values.reshape(self.dims, order="F")

    def _source(self, axis: int | None, names: Sequence[str] | None) -> StoredTable:
        from matlens.columns.stored_tables import ElementsTable

        reader, elements, found = self._owner.reader, self.cell_elements(), self._columns(names)
        if found is None:
            stored = self._stored_bytes
            return ElementsTable(reader, [self.name or "value"], [elements], stored_bytes=stored, open_structs=True)
        return ElementsTable(reader, *found, stored_bytes=self._stored_bytes)

    def _columns(self, names: Sequence[str] | None) -> tuple[list[str], list[Elements]] | None:
        """Names and elements of the columns of a cell of rows; None for a list of like values."""
        reader, elements = self._owner.reader, self.cell_elements()
        if len(self.dims) == 2 and min(self.dims) > 1:
            height, width = self.dims
            columns = [elements.take(slice(k * height, (k + 1) * height)) for k in range(width)]
        else:
            columns = cells_of_rows(reader, elements)
        if not columns:
            return None
        if names is None and len(columns[0]) > 1:
            names = first_row(reader, columns)
            columns = [column.take(slice(1, None)) for column in columns] if names else columns
        names = list(names or [f"x{k + 1}" for k in range(len(columns))])
        if len(names) != len(columns):
            raise ShapeMismatch(f"{len(names)} names for {len(columns)} columns")
        return names, columns

    def _preview(self, depth: int, width: int) -> str:
        nodes = self.children(0, 5)
        inner = joined((node.preview(20, depth - 1) or node.summary() for node in nodes), width)
        return "{" + inner + (", …" if self.numel > 5 else "") + "}" if self.numel <= 10_000 else ""


class FieldNode(CellNode):
    """One field of all elements of a struct array, as the cell ``{s.field}``."""

    kind = "field"

    def __init__(self, owner: Owner, parent: StructArrayNode, name: str, elements: Elements) -> None:
        headers = parent._headers
        path = parent.path + field_suffix(name)
        python = f"[record{python_field(name)} for record in {parent.python_path}]"
        super().__init__(owner, headers, name, path, python)
        self.dims = parent.dims
        self._field_elements = elements
        self._parent = parent

    def cell_elements(self) -> Elements:
        return self._field_elements

    @property
    def is_part(self) -> bool:
        return True

    @property
    def matlab_class(self) -> str:
        return "cell"

    @property
    def nbytes(self) -> int:
        return self._parent.nbytes

    def children(self, start: int = 0, stop: int | None = None) -> list[Node]:
        with self._owner.guard(self):
            elements = self._field_elements.take(slice(start, stop))
            records = self._parent.element_paths(start, stop)
            suffix = (field_suffix(self.name), python_field(self.name))
            labels = [("", path + suffix[0], python + suffix[1]) for path, python in records]
            return make_nodes(self._owner, elements, labels)

    def index(self, step: Index) -> Node:
        chosen = select(step, self.dims)
        if not chosen.is_scalar:
            raise PathError(f"{self.path}: select one element, or elements before the field")
        return self.children(int(chosen.linear[0]), int(chosen.linear[0]) + 1)[0]

    def _source(self, axis: int | None, names: Sequence[str] | None) -> StoredTable:
        from matlens.columns.stored_tables import ElementsTable

        stored = self._parent._stored_bytes
        return ElementsTable(self._owner.reader, [self.name], [self._field_elements], stored_bytes=stored)

    def to_numpy(self) -> Any:
        with self._owner.guard(self):
            return decode_values(self._owner.reader, self._field_elements).reshape(self.dims, order="F")


class StructNode(Node):
    """A 1x1 struct, or one record of a struct array: a mapping of field names to nodes."""

    kind = "struct"

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
        self.is_record = record is not None
        if record is not None:
            self.dims = (1, 1)

    @property
    def is_part(self) -> bool:
        return self.is_record

    def stored(self) -> tuple[tuple[str, ...], Elements]:
        """Field names, and the element of each field."""
        if self._record is None:
            with self._owner.guard(self):
                groups = self._owner.reader.children(self._headers)
                self._record = (groups[0].fields or (), groups[0].elements)
        return self._record

    def keys(self) -> tuple[str, ...]:
        """Field names, in stored order."""
        return self.stored()[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    @property
    def nbytes(self) -> int:
        return 0 if self.is_record else super().nbytes

    @property
    def child_count(self) -> int:
        return len(self.keys())

    def children(self, start: int = 0, stop: int | None = None) -> list[Node]:
        with self._owner.guard(self):
            fields, elements = self.stored()
            labels = [
                (name, self.path + field_suffix(name), self.python_path + python_field(name))
                for name in fields[start:stop]
            ]
            return make_nodes(self._owner, elements.take(slice(start, stop)), labels)

    def field(self, name: str) -> Node:
        position = find_name(name, self.keys(), self.path)
        return self.children(position, position + 1)[0]

    def index(self, step: Index) -> Node:
        select(step, self.dims)
        return self

    def _value(self) -> StructNode:
        return self

    def to_numpy(self) -> Any:
        if not self.is_record:
            return super().to_numpy()
        fields, elements = self.stored()
        with self._owner.guard(self):
            values = decode_values(self._owner.reader, elements)
        record = np.empty((1, 1), [(name, object) for name in fields])
        for name, value in zip(fields, values, strict=True):
            record[name][0, 0] = value
        return record

    def _source(self, axis: int | None, names: Sequence[str] | None) -> StoredTable:
        from matlens.columns.stored_tables import ElementsTable, JoinedTable

        fields, elements = self.stored()
        columns = self._vectors()
        if columns:
            return JoinedTable(columns, fields)
        return ElementsTable(self._owner.reader, fields, [elements.take([k]) for k in range(len(fields))])

    def _vectors(self) -> list[StoredTable]:
        """A column for each field if all are vectors of one length, or matrices of as many rows; else none."""
        nodes = self.children() if 0 < len(self) <= MAX_VECTORS else []
        sizes = {_vector_length(node) for node in nodes} - {None}
        if len(sizes) != 1:
            return []
        (rows,) = sizes
        if not all(_vector_length(node) == rows or _is_matrix(node, rows) for node in nodes):
            return []
        return [vector_source(node) for node in nodes]

    def _preview(self, depth: int, width: int) -> str:
        return fields_preview(self.children(0, 8), depth, width) + (", …" if len(self) > 8 else "")


class ObjectNode(StructNode):
    """An object of an old-style class (``@class`` folder): its fields are what was stored."""

    kind = "object"


class StructArrayNode(_Container):
    """A struct array: children are its records; a field name gives the field of all of them."""

    kind = "struct array"

    def fields(self) -> tuple[str, ...]:
        """Field names, in stored order."""
        with self._owner.guard(self):
            return self._stored()[0] or ()

    def __iter__(self) -> Iterator[Node]:
        return iter(self.children())

    def __len__(self) -> int:
        return self.numel

    @property
    def child_count(self) -> int:
        return self.numel

    def element_paths(self, start: int, stop: int | None) -> list[tuple[str, str]]:
        """MATLAB and Python paths of the records from `start` to before `stop`."""
        dims = self._headers.shape(0)
        path, python = self._whole.path, self._whole.python_path
        return [(path + subscript(p, dims, "()"), python + subscript(p, dims, "[]")) for p in self._listed(start, stop)]

    def field_elements(self, name: str) -> Elements:
        """The elements of one field, for the records of this node."""
        fields, elements = self._stored()
        position = find_name(name, fields or (), self.path)
        return elements.take(self._positions(0, None) * len(fields or ()) + position)

    def children(self, start: int = 0, stop: int | None = None) -> list[Node]:
        with self._owner.guard(self):
            fields, elements = self._stored()
            names = fields or ()
            nodes: list[Node] = []
            for position, (path, python) in zip(
                self._listed(start, stop), self.element_paths(start, stop), strict=True
            ):
                first = position * len(names)
                record = (names, elements.take(slice(first, first + len(names))))
                nodes.append(StructNode(self._owner, self._headers, "", path, python, record))
            return nodes

    def field(self, name: str) -> Node:
        with self._owner.guard(self):
            return FieldNode(self._owner, self, name, self.field_elements(name))

    def index(self, step: Index) -> Node:
        if step.bracket == "{":
            raise PathError(f"{self.path}: braces go into a cell, this is a {self.matlab_class}")
        chosen = select(step, self.dims)
        if chosen.is_scalar:
            return self.children(int(chosen.linear[0]), int(chosen.linear[0]) + 1)[0]
        return self._narrow(chosen)

    def _value(self) -> StructArrayNode:
        return self

    def _source(self, axis: int | None, names: Sequence[str] | None) -> StoredTable:
        from matlens.columns.stored_tables import ElementsTable

        fields = self.fields()
        columns = [self.field_elements(name) for name in fields]
        return ElementsTable(self._owner.reader, fields, columns, stored_bytes=self._stored_bytes)

    def _preview(self, depth: int, width: int) -> str:
        names = self.fields()
        return "fields " + ", ".join(names[:12]) + ("…" if len(names) > 12 else "") if names else ""


def _vector_length(node: Node) -> int | None:
    """Number of elements of a vector of two or more; rows of a char matrix count as such."""
    if isinstance(node, CharNode):
        return node.dims[0] if len(node.dims) == 2 and node.dims[0] > 1 else None
    is_vector = len(node.dims) == 2 and 1 in node.dims and node.numel > 1
    return node.numel if is_vector and isinstance(node, NumericNode | CellNode) else None


def _is_matrix(node: Node, rows: int | None) -> bool:
    """Whether a value is a matrix of so many rows of two numbers or more."""
    return isinstance(node, NumericNode) and len(node.dims) == 2 and node.dims[0] == rows and node.dims[1] > 1


def vector_source(node: Node) -> StoredTable:
    """The column of a vector."""
    from matlens.columns.stored_tables import ElementsTable

    if isinstance(node, CellNode):
        return ElementsTable(node.owner.reader, [node.name], [node.cell_elements()])
    if isinstance(node, NumericNode):
        return node.column()
    return node._source(None, None)


_LEAVES: dict[int, type[Node]] = {
    MatlabClass.CHAR: CharNode,
    MatlabClass.CELL: CellNode,
    MatlabClass.SPARSE: SparseNode,
    MatlabClass.FUNCTION: FunctionNode,
    MatlabClass.OPAQUE: OpaqueNode,
}


def make_nodes(owner: Owner, elements: Elements, labels: list[tuple[str, str, str]]) -> list[Node]:
    """Nodes for `elements`; `labels` holds name, MATLAB path and Python path of each."""
    headers = owner.reader.headers(elements)
    return [make_node(owner, headers.take([i]), *label) for i, label in enumerate(labels)]


def make_node(owner: Owner, headers: Headers, name: str, path: str, python_path: str) -> Node:
    """The node of the kind that one header calls for."""
    cls = int(headers.cls[0])
    node_type: type[Node] = NumericNode
    if not headers.ok[0] or cls == MatlabClass.UNKNOWN:
        node_type = DamagedNode
    elif cls in (MatlabClass.STRUCT, MatlabClass.OBJECT):
        single = ObjectNode if cls == MatlabClass.OBJECT else StructNode
        node_type = single if headers.numel[0] == 1 else StructArrayNode
        if node_type is StructNode and is_enumeration(owner, headers):
            node_type = EnumerationNode
    elif cls in _LEAVES:
        node_type = _LEAVES[cls]
    return node_type(owner, headers, name, path, python_path)


def _leaf_values(reader: Reader, nodes: list[Node]) -> Iterator[tuple[int, Any]]:
    """Index and value of the nodes without children, decoded in batches of one kind."""
    batches: dict[Any, list[int]] = {}
    for i, node in enumerate(nodes):
        if isinstance(node, NumericNode | CharNode):
            key = (type(node), node.matlab_class, node.is_complex)
            batches.setdefault(key, []).append(i)
        elif not isinstance(node, _Container | StructNode):
            yield i, node.value
    for (node_type, _, _), index in batches.items():
        positions = np.concatenate([nodes[i].elements.positions for i in index])
        headers = reader.headers(Elements(nodes[index[0]].elements.segment, positions))
        decode = char_values if node_type is CharNode else number_arrays
        yield from zip(index, decode(reader, headers), strict=True)
