"""Sparse matrices: columns as stored to checked triplets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile
from matlens.formats.dtypes import combine_complex
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.records import Int64s, Triplets


def join_triplets(parts: Sequence[tuple[Int64s, Int64s, NDArray[Any]]]) -> Triplets:
    """Rows, columns and values of several sparse matrices, one after another."""
    row, col, value = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Triplets(row, col, value, counts_to_offsets([len(part[0]) for part in parts]))


def check_sparse(
    row: Int64s, starts: Int64s, parts: list[NDArray[Any]], rows: int, cols: int, logical: bool, offset: int
) -> tuple[Int64s, Int64s, NDArray[Any]]:
    """Triplets of a compressed-column matrix whose indices all lie inside its dims."""
    if len(starts) != cols + 1:
        raise CorruptFile(f"{len(starts)} column starts stored, {cols + 1} expected", offset=offset)
    count = int(starts[-1])
    if starts[0] != 0 or (np.diff(starts) < 0).any():
        raise CorruptFile("column starts of a sparse matrix do not increase from 0", offset=offset)
    if count > len(row) or any(count > len(part) for part in parts):
        raise CorruptFile(f"{count} non-zeros declared, {len(row)} stored", offset=offset)
    row = row[:count]
    if count and (row.min() < 0 or row.max() >= rows):
        raise CorruptFile(f"row index {row.max()} of a sparse matrix with {rows} rows", offset=offset)
    value = parts[0][:count].astype(bool if logical else np.float64)
    if len(parts) == 2:
        value = combine_complex(value, parts[1][:count], single=False)
    return row, np.repeat(np.arange(cols), np.diff(starts)), value
