"""``matlens sql``: a query over the variables of a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from matlens.cli.output import columns_text, json_options, message, open_input, print_json, value_text

if TYPE_CHECKING:
    import pyarrow as pa


@click.command("sql")
@click.argument("file")
@click.argument("query")
@click.option("-o", "--output", help="File to write the result to, in any format of convert.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--rows", default=40, show_default=True, type=click.IntRange(0), help="Rows to print; 0 for all.")
@click.option("--flatten", is_flag=True, help="CSV: spread nested values over columns.")
@click.option("--force", is_flag=True, help="Overwrite an existing output.")
@json_options
def command(
    file: str, query: str, output: str | None, as_csv: bool, rows: int, flatten: bool, force: bool, as_json: bool
) -> None:
    """Run a SQL QUERY over the variables of FILE, each of which is a table.

    Such as: matlens sql a.mat "select image, size from annotations where reviewed". A path
    in double quotes is a table, too: from "s.data". Needs DuckDB: pip install 'matlens[sql]'.
    """
    from matlens.queries import query as run_query

    with open_input(file) as opened:
        table = run_query(opened, query)
    if output:
        _write(table, output, flatten, force)
    elif as_csv:
        from matlens.export.csv import stream_csv

        stream_csv(table, sys.stdout.buffer, flatten=flatten)
        sys.stdout.buffer.flush()
    elif as_json:
        from matlens.columns import json_safe

        print_json({"columns": table.column_names, "rows": json_safe(table.to_pylist())})
    else:
        _print(table, rows)


def _write(table: pa.Table, output: str, flatten: bool, force: bool) -> None:
    from pathlib import Path

    from matlens.export.formats import ExportOptions, find_format, write_items
    from matlens.export.source import Item, reader_of

    options = ExportOptions(force=force, flatten=flatten)
    write_items(find_format(output), [Item("query", reader_of(table))], Path(output), options)
    message(f"{output}: {table.num_rows:,} rows, columns {', '.join(table.column_names)}")


def _print(table: pa.Table, rows: int) -> None:
    shown = table.slice(0, rows or table.num_rows).to_pylist()
    cells = [table.column_names, *[[value_text(value) for value in row.values()] for row in shown]]
    for line in columns_text(cells, widths=40):
        click.echo(line)
    if table.num_rows > len(shown):
        click.echo(f"  … {table.num_rows - len(shown):,} more; --rows 0 prints all, -o FILE writes them")
