"""The numbers of the HDF5 format: records, messages, versions and bounds, one table for single and batch parsing.

After The HDF Group, *HDF5 File Format Specification Version 3.0*, whose sections are named.
"""

from __future__ import annotations

import struct
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile
from matlens.formats.hdf5.bytes import Bytes
from matlens.formats.records import Int64s


class Record:
    """Numbers that stand one behind another, read at one place or at many; errors call them `what`.

    Fields, given by their codes of `struct`, are passed over where their names begin with an underscore.

    Examples
    --------
    >>> head = Record("a head", version="B", _pad="x", count="H")
    >>> head.one(bytes([1, 0, 2, 0]), 0)
    (1, 2)
    >>> head.many(Bytes(bytes([9, 1, 0, 2, 0])), np.array([1]))["count"]
    array([2], dtype=uint16)
    >>> head.one(bytes([1, 0, 2]), 0)
    Traceback (most recent call last):
    matlens.errors.CorruptFile: a head of 4 bytes is cut off (at byte 0)
    """

    def __init__(self, what: str, **fields: str) -> None:
        self._what = what
        form = struct.Struct("<" + "".join(fields.values()))
        self._unpack, self.size = form.unpack_from, form.size
        ends = accumulate(struct.calcsize("<" + code) for code in fields.values())
        named = [(name, code, end) for (name, code), end in zip(fields.items(), ends, strict=True) if name[0] != "_"]
        formats = [np.dtype(f"S{code[:-1]}" if code[-1] == "s" else f"<{code}") for _, code, _ in named]
        offsets = [end - kind.itemsize for kind, (_, _, end) in zip(formats, named, strict=True)]
        names = [name for name, _, _ in named]
        self.dtype = np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": self.size})

    def one(self, buffer: Any, position: int) -> tuple[Any, ...]:
        """The numbers at `position`, which must lie in the file as a whole."""
        # From a negative position, `struct` counts backwards.
        if position < 0:
            raise CorruptFile(f"{self._what} is declared to stand outside the file", offset=position)
        try:
            return self._unpack(buffer, position)
        except struct.error:
            raise CorruptFile(f"{self._what} of {self.size} bytes is cut off", offset=position) from None

    def many(self, source: Bytes, position: Int64s) -> NDArray[Any]:
        """A structured array of the numbers at each position, which must lie in the file."""
        return source.items(position, self.dtype)


UNDEFINED = -1
"""An address that leads nowhere."""
SOFT_LINK = -2
"""In place of the address of a member that is no hard link."""

# II: superblocks of version 0 and 1, without the signature. The root group's symbol table entry stands last.
SUPERBLOCK = Record("the superblock", version="B", _free="4x", offset_size="B", length_size="B")
SUPERBLOCK_TABLE = {0: 24, 1: 28}
"""Where the addresses of the superblock begin, by its version."""
SUPERBLOCK_ADDRESSES = Record("the superblock", _base="16x", end="Q", _driver="16x", root="Q", _rest="24x")
ADDRESS_SIZE = 8

# III.A.1: version 1 B-trees; III.B and C: symbol table nodes and their entries; III.D: local heaps.
TREE, SYMBOLS, LOCAL_HEAP = (int.from_bytes(signature, "little") for signature in (b"TREE", b"SNOD", b"HEAP"))
TREE_NODE = Record("a node of a tree", signature="I", kind="B", level="B", count="H", _siblings="16x")
GROUP_TREE, CHUNK_TREE = 0, 1
SYMBOL_NODE = Record("a node of a group", signature="I", _version="2x", count="H")
SYMBOL = Record("a member of a group", name="q", address="q", cache="I", _scratch="20x")
SOFT_CACHE = 2
HEAP_HEAD = Record("the names of a group", signature="I", _version="4x", size="Q", _free="8x", data="q")
ADDRESS = Record("an address", address="q")
MAX_TREE_LEVEL = 16

# III.E: the global heap; IV.B: variable-length sequences in it.
GLOBAL_HEAP = Record("a heap of texts", signature="I", version="B", _free="3x", size="Q")
COLLECTION, COLLECTION_VERSION = int.from_bytes(b"GCOL", "little"), 1
HEAP_OBJECT = Record("a text of a heap", index="H", _count="6x", size="q")
SEQUENCE = Record("a list of texts", length="I", address="q", index="I")

