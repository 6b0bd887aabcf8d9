"""``matlens convert``: variables of MAT-files as Parquet, Arrow, CSV, JSON, databases and more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from matlens.cli.output import (
    LOSSY,
    Outcome,
    columns_text,
    counted,
    expand,
    json_options,
    message,
    open_input,
    print_json,
    progress,
)
from matlens.export.options import Consumer, ExportOptions, NanPolicy
from matlens.export.registry import value_formats, write_stream
from matlens.names import safe_file_name, unique_names

if TYPE_CHECKING:
    from matlens.operations.convert import Output
    from matlens.tree.file import MatFile


@click.command("convert")
@click.argument("files", nargs=-1, required=True)
@click.option("-o", "--output", help='File or folder to write; "-" for standard output.')
@click.option("--var", multiple=True, metavar="PATH", help='Convert this value only, such as "s.data"; repeatable.')
@click.option(
    "--format",
    "format_name",
    type=click.Choice([found.name for found in value_formats()]),
    help="Instead of what the suffix tells.",
)
@click.option("--dim", type=click.IntRange(1), metavar="N", help="Dimension of arrays that the rows lie along.")
@click.option("--header", metavar="PATH", default="auto", show_default=True, help='Names of columns; "none" for x1…xN.')
@click.option("--where", metavar="EXPR", help='Only rows for which this is true, such as "score > 0.5".')
@click.option("--flatten", is_flag=True, help="CSV: spread structs and lists over columns.")
@click.option("--safe-csv", is_flag=True, help="CSV: an apostrophe before what spreadsheets take for a formula.")
@click.option("--nan", type=click.Choice(get_args(NanPolicy)), default="null", show_default=True, help="JSON: NaN.")
@click.option(
    "--for", "consumer", type=click.Choice(get_args(Consumer)), help="Write what this program reads, and warn."
)
@click.option(
    "--form",
    type=click.Choice(["common", "own"]),
    default="common",
    show_default=True,
    help="Of several files: one form for each variable, or that of each file.",
)
@click.option("--dry-run", is_flag=True, help="Show the columns and what would be lost; write nothing.")
@click.option("--strict", is_flag=True, help="Write nothing and exit with 4 if something would be lost.")
@click.option("--force", is_flag=True, help="Overwrite existing outputs.")
@json_options
def command(
    files: tuple[str, ...],
    output: str | None,
    var: tuple[str, ...],
    format_name: str | None,
    dim: int | None,
    header: str,
    where: str | None,
    flatten: bool,
    safe_csv: bool,
    nan: Any,
    consumer: Any,
    form: str,
    dry_run: bool,
    strict: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Convert variables of FILES to other formats, told by the suffix of the output.

    A struct array gives a row for each element, a matrix a column for each of its columns,
    a cell a row for each element. Several variables go to a folder (-o DIR/), one file
    each, or together into .npz, .sqlite, .duckdb or .mat. Everything that would be lost is
    said on stderr. Rows are read in windows, so that memory stays bounded. Several files are
    surveyed first, so that the outputs of one variable have one form and read as one table.
    """
    if output is None and not dry_run:
        raise click.UsageError("name the output with -o FILE or -o DIR/, or look first with --dry-run")
    if output == "-" and as_json:
        raise click.UsageError("--json and the output itself cannot both go to standard output")
    if where is not None:
        _check_expression(where)
    options = ExportOptions(force, flatten, safe_csv, nan, consumer, strict)
    job = _Job(output, var, format_name, dim, None if header == "none" else header, where, options, dry_run)
    names = expand(files)
    if len(names) > 1 and output is not None and _is_one_file(output):
        raise click.UsageError(f"{len(names)} files for one output: give a folder, -o DIR/")
    stems = unique_names([safe_file_name(Path(name).stem) for name in names], fold=True)
    if len(names) > 1 and form == "common":
        job.survey(names)
    for name, stem in zip(names, stems, strict=True):
        with job.outcome.each(name), open_input(name) as file:
            job.convert(file, stem if len(names) > 1 else None)
    if as_json:
        print_json({"outputs": job.described})
    job.outcome.leave()


