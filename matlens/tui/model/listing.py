"""Paths that a person may look for by name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from matlens.errors import MatlensError
from matlens.tree.file import MatFile
from matlens.tree.nodes import StructArrayNode, StructNode
from matlens.tree.nodes.node import Node

DEEPEST = 4


def known_paths(file: MatFile, limit: int) -> list[str]:
    """Paths of variables, then of fields level by level: those of a struct array stand for all its records.

    Examples
    --------
    >>> import matlens
    >>> known_paths(matlens.open("fixtures/annotations_v7.mat"), 3)
    ['annotations', 'annotations.image', 'annotations.boxes']
    """
    paths: list[str] = []
    level: list[Node] = list(islice(file.values(), limit))
    for _ in range(DEEPEST):
        paths += [node.path for node in level[: limit - len(paths)]]
        level = list(islice((below for node in level for below in _fields(node)), limit - len(paths)))
    return paths


def _fields(node: Node) -> Iterator[Node]:
    try:
        if isinstance(node, StructNode):
            yield from node.children()
        elif isinstance(node, StructArrayNode):
            for name in node.fields():
                yield node[name]
    except MatlensError:
        # What cannot be read has no names to be found by.
        return
