"""Output files that are whole or absent, never partial."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from matlens.errors import MatlensError, OutputExists, OutputFailed
from matlens.export.room import MeasuredFile, check_size
from matlens.export.temporary import temporary_folder

BUFFER = 1 << 20


@contextmanager
def atomic_output(target: str | Path, *, force: bool = False) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `target` when the block ends without an error.

    With `force`, a file that exists is replaced: a symbolic link itself, not what it leads to.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "out.bin"
    >>> with atomic_output(target) as file:
    ...     _ = file.write(b"data")
    >>> target.read_bytes()
    b'data'
    """
    with atomic_path(target, force=force) as temporary, _open_new(temporary) as file:
        yield file


@contextmanager
def atomic_path(target: str | Path, *, force: bool = False) -> Iterator[Path]:
    """The same for writers that want a file name: one that no file has yet."""
    target = Path(target)
    refuse_existing(target, force=force)
    with _naming(target), temporary_folder(target) as folder:
        temporary = folder / "output"
        yield temporary
        check_size(temporary.stat().st_size)
        _sync(temporary)
        if force:
            temporary.replace(target)
        else:
            _publish_new(temporary, target)
        _sync(target.parent)


class OutputFolder:
    """A folder that is written to: called with the path of a file inside it, it opens that file."""

    def __init__(self, root: Path, open_file: Callable[[Path], AbstractContextManager[IO[bytes]]]) -> None:
        self._root, self._open = root, open_file

    def __call__(self, name: str) -> AbstractContextManager[IO[bytes]]:
        return self._open(_inside(self._root, name))

    def put(self, name: str, source: Path, *, link: bool = False) -> None:
        """Copy a file there, or link to it: by a hard link if both are on one disk, else by a symbolic one."""
        if link:
            path = _inside(self._root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.link")
            for make in (os.link, os.symlink):
                try:
                    make(source, temporary)
                except OSError:
                    # Another disk, a system without links, or one that forbids them.
                    continue
                temporary.replace(path)
                # Of two names of one file, POSIX keeps both.
                temporary.unlink(missing_ok=True)
                return
        with self(name) as file, source.open("rb") as content:
            shutil.copyfileobj(content, file)


@contextmanager
def atomic_folder(target: str | Path, *, force: bool = False) -> Iterator[OutputFolder]:
    """Write several files into a folder that appears when all of them are there.

    With `force`, a folder may exist: its files of the same names are replaced, each as a whole.
    """
    target = Path(target)
    if os.path.lexists(target) and not (target.is_dir() and not any(target.iterdir())):
        if not force or not target.is_dir():
            refuse_existing(target)
        yield OutputFolder(target, partial(atomic_output, force=True))
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with _naming(target), temporary_folder(target) as folder:
        files = folder / "output"
        files.mkdir()
        yield OutputFolder(files, _open_new)
        for path in files.rglob("*"):
            if not path.is_symlink():
                _sync(path)
        # An empty folder at `target` gives way to it.
        files.replace(target)
        _sync(target.parent)


@contextmanager
def _open_new(path: Path) -> Iterator[IO[bytes]]:
    with io.BufferedWriter(MeasuredFile(path, "x"), BUFFER) as file:
        yield file


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def refuse_existing(target: str | Path, *, force: bool = False) -> None:
    """Raise `OutputExists` if there is a file, unless `force`."""
    if not force and os.path.lexists(target):
        raise OutputExists("the file exists; --force (force=True) overwrites it", file=str(target))


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Say in errors of the system which output could not be written."""
    try:
        yield
    except OutputFailed as error:
        raise error.at(file=str(target)) from error.__cause__
    except MatlensError:
        raise
    except OSError as error:
        raise OutputFailed(f"cannot be written: {error.strerror or error}", file=str(target)) from None


def _publish_new(temporary: Path, target: Path) -> None:
    """Give the file its name unless another process took it in the meantime."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise OutputExists("the file appeared while it was written", file=str(target)) from None
    except OSError:
        # A file system without hard links.
        temporary.replace(target)


def _sync(path: Path) -> None:
    """Have a file or folder written to disk; Windows does so with files that are open for writing only."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
