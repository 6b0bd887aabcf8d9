"""The kind of node that a header calls for."""

from __future__ import annotations

from matlens.classes.instances import CONVERTERS, TABULAR_CLASSES
from matlens.errors import MatlensError
from matlens.formats.records import Headers, MatlabClass
from matlens.tree.nodes.containers import CellNode
from matlens.tree.nodes.functions import FunctionNode
from matlens.tree.nodes.leaves import CharNode, DamagedNode, NumericNode, SparseNode
from matlens.tree.nodes.map_node import MapNode, OctaveMapNode
from matlens.tree.nodes.node import Label, Node, Owner
from matlens.tree.nodes.opaque import EnumerationNode, OpaqueNode
from matlens.tree.nodes.structs import ObjectNode, StructArrayNode, StructNode
from matlens.tree.nodes.tables import TableNode
from matlens.values.objects import ENUMERATION_TAG

_KINDS: dict[int, type[Node]] = {
    MatlabClass.CHAR: CharNode,
    MatlabClass.CELL: CellNode,
    MatlabClass.SPARSE: SparseNode,
    MatlabClass.FUNCTION: FunctionNode,
    MatlabClass.OPAQUE: OpaqueNode,
}


def make_node(owner: Owner, headers: Headers, label: Label) -> Node:
    """The node of one value."""
    cls = int(headers.cls[0])
    kind: type[Node] = NumericNode
    if not headers.ok[0] or cls == MatlabClass.UNKNOWN:
        kind = DamagedNode
    elif cls in (MatlabClass.STRUCT, MatlabClass.OBJECT):
        single = ObjectNode if cls == MatlabClass.OBJECT else StructNode
        kind = single if headers.numel[0] == 1 else StructArrayNode
        if kind is ObjectNode and headers.class_name(0) == "containers.Map":
            kind = OctaveMapNode
        if kind is StructNode and _is_enumeration(owner, headers):
            kind = EnumerationNode
    elif cls == MatlabClass.OPAQUE and headers.class_name(0) in TABULAR_CLASSES:
        kind = TableNode
    elif cls == MatlabClass.OPAQUE and headers.class_name(0) in CONVERTERS:
        kind = MapNode
    elif cls in _KINDS:
        kind = _KINDS[cls]
    return kind(owner, headers, *label)


def _is_enumeration(owner: Owner, headers: Headers) -> bool:
    """Whether a 1x1 struct stands for members of an enumeration."""
    if not owner._reader.may_hold_objects:
        return False
    try:
        groups = owner._reader.children(headers)
    except MatlensError:
        return False
    return bool(groups) and (groups[0].fields or ("",))[0] == ENUMERATION_TAG
