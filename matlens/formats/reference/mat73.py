"""The reference reader of v7.3 files: MATLAB's rules on objects that libhdf5 reads, one by one."""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5s, h5t
from numpy.typing import NDArray

from matlens.errors import CorruptFile, LimitExceeded, MatlensError, UnsupportedValue
from matlens.formats.hdf5 import layout
from matlens.formats.hdf5.layout import FIXED, FLOAT, REFERENCE, SOFT_LINK
from matlens.formats.hdf5.object import SHOWN, H5Object, Stored, number_type
from matlens.formats.hdf5.object_single import Datatype
from matlens.formats.records import Elements, Headers
from matlens.formats.reference.libhdf5 import H5_ERRORS, Storage
from matlens.formats.v73.rules import Mat73Common
from matlens.limits import Limits

_LAYOUTS = {h5d.COMPACT: "compact", h5d.CONTIGUOUS: "contiguous", h5d.CHUNKED: "chunked", h5d.VIRTUAL: "virtual"}
_CLASSES = {h5t.INTEGER: FIXED, h5t.FLOAT: FLOAT, h5t.REFERENCE: REFERENCE}


def readable_members(group: Any) -> tuple[dict[bytes, int], list[MatlensError]]:
    """Addresses of the members of a group as far as they are readable, and what is wrong with the others."""
    found: dict[bytes, int] = {}

    def note(name: bytes, info: Any) -> None:
        found[name] = int(info.u) if info.type == h5l.TYPE_HARD else SOFT_LINK

    try:
        group.links.iterate(note, info=True)
    except H5_ERRORS as error:
        return found, [CorruptFile(f"not all links are readable: {error}")]
    return found, []


