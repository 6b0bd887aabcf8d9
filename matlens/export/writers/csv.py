"""CSV and TSV files, by Arrow's writer: floats with as many digits as they need, text quoted.

So an empty text differs from a missing value.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Any, ClassVar

from matlens.columns.notes import Note
from matlens.errors import UnfitFormat
from matlens.export.format import Format
from matlens.export.options import ExportOptions

if TYPE_CHECKING:
    from matlens.columns.table import Table
    from matlens.export.item import Item

FORMULA = "^[=+\\-@\t\r]"
"""Beginnings that spreadsheets take for a formula, after OWASP, *CSV Injection*."""


class _Csv(Format):
    delimiter: ClassVar[str] = ","

    def stream(self, item: Item, file: IO[bytes], options: ExportOptions) -> list[Note]:
        import pyarrow as pa
        from pyarrow import csv

        table, is_safe = _flat(item, options.flatten), options.safe_csv
        schema = table.schema.remove_metadata()
        if is_safe:
            schema = pa.schema([column.with_name(_safe_name(column.name)) for column in schema])
        if not len(schema):
            return []
        written = csv.WriteOptions(delimiter=self.delimiter)
        with csv.CSVWriter(pa.PythonFile(file, "w"), schema, write_options=written) as writer:
            for batch in table.batches():
                columns = [_safe(column) if is_safe else column for column in batch.columns]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
        return []


class _Tsv(_Csv):
    delimiter = "\t"


def _flat(item: Item, flatten: bool) -> Table:
    from matlens.export.flatten import FlatTable, nested_columns

    nested = nested_columns(item.schema)
    if not nested:
        return item
    if not flatten:
        listed = ", ".join(nested[:5]) + (f" and {len(nested) - 5} more" if len(nested) > 5 else "")
        what = f"column{'s' if len(nested) > 1 else ''} {listed}"
        raise UnfitFormat(f"CSV has no nested values, and {what} hold some; --flatten (flatten=True) spreads them")
    return FlatTable(item)


def _safe(column: Any) -> Any:
    """Text with an apostrophe before what a spreadsheet would take for a formula."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from matlens.columns.buffers import scalar

    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return column
    formula = pc.match_substring_regex(column, FORMULA)
    return pc.if_else(formula, pc.binary_join_element_wise(scalar("'"), column, scalar("")), column)


def _safe_name(name: str) -> str:
    return f"'{name}" if re.match(FORMULA, name) else name


_OPTIONS = ("flatten", "safe_csv")
FORMATS = (
    _Csv("csv", (".csv",), "comma-separated text", understands=_OPTIONS),
    _Tsv("tsv", (".tsv", ".tab"), "tab-separated text", understands=_OPTIONS),
)
