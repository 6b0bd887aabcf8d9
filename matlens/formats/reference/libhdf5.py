"""The open HDF5 file behind the v7.3 reader, and its objects by address."""

from __future__ import annotations

import io
import itertools
import math
from threading import Lock
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5r, h5s, h5t

from matlens.errors import CorruptFile, MatlensError, UnsafeFile, UnsupportedValue
from matlens.formats.bounds import check_stored
from matlens.formats.hdf5.hdf5_file import LINK_REFUSED, cut_off, read_superblock
from matlens.formats.hdf5.layout import SOFT_LINK
from matlens.formats.sniff import find_hdf5
from matlens.limits import Limits

H5_ERRORS = (OSError, OverflowError, RuntimeError, KeyError, ValueError, TypeError, SystemError)
"""What h5py raises for content that libhdf5 refuses."""
MAX_OPEN = 4096
BLOCK = 4096
"""References made at once."""


class _CutOff(io.RawIOBase):
    """A file that ends too early, continued with zeros up to the length it declares.

    libhdf5 refuses a truncated file as a whole; with this it reads the objects that are
    still there. `Storage.check` keeps the zeros from being taken for values.
    """

    def __init__(self, buffer: Any, size: int) -> None:
        self._buffer, self._size, self._position = buffer, size, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def readinto(self, target: Any) -> int:
        wanted = memoryview(target).cast("B")
        data = bytes(self._buffer[self._position : self._position + len(wanted)])
        wanted[: len(data)] = data
        wanted[len(data) :] = bytes(len(wanted) - len(data))
        self._position += len(wanted)
        return len(wanted)


_scratch_names = itertools.count()
"""Files in memory need names of their own, too: HDF5 opens no name twice."""


class Storage:
    """An HDF5 file opened for reading, and its objects by address; knows where its stored bytes end.

    h5py makes references only by reading them, so addresses pass through a small data set in memory, written as
    numbers and read as references.
    """

    def __init__(self, buffer: Any, path: str | None) -> None:
        self.buffer = buffer
        self.size = len(buffer)
        self.base = find_hdf5(buffer) or 0
        try:
            declared = read_superblock(buffer)[2]
        except UnsupportedValue:
            # Files of other forms do not say it in the same place.
            declared = 0
        source: Any = path if path is not None else io.BytesIO(buffer)
        self.problems = cut_off(self.size, declared)
        self.is_cut_off = bool(self.problems) and declared < self.size + (1 << 40)
        if self.is_cut_off:
            source = _CutOff(buffer, declared)
        try:
            self._file = h5py.File(source, "r", locking=False if isinstance(source, str) else None)
        except H5_ERRORS as error:
            if self.problems:
                raise self.problems[0] from None
            raise CorruptFile(f"HDF5 structure is not readable: {error}", offset=self.base) from None
        self.file_id = self._file.id
        self._scratch = h5py.File(f"matlens-{next(_scratch_names)}", "w", driver="core", backing_store=False)
        # One data set for all references, which is faster than one for each call.
        self._made = h5d.create(self._scratch.id, b"references", h5t.STD_REF_OBJ, h5s.create_simple((BLOCK,)))
        self._open: dict[int, Any] = {}
        self._lock = Lock()

    def close(self) -> None:
        with self._lock:
            self._open.clear()
            self._made = None
            self._scratch.close()
        self._file.close()
        self.buffer = b""

    def check(self, dataset: Any, limits: Limits, nbytes: int | None = None) -> None:
        """Refuse a data set of which `nbytes` are far more than it stores, or whose data are cut off."""
        creation = dataset.get_create_plist()
        if creation.get_external_count() or creation.get_layout() == h5d.VIRTUAL:
            raise UnsafeFile("values are stored in other files or data sets, which are not read")
        stored = dataset.get_storage_size()
        if nbytes is None:
            nbytes = math.prod(dataset.shape) * dataset.get_type().get_size()
        check_stored(limits, nbytes, stored)
        if self.is_cut_off and stored:
            end = self._end_of_data(dataset)
            if end > self.size:
                raise CorruptFile(f"values end at byte {end}, the file at {self.size}", offset=self.size)

    def _end_of_data(self, dataset: Any) -> int:
        layout = dataset.get_create_plist().get_layout()
        if layout == h5d.CONTIGUOUS:
            return int(dataset.get_offset() or 0) + int(dataset.get_storage_size())
        if layout == h5d.CHUNKED:
            chunks = [dataset.get_chunk_info(k) for k in range(dataset.get_num_chunks())]
            return max((int(c.byte_offset) + int(c.size) for c in chunks), default=0)
        return 0

    def open_all(self, addresses: list[int]) -> list[Any]:
        """The objects at `addresses`; an error in place of each that cannot be opened."""
        with self._lock:
            missing = [a for a in dict.fromkeys(addresses) if a not in self._open]
            inside = [a for a in missing if 0 <= a < self.size]
            opened: dict[int, Any] = {a: CorruptFile("reference leads outside the file") for a in missing}
            opened[SOFT_LINK] = UnsafeFile(LINK_REFUSED)
            opened |= zip(inside, map(self.dereference, self._references(inside)), strict=True)
            found = [opened[a] if a in opened else self._open[a] for a in addresses]
            self._open.update((a, found) for a, found in opened.items() if not isinstance(found, MatlensError))
            while len(self._open) > max(MAX_OPEN, len(addresses)):
                del self._open[next(iter(self._open))]
            return found

    def _references(self, addresses: list[int]) -> list[Any]:
        found: list[Any] = []
        for start in range(0, len(addresses), BLOCK):
            numbers = np.array(addresses[start : start + BLOCK], np.uint64)
            memory, stored = h5s.create_simple(numbers.shape), self._made.get_space()
            stored.select_hyperslab((0,), numbers.shape)
            self._made.write(memory, stored, numbers, mtype=h5t.STD_REF_OBJ)
            references = np.empty(len(numbers), dtype=h5py.ref_dtype)
            self._made.read(memory, stored, references)
            found += list(references)
        return found

    def dereference(self, reference: Any) -> Any:
        """The object that a reference leads to, or an error in place of it."""
        try:
            found = h5r.dereference(reference, self.file_id)
        except H5_ERRORS as error:
            return CorruptFile(f"reference leads to no object: {error}")
        return found if found is not None else CorruptFile("reference is null")
