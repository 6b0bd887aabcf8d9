"""Parquet files: zstd, row groups bounded in rows and bytes, MATLAB's view in the metadata."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from matlens.columns.stored_tables import as_table
from matlens.columns.table import Table
from matlens.export.atomic import atomic_output

__all__ = ["write_parquet"]

ROW_GROUP_ROWS = 122_880
ROW_GROUP_BYTES = 64 << 20
DICTIONARY_BYTES = 128 << 10
"""Columns of more distinct values are stored plainly: a dictionary of all of them would only add to them."""

Compression = Literal["zstd", "snappy", "gzip", "none"]


def write_parquet(
    table: Table | pa.Table, target: str | Path, *, force: bool = False, compression: Compression = "zstd"
) -> None:
    """Write a table to one Parquet file, whole or not at all.

    Parameters
    ----------
    table : Table or pyarrow.Table
        A reader is written window by window.
    target : str or Path
    force : bool
        Overwrite an existing file.
    compression : {"zstd", "snappy", "gzip", "none"}

    Raises
    ------
    OutputExists
        If `target` exists and `force` is false.
    """
    reader = as_table(table)
    with (
        atomic_output(target, force=force) as file,
        pq.ParquetWriter(
            file, reader.schema, compression=compression, dictionary_pagesize_limit=DICTIONARY_BYTES
        ) as writer,
    ):
        for group in _row_groups(reader.schema, reader.batches()):
            rows = max(1, min(ROW_GROUP_ROWS, ROW_GROUP_BYTES * group.num_rows // max(group.nbytes, 1)))
            writer.write_table(group, row_group_size=rows)


def _row_groups(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches put together until they are as large as a row group should be."""
    waiting: list[pa.RecordBatch] = []
    rows = nbytes = 0
    for batch in batches:
        if waiting and (rows + batch.num_rows > ROW_GROUP_ROWS or nbytes + batch.nbytes > ROW_GROUP_BYTES):
            yield pa.Table.from_batches(waiting, schema)
            waiting, rows, nbytes = [], 0, 0
        waiting.append(batch)
        rows, nbytes = rows + batch.num_rows, nbytes + batch.nbytes
    if waiting:
        yield pa.Table.from_batches(waiting, schema)
