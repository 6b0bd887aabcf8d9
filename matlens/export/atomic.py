"""Output files that are whole or absent, never partial."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import AbstractContextManager, contextmanager
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
def atomic_folder(
    target: str | Path, *, force: bool = False, made: Sequence[str] = (), places: Sequence[str] = ()
) -> Iterator[OutputFolder]:
    """Write several files into a folder that appears when all of them are there.

    With `force`, a folder may exist: its files of the same names are replaced when all new ones are there, and what an
    earlier output left is removed: the files that match the patterns `made`, and links that match `places`.

    Raises
    ------
    OutputExists
        If the folder exists, or has other files at `places`: they may be the only copy of what somebody needs.
    """
    target = Path(target)
    is_new = not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir()))
    if not is_new and (not force or not target.is_dir()):
        refuse_existing(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _naming(target), temporary_folder(target) as folder:
        files = folder / "output"
        files.mkdir()
        yield OutputFolder(files, _open_new)
        written = [path for path in files.rglob("*") if path.is_symlink() or not path.is_dir()]
        for path in files.rglob("*"):
            if not path.is_symlink():
                _sync(path)
        if is_new:
            # An empty folder at `target` gives way to it.
            files.replace(target)
        else:
            names = {path.relative_to(files) for path in written}
            _replace_files(files, target, names, _left_by_others(target, names, made, places))
        _sync(target.parent)


def _left_by_others(target: Path, names: Set[Path], made: Sequence[str], places: Sequence[str]) -> list[Path]:
    """Files of an earlier output that are none of the new one."""
    root = target.resolve()
    found = dict.fromkeys(path for pattern in (*made, *places) for path in sorted(target.glob(pattern)))
    old = [path for path in found if path.is_symlink() or path.is_file()]
    # Folders that are links lead to what is somebody else's.
    old = [path for path in old if path.parent.resolve() == root / path.parent.relative_to(target)]
    old = [path for path in old if path.relative_to(target) not in names]
    ours = {path for pattern in made for path in target.glob(pattern)}
    foreign = [path for path in old if path not in ours and not path.is_symlink() and path.stat().st_nlink < 2]
    if foreign:
        count = f"{len(foreign):,} file{'s' * (len(foreign) > 1)}"
        raise OutputExists(
            f"{count} there would be no part of the output, such as {foreign[0].relative_to(target)}, and may be no "
            "copy: move them away, or write to another folder",
            file=str(target),
        )
    return old


def _replace_files(files: Path, target: Path, names: Set[Path], old: Sequence[Path]) -> None:
    """Give new files their places in a folder that exists, without the old ones."""
    for path in old:
        path.unlink()
        for parent in path.relative_to(target).parents[:-1]:
            if any((target / parent).iterdir()):
                break
            (target / parent).rmdir()
    for name in sorted(names):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).replace(target / name)
    for folder in {(target / name).parent for name in names}:
        _sync(folder)


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
