"""Nodes without nodes below them: numbers, text, sparse matrices, handles, objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from matlens.formats.dtypes import target_dtype
from matlens.formats.ragged import decode_rows
from matlens.tree.nodes.node import Node
from matlens.values.kinds import char_values, number_arrays, sparse_arrays
from matlens.values.loadmat_form import function_texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matlens.columns.stored_tables import StoredTable
    from matlens.values.windows import MemoryArray, StoredArray

__all__ = ["CharNode", "DamagedNode", "FunctionNode", "NumericNode", "SparseNode"]

LARGE = 1 << 17
"""Arrays of fewer numbers are read whole when a part is wanted."""


class NumericNode(Node):
    """Numbers or logicals, real or complex."""

    kind = "numeric"

    @property
    def dtype(self) -> Any:
        """NumPy dtype of the value."""
        return target_dtype(self._headers)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.value, dtype, copy=copy)

    def _value(self) -> Any:
        part = self._window()
        return self._pick(number_arrays(self._owner.reader, self._headers)[0]) if part is None else part

    def _window(self) -> Any:
        """The selected values of a large array, from the part of it that holds them; None for all others."""
        axes = self._selection.axes if self._selection else None
        if axes is None or self._headers.numel[0] < LARGE or not self.numel:
            return None
        spans = [int(positions.max()) - int(positions.min()) + 1 for positions in axes]
        dims = self._headers.shape(0)
        axis = min(range(len(dims)), key=lambda k: spans[k] / dims[k])
        start = int(axes[axis].min())
        part = self._owner.reader.window(self._headers, axis, start, start + spans[axis])
        if part is None:
            return None
        inside = [positions - start if k == axis else positions for k, positions in enumerate(axes)]
        return part[np.ix_(*inside)]

    def pieces(self) -> Iterator[Any]:
        """The array in pieces of bounded size, one after another in column-major order."""
        from matlens.values.windows import pieces

        found = pieces(self._array())
        while True:
            with self._reading():
                _, (piece,) = next(found, (0, [None]))
            if piece is None:
                return
            yield piece

    def _array(self) -> StoredArray | MemoryArray:
        from matlens.values.windows import MemoryArray, StoredArray

        if self._selection is not None:
            return MemoryArray(self._value())
        return StoredArray(self._owner.reader, self._headers)

    def column(self) -> StoredTable:
        """A vector as a column of numbers, a matrix as a column of its rows."""
        from matlens.columns.stored_tables import ArrayTable

        is_vector = max(self.dims) == self.numel
        axis = int(np.argmax(self.dims)) if is_vector else 0
        return ArrayTable(self._array(), self.name or "value", axis, nested=not is_vector)

    def _source(self, axis: int | None, names: Sequence[str] | None) -> StoredTable:
        from matlens.columns.stored_tables import ArrayTable

        return ArrayTable(self._array(), self.name or "value", axis, names)

    def _preview(self, depth: int, width: int) -> str:
        if self.numel == 0:
            return "[]"
        if self.numel > 10_000:
            return ""
        flat = self._value()
        if flat.ndim == 2 and 1 in flat.shape:
            return _number_text(flat.ravel().tolist())
        rows = flat.reshape(flat.shape[0], -1)[:8, :20].tolist()
        return "[" + "; ".join(_number_text(row).strip("[]") for row in rows) + "]"


class CharNode(Node):
    """Text: `value` is a `str` for a row, an array of rows otherwise."""

    kind = "char"

    def _value(self) -> Any:
        if self._selection is None:
            return char_values(self._owner.reader, self._headers)[0]
        units, _ = self._owner.reader.gather(self._headers)
        picked = units[self._selection.linear]
        rows = decode_rows(picked, self.dims) if len(picked) else [""]
        return rows[0] if len(rows) == 1 else np.array(rows)

    def to_numpy(self) -> Any:
        if self._selection is None:
            return super().to_numpy()
        return np.atleast_1d(self.value)

    def _source(self, axis: int | None, names: Sequence[str] | None) -> StoredTable:
        return _text_table(self._value())

    def _preview(self, depth: int, width: int) -> str:
        if self.numel > 1_000_000:
            return ""
        value = self._value()
        return (
            f"'{value}'"
            if isinstance(value, str)
            else "[" + "; ".join(f"'{row}'" for row in value.ravel(order="F")[:5]) + "]"
        )


class SparseNode(Node):
    """A sparse matrix: `value` is a `scipy.sparse.csc_array`."""

    kind = "sparse"

    def _value(self) -> Any:
        return self._pick(sparse_arrays(self._owner.reader, self._headers)[0])

    def _source(self, axis: int | None, names: Sequence[str] | None) -> StoredTable:
        from matlens.columns.stored_tables import triplet_table

        return triplet_table(self._value())

    def _pick(self, value: Any) -> Any:
        if self._selection is None:
            return value
        from scipy.sparse import coo_array

        # SciPy's own indexing takes memory for every row that there could be.
        coo, rows = value.tocoo(), self._headers.shape(0)[0]
        if not coo.nnz:
            return coo_array(self.dims, dtype=value.dtype).tocsc()
        places = coo.row.astype(np.int64) + coo.col.astype(np.int64) * rows
        order, chosen = np.argsort(places), self._selection.linear
        found = order[np.minimum(np.searchsorted(places, chosen, sorter=order), coo.nnz - 1)]
        hits = np.flatnonzero(places[found] == chosen)
        height = max(self.dims[0], 1)
        return coo_array((coo.data[found[hits]], (hits % height, hits // height)), shape=self.dims).tocsc()


class FunctionNode(Node):
    """A function handle: `value` is its text."""

    kind = "function"

    def _value(self) -> str:
        return function_texts(self._owner.reader, self._headers)[0]

    def _source(self, axis: int | None, names: Sequence[str] | None) -> StoredTable:
        return _text_table(self._value())

    def _preview(self, depth: int, width: int) -> str:
        return self._value()


class DamagedNode(Node):
    """A value that cannot be read: `value` raises the reason, or is None where damage is passed over."""

    kind = "damaged"

    @property
    def matlab_class(self) -> str:
        return "unreadable"

    def summary(self) -> str:
        return "unreadable"

    def _value(self) -> Any:
        self._headers.raise_first_error()

    def _source(self, axis: int | None, names: Sequence[str] | None) -> StoredTable:
        self._headers.raise_first_error()
        raise self._headers.errors[0]

    def _preview(self, depth: int, width: int) -> str:
        return self.error.message if self.error else ""


def _text_table(value: Any) -> StoredTable:
    from matlens.columns.stored_tables import text_table

    return text_table([value] if isinstance(value, str) else value.ravel(order="F").tolist())


def _number_text(values: list[Any]) -> str:
    shown = ", ".join(_one_number(v) for v in values[:20])
    if len(values) == 1:
        return shown
    return f"[{shown}{', …' if len(values) > 20 else ''}]"


def _one_number(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float | complex) else str(value)
