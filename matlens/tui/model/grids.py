"""Values as grids of text, cell by cell: what a table view shows, without a screen.

A grid knows its size at once and decodes only the window that is asked for. Texts are
escaped here, so that no view ever holds a raw one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import MatlensError
from matlens.escape import safe_text, shorten
from matlens.tree.access import has_rows, is_table_of_vectors
from matlens.tree.describe import count_below, describe_node, dims_text
from matlens.tree.file import MatFile
from matlens.tree.nodes import CellNode, CharNode, NumericNode, OpaqueNode, SparseNode, StructArrayNode, StructNode
from matlens.tree.nodes.node import Node
from matlens.tui.model.cells import Cell, Grid, number_text, sortable_values
from matlens.tui.model.frames import FrameGrid

if TYPE_CHECKING:
    import pyarrow as pa

CELL_WIDTH = 60
CACHED_NUMBERS = 4 << 20
"""Arrays of fewer numbers are decoded once and kept."""


def grid_of(value: MatFile | Node, *, as_fields: bool = False) -> Grid:
    """The grid of a file's variables or of a value; `as_fields` lists the fields of a struct that is a table."""
    if isinstance(value, NumericNode):
        return ArrayGrid(value)
    if isinstance(value, StructArrayNode):
        return RecordsGrid(value)
    if isinstance(value, CellNode) and len(value.dims) == 2 and min(value.dims) > 1:
        return MatrixOfCells(value)
    if isinstance(value, CharNode):
        return TextGrid(value)
    if isinstance(value, SparseNode):
        return SparseGrid(value)
    if isinstance(value, OpaqueNode) and has_rows(value):
        return FrameGrid(value)
    if isinstance(value, StructNode) and not as_fields and is_table_of_vectors(value):
        return FrameGrid(value)
    return NodesGrid(value)


def _picked(page: NDArray[Any], rows: Sequence[int], columns: Sequence[int]) -> NDArray[Any]:
    """Some rows and columns of a matrix; all rows without a list of them."""
    if isinstance(rows, range) and len(rows) == len(page):
        return np.asarray(page[:, list(columns)])
    return np.asarray(page[np.ix_(np.asarray(rows), np.asarray(columns))])


class ArrayGrid(Grid):
    """A numeric array: two of its dimensions as rows and columns, one index of each other.

    Dimensions count from 0. There is an `index` along every one; those of the shown ones do not count.
    """

    def __init__(self, node: NumericNode) -> None:
        self.node = node
        self.dims = node.dims
        self.index = [0] * len(self.dims)
        self._whole: NDArray[Any] | None = None
        self.show(0, 1)

    def show(self, row_dim: int, column_dim: int) -> None:
        """Choose the dimensions of rows and columns."""
        self.row_dim, self.column_dim = row_dim, column_dim
        self.row_count, self.column_count = self.dims[row_dim], self.dims[column_dim]
        if 0 in self.dims:
            self.row_count = 0

    def turn(self, role: str) -> None:
        """Take the next dimension for rows (``row``) or for columns; of two dimensions, both change places."""
        current, kept = (self.row_dim, self.column_dim)[:: 1 if role == "row" else -1]
        after = [k % len(self.dims) for k in range(current + 1, current + len(self.dims))]
        free = [k for k in after if k != kept]
        chosen, kept = (free[0], kept) if free else (kept, current)
        self.show(*((chosen, kept) if role == "row" else (kept, chosen)))

    def others(self) -> list[int]:
        """Dimensions that are not shown."""
        return [k for k in range(len(self.dims)) if k not in (self.row_dim, self.column_dim)]

    def step(self, dimension: int, by: int) -> None:
        """Go to the next or the previous index along a dimension that is not shown."""
        size = self.dims[dimension]
        self.index[dimension] = (self.index[dimension] + by) % size if size else 0

    def saved(self) -> list[int]:
        """Dimensions of rows and columns, and the index of every dimension, as `restore` takes them."""
        return [self.row_dim, self.column_dim, *self.index]

    def restore(self, saved: Sequence[Any]) -> bool:
        """Show what was saved, if it fits this array."""
        count = len(self.dims)
        if len(saved) != count + 2 or not all(isinstance(k, int) for k in saved):
            return False
        row_dim, column_dim, *index = saved
        fits = 0 <= row_dim < count and 0 <= column_dim < count and row_dim != column_dim
        if not fits or not all(0 <= k < max(n, 1) for k, n in zip(index, self.dims, strict=True)):
            return False
        self.index = index
        self.show(row_dim, column_dim)
        return True

    def slice_text(self, base: int = 1) -> str:
        """The part that is shown, such as ``(:,:,3)``."""
        shown = [":" if k in (self.row_dim, self.column_dim) else str(i + base) for k, i in enumerate(self.index)]
        return ("(" if base else "[") + ",".join(shown) + (")" if base else "]")

    def cells(self, rows: Sequence[int], columns: Sequence[int]) -> list[list[Cell]]:
        if not len(rows) or not len(columns):
            return [[] for _ in rows]
        values = self.values(rows, columns)
        return [[Cell(number_text(value), True) for value in row] for row in values.tolist()]

    def values(self, rows: Sequence[int], columns: Sequence[int]) -> NDArray[Any]:
        """Numbers of some rows and columns of the shown slice."""
        if self.node.numel <= CACHED_NUMBERS:
            if self._whole is None:
                self._whole = np.asarray(self.node.value)
            return _picked(self.page(self._whole), rows, columns)
        top, left = min(rows), min(columns)
        key: list[Any] = [slice(i, i + 1) for i in self.index]
        key[self.row_dim] = slice(top, max(rows) + 1)
        key[self.column_dim] = slice(left, max(columns) + 1)
        part = np.asarray(self.node[tuple(key)].value)
        page = np.moveaxis(part, (self.row_dim, self.column_dim), (0, 1)).reshape(part.shape[self.row_dim], -1)
        if isinstance(rows, range) and len(rows) == len(page):
            return _picked(page, range(len(rows)), [column - left for column in columns])
        return _picked(page, [row - top for row in rows], [column - left for column in columns])

    def page(self, values: NDArray[Any]) -> NDArray[Any]:
        """The slice of the whole array that is shown."""
        key = tuple(slice(None) if k in (self.row_dim, self.column_dim) else i for k, i in enumerate(self.index))
        page = values[key]
        return page if self.row_dim < self.column_dim else page.T

    def column_values(self, column: int) -> NDArray[Any]:
        return self.values(range(self.row_count), [column])[:, 0]


