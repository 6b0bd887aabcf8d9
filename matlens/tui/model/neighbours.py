"""Boxes that stand beside an image in its struct."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from matlens.annotations.evidence import judge
from matlens.annotations.levels import BOX_NAME
from matlens.tree.access import siblings_of
from matlens.tree.file import MatFile
from matlens.tree.nodes import NumericNode
from matlens.tree.nodes.node import Node


def boxes_beside(file: MatFile, node: Node) -> tuple[NDArray[np.float64] | None, str]:
    """Rows of four numbers in a sibling that is named like boxes, and the convention that they seem to follow.

    Siblings are the other fields of the struct, or the other variables.
    """
    for beside in siblings_of(file, node):
        fits = isinstance(beside, NumericNode) and len(beside.dims) == 2 and beside.dims[1] >= 4
        if fits and not beside.is_complex and beside is not node and BOX_NAME.search(beside.name):
            boxes = np.asarray(beside.value, np.float64)[:, :4]
            return boxes, judge(boxes, beside.name).convention or ""
    return None, ""
