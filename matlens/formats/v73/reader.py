"""Reader of v7.3 files: HDF5 in MATLAB's layout, straight from the bytes of the file.

Positions are object addresses, as stored in object references. Nothing is read before it is asked for: a file of
500,000 references opens without following one of them. Many objects of common form are read at once by
`matlens.formats.v73.batch`, few, unusual and damaged ones by the rules of `matlens.formats.v73.rules`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.formats.dtypes import target_dtype
from matlens.formats.hdf5.hdf5_file import H5File, ParsedObject
from matlens.formats.hdf5.layout import CHUNKED
from matlens.formats.hdf5.object import H5Object
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.records import Children, Elements, Headers, Int64s, MatlabClass
from matlens.formats.v73.batch import DIRECT, IN_CHUNKS, OTHER_TYPE, WANTED, Batch
from matlens.formats.v73.rules import DTYPES, PAIR, Mat73Common
from matlens.limits import Limits

BATCH = 8
"""Fewer objects than this are read one by one."""


class Mat73Reader(Mat73Common):
    """Reads an HDF5 file without libhdf5, one that as a whole is stored as MATLAB does."""

    def __init__(self, buffer: Any, limits: Limits) -> None:
        self._file = H5File(buffer, WANTED, limits)
        super().__init__(buffer, self._file.base, limits)
        self._batch = Batch(self._file)
        self._root, problems = self._file.readable_links(self._file.root)
        self.problems += self._file.problems + problems

    def _release(self) -> None:
        self._file.close()

    def _object(self, address: int) -> ParsedObject:
        return self._file.object(address)

    def _all_headers(self, elements: Elements) -> Headers:
        if len(elements) < BATCH:
            self.stats["single"] += len(elements)
            return self._single_headers(elements)
        headers, left = self._batch.headers(elements)
        self.stats["batch"] += len(elements) - len(left)
        self.stats["unusual"] += len(left)
        return headers.put(left, self._single_headers(elements.take(left)))

    def _place(self, headers: Headers, i: int, found: H5Object) -> None:
        """Where the values stand, if their type is that of the class."""
        assert isinstance(found, ParsedObject)
        header, expected = found.header, DTYPES[int(headers.cls[i])]
        if headers.is_complex[i]:
            expected = np.dtype([(part.decode(), expected) for part in PAIR])
        if found.dtype != expected:
            headers.storage[i] = OTHER_TYPE
        elif header.layout == CHUNKED:
            headers.storage[i] = IN_CHUNKS
        elif header.data < 0 and headers.numel[i]:
            headers.storage[i] = OTHER_TYPE
        else:
            headers.storage[i], headers.payload[i] = DIRECT, max(header.data, 0)

    def _all_children(self, headers: Headers) -> list[Children]:
        if len(headers) < BATCH:
            return super()._all_children(headers)
        left, found = np.arange(len(headers)), list[Children]()
        if (headers.cls == MatlabClass.CELL).all() and _is_batched(headers):
            cells = self._batch.cells(headers)
            if cells is not None:
                return [cells]
        elif (headers.cls == MatlabClass.STRUCT).all():
            found, left = self._batch.structs(headers)
        if len(left):
            single = super()._all_children(headers.take(left))
            found += [replace(children, parents=left[children.parents]) for children in single]
        return found

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        headers.raise_first_error()
        if len(headers) and _is_batched(headers):
            values = self._batch.gather(headers)
            if values is not None:
                return values.astype(target_dtype(headers), copy=False), counts_to_offsets(headers.numel)
        return super().gather(headers)


def _is_batched(headers: Headers) -> bool:
    """Whether values of their own type are stored for all elements."""
    return bool(np.isin(headers.storage[headers.numel > 0], (DIRECT, IN_CHUNKS)).all())
