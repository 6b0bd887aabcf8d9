"""The records that readers and everything above them exchange.

A stored value is a *position*: a byte offset in a v4/v5 stream, an object address in
v7.3, an index in a table of Python objects for `scipy.io.loadmat` output. A reader
answers for a vector of positions at once; a single value is a vector of length 1.

Examples
--------
Two elements of one stream, a 2×3 double and a 1×5 char:

>>> elements = Elements(segment=0, positions=np.array([128, 256]))
>>> headers = Headers.empty(elements, max_ndim=2)
>>> headers.cls[:] = [MatlabClass.DOUBLE, MatlabClass.CHAR]
>>> headers.dims[:] = [[2, 3], [1, 5]]
>>> headers.numel[:] = headers.dims.prod(axis=1)
>>> headers.class_name(0), headers.shape(0), headers.class_name(1), headers.shape(1)
('double', (2, 3), 'char', (1, 5))
>>> headers.take(np.array([1])).elements.positions
array([256])
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import MatlensError
from matlens.escape import safe_text

Int64s = NDArray[np.int64]


class MatlabClass(IntEnum):
    """MATLAB's array classes, numbered as in the MAT-file format (``mxClassID``)."""

    UNKNOWN = 0
    CELL = 1
    STRUCT = 2
    OBJECT = 3
    CHAR = 4
    SPARSE = 5
    DOUBLE = 6
    SINGLE = 7
    INT8 = 8
    UINT8 = 9
    INT16 = 10
    UINT16 = 11
    INT32 = 12
    UINT32 = 13
    INT64 = 14
    UINT64 = 15
    FUNCTION = 16
    OPAQUE = 17


CLASS_DTYPES: dict[int, np.dtype[Any]] = {
    cls: np.dtype(cls.name.lower()) for cls in MatlabClass if MatlabClass.DOUBLE <= cls <= MatlabClass.UINT64
}
"""NumPy dtype of each numeric MATLAB class."""

_CLASS_NAMES = {int(cls): cls.name.lower() for cls in MatlabClass} | {
    int(MatlabClass.UNKNOWN): "unreadable",
    int(MatlabClass.FUNCTION): "function_handle",
    int(MatlabClass.SPARSE): "double",
}


@dataclass(frozen=True, slots=True, eq=False)
class Elements:
    """Stored values of one segment: a file, or one inflated variable."""

    segment: int
    positions: Int64s

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, index: Any) -> Elements:
        return Elements(self.segment, self.positions[index])


@dataclass(frozen=True, slots=True, eq=False)
class Headers:
    """What is known of n elements without reading their values: a struct of arrays.

    `dims` is padded with ones to the largest number of dimensions of the batch; `ndim`
    holds the stored number. `payload` and `nbytes` locate the data, `storage` says how
    they are stored (reader-specific). Elements with ``ok`` false could not be read:
    `errors` maps their index to the reason. `class_names` holds the class of objects.
    """

    elements: Elements
    cls: NDArray[np.uint8]
    is_complex: NDArray[np.bool_]
    is_logical: NDArray[np.bool_]
    is_global: NDArray[np.bool_]
    ndim: Int64s
    dims: Int64s
    numel: Int64s
    storage: NDArray[np.uint8]
    payload: Int64s
    nbytes: Int64s
    ok: NDArray[np.bool_]
    errors: dict[int, MatlensError] = field(default_factory=dict)
    class_names: dict[int, str] = field(default_factory=dict)

    @classmethod
    def empty(cls, elements: Elements, max_ndim: int = 2) -> Headers:
        """Headers of n empty doubles, for a reader to fill in."""
        n = len(elements)
        return cls(
            elements=elements,
            cls=np.full(n, MatlabClass.DOUBLE, np.uint8),
            is_complex=np.zeros(n, bool),
            is_logical=np.zeros(n, bool),
            is_global=np.zeros(n, bool),
            ndim=np.full(n, 2, np.int64),
            dims=np.ones((n, max_ndim), np.int64),
            numel=np.zeros(n, np.int64),
            storage=np.zeros(n, np.uint8),
            payload=np.zeros(n, np.int64),
            nbytes=np.zeros(n, np.int64),
            ok=np.ones(n, bool),
        )

    def __len__(self) -> int:
        return len(self.cls)

    def narrow(self) -> Headers:
        """The same headers with `dims` no wider than the batch needs."""
        width = max(2, int(self.ndim.max(initial=2)))
        return replace(self, dims=np.ascontiguousarray(self.dims[:, :width]))

    def widen(self, max_ndim: int) -> Headers:
        """The same headers with room for `max_ndim` dims."""
        if max_ndim <= self.dims.shape[1]:
            return self
        padding = np.ones((len(self), max_ndim - self.dims.shape[1]), np.int64)
        return replace(self, dims=np.hstack([self.dims, padding]))

    def put(self, index: Int64s, part: Headers) -> Headers:
        """The same headers with those of `part` in place of the elements at `index`."""
        if not len(index):
            return self
        part = part.narrow()
        width = max(part.dims.shape[1], self.dims.shape[1])
        whole, part = self.widen(width), part.widen(width)
        for name in _ARRAYS:
            getattr(whole, name)[index] = getattr(part, name)
        whole.errors.update({int(index[i]): error for i, error in part.errors.items()})
        whole.class_names.update({int(index[i]): text for i, text in part.class_names.items()})
        return whole

    def take(self, index: Any) -> Headers:
        """Headers of the elements at `index` (integers or a mask)."""
        everything = np.arange(len(self))
        chosen = everything[index]
        if np.array_equal(chosen, everything):
            return self
        where = {int(old): new for new, old in enumerate(chosen)} if self.errors or self.class_names else {}
        return Headers(
            elements=self.elements.take(chosen),
            **{name: getattr(self, name)[chosen] for name in _ARRAYS},
            errors={where[i]: e for i, e in self.errors.items() if i in where},
            class_names={where[i]: name for i, name in self.class_names.items() if i in where},
        )

    def shape(self, i: int) -> tuple[int, ...]:
        """Dims of element `i`, as MATLAB's ``size`` gives them."""
        return tuple(self.dims[i, : self.ndim[i]].tolist())

    def class_name(self, i: int) -> str:
        """Class of element `i`, as MATLAB's ``class`` gives it."""
        if i in self.class_names:
            return self.class_names[i]
        return "logical" if self.is_logical[i] else _CLASS_NAMES.get(int(self.cls[i]), "unknown")

    def set_dims(self, i: int, dims: tuple[int, ...]) -> None:
        """Store the dims of element `i`; the batch must be wide enough for them."""
        self.ndim[i] = len(dims)
        self.dims[i, : len(dims)] = dims
        self.numel[i] = np.prod(dims, dtype=np.int64) if dims else 0

    def raise_first_error(self) -> None:
        """Raise the error of the first element that could not be read."""
        if not self.ok.all():
            first = int(np.argmin(self.ok))
            raise self.errors[first].at(position=(self.elements.segment, int(self.elements.positions[first])))