def _preview(node: Node) -> Cell:
    if node.error is not None:
        return Cell(shorten(safe_text(node.error.message), CELL_WIDTH), is_error=True)
    text = node.preview(CELL_WIDTH) or safe_text(node.summary())
    if isinstance(node, CharNode) and len(text) > 1 and text[0] == "'" == text[-1]:
        text = text[1:-1]
    return Cell(text, isinstance(node, NumericNode) and node.numel == 1)


def _sortable(nodes: Sequence[Node]) -> NDArray[Any]:
    """Numbers where all nodes are 1x1 numbers, texts otherwise."""
    if all(isinstance(node, NumericNode) and node.numel == 1 and not node.is_complex for node in nodes):
        return np.array([node.value.item() for node in nodes])
    return np.array([_preview(node).text for node in nodes], np.str_)


class RecordsGrid(Grid):
    """A struct array: a row for each record, a column for each field."""

    def __init__(self, node: StructArrayNode) -> None:
        self.node = node
        self.fields = node.fields()
        self.row_count, self.column_count = node.numel, len(self.fields)

    def column_label(self, column: int, base: int) -> str:
        return safe_text(self.fields[column])

    def cells(self, rows: Sequence[int], columns: Sequence[int]) -> list[list[Cell]]:
        shown = [[Cell("")] * len(columns) for _ in rows]
        if not len(rows):
            return shown
        low, high = min(rows), max(rows) + 1
        together = high - low <= 4 * len(rows)
        for k, column in enumerate(columns):
            field = self.node[self.fields[column]]
            nodes = field.children(low, high) if together else []
            for i, row in enumerate(rows):
                shown[i][k] = _preview(nodes[row - low] if together else field.children(row, row + 1)[0])
        return shown

    def node_at(self, row: int, column: int) -> Node | None:
        return self.node[self.fields[column]].children(row, row + 1)[0]

    def column_name(self, column: int) -> str:
        return self.fields[column]

    def column_arrow(self, column: int) -> pa.ChunkedArray:
        return self.node[self.fields[column]].to_arrow().column(0)

    def column_values(self, column: int) -> NDArray[Any]:
        return sortable_values(self.column_arrow(column))


class MatrixOfCells(Grid):
    """A cell matrix, as MATLAB shows it."""

    is_table = False

    def __init__(self, node: CellNode) -> None:
        self.node = node
        self.row_count, self.column_count = node.dims[0], node.dims[1]

    def cells(self, rows: Sequence[int], columns: Sequence[int]) -> list[list[Cell]]:
        shown = [[Cell("")] * len(columns) for _ in rows]
        for k, column in enumerate(columns):
            start = column * self.row_count
            nodes = self.node.children(start + min(rows, default=0), start + max(rows, default=-1) + 1)
            for i, row in enumerate(rows):
                shown[i][k] = _preview(nodes[row - min(rows)])
        return shown

    def node_at(self, row: int, column: int) -> Node | None:
        position = column * self.row_count + row
        return self.node.children(position, position + 1)[0]

    def column_values(self, column: int) -> NDArray[Any]:
        return _sortable(self.node.children(column * self.row_count, (column + 1) * self.row_count))


