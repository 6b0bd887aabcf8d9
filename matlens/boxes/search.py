"""Where a file keeps records: its levels, from the nodes of the tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from matlens.boxes.levels import Level, Paths, record_paths, struct_columns
from matlens.columns import ColumnBuilder
from matlens.errors import MatlensError
from matlens.model import Int64s
from matlens.nodes import CellNode, CharNode, FieldNode, Node, NumericNode, StructArrayNode, StructNode

__all__ = ["levels_of"]

IMAGE_SIDE = 16
"""Numeric fields larger than this in both dims are pictures or data, not annotations."""
MAX_WIDTH = 512
"""A matrix of more columns is data, not one row for each record."""
MAX_DEPTH = 16


def levels_of(nodes: Sequence[Node], base: str = "", depth: int = 0) -> Iterator[Level]:
    """Levels of sibling nodes: of each struct array, and of siblings of equal length together."""
    beside: dict[int, dict[str, tuple[pa.Array, str]]] = {}
    for node in nodes:
        try:
            if isinstance(node, StructArrayNode):
                yield _struct_array(node)
            elif isinstance(node, StructNode):
                if depth < MAX_DEPTH:
                    yield from levels_of(node.children(), node.path, depth + 1)
            elif isinstance(node, CellNode):
                yield from _cell(node, beside)
            else:
                _note_array(node, beside)
        except MatlensError:
            # One unreadable value hides its own boxes, not those of its siblings.
            continue
    for size, columns in beside.items():
        arrays = {name: array for name, (array, _) in columns.items()}
        templates = {name: template for name, (_, template) in columns.items()}
        yield Level(size, struct_columns(arrays), _sibling_paths(templates, base))


def _struct_array(node: StructArrayNode) -> Level:
    builder = ColumnBuilder(node.owner.reader)
    columns: dict[str, pa.Array] = {}
    with node.owner.guard(node):
        for name in node.fields():
            elements = node.field_elements(name)
            if not len(elements) or not _is_picture(node.owner.reader.headers(elements.take([0])).shape(0)):
                columns[name] = builder.build(elements, name)
    return Level(node.numel, struct_columns(columns), record_paths(node.path, "()"))


def _is_picture(dims: tuple[int, ...]) -> bool:
    return len(dims) > 2 or (dims[0] > IMAGE_SIDE and dims[1] > IMAGE_SIDE)


def _cell(node: CellNode, beside: dict[int, dict[str, tuple[pa.Array, str]]]) -> Iterator[Level]:
    """A cell of structs is a level of its own; other cells stand beside their siblings."""
    if not node.numel:
        return
    name = node.name or "value"
    with node.owner.guard(node):
        array = ColumnBuilder(node.owner.reader).build(node.cell_elements(), name)
    if pa.types.is_struct(array.type):
        inner = dict(zip([f.name for f in array.type], array.flatten(), strict=True))
        yield Level(len(array), struct_columns(inner), record_paths(node.path, "{}"))
    else:
        template = f"{node.path}({{}}).{node.name}" if isinstance(node, FieldNode) else f"{node.path}{{{{{{}}}}}}"
        beside.setdefault(len(array), {})[name] = (array, template)


def _note_array(node: Node, beside: dict[int, dict[str, tuple[pa.Array, str]]]) -> None:
    """A matrix of n rows, or a vector of n, stands beside its siblings of length n."""
    if len(node.dims) != 2 or not node.numel:
        return
    rows, width = node.dims
    name = node.name or "value"
    if isinstance(node, CharNode):
        value = node.value
        texts = [value] if isinstance(value, str) else [str(text).rstrip() for text in value.ravel()]
        beside.setdefault(len(texts), {})[name] = (pa.array(texts, pa.string()), f"{node.path}({{}},:)")
    elif isinstance(node, NumericNode) and not node.is_complex:
        if (rows == 1 and width > MAX_WIDTH) or width == 1:
            array, template = pa.array(node.value.ravel()), f"{node.path}({{}})"
        elif width <= MAX_WIDTH:
            flat = pa.array(np.ascontiguousarray(node.value).ravel())
            array, template = pa.FixedSizeListArray.from_arrays(flat, width), f"{node.path}({{}},:)"
        else:
            return
        beside.setdefault(len(array), {})[name] = (array, template)


def _sibling_paths(templates: dict[str, str], base: str) -> Paths:
    def paths(name: str, index: Int64s) -> list[str]:
        if not name:
            return [base] * len(index) if base else [f"({k + 1})" for k in index.tolist()]
        stored = next(other for other in templates if name == other or name.startswith(f"{other}."))
        end = name[len(stored) :]
        return [templates[stored].format(k + 1) + end for k in index.tolist()]

    return paths
