"""The objects of a file: names, classes and properties, from the metadata of its subsystem.

Every object of a MATLAB class is stored as a reference to a table that stands once in the file: the
``FileWrapper__`` cell. Its first cell are bytes with six regions: names, classes, properties of objects that
save themselves in their own way, objects, properties of all others, and dynamic properties. Layout after the
public descriptions of M. Alkhatib (mat-io) and A. Shaikin (MatFileHandler), checked on files of versions 1 to 5.
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, UnsupportedValue
from matlens.formats.metadata_values import (
    in_metadata,
    metadata_headers,
    metadata_value,
    name_position,
    number_position,
)
from matlens.formats.records import OPAQUE_MARK, Children, Elements, Headers, Int64s, MatlabClass

Words = NDArray[np.int64]

_NAMES = 40
"""Where the names begin: behind version, count and eight offsets."""
_MEMBER, _STORED, _NUMBER = 0, 1, 2
_VERSIONS = range(1, 6)
"""Versions of the metadata that are known: the low byte counts. Behind the values of properties stand as many cells as
the version before, those with the defaults of classes last."""
_DYNAMIC_NAME, _DYNAMIC_VALUE = "DynamicName_", "DynamicValue_"


class ObjectReference(NamedTuple):
    """What stands in place of an object, or of an array of objects."""

    dims: tuple[int, ...]
    object_ids: tuple[int, ...]
    class_id: int


def parse_reference(words: NDArray[Any]) -> ObjectReference:
    """Read a reference: mark, number of dims, dims, object ids, class id.

    Examples
    --------
    >>> parse_reference(np.array([0xDD000000, 2, 1, 2, 7, 8, 3], np.uint32))
    ObjectReference(dims=(1, 2), object_ids=(7, 8), class_id=3)
    """
    numbers = words.ravel().tolist()
    if len(numbers) < 3 or numbers[0] != OPAQUE_MARK or not 2 <= numbers[1] <= min(len(numbers) - 3, 32):
        raise CorruptFile("a reference to an object is expected")
    ndim = int(numbers[1])
    dims = tuple(numbers[2 : 2 + ndim])
    ids = tuple(numbers[2 + ndim : -1])
    if math.prod(dims) != len(ids):
        text = "x".join(map(str, dims))
        raise CorruptFile(f"a reference to {text} objects has {len(ids)} object numbers")
    return ObjectReference(dims, ids, numbers[-1])


def reference_dims(words: NDArray[Any]) -> tuple[int, ...] | None:
    """Dims in a reference to objects: mark, number of dims, dims, object ids, class id."""
    if len(words) > 2 and words[0] == OPAQUE_MARK and 2 <= words[1] <= min(len(words) - 2, 32):
        dims = tuple(words[2 : 2 + int(words[1])].tolist())
        # An object id stands for each, or else the dims are no dims.
        return dims if math.prod(dims) < len(words) else None
    return None


def object_headers(reader: PlainCells, objects: ObjectTable, elements: Elements) -> Headers:
    """Headers of elements that may be parts of objects."""
    here = in_metadata(elements.positions)
    if here.any():
        found = metadata_headers(elements, objects.name)
        rest = np.flatnonzero(~here)
        headers = found.put(rest, reader.plain_headers(elements.take(rest)))
    else:
        headers = reader.plain_headers(elements)
    _mark_references(headers, reader, objects)
    _mark_handles(headers, reader)
    return headers


def _mark_references(headers: Headers, reader: PlainCells, objects: ObjectTable) -> None:
    """Make objects of numbers that refer to such, in place: inside objects, references stand as plain uint32."""
    index = np.flatnonzero(reader.may_refer(headers))
    if not len(index):
        return
    values, offsets = reader.gather(headers.take(index))
    for k, i in enumerate(index.tolist()):
        try:
            reference = parse_reference(values[offsets[k] : offsets[k + 1]])
            name = objects.class_name(reference.class_id)
        except CorruptFile:
            continue
        headers.cls[i], headers.class_names[i] = MatlabClass.OPAQUE, name
        headers.set_dims(i, reference.dims)


HANDLE = 255
"""How function handles inside objects are stored: as cells of the mark of references and a struct."""


def _mark_handles(headers: Headers, reader: PlainCells) -> None:
    """Make function handles of cells that stand for such, in place; `payload` is then the position of their struct."""
    index = np.flatnonzero((headers.cls == MatlabClass.CELL) & (headers.numel == 2) & headers.ok)
    if not len(index):
        return
    try:
        (cells,) = reader.children(headers.take(index))
        mark, told = cells.elements.take(slice(0, None, 2)), cells.elements.take(slice(1, None, 2))
        first, second = reader.plain_headers(mark), reader.plain_headers(told)
        may = (first.cls == MatlabClass.UINT32) & (first.numel == 1) & first.ok
        may &= (second.cls == MatlabClass.STRUCT) & (second.numel == 1) & second.ok
        for k in np.flatnonzero(may).tolist():
            some = np.array([k])
            fields = reader.children(second.take(some))[0].fields or ()
            if "function_handle" in fields and reader.gather(first.take(some))[0][0] == OPAQUE_MARK:
                i, place = int(index[k]), int(told.positions[k])
                headers.nbytes[i] += headers.payload[i] - place
                headers.cls[i], headers.storage[i], headers.payload[i] = MatlabClass.FUNCTION, HANDLE, place
                headers.set_dims(i, (1, 1))
    except CorruptFile:
        # They are cells then, whose damage is told when they are read.
        return


class Cells(Protocol):
    """What the table of objects needs of the reader of its cells."""

    def headers(self, elements: Elements) -> Headers: ...

    def children(self, headers: Headers) -> list[Children]: ...

    def gather(self, headers: Headers) -> tuple[NDArray[Any], Int64s]: ...


class PlainCells(Cells, Protocol):
    """What `object_headers` needs of a reader besides."""

    def plain_headers(self, elements: Elements) -> Headers: ...

    def may_refer(self, headers: Headers) -> NDArray[np.bool_]: ...


class ObjectTable:
    """The objects of a file by number: `reader` reads `cells`, those of ``FileWrapper__``."""

    def __init__(self, reader: Cells, cells: Elements, byte_order: Literal["<", ">"]) -> None:
        self._reader, self.cells, self.byte_order = reader, cells, byte_order
        if len(cells) < 2:
            raise CorruptFile(f"the subsystem has {len(cells)} cells, too few for any object")
        self._bytes = self._metadata()
        if len(self._bytes) < _NAMES:
            raise CorruptFile(f"the metadata of objects have {len(self._bytes)} bytes")
        head = self._bytes[:_NAMES].view(np.dtype(np.uint32).newbyteorder(byte_order)).astype(np.int64).tolist()
        self.version = head[0] & 0xFF
        if self.version not in _VERSIONS:
            known = f"{_VERSIONS[0]} to {_VERSIONS[-1]}"
            raise UnsupportedValue(f"objects are stored in version {self.version}; {known} are known")
        self._value_count = len(cells) - 2 - (self.version - 1)
        ends = head[2:8]
        if not all(a <= b for a, b in zip([_NAMES, *ends], [*ends, len(self._bytes)], strict=True)):
            raise CorruptFile(f"the regions of the metadata of objects do not lie one behind another: {ends}")
        self._regions = list(pairwise(ends))
        self._names = self._split_names(head[1], ends[0])
        self._default_values: dict[int, dict[str, Elements]] = {}
        self._starts: dict[int, tuple[Words, Words]] = {}
        self._classes = self._region(0, 4)
        self._objects = self._region(2, 6)

    def _metadata(self) -> NDArray[np.uint8]:
        headers = self._reader.headers(self.cells.take(np.zeros(1, np.int64)))
        headers.raise_first_error()
        if headers.cls[0] != MatlabClass.UINT8:
            raise CorruptFile("the metadata of objects are no bytes")
        return np.ascontiguousarray(self._reader.gather(headers)[0])

    def _split_names(self, count: int, end: int) -> list[str]:
        parts = bytes(self._bytes[_NAMES:end]).split(b"\0")
        if count > len(parts):
            raise CorruptFile(f"{count} names of classes and properties declared, {len(parts)} stored")
        # Every property has a place of its own, also in files whose names were damaged.
        return [part.decode("utf-8", "replace") or f"f{k}" for k, part in enumerate(parts[:count])]

    def _region(self, k: int, width: int) -> Words:
        start, stop = self._regions[k]
        count = (stop - start) // 4
        words = self._bytes[start : start + 4 * count].view(np.dtype(np.int32).newbyteorder(self.byte_order))
        numbers: Words = words.astype(np.int64)
        return numbers[: count // width * width].reshape(-1, width) if width > 1 else numbers

    # --- classes -------------------------------------------------------------------

    def name(self, index: int) -> str:
        """A name by its number, from 1."""
        if not 1 <= index <= len(self._names):
            raise CorruptFile(f"name {index} of {len(self._names)} is asked for")
        return self._names[index - 1]

    def class_name(self, class_id: int) -> str:
        """Name of a class with its namespaces."""
        if not 1 <= class_id < len(self._classes):
            raise CorruptFile(f"class {class_id} of {len(self._classes) - 1} is asked for")
        namespace, name = self._classes[class_id, :2].tolist()
        return f"{self.name(namespace)}.{self.name(name)}" if namespace else self.name(name)

    def __len__(self) -> int:
        return max(len(self._objects) - 1, 0)

    def metadata_value(self, position: int) -> NDArray[Any]:
        """A value that stands in the metadata."""
        return metadata_value(position, self.name)

    def class_of(self, object_id: int) -> str:
        """Name of the class of an object."""
        return self.class_name(int(self._object(object_id)[0]))

    def _object(self, object_id: int) -> Words:
        if not 1 <= object_id < len(self._objects):
            raise CorruptFile(f"object {object_id} of {len(self)} is asked for")
        found: Words = self._objects[object_id]
        return found

    # --- properties ----------------------------------------------------------------

    def properties(self, object_id: int) -> dict[str, Elements]:
        """Properties of an object by name: the defaults of its class, its own, and dynamic ones."""
        class_id, _, _, _, _, dependency = self._object(object_id).tolist()
        if class_id not in self._default_values:
            self._default_values[class_id] = self._defaults(class_id)
        found = self._default_values[class_id] | self._own_properties(object_id)
        for dynamic in self._blocks(4, dependency).tolist():
            if dynamic and dynamic != object_id:
                found |= self._dynamic(dynamic)
        return found

    def _own_properties(self, object_id: int) -> dict[str, Elements]:
        _, _, _, by_itself, normal, _ = self._object(object_id).tolist()
        block = self._blocks(1, by_itself) if by_itself else self._blocks(3, normal)
        return {self.name(name): self._property(kind, value) for name, kind, value in block.reshape(-1, 3).tolist()}

    def _dynamic(self, object_id: int) -> dict[str, Elements]:
        """A property that was added to one object: an object itself, of name and value."""
        parts = self._own_properties(object_id)
        name = parts.get(_DYNAMIC_NAME)
        if name is None:
            return {}
        headers = self._reader.headers(name)
        if not headers.ok[0] or headers.cls[0] != MatlabClass.CHAR:
            return {}
        text = self._reader.gather(headers)[0].astype("<u2").tobytes().decode("utf-16-le", "replace")
        text = text or f"f{object_id}"
        return {text: parts[_DYNAMIC_VALUE]} if _DYNAMIC_VALUE in parts else {}

    def _property(self, kind: int, value: int) -> Elements:
        if kind == _MEMBER:
            self.name(value)
        if kind in (_MEMBER, _NUMBER):
            place = name_position(value) if kind == _MEMBER else number_position(value)
            return Elements(self.cells.segment, np.array([place]))
        if kind != _STORED or not 0 <= value < self._value_count:
            raise CorruptFile(f"property {value} of {self._value_count}, kind {kind}, is asked for")
        return self.cells.take(np.array([2 + value]))

    def _defaults(self, class_id: int) -> dict[str, Elements]:
        """Values that the objects of a class have unless they have their own."""
        defaults = self._default_cells
        if defaults is None or not 0 <= class_id < len(defaults):
            return {}
        headers = self._reader.headers(defaults.take(np.array([class_id])))
        if not headers.ok[0] or headers.cls[0] != MatlabClass.STRUCT or headers.numel[0] != 1:
            return {}
        found: dict[str, Elements] = {}
        for children in self._reader.children(headers):
            for k, name in enumerate(children.fields or ()):
                found[name] = children.column(k)
        return found

    @cached_property
    def _default_cells(self) -> Elements | None:
        if self._value_count == len(self.cells) - 2:
            return None
        headers = self._reader.headers(self.cells.take(np.array([len(self.cells) - 1])))
        if not headers.ok[0] or headers.cls[0] != MatlabClass.CELL:
            return None
        children = self._reader.children(headers)
        return children[0].elements if children else None

    def _blocks(self, region: int, index: int) -> Words:
        """The numbers of one block of a region: of dynamic properties one each, of others three."""
        words, starts = self._located(region)
        if not 0 <= index < len(starts):
            return words[:0]
        start = int(starts[index])
        return words[start + 1 : start + 1 + int(words[start]) * (1 if region == 4 else 3)]

    def _located(self, region: int) -> tuple[Words, Words]:
        """A region and the starts of its blocks, each padded to eight bytes."""
        if region not in self._starts:
            words = self._region(region, 1)
            numbers, width = words.tolist(), 1 if region == 4 else 3
            starts: list[int] = []
            at = 0
            while at < len(numbers):
                size = 1 + numbers[at] * width
                if numbers[at] < 0 or at + size > len(numbers):
                    raise CorruptFile(f"block {len(starts)} of region {region} of the metadata of objects is cut off")
                starts.append(at)
                at += size + size % 2
            self._starts[region] = words, np.array(starts, np.int64)
        return self._starts[region]
