"""containers.Map and dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from matlens.classes.strings import texts_of
from matlens.errors import CorruptFile


def map_container(properties: Mapping[str, Any]) -> dict[Any, Any]:
    """Keys and values of a containers.Map."""
    stored = np.asarray(properties.get("serialization"))
    if stored.dtype.names is None or stored.size != 1:
        return {}
    record = stored.ravel()[0]
    keys, values = (np.asarray(record[name]).ravel(order="F") for name in ("keys", "values"))
    found = [item_of(key) for key in keys.tolist()]
    if len(found) != len(values):
        raise CorruptFile(f"{len(found)} keys for {len(values)} values of a map")
    return dict(zip(found, [item_of(value) for value in values.tolist()], strict=True))


def dictionary(properties: Mapping[str, Any]) -> Any:
    """Entries of a dictionary: a dict, or pairs where the keys cannot be those of one."""
    stored = np.asarray(properties.get("data"))
    if stored.dtype.names is None or stored.size != 1:
        return {}
    if "Key" not in stored.dtype.names:
        # An empty one may have neither keys nor values.
        return {}
    record = stored.ravel()[0]
    keys, values = items_of(record["Key"]), items_of(record["Value"])
    if len(keys) != len(values):
        raise CorruptFile(f"{len(keys)} keys for {len(values)} values of a dictionary")
    pairs = list(zip(keys, values, strict=True))
    try:
        return dict(pairs)
    except TypeError:
        return pairs


def items_of(stored: Any) -> list[Any]:
    """Elements of an array of keys or values, one or many."""
    if isinstance(stored, str):
        return [stored]
    if isinstance(stored, np.ndarray) and stored.dtype.names is not None:
        return list(stored.ravel(order="F"))
    if hasattr(stored, "tolist"):
        array = np.asarray(stored, None if hasattr(stored, "dtype") else object)
        if array.dtype.kind == "U":
            return texts_of(array)
        return [item_of(item) for item in array.ravel(order="F").tolist()]
    return list(stored) if isinstance(stored, list | tuple) else [stored]


def item_of(value: Any) -> Any:
    """A text or a number that stands alone in its array."""
    if isinstance(value, np.ndarray) and value.size == 1 and value.dtype.names is None:
        return value.ravel()[0].item() if value.dtype != object else value.ravel()[0]
    if isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.size == 0:
        return ""
    return value
