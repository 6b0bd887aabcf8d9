"""Tables without nested columns, for formats and programs that have none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from matlens.columns.buffers import number_array, numbers_of
from matlens.columns.json_texts import json_texts
from matlens.columns.notes import Note
from matlens.columns.table import AdaptedTable, Table, no_rows
from matlens.names import unique_names

MAX_SPREAD = 64
"""Fixed-size lists of more items become JSON text rather than so many columns."""


def is_nested(kind: pa.DataType) -> bool:
    """Whether entries of an Arrow type hold several values."""
    return bool(pa.types.is_nested(kind))


def nested_columns(schema: pa.Schema) -> list[str]:
    """Names of the columns that are lists or structs."""
    return [column.name for column in schema if is_nested(column.type)]


class FlatTable(AdaptedTable):
    """A table with its structs and short fixed-size lists spread over columns, all other lists as JSON text.

    The fields of ``a`` become ``a.b``, the items of a fixed-size list ``a_1`` to ``a_n``.
    With `spread` false, every nested column becomes JSON text.
    """

    def __init__(self, table: Table, *, spread: bool = True, keep_lists: bool = False) -> None:
        self._spread, self._keep_lists = spread, keep_lists
        flat = self._flatten(no_rows(table.schema))
        names = unique_names(name for name, _ in flat)
        types = [array.type for _, array in flat]
        super().__init__(table, pa.schema(list(zip(names, types, strict=True)), table.schema.metadata))

    @property
    def notes(self) -> list[Note]:
        nested = set(nested_columns(self._table.schema)) - set(nested_columns(self.schema))
        changed = [Note(name, "nested values are flattened", is_lossy=False) for name in sorted(nested)]
        return [*self._table.notes, *changed]

    def _adapt(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays([array for _, array in self._flatten(batch)], schema=self.schema)

    def _flatten(self, batch: pa.RecordBatch) -> list[tuple[str, pa.Array]]:
        return [
            part
            for name, array in zip(batch.schema.names, batch.columns, strict=True)
            for part in self._flat(name, array)
        ]

    def _flat(self, name: str, array: pa.Array) -> list[tuple[str, pa.Array]]:
        kind = array.type
        if not is_nested(kind):
            return [(name, array)]
        if self._spread and pa.types.is_struct(kind):
            fields = zip([field.name for field in kind], array.flatten(), strict=True)
            return [part for field, inner in fields for part in self._flat(f"{name}.{field}", inner)]
        if self._spread and pa.types.is_fixed_size_list(kind) and kind.list_size <= MAX_SPREAD:
            items = [_item(array, k) for k in range(kind.list_size)]
            return [part for k, inner in enumerate(items) for part in self._flat(f"{name}_{k + 1}", inner)]
        if self._keep_lists and not pa.types.is_struct(kind) and not is_nested(kind.value_type):
            return [(name, array.cast(pa.list_(kind.value_type)))]
        return [(name, json_texts(array.to_pylist()))]


def _item(array: pa.Array, k: int) -> pa.Array:
    """Item k of every fixed-size list."""
    size = array.type.list_size
    places = (np.arange(len(array)) + array.offset) * size + k
    return array.values.take(number_array(places, numbers_of(array.is_null())))
