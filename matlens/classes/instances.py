"""Objects by their class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.classes.maps import dictionary, map_container
from matlens.classes.strings import CategoryArray, category_array, stored_strings
from matlens.classes.time_zones import ZonedTimes, time_zone
from matlens.classes.times import calendar_durations, datetimes, durations
from matlens.errors import CorruptFile


class Instance(dict[str, Any]):
    """An object of a class that is not MATLAB's own: its properties by name.

    `class_name` has namespaces, such as ``TestClasses.BasicClass``.
    """

    def __init__(self, class_name: str) -> None:
        super().__init__()
        self.class_name = class_name

    def __repr__(self) -> str:
        return f"<{self.class_name}: {', '.join(self)}>"


def _category_array(properties: Mapping[str, Any]) -> CategoryArray:
    is_ordinal = bool(np.asarray(properties.get("isOrdinal", False)).any())
    return category_array(properties["codes"], properties["categoryNames"], is_ordinal=is_ordinal)


ARRAYS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "string": lambda properties: stored_strings(properties["any"]).to_numpy(),
    "datetime": lambda properties: ZonedTimes.of(datetimes(properties["data"]), time_zone(properties)),
    "duration": lambda properties: durations(properties["millis"]),
    "calendarDuration": lambda properties: calendar_durations(properties["components"]),
    "categorical": _category_array,
}
"""Classes whose arrays are columns of single values: the array with MATLAB's dims, from its properties.

A categorical array is a `CategoryArray`, any other a NumPy array.
"""
SIZED_BY = {"datetime": "data", "duration": "millis", "categorical": "codes"}
"""The property whose dims are those of the array."""
CONVERTERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {"containers.Map": map_container, "dictionary": dictionary}
"""Other classes whose properties are a value by themselves."""
TABULAR_CLASSES = ("table", "timetable")
KNOWN_CLASSES = frozenset((*ARRAYS, *CONVERTERS, *TABULAR_CLASSES))
"""MATLAB's classes that have a value of their own in Python."""


class MissingValues(np.ndarray[Any, Any]):
    """An object array of None alone: values that are missing, where SciPy would mean structs without fields."""


def natural(array: Any) -> Any:
    """The value that stands for an array of one of `ARRAYS` by itself: a 1x1 string is a text."""
    found = array.natural() if isinstance(array, CategoryArray) else array
    if not isinstance(found, np.ndarray) or found.dtype != object or not found.size:
        return found
    if found.shape == (1, 1):
        return found.item()
    return found.view(MissingValues) if all(item is None for item in found.flat) else found


def convert(
    class_name: str, properties: Mapping[str, Any], converter: Callable[[Mapping[str, Any]], Any] | None = None
) -> Any:
    """The value of an object of one of MATLAB's classes, by `converter` or the one of the class.

    `properties` are in the form of `scipy.io.loadmat` and read at most once each. `CorruptFile` tells that one is
    missing, or does not fit.

    Examples
    --------
    >>> convert("duration", {"millis": np.array([[60000.0]])})
    array([[60000000]], dtype='timedelta64[us]')
    """
    try:
        return (converter or ARRAYS.get(class_name) or CONVERTERS[class_name])(properties)
    except (KeyError, IndexError, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, CorruptFile):
            raise
        raise CorruptFile(f"a {class_name} does not fit its properties: {error}") from None


def members(names: list[str], indices: NDArray[Any]) -> NDArray[np.object_]:
    """Members of an enumeration array by name; `indices` count from 0.

    Examples
    --------
    >>> members(["red", "blue"], np.array([[1, 0]], np.uint32))
    array([['blue', 'red']], dtype=object)
    """
    places = np.asarray(indices).astype(np.int64)
    if places.size and not 0 <= int(places.min()) <= int(places.max()) < len(names):
        raise CorruptFile(f"members up to {int(places.max())} of an enumeration of {len(names)}")
    table = np.array([*names, None], object)
    return table[places]
