"""The reference reader of v7.3 files: MATLAB's rules on objects that libhdf5 reads, one by one."""

from __future__ import annotations

from matlens.errors import CorruptFile, MatlensError
from matlens.formats.records import Elements, Headers
from matlens.formats.reference.libhdf5 import H5_ERRORS, Storage
from matlens.formats.reference.libhdf5_object import LibraryObject, readable_members
from matlens.formats.v73.rules import Mat73Common
from matlens.limits import Limits


class H5pyReader(Mat73Common):
    """Reads an HDF5 file by libhdf5; `storage` owns the open file."""

    caught = (MatlensError, *H5_ERRORS)

    def __init__(self, storage: Storage, limits: Limits) -> None:
        super().__init__(storage.buffer, storage.base, limits)
        self._storage = storage
        try:
            self._root, problems = readable_members(storage.root())
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
