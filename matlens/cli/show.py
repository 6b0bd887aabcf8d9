"""``matlens show``: one value, as text or JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from matlens.cli.output import Outcome, columns_text, expand, json_options, open_input, print_json, style, value_text
from matlens.errors import UnsupportedValue
from matlens.escape import safe_text

if TYPE_CHECKING:
    from matlens.tree.nodes.node import Node

MAX_COLUMNS = 12
MAX_PAGES = 6


@click.command("show")
@click.argument("file")
@click.argument("path", required=False)
@click.option("--rows", default=20, show_default=True, type=click.IntRange(0), help="Rows to print; 0 for all.")
@click.option("--raw", is_flag=True, help="Text as it is, controls included, and nothing else; not to a terminal.")
@json_options
def command(file: str, path: str | None, rows: int, raw: bool, as_json: bool) -> None:
    """Print the value at PATH of FILE; all variables if there is no PATH.

    PATH is MATLAB's, counted from 1, such as "annotations(3).bbox_x1" or "x(1:10,:)", or
    Python's, such as '["annotations"][2]["bbox_x1"]'.
    """
    if raw and sys.stdout.isatty():
        raise click.UsageError("--raw writes control characters of the file, which a terminal would obey: redirect it")
    outcome = Outcome()
    for name in expand([file]):
        with open_input(name) as opened:
            nodes = [opened.at(path)] if path else list(opened.values())
            shown = []
            for node in nodes:
                with outcome.each():
                    if raw:
                        _print_raw(node)
                    elif as_json:
                        shown.append(_as_dict(node))
                    else:
                        _print(node, rows)
            if as_json and not raw:
                print_json({"file": name, "values": shown})
            outcome.note(*opened.problems)
    outcome.leave()


def _as_dict(node: Node) -> dict[str, Any]:
    from matlens.formats.records import OpaqueValue
    from matlens.tree.describe import describe_node
    from matlens.values.plain import json_safe

    if node.kind == "opaque" and isinstance(value := node.value, OpaqueValue):
        return describe_node(node) | {"value": None, "note": str(value)}
    return describe_node(node) | {"value": json_safe(node.to_python())}


def _print(node: Node, rows: int) -> None:
    if node.error is not None:
        node.value  # noqa: B018 - raises with file and path
    click.echo(f"{style(safe_text(node.path), 'green')}  {safe_text(node.summary())}    {safe_text(node.python_path)}")
    limit = rows or max(node.child_count, node.dims[0])
    for line in _lines(node, limit):
        click.echo(line)


def _print_raw(node: Node) -> None:
    """The lines of a text, or of several, in UTF-8."""
    from matlens.tree.access import file_name
    from matlens.values.plain import printable

    value = node.to_python()
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UnsupportedValue(f"--raw is for text, this is {node.summary()}", file=file_name(node), variable=node.path)
    for text in texts:
        click.echo(printable(text).encode())


def _lines(node: Node, limit: int) -> list[str]:
    if node.kind == "numeric":
        return _matrix(node, limit)
    if node.kind == "char":
        value = node.value
        texts = [value] if isinstance(value, str) else [str(row) for row in value.ravel(order="F")]
        return [f"  {safe_text(text)}" for text in texts[:limit]] + _more(len(texts) - limit)
    if node.kind == "struct array":
        return _records(node, limit)
    if node.matlab_class in ("table", "timetable"):
        return _rows(node, limit)
    if node.child_count:
        children = node.children(0, limit)
        table = [(child.label, child.summary(), child.preview(80)) for child in children]
        return columns_text(table, widths=80) + _more(node.child_count - len(children))
    if node.kind == "sparse":
        return _sparse(node, limit)
    return [f"  {safe_text(line)}" for line in _value(node).splitlines()] if node.numel else []


def _value(node: Node) -> str:
    """A value as it is printed; points in time as the clock of their zone shows them."""
    import numpy as np

    from matlens.classes.time_zones import ZonedTimes, python_times

    value = node.value
    if isinstance(value, ZonedTimes):
        value = np.array([str(time) for time in python_times(value)]).reshape(value.shape, order="F")
    return str(value)


def _rows(node: Node, limit: int) -> list[str]:
    """The first rows of a table."""
    table = node.table()
    rows: list[list[str]] = []
    for batch in table.to_batches(max(limit, 1)):
        rows += [[value_text(value) for value in row.values()] for row in batch.slice(0, limit).to_pylist()]
        if len(rows) >= limit:
            break
    lines = columns_text([table.schema.names, *rows[:limit]], widths=32) if table.schema.names else []
    # Of no rows, or no columns, there is nothing else to see.
    count = [] if rows else [f"  {table.num_rows:,} rows"]
    return lines + count + _more(table.num_rows - limit if rows else 0, "rows")


def _matrix(node: Node, limit: int) -> list[str]:
    """A matrix as rows of numbers; an N-D array page by page, as MATLAB prints it."""
    import numpy as np

    if node.numel == 0:
        return ["  (empty)"]
    value = node.value
    if value.ndim == 2:
        return _page(value, limit)
    lines: list[str] = []
    pages = value.reshape(*value.shape[:2], -1, order="F")
    dims = value.shape[2:]
    for k in range(min(pages.shape[2], MAX_PAGES)):
        place = ",".join(str(p + 1) for p in np.unravel_index(k, dims, order="F"))
        lines += [f"  (:,:,{place})", *_page(pages[:, :, k], limit)]
    return lines + _more(pages.shape[2] - MAX_PAGES, "pages")


def _page(table: Any, limit: int) -> list[str]:
    columns = limit if table.shape[0] == 1 else MAX_COLUMNS
    lines = columns_text([[_number(x) for x in row] for row in table[:limit, :columns].tolist()], right=range(columns))
    left_out = [f"{table.shape[0] - limit:,} more rows"] if table.shape[0] > limit else []
    left_out += [f"{table.shape[1] - columns:,} more columns"] if table.shape[1] > columns else []
    return lines + ([f"  … {' and '.join(left_out)}"] if left_out else [])


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return f"{value:.6g}" if isinstance(value, float | complex) else str(value)


def _records(node: Any, limit: int) -> list[str]:
    names = node.fields()
    records = node.children(0, limit)
    table = [["", *names]]
    table += [
        [record.label, *(child.preview(24) or child.summary() for child in record.children())] for record in records
    ]
    return columns_text(table, widths=24) + _more(node.child_count - len(records))


def _sparse(node: Node, limit: int) -> list[str]:
    coo = node.value.tocoo()
    entries = zip(coo.coords[0].tolist(), coo.coords[1].tolist(), coo.data.tolist(), strict=True)
    table = [(f"({row + 1},{col + 1})", _number(value)) for row, col, value in list(entries)[:limit]]
    return columns_text(table, right=(1,)) + _more(coo.nnz - limit)


def _more(count: int, what: str = "") -> list[str]:
    return [f"  … {count:,} more {what}".rstrip()] if count > 0 else []
