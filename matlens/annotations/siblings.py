"""Values that stand side by side in a file or struct: each is a column of those of its length."""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np
import pyarrow as pa

from matlens.annotations.level_columns import LevelColumn
from matlens.annotations.levels import BOX_NAME, POINT_NAME, POLYGON_NAME, Columns, Level, Paths, numbered
from matlens.annotations.near_misses import why_no_array
from matlens.annotations.point_sets import MIN_POINTS
from matlens.annotations.polygon_sets import axis_of, compactness, is_named
from matlens.annotations.readings import is_role
from matlens.annotations.short_lists import is_almost_any
from matlens.annotations.stored_images import Pictures, is_picture
from matlens.columns.buffers import list_array, number_array, scalar, text_array
from matlens.formats.records import Int64s
from matlens.tree.nodes import CellNode, CharNode, FieldNode, NumericNode, OpaqueNode, SparseNode
from matlens.tree.nodes.node import Node
from matlens.values.plain import printable

MAX_WIDTH = 512
"""A matrix of more columns is data, not one row for each record."""
MAX_LONE_POINTS = 500
"""Points of a matrix that is those of one record."""
COMPACT, MUCH = 0.01, 4
"""How compact two polygons must be, and how much more than one of all their numbers; a square has 1/16."""


class Siblings:
    """Columns and images of sibling values, by length, and the texts before and after the number in their paths."""

    def __init__(self) -> None:
        self.columns: dict[int, Columns] = {}
        self.pictures: dict[int, list[Pictures]] = {}
        self.templates: dict[str, tuple[str, str]] = {}
        self.lying: list[NumericNode] = []
        self.grids: list[tuple[CellNode, LevelColumn]] = []
        self.tables: list[tuple[int, Level]] = []
        self.unfit: list[str] = []

    def add(self, column: LevelColumn, count: int, template: tuple[str, str]) -> None:
        column.stand_in(self.columns.setdefault(count, Columns()))
        self.templates[column.name] = template

    def add_cell(self, node: CellNode, column: LevelColumn) -> None:
        template = (f"{node.path}(", f").{node.name}") if isinstance(node, FieldNode) else (f"{node.path}{{", "}")
        self.add(column, node.numel, template)

    def settle_grids(self) -> None:
        """A cell matrix with a name for each of its rows, or columns, and none for each cell is a level of its own."""
        waiting, self.grids = self.grids, []
        for node, column in waiting:
            rows, width = node.dims
            if rows != width and not self._has_texts(node.numel) and (self._has_texts(rows) or self._has_texts(width)):
                self.grids.append((node, column))
            else:
                self.add_cell(node, column)

    def _has_texts(self, size: int) -> bool:
        return size > 1 and any(map(pa.types.is_string, self.columns.get(size, Columns()).types.values()))

    def settle_lying(self) -> None:
        """Let rows of numbers stand for as many records where there are such: boxes, or four numbers of each box."""
        counts = Counter(node.numel for node in self.lying if is_role(node.name))
        known = {size for size, columns in self.columns.items() if any(map(BOX_NAME.search, columns.types))}
        for node in self.lying:
            name, kind = node.name or "value", pa.from_numpy_dtype(node.dtype)
            if (
                counts[node.numel] >= 4
                or (node.numel in known and node.numel != 4)
                or is_almost_any(name, node.numel, known)
            ):
                self.add(LevelColumn(name, kind, partial(_vector, node)), node.numel, (f"{node.path}(", ")"))
            else:
                row = LevelColumn(name, pa.list_(kind, node.numel), partial(_matrix, node))
                self.add(row, 1, (f"{node.path}(", ",:)"))

    def add_pictures(self, pictures: Pictures) -> None:
        self.columns.setdefault(pictures.count, Columns())
        self.pictures.setdefault(pictures.count, []).append(pictures)

    def alone(self) -> Columns:
        """The texts that stand alone."""
        single, texts = self.columns.get(1, Columns()), Columns()
        for name, kind in single.types.items():
            if pa.types.is_string(kind):
                texts.add(name, kind, partial(single.__getitem__, name))
        return texts

    def paths(self, base: str) -> Paths:
        """Paths of siblings in the struct `base`, or of variables."""
        templates = self.templates

        def paths(name: str, index: Int64s) -> pa.Array:
            if not name:
                return pa.repeat(scalar(base), len(index)) if base else numbered("(", index, ")")
            stored = next(other for other in templates if name == other or name.startswith(f"{other}."))
            before, after = templates[stored]
            if not after:
                return pa.repeat(scalar(before + name[len(stored) :]), len(index))
            return numbered(before, index, after + name[len(stored) :])

        return paths


