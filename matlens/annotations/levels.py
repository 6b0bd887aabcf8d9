"""Records at every depth: what one row of a struct array, or one entry of a cell, has beside it.

A level is a table of Arrow columns of equal length. A list column opens a level below,
whose records point to their parent, so that names found above can be carried down.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from matlens.columns.buffers import number_array, numbers_of, scalar
from matlens.formats.records import Int64s

Paths = Callable[[str, Int64s], pa.Array]
"""MATLAB paths, as Arrow strings, of a column's values at some records; of the records themselves for ``""``."""


@dataclass(slots=True)
class Level:
    """n records: their columns, how their paths are written, the level above, and the convention of boxes if known."""

    size: int
    columns: dict[str, pa.Array]
    paths: Paths
    parent: Level | None = None
    parent_index: Int64s = field(default_factory=lambda: np.zeros(0, np.int64))
    convention: str | None = None

    def column(self, name: str) -> pa.Array:
        """A column of this level, or of one above carried down to its records."""
        if name in self.columns or self.parent is None:
            return self.columns[name]
        return self.parent.column(name).take(number_array(self.parent_index))

    def names(self) -> list[str]:
        """Names of all columns that `column` finds, own ones first."""
        above = self.parent.names() if self.parent else []
        return [*self.columns, *(name for name in above if name not in self.columns)]


def record_paths(base: str, brackets: str) -> Paths:
    """Paths of the records of a struct array ``base(k)`` or of a cell of structs ``base{k}``."""

    def paths(name: str, index: Int64s) -> pa.Array:
        end = f"{brackets[1]}.{name}" if name else brackets[1]
        return numbered(base + brackets[0], index, end)

    return paths


def numbered(before: str | pa.Array, index: Int64s, after: str) -> pa.Array:
    """Texts with numbers between them, counted from 1.

    Examples
    --------
    >>> numbered("a(", np.array([0, 6]), ").b").to_pylist()
    ['a(1).b', 'a(7).b']
    """
    start = scalar(before) if isinstance(before, str) else before
    numbers = number_array(index + 1).cast(pa.string())
    return pc.binary_join_element_wise(start, numbers, scalar(after), scalar(""))


def struct_columns(columns: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Columns with 1x1 structs opened: the fields of ``a`` become ``a.b``."""
    flat: dict[str, pa.Array] = {}
    for name, array in columns.items():
        if pa.types.is_struct(array.type):
            inner = dict(zip([f.name for f in array.type], array.flatten(), strict=True))
            flat |= struct_columns({f"{name}.{key}": value for key, value in inner.items()})
        else:
            flat[name] = array
    return flat


def list_level(level: Level, name: str) -> Level:
    """The level below a list column: its entries, beside those of lists of the same lengths."""
    counts = _counts(level.columns[name])
    owner = np.repeat(np.arange(level.size, dtype=np.int64), counts)
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    rank = np.arange(len(owner), dtype=np.int64) - starts[owner]
    columns = {
        other: pc.list_flatten(values)
        for other, values in level.columns.items()
        if is_list(values.type) and np.array_equal(_counts(values), counts)
    }
    kinds = {other: values.type for other, values in columns.items()}

    def paths(wanted: str, index: Int64s) -> pa.Array:
        stored = next((other for other in kinds if wanted == other or wanted.startswith(f"{other}.")), name)
        opening, closing = _brackets(kinds[stored])
        parents, where = np.unique(owner[index], return_inverse=True)
        above = pc.binary_join_element_wise(level.paths(stored, parents), scalar(opening), scalar(""))
        return numbered(above.take(number_array(where)), rank[index], closing + wanted[len(stored) :])

    return Level(len(owner), struct_columns(columns), paths, level, owner, level.convention)


def _brackets(kind: Any) -> tuple[str, str]:
    """How MATLAB reaches an entry: a record of a struct array, a row of a matrix, a cell."""
    if pa.types.is_struct(kind):
        return "(", ")"
    if pa.types.is_fixed_size_list(kind):
        return "(", ",:)"
    return ("{", "}") if is_list(kind) or pa.types.is_string(kind) else ("(", ")")


def is_list(kind: Any) -> bool:
    """Whether an Arrow type is a list, of variable or of fixed length."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _counts(array: pa.Array) -> Int64s:
    lengths = pc.list_value_length(array)
    return numbers_of(lengths.fill_null(scalar(0, lengths.type))).astype(np.int64)
