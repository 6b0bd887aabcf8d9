"""``matlens diff``: what differs between two files."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from matlens.cli.output import DATA_FAULT, columns_text, json_options, message, open_input, print_json

if TYPE_CHECKING:
    from matlens.operations.diff import Difference


@click.command("diff")
@click.argument("a")
@click.argument("b")
@click.argument("path", required=False)
@click.option("--rtol", default=0.0, show_default=True, type=click.FloatRange(0), help="Relative tolerance.")
@click.option("--atol", default=0.0, show_default=True, type=click.FloatRange(0), help="Absolute tolerance.")
@click.option("--max", "limit", default=100, show_default=True, type=click.IntRange(1), help="Differences to print.")
@json_options
def command(a: str, b: str, path: str | None, rtol: float, atol: float, limit: int, as_json: bool) -> None:
    """Compare the files A and B, or the values at PATH in both, whatever their versions.

    Two numbers are equal if |a - b| <= atol + rtol * |b|; NaN equals NaN. Exits with 1
    where something differs or is unreadable.
    """
    from matlens.operations.diff import diff, diff_nodes

    with open_input(a) as first, open_input(b) as second:
        if path:
            found = diff_nodes(first.at(path), second.at(path), rtol=rtol, atol=atol)
        else:
            found = diff(first, second, rtol=rtol, atol=atol)
        everything = list(islice(found, limit + 1))
        problems = [*first.problems, *second.problems]
    for problem in problems:
        message(str(problem), error=True)
    differences = [d for d in everything[:limit] if d.what != "not compared"]
    for skipped in everything[:limit]:
        if skipped.what == "not compared":
            message(f"{skipped.path}: not compared: {skipped.a}, not decoded")
    if as_json:
        is_whole = len(everything) <= limit
        print_json({"a": a, "b": b, "complete": is_whole, "differences": [d.as_dict() for d in differences]})
    else:
        _print(differences, more=len(everything) > limit)
    if differences or problems:
        raise SystemExit(DATA_FAULT)


def _print(differences: list[Difference], *, more: bool) -> None:
    if not differences:
        click.echo("no differences")
        return
    rows: list[tuple[str, ...]] = [("path", "what", "a", "b", "count", "max |a-b|", "relative")]
    for found in differences:
        numbers = [
            "" if number is None else f"{number:,}" if isinstance(number, int) else f"{number:.3g}"
            for number in (found.count, found.max_absolute, found.max_relative)
        ]
        rows.append((found.path, found.what, found.a, found.b, *numbers))
    heading, *lines = columns_text(rows, right=(4, 5, 6))
    click.echo(heading)
    for line, found in zip(lines, differences, strict=True):
        click.echo(line)
        if found.explanation:
            click.echo(f"    {found.explanation}")
    if more:
        click.echo("  … more; --max prints them")
