"""Nodes: values of a file, known by their headers and read on demand.

A node answers `name`, `path`, `matlab_class`, `dims` at once; `children`, `value` and the
``to_…`` methods read what they need and no more.
"""

from matlens.tree.nodes.containers import (
    CellNode,
    FieldNode,
    ObjectNode,
    StructArrayNode,
    StructNode,
    make_node,
    make_nodes,
)
from matlens.tree.nodes.leaves import CharNode, DamagedNode, FunctionNode, NumericNode, SparseNode
from matlens.tree.nodes.node import Node, Owner, find_name
from matlens.tree.nodes.opaque import OpaqueNode

__all__ = [
    "CellNode",
    "CharNode",
    "DamagedNode",
    "FieldNode",
    "FunctionNode",
    "Node",
    "NumericNode",
    "ObjectNode",
    "OpaqueNode",
    "Owner",
    "SparseNode",
    "StructArrayNode",
    "StructNode",
    "find_name",
    "make_node",
    "make_nodes",
]
