"""Arrow IPC files, which are also Feather version 2, and Arrow streams."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import pyarrow as pa
from pyarrow import ipc

from matlens.columns.stored_tables import as_table
from matlens.columns.table import Table
from matlens.export.atomic import atomic_output

__all__ = ["stream_arrow", "write_arrow"]


def write_arrow(table: Table | pa.Table, target: str | Path, *, force: bool = False) -> None:
    """Write a table to an Arrow IPC file, its buffers compressed by zstd.

    Raises
    ------
    OutputExists
        If `target` exists and `force` is false.
    """
    reader = as_table(table)
    options = ipc.IpcWriteOptions(compression="zstd")
    with (
        atomic_output(target, force=force) as file,
        ipc.new_file(pa.PythonFile(file, "w"), reader.schema, options=options) as writer,
    ):
        for batch in reader.batches():
            writer.write_batch(batch)


def stream_arrow(table: Table | pa.Table, file: IO[bytes]) -> None:
    """Write a table as a stream of record batches."""
    reader = as_table(table)
    with ipc.new_stream(pa.PythonFile(file, "w"), reader.schema) as writer:
        for batch in reader.batches():
            writer.write_batch(batch)
