"""Values in the form of `scipy.io.loadmat`, decoded level by level for all elements at once."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import MatlensError
from matlens.formats.loadmat_output import is_undecoded
from matlens.formats.ragged import decode_rows
from matlens.formats.reader import Reader
from matlens.formats.records import CLASS_DTYPES, Children, Elements, Headers, Int64s, MatlabClass, OpaqueValue, Single
from matlens.formats.visit import Walk, kinds
from matlens.values.kinds import number_arrays, sparse_arrays
from matlens.values.objects import Objects, is_enumeration
from matlens.values.plain import decode

__all__ = ["LoadmatOptions", "decode_values", "function_texts"]


SINGLES = 16
"""Fewer values than this are decoded one by one where the reader can."""
_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class LoadmatOptions:
    """Options of `scipy.io.loadmat` that change the form of values."""

    mat_dtype: bool = True
    squeeze_me: bool = False
    chars_as_strings: bool = True
    struct_as_record: bool = True


def decode_values(reader: Reader, elements: Elements, options: LoadmatOptions | None = None) -> NDArray[np.object_]:
    """Decode all `elements`, nested values included, to an object array of n values."""
    return _Decoder(Walk(reader, reader.limits.elements), options or LoadmatOptions()).decode(elements)


class _Decoder:
    def __init__(self, walk: Walk, options: LoadmatOptions) -> None:
        self._walk = walk
        self._reader = walk.reader
        self._options = options
        self._objects: Objects | None = None

    def decode(self, elements: Elements, owner: Int64s | None = None) -> NDArray[np.object_]:
        if len(elements) >= SINGLES:
            return self._decode_batch(elements, owner)
        values = np.empty(len(elements), object)
        for i, position in enumerate(elements.positions.tolist()):
            one = self._read_single(elements.segment, position)
            if one is None:
                return self._decode_batch(elements, owner)
            values[i] = self._squeeze(self._decode_single(one, elements.segment, position))
        return values

    def _read_single(self, segment: int, position: int) -> Single | None:
        try:
            return self._reader.single(segment, position, as_stored=not self._options.mat_dtype)
        except MatlensError as error:
            error.position = error.position or (segment, position)
            raise

    def _decode_single(self, one: Single, segment: int, position: int) -> Any:
        if one.values is not None:
            if one.cls == MatlabClass.CHAR:
                return self._char_array(one.values, one.dims)
            return _writeable(one.values.reshape(one.dims, order="F"))
        self._walk.enter_single(position)
        items = self.decode(Elements(segment, one.children if one.children is not None else _NONE))
        self._walk.leave()
        if one.cls == MatlabClass.CELL:
            return items.reshape(one.dims, order="F")
        return self._structs(one.fields or (), one.dims, items)

    def _decode_batch(self, elements: Elements, owner: Int64s | None = None) -> NDArray[np.object_]:
        headers = self._walk.enter(elements, owner)
        headers.raise_first_error()
        values = np.empty(len(elements), object)
        for (cls, *_), index in kinds(headers, as_stored=not self._options.mat_dtype):
            part = headers.take(index)
            for i, value in zip(index.tolist(), self._decode_kind(cls, part, index), strict=True):
                values[i] = self._squeeze(value)
        self._walk.leave()
        return values

    def _decode_kind(self, cls: int, headers: Headers, index: Int64s) -> list[Any]:
        if cls in CLASS_DTYPES:
            arrays = number_arrays(self._reader, headers, as_stored=not self._options.mat_dtype)
            return [_writeable(array) for array in arrays]
        if cls == MatlabClass.CHAR:
            return self._chars(headers)
        if cls == MatlabClass.SPARSE:
            return sparse_arrays(self._reader, headers)
        if cls == MatlabClass.UNKNOWN:
            return [None] * len(headers)
        if cls == MatlabClass.OPAQUE:
            return [self._opaque(headers, i, int(place)) for i, place in enumerate(index)]
        values: list[Any] = [None] * len(headers)
        for group in self._reader.children(headers):
            counts = np.diff(group.offsets) * group.width
            items = self.decode(group.elements, index[np.repeat(group.parents, counts)])
            for k, parent in enumerate(group.parents.tolist()):
                start, stop = (group.offsets[k : k + 2] * group.width).tolist()
                values[parent] = self._container(cls, headers, parent, group, items[start:stop])
        return values

    def _container(self, cls: int, headers: Headers, i: int, group: Children, items: NDArray[np.object_]) -> Any:
        dims = headers.shape(i)
        if cls == MatlabClass.CELL:
            return items.reshape(dims, order="F")
        if cls == MatlabClass.FUNCTION:
            from scipy.io.matlab import MatlabFunction

            return MatlabFunction(items[0])
        structs = self._structs(group.fields or (), dims, items)
        if is_enumeration(structs) and (objects := self._find_objects()) is not None:
            return objects.enumeration(structs)
        if cls == MatlabClass.OBJECT:
            from scipy.io.matlab import MatlabObject

            return MatlabObject(structs, headers.class_name(i))
        return structs

    def _structs(self, fields: tuple[str, ...], dims: tuple[int, ...], items: NDArray[np.object_]) -> Any:
        if not self._options.struct_as_record:
            return self._mat_structs(fields, dims, items)
        if not fields:
            # They take no room in a file, so that any number may be declared.
            self._walk.visit(math.prod(dims))
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
            self._walk.visit(count)
        structs = np.empty(count, object)
        for k in range(count):
            structs[k] = record = mat_struct()
            record._fieldnames = list(fields)
            record.__dict__.update(zip(fields, items[k * len(fields) :], strict=False))
        return structs.reshape(dims, order="F")

    def _chars(self, headers: Headers) -> list[Any]:
        units, offsets = self._reader.gather(headers)
        bounds = offsets.tolist()
        return [self._char_array(units[bounds[i] : bounds[i + 1]], headers.shape(i)) for i in range(len(headers))]

    def _char_array(self, units: NDArray[Any], dims: tuple[int, ...]) -> NDArray[Any]:
        if self._options.chars_as_strings and len(dims) == 2 and len(units):
            return np.array(decode_rows(units, dims))
        letters = units.astype(np.uint32).view("U1").reshape(dims, order="F")
        if not self._options.chars_as_strings:
            return letters
        if len(units) == 0:
            return np.zeros(0, "U1")
        return np.ascontiguousarray(letters).view(f"U{dims[-1]}").reshape(dims[:-1])

    def _opaque(self, headers: Headers, i: int, place: int) -> Any:
        stored = self._reader.opaque(headers, i)
        objects = self._find_objects() if stored.type_system == "MCOS" else None
        return self._undecoded(stored, place) if objects is None else objects.value(stored, place)

    def _find_objects(self) -> Objects | None:
        table = self._reader.objects() if self._objects is None else None
        if table is not None:
            self._objects = Objects(table, lambda found, at: self._inner.decode(found, np.array([at]))[0])
        return self._objects

    @property
    def _inner(self) -> _Decoder:
        """Properties of objects are decoded with all their dims, whatever the options."""
        return self if self._options == LoadmatOptions() else _Decoder(self._walk, LoadmatOptions())

    def _undecoded(self, stored: OpaqueValue, place: int) -> Any:
        from scipy.io.matlab import MatlabOpaque

        reference = stored.reference
        if isinstance(reference, Elements):
            reference = self.decode(reference, np.full(len(reference), place))[0]
        reference = self._squeeze(reference)
        dtype = [("s0", object), ("s1", object), ("s2", object), ("arr", object)]
        record = np.empty(1, dtype)
        record[0] = (
            stored.name.encode(),
            stored.type_system.encode(),
            stored.class_name.encode(),
            reference,
        )
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


def function_texts(reader: Reader, headers: Headers) -> list[str]:
    """Text of each function handle, such as ``@(x)x.^2`` or ``sin``."""
    return [_function_text(value) for value in decode_values(reader, headers.elements)]


def _function_text(value: Any) -> str:
    stored = decode(value)
    while isinstance(stored, dict):
        if isinstance(stored.get("function"), str):
            # Anonymous functions are stored behind a mark such as "sf%0".
            return re.sub(r"^sf%\d+(?=@)", "", stored["function"])
        stored = stored.get("function_handle")
    return str(stored) if isinstance(stored, str) else ""
