"""Values as they are, for copying and for a closer look: no digit is cut, and nothing is escaped.

Numbers, logicals and times are NumPy arrays with MATLAB's dims, a char row is a `str`; everything else is one of the
classes below. `Grid` cells, which are short texts, lead back here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from matlens.errors import UnsupportedValue
from matlens.tree.file import MatFile
from matlens.tree.nodes import (
    CellNode,
    CharNode,
    FunctionNode,
    NumericNode,
    OpaqueNode,
    SparseNode,
    StructArrayNode,
    StructNode,
)
from matlens.tree.nodes.node import Node
from matlens.tui.model.arrangement import ExtendedGrid
from matlens.tui.model.cells import Grid
from matlens.tui.model.frames import FrameGrid
from matlens.tui.model.grids import ArrayGrid, NodesGrid, SparseGrid, TextGrid

MOST = 5_000_000
"""Numbers, letters and values that are taken at once."""
DEEPEST = 100


class Chars(NamedTuple):
    """A char array that is no row; its rows, page after page, are as long as one another."""

    rows: list[str]
    pages: tuple[int, ...] = ()


class Strings(NamedTuple):
    """MATLAB's strings, column-major; None is a missing one."""

    dims: tuple[int, ...]
    items: list[str | None]


class Cells(NamedTuple):
    """A cell, column-major."""

    dims: tuple[int, ...]
    items: list[Any]


class Records(NamedTuple):
    """A struct or struct array, column-major: of each record the values of its fields."""

    dims: tuple[int, ...]
    fields: list[str]
    items: list[list[Any]]


class Rows(NamedTuple):
    """Part of a table: labels of columns, and rows of values."""

    fields: list[str]
    items: list[list[Any]]


class Handle(NamedTuple):
    """A function handle."""

    text: str


class Other(NamedTuple):
    """An object, as builtin values of Python."""

    class_name: str
    value: Any


class _Taking:
    """Goes down a value, and stops before it takes too much memory."""

    def __init__(self) -> None:
        self._left = MOST

    def take(self, node: Node, depth: int = 0) -> Any:
        if node.error is not None:
            raise node.error
        if depth > DEEPEST:
            raise UnsupportedValue("nested too deeply to be copied", variable=node.path)
        self._left -= max(node.numel, 1)
        if self._left < 0:
            raise UnsupportedValue("too large to be copied: export it (e)", variable=node.path)
        match node:
            case NumericNode() | SparseNode():
                return node.value
            case CharNode():
                return _text(node)
            case FunctionNode():
                return Handle(str(node.value))
            case StructNode():
                items = [self.take(child, depth + 1) for child in node.children()]
                return Records((1, 1), list(node.fields()), [items])
            case StructArrayNode():
                records = [[self.take(field, depth + 1) for field in child.children()] for child in node.children()]
                return Records(node.dims, list(node.fields()), records)
            case CellNode():
                return Cells(node.dims, [self.take(child, depth + 1) for child in node.children()])
        return _object(node)


def _text(node: CharNode) -> Any:
    value = node.value
    if isinstance(value, str):
        return value if node.dims[0] == 1 or node.dims == (0, 0) else Chars(value.split("\n") if value else [])
    return Chars(value.ravel(order="F").tolist(), node.dims[2:])


def _object(node: Node) -> Any:
    if isinstance(node, OpaqueNode):
        value = node.value
        if node.matlab_class == "string":
            texts = [value] if isinstance(value, str) or value is None else list(np.ravel(value, order="F"))
            return Strings(node.dims, [None if text is None else str(text) for text in texts])
        if isinstance(value, np.ndarray) and value.dtype.kind in "mM":
            return value.reshape(node.dims, order="F")
    return Other(node.matlab_class, node.to_python())


def exact_value(node: Node) -> Any:
    """The whole value of a node.

    Raises
    ------
    MatlensError
        If it cannot be read, or is too large.

    Examples
    --------
    >>> import matlens
    >>> exact_value(matlens.open("fixtures/annotations_v7.mat").at("annotations(3).image"))
    '00003.jpg'
    """
    return _Taking().take(node)


def exact_cell(grid: Grid, row: int, column: int) -> Any:
    """The value that one cell of a grid stands for; rows are stored ones."""
    return exact_rows(grid, [row], [column]).items[0][0]


def exact_rows(grid: Grid, rows: Sequence[int], columns: Sequence[int], base: int = 1) -> Rows:
    """The values of some rows and columns of a grid; rows are stored ones."""
    if len(rows) * len(columns) > MOST:
        raise UnsupportedValue("too large to be copied: export it (e)")
    labels = [grid.column_label(column, base) for column in columns]
    if isinstance(grid, ExtendedGrid):
        parts = [_extended_column(grid, rows, column) for column in columns]
        return Rows(labels, [[part[k] for part in parts] for k in range(len(rows))])
    if isinstance(grid, ArrayGrid):
        values = grid.values(rows, columns) if rows and columns else np.zeros((len(rows), len(columns)))
        return Rows(labels, [list(row) for row in values])
    if isinstance(grid, TextGrid | SparseGrid | FrameGrid):
        parts = [grid.exact(rows, column) for column in columns]
        return Rows(labels, [[part[k] for part in parts] for k in range(len(rows))])
    taking = _Taking()
    return Rows(labels, [[_cell(grid, row, column, taking) for column in columns] for row in rows])


def _extended_column(grid: ExtendedGrid, rows: Sequence[int], column: int) -> list[Any]:
    if grid.is_own(column):
        return list(grid.column_arrow(column).take(np.asarray(rows, np.int64)).to_pylist())
    return [line[0] for line in exact_rows(grid.grid, rows, [column]).items]


def _cell(grid: Grid, row: int, column: int, taking: _Taking) -> Any:
    """A node, or the words that stand beside it: class and dims."""
    if not isinstance(grid, NodesGrid) or column == len(grid.LABELS) - 1:
        node = grid.node_at(row, column)
        if node is not None:
            return taking.take(node)
        if isinstance(grid, NodesGrid) and isinstance(grid.shown, Node):
            return taking.take(grid.shown)
    return grid.cells([row], [column])[0][0].text


def array_part(grid: ArrayGrid, rows: Sequence[int], columns: Sequence[int]) -> Any:
    """Rows and columns of the slice that is shown, as an array."""
    if len(rows) * len(columns) > MOST:
        raise UnsupportedValue("too large to be copied: export it (e)")
    return grid.values(rows, columns) if rows and columns else np.zeros((len(rows), len(columns)))


def exact_file(file: MatFile) -> Records:
    """All variables of a file, as a struct has them."""
    taking = _Taking()
    return Records((1, 1), list(file), [[taking.take(node) for node in file.values()]])


def nested(items: Sequence[Any], dims: Sequence[int]) -> Any:
    """Column-major items as a list of rows; a flat list if they are a vector.

    Examples
    --------
    >>> nested([1, 2, 3, 4], (2, 2)), nested([1, 2], (1, 2))
    ([[1, 3], [2, 4]], [1, 2])
    """
    if math.prod(dims) == 0 or (len(dims) == 2 and 1 in dims):
        return list(items)
    array = np.empty(len(items), object)
    for k, item in enumerate(items):
        array[k] = item
    return array.reshape(tuple(dims), order="F").tolist()
