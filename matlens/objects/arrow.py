"""Arrow columns of objects: an element for each string, point in time, category …"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from matlens.objects.instances import convert
from matlens.objects.text import stored_strings, texts_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COLUMN_CLASSES", "arrow_column", "is_undecoded", "item_type", "items_of"]

COLUMN_CLASSES = frozenset(("string", "datetime", "duration", "categorical", "calendarDuration"))
"""Classes whose arrays are columns of single values."""


def item_type(class_names: set[str]) -> pa.DataType | None:
    """Arrow type of single elements of objects that stand inside structs and cells; None for classes without one."""
    import pyarrow as pa

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


def is_undecoded(value: Any) -> bool:
    """Whether an object is no more than its reference, in the form of `scipy.io.loadmat`."""
    return type(value).__name__ == "MatlabOpaque"


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

    Parameters
    ----------
    class_name : str
    properties : mapping
        Of the object, in the form of `scipy.io.loadmat`.

    Raises
    ------
    CorruptFile
        If a property is missing, or does not fit.

    Examples
    --------
    >>> arrow_column("duration", {"millis": np.array([[1.5, 2.0]])}).type
    DurationType(duration[us])
    """
    import pyarrow as pa

    if class_name == "string" and "any" in properties:
        return stored_strings(properties["any"]).to_arrow()
    value = convert(class_name, properties)
    if class_name == "categorical":
        flat = value if hasattr(value, "categories") else value.ravel(order="F").tolist()
        return pa.array(flat, pa.dictionary(pa.int32(), pa.string()))
    flat = np.asarray(value).ravel(order="F")
    if class_name == "datetime":
        zone = texts_of(properties["tz"]) if "tz" in properties else []
        return pa.array(flat, pa.timestamp("us", tz=zone[0] if zone and zone[0] else None))
    if class_name == "duration":
        return pa.array(flat, pa.duration("us"))
    parts = [pa.array(np.ascontiguousarray(flat[name])) for name in ("months", "days", "time")]
    return pa.StructArray.from_arrays(parts, ["months", "days", "time"])
