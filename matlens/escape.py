"""One rule for every name and value that leaves a file for a screen.

A MAT-file may hold anything in its names and texts: terminal escape sequences that
change the window title, bidirectional controls that reorder a line, or half a surrogate
pair. `safe_text` makes all of it visible and harmless.
"""

from __future__ import annotations

import re
from typing import Any

# C0 and C1 controls, DEL, line and paragraph separators, zero-width and bidirectional
# controls, the byte-order mark, unpaired surrogates, interlinear and tag characters.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def safe_text(text: object) -> str:
    r"""Return `text` with every character that could act on a terminal written out.

    C0 and C1 controls, DEL, bidirectional and zero-width controls and unpaired surrogates
    appear as ``\x1b``, ``\u202e`` and so on.

    Examples
    --------
    >>> print(safe_text("a\x1b]0;title\x07b"))
    a\x1b]0;title\x07b
    >>> safe_text("naïve 日本")
    'naïve 日本'
    """
    return _UNSAFE.sub(_escape, str(text))


def shorten(text: str, width: int) -> str:
    """Cut `text` to `width` characters, the last one an ellipsis if anything is lost.

    Examples
    --------
    >>> shorten("annotations", 6)
    'annot…'
    """
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def json_default(value: Any) -> str:
    """Text of what JSON does not know: dates and times as ISO 8601 has them.

    Examples
    --------
    >>> import datetime as dt
    >>> json_default(dt.datetime(2020, 1, 2, 3, 4)), json_default(dt.timedelta(seconds=1))
    ('2020-01-02T03:04:00', '0:00:01')
    """
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
