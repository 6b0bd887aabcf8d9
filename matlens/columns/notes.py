"""What was chosen or lost for a column."""

from __future__ import annotations

from typing import NamedTuple


class Note(NamedTuple):
    """A choice that was made for a column, and whether it loses something."""

    path: str
    text: str
    is_lossy: bool = True

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text
