"""MATLAB's values in v7.3 files one by one: what an object's attributes, type and members say of it."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, LimitExceeded, MatlensError, UnsupportedValue
from matlens.formats.bounds import check_stored
from matlens.formats.children import FieldNames, unique_names
from matlens.formats.hdf5.bytes import Bytes
from matlens.formats.hdf5.chunks import FILTER_NAMES, Chunks, read_chunks, read_filters, read_values
from matlens.formats.hdf5.hdf5_file import H5File
from matlens.formats.hdf5.headers import CHUNKED, FIXED, FLOAT, REFERENCE, STRING, VLEN
from matlens.formats.hdf5.links import heap_items
from matlens.formats.hdf5.object import Attribute, Datatype, H5Object
from matlens.formats.mcos import reference_dims
from matlens.formats.records import CLASS_DTYPES, Elements, Headers, Int64s, MatlabClass
from matlens.formats.v73.rules import (
    ARRAY_OF_STRUCTS,
    AS_STRUCT,
    CLASSES,
    EMPTY,
    FUNCTION,
    MAX_REFERENCE,
    OLD_OBJECT,
    OPAQUE,
    decoded_name,
)

__all__ = ["DIRECT", "IN_CHUNKS", "OTHER_TYPE", "Singles"]

DIRECT, IN_CHUNKS, OTHER_TYPE = 16, 17, 18
"""Storage of values at the byte offset `payload`, of values in chunks of the object at the address `payload`, and of
values of another type than that of their class."""
_SHOWN = 20
"""Values of an attribute that are shown."""
_BY_DTYPE = {dtype: cls for cls, dtype in CLASS_DTYPES.items()}
_LAYOUTS = ("compact", "contiguous", "chunked")
_DTYPES = {int(cls): dtype for cls, dtype in CLASS_DTYPES.items()} | {
    int(MatlabClass.CHAR): np.dtype("u2"),
    int(MatlabClass.CELL): np.dtype("u8"),
}


class Singles:
    """Reads the values of one file by the addresses of their objects."""

    def __init__(self, file: H5File) -> None:
        self._file = file
        self._source = Bytes(file.buffer)

    # --- headers -------------------------------------------------------------------

    def fill(self, headers: Headers, i: int) -> None:
        """Fill in the header of element `i`."""
        address = int(headers.elements.positions[i])
        found = self._file.object(address)
        headers.payload[i] = address
        headers.is_global[i] = b"MATLAB_global" in found.attributes
        name, decode = self._text(found, b"MATLAB_class"), self._integer(found, b"MATLAB_object_decode") or 0
        if headers.elements.segment == AS_STRUCT:
            name, decode = b"struct", 0
        if found.is_group:
            self._fill_group(headers, i, found, name, decode)
        else:
            self._fill_data_set(headers, i, found, name, decode)

    def _fill_group(self, headers: Headers, i: int, found: H5Object, name: bytes | None, decode: int) -> None:
        rows = self._integer(found, b"MATLAB_sparse")
        if rows is not None:
            self._fill_sparse(headers, i, name, rows)
            return
        headers.set_dims(i, (1, 1))
        kinds = {OPAQUE: MatlabClass.OPAQUE, FUNCTION: MatlabClass.FUNCTION, OLD_OBJECT: MatlabClass.OBJECT}
        headers.cls[i] = kinds.get(decode, MatlabClass.STRUCT)
        if decode in (OPAQUE, OLD_OBJECT):
            headers.class_names[i] = decoded_name(name)
        if decode in (OPAQUE, FUNCTION):
            return
        address = int(headers.elements.positions[i])
        links = self._file.links(address)
        for field in self._fields(address):
            try:
                first = self._file.object(links[field])
            except MatlensError:
                # What is wrong with one member is said where it is read.
                continue
            if is_reference(first) and b"MATLAB_class" not in first.attributes:
                headers.storage[i] = ARRAY_OF_STRUCTS
                headers.set_dims(i, matlab_dims(first))
            return

    def _fill_sparse(self, headers: Headers, i: int, name: bytes | None, rows: int) -> None:
        links = self._file.links(int(headers.elements.positions[i]))
        if b"jc" not in links:
            raise CorruptFile("jc of a sparse matrix is missing")
        columns = self._file.object(links[b"jc"]).dataspace
        if columns is None or columns.numel < 1 or not 0 <= rows < 1 << 48:
            raise CorruptFile(f"a sparse matrix of {rows} rows without columns")
        values = self._file.object(links[b"data"]) if b"data" in links else None
        headers.cls[i] = MatlabClass.SPARSE
        headers.is_logical[i] = name == b"logical"
        headers.is_complex[i] = values is not None and values.datatype is not None and values.datatype.is_complex
        headers.set_dims(i, (rows, columns.numel - 1))

    def _fill_data_set(self, headers: Headers, i: int, found: H5Object, name: bytes | None, decode: int) -> None:
        headers.set_dims(i, matlab_dims(found))
        headers.nbytes[i] = found.data_size
        if decode == OPAQUE:
            self._fill_opaque(headers, i, found, decoded_name(name))
            return
        cls = class_of_type(found) if name is None else CLASSES.get(name, MatlabClass.OBJECT)
        headers.cls[i] = cls
        headers.is_logical[i] = name == b"logical"
        if cls == MatlabClass.OBJECT:
            headers.class_names[i] = decoded_name(name)
        if self._integer(found, b"MATLAB_empty"):
            headers.storage[i], headers.nbytes[i] = EMPTY, 0
            headers.set_dims(i, self._empty_dims(found, name))
        elif cls == MatlabClass.CELL and not is_reference(found):
            raise CorruptFile("a cell is stored without references")
        elif cls not in _DTYPES:
            raise CorruptFile(f"a {MatlabClass(cls).name.lower()} is stored as a data set")
        else:
            self._fill_place(headers, i, found)

    def _fill_place(self, headers: Headers, i: int, found: H5Object) -> None:
        """Where the values stand, if their type is that of the class."""
        dtype, expected = numpy_dtype(found), _DTYPES[int(headers.cls[i])]
        headers.is_complex[i] = dtype.names is not None
        if dtype != (np.dtype([("real", expected), ("imag", expected)]) if dtype.names else expected):
            headers.storage[i] = OTHER_TYPE
        elif found.layout == CHUNKED:
            headers.storage[i] = IN_CHUNKS
        elif found.data < 0 and headers.numel[i]:
            headers.storage[i] = OTHER_TYPE
        else:
            headers.storage[i], headers.payload[i] = DIRECT, max(found.data, 0)

    def _empty_dims(self, found: H5Object, name: bytes | None) -> tuple[int, ...]:
        dims = tuple(int(n) for n in self.values(found).ravel()) if matlab_dims(found)[0] <= 32 else ()
        # Only a struct without fields may be stored so and yet have elements.
        fieldless = name == b"struct" and b"MATLAB_fields" not in found.attributes
        if not 2 <= len(dims) <= 32 or max(dims) >= 1 << 48 or (all(dims) and not fieldless):
            raise CorruptFile(f"dims {'x'.join(map(str, dims[:8]))} of an empty array", offset=found.position)
        return dims

    def _fill_opaque(self, headers: Headers, i: int, found: H5Object, name: str) -> None:
        headers.cls[i] = MatlabClass.OPAQUE
        headers.class_names[i] = name
        headers.set_dims(i, (1, 1))
        is_short = found.dataspace is not None and found.dataspace.numel <= MAX_REFERENCE
        words = self.values(found).ravel() if is_short and numpy_dtype(found) == np.uint32 else np.zeros(0, np.uint32)
        dims = reference_dims(words)
        if dims is not None:
            headers.set_dims(i, dims)

    # --- attributes ----------------------------------------------------------------

    def _text(self, found: H5Object, name: bytes) -> bytes | None:
        stored = found.attributes.get(name)
        if stored is None:
            return None
        if stored.datatype.cls != STRING or stored.datatype.size > stored.room:
            raise CorruptFile(f"attribute {name.decode()} is no text", offset=stored.data)
        return bytes(self._file.buffer[stored.data : stored.data + stored.datatype.size]).rstrip(b"\0")

    def _integer(self, found: H5Object, name: bytes) -> int | None:
        stored = found.attributes.get(name)
        if stored is None:
            return None
        kind = stored.datatype
        if kind.cls != FIXED or kind.size > min(stored.room, 8) or stored.dataspace.numel != 1:
            raise CorruptFile(f"attribute {name.decode()} is no integer", offset=stored.data)
        raw = bytes(self._file.buffer[stored.data : stored.data + kind.size])
        return int.from_bytes(raw, "big" if kind.bits & 1 else "little", signed=bool(kind.bits & 8))

    def _listed_fields(self, found: H5Object) -> list[bytes] | None:
        """Field names by the attribute, which keeps long lists in a data set of their own."""
        stored = found.attributes.get(b"MATLAB_fields")
        if stored is None:
            return None
        data, count, kind = stored.data, stored.dataspace.numel, stored.datatype
        if kind.cls == REFERENCE and kind.size == 8 and stored.room >= 8:
            (address,) = struct.unpack_from("<Q", self._file.buffer, data)
            names = self._file.object(address)
            if names.dataspace is None or names.datatype is None:
                raise CorruptFile("the list of field names is missing", offset=names.position)
            data, count, kind = names.data, names.dataspace.numel, names.datatype
        elif 16 * count > stored.room:
            raise CorruptFile(f"{count} field names in {stored.room} bytes", offset=data)
        if kind.cls != VLEN or kind.size != 16:
            raise CorruptFile(f"{count} field names of a type that has none", offset=data)
        return heap_items(self._file.buffer, self._file.base, data, count)

    def _fields(self, address: int) -> list[bytes]:
        """Field names in MATLAB's order; those listed without a value are no fields."""
        links, limits = self._file.links(address), self._file.limits
        if len(links) > limits.fields:
            raise LimitExceeded.of(limits, "fields", f"{len(links)} fields")
        listed = self._listed_fields(self._file.object(address)) if len(links) > 1 else None
        if listed is None:
            return list(links)
        names = [name for name in dict.fromkeys(listed) if name in links]
        return names + sorted(links.keys() - set(names))

    # --- children ------------------------------------------------------------------

    def record(self, headers: Headers, i: int) -> tuple[FieldNames, int, Int64s]:
        """Field names, number of records, and addresses of the children of parent `i`."""
        address, cls = int(headers.elements.positions[i]), int(headers.cls[i])
        found = self._file.object(address)
        none = np.zeros(0, np.int64)
        if cls == MatlabClass.CELL:
            references = none if headers.storage[i] == EMPTY else self.references(found)
            return None, len(references), references
        if headers.storage[i] == EMPTY:
            fields = unique_names(list(map(decoded_name, self._listed_fields(found) or ())))
            return fields, 0 if fields else int(headers.numel[i]), none
        links, names = self._file.links(address), self._fields(address)
        fields = unique_names(list(map(decoded_name, names)))
        if headers.storage[i] != ARRAY_OF_STRUCTS:
            return fields, 1, np.array([links[name] for name in names], np.int64)
        columns = [self.references(self._file.object(links[name])) for name in names]
        if any(len(column) != headers.numel[i] for column in columns):
            raise CorruptFile("the fields of a struct array differ in size")
        return fields, int(headers.numel[i]), np.stack(columns, axis=1).ravel()

    def references(self, found: H5Object) -> Int64s:
        """Addresses in a data set of references, in MATLAB's order."""
        if not is_reference(found):
            raise CorruptFile("references are expected", offset=found.position)
        return np.asarray(self.values(found).ravel().astype(np.int64))

    # --- values --------------------------------------------------------------------

    def values(self, found: H5Object) -> NDArray[Any]:
        """Values of a data set in their own type and HDF5's order; complex ones as pairs.

        Raises
        ------
        CorruptFile, UnsafeFile, LimitExceeded, UnsupportedValue
            If they are damaged, or not stored as MATLAB does.
        """
        dtype, space = numpy_dtype(found), found.dataspace
        if space is None:
            raise CorruptFile("values are expected", offset=found.position)
        if space.numel == 0:
            return np.zeros(space.dims, dtype)
        if found.layout == CHUNKED:
            chunks = self._chunks(found)
            return read_values(self._source, [chunks], dtype)[0].reshape(space.dims)
        if found.data < 0:
            return self._unstored(found, dtype, space.dims)
        return np.frombuffer(self._file.buffer, dtype, space.numel, found.data).reshape(space.dims)

    def _unstored(self, found: H5Object, dtype: np.dtype[Any], dims: tuple[int, ...]) -> NDArray[Any]:
        check_stored(self._file.limits, math.prod(dims) * dtype.itemsize, 0)
        fill = found.fill if len(found.fill) == dtype.itemsize else bytes(dtype.itemsize)
        return np.full(dims, np.frombuffer(fill, dtype)[0])

    def _chunks(self, found: H5Object) -> Chunks:
        return read_chunks(self._source, self._file.base, found, self._file.limits)

    # --- storage -------------------------------------------------------------------

    def stored_size(self, address: int) -> tuple[bool, int | None]:
        """Whether a data set is compressed, and how many bytes it takes in the file."""
        found = self._file.object(address)
        if found.is_group:
            return False, None
        if found.layout != CHUNKED:
            return False, found.data_size
        chunks = self._chunks(found)
        return bool(chunks.filters), int(chunks.nbytes.sum())

    def describe(self, address: int) -> dict[str, Any]:
        """Layout, chunks, filters and attributes of an object; dims in MATLAB's order."""
        found = self._file.object(address)
        attributes = {
            name.decode("utf-8", "replace"): self._shown(name, found, stored)
            for name, stored in found.attributes.items()
            if name != b"MATLAB_fields"
        }
        if found.is_group or found.datatype is None or found.layout is None:
            return {"layout": "group", "attributes": attributes}
        filters = [_filter_text(*each) for each in read_filters(self._source, found.filters)]
        is_chunked = found.layout == CHUNKED
        chunk = list(self._chunks(found).shape[::-1]) if is_chunked else None
        return {
            "type": _type_text(found),
            "layout": _LAYOUTS[found.layout],
            **({"chunk": chunk} if chunk else {}),
            "filters": filters,
            "bytes": self.stored_size(address)[1],
            "attributes": attributes,
        }

    def _shown(self, name: bytes, found: H5Object, stored: Attribute) -> Any:
        """The value of an attribute as text, a number, or a list of these."""
        buffer, kind, count = self._file.buffer, stored.datatype, min(stored.dataspace.numel, _SHOWN)
        if kind.size * count > stored.room:
            raise CorruptFile(f"attribute {decoded_name(name)} is cut off", offset=stored.data)
        if kind.cls == VLEN and kind.size == 16:
            items: list[Any] = list(map(decoded_name, heap_items(buffer, self._file.base, stored.data, count)))
        elif kind.cls == STRING:
            texts = np.frombuffer(buffer, f"S{kind.size}", count, stored.data).tolist()
            items = [text.decode("utf-8", "replace") for text in texts]
        elif kind.cls in (FIXED, FLOAT):
            items = np.frombuffer(buffer, type_of(kind, stored.data), count, stored.data).tolist()
        else:
            return f"{stored.dataspace.numel} values"
        return items[0] if stored.dataspace.numel == 1 else items


