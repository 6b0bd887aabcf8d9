"""Texts about nodes: names, subscripts, previews."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from matlens.errors import MatlensError, PathError
from matlens.escape import safe_text


def joined(texts: Iterable[str], width: int) -> str:
    """Texts with commas between them, no more of them than `width` characters show.

    Examples
    --------
    >>> joined(iter(["one", "two", "three", "four"]), 8)
    'one, two, three'
    """
    shown: list[str] = []
    length = 0
    for text in texts:
        length += len(text) + (2 if shown else 0)
        shown.append(text)
        if length > width:
            break
    return ", ".join(shown)


def node_text(node: Any) -> str:
    """A node and its children, a line for each; of one without children the value."""
    lines = [f"<{type(node).__name__} {safe_text(node.path)}: {safe_text(node.summary())}>"]
    try:
        shown = node.children(0, 20)
        more = node.child_count - len(shown)
    except MatlensError:
        # The preview tells of it.
        shown, more = [], 0
    lines += [f"  {safe_text(child.label)}: {child.one_line(70)}" for child in shown]
    if more:
        lines.append(f"  … {more} more")
    if not shown:
        text = node.preview()
        lines[0] = lines[0][:-1] + (f" = {text}>" if text else ">")
    return "\n".join(lines)


def fields_preview(nodes: Iterable[Any], depth: int, width: int) -> str:
    """Names of nodes with their values."""
    return joined((f"{node.name}: {node.preview(16, depth - 1) or node.summary()}" for node in nodes), width)


def find_name(name: str, names: tuple[str, ...], what: str = "") -> int:
    """Position of `name` among `names`; an unknown one raises with the nearest."""
    if name in names:
        return names.index(name)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f", did you mean {near[0]!r}?" if near else f"; there are {', '.join(names[:20]) or 'none'}"
    raise PathError(f"no {what}{name!r}{hint}")


def index_text(part: Any) -> str:
    """An integer or a slice, as it stands between the brackets of a path."""
    if isinstance(part, slice):
        texts = ["" if bound is None else str(int(bound)) for bound in (part.start, part.stop, part.step)]
        return ":" if texts == ["", "", ""] else ":".join(texts if texts[2] else texts[:2])
    if isinstance(part, bool | np.bool_) or not hasattr(part, "__index__"):
        raise PathError(f"index of type {type(part).__name__}; use integers, slices or names")
    return str(operator.index(part))


def last_step(path: str) -> str:
    """The last subscript of a path."""
    starts = [path.rfind(bracket) for bracket in "({"]
    return path[max(starts) :] if max(starts) > 0 else path
