"""How the rows and columns of a grid are arranged: filtered, sorted, hidden, moved, derived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matlens.columns.expressions import Expression, parse, parse_assignment
from matlens.escape import safe_text, shorten
from matlens.formats.records import Int64s
from matlens.tree.nodes.node import Node
from matlens.tui.model.cells import Cell, Grid, sortable_values, value_cell

if TYPE_CHECKING:
    import pyarrow as pa

_MANY_COLUMNS = 100_000
"""Columns of wider grids are neither hidden nor moved."""
_CHIP = 60


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What was asked of a grid; `rows_of` and `extended` carry it out.

    Columns count from 0 and are those of the grid, then the derived ones. `columns` are the
    shown ones from left to right, None for all; the first `frozen` stay in view.
    """

    filters: tuple[str, ...] = ()
    sort_keys: tuple[tuple[int, bool], ...] = ()
    derived: tuple[str, ...] = ()
    columns: tuple[int, ...] | None = None
    frozen: int = 0

    def filtered(self, text: str) -> Arrangement:
        """With one more filter, or as it is where the filter is there already."""
        return self if text in self.filters else replace(self, filters=(*self.filters, text))

    def sorted(self, column: int, *, more: bool) -> Arrangement:
        """Sorted by a column; again for the other direction; `more` keeps the keys before it.

        Examples
        --------
        >>> once = Arrangement().sorted(2, more=False)
        >>> once.sorted(2, more=False).sort_keys, once.sorted(1, more=True).sort_keys
        (((2, True),), ((2, False), (1, False)))
        """
        known = dict(self.sort_keys)
        kept = [key for key in self.sort_keys if key[0] != column] if more else []
        return replace(self, sort_keys=(*kept, (column, not known[column] if column in known else False)))

    def hidden(self, seen: int, count: int) -> Arrangement:
        """Without the column that is seen at a place, of `count` columns; the last one stays."""
        shown = self._listed(count)
        if len(shown) < 2:
            return self
        frozen = self.frozen - (seen < self.frozen)
        return replace(self, columns=(*shown[:seen], *shown[seen + 1 :]), frozen=frozen)

    def moved(self, seen: int, by: int, count: int) -> Arrangement:
        """With the column that is seen at a place moved `by` places; as it is at the edge.

        Examples
        --------
        >>> Arrangement().moved(0, 1, 3).columns, Arrangement().moved(0, -1, 3).columns
        ((1, 0, 2), None)
        """
        shown, target = list(self._listed(count)), seen + by
        if not 0 <= target < len(shown) or len(shown) < 2:
            return self
        shown.insert(target, shown.pop(seen))
        return replace(self, columns=tuple(shown))

    def _listed(self, count: int) -> tuple[int, ...]:
        if self.columns is not None:
            return self.columns
        return tuple(range(count)) if count <= _MANY_COLUMNS else ()

    def text(self) -> str:
        """Filters and derived columns as chips in one line, escaped."""
        chips = [shorten(safe_text(text), _CHIP) for text in (*self.filters, *self.derived)]
        return "  ".join(f"[{chip}]" for chip in chips)

    def extended(self, grid: Grid) -> Grid:
        """The grid with its derived columns.

        Raises
        ------
        ExpressionError
            If an expression is not one, or does not fit the columns.
        """
        for text in self.derived:
            name, expression = parse_assignment(text)
            values = expression.evaluate(columns_of(grid, expression))
            grid = ExtendedGrid(grid, name, values)
        return grid

    def rows_of(self, grid: Grid) -> Int64s | None:
        """Rows of an `extended` grid in the order they are seen; None for all as they are stored.

        Equal rows keep their order; NaN and missing values come last.
        """
        if not self.filters and not self.sort_keys:
            return None
        rows = np.arange(grid.row_count, dtype=np.int64)
        for text in self.filters:
            expression = parse(text)
            mask = expression.mask(columns_of(grid, expression))
            rows = rows[mask[rows]]
        return sorted_rows(grid, rows, self.sort_keys)


