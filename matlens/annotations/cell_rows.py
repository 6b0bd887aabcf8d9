"""Cells that each hold rows of a class and its box, or the like: a table for each record, without names."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from matlens.annotations.level_columns import column_of
from matlens.annotations.levels import Columns, Level, numbered
from matlens.columns.buffers import scalar
from matlens.columns.unify import Kind, kinds_of
from matlens.errors import MatlensError
from matlens.formats.records import Elements, Int64s
from matlens.tree.access import reader_of
from matlens.tree.nodes.node import Node

MAX_WIDTH = 32
"""Cells in a row of a table."""


class _Rows(NamedTuple):
    """The cells of all tables by column, and of which record and row of it each is."""

    columns: list[Elements]
    owner: Int64s
    row: Int64s


def rows_level(
    node: Node, elements: Elements, name: str, before: Callable[[Int64s], pa.Array], problems: list[MatlensError]
) -> Level | None:
    """The rows of all `elements`, where each is a cell of as many columns of different kinds; else None.

    `before` gives the paths of some of the elements. The parent of the level is to be set: its index is there.
    """
    rows = _rows(node, elements)
    if rows is None:
        return None
    columns = Columns()
    for k, some in enumerate(rows.columns):
        column_of(node, some, f"{name}_{k + 1}", problems).stand_in(columns)

    def paths(wanted: str, index: Int64s) -> pa.Array:
        first = wanted.partition(".")[0]
        place = next((k for k in range(len(rows.columns)) if first == f"{name}_{k + 1}"), 0)
        opened = pc.binary_join_element_wise(before(rows.owner[index]), scalar("{"), scalar(""))
        return numbered(opened, rows.row[index], f",{place + 1}}}{wanted[len(first) :]}")

    return Level(len(rows.owner), columns, paths, parent_index=rows.owner)


def _rows(node: Node, elements: Elements) -> _Rows | None:
    reader = reader_of(node)
    headers = reader.headers(elements)
    full = np.flatnonzero(headers.numel > 0)
    if not len(full) or kinds_of(headers.take(full)) != [Kind.CELL]:
        return None
    shapes = [headers.shape(int(k)) for k in full.tolist()]
    widths = {shape[1] if len(shape) == 2 else 0 for shape in shapes}
    (width, *others) = widths
    if others or not 1 < width <= MAX_WIDTH:
        return None
    (found,) = reader.children(headers.take(full))
    owner = found.owners(np.arange(len(full), dtype=np.int64))
    heights = np.array([shape[0] for shape in shapes], np.int64)
    place = np.arange(len(owner), dtype=np.int64) - np.repeat(found.offsets[:-1], np.diff(found.offsets))
    column, row = place // heights[owner], place % heights[owner]
    picked = [np.flatnonzero(column == k) for k in range(width)]
    columns = [found.elements.take(some) for some in picked]
    kinds = [kinds_of(inner.take(inner.numel > 0)) for inner in map(reader.headers, columns)]
    # A list of like values, or of unlike ones in one column, is no table.
    if any(len(kind) > 1 for kind in kinds) or len({kind[0] for kind in kinds if kind}) < 2:
        return None
    return _Rows(columns, full[owner[picked[0]]], row[picked[0]])
