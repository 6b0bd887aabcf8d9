"""Readers of every MAT-file version, behind one contract (`matlens.readers.base.Reader`)."""

from __future__ import annotations

import mmap
import stat
from pathlib import Path
from typing import IO, Any, Literal

from matlens.errors import NotAMatFile, UnsafeFile, error_context
from matlens.readers.base import OpaqueValue, Reader
from matlens.readers.sniff import sniff

__all__ = ["Engine", "OpaqueValue", "OpenedFile", "Reader", "open_reader"]

Engine = Literal["auto", "reference"]

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


def open_reader(source: str | Path | bytes | IO[bytes], engine: Engine = "auto") -> OpenedFile:
    """Open `source` with the reader that its content calls for.

    Parameters
    ----------
    source : str, Path, bytes or binary file object
        A file name, the content itself, or an open file, which is read from its start.
    engine : {"auto", "reference"}
        Readers of matlens, or SciPy and libhdf5.

    Raises
    ------
    NotAMatFile, CorruptFile
        With the file's name, and what it is instead.
    UnsafeFile
        The name belongs to a directory, a pipe or a device.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        with error_context(file=path.name):
            buffer = _map(path)
            return OpenedFile(_reader_of(buffer, str(path), engine), path.name, path, len(buffer), buffer)
    if isinstance(source, bytes | bytearray | memoryview):
        name, content = "<bytes>", bytes(source)
    else:
        name = Path(str(getattr(source, "name", "<stream>"))).name
        if source.seekable():
            source.seek(0)
        content = source.read()
    with error_context(file=name):
        return OpenedFile(_reader_of(content, None, engine), name, None, len(content), content)


def _map(path: Path) -> Any:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "directory" if stat.S_ISDIR(mode) else "pipe, socket or device"
        raise UnsafeFile(f"a {kind}, not a file")
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise NotAMatFile("the file is empty")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _reader_of(buffer: Any, path: str | None, engine: Engine) -> Reader:
    version = sniff(buffer)
    if engine not in ("auto", "reference"):
        raise ValueError(f"engine is 'auto' or 'reference', not {engine!r}")
    if engine == "reference":
        from matlens.readers.reference import reference_reader

        return reference_reader(buffer, version, path)
    if version == "4":
        from matlens.readers.mat4 import Mat4Reader

        return Mat4Reader(buffer)
    if version == "5":
        from matlens.readers.mat5 import Mat5Reader

        return Mat5Reader(buffer)
    from matlens.readers.mat73 import Mat73Reader

    return Mat73Reader(buffer)
