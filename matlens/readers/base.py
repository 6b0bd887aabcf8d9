"""The contract between the readers and everything above them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, MatlensError
from matlens.escape import safe_text
from matlens.model import Children, Elements, Headers, Int64s, Triplets, Variable

__all__ = ["OpaqueValue", "Reader", "check_sparse", "combine_complex"]


@dataclass(frozen=True, slots=True, eq=False)
class OpaqueValue:
    """An object of a MATLAB class as stored: the reference into the subsystem, undecoded."""

    name: str
    type_system: str
    class_name: str
    reference: Any

    def __repr__(self) -> str:
        return f"<object of class {safe_text(self.class_name)}, not decoded yet>"


class Reader(Protocol):
    """Answers for vectors of stored values.

    Calls cost what they return: `variables` and `headers` read no values, `children`
    only where they stand, `gather` everything it is asked for.
    """

    version: str
    """``"4"``, ``"5"``, ``"7.3"`` or ``"loadmat"``."""
    header: str
    """Descriptive text of the file header, empty where there is none."""
    problems: list[MatlensError]
    """Damage that belongs to no variable."""
    stats: Counter[str]
    """How many elements took which decoding route."""

    def variables(self) -> list[Variable]:
        """The variables at the top of the file, in stored order."""
        ...

    def headers(self, elements: Elements) -> Headers:
        """Class, dims, flags and place of the data of every element; never raises for bad ones."""
        ...

    def children(self, headers: Headers) -> list[Children]:
        """Children of cells, structs, old objects and function handles, grouped by field names."""
        ...

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        """Values of elements of one class and complexity, one after another, with offsets.

        Numbers have the dtype of their MATLAB class, or with `as_stored` the narrower
        one of the file; logicals are bool; chars are UTF-16 code units (or uint32 code
        points). Each element's values are in column-major order.
        """
        ...

    def triplets(self, headers: Headers) -> Triplets:
        """Non-zeros of sparse matrices of one complexity."""
        ...

    def opaque(self, headers: Headers, i: int) -> OpaqueValue:
        """What is stored for the object at index `i`."""
        ...

    def close(self) -> None:
        """Release the file. Reading afterwards fails."""
        ...


def combine_complex(real: NDArray[Any], imag: NDArray[Any], *, single: bool) -> NDArray[Any]:
    """Complex numbers of two vectors: complex64 for class single, complex128 otherwise."""
    values = np.empty(len(real), np.complex64 if single else np.complex128)
    values.real, values.imag = real, imag
    return values


def check_sparse(
    row: Int64s,
    starts: Int64s,
    parts: list[NDArray[Any]],
    rows: int,
    cols: int,
    logical: bool,
    offset: int,
) -> tuple[Int64s, Int64s, NDArray[Any]]:
    """Triplets of a compressed-column matrix whose indices all lie inside its dims."""
    if len(starts) != cols + 1:
        raise CorruptFile(f"{len(starts)} column starts stored, {cols + 1} expected", offset=offset)
    count = int(starts[-1])
    if starts[0] != 0 or (np.diff(starts) < 0).any():
        raise CorruptFile("column starts of a sparse matrix do not increase from 0", offset=offset)
    if count > len(row) or any(count > len(part) for part in parts):
        raise CorruptFile(f"{count} non-zeros declared, {len(row)} stored", offset=offset)
    row = row[:count]
    if count and (row.min() < 0 or row.max() >= rows):
        raise CorruptFile(f"row index {row.max()} of a sparse matrix with {rows} rows", offset=offset)
    value = parts[0][:count].astype(bool if logical else np.float64)
    if len(parts) == 2:
        value = combine_complex(value, parts[1][:count], single=False)
    return row, np.repeat(np.arange(cols), np.diff(starts)), value