_ARRAYS = [each.name for each in fields(Headers) if each.name not in ("elements", "errors", "class_names")]
"""The fields of `Headers` that hold one entry for each element."""


@dataclass(frozen=True, slots=True, eq=False)
class Children:
    """The children of those parents of a batch that have one set of fields.

    `parents` are indices into the batch. Parent ``parents[k]`` owns the records
    ``offsets[k]:offsets[k + 1]``; a record has one element per field, or a single one
    where `fields` is None (a cell). `elements` is flat: records in column-major order,
    the fields of a record next to each other.
    """

    parents: Int64s
    fields: tuple[str, ...] | None
    elements: Elements
    offsets: Int64s

    @property
    def width(self) -> int:
        """Elements per record."""
        return 1 if self.fields is None else len(self.fields)

    def part(self, some: slice) -> Children:
        """The same for a range of the parents."""
        start, stop, _ = some.indices(len(self.parents))
        offsets = self.offsets[start : stop + 1]
        elements = self.elements.take(slice(int(offsets[0]) * self.width, int(offsets[-1]) * self.width))
        return Children(self.parents[start:stop], self.fields, elements, offsets - offsets[0])

    def owners(self, index: Int64s, *, of_records: bool = False) -> Int64s:
        """For each element, or each record, the entry of `index` at its parent: who owns it in the level above."""
        counts = np.diff(self.offsets)
        return np.asarray(index[np.repeat(self.parents, counts if of_records else counts * self.width)])

    def column(self, field_index: int) -> Elements:
        """The elements of one field, for all records of all parents."""
        return self.elements.take(slice(field_index, None, self.width))


@dataclass(frozen=True, slots=True, eq=False)
class Triplets:
    """Non-zeros of n sparse matrices: 0-based `row` and `col`, and `value`, one after another.

    Matrix k owns ``offsets[k]:offsets[k + 1]``.
    """

    row: Int64s
    col: Int64s
    value: NDArray[Any]
    offsets: Int64s


class Variable:
    """A named value at the top of a file; of many, the headers are made when they are first asked for."""

    __slots__ = ("_headers", "compressed", "elements", "name", "stored_bytes")

    def __init__(
        self,
        name: str,
        elements: Elements,
        headers: Headers | Callable[[], Headers],
        compressed: bool = False,
        stored_bytes: int | None = None,
    ) -> None:
        self.name, self.elements, self._headers = name, elements, headers
        self.compressed, self.stored_bytes = compressed, stored_bytes

    @property
    def headers(self) -> Headers:
        found = self._headers
        if not isinstance(found, Headers):
            self._headers = found = found()
        return found


@dataclass(frozen=True, slots=True, eq=False)
class OpaqueValue:
    """An object of a MATLAB class as stored: the reference into the table of objects, or where that of an enumeration
    stands."""

    name: str
    type_system: str
    class_name: str
    reference: Any

    def __repr__(self) -> str:
        return f"<object of class {safe_text(self.class_name)}, not decoded>"


OPAQUE_MARK = 0xDD000000
"""First word of a reference to objects of MATLAB classes."""
