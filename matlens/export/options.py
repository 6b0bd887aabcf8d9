"""What the writers of output formats can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NanPolicy = Literal["null", "string", "literal", "error"]
"""NaN and infinity in JSON: null, texts such as ``"-Infinity"``, the words unquoted, which is no JSON, or an error."""
Consumer = Literal["pandas", "polars", "duckdb", "datasets", "matlab"]
"""A program that is to read the output."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the writers can be told, as `matlens.convert` explains it."""

    force: bool = False
    flatten: bool = False
    safe_csv: bool = False
    nan: NanPolicy = "null"
    consumer: Consumer | None = None
    strict: bool = False
