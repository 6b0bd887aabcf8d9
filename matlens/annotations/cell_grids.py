"""Cell matrices of boxes: a cell for each class and image, or for each image and class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from matlens.annotations.level_columns import LevelColumn
from matlens.annotations.levels import Columns, Level, carry, numbered
from matlens.formats.records import Int64s
from matlens.tree.nodes import CellNode


def grid_level(node: CellNode, column: LevelColumn, by_size: Mapping[int, Level]) -> Level:
    """The cells of a matrix, each with what stands beside its row and its column."""
    rows, width = node.dims
    place = np.arange(node.numel, dtype=np.int64)

    def paths(wanted: str, index: Int64s) -> pa.Array:
        end = f"}}{wanted[len(column.name) :]}" if wanted.startswith(column.name) else "}"
        return numbered(numbered(f"{node.path}{{", index % rows, ","), index // rows, end)

    columns = Columns()
    column.stand_in(columns)
    level = Level(node.numel, columns, paths)
    for size, index in ((rows, place % rows), (width, place // rows)):
        if size in by_size:
            carry(by_size[size], level, index)
    return level
