"""Cells that hold the rows of a table."""

from __future__ import annotations

import numpy as np

from matlens.columns.unify import kinds_of
from matlens.formats.reader import Reader
from matlens.formats.records import Elements, MatlabClass
from matlens.values.kinds import char_values


def cells_of_rows(reader: Reader, elements: Elements) -> list[Elements]:
    """Columns of a cell of cells of equal length whose elements are of several kinds; else none."""
    first = reader.headers(elements.take(slice(1)))
    width = int(first.numel[0]) if len(first) and first.cls[0] == MatlabClass.CELL else 0
    if width < 2 or len(elements) < 2:
        return []
    headers = reader.headers(elements)
    if not ((headers.cls == MatlabClass.CELL) & (headers.numel == width) & headers.ok).all():
        return []
    (group,) = reader.children(headers)
    inner = reader.headers(group.elements)
    if len(kinds_of(inner.take(inner.numel > 0))) < 2:
        return []
    return [group.elements.take(slice(k, None, width)) for k in range(width)]


def first_row(reader: Reader, columns: list[Elements]) -> list[str] | None:
    """Names in the first row of a cell: different texts above a column that holds something else."""
    top = reader.headers(Elements(columns[0].segment, np.array([column.positions[0] for column in columns])))
    below = [reader.headers(column.take([1])).cls[0] for column in columns]
    if not ((top.cls == MatlabClass.CHAR) & (top.numel > 0) & (top.dims[:, 0] == 1)).all():
        return None
    texts = [str(text) for text in char_values(reader, top)]
    named = len(set(texts)) == len(texts) and any(cls != MatlabClass.CHAR for cls in below)
    return texts if named else None
