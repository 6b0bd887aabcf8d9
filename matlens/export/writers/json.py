"""JSON documents (a list of records) and JSON Lines (a record a line).

Integers are written with all their digits, complex numbers as ``{"real", "imag"}``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from matlens.columns.notes import Note
from matlens.errors import UnfitFormat
from matlens.escape import json_default
from matlens.export.format import Format
from matlens.export.options import ExportOptions, NanPolicy

if TYPE_CHECKING:
    from matlens.export.item import Item

ROWS = 4096


class _Json(Format):
    def stream(self, item: Item, file: IO[bytes], options: ExportOptions) -> list[Note]:
        encoder = _Encoder(options.nan)
        self._write(encoder.records(item), file)
        if not encoder.changed:
            return []
        return [Note(item.name, f"{encoder.changed:,} numbers are NaN or infinite: {options.nan} in JSON")]

    def _write(self, texts: Iterator[str], file: IO[bytes]) -> None:
        before = b"[\n"
        for text in texts:
            file.write(before + text.encode())
            before = b",\n"
        file.write(b"[]\n" if before == b"[\n" else b"\n]\n")


class _JsonLines(_Json):
    def _write(self, texts: Iterator[str], file: IO[bytes]) -> None:
        for text in texts:
            file.write(text.encode() + b"\n")


class _Encoder:
    """Encodes records by one policy and counts what it changed."""

    def __init__(self, nan: NanPolicy) -> None:
        self._nan = nan
        self.changed = 0

    def records(self, item: Item) -> Iterator[str]:
        for batch in item.to_batches(ROWS):
            for record in batch.to_pylist():
                yield self._encode(record)

    def _encode(self, record: Any) -> str:
        try:
            return json.dumps(record, ensure_ascii=False, allow_nan=self._nan == "literal", default=json_default)
        except ValueError:
            return json.dumps(self._finite(record), ensure_ascii=False, default=json_default)

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


FORMATS = (
    _Json("json", (".json",), "JSON, a list of records", understands=("nan",)),
    _JsonLines("jsonl", (".jsonl", ".ndjson"), "JSON Lines", understands=("nan",)),
)
