"""A table that is made of no value of a file, as a struct of its columns, as MATLAB's ``table2struct`` makes one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from matlens.columns.buffers import is_number, numbers_of
from matlens.export.item import Item
from matlens.export.mat_encoder import matlab_names
from matlens.tree.file import from_loadmat
from matlens.tree.nodes.node import Node


def struct_of_columns(item: Item) -> Node:
    """A 1x1 struct with a field for each column: numbers as n x 1 arrays, text and anything nested as n x 1 cells.

    Missing numbers are NaN, missing text ``[]``; points in time are ISO texts.
    """
    table = pa.Table.from_batches(item.batches(), item.schema)
    names = matlab_names(table.column_names)
    record = np.empty((1, 1), [(name, object) for name in names])
    for name, column in zip(names, table.columns, strict=True):
        record[name][0, 0] = _column(column)
    return from_loadmat({"value": record if names else np.zeros((0, 0))})["value"]


def _column(column: Any) -> Any:
    if is_number(column.type) or pa.types.is_boolean(column.type):
        missing = column.null_count > 0
        return numbers_of(column.cast(pa.float64()) if missing else column).reshape(-1, 1)
    kind = column.type
    if pa.types.is_fixed_size_list(kind) and is_number(kind.value_type) and not column.null_count:
        array = column.combine_chunks()
        return numbers_of(array.flatten()).reshape(-1, kind.list_size)
    return _cell([_value(value) for value in column.to_pylist()])


def _value(value: Any) -> Any:
    """A value of Arrow in the form of `scipy.io.loadmat`."""
    if value is None:
        return np.zeros((0, 0))
    if isinstance(value, bool | int | float):
        return np.array([[value]])
    if isinstance(value, list):
        numbers = bool(value) and all(isinstance(item, bool | int | float) for item in value)
        return np.array([value]) if numbers else _cell([_value(item) for item in value])
    if isinstance(value, dict):
        record = np.empty((1, 1), [(name, object) for name in matlab_names(list(value))])
        for name, inner in zip(record.dtype.names or (), value.values(), strict=True):
            record[name][0, 0] = _value(inner)
        return record
    return np.array([str(value.isoformat() if hasattr(value, "isoformat") else value)])


def _cell(items: list[Any]) -> Any:
    cell = np.empty((len(items), 1), object)
    for k, item in enumerate(items):
        cell[k, 0] = item
    return cell
