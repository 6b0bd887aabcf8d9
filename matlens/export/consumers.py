"""What programs make of a table: what they would not read, and the form that they read."""

from __future__ import annotations

import json

import pyarrow as pa

from matlens.columns.table import METADATA_KEY, AdaptedTable, Table
from matlens.export.flatten import FlatTable, nested_columns
from matlens.export.options import Consumer


def adapted(table: Table, consumer: Consumer | None) -> Table:
    """The table in a form that `consumer` reads without loss, as far as there is one.

    For pandas, columns of integers and logicals that may miss entries are marked for its
    nullable types; for MATLAB, structs and lists of lists are flattened.
    """
    if consumer == "pandas":
        return AdaptedTable(table, _pandas_schema(table.schema))
    if consumer == "matlab":
        return FlatTable(table, keep_lists=True)
    return table


def warnings_for(table: Table, consumer: Consumer | None) -> list[str]:
    """What `consumer` would not read, or not as it is."""
    found = []
    if consumer in ("duckdb", "polars", "datasets") and not len(table.schema):
        found.append(f"{consumer} reads no table without columns")
    if consumer == "datasets" and not table.num_rows:
        found.append("datasets fails on a Parquet file without rows")
    nested = nested_columns(table.schema)
    if consumer == "pandas" and nested:
        found.append(f"pandas gives lists and structs as objects: {', '.join(nested[:8])}")
    if consumer == "matlab":
        whole = [name for name in _may_miss(table.schema) if pa.types.is_integer(table.schema.field(name).type)]
        if whole:
            found.append(f"MATLAB makes double of integers with missing entries: {', '.join(whole[:8])}")
    return found


def _may_miss(schema: pa.Schema) -> list[str]:
    """Columns of which the metadata say that entries may be missing."""
    about = json.loads((schema.metadata or {}).get(METADATA_KEY, b"{}"))
    return [
        name for name, column in about.get("columns", {}).items() if column.get("nullable") and name in schema.names
    ]


_PANDAS_TYPES = {
    pa.bool_(): "boolean",
    **{pa.from_numpy_dtype(f"i{n}"): f"Int{8 * n}" for n in (1, 2, 4, 8)},
    **{pa.from_numpy_dtype(f"u{n}"): f"UInt{8 * n}" for n in (1, 2, 4, 8)},
}


def _pandas_schema(schema: pa.Schema) -> pa.Schema:
    """A schema that asks pandas for its nullable types, where float64 would lose digits."""
    columns = []
    for name in _may_miss(schema):
        dtype = _PANDAS_TYPES.get(schema.field(name).type)
        if dtype is not None:
            column = {"name": name, "field_name": name, "pandas_type": dtype.lower(), "numpy_type": dtype}
            columns.append(column | {"metadata": None})
    about = {"index_columns": [], "column_indexes": [], "columns": columns, "creator": {"library": "matlens"}}
    asked = {b"pandas": json.dumps(about | {"pandas_version": "2.2.0"}).encode()} if columns else {}
    return schema.with_metadata((schema.metadata or {}) | asked)
