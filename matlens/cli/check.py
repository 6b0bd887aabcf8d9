"""``matlens check``: read files end to end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matlens.cli.output import (
    DATA_FAULT,
    Outcome,
    counted,
    expand,
    json_options,
    message,
    open_input,
    print_json,
    style,
)
from matlens.escape import safe_text

if TYPE_CHECKING:
    from matlens.operations.check import VariableCheck
    from matlens.tree.file import MatFile


@click.command("check")
@click.argument("files", nargs=-1, required=True)
@click.option("--salvage", metavar="OUT.mat", help="Write what can be read of the only file to a v7 file.")
@click.option("--force", is_flag=True, help="Overwrite an existing output.")
@json_options
def command(files: tuple[str, ...], salvage: str | None, force: bool, as_json: bool) -> None:
    """Read every value of FILES and tell what is damaged, and where.

    Compressed variables carry a checksum, which is verified. Others carry none: there a
    changed number is not told from a right one, and the check says so.
    """
    names = expand(files)
    if salvage and len(names) != 1:
        raise click.UsageError(f"--salvage takes one file, {len(names)} given")
    outcome = Outcome()
    described = []
    for name in names:
        with outcome.each(name), open_input(name) as file:
            found = _check(file, quiet=as_json)
            described.append(_as_dict(name, file, found))
            if file.problems or any(not variable.is_readable for variable in found):
                outcome.code = max(outcome.code, DATA_FAULT)
            if salvage:
                _salvage(file, found, salvage, force)
    if as_json:
        print_json({"files": described})
    outcome.leave()


def _check(file: MatFile, *, quiet: bool) -> list[VariableCheck]:
    from matlens.operations.check import check

    found = []
    if not quiet:
        click.echo(f"{style(safe_text(file.name), 'cyan')}  version {file.version}, {file.size:,} bytes")
    for variable in check(file):
        found.append(variable)
        if not quiet:
            _print(variable)
    for remark in file.remarks if not quiet else ():
        click.echo(f"  note: {safe_text(remark)}")
    for problem in file.problems:
        message(str(problem), error=True)
    bare = sum(not variable.has_checksum for variable in found)
    if bare and not quiet:
        click.echo(f"  {bare:,} of {len(found):,} variables carry no checksum: changed values would not show")
    return found


def _print(variable: VariableCheck) -> None:
    word = style("ok", "green") if variable.is_readable else style("damaged", "red")
    values = counted(variable.elements, "value")
    click.echo(f"  {word}  {safe_text(variable.name)}  {safe_text(variable.summary)}  {values}")
    for damage in variable.damages:
        click.echo(f"      {safe_text(str(damage))}")


def _as_dict(name: str, file: MatFile, found: list[VariableCheck]) -> dict[str, Any]:
    return {
        "file": name,
        "version": file.version,
        "problems": [str(problem) for problem in file.problems],
        "remarks": file.remarks,
        "variables": [
            {
                "name": variable.name,
                "readable": variable.is_readable,
                "elements": variable.elements,
                "checksum": variable.has_checksum,
                "damages": [
                    {"path": damage.variable, "offset": damage.offset, "message": damage.message}
                    for damage in variable.damages
                ],
            }
            for variable in found
        ],
    }


def _salvage(file: MatFile, found: list[VariableCheck], target: str, force: bool) -> None:
    """Write what can be read to a file of its own: ``[]`` stands for damaged elements inside structs and cells."""
    from matlens.export.item import Item
    from matlens.export.options import ExportOptions
    from matlens.export.registry import find_format
    from matlens.tree.access import salvaged_file

    names = [variable.name for variable in found if not variable.is_lost]
    salvaged = salvaged_file(file)
    items = [Item.of_value(name, salvaged[name]) for name in names]
    for note in find_format(None, "mat").write(items, Path(target), ExportOptions(force=force)):
        message(f"{file.name}: loss: {note}")
    passed_over = sum(len(variable.damages) for variable in found if not variable.is_lost)
    lost = f", [] for {counted(passed_over, 'damaged element')}" if passed_over else ""
    message(f"{target}: {len(names):,} of {len(found):,} variables{lost}")
