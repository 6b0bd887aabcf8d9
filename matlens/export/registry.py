"""The output formats by name and suffix: what the modules of `matlens.export.writers` declare."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING

from matlens.columns.notes import Note
from matlens.errors import UnfitFormat
from matlens.export import writers
from matlens.export.format import Format
from matlens.export.options import ExportOptions

if TYPE_CHECKING:
    from matlens.export.item import Item


@cache
def _formats() -> tuple[Format, ...]:
    """All formats, by the names of their modules."""
    modules = [import_module(f"{writers.__name__}.{found.name}") for found in pkgutil.iter_modules(writers.__path__)]
    return tuple(found for module in modules for found in module.FORMATS)


def value_formats() -> list[Format]:
    """The formats that variables are converted to."""
    return [found for found in _formats() if found.takes not in ("boxes", "masks")]


def boxes_formats() -> list[Format]:
    """The formats that boxes are written in: those of data sets for detectors first, then those of tables."""
    tables = [found for found in _formats() if found.takes == "tables"]
    return [found for found in _formats() if found.takes == "boxes"] + tables


def masks_formats() -> list[Format]:
    """The formats that masks are written in: those of boxes, and images."""
    return [found for found in _formats() if found.takes == "masks"] + boxes_formats()


def find_format(output: str | None, name: str | None = None, among: Sequence[Format] | None = None) -> Format:
    """The format called `name`, or else the one that the suffix of `output` tells; Parquet for none.

    Examples
    --------
    >>> find_format("a.csv").name, find_format("folder").name, find_format("a.db", "duckdb").name
    ('csv', 'parquet', 'duckdb')
    >>> find_format("a.json", among=boxes_formats()).name
    'coco'
    """
    known = among or value_formats()
    suffix = Path(output or "").suffix.lower()
    if name is None and not suffix:
        name = "parquet"
    for found in known:
        if found.name == name or (name is None and suffix in found.suffixes):
            return found
    if name is not None:
        raise UnfitFormat(f"no format {name!r}; there are {', '.join(found.name for found in known)}")
    suffixes = ", ".join(suffix for found in known for suffix in found.suffixes)
    raise UnfitFormat(f"{output}: no format has the suffix {suffix}; there are {suffixes}")


def write_stream(found: Format, item: Item, file: IO[bytes], options: ExportOptions) -> list[Note]:
    """Write one value to an open file, in a format that needs no seeking."""
    if not found.is_streamed:
        able = ", ".join(each.name for each in value_formats() if each.is_streamed)
        raise UnfitFormat(f"{found.text} cannot be written to a pipe; these can: {able}")
    return found.stream(item, file, options)
