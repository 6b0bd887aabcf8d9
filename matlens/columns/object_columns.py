"""Arrow columns of objects: an element for each string, point in time, category …"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from matlens.classes.instances import category_parts, convert
from matlens.classes.strings import StoredStrings, stored_strings, texts_of
from matlens.columns.buffers import MAX_OFFSET, number_array, string_array, text_array
from matlens.formats.ragged import counts_to_offsets, units_to_utf8


def item_type(class_names: set[str]) -> pa.DataType | None:
    """Arrow type of single elements of objects that stand inside structs and cells; None for classes without one."""
    if len(class_names) != 1:
        return None
    (name,) = class_names
    types = {
        "string": pa.string(),
        "categorical": pa.string(),
        "datetime": pa.timestamp("us"),
        "duration": pa.duration("us"),
    }
    return types.get(name)


def items_of(value: Any) -> list[Any]:
    """Elements of an array of these classes, in column-major order."""
    if value is None or isinstance(value, str):
        return [value]
    if hasattr(value, "categories"):
        return [None if code < 0 else value.categories[code] for code in value.codes.tolist()]
    flat = np.asarray(value).ravel(order="F")
    return list(flat) if flat.dtype.kind in "mM" else list(flat.tolist())


def arrow_column(class_name: str, properties: Mapping[str, Any]) -> pa.Array:
    """The elements of an array of one of `COLUMN_CLASSES`, in column-major order.

    `properties` are those of the object, in the form of `scipy.io.loadmat`.

    Examples
    --------
    >>> arrow_column("duration", {"millis": np.array([[1.5, 2.0]])}).type
    DurationType(duration[us])
    """
    if class_name == "string" and "any" in properties:
        return _string_column(stored_strings(properties["any"]))
    if class_name == "categorical":
        places, names, is_ordinal = convert(class_name, properties, category_parts)
        flat = places.ravel(order="F").astype(np.int32)
        codes = number_array(np.maximum(flat, 0), flat < 0)
        return pa.DictionaryArray.from_arrays(codes, text_array(names), ordered=is_ordinal)
    flat = np.asarray(convert(class_name, properties)).ravel(order="F")
    if class_name == "datetime":
        zone = texts_of(properties["tz"]) if "tz" in properties else []
        return number_array(flat).view(pa.timestamp("us", tz=zone[0] if zone and zone[0] else None))
    if class_name == "duration":
        return number_array(flat)
    parts = [number_array(flat[name]) for name in ("months", "days", "time")]
    return pa.StructArray.from_arrays(parts, ["months", "days", "time"])


def _string_column(strings: StoredStrings) -> pa.Array:
    """Texts in column-major order; halves of a letter become U+FFFD, as UTF-8 cannot hold them."""
    data, offsets = units_to_utf8(strings.units, counts_to_offsets(np.diff(strings.ends, prepend=0)))
    return string_array(data, offsets, len(data) > MAX_OFFSET, strings.is_missing)
