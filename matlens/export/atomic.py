"""Output files that are whole or absent, never partial."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from matlens.errors import OutputExists

__all__ = ["atomic_output"]


@contextmanager
def atomic_output(target: str | Path, *, force: bool = False) -> Iterator[IO[bytes]]:
    """Open a file beside `target` that takes its place when the block ends without an error.

    Parameters
    ----------
    target : str or Path
    force : bool
        Replace an existing file. A symbolic link at `target` is replaced, not followed.

    Raises
    ------
    OutputExists
        If `target` exists and `force` is false.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "out.bin"
    >>> with atomic_output(target) as file:
    ...     _ = file.write(b"data")
    >>> target.read_bytes()
    b'data'
    """
    target = Path(target)
    if not force and os.path.lexists(target):
        raise OutputExists("the file exists; --force (force=True) overwrites it", file=str(target))
    temporary = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.part")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if force:
            temporary.replace(target)
        else:
            _publish_new(temporary, target)
        _sync_folder(target.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _publish_new(temporary: Path, target: Path) -> None:
    """Give the file its name unless another process took it in the meantime."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise OutputExists("the file appeared while it was written", file=str(target)) from None
    except OSError:
        # A file system without hard links.
        temporary.replace(target)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
