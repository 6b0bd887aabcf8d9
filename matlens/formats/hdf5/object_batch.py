"""HDF5 object headers for whole batches at once, straight from the bytes of the file.

Objects of one batch are read in lock-step, message by message. Covered are the common forms: version-1 object
headers, old-style groups, version-3 layouts, version-1 attributes. Everything else is left to
`matlens.formats.hdf5.object_single`. Layout after The HDF Group, *HDF5 File Format Specification Version 3.0*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from matlens.formats.hdf5 import layout
from matlens.formats.hdf5.bytes import Bytes, Mask, equal_text
from matlens.formats.hdf5.layout import BATCH_NDIM, CHUNKED, COMPACT, COMPOUND, CONTIGUOUS, FIXED, FLOAT, UNDEFINED
from matlens.formats.records import Int64s

ABSENT, OTHER_WORD = -1, -2
"""Value of an attribute that is not there, and of a text that is not one of the known words."""
_HARMLESS = (*layout.IGNORED, layout.FILL, layout.OLD_FILL, layout.FILTERS)
"""Messages that say nothing of what is read here."""


class Stored(NamedTuple):
    """Where one attribute of n objects stands, and the room for its data."""

    source: Bytes
    datatype: Int64s
    dataspace: Int64s
    data: Int64s
    room: Int64s

    def values(self, fits: Mask, columns: int = 1) -> tuple[Mask, Int64s, Int64s]:
        """`fits`, values to fill in, and the indices where they belong."""
        shape = (len(fits), columns) if columns > 1 else len(fits)
        return fits, np.full(shape, ABSENT, np.int64), np.flatnonzero(fits)


class Reading(NamedTuple):
    """How the values of an attribute are read: which are as expected, and all values, in one or more columns."""

    read: Callable[[Stored], tuple[Mask, Int64s]]
    columns: int = 1


def _presence(stored: Stored) -> tuple[Mask, Int64s]:
    return np.ones(len(stored.data), bool), np.ones(len(stored.data), np.int64)


def _flag(stored: Stored) -> tuple[Mask, Int64s]:
    fits, values, index = stored.values(stored.room >= 1)
    values[index] = stored.source.number(stored.data[index], 1) != 0
    return fits, values


def integer(width: int) -> Reading:
    """Little-endian integers of `width` bytes, none of them negative."""

    def read(stored: Stored) -> tuple[Mask, Int64s]:
        kind = layout.TYPE_HEAD.many(stored.source, stored.datatype)
        fits = (kind["head"] & 15 == FIXED) & (kind["size"] == width) & (kind["bits"] & layout.BIG_ENDIAN == 0)
        fits, values, index = stored.values(np.asarray(fits & (stored.room >= width)))
        values[index] = stored.source.number(stored.data[index], width)
        return fits & (values >= 0), values

    return Reading(read)


def word(words: Sequence[bytes]) -> Reading:
    """The number of a text among `words`, or `OTHER_WORD`."""
    width = _width(words)

    def read(stored: Stored) -> tuple[Mask, Int64s]:
        kind = layout.TYPE_HEAD.many(stored.source, stored.datatype)
        length = kind["size"].astype(np.int64)
        fits, values, index = stored.values((kind["head"] & 15 == layout.STRING) & (length <= stored.room))
        texts = stored.source.texts(stored.data[index], length[index], width)
        found = np.full(len(index), OTHER_WORD, np.int64)
        for code, text in enumerate(words):
            found[equal_text(texts, text)] = code
        values[index] = found
        return fits, values

    return Reading(read)


def _names(stored: Stored) -> tuple[Mask, Int64s]:
    """Position and length of a list of texts, or the address of the data set that holds it."""
    source = stored.source
    kind = layout.TYPE_HEAD.many(source, stored.datatype)
    space = layout.VECTOR.many(source, np.minimum(stored.dataspace, source.size - layout.VECTOR.size))
    count = space["count"].astype(np.int64)
    listed = (kind["head"] & 15 == layout.VLEN) & (space["version"] == 1) & (space["ndim"] == 1)
    listed &= (count >= 0) & (count <= stored.room // layout.SEQUENCE.size)
    elsewhere = (kind["head"] & 15 == layout.REFERENCE) & (kind["size"] == layout.ADDRESS.size)
    elsewhere &= stored.room >= layout.ADDRESS.size
    fits, values, _ = stored.values(listed | elsewhere, 3)
    values[listed, 0], values[listed, 1] = stored.data[listed], count[listed]
    values[elsewhere, 2] = source.number(stored.data[elsewhere], layout.ADDRESS.size)
    return fits, values


FLAG, NAMES, PRESENT = Reading(_flag), Reading(_names, 3), Reading(_presence)


def _width(texts: Sequence[bytes]) -> int:
    """Bytes to compare texts by: whole words, and at least one byte more than the longest has."""
    return (max(map(len, texts), default=0) // 8 + 1) * 8


class Wanted:
    """What is read of each object beside its type, dims and layout; `pair` names the parts of complex numbers."""

    def __init__(self, attributes: Mapping[bytes, Reading], pair: tuple[bytes, bytes]) -> None:
        self.attributes, self.pair = attributes, pair
        self.width = _width(list(attributes))


@dataclass(slots=True, eq=False)
class Objects:
    """Headers of n objects: a struct of arrays. Where `ok` is false, nothing else counts.

    `data` is where the values of compact and contiguous data sets stand. `attributes` holds the values of the wanted
    attributes, or `ABSENT`.
    """

    ok: Mask
    is_group: Mask
    ndim: Int64s
    dims: Int64s
    numel: Int64s
    type_class: Int64s
    type_bits: Int64s
    type_size: Int64s
    is_complex: Mask
    layout: Int64s
    data: Int64s
    data_size: Int64s
    btree: Int64s
    heap: Int64s
    attributes: dict[bytes, Int64s]

    @classmethod
    def unread(cls, n: int, wanted: Wanted) -> Objects:
        return cls(
            ok=np.ones(n, bool),
            is_group=np.zeros(n, bool),
            dims=np.ones((n, BATCH_NDIM), np.int64),
            is_complex=np.zeros(n, bool),
            attributes={
                name: np.full((n, reading.columns) if reading.columns > 1 else n, ABSENT, np.int64)
                for name, reading in wanted.attributes.items()
            },
            **{name: np.full(n, fill, np.int64) for name, fill in _UNREAD.items()},
        )


_UNREAD = dict.fromkeys(("ndim", "type_class", "layout"), -1) | dict.fromkeys(("data", "btree", "heap"), UNDEFINED)
_UNREAD |= {"numel": 1, "type_bits": 0, "type_size": 0, "data_size": 0}
"""The numbers of objects of which nothing is known."""


def read_objects(source: Bytes, base: int, addresses: Int64s, wanted: Wanted) -> Objects:
    """Headers of the objects at `addresses`, which count from `base`."""
    return _Walk(source, base, addresses, wanted).run()


class _Walk:
    """The state of a lock-step walk: where each object's next message stands."""

    def __init__(self, source: Bytes, base: int, addresses: Int64s, wanted: Wanted) -> None:
        self.source, self.base, self.wanted = source, base, wanted
        self.objects = Objects.unread(len(addresses), wanted)
        self.position = addresses + base
        self.end = np.zeros(len(addresses), np.int64)
        self.left = np.zeros(len(addresses), np.int64)
        self.continued = np.zeros((len(addresses), 2), np.int64)

    def run(self) -> Objects:
        self._prefixes()
        for _ in range(layout.BATCH_MESSAGES):
            self._continue()
            active = np.flatnonzero(self.objects.ok & (self.left > 0))
            if not len(active):
                break
            self._messages(active)
        self.objects.ok &= self.left <= 0
        self.objects.is_group = self.objects.btree >= 0
        return self.objects

    def _prefixes(self) -> None:
        fits = self.source.inside(self.position, layout.PREFIX.size)
        self.objects.ok &= fits
        index = np.flatnonzero(fits)
        start = self.position[index] + layout.PREFIX.size
        head = layout.PREFIX.many(self.source, self.position[index])
        size = head["size"].astype(np.int64)
        self.left[index] = head["count"]
        self.position[index], self.end[index] = start, start + size
        self.objects.ok[index] &= (head["version"] == layout.PREFIX_VERSION) & self.source.inside(start, size)

    def _continue(self) -> None:
        """Go on in the continuation block where the current block is used up."""
        done = self.objects.ok & (self.left > 0) & (self.position + layout.MESSAGE.size > self.end)
        index = np.flatnonzero(done)
        self.position[index] = self.continued[index, 0]
        self.end[index] = self.continued[index].sum(axis=1)
        # Messages that are declared but not there: the header ends here.
        self.left[index[self.continued[index, 1] < layout.MESSAGE.size]] = 0
        self.continued[index] = 0

    def _messages(self, index: Int64s) -> None:
        head = layout.MESSAGE.many(self.source, self.position[index])
        kind, size = head["kind"].astype(np.int64), head["size"].astype(np.int64)
        body = self.position[index] + layout.MESSAGE.size
        good = body + size <= self.end[index]
        shared = head["flags"] & layout.SHARED != 0
        if shared.any():
            good &= ~shared | np.isin(kind, _HARMLESS)
        self.objects.ok[index[~good]] = False
        self.position[index] = body + size
        self.left[index] -= 1
        for value in np.flatnonzero(np.bincount(kind[good])).tolist():
            chosen = good & (kind == value)
            if value in _HANDLERS:
                handler, least = _HANDLERS[value]
                self.objects.ok[index[chosen & (size < least)]] = False
                chosen &= size >= least
                handler(self, index[chosen], body[chosen], size[chosen])
            elif value not in _HARMLESS:
                self.objects.ok[index[chosen]] = False

    def _refuse(self, index: Int64s, good: Mask) -> Mask:
        self.objects.ok[index[~good]] = False
        return good

    def _dataspace(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        source, objects, start = self.source, self.objects, layout.SPACE_START[1]
        head = source.take(body, 2)
        ndim = head[:, 1].astype(np.int64)
        good = self._refuse(index, (head[:, 0] == 1) & (ndim <= BATCH_NDIM) & (start + 8 * ndim <= size))
        index, body, ndim = index[good], body[good], ndim[good]
        objects.ndim[index] = ndim
        numel = np.ones(len(index))
        for axis in range(int(ndim.max(initial=0))):
            some = ndim > axis
            size = source.number(body[some] + start + 8 * axis, 8)
            objects.dims[index[some], axis] = size
            # As floats, so that a product beyond 64 bits does not come out small; infinite times 0 is not, either.
            with np.errstate(invalid="ignore"):
                numel[some] *= np.where((size < 0) | (size >= layout.MAX_NUMEL), np.inf, size)
        fits = self._refuse(index, numel < layout.MAX_NUMEL)
        objects.numel[index[fits]] = numel[fits].astype(np.int64)

    def _datatype(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        self._set_type(index, body)
        compound = self.objects.type_class[index] == COMPOUND
        self._complex(index[compound], body[compound], size[compound])

    def _set_type(self, index: Int64s, body: Int64s) -> None:
        kind = layout.TYPE_HEAD.many(self.source, body)
        self.objects.type_class[index] = kind["head"] & 15
        self.objects.type_bits[index] = kind["bits"]
        self.objects.type_size[index] = kind["size"]

    def _complex(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        """A compound of two numbers of one type with the names of a pair counts as complex of that type."""
        if not len(index):
            return
        objects, source, head = self.objects, self.source, layout.TYPE_HEAD.size
        kind = layout.PAIR.many(source, body)
        fits = (kind["head"] == layout.PAIR_HEAD) & (kind["count"] == layout.PAIR_COUNT)
        good = self._refuse(index, fits & (size >= head + 2 * layout.PART_SIZE[FIXED]))
        index, first, size, whole = index[good], body[good] + head, size[good], objects.type_size[index[good]]
        self._set_type(index, first + layout.PART.size)
        step = np.where(objects.type_class[index] == FLOAT, *(layout.PART_SIZE[kind] for kind in (FLOAT, FIXED)))
        good = self._refuse(index, (size >= head + 2 * step) & (whole == 2 * objects.type_size[index]))
        index, first, second = index[good], first[good], (first + step)[good]
        parts = [layout.PART.many(source, at) for at in (first, second)]
        same = (parts[0]["offset"] == 0) & (parts[1]["offset"] == objects.type_size[index])
        for part, name in zip(parts, self.wanted.pair, strict=True):
            same &= part["name"] == name
        types = [source.take(at + layout.PART.size, head + 4) for at in (first, second)]
        self._refuse(index, same & (types[0] == types[1]).all(axis=1))
        objects.is_complex[index] = True

    def _layout(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        source, objects = self.source, self.objects
        head = source.take(body, 2)
        enough = np.where(head[:, 1] == COMPACT, 2 + layout.SHORT.size, 2 + layout.CONTIGUOUS_PLACE.size)
        good = self._refuse(index, (head[:, 0] == layout.LAYOUT_VERSION) & (size >= enough))
        index, start, size, kind = index[good], body[good] + 2, size[good], head[good, 1]
        objects.layout[index] = kind
        compact, plain, chunked = (kind == code for code in (COMPACT, CONTIGUOUS, CHUNKED))
        objects.data[index[compact]] = start[compact] + layout.SHORT.size
        objects.data_size[index[compact]] = source.number(start[compact], layout.SHORT.size)
        place = layout.CONTIGUOUS_PLACE.many(source, start[plain])
        objects.data[index[plain]] = np.where(place["address"] >= 0, place["address"] + self.base, UNDEFINED)
        objects.data_size[index[plain]] = place["size"]
        inside = source.inside(objects.data[index], objects.data_size[index])
        objects.data[index[~inside]] = UNDEFINED
        # The address of the index, and a size for each dimension and for an item.
        rank = source.number(start[chunked], 1)
        self._refuse(index[chunked], 3 + layout.ADDRESS.size + layout.WORD.size * rank <= size[chunked])

    def _symbol_table(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        place = layout.GROUP_PLACES.many(self.source, body)
        self.objects.btree[index], self.objects.heap[index] = place["tree"], place["heap"]

    def _continuation(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        place = layout.CONTINUED.many(self.source, body)
        start, length = place["start"] + self.base, place["size"]
        second = self.continued[index, 1] > 0
        self._refuse(index, self.source.inside(start, length) & ~second)
        self.continued[index, 0], self.continued[index, 1] = start, length

    def _attribute(self, index: Int64s, body: Int64s, size: Int64s) -> None:
        head = layout.ATTRIBUTE_HEAD.many(self.source, body)
        good = self._refuse(index, head["version"] == 1)
        index, body, size, head = index[good], body[good], size[good], head[good]
        lengths = [head[part].astype(np.int64) for part in ("name", "datatype", "dataspace")]
        name = body + layout.ATTRIBUTE_START[1]
        datatype = name + (lengths[0] + 7) // 8 * 8
        dataspace = datatype + (lengths[1] + 7) // 8 * 8
        data = dataspace + (lengths[2] + 7) // 8 * 8
        room = body + size - data
        good = self._refuse(index, (room >= 0) & (lengths[1] >= layout.TYPE_HEAD.size))
        texts = self.source.texts(name, lengths[0], self.wanted.width)
        for known, reading in self.wanted.attributes.items():
            same = good & equal_text(texts, known)
            if same.any():
                stored = Stored(self.source, datatype[same], dataspace[same], data[same], room[same])
                fits, values = reading.read(stored)
                self._refuse(index[same], fits)
                self.objects.attributes[known][index[same]] = values


_HANDLERS: dict[int, tuple[Any, int]] = {
    layout.DATASPACE: (_Walk._dataspace, layout.SPACE_START[1]),
    layout.DATATYPE: (_Walk._datatype, layout.TYPE_HEAD.size),
    layout.LAYOUT: (_Walk._layout, 2 + layout.SHORT.size),
    layout.ATTRIBUTE: (_Walk._attribute, layout.ATTRIBUTE_HEAD.size),
    layout.CONTINUATION: (_Walk._continuation, layout.CONTINUED.size),
    layout.SYMBOL_TABLE: (_Walk._symbol_table, layout.GROUP_PLACES.size),
}
"""What reads each message, and the fewest bytes that it has."""
