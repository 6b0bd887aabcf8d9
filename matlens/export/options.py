"""What the writers of output formats can be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NanPolicy = Literal["null", "string", "literal", "error"]
"""What becomes of NaN and infinity, which JSON does not have."""
Consumer = Literal["pandas", "polars", "duckdb", "datasets", "matlab"]
"""A program that is to read the output."""


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
        NaN and infinity in JSON: null, the texts ``"NaN"``, ``"Infinity"``, ``"-Infinity"``, the same words
        without quotes, which is not JSON, or an error.
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
