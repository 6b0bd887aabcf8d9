"""Variables of MAT-files of v7, encoded element by element from what the readers of any version give.

Dims of empty arrays, UTF-16 text, global flags, function handles and old objects are kept.
Layout after MathWorks, *MAT-File Format* (R2023b), chapter "Level 5 MAT-Files".
"""

from __future__ import annotations

import re
import struct
import time
import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.columns.notes import Note
from matlens.errors import UnfitFormat, UnsupportedValue
from matlens.formats.reader import Reader
from matlens.formats.records import CLASS_DTYPES, Headers, MatlabClass
from matlens.formats.v5.tags import MI_COMPRESSED, MI_MATRIX, MI_UINT16, MI_UTF8, MI_UTF16, MI_UTF32
from matlens.formats.visit import Batch, Visitor
from matlens.names import unique_names
from matlens.tree.access import elements_of, guarded, is_part, reader_of
from matlens.tree.file import from_loadmat
from matlens.tree.nodes.node import Node
from matlens.values.kinds import sparse_arrays

MI_INT8, MI_UINT8, MI_INT32, MI_UINT32, MI_DOUBLE = 1, 2, 5, 6, 9
_STORAGE = {
    MatlabClass.DOUBLE: MI_DOUBLE,
    MatlabClass.SINGLE: 7,
    MatlabClass.INT8: MI_INT8,
    MatlabClass.UINT8: MI_UINT8,
    MatlabClass.INT16: 3,
    MatlabClass.UINT16: MI_UINT16,
    MatlabClass.INT32: MI_INT32,
    MatlabClass.UINT32: MI_UINT32,
    MatlabClass.INT64: 12,
    MatlabClass.UINT64: 13,
}
_COMPLEX, _GLOBAL, _LOGICAL = 0x800, 0x400, 0x200
MAX_NAME = 63
MAX_BYTES = 2**32 - 1
BLOCK = 64
"""From so many elements on, those of equal dims are encoded together."""


def matlab_names(names: Iterable[str]) -> list[str]:
    """Names that MATLAB takes for variables and fields: letters, digits and ``_``, 63 at most.

    Examples
    --------
    >>> matlab_names(["x", "a/b", "2nd", "_x", "a b"])
    ['x', 'a_b', 'x2nd', 'x_x', 'a_b_2']
    """
    fit = []
    for name in names:
        text = re.sub(r"[^A-Za-z0-9_]", "_", name)
        text = text if re.match("[A-Za-z]", text) else f"x{text}"
        fit.append(text[:MAX_NAME])
    return unique_names(fit)


def encode_variable(node: Node, name: str) -> tuple[bytes, list[Note]]:
    """A value as a compressed top-level element, and notes on what changed inside it."""
    stored = from_loadmat({"value": node.to_numpy()})["value"] if is_part(node) else node
    encoder = _Encoder(reader_of(stored), name.encode(), _GLOBAL if node.is_global and not is_part(node) else 0)
    with guarded(node):
        (encoded,) = encoder.visit(elements_of(stored), node.path)
        if len(encoded) > MAX_BYTES:
            raise UnfitFormat(f"{len(encoded):,} bytes: a v7 file holds variables of less than 4 GB")
    data = zlib.compress(encoded, 6)
    return struct.pack("<II", MI_COMPRESSED, len(data)) + data, encoder.notes


def file_header() -> bytes:
    """The first 128 bytes of a file."""
    text = f"MATLAB 5.0 MAT-file, written by matlens, created on: {time.strftime('%a %b %d %H:%M:%S %Y')}"
    return text.encode().ljust(116)[:116] + bytes(8) + struct.pack("<H", 0x0100) + b"IM"


def _element(kind: int, raw: bytes) -> bytes:
    """A tag with its data, padded; up to four bytes stand in the tag itself."""
    if len(raw) <= 4:
        return struct.pack("<HH4s", kind, len(raw), raw)
    return struct.pack("<II", kind, len(raw)) + raw + bytes(-len(raw) % 8)


