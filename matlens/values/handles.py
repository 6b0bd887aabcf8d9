"""Function handles: their text, read without their workspace."""

from __future__ import annotations

import re

import numpy as np

from matlens.formats.mcos import HANDLE
from matlens.formats.reader import Reader
from matlens.formats.records import Elements, Headers, Int64s, MatlabClass
from matlens.values.kinds import char_values

_LEVELS = 4
"""Structs around the text of a function, at most."""
_MARK = re.compile(r"^sf%\d+(?=@)")
"""What stands before anonymous functions, such as ``sf%0``."""


def function_texts(reader: Reader, headers: Headers) -> list[str]:
    """Text of each function handle, such as ``@(x)x.^2`` or ``sin``; empty where none is stored.

    Those inside objects, where nothing else tells them from text, begin with ``@``. The workspace, which may lead back
    to the handle, is not looked at.
    """
    texts = [""] * len(headers)
    _find(reader, headers, np.arange(len(headers)), texts, _LEVELS)
    for i in np.flatnonzero(headers.storage == HANDLE).tolist():
        texts[i] = f"@{texts[i].removeprefix('@')}"
    return texts


def workspace_of(reader: Reader, headers: Headers) -> Elements | None:
    """Where the workspace of the only handle of `headers` stands; None if it has captured nothing."""
    elements = reader.children(headers)[0].elements
    if not len(elements):
        return None
    for name in ("function_handle", "workspace"):
        found = reader.headers(elements)
        if not found.ok[0] or found.cls[0] != MatlabClass.STRUCT or found.numel[0] != 1:
            return None
        (group,) = reader.children(found)
        fields = group.fields or ()
        if name not in fields:
            return None
        elements = group.column(fields.index(name))
    found = reader.headers(elements)
    return elements if found.cls[0] in (MatlabClass.STRUCT, MatlabClass.OPAQUE) and found.numel[0] else None


def _find(reader: Reader, headers: Headers, owner: Int64s, texts: list[str], levels: int) -> None:
    """Go down through structs to the text of each function; `owner` says which of `texts` an element belongs to."""
    is_text = np.flatnonzero((headers.cls == MatlabClass.CHAR) & headers.ok)
    if len(is_text):
        for i, text in zip(owner[is_text].tolist(), char_values(reader, headers.take(is_text)), strict=True):
            texts[i] = _MARK.sub("", text) if isinstance(text, str) else ""
    holds = (headers.cls == MatlabClass.STRUCT) & (headers.numel == 1) | (headers.cls == MatlabClass.FUNCTION)
    inside = np.flatnonzero(holds & headers.ok)
    if not len(inside) or not levels:
        return
    for group in reader.children(headers.take(inside)):
        fields = group.fields
        name = None if fields is None else next((n for n in ("function", "function_handle") if n in fields), None)
        if fields is None or name is not None:
            below = group.elements if fields is None else group.column(fields.index(name or ""))
            _find(reader, reader.headers(below), owner[inside[group.parents]], texts, levels - 1)
