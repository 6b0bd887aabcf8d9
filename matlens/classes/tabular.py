"""Tables and timetables: what their properties say, and pandas frames of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from matlens.classes.strings import CategoryArray, texts_of
from matlens.classes.time_zones import ZonedTimes, zone_info
from matlens.errors import CorruptFile
from matlens.names import unique_names

if TYPE_CHECKING:
    import pandas as pd


class _Words(NamedTuple):
    """Names under which a class stores its properties.

    The names of variables and of dimensions stand under several keys, each behind a flag that says whether it counts:
    those longer than 63 letters since R2025a, those that are not identifiers since R2019b, and identifiers in any case.
    """

    variables: tuple[tuple[str, str], ...]
    identifiers: str
    dimensions: tuple[tuple[str, str], ...]
    plain_dimensions: str
    rows: str
    units: str
    descriptions: str
    continuity: str


_TABLE = _Words(
    (("useVariableNames2048", "VariableNames2048"), ("useVariableNamesOriginal", "VariableNamesOriginal")),
    "varnames",
    (("useDimensionNames2048", "DimensionNames2048"), ("useDimensionNamesOriginal", "DimensionNamesOriginal")),
    "DimensionNames",
    "nrows",
    "VariableUnits",
    "VariableDescriptions",
    "VariableContinuity",
)
_TIMETABLE = _Words(
    (("useVarNames2048", "varNames2048"), ("useVarNamesOrig", "varNamesOrig")),
    "varNames",
    (("useDimNames2048", "dimNames2048"), ("useDimNamesOrig", "dimNamesOrig")),
    "dimNames",
    "numRows",
    "varUnits",
    "varDescriptions",
    "varContinuity",
)


class TableParts(NamedTuple):
    """What a table says of itself, whatever class and version stored it.

    `names` are as the user wrote them, `identifiers` what MATLAB made of those that are not identifiers. `units` and
    `descriptions` hold one text for each variable or none at all; `row_label` is the name of the rows' dimension.
    """

    names: list[str]
    identifiers: list[str]
    row_count: int
    dimensions: list[str]
    units: list[str]
    descriptions: list[str]
    continuity: list[str]
    description: str

    @property
    def row_label(self) -> str:
        return self.dimensions[0]

    def about(self) -> dict[str, Any]:
        """What is more than names and rows, for the metadata of a table; nothing that is empty."""
        columns: dict[str, dict[str, str]] = {}
        for key, texts in (("unit", self.units), ("description", self.descriptions), ("continuity", self.continuity)):
            for name, text in zip(self.names, texts, strict=False):
                if text:
                    columns.setdefault(name, {})[key] = text
        for name, identifier in zip(self.names, self.identifiers, strict=True):
            if name != identifier:
                columns.setdefault(name, {})["identifier"] = identifier
        found: dict[str, Any] = {"dimensions": self.dimensions}
        return found | ({"description": self.description} if self.description else {}) | {"variables": columns}


def table_parts(properties: Mapping[str, Any], details: Mapping[str, Any]) -> TableParts:
    """Parts of a table from its properties and the record ``props`` among them."""
    return _parts(_TABLE, properties, details, ["Row", "Variables"], details.get("Description"))


def timetable_parts(record: Mapping[str, Any], details: Mapping[str, Any]) -> TableParts:
    """Parts of a timetable from the record that it saves itself as, and ``arrayProps`` among its fields."""
    return _parts(_TIMETABLE, record, record, ["Time", "Variables"], details.get("Description"))


def _parts(
    words: _Words, stored: Mapping[str, Any], details: Mapping[str, Any], dimensions: list[str], description: Any
) -> TableParts:
    identifiers = texts_of(stored[words.identifiers])
    count = len(identifiers)
    found = np.asarray(stored[words.rows]).ravel()
    if found.dtype.kind not in "iuf" or len(found) != 1 or not 0 <= found[0] < 2**53:
        raise CorruptFile(f"{words.rows} of a table is not a count")
    plain = _some_texts(details, words.plain_dimensions, 2) or dimensions
    return TableParts(
        _flagged(details, words.variables, count) or identifiers,
        identifiers,
        int(found[0]),
        _flagged(details, words.dimensions, 2) or plain,
        _some_texts(details, words.units, count),
        _some_texts(details, words.descriptions, count),
        _some_texts(details, words.continuity, count),
        next(iter(texts_of(description) if description is not None else []), ""),
    )


def _flagged(details: Mapping[str, Any], keys: tuple[tuple[str, str], ...], count: int) -> list[str]:
    """Texts under the first key whose flag is set."""
    for flag, key in keys:
        if flag in details and np.asarray(details[flag]).any():
            texts = _some_texts(details, key, count)
            if texts:
                return texts
    return []


def _some_texts(details: Mapping[str, Any], key: str, count: int) -> list[str]:
    """As many texts as are expected, or none."""
    if key not in details:
        return []
    try:
        texts = texts_of(details[key])
    except CorruptFile:
        # The continuity of variables is an enumeration in some versions, and empty in most files.
        return []
    return texts if len(texts) == count else []


def frame(parts: TableParts, variables: Sequence[Any], rows: Any) -> pd.DataFrame:
    """Make a pandas frame of a table, with what it says of itself in ``attrs``.

    Variables of several columns become ``name_1``, ``name_2`` …, nested tables ``name.inner``; names that this gives
    twice are made unique.

    Parameters
    ----------
    parts : TableParts
    variables : sequence
        Arrays of MATLAB's dims, `CategoryArray`, or frames; None for what has no value for each row.
    rows : sequence or None
        Names or times of the rows, which become the index.
    """
    import pandas as pd

    found = [_columns(name, stored, parts.row_count) for name, stored in zip(parts.names, variables, strict=True)]
    columns = [column for group in found for _, column in group]
    # A variable keeps its name, whatever the columns of another are called.
    kept = [name for name, group in zip(parts.names, found, strict=True) if _is_alone(name, group)]
    others = [
        label
        for name, group in zip(parts.names, found, strict=True)
        if not _is_alone(name, group)
        for label, _ in group
    ]
    made = iter(unique_names([*kept, *others])[len(kept) :])
    names = [
        label
        for name, group in zip(parts.names, found, strict=True)
        for label in ([name] if _is_alone(name, group) else [next(made) for _ in group])
    ]
    rows = _zoned(rows) if isinstance(rows, ZonedTimes) else rows
    index = pd.RangeIndex(parts.row_count) if rows is None else pd.Index(rows, name=parts.row_label)
    result = pd.DataFrame({k: _series(column, index) for k, column in enumerate(columns)}, index=index)
    result.columns = pd.Index(names, dtype=object)
    for key, texts in (("units", parts.units), ("descriptions", parts.descriptions)):
        if texts:
            result.attrs[key] = dict(zip(parts.names, texts, strict=True))
    if parts.description:
        result.attrs["description"] = parts.description
    return result


def _series(column: Any, index: Any) -> Any:
    """A column whose texts and missing values stay as they are."""
    import pandas as pd

    return pd.Series(column, index=index, dtype=object) if getattr(column, "dtype", "") == "object" else column


def _is_alone(name: str, group: list[tuple[str, Any]]) -> bool:
    """Whether a variable is one column of its name."""
    return [label for label, _ in group] == [name]


def _columns(name: str, stored: Any, count: int) -> list[tuple[str, Any]]:
    """Names and values of the columns of one variable."""
    import pandas as pd

    if stored is None:
        return [(name, np.full(count, None, object))]
    if isinstance(stored, pd.DataFrame):
        rows = [] if stored.index.name is None else [(f"{name}.{stored.index.name}", stored.index.array)]
        return rows + [(f"{name}.{inner}", stored[inner].array) for inner in stored.columns]
    if isinstance(stored, CategoryArray):
        parts = [stored.column(k) for k in range(stored.places.shape[1])]
    else:
        array = np.asanyarray(stored)
        if array.ndim > 2:
            array = array.reshape(len(array), math.prod(array.shape[1:]))
        if array.ndim != 2 or array.shape[0] != count:
            raise CorruptFile(f"variable {name} of a table has dims {array.shape}, the table {count} rows")
        parts = [_column(array[:, k]) for k in range(array.shape[1])]
    return [(name if len(parts) == 1 else f"{name}_{k + 1}", part) for k, part in enumerate(parts)]


def _column(column: Any) -> Any:
    """Cells of texts as texts, records as dictionaries, times with their zone."""
    if isinstance(column, ZonedTimes):
        return _zoned(column)
    if column.dtype != object and column.dtype.names is None:
        return column
    if column.dtype.names is not None:
        cells: list[Any] = [{name: record[name] for name in column.dtype.names} for record in column]
    else:
        cells = column.tolist()
    for i, item in enumerate(cells):
        if isinstance(item, np.ndarray) and item.dtype.kind == "U" and item.size <= 1:
            cells[i] = str(item.ravel()[0]) if item.size else ""
    array = np.empty(len(cells), object)
    for i, item in enumerate(cells):
        array[i] = item
    return array


def _zoned(times: ZonedTimes) -> pd.DatetimeIndex:
    """Times of one column with their zone; in UTC where it is not known."""
    import pandas as pd

    return pd.DatetimeIndex(np.asarray(times)).tz_localize("UTC").tz_convert(zone_info(times.zone) or "UTC")
