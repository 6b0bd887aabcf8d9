"""Which screen shows a value as a plot or as a picture."""

from __future__ import annotations

from threading import Lock

import numpy as np
from textual.screen import Screen

from matlens.tree.file import MatFile
from matlens.tree.nodes import NumericNode, SparseNode
from matlens.tree.nodes.node import Node
from matlens.tui.model.cells import Grid
from matlens.tui.model.grids import ArrayGrid
from matlens.tui.model.neighbours import boxes_beside
from matlens.tui.model.pictures import is_rgb
from matlens.tui.model.plot_columns import OneColumn, PlotColumns
from matlens.tui.picture_view import PictureScreen
from matlens.tui.plot_view import PlotScreen
from matlens.tui.spy_view import SpyScreen

PICTURE_NUMBERS = 64 << 20
"""Larger arrays are not shown as a picture."""


def plot_of(value: MatFile | Node, grid: Grid, column: int, base: int, lock: Lock) -> PlotScreen | None:
    """The plot of a vector, or of a column of a table; None of what is no number."""
    with lock:
        vector = value if isinstance(value, NumericNode) and max(value.dims) == value.numel else None
        series = grid.column_values(column) if vector is None else np.asarray(vector.value).ravel()
    if series.dtype.kind not in "biufc":
        return None
    path = value.path if isinstance(value, Node) else value.name
    if vector is not None:
        return PlotScreen(path, OneColumn(path, series), 0)
    columns = PlotColumns(grid, lock, base, {column: series})
    return PlotScreen(path, columns, column)


def picture_of(file: MatFile, node: MatFile | Node, grid: Grid | None, lock: Lock) -> Screen[None] | None:
    """The picture of a matrix or an image, with the boxes beside it; None of anything else."""
    if isinstance(node, SparseNode) and 0 not in node.dims:
        with lock:
            entries = node.value.tocoo()
        return SpyScreen(node.path, (node.dims[0], node.dims[1]), *entries.coords)
    if not isinstance(node, NumericNode) or min(node.dims[:2]) < 2 or not 0 < node.numel <= PICTURE_NUMBERS:
        return None
    with lock:
        values = np.asarray(node.value)
        boxes, convention = boxes_beside(file, node)
    is_colour, at = is_rgb(values.shape[:3]), tuple[int, ...]()
    if isinstance(grid, ArrayGrid) and grid.node is node:
        if values.ndim > 2 and not is_colour and (grid.row_dim, grid.column_dim) != (0, 1):
            values = grid.page(values)
        else:
            at = tuple(grid.index[3 if is_colour else 2 :])
    return PictureScreen(node.path, values.real if values.dtype.kind == "c" else values, boxes, convention, at)
