"""Values in the form of `scipy.io.loadmat`, decoded level by level for all elements at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, MatlensError, UnsupportedValue
from matlens.formats.dtypes import value_dtype
from matlens.formats.loadmat_output import is_undecoded
from matlens.formats.one_by_one import OneByOne, Single
from matlens.formats.places import Places, child_path
from matlens.formats.ragged import decode_rows
from matlens.formats.reader import Reader
from matlens.formats.records import Children, Elements, Headers, Int64s, MatlabClass, OpaqueValue
from matlens.formats.visit import Batch, Visitor
from matlens.values.handles import function_texts
from matlens.values.kinds import number_arrays, sparse_arrays
from matlens.values.objects import Objects, is_enumeration, refuse_missing

SINGLES = 16
"""Fewer values than this are decoded one by one where the reader can."""
_NONE, _FIRST = np.zeros(0, np.int64), np.zeros(1, np.int64)


@dataclass(frozen=True, slots=True)
class LoadmatOptions:
    """Options of `scipy.io.loadmat` that change the form of values.

    `mat_dtype` is True for MATLAB's classes, False for storage types, None for MATLAB's classes with int64 for doubles
    that are stored as integers.
    """

    mat_dtype: bool | None = True
    squeeze_me: bool = False
    chars_as_strings: bool = True
    struct_as_record: bool = True
    functions_as_text: bool = False
    """Function handles as their text: their workspace may lead back to them."""


def decode_values(
    reader: Reader,
    elements: Elements,
    options: LoadmatOptions | None = None,
    places: Places | None = None,
    objects: Objects | None = None,
    undecoded: list[MatlensError] | None = None,
) -> NDArray[np.object_]:
    """Decode all `elements`, nested values included, to an object array of n values.

    With `objects` that several calls share, an object is decoded once for all of them, and is one in Python. With
    `undecoded`, objects that cannot be decoded stay opaque, and why they cannot is put there.
    """
    reader.check()
    decoder = _Decoder(reader, options or LoadmatOptions(), objects)
    decoder.undecoded = undecoded
    found: NDArray[np.object_] = decoder.visit(elements, places)
    return found


def objects_of(reader: Reader) -> Objects | None:
    """The objects of a file, for calls of `decode_values` to share; None where there are none."""
    table = reader.objects()
    if table is None:
        return None
    # Properties keep all their dims whatever the options.
    decoder = _Decoder(reader, LoadmatOptions(functions_as_text=True))
    decoder.objects_known = Objects(reader, table, lambda elements: decoder.visit(elements)[0])
    return decoder.objects_known


def decoding(reader: Reader) -> Callable[[Elements], Any]:
    """How the value of a single element is had."""
    return lambda elements: decode_values(reader, elements)[0]


class _Inside:
    """Places of the children of element `i`, which was read alone."""

    def __init__(self, above: Places, i: int, one: Single) -> None:
        self._above, self._i, self._one = above, i, one

    def path(self, i: int) -> str:
        return child_path(self._above.path(self._i), self._one.fields, self._one.dims, i)


class _Decoder(Visitor):
    """Each method gives the values of its batch; a level is an object array."""

    def __init__(self, reader: Reader, options: LoadmatOptions, objects: Objects | None = None) -> None:
        super().__init__(reader, most="elements")
        self._one_by_one = reader if isinstance(reader, OneByOne) else None
        self._options = options
        self.as_stored = options.mat_dtype is not True
        self.objects_known = objects
        self.undecoded: list[MatlensError] | None = None

    def visit(self, elements: Elements, where: Any = None, owner: Int64s | None = None) -> NDArray[np.object_]:
        if len(elements) >= SINGLES or self._one_by_one is None:
            return self._batch(elements, where, owner)
        values = np.empty(len(elements), object)
        for i, position in enumerate(elements.positions.tolist()):
            try:
                one = self._one_by_one.single(elements.segment, position, as_stored=self.as_stored)
            except MatlensError as error:
                path = None if where is None else where.path(i)
                raise error.at(variable=path, position=(elements.segment, position)) from error.__cause__
            if one is None:
                return self._batch(elements, where, owner)
            inside = None if where is None else _Inside(where, i, one)
            values[i] = self._squeeze(self._single(one, elements.segment, position, inside))
        return values

    def _batch(self, elements: Elements, where: Any, owner: Int64s | None) -> NDArray[np.object_]:
        return np.fromiter(map(self._squeeze, super().visit(elements, where, owner)), object, len(elements))

    def _single(self, one: Single, segment: int, position: int, inside: Places | None) -> Any:
        if one.values is not None:
            if one.cls == MatlabClass.CHAR:
                return self._char_array(one.values, one.dims)
            values = self._typed(one.values, one.cls, is_logical=one.is_logical)
            return _writeable(values.reshape(one.dims, order="F"))
        self.walk.enter_known(np.array([position]), _FIRST)
        items = self.visit(Elements(segment, one.children if one.children is not None else _NONE), inside)
        self.walk.leave()
        if one.cls == MatlabClass.CELL:
            return items.reshape(one.dims, order="F")
        return self._structs(one.fields or (), one.dims, items)

    # --- batches of one class ------------------------------------------------------

    def numbers(self, batch: Batch) -> list[Any]:
        arrays = number_arrays(self.reader, batch.headers, as_stored=self.as_stored)
        cls, is_logical = int(batch.headers.cls[0]), bool(batch.headers.is_logical[0])
        return [_writeable(self._typed(array, cls, is_logical=is_logical)) for array in arrays]

    def _typed(self, values: NDArray[Any], cls: int, *, is_logical: bool) -> NDArray[Any]:
        """Numbers in the type that the options ask for, which are stored in any that holds them."""
        if self._options.mat_dtype is not None:
            return values
        stored_as_integers = values.dtype.kind in "iu" and values.size and values.dtype != np.uint64
        if stored_as_integers and cls in (MatlabClass.DOUBLE, MatlabClass.SINGLE) and not is_logical:
            return values.astype(np.int64)
        if self.reader.version == "v4":
            # It has no classes but that of doubles: SciPy keeps what is stored.
            return values
        dtype = value_dtype(cls, is_logical=is_logical, is_complex=values.dtype.kind == "c")
        return values.astype(dtype, copy=False)

    def text(self, batch: Batch) -> list[Any]:
        headers = batch.headers
        units, offsets = self.reader.gather(headers)
        bounds = offsets.tolist()
        return [self._char_array(units[bounds[i] : bounds[i + 1]], headers.shape(i)) for i in range(len(headers))]

    def sparse(self, batch: Batch) -> list[Any]:
        arrays = sparse_arrays(self.reader, batch.headers)
        if self._options.mat_dtype is False and self.reader.version in ("v6", "v7"):
            types = (self.reader.storage(batch.headers.take(np.array([i])))["type"] for i in range(len(arrays)))
            arrays = [
                array.astype(kind, copy=False) if array.dtype == np.float64 else array
                for array, kind in zip(arrays, types, strict=True)
            ]
        return arrays

    def objects(self, batch: Batch) -> list[Any]:
        return [self._opaque(batch.headers, i) for i in range(len(batch))]

    def functions(self, batch: Batch) -> list[Any]:
        if self._options.functions_as_text:
            return function_texts(self.reader, batch.headers)
        from scipy.io.matlab import MatlabFunction

        empty = np.zeros((0, 0), object)
        return self._containers(batch, lambda i, group, items: MatlabFunction(items[0] if len(items) else empty))

    def cells(self, batch: Batch) -> list[Any]:
        return self._containers(batch, lambda i, group, items: items.reshape(batch.headers.shape(i), order="F"))

    def structs(self, batch: Batch) -> list[Any]:
        return self._containers(batch, lambda i, group, items: self._struct(batch.headers, i, group, items))

    def _containers(self, batch: Batch, make: Callable[[int, Children, NDArray[np.object_]], Any]) -> list[Any]:
        """Decode all children of a batch, and make a value for each parent from its own."""
        values: list[Any] = [None] * len(batch)
        for below in self.below(batch):
            group = below.group
            items = self.visit(group.elements, below.places, below.owner)
            bounds = (group.offsets * group.width).tolist()
            for k, parent in enumerate(group.parents.tolist()):
                values[parent] = make(parent, group, items[bounds[k] : bounds[k + 1]])
        return values

    def _struct(self, headers: Headers, i: int, group: Children, items: NDArray[np.object_]) -> Any:
        structs = self._structs(group.fields or (), headers.shape(i), items)
        if is_enumeration(structs) and (objects := self._find_objects()) is not None:
            return objects.enumeration(structs)
        if headers.cls[i] == MatlabClass.OBJECT:
            from scipy.io.matlab import MatlabObject

            return MatlabObject(structs, headers.class_name(i))
        return structs

    def _structs(self, fields: tuple[str, ...], dims: tuple[int, ...], items: NDArray[np.object_]) -> Any:
        if not self._options.struct_as_record:
            return self._mat_structs(fields, dims, items)
        if not fields:
            # They take no room in a file, so that any number may be declared.
            self.walk.count(math.prod(dims))
            return np.full(dims, None, object)
        structs = np.empty(dims, dtype=[(name, object) for name in fields], order="F")
        # NumPy gives a name to a field without one.
        for j, name in enumerate(structs.dtype.names or ()):
            structs[name] = items[j :: len(fields)].reshape(dims, order="F")
        return structs

    def _mat_structs(self, fields: tuple[str, ...], dims: tuple[int, ...], items: NDArray[np.object_]) -> Any:
        from scipy.io.matlab import mat_struct

        count = math.prod(dims)
        if not fields:
            self.walk.count(count)
        structs = np.empty(count, object)
        for k in range(count):
            structs[k] = record = mat_struct()
            record._fieldnames = list(fields)
            record.__dict__.update(zip(fields, items[k * len(fields) :], strict=False))
        return structs.reshape(dims, order="F")

    def _char_array(self, units: NDArray[Any], dims: tuple[int, ...]) -> NDArray[Any]:
        if self._options.chars_as_strings and len(dims) == 2 and len(units):
            return np.array(decode_rows(units, dims))
        letters = units.astype(np.uint32).view("U1").reshape(dims, order="F")
        if not self._options.chars_as_strings:
            return letters
        if len(units) == 0:
            return np.zeros(0, "U1")
        return np.ascontiguousarray(letters).view(f"U{dims[-1]}").reshape(dims[:-1])

    def _opaque(self, headers: Headers, i: int) -> Any:
        stored = self.reader.opaque(headers, i)
        try:
            refuse_missing(self.reader, stored)
            objects = self._find_objects() if stored.type_system == "MCOS" else None
            return self._undecoded(stored) if objects is None else objects.value(stored)
        except (UnsupportedValue, CorruptFile) as error:
            if self.undecoded is None:
                raise
            self.undecoded.append(error)
            return self._undecoded(stored)

    def _find_objects(self) -> Objects | None:
        if self.objects_known is None:
            self.objects_known = objects_of(self.reader)
        return self.objects_known

    def _undecoded(self, stored: OpaqueValue) -> Any:
        from scipy.io.matlab import MatlabOpaque

        reference = stored.reference
        if isinstance(reference, Elements):
            reference = self.visit(reference)[0]
        reference = self._squeeze(reference)
        dtype = [("s0", object), ("s1", object), ("s2", object), ("arr", object)]
        record = np.empty(1, dtype)
        record[0] = (stored.name.encode(), stored.type_system.encode(), stored.class_name.encode(), reference)
        return MatlabOpaque(record)

    def _squeeze(self, value: Any) -> Any:
        # SciPy leaves opaque objects as they are, and functions and old objects as arrays.
        if not self._options.squeeze_me or not isinstance(value, np.ndarray) or is_undecoded(value):
            return value
        if value.size == 0:
            return np.array([], value.dtype)
        squeezed = np.squeeze(value)
        is_function = type(squeezed).__name__ == "MatlabFunction"
        if squeezed.ndim == 0 and squeezed.dtype.kind in "biufcUO" and not is_function:
            return squeezed.item()
        return squeezed


def _writeable(array: NDArray[Any]) -> NDArray[Any]:
    """The array, or a copy of one that views the file."""
    return array if array.flags.writeable else array.copy(order="F")
