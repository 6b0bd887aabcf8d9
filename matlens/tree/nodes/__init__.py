"""Nodes: values of a file, known by their headers and read on demand.

A node answers `name`, `path`, `matlab_class`, `dims` at once; `children`, `value` and the
``to_…`` methods read what they need and no more.
"""

from matlens.tree.nodes.containers import CellNode
from matlens.tree.nodes.functions import FunctionNode
from matlens.tree.nodes.leaves import CharNode, DamagedNode, NumericNode, SparseNode
from matlens.tree.nodes.map_node import MapNode
from matlens.tree.nodes.node import Node
from matlens.tree.nodes.opaque import EnumerationNode, OpaqueNode
from matlens.tree.nodes.structs import FieldNode, ObjectNode, StructArrayNode, StructNode
from matlens.tree.nodes.tables import TableNode

__all__ = [
    "CellNode",
    "CharNode",
    "DamagedNode",
    "EnumerationNode",
    "FieldNode",
    "FunctionNode",
    "MapNode",
    "Node",
    "NumericNode",
    "ObjectNode",
    "OpaqueNode",
    "SparseNode",
    "StructArrayNode",
    "StructNode",
    "TableNode",
]