def _array(cls: int, dims: Sequence[int], payload: Iterable[bytes], *, name: bytes = b"", nzmax: int = 0) -> bytes:
    """A whole array; `cls` holds the class and the flags."""
    if max(dims) >= 2**31:
        raise UnfitFormat(f"a dimension of {max(dims):,}: v7 files count to 2,147,483,647")
    body = b"".join(
        [
            struct.pack("<IIII", MI_UINT32, 8, cls, nzmax),
            _element(MI_INT32, struct.pack(f"<{len(dims)}i", *dims)),
            _element(MI_INT8, name),
            *payload,
        ]
    )
    if len(body) > MAX_BYTES:
        raise UnfitFormat(f"{len(body):,} bytes: a v7 file holds variables of less than 4 GB")
    return struct.pack("<II", MI_MATRIX, len(body)) + body


class _Encoder(Visitor):
    """Encodes every element of a level as an array of its own; a level is known by the path of its column."""

    def __init__(self, reader: Reader, name: bytes, flags: int) -> None:
        super().__init__(reader)
        self._name, self._flags = name, flags
        self._path = ""
        self.notes: list[Note] = []

    def level(self, headers: Headers, where: str) -> list[bytes]:
        headers.raise_first_error()
        encoded: list[bytes] = [b""] * len(headers)
        for batch in self.batches(headers, None):
            self._path = where
            found = self._alike(batch.headers) if len(batch) >= BLOCK else None
            for i, data in zip(batch.index.tolist(), found or self.handle(batch), strict=True):
                encoded[i] = data
        return encoded

    def _arrays(self, headers: Headers, payloads: Iterable[list[bytes]], sizes: Sequence[int] = ()) -> list[bytes]:
        """Arrays around what follows name and dims; `sizes` is the room for non-zeros of sparse ones."""
        name = self._name if self.walk.depth == 1 else b""
        return [
            _array(self._flags_of(headers, k), headers.shape(k), payload, name=name, nzmax=sizes[k] if sizes else 0)
            for k, payload in enumerate(payloads)
        ]

    def _flags_of(self, headers: Headers, k: int) -> int:
        flags = (_COMPLEX if headers.is_complex[k] else 0) | (_LOGICAL if headers.is_logical[k] else 0)
        return int(headers.cls[k]) | flags | (self._flags if self.walk.depth == 1 else 0)

    def numbers(self, batch: Batch) -> list[bytes]:
        cls = int(batch.headers.cls[0])
        return self._arrays(batch.headers, [_numbers(cls, part) for part in self._values(batch.headers)])

    def text(self, batch: Batch) -> list[bytes]:
        return self._arrays(batch.headers, [_char(units) for units in self._values(batch.headers)])

    def _values(self, headers: Headers) -> list[NDArray[Any]]:
        values, offsets = self.reader.gather(headers)
        return [values[a:b] for a, b in pairwise(offsets.tolist())]

    def sparse(self, batch: Batch) -> list[bytes]:
        sizes, payloads = zip(*map(_sparse, sparse_arrays(self.reader, batch.headers)), strict=True)
        return self._arrays(batch.headers, payloads, sizes)

    def damaged(self, batch: Batch) -> list[bytes]:
        return [_array(MatlabClass.DOUBLE, (0, 0), [_element(MI_DOUBLE, b"")])] * len(batch)

    def objects(self, batch: Batch) -> list[bytes]:
        """Objects are not written to MAT-files: inside other values, ``[]`` stands for them."""
        names = ", ".join(dict.fromkeys(batch.headers.class_name(i) for i in range(len(batch))))
        if self.walk.depth == 1:
            raise UnsupportedValue(f"objects of class {names} are not written to MAT-files")
        self.notes.append(Note(self._path, f"objects of class {names} are not written to MAT-files: []"))
        return self.damaged(batch)

    def functions(self, batch: Batch) -> list[bytes]:
        return self.structs(batch)

    def structs(self, batch: Batch) -> list[bytes]:
        headers, path = batch.headers, self._path
        payloads: list[list[bytes]] = [[]] * len(batch)
        for below in self.below(batch):
            group = below.group
            inner = f"{path}{{}}" if group.fields is None else path
            encoded = self.visit(group.elements, inner, below.owner)
            fields = [] if group.fields is None else self._fields(group.fields, path)
            bounds = (group.offsets * group.width).tolist()
            for k, parent in enumerate(group.parents.tolist()):
                payloads[parent] = self._class_name(headers, parent) + fields + encoded[bounds[k] : bounds[k + 1]]
        return self._arrays(headers, payloads)

    def _alike(self, headers: Headers) -> Iterable[bytes] | None:
        """Real numbers and ASCII text of equal dims, all at once: they differ in their data alone."""
        count, cls = len(headers), int(headers.cls[0])
        fits = cls in CLASS_DTYPES or cls == MatlabClass.CHAR
        if not fits or headers.is_complex[0] or not headers.numel[0] or not (headers.dims == headers.dims[0]).all():
            return None
        values, _ = self.reader.gather(headers)
        if cls == MatlabClass.CHAR and (int(values.max()) >= 0x80 or len(values) != headers.numel.sum()):
            return None
        kind = MI_UTF8 if cls == MatlabClass.CHAR else _STORAGE[MatlabClass(cls)]
        dtype = np.dtype("u1") if cls == MatlabClass.CHAR else CLASS_DTYPES[cls].newbyteorder("<")
        raw = values.astype(dtype, copy=False).view(np.uint8).reshape(count, -1)
        nbytes = raw.shape[1]
        template = self._arrays(headers.take([0]), [[_element(kind, bytes(nbytes))]])[0]
        start = len(template) - (4 if nbytes <= 4 else nbytes + -nbytes % 8)
        rows = np.tile(np.frombuffer(template, np.uint8), (count, 1))
        rows[:, start : start + nbytes] = raw
        data, size = rows.tobytes(), len(template)
        return [data[k : k + size] for k in range(0, len(data), size)]

    def _class_name(self, headers: Headers, i: int) -> list[bytes]:
        is_object = headers.cls[i] == MatlabClass.OBJECT
        return [_element(MI_INT8, headers.class_name(i).encode())] if is_object else []

    def _fields(self, fields: Sequence[str], path: str) -> list[bytes]:
        """Length of field names, and the names."""
        names = matlab_names(fields)
        for old, new in zip(fields, names, strict=True):
            note = Note(f"{path}.{old}", f"named {new}")
            if old != new and note not in self.notes:
                self.notes.append(note)
        length = max((len(name) for name in names), default=0) + 1
        raw = b"".join(name.encode().ljust(length, b"\0") for name in names)
        return [_element(MI_INT32, struct.pack("<i", length)), _element(MI_INT8, raw)]


def _numbers(cls: int, values: NDArray[Any]) -> list[bytes]:
    kind = _STORAGE[MatlabClass(cls)]
    parts = [values.real, values.imag] if values.dtype.kind == "c" else [values]
    dtype = CLASS_DTYPES[cls].newbyteorder("<")
    return [_element(kind, part.astype(dtype, copy=False).tobytes()) for part in parts]


def _char(units: NDArray[Any]) -> list[bytes]:
    highest = int(units.max()) if len(units) else 0
    if highest < 0x80:
        return [_element(MI_UTF8, units.astype("u1").tobytes())]
    if highest > 0xFFFF:
        return [_element(MI_UTF32, units.astype("<u4").tobytes())]
    return [_element(MI_UTF16, units.astype("<u2").tobytes())]


def _sparse(matrix: Any) -> tuple[int, list[bytes]]:
    matrix.sort_indices()
    parts = [_element(MI_INT32, part.astype("<i4").tobytes()) for part in (matrix.indices, matrix.indptr)]
    if matrix.dtype.kind == "b":
        parts.append(_element(MI_UINT8, matrix.data.astype("u1").tobytes()))
    else:
        parts += _numbers(MatlabClass.DOUBLE, matrix.data)
    return max(int(matrix.nnz), 1), parts