class NodesGrid(Grid):
    """Variables of a file, fields of a struct or elements of a cell, a row for each."""

    LABELS = ("class", "dims", "value")
    is_table = False

    def __init__(self, value: MatFile | Node) -> None:
        self.shown = value
        self._nodes = list(value.values()) if isinstance(value, MatFile) else None
        self.row_count = len(value) if isinstance(value, MatFile) else count_below(value)
        has_children = isinstance(value, StructNode | CellNode) or (isinstance(value, OpaqueNode) and self.row_count)
        self._single = isinstance(value, Node) and not has_children
        if self._single:
            self.row_count = 1
        self.column_count = len(self.LABELS)

    def column_label(self, column: int, base: int) -> str:
        return self.LABELS[column]

    def _children(self, start: int, stop: int) -> list[Node]:
        if isinstance(self.shown, MatFile):
            return (self._nodes or [])[start:stop]
        return [self.shown][start:stop] if self._single else self.shown.children(start, stop)

    def row_label(self, row: int, base: int) -> str:
        if isinstance(self.shown, CellNode):
            return str(row + base)
        return shorten(safe_text(self._children(row, row + 1)[0].label), 30)

    def cells(self, rows: Sequence[int], columns: Sequence[int]) -> list[list[Cell]]:
        low = min(rows, default=0)
        nodes = self._children(low, max(rows, default=-1) + 1)
        return [[self._cell(nodes[row - low], column) for column in columns] for row in rows]

    def _cell(self, node: Node, column: int) -> Cell:
        if column == 0:
            return Cell(safe_text(node.matlab_class))
        return Cell(dims_text(describe_node(node)["dims"])) if column == 1 else _preview(node)

    def node_at(self, row: int, column: int) -> Node | None:
        return None if self._single else self._children(row, row + 1)[0]

    def column_values(self, column: int) -> NDArray[Any]:
        nodes = self._children(0, self.row_count)
        if column == 2:
            return _sortable(nodes)
        return np.array([self._cell(node, column).text for node in nodes], np.str_)


class TextGrid(Grid):
    """A char array, a line for each of its rows."""

    is_table = False

    def __init__(self, node: CharNode) -> None:
        value = node.value
        self._lines = value.split("\n") if isinstance(value, str) else value.ravel(order="F").tolist()
        self.row_count, self.column_count = len(self._lines), 1

    def column_label(self, column: int, base: int) -> str:
        return "text"

    def cells(self, rows: Sequence[int], columns: Sequence[int]) -> list[list[Cell]]:
        return [[Cell(shorten(safe_text(self._lines[row]), 4096))] for row in rows]

    def exact(self, rows: Sequence[int], column: int) -> list[Any]:
        """Lines as they are."""
        return [self._lines[row] for row in rows]

    def column_values(self, column: int) -> NDArray[Any]:
        return np.array(self._lines, np.str_)


class SparseGrid(Grid):
    """A sparse matrix, a row for each of its non-zeros."""

    def __init__(self, node: SparseNode) -> None:
        coo = node.value.tocoo()
        self._columns: list[NDArray[Any]] = [coo.coords[0], coo.coords[1], coo.data]
        self.row_count, self.column_count = int(coo.nnz), 3

    def column_label(self, column: int, base: int) -> str:
        return ("row", "col", "value")[column]

    def cells(self, rows: Sequence[int], columns: Sequence[int]) -> list[list[Cell]]:
        picked = [self._columns[column][np.asarray(rows, np.int64)] for column in columns]
        # Rows and columns of the matrix count from 1.
        shown = [(part + 1 if column < 2 else part).tolist() for column, part in zip(columns, picked, strict=True)]
        return [[Cell(number_text(part[k]), True) for part in shown] for k in range(len(rows))]

    def exact(self, rows: Sequence[int], column: int) -> list[Any]:
        """The numbers of a column, those of rows and columns from 1."""
        return list(self._columns[column][np.asarray(rows, np.int64)] + (1 if column < 2 else 0))

    def column_values(self, column: int) -> NDArray[Any]:
        return self._columns[column]


def error_text(error: MatlensError) -> str:
    """An error as one escaped line."""
    return safe_text(str(error))
