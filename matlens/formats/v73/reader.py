"""Reader of v7.3 files: HDF5 in MATLAB's layout, straight from the bytes of the file.

Positions are object addresses, as stored in object references. Nothing is read before it is asked for: a file of
500,000 references opens without following one of them. Many objects of common form are read at once by
`matlens.formats.v73.batch`, few, unusual and damaged ones by `matlens.formats.v73.single`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, MatlensError
from matlens.formats.children import FieldNames, collect_children
from matlens.formats.dtypes import combine_complex, target_dtype
from matlens.formats.hdf5.hdf5_file import H5File
from matlens.formats.mcos import ObjectTable, mark_references
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.records import Children, Elements, Headers, Int64s, MatlabClass, OpaqueValue, Variable
from matlens.formats.v73.batch import Batch
from matlens.formats.v73.rules import AS_STRUCT, EMPTY, REFERENCE_BYTES, Mat73Common
from matlens.formats.v73.single import DIRECT, IN_CHUNKS, Singles, elements_as_struct
from matlens.limits import Limits

__all__ = ["Mat73Reader"]

BATCH = 8
"""Fewer objects than this are read one by one."""


class Mat73Reader(Mat73Common):
    """Reads an HDF5 file without libhdf5.

    Raises
    ------
    UnsupportedValue
        If the file as a whole is not stored as MATLAB does.
    """

    version = "7.3"

    def __init__(self, buffer: Any, limits: Limits) -> None:
        self.limits = limits
        self._file = H5File(buffer, limits)
        self._singles = Singles(self._file)
        self._batch = Batch(self._file)
        self.header = self._file.header
        self.stats: Counter[str] = Counter()
        self._objects: ObjectTable | None = None
        self.most_unshared = len(buffer) // REFERENCE_BYTES
        self._root = self._file.links(self._file.root)
        self.problems: list[MatlensError] = self._file.problems

    def close(self) -> None:
        self._file.close()

    # --- variables -----------------------------------------------------------------

    def variables(self) -> list[Variable]:
        found = []
        for raw, address in self._root.items():
            if raw.startswith(b"#"):
                continue
            headers = self._single_headers(Elements(0, np.array([address], np.int64)))
            try:
                size = self._singles.stored_size(address) if headers.ok[0] else (False, None)
            except MatlensError:
                # Its values are not readable, which reading them will say.
                size = False, None
            name = raw.decode("utf-8", "surrogateescape")
            found.append(Variable(name, headers.elements, headers, *size))
        return found

    # --- headers -------------------------------------------------------------------

    def prefetch(self, elements: Iterable[Elements]) -> None:
        """Nothing is gained by it here."""

    def headers(self, elements: Elements) -> Headers:
        if len(elements) < BATCH:
            headers = self._single_headers(elements)
            self.stats["single"] += len(elements)
        else:
            headers, left = self._batch.headers(elements)
            headers = headers.put(left, self._single_headers(elements.take(left)))
            self.stats["batch"] += len(elements) - len(left)
            self.stats["unusual"] += len(left)
        if self._objects is not None:
            mark_references(headers, self._objects, self._may_refer(headers), self.gather)
        return headers

    def _single_headers(self, elements: Elements) -> Headers:
        """Headers of objects one by one."""
        headers = Headers.empty(elements, max_ndim=32)
        for i in range(len(elements)):
            try:
                with self._located(headers, i):
                    self._singles.fill(headers, i)
            except MatlensError as error:
                headers.ok[i], headers.errors[i] = False, error
        return headers

    @contextmanager
    def _located(self, headers: Headers, i: int) -> Iterator[None]:
        """Say where the object is in errors that do not."""
        try:
            yield
        except MatlensError as error:
            if error.offset is None and headers.elements.positions[i] >= 0:
                error.offset = self._offset(headers, i)
            raise

    # --- children ------------------------------------------------------------------

    def children(self, headers: Headers) -> list[Children]:
        headers.raise_first_error()
        everything = left = np.arange(len(headers))
        found: list[Children] = []
        if (headers.cls == MatlabClass.FUNCTION).all():
            # The struct that tells of the function is stored under the address of the handle.
            elements = Elements(AS_STRUCT, headers.elements.positions)
            return [Children(everything, None, elements, np.arange(len(headers) + 1))]
        if len(headers) >= BATCH and (headers.cls == MatlabClass.CELL).all() and _is_batched(headers):
            cells = self._batch.cells(headers)
            if cells is not None:
                return [cells]
        elif len(headers) >= BATCH and (headers.cls == MatlabClass.STRUCT).all():
            found, left = self._batch.structs(headers)
        if len(left):
            single = collect_children((self._record(headers, i) for i in left.tolist()), 0, self.limits)
            found += [replace(children, parents=left[children.parents]) for children in single]
        return found

    def _record(self, headers: Headers, i: int) -> tuple[FieldNames, int, Int64s]:
        with self._located(headers, i):
            return self._singles.record(headers, i)

    # --- values --------------------------------------------------------------------

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        headers.raise_first_error()
        if len(headers) and _is_batched(headers):
            values = self._batch.gather(headers)
            if values is not None:
                return values.astype(target_dtype(headers), copy=False), counts_to_offsets(headers.numel)
        parts = [self._values(headers, i) for i in range(len(headers))]
        values = np.concatenate(parts) if parts else np.zeros(0)
        return values, counts_to_offsets([len(part) for part in parts])

    def _values(self, headers: Headers, i: int) -> NDArray[Any]:
        if headers.numel[i] == 0 or headers.storage[i] == EMPTY:
            return np.zeros(0, target_dtype(headers, i))
        with self._located(headers, i):
            # HDF5 stores the axes reversed, so that its row-major order is MATLAB's column-major.
            values = self._singles.values(self._file.object(int(headers.elements.positions[i]))).ravel()
        if values.dtype.names:
            return combine_complex(values["real"], values["imag"], single=headers.cls[i] == MatlabClass.SINGLE)
        return np.asarray(values.astype(target_dtype(headers, i), copy=False))

    def storage(self, headers: Headers) -> dict[str, Any]:
        headers.raise_first_error()
        with self._located(headers, 0):
            return self._singles.describe(int(headers.elements.positions[0]))

    def window_step(self, headers: Headers, axis: int) -> int:
        return self._batch.window_step(headers, axis) if headers.storage[0] == IN_CHUNKS else 1

    def window(self, headers: Headers, axis: int, start: int, stop: int) -> NDArray[Any] | None:
        headers.raise_first_error()
        if headers.storage[0] != IN_CHUNKS or headers.numel[0] == 0:
            return None
        with self._located(headers, 0):
            return self._batch.window(headers, axis, start, stop)

    def _offset(self, headers: Headers, i: int) -> int:
        return int(headers.elements.positions[i]) + self._file.base

    def _member_address(self, address: int, name: bytes) -> int:
        found = self._file.links(address).get(name)
        if found is None:
            raise CorruptFile(f"{name.decode()} of a sparse matrix is missing")
        return found

    # --- objects -------------------------------------------------------------------

    def objects(self) -> ObjectTable | None:
        if self._objects is None and b"#subsystem#" in self._root:
            wrapper = self._file.links(self._root[b"#subsystem#"]).get(b"MCOS")
            if wrapper is not None:
                cells = Elements(0, self._singles.references(self._file.object(wrapper)))
                self._objects = ObjectTable(self, cells, "<")
        return self._objects

    def opaque(self, headers: Headers, i: int) -> OpaqueValue:
        with self._located(headers, i):
            found = self._file.object(int(headers.elements.positions[i]))
            reference: Any = elements_as_struct(headers, i)
            if not found.is_group:
                values = self._singles.values(found)
                reference = values.transpose() if values.dtype.kind in "iu" else None
        return OpaqueValue("", "MCOS", headers.class_names.get(i, ""), reference)


def _is_batched(headers: Headers) -> bool:
    """Whether values of their own type are stored for all elements."""
    return bool(np.isin(headers.storage[headers.numel > 0], (DIRECT, IN_CHUNKS)).all())
