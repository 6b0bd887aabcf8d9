"""Watching a file on disk, and opening it again after it was written."""

from __future__ import annotations

import os

from matlens.tree.access import full_path_of
from matlens.tree.file import MatFile

Seen = tuple[int, int] | None
"""Size and time of a file; None where there is none."""


class Watch:
    """Tells once when a file was written, as soon as whoever writes it has finished.

    Examples
    --------
    >>> import matlens
    >>> Watch(matlens.open("fixtures/annotations_v7.mat")).has_changed()
    False
    """

    def __init__(self, file: MatFile) -> None:
        self._path = full_path_of(file)
        self._told = self._last = self._look()

    def _look(self) -> Seen:
        if self._path is None:
            return None
        try:
            status = os.stat(self._path)  # noqa: PTH116
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns

    def has_changed(self) -> bool:
        """Whether the file is another than before, and the same as at the last look."""
        before, self._last = self._last, self._look()
        if self._last is None or self._last == self._told or self._last != before:
            return False
        self._told = self._last
        return True