def numpy_dtype(found: H5Object) -> np.dtype[Any]:
    """NumPy's type for the values of a data set."""
    if found.datatype is None:
        raise CorruptFile("values are expected", offset=found.position)
    return type_of(found.datatype, found.position)


def type_of(kind: Datatype, offset: int) -> np.dtype[Any]:
    """NumPy's type for numbers and references."""
    if kind.cls == REFERENCE and kind.size == 8:
        return np.dtype("<u8")
    order = ">" if kind.bits & 1 else "<"
    letter = {FLOAT: "f", FIXED: "i" if kind.bits & 8 else "u"}.get(kind.cls)
    if letter is None or kind.size not in ((4, 8) if letter == "f" else (1, 2, 4, 8)):
        raise UnsupportedValue(f"{_kind_text(kind)} is no MATLAB value", offset=offset)
    part = np.dtype(f"{order}{letter}{kind.size}")
    return np.dtype([("real", part), ("imag", part)]) if kind.is_complex else part


def _kind_text(kind: Datatype) -> str:
    names = {STRING: "text of fixed length", VLEN: "a variable-length type", 8: "an enumeration", 4: "a bit field"}
    return names.get(kind.cls, f"HDF5 type {kind.cls} of {kind.size} bytes")


def is_reference(found: H5Object) -> bool:
    return found.datatype is not None and found.datatype.cls == REFERENCE and found.datatype.size == 8


def matlab_dims(found: H5Object) -> tuple[int, ...]:
    """Dims in MATLAB's order; a vector of plain HDF5 is a column, as h5read of MATLAB returns it."""
    dims = found.dataspace.dims if found.dataspace is not None else ()
    return dims[::-1] if len(dims) > 1 else (dims[0] if dims else 1, 1)


def class_of_type(found: H5Object) -> int:
    """Class of a data set that does not name it: inside sparse groups, or not from MATLAB."""
    if is_reference(found):
        return MatlabClass.CELL
    dtype = numpy_dtype(found)
    return _BY_DTYPE[(dtype["real"] if dtype.names else dtype).newbyteorder("=")]


def _type_text(found: H5Object) -> str:
    if is_reference(found):
        return "reference"
    dtype = numpy_dtype(found)
    return f"complex {dtype['real']}" if dtype.names else str(dtype)


def _filter_text(number: int, values: tuple[int, ...]) -> str:
    name = FILTER_NAMES.get(number, f"filter {number}")
    return f"{name} {values[0]}" if name == "deflate" and values else name


def elements_as_struct(headers: Headers, i: int) -> Elements:
    """The struct that the group of an object stores."""
    return Elements(AS_STRUCT, headers.elements.positions[i : i + 1])
