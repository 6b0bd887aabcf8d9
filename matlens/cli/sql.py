"""``matlens sql``: a query over the variables of a file."""

from __future__ import annotations

import json
import sys

import click

from matlens.cli.deliver import print_table, write_table
from matlens.cli.output import json_options, message, open_input, print_json


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
    from matlens.columns.table import METADATA_KEY
    from matlens.operations.query import query as run_query

    with open_input(file) as opened:
        table = run_query(opened, query)
    told = (table.schema.metadata or {}).get(METADATA_KEY, b"{}")
    for note in json.loads(told).get("notes", ()):
        message(f"note: {note}")
    if output:
        write_table(table, output, "row", "query", force=force, flatten=flatten)
    elif as_csv:
        from matlens.export.item import Item
        from matlens.export.options import ExportOptions
        from matlens.export.registry import find_format

        find_format(None, "csv").stream(Item("query", table), sys.stdout.buffer, ExportOptions(flatten=flatten))
        sys.stdout.buffer.flush()
    elif as_json:
        from matlens.values.plain import json_safe

        print_json({"columns": table.column_names, "rows": json_safe(table.to_pylist())})
    else:
        print_table(table, rows, more="--rows 0 prints all, -o FILE writes them")
