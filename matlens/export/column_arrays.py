"""Columns of tables as NumPy arrays.

Missing entries are told by a mask ``.valid`` beside the values, a column of lists is its
values beside ``.offsets``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.export.item import Item


def column_arrays(item: Item) -> Iterator[tuple[str, NDArray[Any]]]:
    """Names and arrays of the columns of one value."""
    table = pa.Table.from_batches(item.batches(), item.schema)
    if item.node is not None and item.node.is_sparse:
        yield f"{item.name}.shape", np.array(item.node.dims)
    for name, column in zip(table.column_names, table.columns, strict=True):
        yield from _column_arrays(f"{item.name}.{name}", column.combine_chunks())


def _column_arrays(name: str, column: pa.Array) -> Iterator[tuple[str, NDArray[Any]]]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if column.null_count and not pa.types.is_null(kind):
        yield f"{name}.valid", np.asarray(column.is_valid())
    if pa.types.is_struct(kind):
        for field, inner in zip(kind, column.flatten(), strict=True):
            yield from _column_arrays(f"{name}.{field.name}", inner)
    elif pa.types.is_fixed_size_list(kind):
        yield from _fixed_arrays(name, column)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = np.asarray(column.value_lengths().fill_null(0))
        yield f"{name}.offsets", np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        yield from _column_arrays(name, column.flatten())
    else:
        yield name, _plain(column)


def _fixed_arrays(name: str, column: pa.Array) -> Iterator[tuple[str, NDArray[Any]]]:
    """Fixed-size lists as one array of more dimensions; the place of a missing one is filled."""
    kind, sizes = column.type, []
    if column.null_count:
        # `flatten` leaves missing lists out.
        places = pa.array(np.where(column.is_valid(), np.cumsum(column.is_valid()) - 1, 0))
        filled = column.drop_null()
        column = filled.take(places) if len(filled) else pa.nulls(0, kind)
    while pa.types.is_fixed_size_list(kind):
        sizes.append(kind.list_size)
        column, kind = column.flatten(), kind.value_type
    for part, array in _column_arrays(name, column):
        yield part, array.reshape(-1, *sizes) if part == name else array


def _plain(column: pa.Array) -> NDArray[Any]:
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(column.fill_null("").to_pylist(), np.str_)
    if column.null_count:
        zero = False if pa.types.is_boolean(column.type) else 0
        column = column.fill_null(pa.scalar(zero, column.type))
    return np.asarray(column)
