"""Readers of every MAT-file version, behind one contract (`matlens.formats.reader.Reader`)."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import IO, Any, Literal

from matlens.errors import UnsupportedValue, error_context
from matlens.formats.guards.salvage import SalvagingReader
from matlens.formats.reader import Reader, damage_of
from matlens.formats.sniff import sniff
from matlens.formats.source.local import OpenedFile, Stamp, content_of, mapped
from matlens.limits import Limits

Engine = Literal["auto", "reference"]
Isolate = Literal["auto", "always", "never"]
Errors = Literal["raise", "salvage"]


def open_reader(
    source: str | PathLike[str] | bytes | IO[bytes],
    engine: Engine = "auto",
    *,
    isolate: Isolate = "auto",
    limits: Limits | None = None,
) -> OpenedFile:
    """Open `source`, a name, content, or a file that is read from its start, with the reader that it calls for.

    With `isolate`, reading is done in a process of its own: where SciPy or libhdf5 read, always, or never. Errors have
    the file's name: `NotAMatFile`, `CorruptFile`, and `UnsafeFile` for a directory, a pipe or a device.
    """
    if engine not in ("auto", "reference"):
        raise ValueError(f"engine is 'auto' or 'reference', not {engine!r}")
    if isolate not in ("auto", "always", "never"):
        raise ValueError(f"isolate is 'auto', 'always' or 'never', not {isolate!r}")
    limits = limits or Limits()
    path = Path(source) if isinstance(source, str | PathLike) else None
    name, buffer, stamp = _content(source, path)
    try:
        reader = _reader_of(buffer, str(path) if path else None, engine, isolate, limits)
    except Exception as error:  # noqa: BLE001 - `damage_of` tells them apart
        raise damage_of(error, limits).at(file=name) from error.__cause__
    reader.source = stamp
    return OpenedFile(reader, name, path, len(buffer), buffer)


def _content(source: Any, path: Path | None) -> tuple[str, Any, Stamp | None]:
    """Name and bytes of a source, and what tells that they were changed."""
    if path is not None:
        with error_context(file=path.name):
            return path.name, *mapped(path)
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>", bytes(source), None
    stated = getattr(source, "name", None)
    return (Path(stated).name if isinstance(stated, str) else "<stream>"), *content_of(source)


def salvaging_reader(reader: Reader, errors: Errors) -> SalvagingReader | None:
    """A reader that passes over damage, where `errors` asks for it."""
    if errors not in ("raise", "salvage"):
        raise ValueError(f"errors is 'raise' or 'salvage', not {errors!r}")
    return None if errors == "raise" else SalvagingReader(reader)


def _reader_of(buffer: Any, path: str | None, engine: Engine, isolate: Isolate, limits: Limits) -> Reader:
    version = sniff(buffer)
    if engine == "auto" and isolate != "always":
        try:
            return _own_reader(buffer, version, limits)
        except UnsupportedValue:
            # An HDF5 file as a whole of a form that MATLAB does not write.
            engine = "reference"
    if isolate != "never":
        from matlens.formats.guards.isolated import IsolatedReader

        return IsolatedReader(path, buffer, engine, limits)
    from matlens.formats.reference.engine import reference_reader

    return reference_reader(buffer, version, path, limits)


def _own_reader(buffer: Any, version: str, limits: Limits) -> Reader:
    if version == "v4":
        from matlens.formats.v4 import Mat4Reader

        return Mat4Reader(buffer, limits)
    if version == "v5":
        from matlens.formats.v5.reader import Mat5Reader

        return Mat5Reader(buffer, limits)
    from matlens.formats.v73.reader import Mat73Reader

    return Mat73Reader(buffer, limits)
