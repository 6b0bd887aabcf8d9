"""Cell arrays, and what all arrays of stored elements share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from matlens.columns.unify import Rows
from matlens.errors import CorruptFile, LimitExceeded, PathError, ShapeMismatch
from matlens.formats.places import subscript
from matlens.formats.reader import Reader
from matlens.formats.records import Elements, Int64s
from matlens.tree.nodes.leaves import CharNode, NumericNode
from matlens.tree.nodes.node import Node
from matlens.tree.nodes.rows import cells_of_rows, first_row
from matlens.tree.nodes.texts import joined
from matlens.tree.paths import Index, Selection, is_vector
from matlens.values.kinds import char_values, number_arrays

if TYPE_CHECKING:
    from matlens.columns.stored_tables import StoredTable

BLOCK = 1024
"""Nodes made at once for a loop over a vector."""


class Container(Node):
    """A node with stored children; finds them once."""

    _holds_nodes: ClassVar[bool] = True
    _found: tuple[tuple[str, ...] | None, Elements] | None = None

    def _stored(self) -> tuple[tuple[str, ...] | None, Elements]:
        """Field names and all elements, element-major."""
        if self._found is None:
            groups = self._owner._reader.children(self._headers)
            self._found = (groups[0].fields, groups[0].elements) if groups else (None, self._elements.take([]))
        return self._found

    @property
    def child_count(self) -> int:
        return self.numel

    def __iter__(self) -> Iterator[Node]:
        if not is_vector(self.dims):
            yield from super().__iter__()
            return
        for start in range(0, self.numel, BLOCK):
            yield from self.children(start, start + BLOCK)

    def _positions(self, start: int, stop: int | None) -> Int64s:
        """0-based column-major positions of the elements `start` to before `stop` of this node."""
        if self._selection is None:
            return np.arange(start, self.numel if stop is None else min(stop, self.numel), dtype=np.int64)
        return self._selection.linear[start:stop]

    def _chosen(self, single: Selection) -> Node:
        """The element that subscripts of single numbers pick."""
        return self.children(int(single.linear[0]), int(single.linear[0]) + 1)[0]

    def _listed(self, start: int, stop: int | None) -> list[int]:
        """`_positions` for nodes, which are Python objects and so are limited in number."""
        count = (self.numel if stop is None else min(stop, self.numel)) - start
        limits = self._owner._reader.limits
        if count > limits.elements:
            raise LimitExceeded.of(limits, "elements", f"{count} nodes at once; ask for a part of them")
        positions: list[int] = self._positions(start, stop).tolist()
        return positions


class CellNode(Container):
    """A cell array: children are its elements; `value` is a list, or an object array with dims."""

    kind = "cell"

    def _cell_elements(self) -> Elements:
        """The stored elements of this cell, column-major."""
        return self._stored()[1].take(self._positions(0, None))

    def children(self, start: int = 0, stop: int | None = None) -> list[Node]:
        with self._guarded():
            positions = self._listed(start, stop)
            elements = self._stored()[1].take(np.array(positions, np.int64))
            dims = self._headers.shape(0)
            path, python = self._whole.path, self._whole.python_path
            labels = [("", path + subscript(p, dims, "{}"), python + subscript(p, dims, "[]")) for p in positions]
            return self._owner._make_nodes(elements, labels)

    def _index(self, step: Index) -> Node:
        chosen = self._select(step)
        if step.bracket != "(" and chosen.is_scalar:
            return self._chosen(chosen)
        if step.bracket == "{":
            raise PathError(f"{self.path}{{{step.text}}} is several values: use parentheses for a cell of them")
        return self._narrow(chosen)

    def _value(self) -> Any:
        return self._list_value(())

    def _list_value(self, above: tuple[int, ...]) -> Any:
        """Values of the elements; `above` holds the positions of the cells around this one."""
        position = int(self._elements.positions[0])
        if self._elements.segment == 0 and position in above:
            raise CorruptFile("the value contains itself", offset=position)
        limits = self._owner._reader.limits
        if len(above) >= limits.depth:
            raise LimitExceeded.of(limits, "depth", f"cells are nested deeper than {limits.depth} levels")
        nodes = self.children()
        values = np.empty(len(nodes), object)
        for index, decoded in _leaf_values(self._owner._reader, nodes):
            values[index] = decoded
        for i, node in enumerate(nodes):
            if isinstance(node, CellNode):
                with self._owner._guard(node):
                    values[i] = node._list_value((*above, position))
            elif node._holds_nodes:
                values[i] = node
        if len(self.dims) == 2 and (1 in self.dims or 0 in self.dims):
            return values.tolist()
        return values.reshape(self.dims, order="F")

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        from matlens.columns.stored_tables import ElementsTable

        reader, elements, found = self._owner._reader, self._cell_elements(), self._columns(names)
        if found is None:
            stored = self._stored_bytes
            return ElementsTable(reader, [self.name or "value"], [elements], stored_bytes=stored, open_structs=True)
        return ElementsTable(reader, *found, stored_bytes=self._stored_bytes)

    @property
    def _column_length(self) -> int | None:
        return self.numel if is_vector(self.dims) and self.numel > 1 else None

    def _column(self) -> StoredTable:
        from matlens.columns.stored_tables import ElementsTable

        return ElementsTable(self._owner._reader, [self.name], [self._cell_elements()])

    def _columns(self, names: Sequence[str] | None) -> tuple[list[str], list[Elements]] | None:
        """Names and elements of the columns of a cell of rows; None for a list of like values."""
        reader, elements = self._owner._reader, self._cell_elements()
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


def _leaf_values(reader: Reader, nodes: list[Node]) -> Iterator[tuple[int, Any]]:
    """Index and value of the nodes without children, decoded in batches of one kind."""
    batches: dict[Any, list[int]] = {}
    for i, node in enumerate(nodes):
        if isinstance(node, NumericNode | CharNode):
            key = (type(node), node.matlab_class, node.is_complex)
            batches.setdefault(key, []).append(i)
        elif not node._holds_nodes:
            yield i, node.value
    for (node_type, _, _), index in batches.items():
        positions = np.concatenate([nodes[i]._elements.positions for i in index])
        headers = reader.headers(Elements(nodes[index[0]]._elements.segment, positions))
        decode = char_values if node_type is CharNode else number_arrays
        yield from zip(index, decode(reader, headers), strict=True)