def _check_expression(text: str) -> None:
    """Tell what does not parse before any file is opened: the call is at fault, not the data."""
    from matlens.columns.expressions import parse
    from matlens.errors import ExpressionError

    try:
        parse(text)
    except ExpressionError as error:
        raise click.BadParameter(str(error), param_hint="--where") from None


def _is_one_file(output: str) -> bool:
    return output == "-" or (bool(Path(output).suffix) and not output.endswith("/") and not Path(output).is_dir())


@dataclass
class _Job:
    """One call: its options, and what has come of it so far."""

    output: str | None
    var: tuple[str, ...]
    format: str | None
    dim: int | None
    header: str | None
    where: str | None
    options: ExportOptions
    dry_run: bool
    outcome: Outcome = field(default_factory=Outcome)
    described: list[dict[str, Any]] = field(default_factory=list)
    forms: dict[str, Any] = field(default_factory=dict)

    def survey(self, names: Sequence[str]) -> None:
        """Find one form for each variable of the files, unless the format holds MATLAB's values themselves."""
        from matlens.operations.convert import takes_values
        from matlens.operations.survey import Survey

        if takes_values(self.output, self.format):
            return
        survey = Survey(open_input, self.var, self.dim, self.header)
        survey.look(names)
        self.forms = survey.forms
        for name in survey.differing:
            message(f"{name}: its form differs between files, all are written in one; --form own keeps each file's own")

    def convert(self, file: MatFile, folder: str | None) -> None:
        """Convert the values of one file."""
        from matlens.operations.convert import describe_output, items_of, outputs_of, takes_values

        found = items_of(
            file,
            self.var,
            dim=self.dim,
            header=self.header,
            where=self.where,
            options=self.options,
            problems=self.outcome.note,
            as_values=takes_values(self.output, self.format),
            forms=self.forms,
        )
        items = list(found)
        self.outcome.note(*file.problems)
        for remark in () if self.var else file.remarks:
            message(f"{file.name}: {remark}")
        if not items:
            message(f"{file.name}: nothing to convert")
            return
        target = f"-.{self.format or 'csv'}" if self.output == "-" else self.output or "./"
        outputs = outputs_of(items, target, format=self.format, folder=folder, options=self.options)
        lossy = [note for output in outputs for note in output.notes if note.is_lossy]
        for output in outputs:
            self._report(file, output)
        if self.options.strict and lossy:
            message(f"{file.name}: {len(lossy)} losses, nothing is written (--strict)", error=True)
            self.outcome.code = LOSSY
        elif not self.dry_run:
            for output in outputs:
                with self.outcome.each(f"{file.name}: {', '.join(item.name for item in output.items[:8])}"):
                    self._write(file, output)
        self.described += [describe_output(output) for output in outputs]

    def _report(self, file: MatFile, output: Output) -> None:
        """What is known before anything is written: losses, and for a dry run the columns."""
        if self.dry_run:
            for item in output.items:
                click.echo(f"{output.path if self.output else item.name}: {counted(item.num_rows, 'row')}", err=False)
                for line in columns_text([(column.name, str(column.type)) for column in item.schema], widths=100):
                    click.echo(line)
        for note in output.notes:
            message(f"{file.name}: {'loss: ' if note.is_lossy else ''}{note}")
        for warning in output.warnings:
            message(f"{file.name}: {output.path.name}: {warning}")

    def _write(self, file: MatFile, output: Output) -> None:
        from matlens.operations.convert import write_output

        known = len(output.notes)
        with progress(output.num_rows, output.path.name) as advance:
            for item in output.items:
                item.on_rows = advance
            if self.output == "-":
                output.notes += write_stream(output.format, output.items[0], sys.stdout.buffer, self.options)
                sys.stdout.buffer.flush()
            else:
                write_output(output, self.options)
        for note in output.notes[known:]:
            message(f"{file.name}: {'loss: ' if note.is_lossy else ''}{note}")
        if self.output != "-":
            names = ", ".join(item.name for item in output.items[:8]) + (" …" if len(output.items) > 8 else "")
            what = "variable" if output.format.takes == "values" else "row"
            count = len(output.items) if what == "variable" else output.num_rows
            message(f"{output.path}: {names}: {counted(count, what)}")
