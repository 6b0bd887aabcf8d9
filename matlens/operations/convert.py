"""Any variable to any format: which values go to which file, what is lost, and the writing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Unpack

from matlens.columns.expressions import parse
from matlens.columns.filtered import FilteredTable
from matlens.columns.notes import Note
from matlens.columns.plan import Plan
from matlens.columns.table import Table
from matlens.errors import MatlensError, OutputFailed, PathError, UnfitFormat
from matlens.escape import safe_text
from matlens.export.atomic import refuse_existing
from matlens.export.consumers import adapted, warnings_for
from matlens.export.flatten import nested_columns
from matlens.export.format import Format, refuse_losses
from matlens.export.item import Item
from matlens.export.options import Consumer, ExportOptions, NanPolicy
from matlens.export.registry import find_format
from matlens.export.room import limited_output
from matlens.limits import Limits
from matlens.names import safe_file_name, unique_names
from matlens.tree.access import file_name, reader_of, siblings_of
from matlens.tree.file import MatFile, ReadingOptions, Source, opened
from matlens.tree.nodes import CellNode, CharNode
from matlens.tree.nodes.node import Node

_PLAIN = ("colheaders", "colnames", "columns", "header", "headers", "names")
_SPACED = ("column_names", "feature_names", "var_names", "variable_names")
HEADER_NAMES = frozenset((*_PLAIN, *_SPACED, *(name.replace("_", "") for name in _SPACED)))
"""Names, in lower case, of values that hold the names of the columns of a matrix beside them."""


@dataclass(slots=True)
class Output:
    """One file to write.

    Attributes
    ----------
    path : Path
    format : Format
    items : list of Item
        The values that go into it.
    notes : list of Note
        What was chosen or lost, each with the name of the value.
    warnings : list of str
        What the program named by `ExportOptions.consumer` would not read.
    """

    path: Path
    format: Format
    items: list[Item]
    notes: list[Note] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def num_rows(self) -> int:
        return sum(item.num_rows for item in self.items)


def convert(
    source: Source,
    output: str | PathLike[str],
    *,
    var: str | Sequence[str] | None = None,
    format: str | None = None,
    dim: int | None = None,
    header: str | None = "auto",
    where: str | None = None,
    force: bool = False,
    flatten: bool = False,
    safe_csv: bool = False,
    nan: NanPolicy = "null",
    consumer: Consumer | None = None,
    strict: bool = False,
    **reading: Unpack[ReadingOptions],
) -> list[Output]:
    """Convert variables of a MAT-file to files of another format.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object or MatFile
    output : str or os.PathLike
        A file whose suffix tells the format; or a folder, which gets a file for each
        variable.
    var : str or sequence of str, optional
        Paths of the values to convert, such as ``annotations`` or ``s.data``; all
        variables by default.
    format : str, optional
        Instead of the format that the suffix tells.
    dim : int, optional
        Dimension of numeric arrays, counted from 1, along which the rows lie.
    header : str, optional
        Path of the value that names the columns of matrices. ``"auto"`` looks for one
        beside each, such as ``colheaders``; None keeps ``x1`` to ``xN``.
    where : str, optional
        Only the rows for which this is true, such as ``score > 0.5 and any(labels == "van")``.
    force : bool
        Overwrite existing files.
    flatten : bool
        CSV and TSV: spread structs and fixed-size lists over columns, other lists as JSON text.
    safe_csv : bool
        CSV and TSV: put an apostrophe before text that a spreadsheet would take for a formula.
    nan : {"null", "string", "literal", "error"}
        JSON: what becomes of NaN and infinity.
    consumer : {"pandas", "polars", "duckdb", "datasets", "matlab"}, optional
        The program that is to read the output: what it would not read is told, and the form
        is one that it reads.
    strict : bool
        Write nothing and raise `LossyConversion` if something would be lost.
    **reading
        ``engine``, ``isolate``, ``limits``, ``errors``, as for `matlens.open`.

    Returns
    -------
    list of Output
        The files written, with notes on everything that was chosen or lost.

    Raises
    ------
    UnfitFormat
        If the format cannot hold the values, or one file cannot hold several.
    OutputFailed
        If one cannot be written; the others are.
    ExpressionError
        If `where` does not parse, or does not fit the columns of a value.
    OutputExists, LossyConversion, PathError, CorruptFile

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "annotations.parquet"
    >>> (written,) = convert("fixtures/annotations_v7.mat", target, var="annotations")
    >>> written.num_rows, [str(note) for note in written.notes]
    (70, [])
    """
    options = ExportOptions(force, flatten, safe_csv, nan, consumer, strict)
    output = fspath(output)
    names = [var] if isinstance(var, str) else var
    with opened(source, **reading) as file:
        as_values = takes_values(output, format)
        found = items_of(file, names, dim=dim, header=header, where=where, options=options, as_values=as_values)
        items = list(found)
        outputs = outputs_of(items, output, format=format, options=options)
        refuse_losses([note for written in outputs for note in written.notes], options, file.name)
        failed: list[OutputFailed] = []
        for written in outputs:
            try:
                write_output(written, options)
            except OutputFailed as error:
                # The others are written all the same.
                failed.append(error)
        if failed:
            raise failed[0]
        return outputs


# --- which values --------------------------------------------------------------------------


def items_of(
    file: MatFile,
    var: Sequence[str] | None = None,
    *,
    dim: int | None = None,
    header: str | None = "auto",
    where: str | None = None,
    options: ExportOptions | None = None,
    problems: Callable[[MatlensError], None] | None = None,
    as_values: bool = False,
    forms: Mapping[str, Plan] | None = None,
) -> Iterator[Item]:
    """The values of a file that are to be converted, as tables, or `as_values` without any.

    `forms` are those that variables share with other files, by name. With `problems`, values that cannot be read go
    there and the others come all the same. `where` keeps some rows of each.
    """
    consumer = options.consumer if options else None
    expression = None if where is None else parse(where)
    if expression is not None and as_values:
        raise UnfitFormat(
            "this format holds MATLAB's values, not tables: rows are filtered for Parquet, CSV and the like"
        )
    for name, node in named_nodes(file, var or ()):
        try:
            if as_values:
                item = Item.of_value(name, node)
            else:
                table, remarks = _table(file, node, header, dim, (forms or {}).get(name))
                if expression is not None:
                    whole, table = table, FilteredTable(table, expression)
                    kept = f"{table.num_rows:,} of {whole.num_rows:,} rows, where {safe_text(where)}"
                    remarks.append(Note(node.path, kept, is_lossy=False))
                item = Item(name, adapted(table, consumer), node, remarks)
            if node.error is not None:
                node.value  # noqa: B018 - raises with file and path
        except MatlensError as error:
            if problems is None or isinstance(error, PathError):
                raise
            problems(error)
            continue
        yield item


def named_nodes(file: MatFile, var: Sequence[str] = ()) -> Iterator[tuple[str, Node]]:
    """The values of a file that are to be converted, and the names that their outputs have."""
    for node in [file.at(path) for path in var] if var else list(file.values()):
        yield node.path if node.path in var else node.name or node.path, node


def column_names(file: MatFile, node: Node, header: str | None, dim: int | None) -> list[str] | None:
    """Names that the columns of a matrix have from a value beside it."""
    return _names(file, node, header, dim)[0]


def _table(
    file: MatFile, node: Node, header: str | None, dim: int | None, form: Plan | None
) -> tuple[Table, list[Note]]:
    """The table of a value, and notes on its names and rows."""
    names, notes = _names(file, node, header, dim)
    table = node.table(dim=dim if node.kind == "numeric" else None, names=names, form=form)
    if node.kind == "numeric" and len(node.dims) > 2 and dim is None:
        dims = "x".join(map(str, node.dims))
        notes.append(Note(node.path, f"rows lie along dimension 1 of {dims}, --dim picks another", is_lossy=False))
    return table, notes


def _names(file: MatFile, node: Node, header: str | None, dim: int | None) -> tuple[list[str] | None, list[Note]]:
    """Names of the columns of a matrix, and where they come from."""
    width = node.dims[1 if dim in (None, 1) else 0] if node.kind == "numeric" and len(node.dims) == 2 else 1
    if header is None or width < 2:
        return None, []
    if header != "auto":
        named = _texts(file.at(header))
        if not named:
            raise PathError(f"{header} holds no texts that could name the {width} columns of {node.path}")
        return named, []
    for beside in siblings_of(file, node):
        if beside.name.lower() in HEADER_NAMES and isinstance(beside, CellNode | CharNode):
            texts = _texts(beside)
            if len(texts) == width and all(texts):
                return texts, [Note(node.path, f"columns are named by {beside.path}", is_lossy=False)]
    return None, []


def _texts(node: Node) -> list[str]:
    """Texts of a cell of char rows, or rows of a char matrix without the blanks that fill them up."""
    values = node.to_python()
    if isinstance(values, str):
        values = [values]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return []
    return [value.rstrip() for value in values]


# --- to which files ------------------------------------------------------------------------


def takes_values(output: str | Path | None, format: str | None) -> bool:
    """Whether the format holds MATLAB's values themselves rather than tables made of them."""
    is_folder = output is None or _is_folder(output, format)
    return find_format(None if is_folder else str(output), format).takes == "values"


