"""``matlens ls``: the variables of files, from headers alone."""

from __future__ import annotations

import json
from typing import Any

import click

from matlens.cli.output import Outcome, columns_text, expand, json_options, message, open_input, print_json, style
from matlens.escape import safe_text

_FLAGS = ("complex", "sparse", "global", "compressed")


@click.command("ls")
@click.argument("files", nargs=-1, required=True)
@click.option("--jsonl", is_flag=True, help="One line of JSON for each file, as it is read.")
@json_options
def command(files: tuple[str, ...], jsonl: bool, as_json: bool) -> None:
    """List the variables of FILES: class, dims, bytes.

    Reads headers only, however large the file. "-" is standard input; "**" matches
    folders at any depth.
    """
    from matlens.tree.describe import describe_file

    outcome = Outcome()
    described = []
    for name in expand(files):
        with outcome.each(name), open_input(name) as file:
            row = describe_file(file)
            if jsonl:
                click.echo(json.dumps({"schema_version": 1} | row))
            elif as_json:
                described.append(row)
            else:
                _print(row)
            outcome.note(*file.problems)
            _note_damage(row, outcome)
    if as_json:
        print_json({"files": described})
    outcome.leave()


def _note_damage(row: dict[str, Any], outcome: Outcome) -> None:
    for variable in row["variables"]:
        if "error" in variable:
            at = f" (at byte {variable['offset']})" if variable["offset"] is not None else ""
            message(f"{row['file']}: {variable['path']}: {variable['error']}{at}", error=True)
            outcome.code = max(outcome.code, 1)


def _print(row: dict[str, Any]) -> None:
    from matlens.tree.describe import dims_text

    hdf5 = " (HDF5)" if row["version"] == "v7.3" else ""
    click.echo(f"{style(safe_text(row['file']), 'cyan')}  MATLAB {row['version']}{hdf5}, {row['size']:,} bytes")
    table = [
        (
            variable["name"],
            variable["class"],
            dims_text(variable["dims"]),
            f"{variable['bytes']:,}",
            " ".join(flag for flag in _FLAGS if variable[flag]),
        )
        for variable in row["variables"]
    ]
    for line in columns_text(table, right=(3,)):
        click.echo(line)
    for remark in row["remarks"]:
        click.echo(f"  note: {safe_text(remark)}")
