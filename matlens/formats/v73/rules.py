"""MATLAB's rules on top of HDF5, object by object: what attributes, types and members of an object say of a value.

They hold for any reader of HDF5 objects, `matlens.formats.hdf5.object.H5Object`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, LimitExceeded, MatlensError
from matlens.formats.children import FieldNames, collect_children, unique_names
from matlens.formats.dtypes import combine_complex, target_dtype
from matlens.formats.hdf5.object import REFERENCES, H5Object
from matlens.formats.mcos import HANDLE, ObjectTable, object_headers, reference_dims
from matlens.formats.metadata_values import IN_METADATA
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.reader import Reader
from matlens.formats.records import (
    CLASS_DTYPES,
    OPAQUE_MARK,
    Children,
    Elements,
    Headers,
    Int64s,
    MatlabClass,
    OpaqueValue,
    Triplets,
    Variable,
)
from matlens.formats.sparse import check_sparse, join_triplets
from matlens.limits import Limits

CLASS, IS_EMPTY, GLOBAL, FIELDS = b"MATLAB_class", b"MATLAB_empty", b"MATLAB_global", b"MATLAB_fields"
DECODE, SPARSE_ROWS = b"MATLAB_object_decode", b"MATLAB_sparse"
PAIR = (b"real", b"imag")
"""The parts of complex numbers."""
FUNCTION, OLD_OBJECT, OPAQUE = 1, 2, 3
"""Values of `DECODE`."""
CLASSES = {cls.name.lower().encode(): cls for cls in map(MatlabClass, CLASS_DTYPES)} | {
    b"logical": MatlabClass.UINT8,
    b"char": MatlabClass.CHAR,
    b"cell": MatlabClass.CELL,
    b"struct": MatlabClass.STRUCT,
    b"canonical empty": MatlabClass.DOUBLE,
    b"function_handle": MatlabClass.FUNCTION,
}
"""Classes by `CLASS`; other names are those of objects."""
DTYPES = {int(cls): dtype for cls, dtype in CLASS_DTYPES.items()} | {
    int(MatlabClass.CHAR): np.dtype("u2"),
    int(MatlabClass.CELL): REFERENCES,
}
"""How MATLAB stores the values of each class in data sets."""
_BY_DTYPE = {dtype: cls for cls, dtype in CLASS_DTYPES.items()} | {REFERENCES: MatlabClass.UINT64}
EMPTY, ARRAY_OF_STRUCTS = 1, 2
"""Storage of an empty array, and of structs as columns of references."""
AS_STRUCT = 1
"""Segment of function handles and objects that are seen as the struct that their group stores."""
MAX_DIM = 1 << 48
MAX_REFERENCE = 1 << 20
"""More numbers than that are not a reference to objects."""
_SUBSYSTEM, _OBJECTS = b"#subsystem#", b"MCOS"


def _text(raw: bytes | None) -> str:
    return raw.decode("utf-8", "replace") if raw else "unknown"


class Mat73Common(Reader):
    """A reader of v7.3 files by the HDF5 objects that `_object` finds."""

    version = "v7.3"
    caught: tuple[type[Exception], ...] = (MatlensError,)
    """What reading an object may raise; other errors than `MatlensError` mean damage."""

    knows_objects = True

    def __init__(self, buffer: Any, base: int, limits: Limits) -> None:
        super().__init__(limits)
        self.header = bytes(buffer[:116]).decode("latin-1").strip(" \t\n\0") if base else ""
        self.most_unshared = len(buffer) // REFERENCES.itemsize
        self._base = base
        self._objects: ObjectTable | None = None
        self._root: dict[bytes, int] = {}

    @abstractmethod
    def _object(self, address: int) -> H5Object:
        """The object at an address."""

    def _place(self, headers: Headers, i: int, found: H5Object) -> None:
        """Note where the values of a data set stand."""

    def _member(self, found: H5Object, name: bytes) -> H5Object | None:
        address = found.members().get(name)
        return None if address is None else self._object(address)

    @contextmanager
    def _opened(self, headers: Headers, i: int) -> Iterator[H5Object]:
        """The object of an element, with its place in errors that do not say it."""
        try:
            yield self._object(int(headers.elements.positions[i]))
        except self.caught as error:
            raise self._error(error, headers, i) from error.__cause__

    def _error(self, error: Exception, headers: Headers, i: int) -> MatlensError:
        """An error that says where the object is; foreign ones mean damage."""
        position = int(headers.elements.positions[i])
        # What no hard link leads to stands nowhere.
        offset = position + self._base if position >= 0 else None
        if isinstance(error, MatlensError):
            return error.at(offset=offset)
        return CorruptFile(f"object is not readable: {error}", offset=offset)

    def _find_variables(self) -> list[Variable]:
        found = []
        for raw, address in self._root.items():
            if raw.startswith(b"#"):
                continue
            headers = self._single_headers(Elements(0, np.array([address], np.int64)))
            name = raw.decode("utf-8", "surrogateescape")
            found.append(Variable(name, headers.elements, headers, *self._stored_size(headers)))
        return found

    def _stored_size(self, headers: Headers) -> tuple[bool, int | None]:
        """Whether a variable is compressed, and how many bytes it takes in the file."""
        if not headers.ok[0]:
            return False, None
        try:
            stored = self._object(int(headers.elements.positions[0])).stored()
        except self.caught:
            # Its values are not readable, which reading them will say.
            return False, None
        return bool(stored.filters), stored.nbytes

    def headers(self, elements: Elements) -> Headers:
        return self.plain_headers(elements) if self._objects is None else object_headers(self, self._objects, elements)

    def plain_headers(self, elements: Elements) -> Headers:
        """Headers in which nothing stands for a part of an object; a reference to nothing is an empty double."""
        null = elements.positions == 0
        if elements.segment != 0 or not null.any():
            return self._all_headers(elements)
        headers, rest = Headers.empty(elements), np.flatnonzero(~null)
        headers.dims[:], headers.storage[:] = 0, EMPTY
        return headers.put(rest, self._all_headers(elements.take(rest)))

    def _all_headers(self, elements: Elements) -> Headers:
        return self._single_headers(elements)

    def _single_headers(self, elements: Elements) -> Headers:
        """Headers of objects one by one."""
        headers = Headers.empty(elements, max_ndim=32)

        def fill(i: int) -> None:
            try:
                self._fill(headers, i)
            except self.caught as error:
                raise self._error(error, headers, i) from error.__cause__

        return self._fill_each(headers, fill)

    def _fill(self, headers: Headers, i: int) -> None:
        found = self._object(int(headers.elements.positions[i]))
        headers.payload[i] = found.address
        headers.is_global[i] = found.has(GLOBAL)
        name, decode = found.text(CLASS), found.integer(DECODE) or 0
        if headers.elements.segment == AS_STRUCT:
            name, decode = b"struct", 0
        if found.is_group:
            self._fill_group(headers, i, found, name, decode)
        else:
            self._fill_data_set(headers, i, found, name, decode)

    def _fill_group(self, headers: Headers, i: int, found: H5Object, name: bytes | None, decode: int) -> None:
        rows = found.integer(SPARSE_ROWS)
        if rows is not None:
            self._fill_sparse(headers, i, found, name, rows)
            return
        headers.set_dims(i, (1, 1))
        kinds = {OPAQUE: MatlabClass.OPAQUE, FUNCTION: MatlabClass.FUNCTION, OLD_OBJECT: MatlabClass.OBJECT}
        headers.cls[i] = kinds.get(decode, MatlabClass.STRUCT)
        if decode in (OPAQUE, OLD_OBJECT):
            headers.class_names[i] = _text(name)
        if decode in (OPAQUE, FUNCTION):
            return
        members = found.members()
        for field in self._fields(found):
            try:
                first = self._object(members[field])
                is_column = first.is_reference and not first.has(CLASS)
            except MatlensError:
                # What is wrong with one member is said where it is read.
                continue
            if is_column:
                headers.storage[i] = ARRAY_OF_STRUCTS
                headers.set_dims(i, _dims(first))
            return

    def _fill_sparse(self, headers: Headers, i: int, found: H5Object, name: bytes | None, rows: int) -> None:
        starts, values = self._member(found, b"jc"), self._member(found, b"data")
        if starts is None:
            raise CorruptFile("jc of a sparse matrix is missing")
        columns = math.prod(starts.shape)
        if starts.is_group or columns < 1 or not 0 <= rows < MAX_DIM:
            raise CorruptFile(f"a sparse matrix of {rows} rows without columns")
        headers.cls[i] = MatlabClass.SPARSE
        headers.is_logical[i] = name == b"logical"
        headers.is_complex[i] = values is not None and values.dtype.names is not None
        headers.set_dims(i, (rows, columns - 1))

    def _fill_data_set(self, headers: Headers, i: int, found: H5Object, name: bytes | None, decode: int) -> None:
        headers.set_dims(i, _dims(found))
        headers.nbytes[i] = found.nbytes
        if decode == OPAQUE:
            self._fill_opaque(headers, i, found, _text(name))
            return
        cls = _class_of_type(found) if name is None else CLASSES.get(name, MatlabClass.OBJECT)
        headers.cls[i] = cls
        headers.is_logical[i] = name == b"logical"
        if cls == MatlabClass.OBJECT:
            headers.class_names[i] = _text(name)
        if found.integer(IS_EMPTY):
            headers.storage[i], headers.nbytes[i] = EMPTY, 0
            headers.set_dims(i, _empty_dims(found, name))
        elif cls == MatlabClass.CELL and not found.is_reference:
            raise CorruptFile("a cell is stored without references")
        elif cls not in DTYPES:
            raise CorruptFile(f"a {MatlabClass(cls).name.lower()} is stored as a data set")
        else:
            headers.is_complex[i] = found.dtype.names is not None
            self._place(headers, i, found)

    def _fill_opaque(self, headers: Headers, i: int, found: H5Object, name: str) -> None:
        headers.cls[i] = MatlabClass.OPAQUE
        headers.class_names[i] = name
        is_reference = math.prod(found.shape) <= MAX_REFERENCE and found.dtype == np.uint32
        headers.set_dims(i, (reference_dims(found.values().ravel()) if is_reference else None) or (1, 1))

    def may_refer(self, headers: Headers) -> NDArray[np.bool_]:
        """Columns of uint32 that begin with the mark of references; large ones are taken for numbers."""
        may: NDArray[np.bool_] = (headers.cls == MatlabClass.UINT32) & headers.ok
        may &= (headers.numel >= 6) & (headers.numel < MAX_REFERENCE)
        index = np.flatnonzero(may & (headers.dims[:, 1] == 1) & ~headers.is_complex)
        may[:] = False
        if len(index):
            values, offsets = self.gather(headers.take(index))
            may[index] = values[offsets[:-1]] == OPAQUE_MARK
        return may

    def children(self, headers: Headers, *, keep_damage: bool = False) -> list[Children]:
        headers.raise_first_error()
        if (headers.cls == MatlabClass.FUNCTION).all():
            return list(_structs_of_handles(headers))
        return self._all_children(headers)

    def _all_children(self, headers: Headers) -> list[Children]:
        return collect_children((self._record(headers, i) for i in range(len(headers))), 0, self.limits)

    def _record(self, headers: Headers, i: int) -> tuple[FieldNames, int, Int64s]:
        """Field names, number of records, and addresses of the children of parent `i`."""
        with self._opened(headers, i) as found:
            none = np.zeros(0, np.int64)
            if headers.cls[i] == MatlabClass.CELL:
                references = none if headers.storage[i] == EMPTY else found.references()
                return None, len(references), references
            if headers.storage[i] == EMPTY:
                fields = unique_names(list(map(_text, found.texts(FIELDS) or ())))
                return fields, 0 if fields else int(headers.numel[i]), none
            members, names = found.members(), self._fields(found)
            fields = unique_names(list(map(_text, names)))
            if headers.storage[i] != ARRAY_OF_STRUCTS:
                return fields, 1, np.array([members[name] for name in names], np.int64)
            columns = [self._object(members[name]).references() for name in names]
            if any(len(column) != headers.numel[i] for column in columns):
                raise CorruptFile("the fields of a struct array differ in size")
            return fields, int(headers.numel[i]), np.stack(columns, axis=1).ravel()

    def _fields(self, found: H5Object) -> list[bytes]:
        """Field names in MATLAB's order; those listed without a value are not fields."""
        members = found.members()
        if len(members) > self.limits.fields:
            raise LimitExceeded.of(self.limits, "fields", f"{len(members)} fields")
        listed = found.texts(FIELDS) if len(members) > 1 else None
        if listed is None:
            return list(members)
        names = [name for name in dict.fromkeys(listed) if name in members]
        return names + sorted(members.keys() - set(names))

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        headers.raise_first_error()
        parts = [self._values(headers, i) for i in range(len(headers))]
        values = np.concatenate(parts) if parts else np.zeros(0)
        return values, counts_to_offsets([len(part) for part in parts])

    def _values(self, headers: Headers, i: int) -> NDArray[Any]:
        if headers.numel[i] == 0 or headers.storage[i] == EMPTY:
            return np.zeros(0, target_dtype(headers, i))
        if headers.storage[i] == IN_METADATA:
            assert self._objects is not None
            return self._objects.metadata_value(int(headers.elements.positions[i]))
        with self._opened(headers, i) as found:
            # HDF5 stores the axes reversed, so that its row-major order is MATLAB's column-major.
            return _as_class(headers, i, found.values().ravel())

    def window(self, headers: Headers, axis: int, start: int, stop: int) -> NDArray[Any] | None:
        headers.raise_first_error()
        if headers.storage[0] in (EMPTY, IN_METADATA):
            return None
        with self._opened(headers, 0) as found:
            if headers.numel[0] == 0 or axis >= len(found.shape):
                return None
            values = found.window(len(found.shape) - 1 - axis, start, stop)
            if values is None:
                return None
            dims = [*headers.shape(0)]
            dims[axis] = stop - start
            return _as_class(headers, 0, values.ravel()).reshape(dims, order="F")

    def window_step(self, headers: Headers, axis: int) -> int:
        if headers.storage[0] == IN_METADATA:
            return 1
        with self._opened(headers, 0) as found:
            return found.window_step(len(found.shape) - 1 - axis) if axis < len(found.shape) else 1

    def storage(self, headers: Headers) -> dict[str, Any]:
        """Layout, chunks, filters and attributes; dims in MATLAB's order."""
        headers.raise_first_error()
        if headers.storage[0] == IN_METADATA:
            return {"type": "metadata of objects"}
        with self._opened(headers, 0) as found:
            told = found.describe({FIELDS})
        return told | {"chunk": told["chunk"][::-1]} if "chunk" in told else told

    def triplets(self, headers: Headers) -> Triplets:
        headers.raise_first_error()
        parts = []
        for i in range(len(headers)):
            with self._opened(headers, i) as found:
                parts.append(self._sparse(headers, i, found))
        return join_triplets(parts)

    def _sparse(self, headers: Headers, i: int, found: H5Object) -> tuple[Int64s, Int64s, NDArray[Any]]:
        members = found.members()
        starts = self._member_values(members, b"jc").astype(np.int64)
        row, value = np.zeros(0, np.int64), np.zeros(0)
        if len(starts) and starts[-1]:
            row = self._member_values(members, b"ir").astype(np.int64)
            value = self._member_values(members, b"data")
        parts = [value.real, value.imag] if value.dtype.kind == "c" else [value]
        rows, cols = headers.shape(i)
        return check_sparse(row, starts, parts, rows, cols, bool(headers.is_logical[i]), found.address + self._base)

    def _member_values(self, members: dict[bytes, int], name: bytes) -> NDArray[Any]:
        """Numbers of a data set in a group."""
        if name not in members:
            raise CorruptFile(f"{name.decode()} of a sparse matrix is missing")
        stored = self.headers(Elements(0, np.array([members[name]], np.int64)))
        stored.raise_first_error()
        if int(stored.cls[0]) not in CLASS_DTYPES:
            raise CorruptFile(f"{name.decode()} of a sparse matrix holds no numbers")
        return self.gather(stored)[0]

    @property
    def may_hold_objects(self) -> bool:
        return self._objects is not None

    def objects(self) -> ObjectTable | None:
        with self._lock:
            if self._objects is None and _SUBSYSTEM in self._root:
                wrapper = self._member(self._object(self._root[_SUBSYSTEM]), _OBJECTS)
                if wrapper is not None:
                    self._objects = ObjectTable(self, Elements(0, wrapper.references()), "<")
            return self._objects

    def opaque(self, headers: Headers, i: int) -> OpaqueValue:
        with self._opened(headers, i) as found:
            system = _system_of(found)
            reference: Any = Elements(AS_STRUCT, headers.elements.positions[i : i + 1])
            if not found.is_group:
                reference = None if found.is_reference else found.values().transpose()
        return OpaqueValue("", system, headers.class_names.get(i, ""), reference)


