"""What is plotted: columns of a table, one of them for the abscissa, one that tells groups apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.escape import safe_text, shorten
from matlens.tui.model.cells import Grid
from matlens.tui.model.ticks import number_label

PARTS: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "real": np.real,
    "imag": np.imag,
    "abs": np.abs,
    "phase": np.angle,
}
"""Parts of complex numbers, by the names of MATLAB's functions."""
MOST_GROUPS = 9
"""Groups that have a colour of their own."""
REST = "others"
MOST_COLUMNS = 500


@dataclass(frozen=True, slots=True)
class Series:
    """Points in one colour, joined by a line or not."""

    name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: int = 0


class PlotColumns:
    """Columns of a grid by their number, each read once."""

    def __init__(self, grid: Grid, lock: Lock, base: int, read: Mapping[int, NDArray[Any]]) -> None:
        self._grid, self._lock, self._base, self._read = grid, lock, base, dict(read)
        self.labels = [self.label(k) for k in range(min(grid.column_count, MOST_COLUMNS))]
        """Of the columns to choose from."""

    def __len__(self) -> int:
        return len(self.labels)

    def label(self, column: int) -> str:
        return safe_text(self._grid.column_label(column, self._base))

    def values(self, column: int) -> NDArray[Any]:
        """A column as it is stored, numbers or texts; for workers, as it reads."""
        if column not in self._read:
            with self._lock:
                self._read[column] = self._grid.column_values(column)
        return self._read[column]

    def holds_numbers(self, column: int) -> bool:
        return self.values(column).dtype.kind in "biufc"

    def numbers(self, column: int, part: str) -> NDArray[np.float64]:
        """A column as real numbers: of complex ones a part, of texts nothing but gaps."""
        values = self.values(column)
        if values.dtype.kind == "c":
            return np.asarray(PARTS[part](values), np.float64)
        if values.dtype.kind not in "biuf":
            return np.full(len(values), np.nan)
        return values.astype(np.float64)


class OneColumn(PlotColumns):
    """A vector."""

    def __init__(self, name: str, values: NDArray[Any]) -> None:
        self.labels, self._read = [safe_text(name)], {0: values}

    def label(self, column: int) -> str:
        return self.labels[column]

    def values(self, column: int) -> NDArray[Any]:
        return self._read[column]


def groups_of(values: NDArray[Any]) -> list[tuple[str, NDArray[np.bool_]]]:
    """Names of groups, the largest first, and which rows are in each; small ones beyond the ninth are one.

    Examples
    --------
    >>> [(name, rows.tolist()) for name, rows in groups_of(np.array([2.0, 1, 2, np.nan]))]
    [('2', [True, False, True, False]), ('1', [False, True, False, False]), ('NaN', [False, False, False, True])]
    """
    names = np.array([_group_name(value) for value in values.tolist()], np.str_)
    found, first, place, counts = np.unique(names, return_index=True, return_inverse=True, return_counts=True)
    order = sorted(range(len(found)), key=lambda k: (-counts[k], first[k]))
    groups = [(str(found[k]), place == k) for k in order[:MOST_GROUPS]]
    if len(order) > MOST_GROUPS:
        groups.append((REST, np.isin(place, order[MOST_GROUPS:])))
    return groups


def _group_name(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return number_label(float(value))
    return shorten(safe_text(str(value)), 24)


def series_of(
    columns: PlotColumns, chosen: tuple[int, ...], x: int | None, group: int | None, part: str = "real"
) -> list[Series]:
    """The columns that are chosen over the column `x`, or over the numbers of rows; a series for each group."""
    found: list[Series] = []
    for column in chosen:
        y, name = columns.numbers(column, part), columns.label(column)
        along = np.arange(1.0, len(y) + 1) if x is None else columns.numbers(x, part)
        size = min(len(y), len(along))
        y, along = y[:size], along[:size]
        if group is None:
            found.append(Series(name, along, y, len(found)))
            continue
        for value, rows in groups_of(columns.values(group)[:size]):
            title = value if len(chosen) == 1 else f"{name} {value}"
            found.append(Series(title, along[: len(rows)][rows], y[: len(rows)][rows], len(found)))
    return found


def nearest(series: list[Series], x: float) -> list[tuple[str, float, float]]:
    """Name and coordinates of the point of each series that is nearest to `x` along the abscissa.

    Examples
    --------
    >>> nearest([Series("a", np.array([1.0, 2, 3]), np.array([5.0, np.nan, 7]))], 2.2)
    [('a', 3.0, 7.0)]
    """
    found = []
    for each in series:
        known = np.isfinite(each.x) & np.isfinite(each.y)
        if known.any():
            places = np.flatnonzero(known)
            with np.errstate(over="ignore"):
                k = int(places[np.argmin(np.abs(each.x[places] - x))])
            found.append((each.name, float(each.x[k]), float(each.y[k])))
    return found
