"""HTML for notebooks: a node and its children as nested, collapsible lists."""

from __future__ import annotations

import html

from matlens.escape import safe_text
from matlens.tree.nodes.node import Node

__all__ = ["file_html", "node_html"]

MAX_CHILDREN = 20


def node_html(node: Node, depth: int = 2) -> str:
    """HTML of `node` and what is below it, `depth` levels deep, every text escaped."""
    head = f"<b>{_text(node.label or node.path)}</b> <span>{_text(node.summary())}</span>"
    preview = node.preview()
    if preview:
        head += f" <code>{html.escape(preview)}</code>"
    children = node.children(0, MAX_CHILDREN) if depth else []
    if not children:
        return f"<div>{head}</div>"
    items = "".join(f"<li>{node_html(child, depth - 1)}</li>" for child in children)
    if node.child_count > len(children):
        items += f"<li>… {node.child_count - len(children)} more</li>"
    opened = " open" if depth > 1 else ""
    return f"<details{opened}><summary>{head}</summary><ul>{items}</ul></details>"


def file_html(title: str, nodes: list[Node]) -> str:
    """HTML of a file: its title and its variables."""
    return f"<b>{_text(title)}</b><ul>{''.join(f'<li>{node_html(node)}</li>' for node in nodes)}</ul>"


def _text(text: str) -> str:
    return html.escape(safe_text(text))
