"""Values that no column type holds, as JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from matlens.columns.buffers import text_array
from matlens.escape import json_default
from matlens.values.plain import json_safe


def json_texts(values: Iterable[Any]) -> pa.Array:
    """Each value, of builtin types, as JSON text; None stays null.

    Examples
    --------
    >>> json_texts([{"a": [1, 2.5]}, None, "x"]).to_pylist()
    ['{"a": [1, 2.5]}', None, '"x"']
    """
    return text_array([None if value is None else json_text(value) for value in values])


def json_text(value: Any) -> str:
    """A value of builtin types as JSON text."""
    return json.dumps(json_safe(value), ensure_ascii=False, default=json_default)