def _structs_of_handles(headers: Headers) -> Iterator[Children]:
    """The struct that tells of each function: stored under the address of the handle, or inside objects beside it."""
    inside = headers.storage == HANDLE
    for index, segment, places in (
        (np.flatnonzero(~inside), AS_STRUCT, headers.elements.positions),
        (np.flatnonzero(inside), 0, headers.payload),
    ):
        if len(index):
            yield Children(index, None, Elements(segment, places[index]), np.arange(len(index) + 1))


def _system_of(found: H5Object) -> str:
    """The system that an object belongs to: Java's are stored as bytes, COM's as cells."""
    if found.is_group or found.dtype == np.uint32:
        return "MCOS"
    return "handle" if found.is_reference else "java"


def _dims(found: H5Object) -> tuple[int, ...]:
    """Dims in MATLAB's order; a vector of plain HDF5 is a column, as h5read of MATLAB returns it."""
    shape = found.shape
    return shape[::-1] if len(shape) > 1 else (shape[0] if shape else 1, 1)


def _empty_dims(found: H5Object, name: bytes | None) -> tuple[int, ...]:
    """Dims of an empty array, which are its values."""
    dims = tuple(int(n) for n in found.values().ravel()) if math.prod(found.shape) <= 32 else ()
    # Only a struct without fields may be stored so and yet have elements.
    fieldless = name == b"struct" and not found.has(FIELDS)
    if not 2 <= len(dims) <= 32 or min(dims) < 0 or max(dims) >= MAX_DIM or (all(dims) and not fieldless):
        raise CorruptFile(f"dims {'x'.join(map(str, dims[:8]))} of an empty array")
    return dims


def _class_of_type(found: H5Object) -> int:
    """Class of a data set that does not name it: inside sparse groups, or not from MATLAB."""
    if found.is_reference:
        return MatlabClass.CELL
    dtype = found.dtype
    return _BY_DTYPE[(dtype["real"] if dtype.names else dtype).newbyteorder("=")]


def _as_class(headers: Headers, i: int, values: NDArray[Any]) -> NDArray[Any]:
    """Stored numbers as those of the class."""
    if values.dtype.names:
        return combine_complex(values["real"], values["imag"], single=headers.cls[i] == MatlabClass.SINGLE)
    if headers.cls[i] == MatlabClass.CHAR and values.dtype.itemsize == 4 and len(values) and int(values.max()) > 0xFFFF:
        # Text of 32-bit units: code points, of which 16 bits would cut some.
        return values.astype(np.uint32)
    return np.asarray(values.astype(target_dtype(headers, i), copy=False))
