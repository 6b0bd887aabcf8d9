"""The reference reader of v7.3 files, through h5py's low-level interface, object by object.

Positions are object addresses, as stored in object references.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5i, h5o, h5s, h5t
from numpy.typing import NDArray

from matlens.errors import CorruptFile, MatlensError, UnsafeFile, UnsupportedValue
from matlens.formats.children import FieldNames, collect_children, unique_names
from matlens.formats.dtypes import combine_complex, target_dtype
from matlens.formats.hdf5.object import SOFT_LINK
from matlens.formats.mcos import ObjectTable, mark_references, reference_dims
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.records import (
    CLASS_DTYPES,
    Children,
    Elements,
    Headers,
    Int64s,
    MatlabClass,
    OpaqueValue,
    Variable,
)
from matlens.formats.reference.hdf5_objects import (
    all_attributes,
    attribute,
    child_address,
    class_of_dtype,
    describe_storage,
    dims_of,
    is_complex,
    is_reference,
    join_letters,
    read_window,
    stored_size,
)
from matlens.formats.reference.libhdf5 import H5_ERRORS, AddressBook, Storage
from matlens.formats.v73.rules import (
    ARRAY_OF_STRUCTS,
    AS_STRUCT,
    CLASSES,
    EMPTY,
    FUNCTION,
    OLD_OBJECT,
    OPAQUE,
    REFERENCE_BYTES,
    Mat73Common,
    decoded_name,
)
from matlens.limits import Limits

__all__ = ["H5pyReader"]


class H5pyReader(Mat73Common):
    """Reads an HDF5 file by libhdf5; `storage` owns the open file."""

    version = "7.3"

    def __init__(self, storage: Storage, limits: Limits) -> None:
        self.limits = limits
        self.most_unshared = storage.size // REFERENCE_BYTES
        self._storage = storage
        self._book = AddressBook(storage.file_id, storage.base, storage.size)
        self.header = storage.header
        self.problems: list[MatlensError] = list(storage.problems)
        self.stats: Counter[str] = Counter()
        self._objects: ObjectTable | None = None

    def close(self) -> None:
        self._book.close()
        self._storage.close()

    # --- variables -----------------------------------------------------------------

    def variables(self) -> list[Variable]:
        root = self._root()
        found = []
        for raw in self._link_names(root):
            if raw.startswith(b"#"):
                continue
            name = raw.decode("utf-8", "surrogateescape")
            headers = self.headers(Elements(0, np.array([self._address(root, raw)], np.int64)))
            size = stored_size(self._book.open(int(headers.elements.positions[0]))) if headers.ok[0] else (False, None)
            found.append(Variable(name, headers.elements, headers, *size))
        return found

    def _root(self) -> Any:
        try:
            return h5g.open(self._storage.file_id, b"/")
        except H5_ERRORS as error:
            raise CorruptFile(f"the root group is not readable: {error}", offset=self._storage.base) from None

    def _address(self, group: Any, name: bytes) -> int:
        """Address of a member; a negative number in place of one that no hard link leads to."""
        try:
            return child_address(group, name)
        except UnsafeFile:
            return SOFT_LINK
        except MatlensError:
            return -1

    def _link_names(self, group: Any) -> list[bytes]:
        names: list[bytes] = []
        try:
            group.links.iterate(names.append)
        except H5_ERRORS as error:
            self.problems.append(CorruptFile(f"not all links are readable: {error}", offset=self._storage.base))
        return names

    # --- headers -------------------------------------------------------------------

    def prefetch(self, elements: Iterable[Elements]) -> None:
        """Nothing is gained by it here."""

    def headers(self, elements: Elements) -> Headers:
        self.stats["h5py"] += len(elements)
        headers = self._single_headers(elements)
        if self._objects is not None:
            mark_references(headers, self._objects, self._may_refer(headers), self.gather)
        return headers

    def _single_headers(self, elements: Elements) -> Headers:
        """Headers of objects one by one."""
        headers = Headers.empty(elements, max_ndim=32)
        for i, object_id in enumerate(self._book.open_all(elements.positions)):
            try:
                with self._located(headers, i):
                    if isinstance(object_id, MatlensError):
                        raise object_id
                    self._fill(headers, i, object_id)
            except MatlensError as error:
                headers.ok[i], headers.errors[i] = False, error
        return headers

    @contextmanager
    def _located(self, headers: Headers, i: int) -> Iterator[None]:
        """Say where the object is in errors of matlens, and turn those of h5py into such."""
        try:
            yield
        except MatlensError as error:
            # What no hard link leads to stands nowhere.
            if error.offset is None and headers.elements.positions[i] >= 0:
                error.offset = self._offset(headers, i)
            raise
        except H5_ERRORS as error:
            raise CorruptFile(f"object is not readable: {error}", offset=self._offset(headers, i)) from None

    def _offset(self, headers: Headers, i: int) -> int:
        return int(headers.elements.positions[i]) + self._storage.base

    def _fill(self, headers: Headers, i: int, object_id: Any) -> None:
        headers.payload[i] = headers.elements.positions[i]
        attributes = all_attributes(object_id)
        headers.is_global[i] = "MATLAB_global" in attributes
        name = attributes.get("MATLAB_class")
        name = bytes(name) if name is not None else None
        decode = int(attributes.get("MATLAB_object_decode", 0))
        if headers.elements.segment == AS_STRUCT:
            name, decode = b"struct", 0
        if isinstance(object_id, h5g.GroupID):
            self._fill_group(headers, i, object_id, name, decode, attributes.get("MATLAB_sparse"))
        elif isinstance(object_id, h5d.DatasetID):
            self._fill_dataset(headers, i, object_id, name, decode, bool(attributes.get("MATLAB_empty")))
        else:
            raise UnsupportedValue("an HDF5 named type is no MATLAB value", offset=self._offset(headers, i))

    def _fill_group(
        self, headers: Headers, i: int, group: Any, name: bytes | None, decode: int, rows: int | None
    ) -> None:
        if rows is not None:
            headers.cls[i] = MatlabClass.SPARSE
            headers.is_logical[i] = name == b"logical"
            columns = self._member(group, b"jc").shape
            data = self._member(group, b"data", optional=True)
            headers.is_complex[i] = data is not None and data.dtype.names is not None
            headers.set_dims(i, (int(rows), int(math.prod(columns)) - 1))
            return
        headers.set_dims(i, (1, 1))
        if decode == OPAQUE:
            headers.cls[i] = MatlabClass.OPAQUE
            headers.class_names[i] = decoded_name(name)
            return
        if decode == FUNCTION:
            headers.cls[i] = MatlabClass.FUNCTION
            return
        headers.cls[i] = MatlabClass.OBJECT if decode == OLD_OBJECT else MatlabClass.STRUCT
        if decode == OLD_OBJECT:
            headers.class_names[i] = decoded_name(name)
        names = self._fields(group)
        first = self._member(group, names[0]) if names else None
        if first is not None and is_reference(first) and not h5a.exists(first, b"MATLAB_class"):
            headers.storage[i] = ARRAY_OF_STRUCTS
            headers.set_dims(i, dims_of(first))

    def _fill_dataset(
        self, headers: Headers, i: int, dataset: Any, name: bytes | None, decode: int, is_empty: bool
    ) -> None:
        headers.set_dims(i, dims_of(dataset))
        headers.nbytes[i] = dataset.get_storage_size()
        if decode == OPAQUE:
            self._fill_opaque(headers, i, dataset, decoded_name(name))
            return
        if name is None:
            headers.cls[i] = class_of_dtype(dataset, self._offset(headers, i))
        elif name in CLASSES:
            headers.cls[i] = CLASSES[name]
        else:
            headers.cls[i] = MatlabClass.OBJECT
            headers.class_names[i] = decoded_name(name)
        headers.is_logical[i] = name == b"logical"
        if is_empty:
            headers.storage[i], headers.nbytes[i] = EMPTY, 0
            dims = tuple(int(d) for d in self._read(dataset).ravel())
            # Only a struct without fields may be stored so and yet have elements.
            fieldless = name == b"struct" and not h5a.exists(dataset, b"MATLAB_fields")
            if not 2 <= len(dims) <= 32 or max(dims) >= 1 << 48 or (all(dims) and not fieldless):
                text = "x".join(map(str, dims[:8]))
                raise CorruptFile(f"dims {text} of an empty array", offset=self._offset(headers, i))
            headers.set_dims(i, dims)
        elif int(headers.cls[i]) in CLASS_DTYPES:
            headers.is_complex[i] = is_complex(dataset, self._offset(headers, i))
        elif headers.cls[i] == MatlabClass.CELL and not is_reference(dataset):
            raise CorruptFile("a cell is stored without references", offset=self._offset(headers, i))
        elif headers.cls[i] in (MatlabClass.STRUCT, MatlabClass.OBJECT):
            raise CorruptFile("a struct is stored as a data set", offset=self._offset(headers, i))

    def _fill_opaque(self, headers: Headers, i: int, dataset: Any, name: str) -> None:
        headers.cls[i] = MatlabClass.OPAQUE
        headers.class_names[i] = name
        headers.set_dims(i, (1, 1))
        words = self._read(dataset).ravel() if dataset.dtype == np.dtype("u4") else np.zeros(0, np.uint32)
        dims = reference_dims(words)
        if dims is not None:
            headers.set_dims(i, dims)

    def _fields(self, group: Any) -> list[bytes]:
        """Field names in MATLAB's order; those listed without a value are no fields."""
        links = self._link_names(group)
        listed = self._listed_fields(group) if len(links) > 1 else None
        if listed is None:
            return links
        present = set(links)
        return [name for name in listed if name in present] + sorted(present.difference(listed))

    def _listed_fields(self, object_id: Any) -> list[bytes] | None:
        """Field names by the attribute, which keeps long lists in a data set of their own."""
        stored = attribute(object_id, b"MATLAB_fields")
        if isinstance(stored, h5py.Reference):
            stored = self._read(h5py.h5r.dereference(stored, self._storage.file_id))
        return None if stored is None else join_letters(stored)

    def _member(self, group: Any, name: bytes, *, optional: bool = False) -> Any:
        if optional and not group.links.exists(name):
            return None
        child_address(group, name)
        return h5o.open(group, name)

    # --- children ------------------------------------------------------------------

    def children(self, headers: Headers) -> list[Children]:
        headers.raise_first_error()
        if (headers.cls == MatlabClass.FUNCTION).all():
            # The struct that tells of the function is stored under the address of the handle.
            elements = Elements(AS_STRUCT, headers.elements.positions)
            return [Children(np.arange(len(headers)), None, elements, np.arange(len(headers) + 1))]
        self._book.open_all(headers.elements.positions)
        return collect_children((self._record(headers, i) for i in range(len(headers))), 0, self.limits)

    def _record(self, headers: Headers, i: int) -> tuple[FieldNames, int, Int64s]:
        with self._located(headers, i):
            return self._records(headers, i)

    def _records(self, headers: Headers, i: int) -> tuple[FieldNames, int, Int64s]:
        address, cls = int(headers.elements.positions[i]), int(headers.cls[i])
        source = self._book.open(address)
        if cls == MatlabClass.CELL:
            if headers.storage[i] == EMPTY:
                return None, 0, np.zeros(0, np.int64)
            references = self._references(source)
            return None, len(references), references
        if headers.storage[i] == EMPTY:
            fields = unique_names(list(map(decoded_name, self._listed_fields(source) or ())))
            return fields, 0 if fields else int(headers.numel[i]), np.zeros(0, np.int64)
        names = self._fields(source)
        fields = unique_names(list(map(decoded_name, names)))
        if headers.storage[i] == ARRAY_OF_STRUCTS:
            columns = [self._references(self._member(source, name)) for name in names]
            if any(len(column) != headers.numel[i] for column in columns):
                raise CorruptFile("the fields of a struct array differ in size", offset=self._offset(headers, i))
            return fields, int(headers.numel[i]), np.stack(columns, axis=1).ravel()
        return fields, 1, np.array([self._address(source, name) for name in names], np.int64)

    def _references(self, dataset: Any) -> Int64s:
        if not isinstance(dataset, h5d.DatasetID) or not is_reference(dataset):
            raise CorruptFile("references are expected")
        self._storage.check(dataset)
        addresses = np.empty(dataset.shape, np.uint64)
        dataset.read(h5s.ALL, h5s.ALL, addresses, mtype=h5t.STD_REF_OBJ)
        return addresses.ravel().astype(np.int64)

    # --- values --------------------------------------------------------------------

    def _read(self, dataset: Any) -> NDArray[Any]:
        self._storage.check(dataset)
        values = np.empty(dataset.shape, dataset.dtype)
        dataset.read(h5s.ALL, h5s.ALL, values)
        return values

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        headers.raise_first_error()
        parts = []
        self._book.open_all(headers.payload)
        for i in range(len(headers)):
            if headers.numel[i] == 0 or headers.storage[i] == EMPTY:
                parts.append(np.zeros(0, target_dtype(headers, i)))
                continue
            with self._located(headers, i):
                parts.append(self._values(headers, i))
        values = np.concatenate(parts) if parts else np.zeros(0)
        return values, counts_to_offsets([len(part) for part in parts])

    def _values(self, headers: Headers, i: int) -> NDArray[Any]:
        # HDF5 stores the axes reversed, so that its row-major order is MATLAB's column-major.
        return self._as_class(headers, i, self._read(self._book.open(int(headers.payload[i]))).ravel())

    def _as_class(self, headers: Headers, i: int, values: NDArray[Any]) -> NDArray[Any]:
        if values.dtype.names:
            return combine_complex(values["real"], values["imag"], single=headers.cls[i] == MatlabClass.SINGLE)
        if values.dtype.kind not in "iufb":
            raise CorruptFile(f"numbers are expected, {values.dtype} found", offset=self._offset(headers, i))
        return values.astype(target_dtype(headers, i), copy=False)

    def storage(self, headers: Headers) -> dict[str, Any]:
        headers.raise_first_error()
        with self._located(headers, 0):
            return describe_storage(self._book.open(int(headers.elements.positions[0])))

    def window_step(self, headers: Headers, axis: int) -> int:
        return 1

    def window(self, headers: Headers, axis: int, start: int, stop: int) -> NDArray[Any] | None:
        headers.raise_first_error()
        if headers.numel[0] == 0:
            return None
        with self._located(headers, 0):
            return self._hyperslab(headers, axis, start, stop)

    def _hyperslab(self, headers: Headers, axis: int, start: int, stop: int) -> NDArray[Any]:
        """A window of one data set, read by libhdf5."""
        dataset = self._book.open(int(headers.payload[0]))
        self._storage.check(dataset)
        values = read_window(dataset, axis, start, stop)
        return self._as_class(headers, 0, values.ravel()).reshape(values.shape).T

    def _member_address(self, address: int, name: bytes) -> int:
        return child_address(self._book.open(address), name)

    def objects(self) -> ObjectTable | None:
        root = self._root()
        if self._objects is None and root.links.exists(b"#subsystem#"):
            wrapper = self._member(self._member(root, b"#subsystem#"), b"MCOS", optional=True)
            if wrapper is not None:
                self._objects = ObjectTable(self, Elements(0, self._references(wrapper)), "<")
        return self._objects

    def opaque(self, headers: Headers, i: int) -> OpaqueValue:
        object_id = self._book.open(int(headers.elements.positions[i]))
        reference: Any = None
        if isinstance(object_id, h5d.DatasetID):
            values = self._read(object_id)
            reference = values.transpose() if values.dtype.kind in "iu" else None
        elif isinstance(object_id, h5g.GroupID):
            reference = Elements(AS_STRUCT, headers.elements.positions[i : i + 1])
        name = h5i.get_name(object_id) or b""
        return OpaqueValue(
            name.rsplit(b"/")[-1].decode("utf-8", "replace"),
            "MCOS",
            headers.class_names.get(i, ""),
            reference,
        )
