"""Nodes without nodes below them: numbers, text, sparse matrices, handles, objects."""

from __future__ import annotations

from typing import Any

import numpy as np

from matlens.errors import UnsupportedValue
from matlens.gather import decode_rows
from matlens.nodes.base import Node
from matlens.readers.base import OpaqueValue
from matlens.values import char_values, function_texts, number_arrays, sparse_arrays

__all__ = ["CharNode", "DamagedNode", "FunctionNode", "NumericNode", "OpaqueNode", "SparseNode"]


class NumericNode(Node):
    """Numbers or logicals, real or complex."""

    kind = "numeric"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.value, dtype, copy=copy)

    def _value(self) -> Any:
        return self._pick(number_arrays(self._owner.reader, self._headers)[0])

    def _preview(self, depth: int) -> str:
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

    def _preview(self, depth: int) -> str:
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

    def _pick(self, value: Any) -> Any:
        if self._selection is None:
            return value
        rows, cols = self._headers.shape(0)
        flat = value.reshape((rows * cols, 1), order="F").tocsc()
        return flat[self._selection.linear].reshape(self.dims, order="F").tocsc()


class FunctionNode(Node):
    """A function handle: `value` is its text."""

    kind = "function"

    def _value(self) -> str:
        return function_texts(self._owner.reader, self._headers)[0]

    def _preview(self, depth: int) -> str:
        return self._value()


class OpaqueNode(Node):
    """An object of a MATLAB class whose content is not decoded yet.

    `value` is an `OpaqueValue`: class, type system, and the stored reference.
    """

    kind = "opaque"

    def _value(self) -> OpaqueValue:
        return self._owner.reader.opaque(self._headers, 0)

    def to_python(self) -> Any:
        with self._owner.guard(self):
            raise UnsupportedValue(f"objects of class {self.matlab_class} are not decoded yet")

    def _table(self, about: dict[str, Any]) -> Any:
        return self.to_python()

    def _preview(self, depth: int) -> str:
        return "not decoded yet"


class DamagedNode(Node):
    """A value whose header cannot be read: `value` raises the reason."""

    kind = "damaged"

    @property
    def matlab_class(self) -> str:
        return "unreadable"

    def summary(self) -> str:
        return "unreadable"

    def _value(self) -> Any:
        self._headers.raise_first_error()

    def _preview(self, depth: int) -> str:
        return self.error.message if self.error else ""


def _number_text(values: list[Any]) -> str:
    shown = ", ".join(_one_number(v) for v in values[:20])
    if len(values) == 1:
        return shown
    return f"[{shown}{', …' if len(values) > 20 else ''}]"


def _one_number(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float | complex) else str(value)
