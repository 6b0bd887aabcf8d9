"""Tags and array headers of the v5 format, one at a time.

Layout after MathWorks, *MAT-File Format* (R2023b), chapter "Level 5 MAT-Files": an
element is an 8-byte tag (type, byte count) and data padded to 8 bytes; a count in the
upper half of the first word marks a small element with its data in the second word.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from matlens.errors import CorruptFile, LimitExceeded
from matlens.formats.records import CLASS_DTYPES, Elements, Headers, MatlabClass
from matlens.limits import Limits

Buffer = Any
"""bytes, memoryview or mmap: anything that `struct.unpack_from` and NumPy accept."""

UNEVEN = 0x80
"""Added to the storage type of a text of more or fewer units than letters."""
MI_INT32, MI_UINT32 = 5, 6
MI_UINT16, MI_UTF8, MI_UTF16, MI_UTF32 = 4, 16, 17, 18
MI_MATRIX, MI_COMPRESSED = 14, 15
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {MI_UTF8: "u1", MI_UTF16: "u2", MI_UTF32: "u4"}
STORAGE_DTYPES: dict[int, np.dtype[Any]] = {code: np.dtype(name) for code, name in (_NUMBERS | _TEXTS).items()}
_ITEM_SIZES = {code: dtype.itemsize for code, dtype in STORAGE_DTYPES.items()}
_KNOWN_CLASSES = frozenset(int(c) for c in MatlabClass if c)
_COMMON_CLASSES = _KNOWN_CLASSES - {int(MatlabClass.OPAQUE), int(MatlabClass.FUNCTION), int(MatlabClass.OBJECT)}
# Plain numbers: each look at a member of the enumeration costs as much as a tag.
_CELL, _CHAR = int(MatlabClass.CELL), int(MatlabClass.CHAR)
_HAS_ITEMS = frozenset((*CLASS_DTYPES, _CHAR))
MAX_NUMEL = 2**62
STORAGE_NAMES = {code: dtype.name for code, dtype in STORAGE_DTYPES.items()}
STORAGE_NAMES |= {MI_UTF8: "UTF-8", MI_UTF16: "UTF-16", MI_UTF32: "UTF-32"}


MAX_NAME = 63
"""Letters of a name in MATLAB."""


class Tag(NamedTuple):
    """Type, byte count, position of the data and of the next tag."""

    type: int
    nbytes: int
    data: int
    next: int


@dataclass(slots=True, eq=False)
class ArrayHeader:
    """Header of one array: what `Headers` holds of it, plus its name."""

    cls: int = MatlabClass.DOUBLE
    is_complex: bool = False
    is_logical: bool = False
    is_global: bool = False
    dims: tuple[int, ...] = (0, 0)
    numel: int = 0
    name: str = ""
    class_name: str | None = None
    type_system: str = ""
    storage: int = 0
    payload: int = 0
    nbytes: int = 0


class TagReader:
    """Reads tags and array headers of one byte order from any buffer.

    With `packs_utf8`, text may hold two bytes of UTF-8 in a unit of 16 bits.
    """

    def __init__(self, byte_order: Literal["<", ">"], limits: Limits, *, packs_utf8: bool = False) -> None:
        self._limits = limits
        self.packs_utf8 = packs_utf8
        self.byte_order: Literal["<", ">"] = byte_order
        self._word = struct.Struct(byte_order + "I").unpack_from
        self._pair = struct.Struct(byte_order + "II").unpack_from
        self._head = struct.Struct(byte_order + "12I").unpack_from

    def dtype(self, storage: int, offset: int) -> np.dtype[Any]:
        """NumPy dtype of a storage type, in the byte order of the file."""
        try:
            return STORAGE_DTYPES[storage].newbyteorder(self.byte_order)
        except KeyError:
            raise CorruptFile(f"data type {storage} is no MAT-file type", offset=offset) from None

    def tag(self, buffer: Buffer, position: int, end: int) -> Tag:
        """The tag at `position`; its data must lie before `end`."""
        if position < 0 or position + 8 > end:
            raise CorruptFile(f"data end at byte {end}, inside a tag", offset=position)
        word, nbytes = self._pair(buffer, position)
        if word >> 16:
            nbytes = word >> 16
            if nbytes > 4:
                raise CorruptFile(f"small element declares {nbytes} bytes, 4 at most", offset=position)
            return Tag(word & 0xFFFF, nbytes, position + 4, position + 8)
        data = position + 8
        if data + nbytes > end:
            raise CorruptFile(f"element declares {nbytes} bytes, {max(end - data, 0)} are there", offset=position)
        # The last element of a parent is not always padded.
        return Tag(word, nbytes, data, min(data + (nbytes + 7) // 8 * 8, end))

    def values(self, buffer: Buffer, tag: Tag, offset: int) -> np.ndarray[Any, Any]:
        """The numbers of one element, as stored; a view of the buffer."""
        dtype = self.dtype(tag.type, offset)
        return np.frombuffer(buffer, dtype, tag.nbytes // dtype.itemsize, tag.data)

    def array_header(self, buffer: Buffer, position: int, end: int, *, partial: bool = False) -> ArrayHeader:
        """Header of the miMATRIX element at `position`.

        With `partial` the buffer holds only the beginning of the array: sizes are
        checked against what is declared instead of what is there.
        """
        common = None if partial else self.common_header(buffer, position, end)
        if common is not None:
            return common
        outer_end = 1 << 62 if partial else end
        outer = self.tag(buffer, position, outer_end)
        if outer.type != MI_MATRIX:
            raise CorruptFile(f"an array is expected, element of type {outer.type} found", offset=position)
        if outer.nbytes == 0:
            return ArrayHeader(payload=outer.data)
        end = outer.data + outer.nbytes
        tag = self.tag(buffer, outer.data, end)
        # Some writers call them signed.
        if tag.type not in (MI_UINT32, MI_INT32) or tag.nbytes != 8:
            raise CorruptFile("array flags of 8 bytes are expected", offset=outer.data)
        flags = self._word(buffer, tag.data)[0]
        header = ArrayHeader(
            cls=flags & 0xFF,
            is_complex=bool(flags & 0x800),
            is_global=bool(flags & 0x400),
            is_logical=bool(flags & 0x200),
        )
        if header.cls not in _KNOWN_CLASSES:
            raise CorruptFile(f"array class {header.cls} is unknown", offset=tag.data)
        if header.cls == MatlabClass.OPAQUE:
            return self._opaque_header(buffer, tag.next, end, header)
        position = self._dims(buffer, tag.next, end, header)
        tag = self.tag(buffer, position, end)
        header.name = self.text(buffer, tag)
        header.payload, header.nbytes = tag.next, end - tag.next
        return self._checked(buffer, header, end)

    def common_header(self, buffer: Buffer, position: int, end: int, *, partial: bool = False) -> ArrayHeader | None:
        """Header of an array of two dims that has no name or a short one, as nearly all are; None if it is another."""
        if position < 0 or position + 48 > end:
            return None
        tag, size, flags_tag, flags_size, flags, _, *dims, name_tag, name_size = self._head(buffer, position)
        if (tag, flags_tag, flags_size, *dims[:2]) != (MI_MATRIX, MI_UINT32, 8, MI_INT32, 8) or name_tag & 0xFFFF != 1:
            return None
        cls, rows, cols = flags & 0xFF, dims[2], dims[3]
        is_small = name_tag > 0xFFFF
        start, length = (position + 44, name_tag >> 16) if is_small else (position + 48, name_size)
        payload = position + 48 if is_small else start + (length + 7) // 8 * 8
        stop = position + 8 + size
        if cls not in _COMMON_CLASSES or length > (4 if is_small else MAX_NAME) or max(rows, cols) >= 1 << 31:
            return None
        if payload > min(stop, end) or (stop > end and not partial):
            return None
        header = ArrayHeader(
            cls,
            bool(flags & 0x800),
            bool(flags & 0x200),
            bool(flags & 0x400),
            (rows, cols),
            rows * cols,
            decode_text(bytes(buffer[start : start + length]).rstrip(b"\0")) if length else "",
            payload=payload,
            nbytes=stop - payload,
        )
        return self._checked(buffer, header, stop)

    def _checked(self, buffer: Buffer, header: ArrayHeader, end: int) -> ArrayHeader:
        """The header, if its data have the size that it declares."""
        if header.cls == _CELL and header.numel * 8 > header.nbytes:
            raise CorruptFile(f"{header.numel} elements declared in {header.nbytes} bytes", offset=header.payload)
        if header.cls in _HAS_ITEMS:
            self._numeric_payload(buffer, end, header)
        return header

    def _dims(self, buffer: Buffer, position: int, end: int, header: ArrayHeader) -> int:
        tag = self.tag(buffer, position, end)
        if tag.type not in (MI_INT32, MI_UINT32) or tag.nbytes % 4:
            raise CorruptFile(f"dims of 32-bit integers are expected, type {tag.type} found", offset=position)
        count = tag.nbytes // 4
        if count < 2 or count > 32:
            raise CorruptFile(f"{count} dims declared, 2 to 32 are possible", offset=position)
        dims = struct.unpack_from(f"{self.byte_order}{count}i", buffer, tag.data)
        if min(dims) < 0:
            raise CorruptFile(f"negative dims {'x'.join(map(str, dims))}", offset=position)
        header.dims, header.numel = dims, math.prod(dims)
        if header.numel > MAX_NUMEL:
            text = f"dims {'x'.join(map(str, dims))} are beyond any memory"
            raise LimitExceeded.of(self._limits, "memory", text, offset=position)
        return tag.next

    def _numeric_payload(self, buffer: Buffer, end: int, header: ArrayHeader) -> None:
        start = header.payload
        if start >= end and header.numel == 0:
            return
        tag = self.tag(buffer, start, end)
        itemsize = _ITEM_SIZES.get(tag.type) or self.dtype(tag.type, start).itemsize
        header.storage = tag.type
        stored = tag.nbytes // itemsize
        if header.cls == _CHAR and (stored == 0 or tag.type in (MI_UTF8, MI_UTF16, MI_UTF32)):
            if stored != header.numel:
                header.storage |= UNEVEN
            return
        if stored != header.numel:
            shape = "x".join(map(str, header.dims))
            raise CorruptFile(f"{stored} items stored, {shape} declared", offset=start)

    def _opaque_header(self, buffer: Buffer, position: int, end: int, header: ArrayHeader) -> ArrayHeader:
        texts = []
        for _ in range(3):
            tag = self.tag(buffer, position, end)
            texts.append(self.text(buffer, tag))
            position = tag.next
        header.name, header.type_system, header.class_name = texts
        header.payload, header.nbytes = position, end - position
        header.dims, header.numel = (1, 1), 1
        return header

    def text(self, buffer: Buffer, tag: Tag) -> str:
        """The text of one element, without the NULs at its end."""
        if tag.nbytes > self._limits.name:
            raise LimitExceeded.of(self._limits, "name", f"a name of {tag.nbytes} bytes", offset=tag.data)
        return decode_text(bytes(buffer[tag.data : tag.data + tag.nbytes]).rstrip(b"\0"))


def decode_text(raw: bytes) -> str:
    """A name: ASCII or UTF-8, and Latin-1 where it is neither."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def store_header(headers: Headers, i: int, header: ArrayHeader) -> None:
    """Keep a header as element `i` of many."""
    headers.cls[i] = header.cls
    headers.is_complex[i] = header.is_complex
    headers.is_logical[i] = header.is_logical
    headers.is_global[i] = header.is_global
    headers.ndim[i] = len(header.dims)
    headers.dims[i, : len(header.dims)] = header.dims
    headers.numel[i] = header.numel
    headers.storage[i] = header.storage
    headers.payload[i] = header.payload
    headers.nbytes[i] = header.nbytes


def one_header(elements: Elements, header: ArrayHeader) -> Headers:
    """The headers of a single element."""
    headers = Headers.empty(elements, len(header.dims))
    store_header(headers, 0, header)
    return headers


def header_at(headers: Headers, i: int) -> ArrayHeader:
    """What `headers` hold of element `i`."""
    return ArrayHeader(
        cls=int(headers.cls[i]),
        is_complex=bool(headers.is_complex[i]),
        is_logical=bool(headers.is_logical[i]),
        dims=headers.shape(i),
        numel=int(headers.numel[i]),
        storage=int(headers.storage[i]),
        payload=int(headers.payload[i]),
        nbytes=int(headers.nbytes[i]),
    )
