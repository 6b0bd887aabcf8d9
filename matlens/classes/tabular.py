"""Tables and timetables as pandas frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from matlens.classes.strings import texts_of
from matlens.errors import CorruptFile, LimitExceeded
from matlens.limits import Limits

if TYPE_CHECKING:
    import pandas as pd


class TableParts(NamedTuple):
    """What a table is made of, whatever class and version stored it.

    `units` and `descriptions` hold one text for each variable or none at all; `rows` are names or times, and
    `row_label` is what the table calls them.
    """

    names: list[str]
    columns: Any
    row_count: int
    rows: Any
    row_label: str
    units: list[str]
    descriptions: list[str]


def table_parts(properties: Mapping[str, Any]) -> TableParts:
    """Parts of a table from its properties."""
    details = _record(properties.get("props"))
    names = texts_of(properties["varnames"])
    columns = np.asarray(properties["data"], object).ravel(order="F")
    rows = texts_of(properties["rownames"]) if "rownames" in properties else []
    label = _first(details.get("DimensionNames"), "Row")
    notes = details.get("VariableUnits"), details.get("VariableDescriptions")
    return _checked(names, columns, properties["nrows"], (rows, label), *notes)


def timetable_parts(properties: Mapping[str, Any]) -> TableParts:
    """Parts of a timetable, which saves itself as one struct."""
    stored = _record(properties["any"])
    names, columns = texts_of(stored["varNames"]), np.asarray(stored["data"], object).ravel(order="F")
    rows = _row_times(stored.get("rowTimes"), getattr(properties, "limits", Limits()))
    label = _first(stored.get("dimNames"), "Time")
    notes = stored.get("varUnits"), stored.get("varDescriptions")
    return _checked(names, columns, stored["numRows"], (rows, label), *notes)


def _first(names: Any, default: str) -> str:
    found = texts_of(names) if names is not None else []
    return found[0] if found else default


def _row_times(stored: Any, limits: Limits) -> Any:
    """Times of the rows: as they are, or evenly spaced from an origin."""
    record = _record(stored)
    if not record:
        return np.asarray(stored).ravel(order="F") if stored is not None else []
    origin, step = (np.asarray(record.get(name)).ravel() for name in ("origin", "stepSize"))
    count = int(np.asarray(record.get("numRows", 0)).ravel()[0]) if "numRows" in record else 0
    if origin.dtype.kind not in "mM" or step.dtype.kind != "m":
        raise CorruptFile("the times of the rows are neither stored nor evenly spaced")
    # They take no room in a file, so that any number may be declared.
    if 8 * count > limits.memory:
        raise LimitExceeded.of(limits, "memory", f"{count} evenly spaced times")
    return origin[0] + step[0] * np.arange(count)


def _checked(
    names: list[str], columns: Any, count: Any, rows: tuple[Any, str], units: Any, descriptions: Any
) -> TableParts:
    if len(names) != len(columns):
        raise CorruptFile(f"{len(names)} names for {len(columns)} variables of a table")
    found = np.asarray(count).ravel()
    if found.dtype.kind not in "iuf" or not len(found):
        raise CorruptFile(f"{found.dtype} as the number of rows of a table")
    row_count = int(found[0])
    texts = [texts_of(part) if part is not None else [] for part in (units, descriptions)]
    return TableParts(names, columns, row_count, *rows, *(part if len(part) == len(names) else [] for part in texts))


def _record(stored: Any) -> dict[str, Any]:
    """Fields of a 1x1 struct."""
    array = np.asarray(stored)
    if array.dtype.names is None or array.size != 1:
        return {}
    return {name: array[name].ravel()[0] for name in array.dtype.names}


def frame(parts: TableParts) -> pd.DataFrame:
    """A pandas frame of a table; units and descriptions are in its ``attrs``.

    Variables of several columns become ``name_1``, ``name_2`` …
    """
    import pandas as pd

    columns: dict[str, Any] = {}
    for name, stored in zip(parts.names, parts.columns, strict=True):
        columns |= _columns(name, stored, parts.row_count)
    index = None
    if len(parts.rows) == parts.row_count and len(parts.rows):
        index = pd.Index(parts.rows, name=parts.row_label)
    result = pd.DataFrame(columns, index=index if index is not None else pd.RangeIndex(parts.row_count))
    for key, texts in (("units", parts.units), ("descriptions", parts.descriptions)):
        if texts:
            result.attrs[key] = dict(zip(parts.names, texts, strict=True))
    return result


def _columns(name: str, stored: Any, count: int) -> dict[str, Any]:
    if hasattr(stored, "columns"):
        return {f"{name}.{inner}": stored[inner].to_numpy() for inner in stored.columns}
    if hasattr(stored, "categories"):
        return {name: stored}
    array = np.asarray(stored)
    if array.dtype.kind == "U" and array.ndim == 1 and len(array) == count:
        return {name: array.astype(object)}
    if array.ndim == 0 or array.shape[0] != count:
        raise CorruptFile(f"variable {name} of a table has dims {array.shape}, the table {count} rows")
    if array.ndim == 2 and array.shape[1] == 1:
        column = array[:, 0]
        return {name: _unboxed(column) if column.dtype == object else column}
    if array.ndim == 2 and array.dtype.kind != "O":
        return {f"{name}_{k + 1}": array[:, k] for k in range(array.shape[1])}
    return {name: [array[k] for k in range(count)]}


def _unboxed(column: Any) -> Any:
    """Cells of texts as texts."""
    cells = column.tolist()
    if np.ndarray not in set(map(type, cells)):
        return column
    for i, item in enumerate(cells):
        if isinstance(item, np.ndarray) and item.dtype.kind == "U" and item.size <= 1:
            cells[i] = str(item.ravel()[0]) if item.size else ""
    return cells
