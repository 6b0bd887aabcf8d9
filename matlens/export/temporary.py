"""Temporary folders beside outputs, which do not outlive the program that writes there by more than one run.

Each holds a file that is locked for as long as its program lives. Where the lock is free the program was killed, and
the next one that writes to the same place removes the folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

LOCK = "matlens.lock"
_LEFTOVER = re.compile(r"\..{1,100}\.[0-9a-f]{12}\.part", re.DOTALL)


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """A folder beside `target` that is removed with all it holds."""
    _remove_leftovers(target.parent.absolute())
    folder, lock = _new_folder(target)
    try:
        yield folder
    finally:
        # Windows does not remove files that are open; another program that takes the lock now only removes the folder.
        os.close(lock)
        shutil.rmtree(folder, ignore_errors=True)


def _new_folder(target: Path) -> tuple[Path, int]:
    """A new folder, and its open and locked file."""
    while True:
        folder = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.part")
        folder.mkdir(mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            # Another program may have taken the folder for a leftover before it was locked.
            if _lock(lock) is not False and folder.exists():
                return folder, lock
            os.close(lock)


@lru_cache(maxsize=1024)
def _remove_leftovers(parent: Path) -> None:
    """Remove the temporary folders of programs that were killed; once for each place will do."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(parent):
            if _LEFTOVER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                _remove_if_free(Path(entry.path))


def _remove_if_free(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    if names and LOCK not in names:
        return
    with contextlib.suppress(OSError):
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            if _lock(lock):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
        if os.name != "posix":
            # Windows has no locks of this kind, and refuses to remove a file that a program has open.
            (folder / LOCK).unlink()
            shutil.rmtree(folder, ignore_errors=True)


def _lock(descriptor: int) -> bool | None:
    """Lock a file; false if another program has, None where there are no such locks."""
    try:
        import fcntl
    except ImportError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else None
    return True
