"""Where a file keeps records: its levels, from the nodes of the tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from matlens.annotations.labels import labelled_level
from matlens.annotations.levels import Level, Paths, numbered, record_paths, struct_columns
from matlens.columns.buffers import number_array, scalar, text_array
from matlens.columns.build import build_column
from matlens.columns.unify import Kind, kinds_of
from matlens.errors import MatlensError
from matlens.formats.records import Int64s
from matlens.tree.access import elements_below, guarded, object_numbers, reader_of
from matlens.tree.nodes import CellNode, CharNode, FieldNode, NumericNode, OpaqueNode, StructArrayNode, StructNode
from matlens.tree.nodes.node import Node
from matlens.values.plain import printable

IMAGE_SIDE = 16
"""Numeric fields larger than this in both dims are pictures or data, not annotations."""
MAX_WIDTH = 512
"""A matrix of more columns is data, not one row for each record."""
MAX_DEPTH = 16


class _Siblings:
    """Columns of sibling values, by length, and the texts before and after the number in their paths."""

    def __init__(self) -> None:
        self.columns: dict[int, dict[str, pa.Array]] = {}
        self.templates: dict[str, tuple[str, str]] = {}

    def add(self, name: str, array: pa.Array, template: tuple[str, str]) -> None:
        self.columns.setdefault(len(array), {})[name] = array
        self.templates[name] = template


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
    beside, found = _Siblings(), []
    seen = set() if seen is None else seen
    nodes = [node for node in nodes if not (isinstance(node, OpaqueNode) and _was_seen(node, seen))]
    for node in nodes:
        try:
            if node.error is not None:
                with guarded(node):
                    raise node.error
            if isinstance(node, StructArrayNode):
                found.append(_struct_array(node, problems))
            elif isinstance(node, CellNode):
                found += _cell(node, beside)
            elif isinstance(node, OpaqueNode):
                level = labelled_level(node)
                found += [level] if level is not None else []
            elif not isinstance(node, StructNode):
                _note_array(node, beside)
        except MatlensError as error:
            problems.append(error)
    paths = _sibling_paths(beside.templates, base)
    alone = {name: array for name, array in beside.columns.get(1, {}).items() if pa.types.is_string(array.type)}
    above = _below(Level(1, alone, paths), parent)
    yield from (_below(level, above) for level in found)
    for size, columns in beside.columns.items():
        yield _below(Level(size, struct_columns(columns), paths), parent if size == 1 else above)
    for node in nodes if depth < MAX_DEPTH else ():
        if isinstance(node, StructNode | OpaqueNode):
            yield from levels_of(node.children(), problems, node.path, above, depth + 1, seen)


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


def _struct_array(node: StructArrayNode, problems: list[MatlensError]) -> Level:
    columns: dict[str, pa.Array] = {}
    for name in node.fields():
        try:
            with guarded(node):
                elements = elements_below(node, name)
                if not len(elements) or not _is_picture(reader_of(node).headers(elements.take([0])).shape(0)):
                    columns[name] = build_column(reader_of(node), elements, name)
        except MatlensError as error:
            problems.append(error)
    return Level(node.numel, struct_columns(columns), record_paths(node.path, "()"))


def _is_picture(dims: tuple[int, ...]) -> bool:
    return len(dims) > 2 or (dims[0] > IMAGE_SIDE and dims[1] > IMAGE_SIDE)


def _cell(node: CellNode, beside: _Siblings) -> Iterator[Level]:
    """A cell of structs is a level of its own; other cells stand beside their siblings."""
    if not node.numel:
        return
    name = node.name or "value"
    with guarded(node):
        elements, reader = elements_below(node), reader_of(node)
        # The first alone may tell that they are not all objects.
        if all(kinds_of(reader.headers(some)) == [Kind.OPAQUE] for some in (elements.take([0]), elements)):
            # Their form is text, and each is gone into where it stands alone.
            return
        array = build_column(reader, elements, name)
    if pa.types.is_struct(array.type):
        inner = dict(zip([f.name for f in array.type], array.flatten(), strict=True))
        yield Level(len(array), struct_columns(inner), record_paths(node.path, "{}"))
    else:
        template = (f"{node.path}(", f").{node.name}") if isinstance(node, FieldNode) else (f"{node.path}{{", "}")
        beside.add(name, array, template)


def _note_array(node: Node, beside: _Siblings) -> None:
    """A matrix of n rows, or a vector of n, stands beside its siblings of length n."""
    if len(node.dims) != 2 or not node.numel:
        return
    rows, width = node.dims
    name = node.name or "value"
    if isinstance(node, CharNode):
        value = node.value
        texts = [value] if isinstance(value, str) else [str(text).rstrip() for text in value.ravel()]
        beside.add(name, text_array(list(map(printable, texts))), (f"{node.path}(", ",:)"))
    elif isinstance(node, NumericNode) and not node.is_complex:
        if (rows == 1 and width > MAX_WIDTH) or width == 1:
            array, template = number_array(node.value.ravel()), (f"{node.path}(", ")")
        elif width <= MAX_WIDTH:
            flat = number_array(np.ascontiguousarray(node.value).ravel())
            array, template = pa.FixedSizeListArray.from_arrays(flat, width), (f"{node.path}(", ",:)")
        else:
            return
        beside.add(name, array, template)


def _sibling_paths(templates: dict[str, tuple[str, str]], base: str) -> Paths:
    def paths(name: str, index: Int64s) -> pa.Array:
        if not name:
            return pa.repeat(scalar(base), len(index)) if base else numbered("(", index, ")")
        stored = next(other for other in templates if name == other or name.startswith(f"{other}."))
        before, after = templates[stored]
        return numbered(before, index, after + name[len(stored) :])

    return paths
