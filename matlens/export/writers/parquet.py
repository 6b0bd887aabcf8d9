"""Parquet files: zstd, row groups bounded in rows and bytes, MATLAB's view in the metadata."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from matlens.columns.notes import Note
from matlens.export.atomic import atomic_output
from matlens.export.format import Format
from matlens.export.options import ExportOptions

if TYPE_CHECKING:
    import pyarrow as pa

    from matlens.columns.table import Table
    from matlens.export.item import Item

ROW_GROUP_ROWS = 122_880
ROW_GROUP_BYTES = 64 << 20
DICTIONARY_BYTES = 128 << 10
"""Columns of more distinct values are stored plainly: a dictionary of all of them would only add to them."""

Compression = Literal["zstd", "snappy", "gzip", "none"]


class _Parquet(Format):
    def write(self, items: Sequence[Item], target: Path, options: ExportOptions) -> list[Note]:
        for_matlab = options.consumer == "matlab"
        write_parquet(items[0], target, force=options.force, compression="snappy" if for_matlab else "zstd")
        return []


def write_parquet(
    table: Table | pa.Table, target: str | Path, *, force: bool = False, compression: Compression = "zstd"
) -> None:
    """Write a table to one Parquet file, window by window, whole or not at all."""
    import pyarrow.parquet as pq

    from matlens.columns.array_tables import as_table

    table = as_table(table)
    with (
        atomic_output(target, force=force) as file,
        pq.ParquetWriter(
            file, table.schema, compression=compression, dictionary_pagesize_limit=DICTIONARY_BYTES
        ) as writer,
    ):
        for group in _row_groups(table):
            rows = max(1, min(ROW_GROUP_ROWS, ROW_GROUP_BYTES * group.num_rows // max(group.nbytes, 1)))
            writer.write_table(group, row_group_size=rows)


def _row_groups(table: Table) -> Iterator[pa.Table]:
    """Batches put together until they are as large as a row group should be."""
    import pyarrow as pa

    waiting: list[pa.RecordBatch] = []
    rows = nbytes = 0
    for batch in table.batches():
        if waiting and (rows + batch.num_rows > ROW_GROUP_ROWS or nbytes + batch.nbytes > ROW_GROUP_BYTES):
            yield pa.Table.from_batches(waiting, table.schema)
            waiting, rows, nbytes = [], 0, 0
        waiting.append(batch)
        rows, nbytes = rows + batch.num_rows, nbytes + batch.nbytes
    if waiting:
        yield pa.Table.from_batches(waiting, table.schema)


FORMATS = (_Parquet("parquet", (".parquet", ".pq"), "Apache Parquet"),)
