"""Where a file keeps records: its levels, from the nodes of the tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from matlens.annotations.cell_grids import grid_level
from matlens.annotations.cell_rows import rows_level
from matlens.annotations.label_regions import RECTANGLE
from matlens.annotations.labelers import is_labeler, labelled_levels
from matlens.annotations.level_columns import LevelColumn, column_of
from matlens.annotations.levels import BOX_NAME, Columns, Level, may_hold_boxes, numbered, record_paths
from matlens.annotations.siblings import Siblings, note_array, pictures_of, strings_of
from matlens.annotations.stored_images import Pictures, hold_pictures, may_hold_pictures
from matlens.columns.unify import Kind, kinds_of
from matlens.errors import MatlensError, UnsupportedValue
from matlens.formats.records import Elements, Int64s
from matlens.tree.access import elements_below, guarded, object_numbers, reader_of
from matlens.tree.file import MatFile
from matlens.tree.nodes import CellNode, FieldNode, OpaqueNode, StructArrayNode, StructNode
from matlens.tree.nodes.node import Node

MAX_CELL_COLUMNS = 32
"""Columns of a cell matrix that is a table."""
MAX_DEPTH = 16
TOO_DEEP = f"not looked into: it lies more than {MAX_DEPTH} structs deep, --path looks there"
"""What is told of values further down."""
MAX_RECORDS = 50_000
"""Records that are gone into one by one."""
_TEXT_CLASSES = ("string", "categorical")


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


_walks: ContextVar[dict[tuple[int, bool, str], tuple[list[Level], list[MatlensError]]] | None]
_walks = ContextVar("_walks", default=None)
"""The levels of files that several kinds of annotations are looked for in."""


@contextmanager
def shared_walks() -> Iterator[None]:
    """Walk through a file once for all that looks for annotations in it inside the block."""
    token = _walks.set({})
    try:
        yield
    finally:
        _walks.reset(token)


def levels_in(
    file: MatFile, problems: list[MatlensError], *, into_records: bool = False, region: str = RECTANGLE
) -> list[Level]:
    """The levels of all variables of a file, as `levels_of` gives them."""
    nodes = list(file.values())
    if region != RECTANGLE and not any(isinstance(node, OpaqueNode | StructNode | CellNode) for node in nodes):
        region = RECTANGLE
    known, key = _walks.get(), (id(file), into_records, region)
    if known is None or key not in known:
        told: list[MatlensError] = []
        walked = list(levels_of(nodes, told, into_records=into_records, region=region)), told
        if known is None:
            problems += told
            return walked[0]
        known[key] = walked
    levels, told = known[key]
    problems += told
    return levels


class _Walk:
    """The way through the nodes of a file; objects that it met are not gone into again."""

    def __init__(self, problems: list[MatlensError], into_records: bool, region: str) -> None:
        self.problems, self.into_records, self.region = problems, into_records, region
        self.seen: set[int] = set()

    def levels(
        self, nodes: Sequence[Node], base: str = "", parent: Level | None = None, record: int = 0, depth: int = 0
    ) -> Iterator[Level]:
        """The levels of sibling nodes, which belong to a record of the level above, and those below them."""
        beside, found, deeper = Siblings(), list[Level](), list[_Deeper]()
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
        paths = beside.paths(base)
        above = _below(Level(1, beside.alone(), paths, base), parent, record)
        yield from (_below(level, above) if level.parent is None else level for level in found)
        by_size: dict[int, Level] = {}
        for size, columns in beside.columns.items():
            level = Level(size, columns, paths, base, pictures=beside.pictures.get(size, ()), siblings=by_size)
            by_size[size] = _below(level, parent, record) if size == 1 else _below(level, above)
        yield from list(by_size.values())
        yield from (_below(grid_level(node, column, by_size), above) for node, column in beside.grids)
        for size, table in beside.tables:
            table.parent = by_size.get(size, above)
            if size not in by_size:
                table.parent_index = np.zeros(table.size, np.int64)
            yield table
        by_size[1] = above
        if beside.unfit:
            yield Level(0, Columns(), paths, base, unfit=beside.unfit)
        yield from self._below(deeper, by_size, depth)

    def _below(self, deeper: Sequence[_Deeper], by_size: dict[int, Level], depth: int) -> Iterator[Level]:
        """The levels below nodes, of which each is of a record of a level, or of the siblings of a size."""
        if deeper and depth == MAX_DEPTH:
            self.problems.append(UnsupportedValue(TOO_DEEP, variable=deeper[0].node.path))
        for each in deeper if depth < MAX_DEPTH else ():
            within = by_size[each.parent] if isinstance(each.parent, int) else each.parent
            taken = {pictures.name for pictures in within.pictures}
            try:
                below = [node for node in each.node.children() if node.name not in taken]
            except MatlensError as error:
                self.problems.append(error)
                continue
            yield from self.levels(below, each.node.path, within, each.record, depth + 1)

    def _levels(self, node: Node, beside: Siblings, deeper: list[_Deeper]) -> Iterator[Level]:
        """The level that a node is by itself; what is none stands `beside` its siblings, or is gone into `deeper`."""
        if isinstance(node, OpaqueNode) and (levels := labelled_levels(node, self.region, self.problems)):
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
            beside.add(
                LevelColumn(node.name, pa.string(), partial(strings_of, node)), node.numel, (f"{node.path}(", ")")
            )
        elif isinstance(node, StructNode | OpaqueNode):
            deeper.append(_Deeper(node))
        else:
            note_array(node, beside)

    def _was_seen(self, node: OpaqueNode) -> bool:
        """Whether all of an array of objects were met before; they are from now on."""
        try:
            numbers = set(object_numbers(node))
        except MatlensError:
            return False
        was_seen = bool(numbers) and numbers <= self.seen
        self.seen |= numbers
        return was_seen


def _records(node: StructArrayNode | CellNode, levels: Sequence[Level], beside: Siblings) -> list[_Deeper]:
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
                if hold_pictures(node, elements, name):
                    pictures += pictures_of(name, node[name])
                elif not len(elements) or BOX_NAME.search(name) or len(_first_shape(node, elements)) == 2:
                    column_of(node, elements, name, problems).stand_in(columns)
        except MatlensError as error:
            problems.append(error)
    return Level(node.numel, columns, record_paths(node.path, "()"), pictures=pictures)


def _first_shape(node: Node, elements: Elements) -> tuple[int, ...]:
    return reader_of(node).headers(elements.take([0])).shape(0)


def _cell(node: CellNode, beside: Siblings, problems: list[MatlensError]) -> Iterator[Level]:
    """A cell of structs is a level of its own; other cells stand beside their siblings."""
    if not node.numel:
        return
    name = node.name or "value"
    with guarded(node):
        elements, reader = elements_below(node), reader_of(node)
        if hold_pictures(node, elements, name):
            beside.add_pictures(Pictures(name, node))
            return
        if len(node.dims) == 2 and 1 < node.dims[1] <= MAX_CELL_COLUMNS:
            headers = reader.headers(elements)
            if len(kinds_of(headers.take(headers.numel > 0))) > 1:
                yield from _cell_matrix(node, problems)
                return
        # The first alone may tell that they are not all objects.
        if all(kinds_of(reader.headers(some)) == [Kind.OPAQUE] for some in (elements.take([0]), elements)):
            # Each is gone into where it stands alone.
            return
        inner = rows_level(node, elements, name, partial(numbered, f"{node.path}{{", after="}"), problems)
        if inner is not None:
            beside.tables.append((node.numel, inner))
            return
        column = column_of(node, elements, name, problems)
    if pa.types.is_struct(column.kind) and not isinstance(node, FieldNode):
        yield Level(node.numel, _inside(column), record_paths(node.path, "{}"))
    else:
        is_grid = len(node.dims) == 2 and min(node.dims) > 1 and may_hold_boxes(column.kind)
        if is_grid and not isinstance(node, FieldNode):
            beside.grids.append((node, column))
        else:
            beside.add_cell(node, column)


def _inside(column: LevelColumn) -> Columns:
    """The fields of a column of structs as columns of their own."""
    whole, inner, before = Columns(), Columns(), f"{column.name}."
    column.stand_in(whole)
    for long, part in whole.types.items():
        inner.add(long.removeprefix(before), part, partial(whole.__getitem__, long))
    inner.odd += [replace(odd, name=odd.name.removeprefix(before)) for odd in column.odd]
    inner.cells = {long.removeprefix(before): depth for long, depth in column.cells.items()}
    return inner


def _cell_matrix(node: CellNode, problems: list[MatlensError]) -> Iterator[Level]:
    """A cell matrix of values of several kinds is a table whose columns have no names; so may be cells inside it."""
    rows, width = node.dims
    with guarded(node):
        elements = elements_below(node)
    columns, name = Columns(), node.name or "value"
    pictures: list[Pictures] = []
    below: list[Level] = []
    for k in range(width):
        some = elements.take(slice(k * rows, (k + 1) * rows))
        if hold_pictures(node, some, name):
            pictures += pictures_of(f"{name}_{k + 1}", node[:, k])
            continue
        before = partial(numbered, f"{node.path}{{", after=f",{k + 1}}}")
        if (inner := rows_level(node, some, f"{name}_{k + 1}", before, problems)) is not None:
            below.append(inner)
            continue
        column_of(node, some, f"{name}_{k + 1}", problems).stand_in(columns)

    def paths(wanted: str, index: Int64s) -> pa.Array:
        column = next((k for k in range(width) if wanted.partition(".")[0] == f"{name}_{k + 1}"), 0)
        return numbered(f"{node.path}{{", index, f",{column + 1}}}{wanted[len(f'{name}_{column + 1}') :]}")

    table = Level(rows, columns, paths, pictures=pictures)
    for level in below:
        level.parent = table
    yield from (table, *below)
