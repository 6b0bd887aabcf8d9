"""Objects by their class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.classes.maps import dictionary, map_container
from matlens.classes.strings import categories, category_places, stored_strings
from matlens.classes.tabular import frame, table_parts, timetable_parts
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


def _categorical(properties: Mapping[str, Any]) -> Any:
    return categories(properties["codes"], properties["categoryNames"], is_ordinal=_is_ordinal(properties))


def _is_ordinal(properties: Mapping[str, Any]) -> bool:
    return bool(np.asarray(properties.get("isOrdinal", False)).any())


def category_parts(properties: Mapping[str, Any]) -> tuple[NDArray[np.int64], list[str], bool]:
    """Places and names of the categories of a categorical array, and whether they are ordered."""
    return *category_places(properties["codes"], properties["categoryNames"]), _is_ordinal(properties)


def _alone(texts: NDArray[Any]) -> Any:
    """A 1x1 string array as a text."""
    return texts.item() if texts.shape == (1, 1) else texts


CONVERTERS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "string": lambda properties: _alone(stored_strings(properties["any"]).to_numpy()),
    "datetime": lambda properties: datetimes(properties["data"]),
    "duration": lambda properties: durations(properties["millis"]),
    "calendarDuration": lambda properties: calendar_durations(properties["components"]),
    "categorical": _categorical,
    "table": lambda properties: frame(table_parts(properties)),
    "timetable": lambda properties: frame(timetable_parts(properties)),
    "containers.Map": map_container,
    "dictionary": dictionary,
}
"""Values of the objects of a class from their properties."""


def convert(
    class_name: str, properties: Mapping[str, Any], converter: Callable[[Mapping[str, Any]], Any] | None = None
) -> Any:
    """The value of an object of one of MATLAB's own classes, by `converter` or the one of the class.

    `properties` are in the form of `scipy.io.loadmat` and read at most once each. `CorruptFile` tells that one is
    missing, or does not fit.

    Examples
    --------
    >>> convert("duration", {"millis": np.array([[60000.0]])})
    array([[60000000]], dtype='timedelta64[us]')
    """
    try:
        return (converter or CONVERTERS[class_name])(properties)
    except (KeyError, IndexError, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, CorruptFile):
            raise
        raise CorruptFile(f"a {class_name} that is not as such are stored: {error}") from None


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


COLUMN_CLASSES = frozenset(("string", "datetime", "duration", "categorical", "calendarDuration"))
"""Classes whose arrays are columns of single values."""
