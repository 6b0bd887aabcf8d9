"""JSON documents (a list of records) and JSON Lines (a record a line)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from matlens.columns.stored_tables import as_table
from matlens.columns.table import Table
from matlens.errors import UnfitFormat
from matlens.export.atomic import atomic_output

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["NanPolicy", "stream_json", "write_json"]

NanPolicy = Literal["null", "string", "literal", "error"]
"""What becomes of NaN and infinity, which JSON does not have."""
ROWS = 4096


def write_json(
    table: Table | pa.Table, target: str | Path, *, force: bool = False, lines: bool = False, nan: NanPolicy = "null"
) -> int:
    """Write a table as a list of records, or with `lines` a record on each line.

    Integers are written with all their digits, complex numbers as ``{"real", "imag"}``.

    Parameters
    ----------
    table : Table or pyarrow.Table
    target : str or Path
    force : bool
        Overwrite an existing file.
    lines : bool
        JSON Lines.
    nan : {"null", "string", "literal", "error"}
        NaN and infinity as null, as the texts ``"NaN"``, ``"Infinity"``, ``"-Infinity"``,
        as the same words without quotes, which is not JSON, or as an error.

    Returns
    -------
    int
        How many numbers the policy has changed.

    Raises
    ------
    UnfitFormat
        For a number that is not finite, where `nan` is ``"error"``.
    OutputExists
        If `target` exists and `force` is false.
    """
    with atomic_output(target, force=force) as file:
        return stream_json(table, file, lines=lines, nan=nan)


def stream_json(table: Table | pa.Table, file: IO[bytes], *, lines: bool = False, nan: NanPolicy = "null") -> int:
    """Write a table as JSON to an open file."""
    writer = _Writer(nan)
    first = True
    for text in writer.records(as_table(table)):
        if lines:
            file.write(text.encode() + b"\n")
        else:
            file.write((b"[\n" if first else b",\n") + text.encode())
        first = False
    if not lines:
        file.write(b"[]\n" if first else b"\n]\n")
    return writer.changed


class _Writer:
    """Encodes records by one policy and counts what it changed."""

    def __init__(self, nan: NanPolicy) -> None:
        self._nan = nan
        self.changed = 0

    def records(self, reader: Table) -> Iterator[str]:
        for batch in reader.batches():
            for start in range(0, batch.num_rows, ROWS):
                for record in batch.slice(start, ROWS).to_pylist():
                    yield self._encode(record)

    def _encode(self, record: Any) -> str:
        try:
            return json.dumps(record, ensure_ascii=False, allow_nan=self._nan == "literal", default=str)
        except ValueError:
            return json.dumps(self._finite(record), ensure_ascii=False, default=str)

    def _finite(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._finite(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._finite(item) for item in value]
        if not isinstance(value, float) or math.isfinite(value):
            return value
        if self._nan == "error":
            raise UnfitFormat(f"{value} is no JSON; --nan null, string or literal says what becomes of it")
        self.changed += 1
        if self._nan == "null":
            return None
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
