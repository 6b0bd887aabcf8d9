"""Names from a file, made fit for file names and for columns of tables."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from matlens.escape import safe_text

_SEPARATORS = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)
"""Names of devices, with any suffix, after Microsoft, *Naming Files, Paths, and Namespaces*."""
MAX_FILE_NAME = 150
"""Bytes of UTF-8: file systems allow 255, and a suffix and the mark of a temporary file follow."""
MAX_COLUMN_NAME = 4096


def safe_file_name(name: str) -> str:
    r"""A file name on every system that stays in its folder, as near to `name` as can be.

    Examples
    --------
    >>> safe_file_name("../../x"), safe_file_name("a/b"), safe_file_name("con"), safe_file_name("")
    ('_.._x', 'a_b', 'con_', 'unnamed')
    >>> safe_file_name("\x1b]0;title\x07")
    '_x1b]0;title_x07'
    """
    text = _SEPARATORS.sub("_", safe_text(unicodedata.normalize("NFC", name)))
    text = text.lstrip(". -").rstrip(". ") or "unnamed"
    if _RESERVED.match(text):
        stem, dot, rest = text.partition(".")
        text = f"{stem}_{dot}{rest}"
    return text.encode()[:MAX_FILE_NAME].decode("utf-8", "ignore").rstrip(". ")


def safe_column_names(names: Iterable[str]) -> list[str]:
    r"""Column names without controls, empty names and duplicates.

    Examples
    --------
    >>> safe_column_names(["x", "", "x", "odd\nname"])
    ['x', 'unnamed', 'x_2', 'odd\\nname']
    """
    return unique_names(safe_text(name)[:MAX_COLUMN_NAME] or "unnamed" for name in names)


def unique_names(names: Iterable[str], *, fold: bool = False) -> list[str]:
    """The same names, with ``_2``, ``_3`` … at those that came before.

    With `fold`, names that differ in case only count as the same: file systems and SQL
    take them for one.

    Examples
    --------
    >>> unique_names(["a", "A", "a_2", "a"], fold=True)
    ['a', 'A_2', 'a_2_2', 'a_3']
    """
    counts: dict[str, int] = {}
    unique = []
    for name in names:
        key = free = name.casefold() if fold else name
        while free in counts:
            counts[key] += 1
            free = f"{key}_{counts[key]}"
        counts[free] = 1
        unique.append(name if free == key else name + free[len(key) :])
    return unique
