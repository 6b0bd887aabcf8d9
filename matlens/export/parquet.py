"""Parquet files: zstd, row groups bounded in rows and bytes, MATLAB's view in the metadata."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from matlens.export.atomic import atomic_output

__all__ = ["write_parquet"]

ROW_GROUP_ROWS = 122_880
ROW_GROUP_BYTES = 128 << 20


def write_parquet(table: pa.Table, target: str | Path, *, force: bool = False) -> None:
    """Write a table to one Parquet file, whole or not at all.

    Raises
    ------
    OutputExists
        If `target` exists and `force` is false.
    """
    rows = max(table.num_rows, 1)
    bytes_per_row = max(table.nbytes // rows, 1)
    group = max(1, min(ROW_GROUP_ROWS, ROW_GROUP_BYTES // bytes_per_row))
    with atomic_output(target, force=force) as file:
        pq.write_table(table, file, compression="zstd", row_group_size=group)