def columns_of(grid: Grid, expression: Expression) -> pa.Table:
    """The columns of a grid that an expression needs; of columns of equal names, the first is meant."""
    import pyarrow as pa

    places: dict[str, int] = {}
    for column in range(min(grid.column_count, _MANY_COLUMNS)):
        places.setdefault(grid.column_name(column), column)
    needed = expression.columns(list(places))
    if not needed:
        return pa.table({"": pa.nulls(grid.row_count)})
    return pa.table({name: grid.column_arrow(places[name]) for name in needed})


def sorted_rows(grid: Grid, rows: Int64s, keys: Sequence[tuple[int, bool]]) -> Int64s:
    """Some rows in the order of several columns, the first key first; True sorts downwards."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not keys:
        return rows
    columns: dict[str, Any] = {}
    order: list[tuple[str, str]] = []
    for k, (column, is_descending) in enumerate(keys):
        for j, part in enumerate(_comparable(grid.column_arrow(column))):
            columns[f"{k}.{j}"] = part
            order.append((f"{k}.{j}", "descending" if is_descending else "ascending"))
    table = pa.table(columns)
    whole = len(rows) == grid.row_count
    found = pc.sort_indices(table if whole else table.take(pa.array(rows)), sort_keys=order)
    return np.asarray(rows[found.to_numpy()], np.int64)


def _comparable(values: pa.ChunkedArray) -> list[pa.ChunkedArray]:
    """Columns that sort as one does: both parts of complex numbers, the texts of nested values."""
    import pyarrow as pa

    kind = values.type
    if pa.types.is_struct(kind) and [field.name for field in kind] == ["real", "imag"]:
        flat = values.combine_chunks()
        return [pa.chunked_array([part]) for part in flat.flatten()]
    if pa.types.is_dictionary(kind):
        return [values.cast(kind.value_type)]
    if pa.types.is_null(kind):
        return [values.cast("int8")]
    if pa.types.is_nested(kind):
        texts = [None if value is None else str(value) for value in values.to_pylist()]
        return [pa.chunked_array([pa.array(texts, pa.string())])]
    return [values]


class ExtendedGrid(Grid):
    """A grid with one more column, after its others."""

    def __init__(self, grid: Grid, name: str, values: Any) -> None:
        import pyarrow as pa

        self.grid, self._name = grid, name
        self._values = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])
        self.row_count, self.column_count = grid.row_count, grid.column_count + 1

    def is_own(self, column: int) -> bool:
        """Whether a column is the one that was added."""
        return column == self.grid.column_count

    def column_label(self, column: int, base: int) -> str:
        return shorten(safe_text(self._name), 40) if self.is_own(column) else self.grid.column_label(column, base)

    def column_name(self, column: int) -> str:
        return self._name if self.is_own(column) else self.grid.column_name(column)

    def row_label(self, row: int, base: int) -> str:
        return self.grid.row_label(row, base)

    def cells(self, rows: Sequence[int], columns: Sequence[int]) -> list[list[Cell]]:
        inner = iter(self.grid.cells(rows, [column for column in columns if not self.is_own(column)]))
        own = self._values.take(np.asarray(rows, np.int64)).to_pylist() if len(rows) else []
        lines = []
        for k, line in enumerate(inner):
            cells = iter(line)
            lines.append([value_cell(own[k]) if self.is_own(column) else next(cells) for column in columns])
        return lines

    def node_at(self, row: int, column: int) -> Node | None:
        return None if self.is_own(column) else self.grid.node_at(row, column)

    def column_arrow(self, column: int) -> pa.ChunkedArray:
        return self._values if self.is_own(column) else self.grid.column_arrow(column)

    def column_values(self, column: int) -> NDArray[Any]:
        return sortable_values(self._values) if self.is_own(column) else self.grid.column_values(column)
