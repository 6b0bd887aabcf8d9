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
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.reader import Reader
from matlens.formats.records import CLASS_DTYPES, Children, Elements, Headers, Int64s, MatlabClass
from matlens.formats.v5.tags import MI_COMPRESSED, MI_MATRIX, MI_UTF8, MI_UTF16, MI_UTF32
from matlens.formats.visit import Walk, kinds
from matlens.names import unique_names
from matlens.tree.nodes.node import Node
from matlens.values.kinds import sparse_arrays

__all__ = ["encode_variable", "file_header", "matlab_names"]

MI_INT8, MI_UINT8, MI_UINT16, MI_INT32, MI_UINT32, MI_DOUBLE = 1, 2, 4, 5, 6, 9
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
    encoder = _Encoder(node.owner.reader)
    with node.owner.guard(node):
        encoded = encoder.node(node, name.encode())
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


class _Encoder:
    """Encodes values of one reader, level by level."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._walk = Walk(reader)
        self.notes: list[Note] = []

    def node(self, node: Node, name: bytes) -> bytes:
        """One value under a name."""
        flags = _GLOBAL if node.is_global else 0
        if node.is_part:
            return self._part(node, name)
        return self.encode(node.elements, node.path, name=name, flags=flags)[0]

    def _part(self, node: Node, name: bytes) -> bytes:
        """Elements of an array, a record or a field: not stored as such, so its values are read first."""
        from matlens.tree.file import from_loadmat

        part = from_loadmat({"value": node.to_numpy()})["value"]
        encoder = _Encoder(part.owner.reader)
        return encoder.encode(part.elements, node.path, name=name)[0]

    def encode(
        self, elements: Elements, path: str, owner: Int64s | None = None, *, name: bytes = b"", flags: int = 0
    ) -> list[bytes]:
        """Every element as an array of its own."""
        headers = self._walk.enter(elements, owner)
        headers.raise_first_error()
        encoded: list[bytes] = [b""] * len(headers)
        for (cls, *_), index in kinds(headers):
            part = headers.take(index)
            if cls in (MatlabClass.OPAQUE, MatlabClass.UNKNOWN):
                if cls == MatlabClass.OPAQUE:
                    self._note_objects(part, path)
                for i in index.tolist():
                    encoded[i] = _array(MatlabClass.DOUBLE, (0, 0), [_element(MI_DOUBLE, b"")])
                continue
            alike = self._alike(cls, part, name, flags)
            if alike is not None:
                for i, data in zip(index.tolist(), alike, strict=True):
                    encoded[i] = data
                continue
            payloads = self._payloads(cls, part, path, index)
            for k, (i, payload) in enumerate(zip(index.tolist(), payloads, strict=True)):
                encoded[i] = _array(
                    self._flags(part, k) | flags, part.shape(k), payload[1], name=name, nzmax=payload[0]
                )
        self._walk.leave()
        return encoded

    def _alike(self, cls: int, headers: Headers, name: bytes, flags: int) -> Iterable[bytes] | None:
        """Real numbers and ASCII text of equal dims, all at once: they differ in their data alone."""
        count, dims = len(headers), headers.shape(0)
        fits = cls in CLASS_DTYPES or cls == MatlabClass.CHAR
        if count < BLOCK or not fits or headers.is_complex[0] or not headers.numel[0]:
            return None
        if not (headers.dims == headers.dims[0]).all():
            return None
        values, _ = self._reader.gather(headers)
        if cls == MatlabClass.CHAR and (int(values.max()) >= 0x80 or len(values) != headers.numel.sum()):
            return None
        kind = MI_UTF8 if cls == MatlabClass.CHAR else _STORAGE[MatlabClass(cls)]
        dtype = np.dtype("u1") if cls == MatlabClass.CHAR else CLASS_DTYPES[cls].newbyteorder("<")
        raw = values.astype(dtype, copy=False).view(np.uint8).reshape(count, -1)
        nbytes = raw.shape[1]
        template = _array(self._flags(headers, 0) | flags, dims, [_element(kind, bytes(nbytes))], name=name)
        start = len(template) - (4 if nbytes <= 4 else nbytes + -nbytes % 8)
        rows = np.tile(np.frombuffer(template, np.uint8), (count, 1))
        rows[:, start : start + nbytes] = raw
        data, size = rows.tobytes(), len(template)
        return (data[k : k + size] for k in range(0, len(data), size))

    def _note_objects(self, headers: Headers, path: str) -> None:
        """Objects are not written to MAT-files: inside other values, ``[]`` stands for them."""
        names = ", ".join(dict.fromkeys(headers.class_name(i) for i in range(len(headers))))
        if self._walk.depth == 1:
            raise UnsupportedValue(f"objects of class {names} are not written to MAT-files")
        self.notes.append(Note(path, f"objects of class {names} are not written to MAT-files: []"))

    def _flags(self, headers: Headers, k: int) -> int:
        return (
            int(headers.cls[k])
            | (_COMPLEX if headers.is_complex[k] else 0)
            | (_LOGICAL if headers.is_logical[k] else 0)
        )

    def _payloads(self, cls: int, headers: Headers, path: str, index: Int64s) -> list[tuple[int, list[bytes]]]:
        """What follows name and dims, for each element; with the room for non-zeros of sparse ones."""
        if cls in CLASS_DTYPES or cls == MatlabClass.CHAR:
            values, offsets = self._reader.gather(headers)
            bounds = offsets.tolist()
            parts = [values[a:b] for a, b in pairwise(bounds)]
            encode = _char if cls == MatlabClass.CHAR else _numbers
            return [(0, encode(cls, part)) for part in parts]
        if cls == MatlabClass.SPARSE:
            return [_sparse(matrix) for matrix in sparse_arrays(self._reader, headers)]
        payloads: list[tuple[int, list[bytes]]] = [(0, [])] * len(headers)
        for group in self._reader.children(headers):
            for parent, children in self._children(group, path, index):
                start = self._class_name(headers, parent, cls)
                fields = [] if group.fields is None else self._fields(group.fields, path)
                payloads[parent] = (0, start + fields + children)
        return payloads

    def _children(self, group: Children, path: str, index: Int64s) -> Iterable[tuple[int, list[bytes]]]:
        """Parents of a group with their encoded children."""
        counts = np.diff(group.offsets) * group.width
        inner = f"{path}{{}}" if group.fields is None else path
        encoded = self.encode(group.elements, inner, index[np.repeat(group.parents, counts)])
        bounds = counts_to_offsets(counts).tolist()
        for k, parent in enumerate(group.parents.tolist()):
            yield parent, encoded[bounds[k] : bounds[k + 1]]

    def _class_name(self, headers: Headers, i: int, cls: int) -> list[bytes]:
        return [_element(MI_INT8, headers.class_name(i).encode())] if cls == MatlabClass.OBJECT else []

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


def _char(cls: int, units: NDArray[Any]) -> list[bytes]:
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
