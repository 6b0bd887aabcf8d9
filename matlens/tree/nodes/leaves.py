"""Nodes without nodes below them: numbers, text, sparse matrices, handles, objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from matlens.columns.unify import Rows
from matlens.errors import LimitExceeded, TypeMismatch
from matlens.formats.dtypes import target_dtype
from matlens.formats.ragged import decode_rows
from matlens.tree.nodes.node import Node
from matlens.tree.paths import is_vector
from matlens.values.kinds import char_values, number_arrays, sparse_arrays
from matlens.values.loadmat_form import LoadmatOptions

if TYPE_CHECKING:
    from matlens.columns.stored_tables import StoredTable
    from matlens.values.windows import MemoryArray, StoredArray

LARGE = 1 << 13
"""Arrays of fewer numbers are read whole when a part is wanted."""


class NumericNode(Node):
    """Numbers or logicals, real or complex."""

    kind = "numeric"

    @property
    def dtype(self) -> Any:
        """NumPy dtype of the value."""
        return target_dtype(self._headers)

    def _as_array(self) -> Any:
        return self.value

    def _decoded(self, options: LoadmatOptions) -> Any:
        return self._value() if self._selection else super()._decoded(options)

    def _scalar(self, wanted: str) -> Any:
        """The only number."""
        if self.numel != 1:
            text = f"only an array of one number can become {wanted}, this is {self.summary()}"
            raise TypeMismatch(text, variable=self.path)
        return self.value.item()

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise TypeMismatch(f"an index is an integer, this is {self.summary()}: use int()", variable=self.path)
        return int(self._scalar("an index"))

    def _value(self) -> Any:
        if self._selection is None:
            return number_arrays(self._owner._reader, self._headers)[0]
        return _selected(self).astype(self.dtype, copy=False)

    def _pieces(self) -> Iterator[Any]:
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
        return StoredArray(self._owner._reader, self._headers)

    @property
    def _column_length(self) -> int | None:
        return self.numel if is_vector(self.dims) and self.numel > 1 else None

    def _column(self) -> StoredTable:
        """A vector as a column of numbers, a matrix as a column of its rows."""
        from matlens.columns.array_tables import ArrayTable

        is_vector = max(self.dims) == self.numel
        axis = int(np.argmax(self.dims)) if is_vector else 0
        name = self.name or "value"
        return ArrayTable(self._array(), name, axis, [name] if is_vector else None, nested=not is_vector)

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        from matlens.columns.array_tables import ArrayTable

        if axis is None and rows == Rows.RECORDS:
            axis = 0
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
            return char_values(self._owner._reader, self._headers)[0]
        picked = _selected(self).ravel(order="F")
        rows = decode_rows(picked, self.dims) if len(picked) else [""]
        return rows[0] if len(rows) == 1 else np.array(rows)

    def _decoded(self, options: LoadmatOptions) -> Any:
        return super()._decoded(options) if self._selection is None else np.atleast_1d(self._value())

    @property
    def _column_length(self) -> int | None:
        """The rows of a char matrix count as its elements."""
        return self.dims[0] if len(self.dims) == 2 and self.dims[0] > 1 else None

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
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

    def _as_array(self) -> Any:
        value, limits = self.value, self._owner._reader.limits
        nbytes = self.numel * value.dtype.itemsize
        if nbytes > limits.memory:
            with self._guarded():
                raise LimitExceeded.of(limits, "memory", f"{nbytes} bytes in its full form")
        return value.toarray(order="F")

    def _value(self) -> Any:
        return self._pick(sparse_arrays(self._owner._reader, self._headers)[0])

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        from matlens.columns.array_tables import triplet_table

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


class DamagedNode(Node):
    """A value that cannot be read: `value` raises the reason, or is None where damage is passed over."""

    kind = "damaged"

    @property
    def matlab_class(self) -> str:
        return "unreadable"

    def summary(self) -> str:
        return "unreadable"

    @property
    def dims(self) -> tuple[int, ...]:
        with self._guarded():
            self._headers.raise_first_error()
        return self._headers.shape(0)

    @property
    def nbytes(self) -> int:
        return int(self._headers.nbytes[0])

    def _value(self) -> Any:
        self._headers.raise_first_error()

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        self._headers.raise_first_error()
        raise self._headers.errors[0]

    def _preview(self, depth: int, width: int) -> str:
        return self.error.message if self.error else ""


def _selected(node: Node) -> Any:
    """The picked numbers or code units of an array, as stored, from the part of it that holds them."""
    headers, reader = node._headers, node._owner._reader
    assert node._selection is not None
    dims = headers.shape(0)
    places, is_grid = node._selection.places(dims)
    part, axis, start = None, 0, 0
    if node.numel and headers.numel[0] >= LARGE:
        spans = [(int(each.min()), int(each.max()) + 1) for each in places]
        axis = min(range(len(dims)), key=lambda k: (spans[k][1] - spans[k][0]) / dims[k])
        start, stop = spans[axis]
        part = reader.window(headers, axis, start, stop)
    if part is None:
        part, start = number_arrays(reader, headers, as_stored=True)[0], 0
    inside = [each - start if k == axis else each for k, each in enumerate(places)]
    return part[np.ix_(*inside) if is_grid else tuple(inside)].reshape(node.dims, order="F")


def _text_table(value: Any) -> StoredTable:
    from matlens.columns.array_tables import text_table

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
