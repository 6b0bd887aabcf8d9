"""Files and nodes as rows of plain values, for listings on any surface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matlens.errors import MatlensError
from matlens.tree.access import variable_of
from matlens.tree.file import MatFile
from matlens.tree.nodes import StructArrayNode
from matlens.tree.nodes.node import Node


def describe_file(file: MatFile) -> dict[str, Any]:
    """A file and its variables, from headers alone; each variable as `describe_node` gives it, and how it is stored."""
    variables = []
    for name, node in file.items():
        stored = variable_of(file, name)
        variables.append(describe_node(node) | {"compressed": stored.compressed, "stored_bytes": stored.stored_bytes})
    return {
        "file": str(file.path or file.name),
        "version": file.version,
        "header": file.header,
        "size": file.size,
        "variables": variables,
        "problems": [str(problem) for problem in file.problems],
        "remarks": file.remarks,
    }


def describe_node(node: Node) -> dict[str, Any]:
    """What the header of a node tells; dims that cannot be read are None."""
    try:
        dims, error = list(node.dims), node.error
    except MatlensError as damage:
        dims, error = None, damage
    row: dict[str, Any] = {
        "name": node.name,
        "path": node.path,
        "python_path": node.python_path,
        "class": node.matlab_class,
        "dims": dims,
        "bytes": node.nbytes,
        "complex": node.is_complex,
        "sparse": node.is_sparse,
        "global": node.is_global,
    }
    if error is not None:
        row["error"] = error.message
        row["offset"] = error.offset
    return row


def dims_text(dims: Sequence[int] | None) -> str:
    """Dims such as ``2x3``; a question mark where they cannot be read."""
    return "?" if dims is None else "x".join(map(str, dims))


def count_below(node: Node) -> int:
    """How many nodes there are to go into; none where they cannot be read, which the preview tells."""
    try:
        return node.child_count
    except MatlensError:
        return 0


def tree_rows(node: Node, depth: int, limit: int, level: int = 0) -> list[tuple[int, Node | int]]:
    """A node and what is below it as ``(level, node)``; a number stands for that many left out.

    `limit` bounds the elements shown of cells and struct arrays; fields are shown up to
    twenty times as many.
    """
    rows: list[tuple[int, Node | int]] = [(level, node)]
    count = count_below(node) if depth > 0 else 0
    if not count:
        return rows
    shown = 20 * limit if node.kind == "struct" else limit
    if isinstance(node, StructArrayNode):
        shown = min(limit, 2)
    for child in node.children(0, shown):
        rows += tree_rows(child, depth - 1, limit, level + 1)
    if count > shown:
        rows.append((level + 1, count - shown))
    return rows
