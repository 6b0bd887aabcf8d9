"""Plans of columns whose elements have no headers: rows of arrays, and what is in Arrow already."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from matlens.columns.buffers import NO_FIELDS, is_number, list_array
from matlens.columns.column_plan import ColumnPlan
from matlens.columns.json_texts import json_texts
from matlens.columns.object_columns import CALENDAR, as_type
from matlens.columns.plan import Plan, leaf_type
from matlens.columns.unify import Kind
from matlens.errors import UnsupportedValue
from matlens.formats.records import CLASS_DTYPES, Elements, Headers

_CLASSES = {dtype: cls for cls, dtype in CLASS_DTYPES.items()}


def number_header(dtype: np.dtype[Any], dims: tuple[int, ...]) -> Headers:
    """The header that an array of numbers would have."""
    header = Headers.empty(Elements(0, np.zeros(1, np.int64)), max(2, len(dims)))
    is_logical = dtype.kind == "b"
    real = np.dtype("u1") if is_logical else np.empty(0, dtype).real.dtype
    header.cls[0] = _CLASSES[real.newbyteorder("=")]
    header.is_complex[0], header.is_logical[0] = dtype.kind == "c", is_logical
    header.set_dims(0, dims)
    return header


def number_plan(path: str, dtype: np.dtype[Any], dims: tuple[int, ...]) -> ColumnPlan:
    """The plan of a column of arrays of equal dims."""
    plan = ColumnPlan(path)
    plan.add(number_header(dtype, dims))
    return plan


def form_of_schema(schema: pa.Schema) -> Plan:
    """The form of columns that are in Arrow already: numbers, text, and single values of objects."""
    form = Plan()
    form.add_root(schema.names)
    for name, kind in zip(schema.names, schema.types, strict=True):
        plan = form.columns[name] = ColumnPlan(name)
        if is_number(kind) or pa.types.is_boolean(kind):
            form.columns[name] = number_plan(name, np.dtype(kind.to_pandas_dtype()), (1, 1))
        elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
            plan.kinds = [Kind.CHAR]
        elif pa.types.is_timestamp(kind):
            plan.kinds, plan.zones = [Kind.DATETIME], {kind.tz or ""}
        elif pa.types.is_duration(kind):
            plan.kinds = [Kind.DURATION]
        elif kind == NO_FIELDS:
            plan.kinds = [Kind.STRUCT]
        elif kind == CALENDAR:
            plan.kinds = [Kind.CALENDAR_DURATION]
        elif pa.types.is_struct(kind) and kind == leaf_type(_complex(kind)):
            form.columns[name] = number_plan(name, _complex(kind), (1, 1))
        elif pa.types.is_dictionary(kind):
            # Which order it is only the values tell: it is one of its own.
            plan.kinds, plan.orders = [Kind.CATEGORICAL], {(name,)} if kind.ordered else {None}
        elif not pa.types.is_null(kind):
            raise UnsupportedValue(f"columns of {kind} have no form that others could share")
    return form


def _complex(kind: pa.StructType) -> np.dtype[Any]:
    """The complex dtype whose parts would stand in a struct."""
    is_single = kind.num_fields and kind.field(0).type == pa.float32()
    return np.dtype(np.complex64 if is_single else np.complex128)


def as_entries(array: pa.Array, plan: ColumnPlan, kind: pa.DataType) -> pa.Array:
    """Single values in the form of their column, of which others may hold several in an entry."""
    if array.type == kind:
        return array
    if plan.kind is None:
        return json_texts(array.to_pylist())
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), kind)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = as_entries(array, plan, kind.value_type)
        return list_array(inner, np.ones(len(array), np.int64), None, pa.types.is_large_list(kind))
    return as_type(array, kind)
