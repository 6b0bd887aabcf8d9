"""Arrow tables of whole values, with MATLAB's view of them in the schema metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.columns import ColumnBuilder, leaf_array
from matlens.escape import safe_text
from matlens.model import Elements
from matlens.readers.base import Reader

__all__ = ["METADATA_KEY", "array_table", "cell_table", "field_table", "with_metadata"]

METADATA_KEY = b"matlens"


def field_table(reader: Reader, names: Sequence[str], columns: Sequence[Elements], about: dict[str, Any]) -> pa.Table:
    """One row for each record: column k holds the elements of field k."""
    builder = ColumnBuilder(reader)
    arrays = [builder.build(elements, name) for name, elements in zip(names, columns, strict=True)]
    table = pa.Table.from_arrays(arrays, names=_safe_names(names))
    return with_metadata(table, about | _columns_metadata(builder, names))


def cell_table(reader: Reader, elements: Elements, name: str, about: dict[str, Any]) -> pa.Table:
    """One row for each element of a cell; a cell of 1x1 structs gives a column for each field."""
    builder = ColumnBuilder(reader)
    array = builder.build(elements, name)
    if pa.types.is_struct(array.type) and not array.null_count and builder.infos[name].classes == ["struct"]:
        names = [array.type.field(i).name for i in range(array.type.num_fields)]
        table = pa.Table.from_arrays(array.flatten(), names=names)
        return with_metadata(table, about | _columns_metadata(builder, [f"{name}.{field}" for field in names]))
    return with_metadata(pa.Table.from_arrays([array], names=[name]), about | _columns_metadata(builder, [name]))


def array_table(values: Any, about: dict[str, Any]) -> pa.Table:
    """A matrix as one column for each of its columns ``x1`` to ``xN``; text as its rows; sparse as triplets."""
    if hasattr(values, "tocoo"):
        triplets = values.tocsc().tocoo()
        row, col = (np.asarray(index, np.int64) for index in triplets.coords)
        columns = {"row": pa.array(row), "col": pa.array(col), "value": leaf_array(triplets.data)}
        return with_metadata(pa.table(columns), about)
    if isinstance(values, str):
        return with_metadata(pa.table({"text": [safe_text(values) if _has_surrogates(values) else values]}), about)
    array: NDArray[Any] = np.asarray(values)
    if array.dtype.kind == "U":
        return with_metadata(pa.table({"text": array.ravel(order="F").tolist()}), about)
    array = array.reshape(array.shape[0], math.prod(array.shape[1:]), order="F")
    columns = {f"x{k + 1}": leaf_array(np.ascontiguousarray(array[:, k])) for k in range(array.shape[1])}
    return with_metadata(pa.table(columns), about)


def with_metadata(table: pa.Table, about: dict[str, Any]) -> pa.Table:
    """`table` with `about` as JSON under the key ``matlens`` of its schema metadata."""
    metadata = dict(table.schema.metadata or {})
    metadata[METADATA_KEY] = json.dumps(about, default=str).encode()
    return table.replace_schema_metadata(metadata)


def _columns_metadata(builder: ColumnBuilder, names: Sequence[str]) -> dict[str, Any]:
    infos = builder.infos
    columns = {name: {"class": infos[name].classes, "dims": infos[name].dims} for name in names if name in infos}
    return {"columns": columns, "notes": builder.notes}


def _safe_names(names: Sequence[str]) -> list[str]:
    return [name.encode("utf-8", "replace").decode() for name in names]


def _has_surrogates(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)
