"""Where a file keeps records: its levels, from the nodes of the tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pyarrow as pa

from matlens.annotations.labelers import is_labeler, labelled_levels
from matlens.annotations.levels import BOX_NAME, POINT_NAME, Columns, Level, Odd, Paths, numbered, record_paths
from matlens.annotations.near_misses import why_no_array
from matlens.annotations.odd_elements import plan_of_boxes
from matlens.annotations.point_sets import MIN_POINTS
from matlens.columns.buffers import list_array, number_array, numbers_of, scalar, text_array
from matlens.columns.build import ColumnBuilder
from matlens.columns.unify import Kind, kinds_of
from matlens.errors import LimitExceeded, MatlensError
from matlens.formats.records import Elements, Int64s
from matlens.tree.access import elements_below, guarded, object_numbers, reader_of
from matlens.tree.nodes import CellNode, CharNode, FieldNode, NumericNode, OpaqueNode, StructArrayNode, StructNode
from matlens.tree.nodes.node import Node
from matlens.values.plain import printable

IMAGE_SIDE = 16
"""Numeric fields larger than this in both dims are pictures or data, not annotations."""
MAX_WIDTH = 512
"""A matrix of more columns is data, not one row for each record."""
MAX_CELL_COLUMNS = 32
"""Columns of a cell matrix that is a table."""
MAX_DEPTH = 16
TOO_DEEP = f"not looked into: it lies more than {MAX_DEPTH} structs deep, --path looks there"
"""What is told of values further down."""
MAX_LONE_POINTS = 500
"""Points of a matrix that is those of one record."""
_TEXT_CLASSES = ("string", "categorical")


class _Siblings:
    """Columns of sibling values, by length, and the texts before and after the number in their paths."""

    def __init__(self) -> None:
        self.columns: dict[int, Columns] = {}
        self.templates: dict[str, tuple[str, str]] = {}
        self.unfit: list[str] = []

    def add(self, column: _Column, count: int, template: tuple[str, str]) -> None:
        column.stand_in(self.columns.setdefault(count, Columns()))
        self.templates[column.name] = template


def levels_of(
    nodes: Sequence[Node],
    problems: list[MatlensError],
    base: str = "",
    parent: Level | None = None,
    depth: int = 0,
    seen: set[int] | None = None,
) -> Iterator[Level]:
    """Levels of sibling nodes: of each struct array, and of siblings of equal length together.

    Texts that stand alone beside them, such as a file name, are found through the level
    above. What cannot be read is left out and goes to `problems`. Objects that were `seen` are not gone into again.
    """
    beside, found, deeper = _Siblings(), list[Level](), list[Node]()
    seen = set() if seen is None else seen
    for node in nodes:
        if isinstance(node, OpaqueNode) and _was_seen(node, seen):
            continue
        try:
            if node.error is not None:
                with guarded(node):
                    raise node.error
            found += _levels(node, beside, deeper, problems)
        except MatlensError as error:
            problems.append(error)
    paths = _sibling_paths(beside.templates, base)
    above = _below(Level(1, _alone(beside), paths, base), parent)
    yield from (_below(level, above) if level.parent is None else level for level in found)
    for size, columns in beside.columns.items():
        yield _below(Level(size, columns, paths, base), parent if size == 1 else above)
    if beside.unfit:
        yield Level(0, Columns(), paths, base, unfit=beside.unfit)
    if deeper and depth == MAX_DEPTH:
        problems.append(LimitExceeded(TOO_DEEP, variable=deeper[0].path))
    for node in deeper if depth < MAX_DEPTH else ():
        try:
            below = node.children()
        except MatlensError as error:
            problems.append(error)
            continue
        yield from levels_of(below, problems, node.path, above, depth + 1, seen)


def _levels(node: Node, beside: _Siblings, deeper: list[Node], problems: list[MatlensError]) -> Iterator[Level]:
    """The level that a node is by itself; what is none stands `beside` its siblings, or is gone into `deeper`."""
    if isinstance(node, OpaqueNode) and (levels := labelled_levels(node)):
        yield from levels
    elif isinstance(node, OpaqueNode) and is_labeler(node):
        # What a tool keeps besides is its own.
        return
    elif isinstance(node, StructArrayNode):
        yield _struct_array(node, problems)
    elif isinstance(node, CellNode):
        yield from _cell(node, beside, problems)
    elif isinstance(node, OpaqueNode) and node.matlab_class in _TEXT_CLASSES:
        beside.add(_Column(node.name, pa.string(), partial(_strings, node)), node.numel, (f"{node.path}(", ")"))
    elif isinstance(node, StructNode | OpaqueNode):
        deeper.append(node)
    else:
        _note_array(node, beside)


def _alone(beside: _Siblings) -> Columns:
    """The texts that stand alone."""
    single, texts = beside.columns.get(1, Columns()), Columns()
    for name, kind in single.types.items():
        if pa.types.is_string(kind):
            texts.add(name, kind, partial(single.__getitem__, name))
    return texts


def _was_seen(node: OpaqueNode, seen: set[int]) -> bool:
    """Whether all of an array of objects were met before; they are from now on."""
    try:
        numbers = set(object_numbers(node))
    except MatlensError:
        return False
    was_seen = bool(numbers) and numbers <= seen
    seen |= numbers
    return was_seen


def _below(level: Level, parent: Level | None) -> Level:
    """`level` with a parent of a single record."""
    level.parent, level.parent_index = parent, np.zeros(level.size, np.int64)
    return level


# --- columns -------------------------------------------------------------------------------


def _struct_array(node: StructArrayNode, problems: list[MatlensError]) -> Level:
    columns = Columns()
    for name in node.fields():
        try:
            with guarded(node):
                elements = elements_below(node, name)
                if not len(elements) or BOX_NAME.search(name) or not _is_picture(_first_shape(node, elements)):
                    _column(node, elements, name, problems).stand_in(columns)
        except MatlensError as error:
            problems.append(error)
    return Level(node.numel, columns, record_paths(node.path, "()"))


def _first_shape(node: Node, elements: Elements) -> tuple[int, ...]:
    return reader_of(node).headers(elements.take([0])).shape(0)


def _is_picture(dims: tuple[int, ...]) -> bool:
    return len(dims) > 2 or (dims[0] > IMAGE_SIDE and dims[1] > IMAGE_SIDE)


@dataclass(slots=True)
class _Column:
    """A column before it is made: its type, and whether its matrices are stored turned; `odd` elements are left out."""

    name: str
    kind: pa.DataType
    make: Callable[[], pa.Array]
    turned: bool = False
    odd: list[Odd] = field(default_factory=list)

    def stand_in(self, columns: Columns) -> None:
        columns.add(self.name, self.kind, self.make, turned=self.turned)
        columns.odd += self.odd


def _column(node: Node, elements: Elements, name: str, problems: list[MatlensError]) -> _Column:
    """A column that is nulls where it cannot be read."""
    reader, planner, odd = plan_of_boxes(reader_of(node), elements, name)
    kind = planner.plan.type_of(name)

    def make() -> pa.Array:
        try:
            with guarded(node):
                return ColumnBuilder(reader, planner.plan, planner.levels, planner.kept_objects).visit(elements, name)
        except MatlensError as error:
            problems.append(error)
            return pa.nulls(len(elements), kind)

    made, make_upright = _upright(name, kind, make)
    return _Column(name, made, make_upright, made != kind, odd)


def _upright(name: str, kind: pa.DataType, make: Callable[[], pa.Array]) -> tuple[pa.DataType, Callable[[], pa.Array]]:
    """Matrices of four rows, a box in each column, as lists of rows, where all are so and the name tells of boxes."""
    if not BOX_NAME.search(name):
        return kind, make
    rows = pa.list_(pa.list_(pa.float64(), 4))
    if pa.types.is_struct(kind) and [part.name for part in kind] == ["data", "shape"]:
        array = make()
        shapes = [shape for shape in array.field("shape").to_pylist() if shape]
        if shapes and all(len(shape) == 2 and shape[0] == 4 for shape in shapes):
            return rows, lambda: _turned(
                array, [shape[1] if shape else 0 for shape in array.field("shape").to_pylist()]
            )
    elif pa.types.is_fixed_size_list(kind) and pa.types.is_fixed_size_list(kind.value_type) and kind.list_size == 4:
        width = kind.value_type.list_size
        if width not in range(4, 9) and pa.types.is_primitive(kind.value_type.value_type):
            return rows, lambda: _turned(make(), None, width)
    return kind, make


def _turned(array: pa.Array, counts: list[int] | None, width: int = 0) -> pa.Array:
    """Lists of the columns of matrices of four rows."""
    valid = numbers_of(array.is_valid())
    flat = array.field("data").flatten() if counts is not None else array.flatten().flatten()
    numbers = numbers_of(flat.cast(pa.float64(), safe=False))
    sizes = np.array(counts if counts is not None else np.where(valid, width, 0), np.int64)
    starts = np.concatenate([[0], np.cumsum(4 * sizes)])
    parts = [
        numbers[a : a + 4 * n].reshape(4, n).T.ravel() for a, n in zip(starts.tolist(), sizes.tolist(), strict=False)
    ]
    boxes = pa.FixedSizeListArray.from_arrays(number_array(np.concatenate(parts or [np.zeros(0)])), 4)
    return list_array(boxes, sizes, ~valid)


def _cell(node: CellNode, beside: _Siblings, problems: list[MatlensError]) -> Iterator[Level]:
    """A cell of structs is a level of its own; other cells stand beside their siblings."""
    if not node.numel:
        return
    name = node.name or "value"
    with guarded(node):
        elements, reader = elements_below(node), reader_of(node)
        if len(node.dims) == 2 and min(node.dims) > 1 and node.dims[1] <= MAX_CELL_COLUMNS:
            headers = reader.headers(elements)
            if len(kinds_of(headers.take(headers.numel > 0))) > 1:
                yield _cell_matrix(node, problems)
                return
        # The first alone may tell that they are not all objects.
        if all(kinds_of(reader.headers(some)) == [Kind.OPAQUE] for some in (elements.take([0]), elements)):
            # Each is gone into where it stands alone.
            return
        column = _column(node, elements, name, problems)
    if pa.types.is_struct(column.kind) and not isinstance(node, FieldNode):
        whole, inner = Columns(), Columns()
        column.stand_in(whole)
        for long, part in whole.types.items():
            inner.add(long.removeprefix(f"{name}."), part, partial(whole.__getitem__, long))
        inner.odd += [replace(odd, name=odd.name.removeprefix(f"{name}.")) for odd in column.odd]
        yield Level(node.numel, inner, record_paths(node.path, "{}"))
    else:
        template = (f"{node.path}(", f").{node.name}") if isinstance(node, FieldNode) else (f"{node.path}{{", "}")
        beside.add(column, node.numel, template)


def _cell_matrix(node: CellNode, problems: list[MatlensError]) -> Level:
    """A cell matrix of values of several kinds is a table whose columns have no names."""
    rows, width = node.dims
    with guarded(node):
        elements = elements_below(node)
    columns, name = Columns(), node.name or "value"
    for k in range(width):
        some = elements.take(slice(k * rows, (k + 1) * rows))
        _column(node, some, f"{name}_{k + 1}", problems).stand_in(columns)

    def paths(wanted: str, index: Int64s) -> pa.Array:
        column = next((k for k in range(width) if wanted.partition(".")[0] == f"{name}_{k + 1}"), 0)
        return numbered(f"{node.path}{{", index, f",{column + 1}}}{wanted[len(f'{name}_{column + 1}') :]}")

    return Level(rows, columns, paths)


def _note_array(node: Node, beside: _Siblings) -> None:
    """A matrix of n rows, or a vector of n, stands beside its siblings of length n; so do n columns or n pages."""
    if why := why_no_array(node):
        beside.unfit.append(why)
        return
    if isinstance(node, NumericNode) and node.numel and POINT_NAME.search(node.name) and _note_points(node, beside):
        return
    if len(node.dims) != 2 or not node.numel:
        return
    rows, width = node.dims
    name, row = node.name or "value", (f"{node.path}(", ",:)")
    if isinstance(node, CharNode):
        beside.add(_Column(name, pa.string(), partial(_texts, node)), rows, row)
    elif isinstance(node, NumericNode) and not node.is_complex:
        kind = pa.from_numpy_dtype(node.dtype)
        if rows == 4 and width not in range(4, 9) and BOX_NAME.search(name):
            turned = _Column(name, pa.list_(kind, 4), partial(_matrix, node, turned=True))
            beside.add(turned, width, (f"{node.path}(:,", ")"))
        elif (rows == 1 and width > MAX_WIDTH) or width == 1:
            beside.add(_Column(name, kind, partial(_vector, node)), node.numel, (f"{node.path}(", ")"))
        elif width <= MAX_WIDTH:
            beside.add(_Column(name, pa.list_(kind, width), partial(_matrix, node)), rows, row)


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
    if len(node.dims) > 3 or not MIN_POINTS <= max(rows, width) <= MAX_LONE_POINTS or min(rows, width) not in (2, 3):
        return False
    kind = pa.list_(pa.list_(pa.from_numpy_dtype(node.dtype), width), rows)
    template = (f"{node.path}(:,:,", ")") if len(node.dims) == 3 else (node.path, "")
    beside.add(_Column(node.name, kind, partial(_stack, node)), count, template)
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
