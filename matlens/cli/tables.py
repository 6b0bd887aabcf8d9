"""Tables that a command has made, as a file or as lines of text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from matlens.cli.output import columns_text, counted, message, print_json, value_text
from matlens.errors import OutputExists

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["print_json_table", "print_table", "refuse_existing", "write_table"]


def refuse_existing(output: str | None, force: bool) -> None:
    """Before the work begins, rather than at its end."""
    if output and not force and Path(output).exists():
        raise OutputExists("the file exists; --force overwrites it", file=output)


def write_table(
    table: pa.Table,
    output: str,
    noun: str,
    *,
    format_name: str | None = None,
    force: bool = False,
    flatten: bool = True,
) -> None:
    """Write a table in the format of the suffix, and say what was written.

    Parameters
    ----------
    noun : str
        What a row is, such as ``box``.
    """
    from matlens.export.formats import ExportOptions, find_format, write_items
    from matlens.export.source import Item, reader_of

    options = ExportOptions(force=force, flatten=flatten)
    write_items(find_format(output, format_name), [Item(noun, reader_of(table))], Path(output), options)
    message(f"{output}: {counted(table.num_rows, noun)}, columns {', '.join(table.column_names)}")


def print_json_table(table: pa.Table, key: str) -> None:
    """The rows as JSON records."""
    from matlens.columns import json_safe

    print_json({key: json_safe(table.to_pylist())})


def print_table(table: pa.Table, rows: int, *, widths: int = 40, more: str) -> None:
    """The first rows in aligned columns, and how to get the others."""
    shown = table.slice(0, rows or table.num_rows).to_pylist()
    cells = [table.column_names, *[[value_text(value) for value in row.values()] for row in shown]]
    for line in columns_text(cells, widths=widths):
        click.echo(line)
    if table.num_rows > len(shown):
        click.echo(f"  … {table.num_rows - len(shown):,} more; {more}")
    sys.stdout.flush()