# IV.A.1: object headers of version 1, and their messages.
PREFIX = Record("an object header", version="B", _free="x", count="H", _references="4x", size="I", _pad="4x")
PREFIX_VERSION = 1
MESSAGE = Record("a header message", kind="H", size="H", flags="B", _free="3x")
SHARED = 2
"""Flag of a message that stands elsewhere."""
PADDING, DATASPACE, LINK_INFO, DATATYPE, OLD_FILL, FILL, LINK, EXTERNAL, LAYOUT = range(9)
GROUP_INFO, FILTERS, ATTRIBUTE, COMMENT, OLD_TIME = range(10, 15)
CONTINUATION, SYMBOL_TABLE, TIME = range(16, 19)
LAST_MESSAGE = 24
IGNORED = (PADDING, GROUP_INFO, COMMENT, OLD_TIME, TIME)
CONTINUED = Record("the continuation of an object header", start="q", size="q")
GROUP_PLACES = Record("the place of a group", tree="q", heap="q")

# IV.A.2.b: data spaces.
SPACE_HEAD = Record("a data space", version="B", ndim="B", _flags="x", kind="B")
SPACE_START = {1: 8, 2: 4}
"""Where the dims begin, by version."""
VECTOR = Record("a data space", version="B", ndim="B", _free="6x", count="q")
NULL_SPACE = 2
MAX_NDIM = 32
DIMS = tuple(Record("dims", **{f"dim{k}": "Q" for k in range(n)}) for n in range(MAX_NDIM + 1))
MAX_NUMEL = 1 << 53
"""More elements, or a longer dimension, are beyond any memory."""

# IV.A.2.d: data types.
TYPE_HEAD = Record("a type", head="B", bits="B", _bits="2x", size="I")
FIXED, FLOAT, STRING, COMPOUND, REFERENCE, VLEN = 0, 1, 3, 6, 7, 9
LAST_TYPE, LAST_TYPE_VERSION = 10, 4
TYPE_NAMES = {STRING: "text of fixed length", VLEN: "a variable-length type", 8: "an enumeration", 4: "a bit field"}
BIG_ENDIAN, SIGNED = 1, 8
"""Bits of a number's type."""
PAIR = Record("a type of pairs", head="B", count="H")
PAIR_HEAD, PAIR_COUNT = 0x16, 2
"""A compound type of version 1, and the number of its members."""
PART = Record("a part of a type", name="8s", offset="I", _dims="28x")
"""A member of a compound type of version 1 with a short name; its own type follows."""
PART_SIZE = {kind: PART.size + TYPE_HEAD.size + properties for kind, properties in ((FIXED, 4), (FLOAT, 12))}
"""Bytes of a part with its type."""

# IV.A.2.i: layouts of values; f: fill values; l: filters; m: attributes; c and g: links.
LAYOUT_HEAD = Record("a layout", version="B", second="B", third="B")
LAYOUT_VERSION = 3
COMPACT, CONTIGUOUS, CHUNKED, VIRTUAL = 0, 1, 2, 3
LAYOUT_NAMES = ("compact", "contiguous", "chunked")
CONTIGUOUS_PLACE = Record("a layout", address="q", size="q")
SHORT, WORD = Record("a size", size="H"), Record("a size", size="I")
FILL_HEAD = Record("a fill value", version="B", flags="B", _time="x", is_defined="B")
FILL_DEFINED = 32
NO_FILL = 0xFFFFFFFF
"""The size of a fill value that is not given."""
ATTRIBUTE_HEAD = Record("an attribute", version="B", flags="B", name="H", datatype="H", dataspace="H")
ATTRIBUTE_START = {1: 8, 2: 8, 3: 9}
"""Where the name begins, by version."""
SHARED_PARTS = 3
LINK_HEAD = Record("a link", version="B", flags="B")
FILTER_HEAD = Record("the filters", version="B", count="B")
FILTERS_START, MAX_FILTERS = {1: 8, 2: 2}, 32
"""Where the first filter is described, by version."""
DEFLATE, SHUFFLE, FLETCHER32, NAMED_FILTERS = 1, 2, 3, 256
FILTER_NAMES = dict(enumerate(("deflate", "shuffle", "fletcher32", "szip", "nbit", "scaleoffset"), 1)) | {32000: "lzf"}

BATCH_NDIM, BATCH_NAME, BATCH_MESSAGES = 8, 64, 64
"""What batches cover: more dims, longer names and more messages in one header are read one by one."""
