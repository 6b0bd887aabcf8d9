"""Readers of every MAT-file version, behind one contract (`matlens.readers.base.Reader`)."""

from __future__ import annotations

import io
import mmap
import os
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from matlens.errors import NotAMatFile, UnsafeFile, UnsupportedValue, error_context
from matlens.limits import Limits
from matlens.readers.base import OpaqueValue, Reader
from matlens.readers.sniff import sniff

if TYPE_CHECKING:
    from matlens.readers.salvage import SalvagingReader

__all__ = ["Engine", "Errors", "Isolate", "OpaqueValue", "OpenedFile", "Reader", "open_reader", "salvaging_reader"]

Engine = Literal["auto", "reference"]
Isolate = Literal["auto", "always", "never"]
Errors = Literal["raise", "salvage"]

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


def open_reader(
    source: str | Path | bytes | IO[bytes],
    engine: Engine = "auto",
    *,
    isolate: Isolate = "auto",
    limits: Limits | None = None,
) -> OpenedFile:
    """Open `source` with the reader that its content calls for.

    Parameters
    ----------
    source : str, Path, bytes or binary file object
        A file name, the content itself, or an open file, which is read from its start.
    engine : {"auto", "reference"}
        Readers of matlens, or SciPy and libhdf5.
    isolate : {"auto", "always", "never"}
        Whether reading is done in a process of its own: where SciPy or libhdf5 read, always, or never.
    limits : Limits, optional

    Raises
    ------
    NotAMatFile, CorruptFile
        With the file's name, and what it is instead.
    UnsafeFile
        The name belongs to a directory, a pipe or a device.
    """
    if engine not in ("auto", "reference"):
        raise ValueError(f"engine is 'auto' or 'reference', not {engine!r}")
    if isolate not in ("auto", "always", "never"):
        raise ValueError(f"isolate is 'auto', 'always' or 'never', not {isolate!r}")
    path: Path | None = None
    if isinstance(source, str | Path):
        path = Path(source)
        name = path.name
        with error_context(file=name):
            buffer = _map(path)
    elif isinstance(source, bytes | bytearray | memoryview):
        name, buffer = "<bytes>", bytes(source)
    else:
        stated = getattr(source, "name", None)
        name = Path(stated).name if isinstance(stated, str) else "<stream>"
        buffer = _content(source)
    with error_context(file=name):
        reader = _reader_of(buffer, str(path) if path else None, engine, isolate, limits or Limits())
        return OpenedFile(reader, name, path, len(buffer), buffer)


def salvaging_reader(reader: Reader, errors: Errors) -> SalvagingReader | None:
    """A reader that passes over damage, where `errors` asks for it.

    Raises
    ------
    ValueError
        If `errors` is neither ``"raise"`` nor ``"salvage"``.
    """
    if errors not in ("raise", "salvage"):
        raise ValueError(f"errors is 'raise' or 'salvage', not {errors!r}")
    if errors == "raise":
        return None
    from matlens.readers.salvage import SalvagingReader

    return SalvagingReader(reader)


def _content(source: IO[bytes]) -> Any:
    """All of an open file; one of the system's own files is mapped instead of read."""
    if source.seekable():
        source.seek(0)
    if isinstance(source, io.BufferedReader | io.BufferedRandom) and isinstance(source.raw, io.FileIO):
        source.flush()
        status = os.fstat(source.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size:
            return mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
    return source.read()


def _map(path: Path) -> Any:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = "directory" if stat.S_ISDIR(mode) else "pipe, socket or device"
        raise UnsafeFile(f"a {kind}, not a file")
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise NotAMatFile("the file is empty")
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _reader_of(buffer: Any, path: str | None, engine: Engine, isolate: Isolate, limits: Limits) -> Reader:
    version = sniff(buffer)
    if engine == "auto" and isolate != "always":
        try:
            return _own_reader(buffer, version, limits)
        except UnsupportedValue:
            # An HDF5 file as a whole of a form that MATLAB does not write.
            engine = "reference"
    if isolate != "never":
        from matlens.readers.isolated import IsolatedReader

        return IsolatedReader(path, buffer, engine, limits)
    from matlens.readers.reference import reference_reader

    return reference_reader(buffer, version, path, limits)


def _own_reader(buffer: Any, version: str, limits: Limits) -> Reader:
    if version == "4":
        from matlens.readers.mat4 import Mat4Reader

        return Mat4Reader(buffer, limits)
    if version == "5":
        from matlens.readers.mat5 import Mat5Reader

        return Mat5Reader(buffer, limits)
    from matlens.readers.mat73 import Mat73Reader

    return Mat73Reader(buffer, limits)
