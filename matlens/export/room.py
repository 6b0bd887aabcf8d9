"""How large outputs may become, and what they leave of the disk."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

from matlens.errors import LimitExceeded, OutputFailed
from matlens.limits import Limits

Batch = TypeVar("Batch")
STEP = 64 << 20
"""Bytes after which the room on the disk is looked at again."""
_limits: ContextVar[Limits | None] = ContextVar("limits", default=None)


@contextmanager
def limited_output(limits: Limits) -> Iterator[None]:
    """Hold outputs that are written inside to ``limits.output`` bytes each."""
    token = _limits.set(limits)
    try:
        yield
    finally:
        _limits.reset(token)


def check_size(size: int) -> None:
    """Refuse a file of more bytes than the limit of output."""
    limits = _limits.get() or Limits()
    if size > limits.output:
        raise LimitExceeded.of(limits, "output", f"{size} bytes of output")


def check_room(path: Path, more: int = 0) -> None:
    """Refuse to go on with a file that is too large with `more` bytes, or would not leave room on the disk."""
    size = path.stat().st_size + more
    check_size(size)
    if size >= STEP and shutil.disk_usage(path.parent).free < STEP:
        raise OutputFailed(f"cannot be written: less than {STEP} bytes are left on the disk after {size} bytes")


def with_room(batches: Iterable[Batch], path: Path) -> Iterator[Batch]:
    """Batches on their way to the file at `path`, whose room is checked before each."""
    for batch in batches:
        check_room(path)
        yield batch


class MeasuredFile(io.FileIO):
    """A file whose room is checked from time to time while it is written."""

    _unchecked = STEP

    def write(self, data: Any, /) -> int:
        size = memoryview(data).nbytes
        self._unchecked += size
        if self._unchecked >= STEP:
            self._unchecked = 0
            check_room(Path(str(self.name)), size)
        return super().write(data)
