"""How often each value of a column comes, also of the values inside nested ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matlens.columns.expressions import quoted_name, quoted_text
from matlens.escape import safe_text, shorten
from matlens.tui.model.cells import Cell, Grid, sortable_values, value_cell

if TYPE_CHECKING:
    import pyarrow as pa

_BAR = 20
_NAME = 40


def leaves(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The single values of a column: those inside lists, one after another.

    Examples
    --------
    >>> import pyarrow as pa
    >>> leaves(pa.chunked_array([[["car", "van"], [], ["car"]]])).to_pylist()
    ['car', 'van', 'car']
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    while True:
        kind = values.type
        if pa.types.is_struct(kind) and [field.name for field in kind] == ["data", "shape"]:
            values = pa.chunked_array([chunk.field("data") for chunk in values.chunks], kind.field("data").type)
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            values = pa.chunked_array([pc.list_flatten(chunk) for chunk in values.chunks], kind.value_type)
        else:
            return values


@dataclass(frozen=True, slots=True)
class Frequencies:
    """Different values with their counts, the most frequent first, equal counts by value; and what was counted."""

    name: str
    values: pa.Array
    counts: NDArray[np.int64]
    is_nested: bool

    def filter_text(self, row: int) -> str:
        """The filter that keeps the rows with a value.

        Examples
        --------
        >>> import pyarrow as pa
        >>> frequencies("labels", pa.chunked_array([[["car", "van"], ["car"]]])).filter_text(0)
        'any(labels == "car")'
        """
        text = comparison_text(self.name, self.values[row].as_py())
        return f"any({text})" if self.is_nested else text


def frequencies(name: str, column: pa.ChunkedArray) -> Frequencies:
    """Count the values of a column, NaN and missing ones too.

    Examples
    --------
    >>> import pyarrow as pa
    >>> found = frequencies("label", pa.chunked_array([["b", "a", None, "b"]]))
    >>> found.values.to_pylist(), found.counts.tolist()
    (['b', 'a', None], [2, 1, 1])
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    values = _countable(leaves(column))
    if pa.types.is_floating(values.type) and not values.null_count:
        # Sorted numbers are counted in a third of the time that a table of hashes takes.
        numbers, times = np.unique(values.to_numpy(), return_counts=True)
        order = np.argsort(-times, kind="stable")
        return Frequencies(name, pa.array(numbers[order]), times[order].astype(np.int64), leaves(column) is not column)
    counted = pc.value_counts(values)
    found, counts = counted.field("values"), counted.field("counts")
    order = pc.sort_indices(
        pa.table({"counts": counts, "values": found if not pa.types.is_null(found.type) else counts}),
        sort_keys=[("counts", "descending"), ("values", "ascending")],
    )
    return Frequencies(name, found.take(order), counts.take(order).to_numpy(), leaves(column) is not column)


def _countable(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Values that can be told apart: texts of categories, JSON of structs."""
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        return values.cast(values.type.value_type)
    if pa.types.is_nested(values.type):
        return pa.chunked_array([pa.array([_json(value) for value in values.to_pylist()], pa.string())])
    return values


def aggregates(found: Frequencies, column: pa.ChunkedArray, numbers: pa.ChunkedArray) -> dict[str, pa.ChunkedArray]:
    """Mean, least, greatest and sum of another column for each value of one; a row counts once for each value in it.

    Examples
    --------
    >>> import pyarrow as pa
    >>> labels, areas = pa.chunked_array([[["car", "van"], ["car"]]]), pa.chunked_array([[2.0, 4.0]])
    >>> means = aggregates(frequencies("labels", labels), labels, areas)["mean"]
    >>> means.to_pylist()
    [3.0, 2.0]
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    values = _countable(leaves(column))
    if len(values) != len(column):
        numbers = numbers.take(_rows_of_leaves(column))
    if pa.types.is_boolean(numbers.type):
        numbers = numbers.cast("int8")
    places = pc.index_in(values.combine_chunks(), value_set=found.values)
    functions = ("mean", "min", "max", "sum")
    grouped = (
        pa.table({"place": places, "number": numbers}).group_by("place").aggregate([("number", f) for f in functions])
    )
    grouped = grouped.sort_by("place")
    return {function: grouped.column(f"number_{function}") for function in functions}


def _rows_of_leaves(column: pa.ChunkedArray) -> pa.Array:
    """The row that each of the `leaves` of a column is of."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = column.combine_chunks()
    rows = pa.array(np.arange(len(array)))
    while True:
        kind = array.type
        if pa.types.is_struct(kind) and "data" in [field.name for field in kind]:
            array = array.field("data")
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
            rows, array = rows.take(pc.list_parent_indices(array)), pc.list_flatten(array)
        else:
            return rows


def _json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, default=str)


def comparison_text(name: str, value: Any) -> str:
    """The expression that is true where a column has a value.

    Examples
    --------
    >>> comparison_text("label", 'a "b"'), comparison_text("my score", 0.5), comparison_text("x", None)
    ('label == "a \\\\"b\\\\""', '`my score` == 0.5', 'ismissing(x)')
    """
    column = quoted_name(name)
    if value is None or value != value:
        return f"ismissing({column})"
    if isinstance(value, bool):
        return f"{column} == {str(value).lower()}"
    if isinstance(value, int | float):
        return f"{column} == {value!r}"
    return f"{column} == {quoted_text(str(value))}"


class FrequencyGrid(Grid):
    """A row for each different value: the value, its count, its share, and a bar."""

    LABELS = ("value", "count", "percent", "bar")

    def __init__(self, found: Frequencies) -> None:
        self.found = found
        self.row_count, self.column_count = len(found.counts), len(self.LABELS)
        self._total = max(int(found.counts.sum()), 1)
        self._most = max(int(found.counts.max(initial=0)), 1)

    def column_label(self, column: int, base: int) -> str:
        return shorten(safe_text(self.found.name), _NAME) if column == 0 else self.LABELS[column]

    def column_name(self, column: int) -> str:
        return self.LABELS[column]

    def cells(self, rows: Sequence[int], columns: Sequence[int]) -> list[list[Cell]]:
        return [[self._cell(row, column) for column in columns] for row in rows]

    def _cell(self, row: int, column: int) -> Cell:
        if column == 0:
            cell = value_cell(self.found.values[row].as_py())
            return cell if cell.text else Cell("(missing)" if self.found.values[row].as_py() is None else "(empty)")
        count = int(self.found.counts[row])
        if column == 1:
            return Cell(f"{count:,}", True)
        if column == 2:
            return Cell(f"{100 * count / self._total:.1f}", True)
        return Cell("█" * max(1, round(_BAR * count / self._most)))

    def column_arrow(self, column: int) -> pa.ChunkedArray:
        import pyarrow as pa

        if column == 0:
            return pa.chunked_array([self.found.values])
        return pa.chunked_array([self.column_values(column)])

    def column_values(self, column: int) -> NDArray[Any]:
        if column == 0:
            import pyarrow as pa

            return sortable_values(pa.chunked_array([self.found.values]))
        counts = self.found.counts
        return counts if column != 2 else 100 * counts / self._total
