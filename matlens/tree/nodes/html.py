"""HTML for notebooks: a node and its children as nested, collapsible lists."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Protocol

from matlens.errors import MatlensError
from matlens.escape import safe_text

MAX_CHILDREN = 20


class Shown(Protocol):
    """What is shown of a node."""

    @property
    def label(self) -> str: ...

    @property
    def child_count(self) -> int: ...

    def summary(self) -> str: ...

    def preview(self) -> str: ...

    def children(self, start: int, stop: int) -> Sequence[Shown]: ...


def node_html(node: Shown, depth: int = 2) -> str:
    """HTML of `node` and what is below it, `depth` levels deep, every text escaped."""
    head = f"<b>{_text(node.label)}</b> <span>{_text(node.summary())}</span>"
    preview = node.preview()
    if preview:
        head += f" <code>{html.escape(preview)}</code>"
    try:
        children = node.children(0, MAX_CHILDREN) if depth else []
        more = node.child_count - len(children) if children else 0
    except MatlensError:
        # The preview tells of it.
        children, more = [], 0
    if not children:
        return f"<div>{head}</div>"
    items = "".join(f"<li>{node_html(child, depth - 1)}</li>" for child in children)
    items += f"<li>… {more} more</li>" if more else ""
    opened = " open" if depth > 1 else ""
    return f"<details{opened}><summary>{head}</summary><ul>{items}</ul></details>"


def file_html(title: str, nodes: Iterable[Shown]) -> str:
    """HTML of a file: its title and its variables."""
    return f"<b>{_text(title)}</b><ul>{''.join(f'<li>{node_html(node)}</li>' for node in nodes)}</ul>"


def _text(text: str) -> str:
    return html.escape(safe_text(text))
