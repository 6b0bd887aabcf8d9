"""Arrow IPC files, which are also Feather version 2, and Arrow streams."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from matlens.columns.notes import Note
from matlens.export.atomic import atomic_output
from matlens.export.format import Format
from matlens.export.options import ExportOptions

if TYPE_CHECKING:
    from matlens.export.item import Item


class _Arrow(Format):
    """A file with its buffers compressed by zstd; a stream of record batches."""

    def write(self, items: Sequence[Item], target: Path, options: ExportOptions) -> list[Note]:
        import pyarrow as pa
        from pyarrow import ipc

        (item,) = items
        compressed = ipc.IpcWriteOptions(compression="zstd")
        with (
            atomic_output(target, force=options.force) as file,
            ipc.new_file(pa.PythonFile(file, "w"), item.schema, options=compressed) as writer,
        ):
            for batch in item.batches():
                writer.write_batch(batch)
        return []

    def stream(self, item: Item, file: IO[bytes], options: ExportOptions) -> list[Note]:
        import pyarrow as pa
        from pyarrow import ipc

        with ipc.new_stream(pa.PythonFile(file, "w"), item.schema) as writer:
            for batch in item.batches():
                writer.write_batch(batch)
        return []


FORMATS = (_Arrow("arrow", (".arrow", ".feather", ".ipc"), "Arrow IPC file, Feather"),)
