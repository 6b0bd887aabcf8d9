"""The contract between the readers and everything above them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, LimitExceeded, MatlensError
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.records import (
    CLASS_DTYPES,
    OPAQUE_MARK,
    Children,
    Elements,
    Headers,
    Int64s,
    MatlabClass,
    OpaqueValue,
    Single,
    Triplets,
    Variable,
)
from matlens.limits import Limits

if TYPE_CHECKING:
    from matlens.formats.mcos import ObjectTable

__all__ = [
    "Reader",
    "WholeArrays",
    "check_sparse",
    "collect_children",
    "combine_complex",
    "join_triplets",
    "reference_dims",
    "target_dtype",
    "value_dtype",
]


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
    limits: Limits
    """What a value may take."""
    most_unshared: int
    """More elements than the file can hold unless values are shared or compressed."""

    def variables(self) -> list[Variable]:
        """The variables at the top of the file, in stored order."""
        ...

    def prefetch(self, elements: Iterable[Elements]) -> None:
        """Prepare to read these next: a hint, which may inflate several variables in threads."""
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

    def single(self, segment: int, position: int, *, as_stored: bool = False) -> Single | None:
        """One value, quicker than as a batch of one; None where only a batch will do."""
        ...

    def storage(self, headers: Headers) -> dict[str, Any]:
        """How the only element of `headers` is stored, in the words of the format; for people, without its values."""
        ...

    def window_step(self, headers: Headers, axis: int) -> int:
        """Length of stored blocks of the only array of `headers` along a dimension: what `window` reads best."""
        ...

    def window(self, headers: Headers, axis: int, start: int, stop: int) -> NDArray[Any] | None:
        """Values of the only array of `headers` whose index along `axis` is in a range, with their dims.

        None where `gather` costs no more, because the whole array is at hand.
        """
        ...

    def triplets(self, headers: Headers) -> Triplets:
        """Non-zeros of sparse matrices of one complexity."""
        ...

    def objects(self) -> ObjectTable | None:
        """The objects of the file, None where there are none; raises if their metadata are damaged."""
        ...

    @property
    def may_hold_objects(self) -> bool:
        """Whether values may be parts of objects; says nothing that costs time."""
        ...

    def opaque(self, headers: Headers, i: int) -> OpaqueValue:
        """What is stored for the object at index `i`."""
        ...

    def close(self) -> None:
        """Release the file. Reading afterwards fails."""
        ...


class WholeArrays:
    """The part of a `Reader` that has all of an array at hand, or none of it, and no objects."""

    most_unshared = 1 << 62

    @property
    def may_hold_objects(self) -> bool:
        return False

    def objects(self) -> ObjectTable | None:
        """None are there."""
        return None

    def window_step(self, headers: Headers, axis: int) -> int:
        return 1

    def window(self, headers: Headers, axis: int, start: int, stop: int) -> None:
        """The caller takes it from all values."""


REFERENCE_BYTES = 8
"""What each element of a cell takes in a v7.3 file."""
MAX_FIELDLESS = 10_000_000
"""Structs without fields take no room in a file, so that any number may be declared."""

FieldNames = tuple[str, ...] | None


def target_dtype(headers: Headers, i: int = 0) -> np.dtype[Any]:
    """NumPy dtype of the values of a number or char, by its MATLAB class."""
    flags = bool(headers.is_logical[i]), bool(headers.is_complex[i])
    return value_dtype(int(headers.cls[i]), is_logical=flags[0], is_complex=flags[1])


def value_dtype(cls: int, *, is_logical: bool, is_complex: bool) -> np.dtype[Any]:
    """The same from class and flags."""
    if is_logical:
        return np.dtype(bool)
    if cls == MatlabClass.CHAR:
        return np.dtype(np.uint16)
    if is_complex:
        return np.dtype("c8") if cls == MatlabClass.SINGLE else np.dtype("c16")
    return CLASS_DTYPES[cls]


def reference_dims(words: NDArray[Any]) -> tuple[int, ...] | None:
    """Dims in a reference to objects: mark, number of dims, dims, object ids, class id."""
    if len(words) > 2 and words[0] == OPAQUE_MARK and 2 <= words[1] <= min(len(words) - 2, 32):
        dims = tuple(words[2 : 2 + int(words[1])].tolist())
        # An object id stands for each, or else the dims are no dims.
        return dims if math.prod(dims) < len(words) else None
    return None


def collect_children(records: Iterable[tuple[FieldNames, int, Int64s]], segment: int) -> list[Children]:
    """Children of parents that were looked up one by one, grouped by field names.

    Each parent gives its field names, its number of records, and their positions.
    """
    by_fields: dict[FieldNames, tuple[list[int], list[int], list[Int64s]]] = {}
    fieldless = 0
    for parent, (fields, count, positions) in enumerate(records):
        fieldless += count if fields == () else 0
        if fieldless > MAX_FIELDLESS:
            raise LimitExceeded(f"{fieldless} structs without fields, {MAX_FIELDLESS} at most")
        parents, counts, parts = by_fields.setdefault(fields, ([], [], []))
        parents.append(parent)
        counts.append(count)
        parts.append(positions)
    return [
        Children(
            np.array(parents, np.int64),
            fields,
            Elements(segment, np.concatenate(parts).astype(np.int64)),
            counts_to_offsets(counts),
        )
        for fields, (parents, counts, parts) in by_fields.items()
    ]


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Field names that occur again get a prefix ``_1_``, ``_2_``, as SciPy does.

    Examples
    --------
    >>> unique_names(["a", "a", "_1_a"])
    ('a', '_1_a', '_1__1_a')
    """
    seen: Counter[str] = Counter()
    found: dict[str, None] = {}
    for name in names:
        free = name
        while free in found:
            seen[name] += 1
            free = f"_{seen[name]}_{name}"
        found[free] = None
    return tuple(found)


def join_triplets(parts: Sequence[tuple[Int64s, Int64s, NDArray[Any]]]) -> Triplets:
    """Rows, columns and values of several sparse matrices, one after another."""
    row, col, value = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return Triplets(row, col, value, counts_to_offsets([len(part[0]) for part in parts]))


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
