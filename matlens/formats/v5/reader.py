"""Reader of v5 files, which MATLAB calls v6 (uncompressed) and v7 (compressed).

Positions are byte offsets: segment 0 is the file itself, segment k > 0 the inflated
bytes of the k-th compressed variable. Listing inflates only the first bytes of each.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, LimitExceeded, MatlensError
from matlens.formats.children import FieldNames, collect_children, unique_names
from matlens.formats.dtypes import target_dtype, value_dtype
from matlens.formats.mcos import ObjectTable, object_headers, reference_dims
from matlens.formats.metadata_values import IN_METADATA
from matlens.formats.one_by_one import OneByOne, Single
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.reader import Reader
from matlens.formats.records import (
    CLASS_DTYPES,
    Children,
    Elements,
    Headers,
    Int64s,
    MatlabClass,
    OpaqueValue,
    Triplets,
    Variable,
)
from matlens.formats.sniff import hinted, transfer_hint
from matlens.formats.sparse import join_triplets
from matlens.formats.v5.batch import batch_headers, chase, gather_values
from matlens.formats.v5.recovery import next_variable
from matlens.formats.v5.segments import HEAD_BYTES, Segments
from matlens.formats.v5.single import char_units, numbers, sparse_storage, sparse_triplets
from matlens.formats.v5.subsystem import file_wrapper, may_refer, subsystem_bytes
from matlens.formats.v5.tags import (
    MI_COMPRESSED,
    MI_MATRIX,
    STORAGE_NAMES,
    UNEVEN,
    ArrayHeader,
    Buffer,
    TagReader,
    decode_text,
    header_at,
    one_header,
    store_header,
)
from matlens.limits import Limits

HEADER_BYTES = 128
MAX_NDIM = 32
_QUICK = frozenset((MatlabClass.CHAR, MatlabClass.CELL, MatlabClass.STRUCT))
BATCH = 16
"""Fewer elements than this are quicker to read one by one."""


class Mat5Reader(Reader, OneByOne):
    """Reads a v5 file held in `buffer` (bytes or an mmap)."""

    knows_objects = True

    def __init__(self, buffer: Buffer, limits: Limits) -> None:
        super().__init__(limits)
        self._file = buffer
        mark = bytes(buffer[126:128])
        self.byte_order: Literal["<", ">"] = ">" if mark == b"MI" else "<"
        self.header = bytes(buffer[:116]).decode("latin-1").strip(" \t\n\0")
        packs_utf8 = any(f"Platform: {system}" in self.header for system in ("GLNX", "MAC"))
        self._tags = TagReader(self.byte_order, limits, packs_utf8=packs_utf8)
        self._segments = Segments(buffer, self.byte_order, self.stats, limits)
        self._version: str | None = None
        self.subsystem: Elements | None = None
        self._objects: ObjectTable | None = None
        self._has_objects = True
        self._object_segment = -1

    @property
    def version(self) -> str:
        if self._version is None:
            self._version = "v7" if any(variable.compressed for variable in self.variables()) else "v6"
        return self._version

    def _release(self) -> None:
        self._segments.close()
        self._file = b""

    # --- variables -----------------------------------------------------------------

    def _find_variables(self) -> list[Variable]:
        found: list[Variable] = []
        position, last, size = HEADER_BYTES, HEADER_BYTES, len(self._file)
        subsystem = self._subsystem_offset()
        while position < size:
            try:
                kind, nbytes, data = self._top_tag(position, size)
            except CorruptFile as error:
                self.problems.append(hinted(error, self._transfer_hint))
                # What led here may be the size of the variable before.
                position = last = self._resume(last + 1)
                continue
            variable = self._variable(kind, position, data, min(nbytes, size - data))
            if position == subsystem or not variable.name:
                self.subsystem = variable.elements
            else:
                found.append(variable)
            position, last = data + nbytes, position
            if position > size:
                there = f"element declares {nbytes} bytes, {size - data} are there"
                self.problems.append(CorruptFile(there, offset=last))
                position = last = self._resume(last + 1)
        return found

    @cached_property
    def _transfer_hint(self) -> str:
        return transfer_hint(self._file)

    def _resume(self, start: int) -> int:
        """Position of the next variable behind damage, or the end of the file."""
        found = next_variable(self._file, start, self.byte_order, self.limits)
        return len(self._file) if found is None else found

    def _top_tag(self, position: int, size: int) -> tuple[int, int, int]:
        if position + 8 > size:
            raise CorruptFile(f"file ends after {size} bytes, inside a tag", offset=position)
        kind, nbytes = struct.unpack_from(self.byte_order + "II", self._file, position)
        if kind not in (MI_MATRIX, MI_COMPRESSED):
            raise CorruptFile(f"a variable is expected, element of type {kind} found", offset=position)
        return kind, nbytes, position + 8

    def _subsystem_offset(self) -> int:
        raw = bytes(self._file[116:124])
        if raw == b" " * 8:
            return 0
        return int(struct.unpack(self.byte_order + "Q", raw)[0])

    def _variable(self, kind: int, position: int, data: int, available: int) -> Variable:
        if kind == MI_COMPRESSED:
            elements = Elements(self._segments.add(data, available), np.zeros(1, np.int64))
        else:
            elements = Elements(0, np.array([position], np.int64))
        found: Headers | Callable[[], Headers]
        plain = self._plain_header(elements.segment, position)
        if plain is not None:
            name, found = plain.name, partial(one_header, elements, plain)
        else:
            found, parsed = self._top_header(elements, position)
            name = parsed.name or (f"unreadable_{position}" if found.errors else "")
        return Variable(name, elements, found, compressed=kind == MI_COMPRESSED, stored_bytes=available)

    def _plain_header(self, segment: int, position: int) -> ArrayHeader | None:
        """Header of a variable of the most common form from its first bytes; None of another."""
        try:
            if segment:
                return self._tags.common_header(self._segments.head(segment), 0, HEAD_BYTES, partial=True)
            return self._tags.common_header(self._file, position, len(self._file))
        except Exception:  # noqa: BLE001 - `_top_header` meets it again and tells of it
            return None

    def _top_header(self, elements: Elements, offset: int) -> tuple[Headers, ArrayHeader]:
        """Header of a variable from its first bytes; what is wrong with it goes in the headers."""
        parsed = ArrayHeader()
        headers = Headers.empty(elements, max_ndim=MAX_NDIM)
        try:
            parsed = self._parse_head(headers)
        except Exception as error:  # noqa: BLE001 - `damage` tells them apart
            headers.ok[0] = False
            headers.errors[0] = hinted(self.damage(error).at(offset=offset), self._transfer_hint)
            parsed.name = parsed.name or self._name_of_damaged(elements)
        return headers, parsed

    def _parse_head(self, headers: Headers) -> ArrayHeader:
        """Header of a variable: from its first bytes, and from all of it where they do not reach."""
        segment, position = headers.elements.segment, int(headers.elements.positions[0])
        if segment:
            try:
                return self._parse(headers, 0, self._segments.head(segment), HEAD_BYTES, position, partial=True)
            except (struct.error, IndexError):
                pass
        buffer = self._segments.buffer(segment)
        return self._parse(headers, 0, buffer, len(buffer), position)

    def _parse(
        self, headers: Headers, i: int, buffer: Buffer, end: int, position: int, *, partial: bool = False
    ) -> ArrayHeader:
        """Read one header into `headers`, with the class and dims of objects."""
        parsed = self._tags.array_header(buffer, position, end, partial=partial)
        store_header(headers, i, parsed)
        if parsed.cls == MatlabClass.OBJECT:
            tag = self._tags.tag(buffer, parsed.payload, parsed.payload + parsed.nbytes)
            headers.class_names[i] = self._tags.text(buffer, tag)
        elif parsed.cls == MatlabClass.OPAQUE:
            self._finish_opaque(headers, i, parsed)
        return parsed

    def _name_of_damaged(self, elements: Elements) -> str:
        """Name of a variable whose header is readable though its data are not."""
        start, buffer = int(elements.positions[0]), self._file
        try:
            if elements.segment:
                buffer = self._segments.head(elements.segment)
            end = len(buffer)
            tag = self._tags.tag(buffer, start + 8, end)
            tag = self._tags.tag(buffer, tag.next, end)
            return self._tags.text(buffer, self._tags.tag(buffer, tag.next, end))
        except (MatlensError, struct.error):
            return ""

    def prefetch(self, elements: Iterable[Elements]) -> None:
        self._segments.prefetch(e.segment for e in elements)

    # --- the contract --------------------------------------------------------------

    def headers(self, elements: Elements) -> Headers:
        if elements.segment == self._object_segment and self._objects is not None:
            return object_headers(self, self._objects, elements)
        return self.plain_headers(elements)

    def plain_headers(self, elements: Elements) -> Headers:
        """Headers in which nothing stands for a part of an object."""
        try:
            buffer = self._segments.buffer(elements.segment)
        except MatlensError as error:
            headers = Headers.empty(elements)
            headers.ok[:] = False
            headers.errors.update(dict.fromkeys(range(len(elements)), error))
            return headers
        if len(elements) < BATCH:
            headers = self._single_headers(buffer, elements)
            self.stats["single"] += len(elements)
        else:
            headers, left = batch_headers(self._segments.segment(elements.segment), elements)
            headers = headers.put(left, self._single_headers(buffer, elements.take(left)))
            self.stats["unusual"] += len(left)
            self.stats["batch"] += len(elements) - len(left)
        return headers

    def _single_headers(self, buffer: Buffer, elements: Elements) -> Headers:
        """Headers of elements one by one."""
        headers, positions, end = Headers.empty(elements, max_ndim=MAX_NDIM), elements.positions.tolist(), len(buffer)

        def fill(i: int) -> None:
            if positions[i] >= end:
                raise CorruptFile("lost: it stood behind damage that hides where it begins")
            self._parse(headers, i, buffer, end, positions[i])

        return self._fill_each(headers, fill)

    def children(self, headers: Headers, *, keep_damage: bool = False) -> list[Children]:
        headers.raise_first_error()
        segment = headers.elements.segment
        records = (self._records(segment, header_at(headers, i), keep_damage) for i in range(len(headers)))
        return collect_children(records, segment, self.limits)

    def _records(self, segment: int, header: ArrayHeader, keep_damage: bool = False) -> tuple[FieldNames, int, Int64s]:
        """Field names, number of records, and positions of the children of one parent."""
        fields, start, count = self._layout(self._segments.buffer(segment), header)
        width = 1 if fields is None else len(fields)
        return fields, count, self._chase(segment, header, start, count * width, keep_damage)

    def _layout(self, buffer: Buffer, header: ArrayHeader) -> tuple[FieldNames, int, int]:
        """Field names, start of the first child and number of records of one parent."""
        start, cls = header.payload, header.cls
        if cls == MatlabClass.FUNCTION:
            return None, start, min(header.numel, 1)
        if cls == MatlabClass.CELL:
            return None, start, header.numel
        end = start + header.nbytes
        if cls == MatlabClass.OBJECT:
            start = self._tags.tag(buffer, start, end).next
        if start >= end:
            return (), start, header.numel
        tag = self._tags.tag(buffer, start, end)
        lengths = self._tags.values(buffer, tag, start)
        if len(lengths) != 1:
            raise CorruptFile("the length of field names is one number", offset=start)
        length = int(lengths[0])
        names = self._tags.tag(buffer, tag.next, end)
        if names.nbytes and not 0 < length <= names.nbytes:
            raise CorruptFile(f"field names have {names.nbytes} bytes, {length} each", offset=start)
        if length > self.limits.name:
            raise LimitExceeded.of(self.limits, "name", f"field names of {length} bytes", offset=start)
        if length and names.nbytes // length > self.limits.fields:
            raise LimitExceeded.of(self.limits, "fields", f"{names.nbytes // length} fields")
        raw = bytes(buffer[names.data : names.data + names.nbytes])
        fields = [raw[k : k + length].split(b"\0")[0] for k in range(0, len(raw) - length + 1, length or 1)]
        return unique_names([decode_text(name) for name in fields]), names.next, header.numel

    def _chase(self, segment: int, header: ArrayHeader, start: int, count: int, keep_damage: bool) -> Int64s:
        """Positions of `count` arrays that stand one after another."""
        end = header.payload + header.nbytes
        if count * 8 > max(end - start, 0):
            raise CorruptFile(f"{count} elements declared in {max(end - start, 0)} bytes", offset=start)
        found = None
        if count >= BATCH:
            found = chase(self._segments.segment(segment), start, end, count)
        if found is not None:
            return found
        positions: list[int] = []
        buffer = self._segments.buffer(segment)
        try:
            self._chase_single(buffer, start, end, count, positions)
        except CorruptFile:
            if not keep_damage:
                raise
            positions += [len(buffer)] * (count - len(positions))
        return np.array(positions, np.int64)

    def _chase_single(self, buffer: Buffer, start: int, end: int, count: int, positions: list[int]) -> None:
        """The same one by one, into `positions`, saying what is wrong."""
        unpack = struct.Struct(self.byte_order + "II").unpack_from
        for _ in range(count):
            if start + 8 > end:
                raise CorruptFile(f"{len(positions)} of {count} elements are there", offset=start)
            kind, nbytes = unpack(buffer, start)
            if kind != MI_MATRIX:
                raise CorruptFile(f"an array is expected, element of type {kind} found", offset=start)
            if start + 8 + nbytes > end:
                raise CorruptFile(f"element declares {nbytes} bytes, {end - start - 8} are there", offset=start)
            positions.append(start)
            start += 8 + nbytes

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        headers.raise_first_error()
        buffer = self._segments.buffer(headers.elements.segment)
        cls = MatlabClass(int(headers.cls[0])) if len(headers) else MatlabClass.DOUBLE
        values = None
        if len(headers) >= BATCH:
            values = gather_values(self._segments.segment(headers.elements.segment), headers)
            offsets = counts_to_offsets(headers.numel)
        if values is None:
            read = char_units if cls == MatlabClass.CHAR else numbers
            parts = [self._part(read, buffer, headers, i) for i in range(len(headers))]
            offsets = counts_to_offsets([len(part) for part in parts])
            values = parts[0] if len(parts) == 1 else np.concatenate(parts or [np.zeros(0, np.uint8)])
        if cls == MatlabClass.CHAR:
            return values if values.dtype.itemsize > 1 else values.view(np.uint8).astype(np.uint16), offsets
        return values if as_stored or not len(headers) else values.astype(target_dtype(headers), copy=False), offsets

    def _part(self, read: Callable[..., NDArray[Any]], buffer: Buffer, headers: Headers, i: int) -> NDArray[Any]:
        if headers.storage[i] == IN_METADATA and self._objects is not None:
            return self._objects.metadata_value(int(headers.elements.positions[i]))
        return read(self._tags, buffer, header_at(headers, i))

    def single(self, segment: int, position: int, *, as_stored: bool = False) -> Single | None:
        try:
            return self._single(segment, position, as_stored)
        except Exception as error:
            found = self.damage(error)
            if found is error:
                raise
            raise found from error

    def _single(self, segment: int, position: int, as_stored: bool) -> Single | None:
        if segment == self._object_segment:
            return None
        buffer = self._segments.segment(segment).buffer
        header = self._tags.array_header(buffer, position, len(buffer))
        cls, is_number = header.cls, header.cls in CLASS_DTYPES
        if not is_number and cls not in _QUICK:
            return None
        self.stats["single"] += 1
        found = Single(cls, header.dims, header.is_logical)
        if is_number:
            values = numbers(self._tags, buffer, header)
            dtype = value_dtype(cls, is_logical=header.is_logical, is_complex=header.is_complex)
            found.values = values if as_stored else values.astype(dtype, copy=False)
        elif cls == MatlabClass.CHAR:
            found.values = char_units(self._tags, buffer, header)
        else:
            found.fields, _, found.children = self._records(segment, header)
        return found

    def storage(self, headers: Headers) -> dict[str, Any]:
        headers.raise_first_error()
        if headers.storage[0] == IN_METADATA:
            return {"type": "metadata of objects"}
        storage = int(headers.storage[0]) & ~UNEVEN
        kind = {"type": STORAGE_NAMES[storage]} if storage in STORAGE_NAMES else {}
        if headers.cls[0] == MatlabClass.SPARSE:
            buffer = self._segments.buffer(headers.elements.segment)
            kind = {"type": sparse_storage(self._tags, buffer, header_at(headers, 0))}
        return kind | {"offset": int(headers.payload[0]), "bytes": int(headers.nbytes[0])}

    def triplets(self, headers: Headers) -> Triplets:
        headers.raise_first_error()
        buffer = self._segments.buffer(headers.elements.segment)
        parts = [sparse_triplets(self._tags, buffer, header_at(headers, i)) for i in range(len(headers))]
        return join_triplets(parts)

    # --- objects -------------------------------------------------------------------

    @property
    def may_hold_objects(self) -> bool:
        return self.subsystem is not None

    def objects(self) -> ObjectTable | None:
        self.variables()
        with self._lock:
            if self._objects is None and self._has_objects and self.subsystem is not None:
                segment = self._segments.pin(subsystem_bytes(self, self.subsystem, self.byte_order))
                found = file_wrapper(self, segment)
                # Whoever sees the table must see its segment.
                self._object_segment = segment
                self._objects = None if found is None else ObjectTable(self, found, self.byte_order)
                self._has_objects = found is not None
            return self._objects

    def may_refer(self, headers: Headers) -> NDArray[np.bool_]:
        return may_refer(self._segments.segment(headers.elements.segment).words, headers)

    def _finish_opaque(self, headers: Headers, i: int, header: ArrayHeader) -> None:
        """Class name, and the dims that an MCOS reference declares."""
        headers.class_names[i] = header.class_name or "unknown"
        if header.type_system != "MCOS":
            return
        reference = self.opaque(headers, i).reference
        if isinstance(reference, np.ndarray) and reference.dtype == np.uint32:
            dims = reference_dims(reference.ravel(order="F"))
            if dims is not None and len(dims) <= headers.dims.shape[1]:
                headers.set_dims(i, dims)

    def opaque(self, headers: Headers, i: int) -> OpaqueValue:
        buffer = self._segments.buffer(headers.elements.segment)
        header = self._tags.array_header(buffer, int(headers.elements.positions[i]), len(buffer))
        if header.cls == MatlabClass.UINT32:
            # Inside objects, references to others stand without the name of the class.
            return OpaqueValue("", "MCOS", headers.class_names[i], numbers(self._tags, buffer, header))
        reference: Any = Elements(headers.elements.segment, np.array([header.payload]))
        try:
            # Not `self.headers`, which would go on into objects inside the object.
            stored = self._tags.array_header(buffer, header.payload, len(buffer))
        except MatlensError:
            return OpaqueValue(header.name, header.type_system, header.class_name or "", None)
        if stored.cls in CLASS_DTYPES:
            values, _ = self.gather(self.headers(reference))
            reference = values.reshape(stored.dims, order="F")
        return OpaqueValue(header.name, header.type_system, header.class_name or "", reference)
