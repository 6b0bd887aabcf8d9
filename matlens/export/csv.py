"""CSV and TSV files, by Arrow's writer: floats with as many digits as they need, text quoted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from matlens.columns.stored_tables import as_table
from matlens.columns.table import Table
from matlens.errors import UnfitFormat
from matlens.export.atomic import atomic_output
from matlens.export.flatten import FlatTable, nested_columns

__all__ = ["stream_csv", "write_csv"]

FORMULA = "^[=+\\-@\t\r]"
"""Beginnings that spreadsheets take for a formula, after OWASP, *CSV Injection*."""


def write_csv(
    table: Table | pa.Table,
    target: str | Path,
    *,
    force: bool = False,
    delimiter: str = ",",
    flatten: bool = False,
    safe: bool = False,
) -> None:
    """Write a table to a CSV file in UTF-8.

    Text is quoted, so that an empty text differs from a missing value.

    Parameters
    ----------
    table : Table or pyarrow.Table
    target : str or Path
    force : bool
        Overwrite an existing file.
    delimiter : str
    flatten : bool
        Spread structs and fixed-size lists over columns, and make JSON text of other lists.
    safe : bool
        Put an apostrophe before text that a spreadsheet would take for a formula.

    Raises
    ------
    UnfitFormat
        For nested columns, without `flatten`.
    OutputExists
        If `target` exists and `force` is false.
    """
    reader = _flat(table, flatten)
    with atomic_output(target, force=force) as file:
        stream_csv(reader, file, delimiter=delimiter, safe=safe)


def stream_csv(
    table: Table | pa.Table, file: IO[bytes], *, delimiter: str = ",", flatten: bool = False, safe: bool = False
) -> None:
    """Write a table as CSV to an open file."""
    reader = _flat(table, flatten)
    schema = reader.schema
    if safe:
        schema = pa.schema([column.with_name(_safe_name(column.name)) for column in schema])
    if not len(schema):
        return
    options = csv.WriteOptions(delimiter=delimiter)
    with csv.CSVWriter(pa.PythonFile(file, "w"), schema.remove_metadata(), write_options=options) as writer:
        for batch in reader.batches():
            columns = [_safe(column) if safe else column for column in batch.columns]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, names=schema.names))


def _flat(table: Table | pa.Table, flatten: bool) -> Table:
    reader = as_table(table)
    nested = nested_columns(reader.schema)
    if not nested:
        return reader
    if not flatten:
        raise UnfitFormat(
            f"CSV has no nested values, and {_shown(nested)} hold some; --flatten (flatten=True) spreads them"
        )
    return FlatTable(reader)


def _shown(names: list[str]) -> str:
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"column{'s' if len(names) > 1 else ''} {listed}"


def _safe(column: pa.Array) -> pa.Array:
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return column
    formula = pc.match_substring_regex(column, FORMULA)
    return pc.if_else(formula, pc.binary_join_element_wise("'", column, ""), column)


def _safe_name(name: str) -> str:
    return f"'{name}" if re.match(FORMULA, name) else name
