"""Values that stand in the metadata of objects, and not in a cell as other properties do.

These are members of enumerations, by name, and whole numbers, whose class is not stored: `Copyable` is 1 for true,
`ScreenResolution` 96. They have positions as every stored value has, which say what they are; one of them stands for
no value at all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile
from matlens.formats.records import Elements, Headers, Int64s, MatlabClass

IN_METADATA = 253
"""How such values are stored, among the ways of each reader."""
NOTHING = -(1 << 62)
"""Position of no value, ``[]``: that of a property which an object does not have."""
_END = NOTHING + (1 << 34)

Names = Callable[[int], str]
"""Gives a name by its number."""


def number_position(value: int) -> int:
    """Position of a whole number of 32 bits."""
    return NOTHING + 1 + 2 * (value & 0xFFFFFFFF)


def name_position(index: int) -> int:
    """Position of a text, the name of that number."""
    return NOTHING + 2 + 2 * index


def in_metadata(positions: Int64s) -> NDArray[np.bool_]:
    """Which positions are those of values in the metadata."""
    return np.asarray(positions < _END)


def metadata_headers(elements: Elements, names: Names) -> Headers:
    """Headers of values in the metadata."""
    headers = Headers.empty(elements)
    headers.storage[:] = IN_METADATA
    for i, position in enumerate(elements.positions.tolist()):
        try:
            value = metadata_value(position, names)
        except CorruptFile as error:
            headers.ok[i], headers.errors[i] = False, error
            continue
        is_text = value.dtype == np.uint16
        headers.set_dims(i, (1, len(value)) if len(value) else (0, 0))
        headers.cls[i] = MatlabClass.CHAR if is_text else MatlabClass.INT32 if len(value) else MatlabClass.DOUBLE
        headers.nbytes[i] = value.nbytes
    return headers


def metadata_value(position: int, names: Names) -> NDArray[Any]:
    """A value in the metadata: an int32, UTF-16 code units of a text, or no number.

    Examples
    --------
    >>> metadata_value(number_position(-1), str), metadata_value(NOTHING, str)
    (array([-1], dtype=int32), array([], dtype=float64))
    """
    if position == NOTHING:
        return np.zeros(0)
    number, is_name = divmod(position - NOTHING - 1, 2)
    if is_name:
        return np.frombuffer(names(number).encode("utf-16-le", "surrogatepass"), np.dtype("<u2")).astype(np.uint16)
    return np.array([number], np.uint32).view(np.int32)