def _is_folder(output: str | Path, format: str | None) -> bool:
    """Whether several files go into the output."""
    names_folder = str(output).endswith(("/", "\\")) or Path(output).is_dir()
    return names_folder or (not Path(output).suffix and format is None)


def outputs_of(
    items: Sequence[Item],
    output: str | Path,
    *,
    format: str | None = None,
    folder: str | None = None,
    options: ExportOptions | None = None,
) -> list[Output]:
    """The files that `items` go to; nothing is written yet.

    With `folder`, a name for the values of one of several inputs: in a folder of that name
    inside `output`, or in one file of that name where the format holds several values.
    """
    options = options or ExportOptions()
    is_folder = folder is not None or _is_folder(output, format)
    found = find_format(None if is_folder else str(output), format)
    base = Path(output)
    if not is_folder and len(items) > 1 and not found.many:
        names = ", ".join(item.name for item in items[:8])
        one_of = f"name one with --var ({names} …) or give a folder, {base.with_suffix('')}/"
        raise UnfitFormat(f"{len(items)} values for one file: {one_of}")
    outputs: list[Output] = []
    if not is_folder:
        outputs.append(Output(base, found, list(items)))
    elif found.many:
        stem = folder or safe_file_name(Path(_source_name(items)).stem)
        outputs.append(Output(base / f"{stem}{found.suffixes[0]}", found, list(items)))
    else:
        base = base / folder if folder else base
        stems = unique_names([safe_file_name(item.name) for item in items], fold=True)
        for stem, item in zip(stems, items, strict=True):
            renamed = [] if stem == item.name else [Note(item.name, f"the file is named {stem}{found.suffixes[0]}")]
            outputs.append(Output(base / f"{stem}{found.suffixes[0]}", found, [item], renamed))
    for written in outputs:
        refuse_existing(written.path, force=options.force)
        _take_notes(written, options)
    return outputs


