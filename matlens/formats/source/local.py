"""Files of this machine, mapped into memory; content that is in memory already."""

from __future__ import annotations

import io
import mmap
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from matlens.errors import FileChanged, NotAMatFile, TypeMismatch, UnsafeFile
from matlens.formats.reader import Reader

LARGE = 32 << 20
"""Pages of smaller files are not worth giving back."""


class Stamp:
    """What a mapped file was like when it was opened: the system kills who reads behind the end of one that was cut.

    Without the `path` and its `status`, the size alone is looked at.
    """

    def __init__(self, buffer: mmap.mmap, path: Path | None = None, status: os.stat_result | None = None) -> None:
        self._buffer = buffer
        self._path = None if path is None else str(path if path.is_absolute() else path.absolute())
        self._known = (status.st_size, status.st_mtime_ns) if status else (buffer.size(), 0)

    def check(self) -> None:
        """Raise `FileChanged` if the file was cut or written since."""
        if self._path is None:
            found = self._buffer.size(), 0
        else:
            try:
                status = os.stat(self._path)  # noqa: PTH116
            except OSError:
                # Its name is gone, but not what is mapped.
                return
            found = status.st_size, status.st_mtime_ns
        if found != self._known:
            raise FileChanged("the file was written since it was opened: open it again")


@dataclass(eq=False, repr=False)
class OpenedFile:
    """A reader with its file: name, size, and what must be closed."""

    reader: Reader
    name: str
    path: Path | None
    size: int
    _buffer: Any

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


def content_of(source: IO[bytes]) -> tuple[Any, Stamp | None]:
    """All of an open file; one of the system's own files is mapped instead of read, and watched."""
    if not callable(getattr(source, "read", None)) or not callable(getattr(source, "seekable", None)):
        kind = type(source).__name__
        raise TypeMismatch(f"a path, bytes or an open binary file is expected, found {kind}")
    if source.seekable():
        source.seek(0)
    if isinstance(source, io.BufferedReader | io.BufferedRandom) and isinstance(source.raw, io.FileIO):
        source.flush()
        status = os.fstat(source.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size:
            content = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
            return content, Stamp(content)
    return source.read(), None


def mapped(path: Path) -> tuple[mmap.mmap, Stamp]:
    """A file by its name, and what tells that it was changed."""
    # Most files are small: pathlib and a file object would take as long as all else of opening one.
    status = os.stat(path)  # noqa: PTH116
    if not stat.S_ISREG(status.st_mode):
        kind = "directory" if stat.S_ISDIR(status.st_mode) else "pipe, socket or device"
        raise UnsafeFile(f"a {kind}, not a file")
    if status.st_size == 0:
        raise NotAMatFile("the file is empty")
    file = os.open(path, os.O_RDONLY)
    try:
        content = mmap.mmap(file, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(file)
    return content, Stamp(content, path, status)
