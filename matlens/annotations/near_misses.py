"""What is named as boxes are and cannot be read as boxes, and why: sparse, complex, logical, of three dimensions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from matlens.annotations.levels import BOX_NAME, Level, is_list, without_indices
from matlens.columns.buffers import is_number
from matlens.tree.nodes import NumericNode, SparseNode
from matlens.tree.nodes.node import Node

SPARSE = "sparse matrix, full() makes rows of it"
COMPLEX = "complex numbers"
LOGICAL = "logical, a box is four numbers"
PAGES = "array of more than two dimensions, boxes are the rows of matrices"
UNEVEN = "matrices without a width in common"
TEXTS = "texts"
_FIELDS = {("row", "col", "value", "shape"): SPARSE, ("real", "imag"): COMPLEX, ("data", "shape"): UNEVEN}
"""Fields of the Arrow types of such values."""


def why_no_array(node: Node) -> str:
    """Why an array that is named as boxes are has none; empty if it may have some, or is not named so."""
    if not BOX_NAME.search(node.name) or not node.numel:
        return ""
    dims = "x".join(map(str, node.dims))
    if isinstance(node, SparseNode):
        return f"{node.path}: {dims} {SPARSE}"
    if isinstance(node, NumericNode) and (node.is_complex or len(node.dims) > 2):
        return f"{node.path}: {dims} {COMPLEX if node.is_complex else PAGES}"
    return f"{node.path}: {dims} {LOGICAL}" if isinstance(node, NumericNode) and node.dtype == bool else ""


def near_misses(levels: Iterable[Level]) -> list[str]:
    """Values of levels that are named as boxes are and are none, with the reason, by headers alone."""
    found: dict[str, None] = {}
    for level in levels:
        found |= dict.fromkeys(level.unfit)
        for name, kind in level.columns.stored.items() if level.size else ():
            for inner, why in _of_type(name, kind):
                path = level.paths(name.partition(".")[0], np.zeros(1, np.int64))[0].as_py()
                found[f"{without_indices(path)}{inner[len(name.partition('.')[0]) :]}: {why}"] = None
    return list(found)


def _of_type(name: str, kind: pa.DataType) -> Iterator[tuple[str, str]]:
    """Names inside a column, and why they are no boxes."""
    why = _why(kind) if BOX_NAME.search(name) else ""
    if why:
        yield name, why
    elif is_list(kind):
        yield from _of_type(name, kind.value_type)
    elif pa.types.is_struct(kind):
        for part in kind:
            yield from _of_type(f"{name}.{part.name}", part.type)


def _why(kind: pa.DataType) -> str:
    """Why values of a type are no boxes; empty of numbers in rows, and of what holds more."""
    depth = 0
    while pa.types.is_fixed_size_list(kind):
        kind, depth = kind.value_type, depth + 1
    if depth > 2 and is_number(kind):
        return PAGES
    if depth and pa.types.is_boolean(kind):
        return LOGICAL
    if pa.types.is_struct(kind):
        return _FIELDS.get(tuple(part.name for part in kind), "")
    return TEXTS if pa.types.is_string(kind) else ""