class LibraryObject(H5Object):
    """An object that libhdf5 has opened."""

    def __init__(self, storage: Storage, address: int, opened: Any, limits: Limits) -> None:
        self._storage, self._opened, self._limits = storage, opened, limits
        self.address = address
        self.is_group = isinstance(opened, h5g.GroupID)
        self.shape, self.is_reference, self.nbytes = (), False, 0
        if self.is_group:
            return
        if not isinstance(opened, h5d.DatasetID):
            raise UnsupportedValue("an HDF5 named type is not a value")
        self.shape = tuple(int(n) for n in opened.shape)
        if max(math.prod(self.shape), *self.shape, 0) >= layout.MAX_NUMEL:
            text = f"dims {'x'.join(map(str, self.shape[::-1]))} are beyond any memory"
            raise LimitExceeded.of(limits, "memory", text)
        self._type = opened.get_type()
        self.is_reference = isinstance(self._type, h5t.TypeReferenceID)
        self._memory_type = h5t.STD_REF_OBJ if self.is_reference else None
        self.nbytes = int(opened.get_storage_size())

    def has(self, name: bytes) -> bool:
        return bool(h5a.exists(self._opened, name))

    def _attribute(self, name: bytes) -> Any:
        """The value of an attribute, None without it."""
        return self._value(h5a.open(self._opened, name)) if self.has(name) else None

    def _value(self, attribute: Any) -> Any:
        if math.prod(attribute.shape) > self._limits.elements:
            raise LimitExceeded.of(self._limits, "elements", f"an attribute of {attribute.shape} values")
        values = np.empty(attribute.shape, attribute.dtype)
        attribute.read(values)
        if attribute.shape == ():
            return values[()]
        is_sequence = values.dtype == object and h5py.check_ref_dtype(values.dtype) is None
        return values.item() if values.size == 1 and not is_sequence else values

    def text(self, name: bytes) -> bytes | None:
        found = self._attribute(name)
        return None if found is None else bytes(found).rstrip(b"\0")

    def integer(self, name: bytes) -> int | None:
        found = self._attribute(name)
        return None if found is None else int(found)

    def texts(self, name: bytes) -> list[bytes] | None:
        stored = self._attribute(name)
        if isinstance(stored, h5py.Reference):
            listed = self._storage.dereference(stored)
            self._storage.check(listed, self._limits)
            stored = np.empty(listed.shape, listed.dtype)
            listed.read(h5s.ALL, h5s.ALL, stored)
        if stored is None:
            return None
        return [b"".join(np.asarray(letters).ravel().tolist()) for letters in np.asarray(stored, object).ravel()]

    def shown_attributes(self, hidden: Container[bytes]) -> dict[str, Any]:
        found = [h5a.open(self._opened, index=k) for k in range(h5a.get_num_attrs(self._opened))]
        return {
            each.name.decode("utf-8", "replace"): _plain(self._value(each)) for each in found if each.name not in hidden
        }

    def members(self) -> dict[bytes, int]:
        if not self.is_group:
            raise CorruptFile("a group is expected")
        found, problems = readable_members(self._opened)
        if problems:
            raise problems[0]
        return found

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.is_group:
            raise CorruptFile("values are expected")
        kind = self._type
        is_pair = kind.get_class() == h5t.COMPOUND
        if is_pair:
            names = [kind.get_member_name(k) for k in range(kind.get_nmembers())]
            if names != [b"real", b"imag"] or kind.get_member_type(0) != kind.get_member_type(1):
                raise UnsupportedValue("a compound of other than two equal numbers real and imag")
            kind = kind.get_member_type(0)
        cls, bits = kind.get_class(), 0
        if cls in (h5t.INTEGER, h5t.FLOAT) and kind.get_order() == h5t.ORDER_BE:
            bits |= layout.BIG_ENDIAN
        if cls == h5t.INTEGER and kind.get_sign() != h5t.SGN_NONE:
            bits |= layout.SIGNED
        return number_type(Datatype(_CLASSES.get(cls, int(cls)), bits, kind.get_size(), is_pair))

    def values(self) -> NDArray[Any]:
        dtype = self.dtype
        self._storage.check(self._opened, self._limits)
        values = np.empty(self.shape, dtype)
        self._opened.read(h5s.ALL, h5s.ALL, values, mtype=self._memory_type)
        return values

    def window(self, axis: int, start: int, stop: int) -> NDArray[Any] | None:
        first, count = [0] * len(self.shape), list(self.shape)
        first[axis], count[axis] = start, stop - start
        values = np.empty(count, self.dtype)
        self._storage.check(self._opened, self._limits, values.nbytes)
        space = self._opened.get_space()
        space.select_hyperslab(tuple(first), tuple(count))
        self._opened.read(h5s.create_simple(tuple(count)), space, values, mtype=self._memory_type)
        return values

    def stored(self) -> Stored:
        if self.is_group:
            return Stored("group")
        creation = self._opened.get_create_plist()
        name = _LAYOUTS.get(creation.get_layout(), "unknown")
        filters = [creation.get_filter(k) for k in range(creation.get_nfilters())]
        chunk = creation.get_chunk() if name == "chunked" else None
        return Stored(name, self.nbytes, chunk, [(code, values) for code, _, values, _ in filters])


def _plain(value: Any) -> Any:
    """An attribute as text, a number, or a list of these."""
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.ravel()[:SHOWN].tolist()]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if isinstance(value, np.generic) else value if isinstance(value, int | float) else str(value)


class H5pyReader(Mat73Common):
    """Reads an HDF5 file by libhdf5; `storage` owns the open file."""

    caught = (MatlensError, *H5_ERRORS)

    def __init__(self, storage: Storage, limits: Limits) -> None:
        super().__init__(storage.buffer, storage.base, limits)
        self._storage = storage
        try:
            self._root, problems = readable_members(h5g.open(storage.file_id, b"/"))
        except H5_ERRORS as error:
            raise CorruptFile(f"the root group is not readable: {error}", offset=storage.base) from None
        self.problems += storage.problems + problems

    def _release(self) -> None:
        self._storage.close()

    def damage(self, error: Exception) -> MatlensError:
        """What h5py raises means damage, also where no object is at fault."""
        if isinstance(error, H5_ERRORS) and not isinstance(error, MatlensError):
            error = CorruptFile(f"the file is not readable: {error}")
        return super().damage(error)

    def _object(self, address: int) -> LibraryObject:
        found = self._storage.open_all([address])[0]
        if isinstance(found, MatlensError):
            raise found
        return LibraryObject(self._storage, address, found, self.limits)

    def _all_headers(self, elements: Elements) -> Headers:
        self.stats["h5py"] += len(elements)
        self._storage.open_all(elements.positions.tolist())
        return self._single_headers(elements)
