"""Reader of what `scipy.io.loadmat` returned, under any of its options.

Positions index a table of Python objects that grows as children are asked for; those of a value stay where they are.
The same reader takes any structured NumPy array, `numpy.void`, mapping or list.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, UnsupportedValue
from matlens.formats.loadmat_output import field_of, fields_of, is_record, kind_of, letters
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.reader import Reader
from matlens.formats.records import (
    CLASS_DTYPES,
    Children,
    Elements,
    Headers,
    Int64s,
    MatlabClass,
    OpaqueValue,
    Triplets,
    Variable,
)
from matlens.formats.sparse import join_triplets
from matlens.limits import Limits

_BY_DTYPE = {dtype: cls for cls, dtype in CLASS_DTYPES.items()}
_NOTHING = object()
_PRIVATE = ("__header__", "__version__", "__globals__", "__function_workspace__")


class LoadmatReader(Reader):
    """Reads a mapping of variables that are in memory already."""

    version = "loadmat"

    def __init__(self, variables: Mapping[str, Any], version: str = version) -> None:
        super().__init__(Limits())
        self.version = version
        header = variables.get("__header__", b"")
        self.header = header.decode("latin-1") if isinstance(header, bytes) else str(header)
        self._globals = set(variables.get("__globals__", ()))
        self._names = [str(name) for name in variables if name not in _PRIVATE]
        self._table: list[Any] = [variables[name] for name in variables if name not in _PRIVATE]
        self._places: dict[int, tuple[int, int]] = {}

    def _release(self) -> None:
        with self._lock:
            self._table = []

    def _find_variables(self) -> list[Variable]:
        found = []
        for i, name in enumerate(self._names):
            elements = Elements(0, np.array([i], np.int64))
            headers = self.headers(elements)
            headers.is_global[0] = name in self._globals
            found.append(Variable(name, elements, headers))
        return found

    def headers(self, elements: Elements) -> Headers:
        table = self._table
        values = [table[i] if 0 <= i < len(table) else _NOTHING for i in elements.positions.tolist()]
        self.stats["python objects"] += len(values)
        headers = Headers.empty(elements, max_ndim=max([2, *(int(getattr(value, "ndim", 0)) + 1 for value in values)]))
        headers.payload[:] = elements.positions
        return self._fill_each(headers, lambda i: _fill(headers, i, values[i]))

    def children(self, headers: Headers, *, keep_damage: bool = False) -> list[Children]:
        headers.raise_first_error()
        by_fields: dict[tuple[str, ...] | None, tuple[list[int], list[int], list[Int64s]]] = {}
        for i, position in enumerate(headers.elements.positions.tolist()):
            fields, records = _records(self._table[position], int(headers.cls[i]))
            parents, counts, positions = by_fields.setdefault(fields, ([], [], []))
            parents.append(i)
            counts.append(int(headers.numel[i]))
            positions.append(self._place(position, records))
        return [
            Children(np.array(parents, np.int64), fields, Elements(0, np.concatenate(parts)), counts_to_offsets(counts))
            for fields, (parents, counts, parts) in by_fields.items()
        ]

    def _place(self, position: int, records: list[Any]) -> Int64s:
        """Positions of the children of a value, the same whenever they are asked for."""
        with self._lock:
            start, count = self._places.get(position, (len(self._table), len(records)))
            if count != len(records):
                start = len(self._table)
            self._places[position] = start, len(records)
            self._table[start : start + len(records)] = records
        return np.arange(start, start + len(records), dtype=np.int64)

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        headers.raise_first_error()
        values = [self._table[i] for i in headers.elements.positions.tolist()]
        if len(headers) and headers.cls[0] == MatlabClass.CHAR:
            parts = [_units(value) for value in values]
        else:
            parts = [np.asarray(value).ravel(order="F") for value in values]
        return np.concatenate(parts or [np.zeros(0)]), counts_to_offsets([len(part) for part in parts])

    def triplets(self, headers: Headers) -> Triplets:
        headers.raise_first_error()
        coo = [_native(self._table[i]).tocsc().tocoo() for i in headers.elements.positions.tolist()]
        return join_triplets([(*(index.astype(np.int64) for index in each.coords), each.data) for each in coo])

    def opaque(self, headers: Headers, i: int) -> OpaqueValue:
        value = self._table[int(headers.elements.positions[i])]
        if getattr(value, "dtype", None) is not None and value.dtype.names:
            record = value.ravel()[0]
            name, system, class_name, reference = (record[field] for field in value.dtype.names)
            return OpaqueValue(_ascii(name), _ascii(system), _ascii(class_name), reference)
        return OpaqueValue("", "", type(value).__name__, None)


def _native(matrix: Any) -> Any:
    """The sparse matrix in native byte order: SciPy loads that of the file, which it cannot convert."""
    if matrix.dtype.isnative:
        return matrix
    matrix = copy(matrix)
    matrix.data = matrix.data.astype(matrix.dtype.newbyteorder("="))
    return matrix


def _ascii(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _dims_of(value: Any) -> tuple[int, ...]:
    """MATLAB dims: scalars are 1x1, vectors without their second dimension are rows."""
    shape = tuple(np.shape(value)) if isinstance(value, np.ndarray | np.generic) else ()
    if len(shape) == 0:
        return (1, 1)
    return (1, shape[0]) if len(shape) == 1 else shape


def _fill(headers: Headers, i: int, value: Any) -> None:
    if value is _NOTHING:
        raise CorruptFile("no value stands here")
    kind = kind_of(value)
    headers.set_dims(i, (1, len(value)) if isinstance(value, list | tuple) else _dims_of(value))
    if kind == "number":
        _fill_number(headers, i, np.asarray(value))
        return
    headers.cls[i] = MatlabClass[kind.upper()]
    if kind == "char":
        headers.set_dims(i, letters(value).shape)
    elif kind == "sparse":
        headers.set_dims(i, tuple(value.shape))
        headers.is_complex[i] = value.dtype.kind == "c"
        headers.is_logical[i] = value.dtype.kind == "b"
    elif kind == "object":
        headers.class_names[i] = str(value.classname)
    elif kind in ("function", "opaque"):
        headers.set_dims(i, (1, 1))
    if kind == "opaque":
        headers.class_names[i] = _ascii(value.ravel()[0][2]) if value.dtype.names else "unknown"


def _fill_number(headers: Headers, i: int, array: NDArray[Any]) -> None:
    dtype = array.dtype.newbyteorder("=")
    headers.is_logical[i] = dtype.kind == "b"
    headers.is_complex[i] = dtype.kind == "c"
    if dtype.kind == "c":
        headers.cls[i] = MatlabClass.SINGLE if dtype.itemsize == 8 else MatlabClass.DOUBLE
    elif dtype.kind == "b":
        headers.cls[i] = MatlabClass.UINT8
    elif dtype in _BY_DTYPE:
        headers.cls[i] = _BY_DTYPE[dtype]
    else:
        raise UnsupportedValue(f"NumPy dtype {array.dtype} has no MATLAB class")


def _records(value: Any, cls: int) -> tuple[tuple[str, ...] | None, list[Any]]:
    """Field names, and the values of all records in column-major order."""
    if cls == MatlabClass.FUNCTION:
        return None, [np.asarray(value)]
    if cls == MatlabClass.CELL:
        return None, list(value) if isinstance(value, list | tuple) else list(value.ravel(order="F"))
    fields = fields_of(value)
    if is_record(value):
        return fields, [field_of(value, name) for name in fields]
    records = np.asarray(value).ravel(order="F")
    return fields, [field_of(record, name) for record in records for name in fields]


def _units(value: Any) -> NDArray[Any]:
    """Code points of a text value, column-major."""
    array = letters(value)
    if array.size == 0:
        return np.zeros(0, np.uint16)
    return np.asarray(np.ascontiguousarray(array.T).view(np.uint32).ravel())
