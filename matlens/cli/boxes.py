"""``matlens boxes``: bounding boxes of any annotation file, as one canonical Parquet table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matlens.cli.output import Outcome, columns_text, expand, json_options, message, open_input, print_json
from matlens.errors import MatlensError, NoBoxesFound

if TYPE_CHECKING:
    import pyarrow as pa

    from matlens.boxes import BoxSource

_CONVENTIONS = ("xyxy", "xyxy1", "xywh", "xywh1", "matlab", "xxyy", "cxcywh", "yolo", "rowcol")
_PREVIEW = 10


@click.command("boxes")
@click.argument("files", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Parquet file to write.")
@click.option("--path", help='Look for boxes only here, such as "annotations.bbox".')
@click.option("--convention", type=click.Choice(_CONVENTIONS), help="How the four numbers are meant.")
@click.option("--image-field", help="Field that holds the image name.")
@click.option("--label-field", help="Field that holds the class.")
@click.option("--image-size", type=(float, float), help="Width and height, for yolo.")
@click.option("--force", is_flag=True, help="Overwrite an existing output.")
@json_options
def command(
    files: tuple[str, ...],
    output: str | None,
    path: str | None,
    convention: str | None,
    image_field: str | None,
    label_field: str | None,
    image_size: tuple[float, float] | None,
    force: bool,
    as_json: bool,
) -> None:
    """Find bounding boxes in FILES and write them as one table.

    Columns: source, image, label, xmin, ymin, xmax, ymax (0-based, half-open pixel edges),
    then everything else that stands beside a box. What speaks for the convention goes to
    stderr. Without -o the first rows are printed.
    """
    from matlens.boxes import find, merge

    if output and not output.endswith((".parquet", ".pq")):
        raise click.UsageError(f"{output}: boxes are written as Parquet; name the output *.parquet")
    _refuse_existing(output, force)
    outcome = Outcome()
    tables: list[tuple[str, pa.Table]] = []
    names = expand(files)
    for name in names:
        with outcome.each(), open_input(name) as file:
            problems: list[MatlensError] = []
            sources = find(file, path, image_field=image_field, label_field=label_field, problems=problems)
            if not sources and file.problems:
                raise file.problems[0]
            for source in sources:
                _explain(source, convention)
            for problem in (*problems, *file.problems):
                outcome.note(problem)
            tables.append((name, merge(file.name, sources, path, convention, image_size)))
    if tables:
        _deliver(_joined(tables, many=len(names) > 1), output, force, as_json)
    outcome.leave()
    if not tables:
        raise NoBoxesFound("no bounding boxes")


def _refuse_existing(output: str | None, force: bool) -> None:
    from matlens.errors import OutputExists

    if output and not force and Path(output).exists():
        raise OutputExists("the file exists; --force overwrites it", file=output)


def _explain(source: BoxSource, convention: str | None) -> None:
    """What was found, and why it is taken for what."""
    evidence = source.evidence
    used = convention or source.convention or "undecided"
    message(f"{source.file}: {len(source):,} boxes at {source.path} in {', '.join(source.fields)}: {used}")
    for reason in evidence.reasons:
        message(f"  {reason}")
    counts = ", ".join(f"{name} {count:,}" for name, count in evidence.violations.items())
    message(f"  rows that contradict: {counts} (of {evidence.rows:,})")
    message(f"  image: {source.image or 'not found'}; label: {source.label or 'not found'}")


def _joined(tables: list[tuple[str, pa.Table]], *, many: bool) -> pa.Table:
    import pyarrow as pa

    from matlens.boxes import concat
    from matlens.tables import with_metadata

    if not many:
        return tables[0][1]
    named = [table.add_column(0, "file", pa.array([name] * len(table), pa.string())) for name, table in tables]
    return with_metadata(concat(named), {"files": [name for name, _ in tables]})


def _deliver(table: pa.Table, output: str | None, force: bool, as_json: bool) -> None:
    if output:
        from matlens.export.parquet import write_parquet

        write_parquet(table, output, force=force)
        message(f"{output}: {table.num_rows:,} boxes, columns {', '.join(table.column_names)}")
        if as_json:
            print_json({"output": output, "rows": table.num_rows, "columns": table.column_names})
        return
    if as_json:
        from matlens.columns import json_safe

        print_json({"boxes": json_safe(table.to_pylist())})
        return
    _preview(table)


def _preview(table: pa.Table) -> None:
    rows = table.slice(0, _PREVIEW).to_pylist()
    cells = [table.column_names, *[[_cell(value) for value in row.values()] for row in rows]]
    for line in columns_text(cells, widths=30):
        click.echo(line)
    if table.num_rows > len(rows):
        click.echo(f"  … {table.num_rows - len(rows):,} more; -o FILE.parquet writes them all")
    sys.stdout.flush()


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
