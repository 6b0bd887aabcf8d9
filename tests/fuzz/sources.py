"""Small sound files of every version to start from."""

from __future__ import annotations

from pathlib import Path

from tests.support import CORPUS, FIXTURES, SCIPY_DATA

__all__ = ["sources"]

MAX_BYTES = 60_000


def sources(most: int = 10_000) -> list[Path]:
    """Fixtures, SciPy's own test files and files of the corpus of up to 60 kB."""
    folders = [FIXTURES, SCIPY_DATA, CORPUS]
    paths = [path for folder in folders if folder.is_dir() for path in sorted(folder.rglob("*"))]
    small = [path for path in paths if path.suffix in (".mat", ".fig") and path.stat().st_size <= MAX_BYTES]
    return small[:most]
