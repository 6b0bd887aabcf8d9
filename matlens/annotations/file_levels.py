"""Where a file keeps records: its levels, from the nodes of the tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from matlens.annotations.cell_grids import grid_level
from matlens.annotations.label_regions import RECTANGLE
from matlens.annotations.labelers import is_labeler, labelled_levels
from matlens.annotations.level_columns import LevelColumn, column_of
from matlens.annotations.levels import (
    BOX_NAME,
    POINT_NAME,
    POLYGON_NAME,
    Columns,
    Level,
    Paths,
    may_hold_boxes,
    numbered,
    record_paths,
)
from matlens.annotations.near_misses import why_no_array
from matlens.annotations.point_sets import MIN_POINTS
from matlens.annotations.polygon_sets import axis_of, compactness, is_named
from matlens.annotations.readings import is_role
from matlens.annotations.stored_images import Pictures, hold_pictures, is_picture, may_hold_pictures
from matlens.columns.buffers import list_array, number_array, scalar, text_array
from matlens.columns.unify import Kind, kinds_of
from matlens.errors import LimitExceeded, MatlensError
from matlens.formats.records import Elements, Int64s
from matlens.tree.access import elements_below, guarded, object_numbers, reader_of
from matlens.tree.nodes import (
    CellNode,
    CharNode,
    FieldNode,
    NumericNode,
    OpaqueNode,
    SparseNode,
    StructArrayNode,
    StructNode,
)
from matlens.tree.nodes.node import Node
from matlens.values.plain import printable

MAX_WIDTH = 512
"""A matrix of more columns is data, not one row for each record."""
MAX_CELL_COLUMNS = 32
"""Columns of a cell matrix that is a table."""
MAX_DEPTH = 16
TOO_DEEP = f"not looked into: it lies more than {MAX_DEPTH} structs deep, --path looks there"
"""What is told of values further down."""
MAX_RECORDS = 50_000
"""Records that are gone into one by one."""
MAX_LONE_POINTS = 500
"""Points of a matrix that is those of one record."""
COMPACT, MUCH = 0.01, 4
"""How compact two polygons must be, and how much more than one of all their numbers; a square has 1/16."""
_TEXT_CLASSES = ("string", "categorical")


class _Siblings:
    """Columns and images of sibling values, by length, and the texts before and after the number in their paths."""

    def __init__(self) -> None:
        self.columns: dict[int, Columns] = {}
        self.pictures: dict[int, list[Pictures]] = {}
        self.templates: dict[str, tuple[str, str]] = {}
        self.lying: list[NumericNode] = []
        self.grids: list[tuple[CellNode, LevelColumn]] = []
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
            if counts[node.numel] >= 4 or (node.numel in known and node.numel != 4):
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


class _Deeper(NamedTuple):
    """A node to go into, and the record of the level above that it is of: a level, or the one of siblings of a size."""

    node: Node
    parent: Level | int = 1
    record: int = 0


def levels_of(
    nodes: Sequence[Node], problems: list[MatlensError], *, into_records: bool = False, region: str = RECTANGLE
) -> Iterator[Level]:
    """Levels of sibling nodes: of each struct array, and of siblings of equal length together.

    Texts that stand alone beside them, such as a file name, are found through the level above. What cannot be read is
    left out and goes to `problems`. `into_records` goes into each record of struct arrays and of cells of structs, too,
    for what no column can hold; `region` is the kind of regions that are taken from labelers.
    """
    return _Walk(problems, into_records, region).levels(nodes)


class _Walk:
    """The way through the nodes of a file; objects that it met are not gone into again."""

    def __init__(self, problems: list[MatlensError], into_records: bool, region: str) -> None:
        self.problems, self.into_records, self.region = problems, into_records, region
        self.seen: set[int] = set()

    def levels(
        self, nodes: Sequence[Node], base: str = "", parent: Level | None = None, record: int = 0, depth: int = 0
    ) -> Iterator[Level]:
        """The levels of sibling nodes, which belong to a record of the level above, and those below them."""
        beside, found, deeper = _Siblings(), list[Level](), list[_Deeper]()
        for node in nodes:
            if isinstance(node, OpaqueNode) and self._was_seen(node):
                continue
            try:
                if node.error is not None:
                    with guarded(node):
                        raise node.error
                found += self._levels(node, beside, deeper)
            except MatlensError as error:
                self.problems.append(error)
        beside.settle_lying()
        beside.settle_grids()
        paths = _sibling_paths(beside.templates, base)
        above = _below(Level(1, beside.alone(), paths, base), parent, record)
        yield from (_below(level, above) if level.parent is None else level for level in found)
        by_size: dict[int, Level] = {}
        for size, columns in beside.columns.items():
            level = Level(size, columns, paths, base, pictures=beside.pictures.get(size, ()), siblings=by_size)
            by_size[size] = _below(level, parent, record) if size == 1 else _below(level, above)
        yield from list(by_size.values())
        yield from (_below(grid_level(node, column, by_size), above) for node, column in beside.grids)
        by_size[1] = above
        if beside.unfit:
            yield Level(0, Columns(), paths, base, unfit=beside.unfit)
        if deeper and depth == MAX_DEPTH:
            self.problems.append(LimitExceeded(TOO_DEEP, variable=deeper[0].node.path))
        for each in deeper if depth < MAX_DEPTH else ():
            within = by_size[each.parent] if isinstance(each.parent, int) else each.parent
            taken = {pictures.name for pictures in within.pictures}
            try:
                below = [node for node in each.node.children() if node.name not in taken]
            except MatlensError as error:
                self.problems.append(error)
                continue
            yield from self.levels(below, each.node.path, within, each.record, depth + 1)

    def _levels(self, node: Node, beside: _Siblings, deeper: list[_Deeper]) -> Iterator[Level]:
        """The level that a node is by itself; what is none stands `beside` its siblings, or is gone into `deeper`."""
        if isinstance(node, OpaqueNode) and (levels := labelled_levels(node, self.region)):
            yield from levels
        elif isinstance(node, OpaqueNode) and is_labeler(node):
            # What a tool keeps besides is its own.
            return
        elif isinstance(node, StructArrayNode | CellNode):
            if isinstance(node, StructArrayNode):
                found = [_struct_array(node, self.problems)]
            else:
                found = list(_cell(node, beside, self.problems))
            yield from found
            if self.into_records and node.numel <= MAX_RECORDS:
                deeper += _records(node, found, beside)
        elif isinstance(node, OpaqueNode) and node.matlab_class in _TEXT_CLASSES:
            beside.add(LevelColumn(node.name, pa.string(), partial(_strings, node)), node.numel, (f"{node.path}(", ")"))
        elif isinstance(node, StructNode | OpaqueNode):
            deeper.append(_Deeper(node))
        else:
            _note_array(node, beside)

    def _was_seen(self, node: OpaqueNode) -> bool:
        """Whether all of an array of objects were met before; they are from now on."""
        try:
            numbers = set(object_numbers(node))
        except MatlensError:
            return False
        was_seen = bool(numbers) and numbers <= self.seen
        self.seen |= numbers
        return was_seen


def _records(node: StructArrayNode | CellNode, levels: Sequence[Level], beside: _Siblings) -> list[_Deeper]:
    """The records of a struct array or of a cell that hold values of their own, to go into."""
    level = levels[0] if levels else None
    types = beside.columns.get(node.numel, Columns()).types
    kinds = [types.get(node.name or "value", pa.null())] if level is None else level.columns.types.values()
    if (level is not None and level.size != node.numel) or not any(map(may_hold_pictures, kinds)):
        return []
    parent = node.numel if level is None else level
    nodes = enumerate(node.children())
    return [_Deeper(each, parent, k) for k, each in nodes if isinstance(each, StructNode | CellNode)]


def _below(level: Level, parent: Level | None, record: int = 0) -> Level:
    """`level` below a record of the one above."""
    level.parent, level.parent_index = parent, np.full(level.size, record, np.int64)
    return level


# --- columns -------------------------------------------------------------------------------


def _struct_array(node: StructArrayNode, problems: list[MatlensError]) -> Level:
    columns, pictures = Columns(), list[Pictures]()
    for name in node.fields():
        try:
            with guarded(node):
                elements = elements_below(node, name)
                if hold_pictures(node, elements):
                    pictures += _pictures(name, node[name])
                elif not len(elements) or BOX_NAME.search(name) or len(_first_shape(node, elements)) == 2:
                    column_of(node, elements, name, problems).stand_in(columns)
        except MatlensError as error:
            problems.append(error)
    return Level(node.numel, columns, record_paths(node.path, "()"), pictures=pictures)


def _first_shape(node: Node, elements: Elements) -> tuple[int, ...]:
    return reader_of(node).headers(elements.take([0])).shape(0)


def _pictures(name: str, node: Node) -> list[Pictures]:
    """Images that a node is, or that the elements of a cell or field are."""
    if isinstance(node, NumericNode | SparseNode):
        return [Pictures(name, node)] if is_picture(node.dims) and not node.is_complex else []
    return [Pictures(name, node)] if isinstance(node, CellNode) else []


def _cell(node: CellNode, beside: _Siblings, problems: list[MatlensError]) -> Iterator[Level]:
    """A cell of structs is a level of its own; other cells stand beside their siblings."""
    if not node.numel:
        return
    name = node.name or "value"
    with guarded(node):
        elements, reader = elements_below(node), reader_of(node)
        if hold_pictures(node, elements):
            beside.add_pictures(Pictures(name, node))
            return
        if len(node.dims) == 2 and 1 < node.dims[1] <= MAX_CELL_COLUMNS:
            headers = reader.headers(elements)
            if len(kinds_of(headers.take(headers.numel > 0))) > 1:
                yield _cell_matrix(node, problems)
                return
        # The first alone may tell that they are not all objects.
        if all(kinds_of(reader.headers(some)) == [Kind.OPAQUE] for some in (elements.take([0]), elements)):
            # Each is gone into where it stands alone.
            return
        column = column_of(node, elements, name, problems)
    if pa.types.is_struct(column.kind) and not isinstance(node, FieldNode):
        whole, inner = Columns(), Columns()
        column.stand_in(whole)
        for long, part in whole.types.items():
            inner.add(long.removeprefix(f"{name}."), part, partial(whole.__getitem__, long))
        inner.odd += [replace(odd, name=odd.name.removeprefix(f"{name}.")) for odd in column.odd]
        inner.cells = {long.removeprefix(f"{name}."): depth for long, depth in column.cells.items()}
        yield Level(node.numel, inner, record_paths(node.path, "{}"))
    else:
        is_grid = len(node.dims) == 2 and min(node.dims) > 1 and may_hold_boxes(column.kind)
        if is_grid and not isinstance(node, FieldNode):
            beside.grids.append((node, column))
        else:
            beside.add_cell(node, column)


def _cell_matrix(node: CellNode, problems: list[MatlensError]) -> Level:
    """A cell matrix of values of several kinds is a table whose columns have no names."""
    rows, width = node.dims
    with guarded(node):
        elements = elements_below(node)
    columns, name = Columns(), node.name or "value"
    pictures: list[Pictures] = []
    for k in range(width):
        some = elements.take(slice(k * rows, (k + 1) * rows))
        if hold_pictures(node, some):
            pictures += _pictures(f"{name}_{k + 1}", node[:, k])
            continue
        column_of(node, some, f"{name}_{k + 1}", problems).stand_in(columns)

    def paths(wanted: str, index: Int64s) -> pa.Array:
        column = next((k for k in range(width) if wanted.partition(".")[0] == f"{name}_{k + 1}"), 0)
        return numbered(f"{node.path}{{", index, f",{column + 1}}}{wanted[len(f'{name}_{column + 1}') :]}")

    return Level(rows, columns, paths, pictures=pictures)


def _note_array(node: Node, beside: _Siblings) -> None:
    """A matrix of n rows, or a vector of n, stands beside its siblings of length n; so do n columns or n pages."""
    if isinstance(node, NumericNode) and (_note_points(node, beside) or _note_polygon(node, beside)):
        return
    if node.numel and (pictures := _pictures(node.name or "value", node)):
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


def _strings(node: OpaqueNode) -> pa.Array:
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


def _note_points(node: NumericNode, beside: _Siblings) -> bool:
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


def _note_polygon(node: NumericNode, beside: _Siblings) -> bool:
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


def _sibling_paths(templates: dict[str, tuple[str, str]], base: str) -> Paths:
    def paths(name: str, index: Int64s) -> pa.Array:
        if not name:
            return pa.repeat(scalar(base), len(index)) if base else numbered("(", index, ")")
        stored = next(other for other in templates if name == other or name.startswith(f"{other}."))
        before, after = templates[stored]
        if not after:
            return pa.repeat(scalar(before + name[len(stored) :]), len(index))
        return numbered(before, index, after + name[len(stored) :])

    return paths