def note_array(node: Node, beside: Siblings) -> None:
    """A matrix of n rows, or a vector of n, stands beside its siblings of length n; so do n columns or n pages."""
    if isinstance(node, NumericNode) and (_note_points(node, beside) or _note_polygon(node, beside)):
        return
    if node.numel and (pictures := pictures_of(node.name or "value", node)):
        beside.add_pictures(pictures[0])
    if why := why_no_array(node):
        beside.unfit.append(why)
        return
    if len(node.dims) != 2 or not node.numel:
        return
    rows, width = node.dims
    name, row = node.name or "value", (f"{node.path}(", ",:)")
    if isinstance(node, CharNode):
        beside.add(LevelColumn(name, pa.string(), partial(_texts, node)), rows, row)
    elif isinstance(node, NumericNode) and not node.is_complex:
        kind = pa.from_numpy_dtype(node.dtype)
        if rows == 4 and width not in range(4, 9) and BOX_NAME.search(name):
            turned = LevelColumn(name, pa.list_(kind, 4), partial(_matrix, node, turned=True))
            beside.add(turned, width, (f"{node.path}(:,", ")"))
        elif rows == 1 and 1 < width <= MAX_WIDTH and not BOX_NAME.search(name):
            beside.lying.append(node)
        elif (rows == 1 and width > MAX_WIDTH) or width == 1:
            beside.add(LevelColumn(name, kind, partial(_vector, node)), node.numel, (f"{node.path}(", ")"))
        elif width <= MAX_WIDTH:
            beside.add(LevelColumn(name, pa.list_(kind, width), partial(_matrix, node)), rows, row)


def strings_of(node: OpaqueNode) -> pa.Array:
    """The texts of a string or categorical array."""
    return node.to_arrow().column(0).combine_chunks().cast(pa.string())


def _texts(node: CharNode) -> pa.Array:
    value = node.value
    texts = [value] if isinstance(value, str) else [str(text).rstrip() for text in value.ravel()]
    return text_array(list(map(printable, texts)))


def _vector(node: NumericNode) -> pa.Array:
    return number_array(node.value.ravel())


def _matrix(node: NumericNode, *, turned: bool = False) -> pa.Array:
    """The rows of a matrix, or its columns."""
    value = node.value.T if turned else node.value
    return pa.FixedSizeListArray.from_arrays(number_array(np.ascontiguousarray(value).ravel()), value.shape[1])


def _note_points(node: NumericNode, beside: Siblings) -> bool:
    """Points of one record are a matrix of two or three numbers each, those of many the pages of an array."""
    rows, width, count = (*node.dims, 1)[:3]
    if not node.numel or not POINT_NAME.search(node.name) or len(node.dims) > 3:
        return False
    if not MIN_POINTS <= max(rows, width) <= MAX_LONE_POINTS or min(rows, width) not in (2, 3):
        return False
    kind = pa.list_(pa.list_(pa.from_numpy_dtype(node.dtype), width), rows)
    template = (f"{node.path}(:,:,", ")") if len(node.dims) == 3 else (node.path, "")
    beside.add(LevelColumn(node.name, kind, partial(_stack, node)), count, template)
    return True


def _note_polygon(node: NumericNode, beside: Siblings) -> bool:
    """A polygon of one record is a matrix of two numbers for each point, in a row or in a column, or two vectors."""
    if axis_of(node.name) and len(node.dims) == 2 and 1 == min(node.dims) < max(node.dims) and is_named(node.path):
        kind = pa.list_(pa.float64())

        def vector() -> pa.Array:
            return list_array(number_array(node.value.ravel().astype(np.float64)), np.array([node.numel]))

        beside.add(LevelColumn(node.name, kind, vector), 1, (node.path, ""))
        return True
    if not POLYGON_NAME.search(node.name) or len(node.dims) != 2 or node.is_complex:
        return False
    rows, width = node.dims
    is_turned = rows == 2 < width
    if not is_turned and (width != 2 or rows < 2):
        return False
    if is_turned and width >= 6 and width % 2 == 0:
        # Or two polygons of which each has a row.
        values = node.value.astype(np.float64)
        if compactness(values.reshape(2, -1, 2)) > max(COMPACT, MUCH * compactness(values.T[None])):
            return False
    count = width if is_turned else rows

    def make() -> pa.Array:
        points = _matrix(node, turned=is_turned).cast(pa.list_(pa.float64(), 2))
        return list_array(points, np.array([count]))

    points_of = LevelColumn(node.name, pa.list_(pa.list_(pa.float64(), 2)), make, turned=is_turned)
    beside.add(points_of, 1, (node.path, ""))
    return True


def _stack(node: NumericNode) -> pa.Array:
    """The pages of an array of three dimensions, or a matrix as the only one."""
    rows, width = node.dims[:2]
    pages = node.value.reshape(rows, width, -1, order="F")
    flat = number_array(np.ascontiguousarray(np.moveaxis(pages, 2, 0)).ravel())
    return pa.FixedSizeListArray.from_arrays(pa.FixedSizeListArray.from_arrays(flat, width), rows)


def pictures_of(name: str, node: Node) -> list[Pictures]:
    """Images that a node is, or that the elements of a cell or field are."""
    if isinstance(node, NumericNode | SparseNode):
        return [Pictures(name, node)] if is_picture(node.dims, name) and not node.is_complex else []
    return [Pictures(name, node)] if isinstance(node, CellNode) else []
