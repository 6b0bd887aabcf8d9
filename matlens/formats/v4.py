"""Reader of v4 files: a header of five integers, a name, and numbers.

Layout after MathWorks, *MAT-File Format* (R2023b), chapter "Level 4 MAT-Files". Every
numeric matrix of the format is a double in MATLAB, however few bytes it takes on disk.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, LimitExceeded, MatlensError, NotAMatFile, UnsupportedValue
from matlens.formats.bounds import check_stored
from matlens.formats.dtypes import combine_complex
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.reader import Reader
from matlens.formats.records import Children, Elements, Headers, Int64s, MatlabClass, Triplets, Variable
from matlens.formats.sparse import join_triplets
from matlens.limits import Limits

_DTYPES = {0: "f8", 1: "f4", 2: "i4", 3: "i2", 4: "u2", 5: "u1"}
_NUMERIC, _TEXT, _SPARSE = 0, 1, 2


class _Matrix(NamedTuple):
    """One matrix header; `dtype` is that of the stored numbers, `data` their offset."""

    name: str
    kind: int
    dtype: np.dtype[Any]
    rows: int
    cols: int
    is_complex: bool
    data: int
    next: int


def _parse(buffer: Any, position: int, limits: Limits) -> _Matrix:
    """The matrix header at `position`; raises `CorruptFile` if there is none."""
    if not 0 <= position <= len(buffer):
        raise CorruptFile(f"no matrix stands at byte {position}")
    if position + 20 > len(buffer):
        raise CorruptFile(f"file ends after {len(buffer)} bytes, inside a header", offset=position)
    order = "<" if 0 <= struct.unpack_from("<i", buffer, position)[0] < 5000 else ">"
    mopt, rows, cols, imaginary, name_length = struct.unpack_from(order + "5i", buffer, position)
    machine, zero, precision, kind = mopt // 1000, mopt // 100 % 10, mopt // 10 % 10, mopt % 10
    if mopt < 0 or machine > 4 or zero or precision not in _DTYPES or kind > 2:
        raise CorruptFile(f"matrix type {mopt} is no v4 type", offset=position)
    if machine > 1:
        raise UnsupportedValue(f"VAX and Cray floating point (machine code {machine})", offset=position)
    if rows < 0 or cols < 0 or imaginary not in (0, 1) or not 0 < name_length <= len(buffer) - position - 20:
        raise CorruptFile(
            f"header declares {rows}x{cols}, imaginary flag {imaginary}, name of {name_length} bytes", offset=position
        )
    if name_length > limits.name:
        raise LimitExceeded.of(limits, "name", f"a name of {name_length} bytes", offset=position)
    data = position + 20 + name_length
    name = bytes(buffer[position + 20 : data]).split(b"\0")[0].decode("latin-1")
    dtype = np.dtype(order + _DTYPES[precision])
    is_complex = bool(imaginary) and kind == _NUMERIC
    size = rows * cols * dtype.itemsize * (2 if is_complex else 1)
    return _Matrix(name, kind, dtype, rows, cols, is_complex, data, data + size)


def looks_like_v4(buffer: Any) -> bool:
    """Whether `buffer` begins with the header of a v4 matrix and a printable name."""
    try:
        name = _parse(buffer, 0, Limits()).name
    except UnsupportedValue:
        return True
    except MatlensError:
        return False
    return name.isprintable() and name != ""


class Mat4Reader(Reader):
    """Reads a v4 file held in `buffer`; positions are the byte offsets of matrix headers."""

    version = "v4"

    def __init__(self, buffer: Any, limits: Limits) -> None:
        super().__init__(limits)
        self._file = buffer
        if len(buffer) == 0:
            raise NotAMatFile("the file is empty")

    def _release(self) -> None:
        self._file = b""

    def _find_variables(self) -> list[Variable]:
        found: list[Variable] = []
        position = 0
        while position < len(self._file):
            try:
                matrix = _parse(self._file, position, self.limits)
            except MatlensError as error:
                self.problems.append(error)
                break
            elements = Elements(0, np.array([position], np.int64))
            size = min(matrix.next, len(self._file)) - matrix.data
            found.append(Variable(matrix.name, elements, self.headers(elements), stored_bytes=max(size, 0)))
            position = matrix.next
        return found

    def headers(self, elements: Elements) -> Headers:
        headers = Headers.empty(elements)
        self.stats["own"] += len(elements)
        return self._fill_each(headers, lambda i: self._fill(headers, i, int(elements.positions[i])))

    def storage(self, headers: Headers) -> dict[str, Any]:
        headers.raise_first_error()
        matrix = _parse(self._file, int(headers.elements.positions[0]), self.limits)
        return {"type": matrix.dtype.name, "offset": matrix.data, "bytes": int(headers.nbytes[0])}

    def _fill(self, headers: Headers, i: int, position: int) -> None:
        matrix = _parse(self._file, position, self.limits)
        if matrix.next >= 1 << 62:
            dims = f"{matrix.rows}x{matrix.cols}"
            raise CorruptFile(f"{dims} items declared in a file of {len(self._file)} bytes", offset=matrix.data)
        headers.payload[i] = matrix.data
        headers.nbytes[i] = matrix.next - matrix.data
        headers.is_complex[i] = matrix.is_complex
        headers.set_dims(i, (matrix.rows, matrix.cols))
        headers.cls[i] = (MatlabClass.DOUBLE, MatlabClass.CHAR, MatlabClass.SPARSE)[matrix.kind]
        if matrix.next > len(self._file):
            stored = max(len(self._file) - matrix.data, 0) // matrix.dtype.itemsize
            raise CorruptFile(f"{stored} items stored, {matrix.rows}x{matrix.cols} declared", offset=matrix.data)
        if matrix.kind == _SPARSE:
            headers.set_dims(i, self._sparse_dims(matrix))
            headers.is_complex[i] = matrix.cols == 4

    def _numbers(self, matrix: _Matrix) -> NDArray[Any]:
        count = matrix.rows * matrix.cols
        parts = np.frombuffer(self._file, matrix.dtype, count * (1 + matrix.is_complex), matrix.data)
        native = parts.astype(matrix.dtype.newbyteorder("="), copy=False)
        if matrix.is_complex:
            return combine_complex(native[:count], native[count:], single=False)
        return native

    def _sparse_dims(self, matrix: _Matrix) -> tuple[int, int]:
        if matrix.cols not in (3, 4) or matrix.rows < 1:
            raise CorruptFile(
                f"a sparse matrix is stored as n x 3 or n x 4, {matrix.rows}x{matrix.cols} found", offset=matrix.data
            )
        table = self._numbers(matrix).reshape((matrix.rows, matrix.cols), order="F")
        dims = table[-1, :2]
        if not (np.isfinite(dims).all() and (dims >= 0).all() and (dims < 2**31).all()):
            raise CorruptFile(f"dims {dims.tolist()} of a sparse matrix", offset=matrix.data)
        # In memory, each column has a start, which this version does not store.
        check_stored(self.limits, 8 * (int(dims[1]) + 1), matrix.next - matrix.data)
        return int(dims[0]), int(dims[1])

    def children(self, headers: Headers, *, keep_damage: bool = False) -> list[Children]:
        headers.raise_first_error()
        return []

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        headers.raise_first_error()
        parts = []
        for i, position in enumerate(headers.elements.positions.tolist()):
            values = self._numbers(_parse(self._file, position, self.limits))
            if headers.cls[i] == MatlabClass.CHAR:
                if not ((values >= 0) & (values < 65536)).all():
                    raise CorruptFile("a character code outside 0 to 65535", offset=int(headers.payload[i]))
                values = values.astype(np.uint16)
            elif not as_stored and not headers.is_complex[i]:
                values = values.astype(np.float64)
            parts.append(values)
        # A single one may be a view of the file.
        values = parts[0] if len(parts) == 1 else np.concatenate(parts or [np.zeros(0)])
        return values, counts_to_offsets([len(part) for part in parts])

    def triplets(self, headers: Headers) -> Triplets:
        headers.raise_first_error()
        return join_triplets([self._sparse(headers, i) for i in range(len(headers))])

    def _sparse(self, headers: Headers, i: int) -> tuple[Int64s, Int64s, NDArray[Any]]:
        matrix = _parse(self._file, int(headers.elements.positions[i]), self.limits)
        table = self._numbers(matrix).reshape((matrix.rows, matrix.cols), order="F")[:-1]
        rows, cols = headers.shape(i)
        if not ((table[:, :2] >= 1) & (table[:, :2] <= (rows, cols))).all():
            raise CorruptFile(f"an index outside {rows}x{cols}", offset=matrix.data)
        index = table[:, :2].astype(np.int64) - 1
        value = combine_complex(table[:, 2], table[:, 3], single=False) if matrix.cols == 4 else table[:, 2]
        return index[:, 0], index[:, 1], value
