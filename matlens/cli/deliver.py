"""Tables that a command has made, as a file or as lines of text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from matlens.cli.output import columns_text, counted, message, plural, print_json, value_text

if TYPE_CHECKING:
    import pyarrow as pa

    from matlens.export.format import Format


def write_table(
    table: pa.Table,
    output: str,
    noun: str,
    name: str,
    *,
    chosen: Format | None = None,
    force: bool = False,
    flatten: bool = True,
) -> None:
    """Write a table in the format of the suffix, and say what was written.

    A row is a `noun`, such as ``box``; `name` is what a database calls the table.
    """
    from matlens.export.item import Item
    from matlens.export.options import ExportOptions
    from matlens.export.registry import find_format

    options = ExportOptions(force=force, flatten=flatten)
    (chosen or find_format(output)).write([Item(name, table)], Path(output), options)
    message(f"{output}: {counted(table.num_rows, noun)}, columns {', '.join(table.column_names)}")


def deliver(
    table: pa.Table,
    noun: str,
    *,
    output: str | None,
    as_json: bool,
    rows: int,
    widths: int = 40,
    chosen: Format | None = None,
    force: bool = False,
) -> None:
    """Write what a command has found if there is an output, else print it: as JSON, or its first `rows`."""
    if output:
        write_table(table, output, noun, plural(noun), chosen=chosen, force=force)
        if as_json:
            print_json({"output": output, "rows": table.num_rows, "columns": table.column_names})
    elif as_json:
        from matlens.values.plain import json_safe

        print_json({plural(noun): json_safe(table.to_pylist())})
    else:
        print_table(table, rows, widths=widths, more="-o FILE.parquet writes them all")


def print_table(table: pa.Table, rows: int, *, widths: int = 40, more: str) -> None:
    """The first rows in aligned columns, and how to get the others."""
    shown = table.slice(0, rows or table.num_rows).to_pylist()
    cells = [table.column_names, *[[value_text(value) for value in row.values()] for row in shown]]
    for line in columns_text(cells, widths=widths):
        click.echo(line)
    if table.num_rows > len(shown):
        click.echo(f"  … {table.num_rows - len(shown):,} more; {more}")
    sys.stdout.flush()
