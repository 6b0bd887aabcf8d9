"""``matlens tree``: what is inside a file, level by level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from matlens.cli.output import Outcome, expand, json_options, open_input, print_json, style
from matlens.escape import safe_text

if TYPE_CHECKING:
    from matlens.tree.file import MatFile
    from matlens.tree.nodes.node import Node


@click.command("tree")
@click.argument("file")
@click.argument("path", required=False)
@click.option("--depth", default=4, show_default=True, type=click.IntRange(0, 64), help="Levels to go down.")
@click.option("--max", "limit", default=5, show_default=True, type=click.IntRange(1), help="Elements of a cell.")
@json_options
def command(file: str, path: str | None, depth: int, limit: int, as_json: bool) -> None:
    """Show the tree of FILE, or of the value at PATH, such as "annotations(3)"."""
    outcome = Outcome()
    for name in expand([file]):
        with open_input(name) as opened:
            nodes = [opened.at(path)] if path else list(opened.values())
            if as_json:
                print_json({"file": name, "nodes": [_as_dict(node, depth, limit) for node in nodes]})
            else:
                _print(opened, nodes, depth, limit)
            outcome.note(*opened.problems)
            for node in nodes:
                if node.error is not None:
                    outcome.note(node.error.at(file=opened.name, variable=node.path))
    outcome.leave()


def _print(file: MatFile, nodes: list[Node], depth: int, limit: int) -> None:
    from matlens.tree.describe import tree_rows

    click.echo(f"{style(safe_text(file.name), 'cyan')}  MATLAB {file.version}")
    for remark in file.remarks:
        click.echo(f"note: {safe_text(remark)}")
    for node in nodes:
        rows = tree_rows(node, depth - 1, limit)
        for k, (level, item) in enumerate(rows):
            guides = "".join(("│  " if _continues(rows, k, above) else "   ") for above in range(1, level))
            branch = ("├─ " if _continues(rows, k, level) else "└─ ") if level else ""
            click.echo(guides + branch + _line(item, top=level == 0))


def _continues(rows: list[tuple[int, Any]], k: int, level: int) -> bool:
    """Whether a sibling on `level` follows row k before its parent ends."""
    for later, _ in rows[k + 1 :]:
        if later == level:
            return True
        if later < level:
            return False
    return False


def _line(item: Node | int, *, top: bool) -> str:
    from matlens.tree.describe import count_below

    if isinstance(item, int):
        return f"… {item:,} more"
    preview = item.preview(60) if count_below(item) == 0 or item.kind == "cell" else ""
    text = f"{style(safe_text(item.path if top else item.label), 'green')}  {safe_text(item.summary())}"
    return f"{text}  {preview}" if preview else text


def _as_dict(node: Node, depth: int, limit: int) -> dict[str, Any]:
    from matlens.tree.describe import count_below, describe_node

    row = describe_node(node) | {"preview": node.preview(60), "children_total": count_below(node)}
    if depth > 1:
        most = limit if node.kind != "struct" else 20 * limit
        shown = node.children(0, most) if row["children_total"] else []
        row["children"] = [_as_dict(child, depth - 1, limit) for child in shown]
    return row
