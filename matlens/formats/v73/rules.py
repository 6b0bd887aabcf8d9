"""What both readers of v7.3 files share: words of MATLAB's layout, sparse matrices, references to objects."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile
from matlens.formats.mcos import ObjectTable
from matlens.formats.records import CLASS_DTYPES, OPAQUE_MARK, Elements, Headers, Int64s, MatlabClass, Triplets
from matlens.formats.sparse import check_sparse, join_triplets

__all__ = [
    "ARRAY_OF_STRUCTS",
    "AS_STRUCT",
    "CLASSES",
    "EMPTY",
    "FUNCTION",
    "MAX_REFERENCE",
    "OLD_OBJECT",
    "OPAQUE",
    "REFERENCE_BYTES",
    "Mat73Common",
    "decoded_name",
]

REFERENCE_BYTES = 8
"""What each element of a cell takes in a file."""
EMPTY, ARRAY_OF_STRUCTS = 1, 2
"""Storage of an empty array, and of structs as columns of references."""
AS_STRUCT = 1
"""Segment of function handles and objects that are seen as the struct that their group stores."""
FUNCTION, OLD_OBJECT, OPAQUE = 1, 2, 3
"""Values of ``MATLAB_object_decode``."""
MAX_REFERENCE = 1 << 20
"""More numbers than that are no reference to objects."""
CLASSES = {
    b"cell": MatlabClass.CELL,
    b"struct": MatlabClass.STRUCT,
    b"char": MatlabClass.CHAR,
    b"logical": MatlabClass.UINT8,
    b"canonical empty": MatlabClass.DOUBLE,
    b"function_handle": MatlabClass.FUNCTION,
} | {cls.name.lower().encode(): cls for cls in map(MatlabClass, CLASS_DTYPES)}
"""Classes by ``MATLAB_class``; other names are those of objects."""


def decoded_name(raw: bytes | None) -> str:
    return raw.decode("utf-8", "replace") if raw else "unknown"


class Mat73Common:
    """The part of a reader that follows from its `headers`, `gather` and members of groups."""

    _objects: ObjectTable | None

    def headers(self, elements: Elements) -> Headers:
        raise NotImplementedError

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        raise NotImplementedError

    def _located(self, headers: Headers, i: int) -> AbstractContextManager[None]:
        """Say in errors where the object is."""
        raise NotImplementedError

    def _offset(self, headers: Headers, i: int) -> int:
        raise NotImplementedError

    def _member_address(self, address: int, name: bytes) -> int:
        """Address of a member of the group at `address`."""
        raise NotImplementedError

    @property
    def may_hold_objects(self) -> bool:
        return self._objects is not None

    def single(self, segment: int, position: int, *, as_stored: bool = False) -> None:
        """`headers` serve for single objects, too."""

    def triplets(self, headers: Headers) -> Triplets:
        headers.raise_first_error()
        parts = []
        for i in range(len(headers)):
            with self._located(headers, i):
                parts.append(self._sparse(headers, i))
        return join_triplets(parts)

    def _sparse(self, headers: Headers, i: int) -> tuple[Int64s, Int64s, NDArray[Any]]:
        address = int(headers.elements.positions[i])
        starts = self._member_values(address, b"jc").astype(np.int64)
        row, value = np.zeros(0, np.int64), np.zeros(0)
        if len(starts) and starts[-1]:
            row = self._member_values(address, b"ir").astype(np.int64)
            value = self._member_values(address, b"data")
        parts = [value.real, value.imag] if value.dtype.kind == "c" else [value]
        rows, cols = headers.shape(i)
        return check_sparse(row, starts, parts, rows, cols, bool(headers.is_logical[i]), self._offset(headers, i))

    def _member_values(self, address: int, name: bytes) -> NDArray[Any]:
        """Numbers of a data set in a group."""
        found = self._member_address(address, name)
        stored = self.headers(Elements(0, np.array([found], np.int64)))
        stored.raise_first_error()
        if int(stored.cls[0]) not in CLASS_DTYPES:
            raise CorruptFile(f"{name.decode()} of a sparse matrix holds no numbers")
        return self.gather(stored)[0]

    def _may_refer(self, headers: Headers) -> NDArray[np.bool_]:
        """Columns of uint32 that begin with the mark of references; large ones are taken for numbers."""
        may: NDArray[np.bool_] = (headers.cls == MatlabClass.UINT32) & headers.ok
        may &= (headers.numel >= 6) & (headers.numel < MAX_REFERENCE)
        index = np.flatnonzero(may & (headers.dims[:, 1] == 1) & ~headers.is_complex)
        may[:] = False
        if len(index):
            values, offsets = self.gather(headers.take(index))
            may[index] = values[offsets[:-1]] == OPAQUE_MARK
        return may
