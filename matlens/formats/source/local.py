"""Files of this machine, mapped into memory; content that is in memory already."""

from __future__ import annotations

import io
import mmap
import os
import stat
from pathlib import Path
from typing import IO, Any

from matlens.errors import NotAMatFile, UnsafeFile
from matlens.formats.reader import Reader

__all__ = ["OpenedFile", "content_of", "mapped"]

LARGE = 32 << 20
"""Pages of smaller files are not worth giving back."""


class OpenedFile:
    """A reader with its file: name, size, and what must be closed."""

    def __init__(self, reader: Reader, name: str, path: Path | None, size: int, buffer: Any) -> None:
        self.reader = reader
        self.name = name
        self.path = path
        self.size = size
        self._buffer = buffer

    def content(self) -> bytes:
        """All bytes of the file."""
        return bytes(self._buffer)

    def release(self) -> None:
        """Give the memory of pages that were read back to the system, which reads them again where need be."""
        if isinstance(self._buffer, mmap.mmap) and self.size >= LARGE and hasattr(mmap, "MADV_DONTNEED"):
            self._buffer.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        self.reader.close()
        if isinstance(self._buffer, mmap.mmap):
            try:
                self._buffer.close()
            except BufferError:
                # Arrays that view the file are still in use; the map goes with the last of them.
                self._buffer = None


def content_of(source: IO[bytes]) -> Any:
    """All of an open file; one of the system's own files is mapped instead of read."""
    if source.seekable():
        source.seek(0)
    if isinstance(source, io.BufferedReader | io.BufferedRandom) and isinstance(source.raw, io.FileIO):
        source.flush()
        status = os.fstat(source.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size:
            return mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
    return source.read()


def mapped(path: Path) -> Any:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "directory" if stat.S_ISDIR(mode) else "pipe, socket or device"
        raise UnsafeFile(f"a {kind}, not a file")
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise NotAMatFile("the file is empty")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