def _source_name(items: Sequence[Item]) -> str:
    """Name of the file that the values are of."""
    names = [file_name(item.node) for item in items if item.node is not None]
    return names[0] if names else "values"


def _take_notes(output: Output, options: ExportOptions) -> None:
    """Note what is known before anything is written."""
    for item in output.items:
        # One array is written as it is, not as the table that could be made of it.
        notes = [] if output.format.takes == "array" else item.notes
        output.notes += [note._replace(path=_under(item.name, note.path)) for note in notes]
        if "flatten" in output.format.understands and options.flatten and nested_columns(item.schema):
            names = ", ".join(nested_columns(item.schema)[:8])
            output.notes.append(Note(item.name, f"nested columns are flattened: {names}", is_lossy=False))
        output.warnings += warnings_for(item, options.consumer)


def _under(name: str, path: str) -> str:
    """Path of a column with the name of its value before it."""
    if not path or path == name:
        return name
    return path if path.startswith((f"{name}.", f"{name}{{")) else f"{name}.{path}"


def write_output(output: Output, options: ExportOptions) -> None:
    """Write one file, whole or not at all; `output` is given notes on what showed only then."""
    output.path.parent.mkdir(parents=True, exist_ok=True)
    readers = [reader_of(item.node) for item in output.items if item.node is not None]
    with limited_output(readers[0].limits if readers else Limits()):
        try:
            output.notes += output.format.write(output.items, output.path, options)
        except (MatlensError, OSError, MemoryError):
            raise
        except Exception as error:
            # Arrow, databases and other libraries refuse what they cannot hold in ways of their own.
            names = ", ".join(item.name for item in output.items[:8])
            text = f"not written to {output.path.name}: {type(error).__name__}: {error}".splitlines()[0]
            raise OutputFailed(text, file=_source_name(output.items), variable=names) from error


def describe_output(output: Output) -> dict[str, Any]:
    """An output as plain values, for JSON."""
    return {
        "output": str(output.path),
        "format": output.format.name,
        "rows": output.num_rows,
        "tables": [
            {
                "name": item.name,
                "rows": item.num_rows,
                "columns": [{"name": column.name, "type": str(column.type)} for column in item.schema],
            }
            for item in output.items
        ],
        "notes": [note._asdict() for note in output.notes],
        "warnings": output.warnings,
    }
