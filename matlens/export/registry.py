"""The output formats by name and suffix, and one way to write any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from matlens.columns.notes import Note
from matlens.errors import LossyConversion, UnfitFormat
from matlens.export.consumers import Consumer
from matlens.export.item import Item
from matlens.export.json import NanPolicy

__all__ = ["FORMATS", "ExportOptions", "Format", "find_format", "refuse_losses", "write_items", "write_stream"]


class Format(NamedTuple):
    """An output format; with `many`, one file holds several values."""

    name: str
    suffixes: tuple[str, ...]
    text: str
    many: bool = False


FORMATS = (
    Format("parquet", (".parquet", ".pq"), "Apache Parquet"),
    Format("arrow", (".arrow", ".feather", ".ipc"), "Arrow IPC file, Feather"),
    Format("csv", (".csv",), "comma-separated text"),
    Format("tsv", (".tsv", ".tab"), "tab-separated text"),
    Format("json", (".json",), "JSON, a list of records"),
    Format("jsonl", (".jsonl", ".ndjson"), "JSON Lines"),
    Format("npy", (".npy",), "NumPy array"),
    Format("npz", (".npz",), "NumPy archive", many=True),
    Format("sqlite", (".sqlite", ".sqlite3", ".db"), "SQLite database", many=True),
    Format("duckdb", (".duckdb", ".ddb"), "DuckDB database", many=True),
    Format("mat", (".mat",), "MAT-file of v7", many=True),
)
_BY_NAME = {found.name: found for found in FORMATS}
_BY_SUFFIX = {suffix: found for found in FORMATS for suffix in found.suffixes}
STREAMED = ("arrow", "csv", "tsv", "json", "jsonl")


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the writers can be told.

    Attributes
    ----------
    force : bool
        Overwrite existing files.
    flatten : bool
        Spread nested values over columns, for CSV and TSV.
    safe_csv : bool
        Put an apostrophe before text that looks like a formula.
    nan : {"null", "string", "literal", "error"}
        NaN and infinity in JSON.
    consumer : str, optional
        The program that is to read the output.
    strict : bool
        Raise `LossyConversion` rather than lose anything.
    """

    force: bool = False
    flatten: bool = False
    safe_csv: bool = False
    nan: NanPolicy = "null"
    consumer: Consumer | None = None
    strict: bool = False


def find_format(output: str | None, name: str | None = None) -> Format:
    """The format called `name`, or else the one that the suffix of `output` tells; Parquet for none.

    Examples
    --------
    >>> find_format("a.csv").name, find_format("folder").name, find_format("a.db", "duckdb").name
    ('csv', 'parquet', 'duckdb')
    """
    if name is not None:
        if name not in _BY_NAME:
            raise UnfitFormat(f"no format {name!r}; there are {', '.join(_BY_NAME)}")
        return _BY_NAME[name]
    suffix = Path(output or "").suffix.lower()
    if suffix and suffix not in _BY_SUFFIX:
        raise UnfitFormat(f"{output}: no format has the suffix {suffix}; there are {', '.join(_BY_SUFFIX)}")
    return _BY_SUFFIX[suffix] if suffix else _BY_NAME["parquet"]


def write_items(found: Format, items: Sequence[Item], target: Path, options: ExportOptions) -> list[Note]:
    """Write values to one file; what is lost beyond the notes of their tables.

    Raises
    ------
    UnfitFormat
        If the format cannot hold the values.
    OutputExists
    """
    force = options.force
    match found.name:
        case "parquet":
            from matlens.export.parquet import write_parquet

            for_matlab = options.consumer == "matlab"
            write_parquet(items[0], target, force=force, compression="snappy" if for_matlab else "zstd")
        case "arrow":
            from matlens.export.arrow import write_arrow

            write_arrow(items[0], target, force=force)
        case "npy":
            from matlens.export.npy import write_npy

            write_npy(items[0], target, force=force)
        case "npz":
            from matlens.export.npy import write_npz

            write_npz(items, target, force=force)
        case "sqlite":
            from matlens.export.sqlite import write_sqlite

            write_sqlite(items, target, force=force)
        case "duckdb":
            from matlens.export.duckdb import write_duckdb

            write_duckdb(items, target, force=force)
        case "mat":
            from matlens.export.mat import write_mat

            return write_mat(items, target, force=force, strict=options.strict)
        case _:
            from matlens.export.atomic import atomic_output

            with atomic_output(target, force=force) as file:
                notes = write_stream(found, items[0], file, options)
                refuse_losses(notes, options, str(target))
                return notes
    return []


def refuse_losses(notes: Sequence[Note], options: ExportOptions, file: str) -> None:
    """Raise `LossyConversion` if there is a loss and the options ask for it."""
    lossy = [str(note) for note in notes if note.is_lossy]
    if options.strict and lossy:
        raise LossyConversion(f"{len(lossy)} losses, nothing is written: {'; '.join(lossy)}", file=file)


def write_stream(found: Format, item: Item, file: IO[bytes], options: ExportOptions) -> list[Note]:
    """Write one value to an open file, in a format that needs no seeking."""
    if found.name == "arrow":
        from matlens.export.arrow import stream_arrow

        stream_arrow(item, file)
    elif found.name in ("csv", "tsv"):
        from matlens.export.csv import stream_csv

        delimiter = "," if found.name == "csv" else "\t"
        stream_csv(item, file, delimiter=delimiter, flatten=options.flatten, safe=options.safe_csv)
    elif found.name in ("json", "jsonl"):
        from matlens.export.json import stream_json

        changed = stream_json(item, file, lines=found.name == "jsonl", nan=options.nan)
        if changed:
            return [Note(item.name, f"{changed:,} numbers are NaN or infinite: {options.nan} in JSON")]
    else:
        raise UnfitFormat(f"{found.text} cannot be written to a pipe; these can: {', '.join(STREAMED)}")
    return []
