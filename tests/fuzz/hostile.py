"""Files made to hurt a reader: bombs, cycles, links out of the file, impossible dims, names that are commands."""

from __future__ import annotations

import gzip
import io
import itertools
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

__all__ = ["HOSTILE_NAMES", "element", "hostile_files", "matrix", "v5_file", "v73_file"]

DOUBLE, CHAR, CELL, STRUCT, OBJECT, SPARSE, INT8, OPAQUE, FUNCTION = 6, 4, 1, 2, 3, 5, 8, 17, 16
HOSTILE_NAMES = (
    "\x1b]0;owned\x07",
    "\x1b[2J\x1b[H",
    "\x1b]52;c;b3duZWQ=\x07",
    "\x9b31m",
    "a\rb\nc\td",
    "\u202egnp.exe",
    "[/oops][bold]",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\Windows\\x",
    "CON",
    "nul.txt",
    "=cmd|' /C calc'!A0",
    "a" * 5000,
    " ",
    ".",
    "..",
    "#refs#",
    "x\0y",
    "\ud800",
    "\U0001f4a3",
    "{}{}",
    "%s%n",
)


# --- v5 ------------------------------------------------------------------------------------


def element(kind: int, data: bytes, size: int | None = None) -> bytes:
    """A data element; `size` is what it declares."""
    declared = len(data) if size is None else size
    return struct.pack("<II", kind, declared & 0xFFFFFFFF) + data + b"\0" * (-len(data) % 8)


def matrix(
    cls: int,
    dims: tuple[int, ...],
    body: bytes,
    name: bytes = b"",
    flags: int = 0,
    nzmax: int = 0,
    size: int | None = None,
) -> bytes:
    """An array element with any dims and any body."""
    head = element(6, struct.pack("<II", cls | flags << 8, nzmax))
    head += element(5, struct.pack(f"<{len(dims)}i", *(n - (1 << 32) if n >= 1 << 31 else n for n in dims)))
    return element(14, head + element(1, name) + body, size)


def v5_file(*elements: bytes, compressed: bool = False) -> bytes:
    head = b"MATLAB 5.0 MAT-file, hostile".ljust(116) + b" " * 8 + b"\x00\x01IM"
    if compressed:
        elements = tuple(struct.pack("<II", 15, len(z)) + z for z in map(zlib.compress, elements))
    return head + b"".join(elements)


def numbers(*values: float) -> bytes:
    return element(9, struct.pack(f"<{len(values)}d", *values))


def integers(*values: int) -> bytes:
    return element(5, struct.pack(f"<{len(values)}i", *values))


def nested(depth: int, cls: int) -> bytes:
    """Cells or structs inside each other; `depth` levels."""
    fields = element(5, struct.pack("<i", 2)) + element(1, b"f\0")
    head = len(matrix(cls, (1, 1), b""))
    inner = matrix(DOUBLE, (1, 1), numbers(1))
    # From the inside out the parts only grow in front, so that one join at the end is enough.
    parts, total = [inner], len(inner)
    for level in range(depth):
        body = fields if cls == STRUCT else b""
        start = matrix(cls, (1, 1), body, b"x" if level == depth - 1 else b"")
        parts.append(start[:4] + struct.pack("<I", len(start) - 8 + total) + start[8:])
        total += len(start)
    assert head
    return b"".join(reversed(parts))


def v5_files() -> Iterator[tuple[str, bytes]]:
    good = matrix(DOUBLE, (1, 1), numbers(7), b"good")
    dims = [
        (0x7FFFFFFF, 0x7FFFFFFF),
        (0x7FFFFFFF, 1),
        (1, 0x7FFFFFFF),
        (0x7FFFFFFF, 0),
        (65536, 65536),
        (-1, 5),
        (0x80000000, 1),
        (2,),
        (),
        (1,) * 33,
        (3,) * 20,
        (1 << 16,) * 8,
    ]
    for cls, shape in itertools.product((DOUBLE, CHAR, CELL, STRUCT, OBJECT, SPARSE, INT8, FUNCTION), dims):
        bodies = {STRUCT: element(5, struct.pack("<i", 2)) + element(1, b"f\0"), SPARSE: integers(0) * 2 + numbers(1)}
        bad = matrix(cls, shape, bodies.get(cls, numbers(1, 2)), b"bad")
        yield (
            f"dims-{cls}-{len(shape)}",
            v5_file(good, bad, good.replace(b"good", b"last"), compressed=bool(len(shape) & 1)),
        )
    for kind in range(24):
        yield f"type-{kind}", v5_file(good, matrix(DOUBLE, (1, 2), element(kind, bytes(16)), b"bad"))
        yield f"flags-{kind}", v5_file(good, matrix(kind, (1, 2), numbers(1, 2), b"bad", flags=kind))
    for size in (0, 1, 7, 8, 9, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 20):
        yield f"size-{size}", v5_file(good, matrix(DOUBLE, (1, 2), numbers(1, 2), b"bad", size=size), good)
        yield f"data-size-{size}", v5_file(good, matrix(DOUBLE, (1, 2), element(9, bytes(16), size), b"bad"), good)
    for depth, cls in itertools.product((10, 63, 64, 65, 1000, 20_000), (CELL, STRUCT)):
        yield f"nested-{depth}", v5_file(good, nested(depth, cls), compressed=depth > 60)
    for mebibytes in (1, 64, 300):
        zeros = bytes(mebibytes << 20)
        yield (
            f"zeros-{mebibytes}",
            v5_file(good, matrix(DOUBLE, (mebibytes << 17, 1), element(9, zeros), b"bad"), compressed=True),
        )
    packed = zlib.compress(bytes(64 << 20))
    yield "bomb-without-array", v5_file() + struct.pack("<II", 15, len(packed)) + packed
    yield from _sparse_files(good)
    yield from _roomless_files(good)
    yield from _struct_files(good)
    for k, name in enumerate(HOSTILE_NAMES):
        raw = name.encode("utf-8", "surrogatepass")
        text = element(4, name.encode("utf-16-le", "surrogatepass"))
        fields = element(5, struct.pack("<i", len(raw) + 1)) + element(1, raw + b"\0")
        yield f"name-{k}", v5_file(matrix(DOUBLE, (1, 1), numbers(1), raw))
        yield f"field-{k}", v5_file(matrix(STRUCT, (1, 1), fields + matrix(DOUBLE, (1, 1), numbers(1)), b"s"))
        yield f"text-{k}", v5_file(matrix(CHAR, (1, len(name)), text, b"t"), compressed=True)
        opaque = element(6, struct.pack("<II", OPAQUE, 0)) + element(1, b"o") + element(1, b"MCOS") + element(1, raw)
        yield f"class-{k}", v5_file(element(14, opaque + matrix(13, (6, 1), element(6, bytes(24)))))


def _sparse_files(good: bytes) -> Iterator[tuple[str, bytes]]:
    cases: list[tuple[tuple[int, ...], tuple[int, ...], tuple[float, ...]]] = [
        ((5,), (0, 1, 1), (1.0,)),
        ((-1,), (0, 1, 1), (1.0,)),
        ((0x7FFFFFFF,), (0, 1, 1), (1.0,)),
        ((0,), (1, 1, 1), (1.0,)),
        ((0,), (0, 5, 1), (1.0,)),
        ((0,), (0, -1, 1), (1.0,)),
        ((0,), (0, 1, 0x7FFFFFFF), (1.0,)),
        ((0,), (0, 1), (1.0,)),
        ((0, 0), (0, 2, 2), (1.0, 2.0)),
        ((1, 0), (0, 2, 2), (1.0, 2.0)),
        ((0,), (0, 1, 1), ()),
        ((), (0, 1, 1), (1.0,)),
        ((), (), ()),
    ]
    for k, (rows, starts, values) in enumerate(cases):
        for nzmax in (1, 0, 0xFFFFFFFF):
            body = integers(*rows) + integers(*starts) + numbers(*values)
            yield f"sparse-{k}", v5_file(good, matrix(SPARSE, (2, 2), body, b"bad", nzmax=nzmax))


def _roomless_files(good: bytes) -> Iterator[tuple[str, bytes]]:
    """Many elements that take no room: structs without fields, text without data, empty rows of sparse matrices."""
    for count, copies in ((0x7FFFFFFF, 1), (9_000_000, 1), (4_000_000, 1000), (9_000, 5000)):
        yield (
            f"no-fields-{count}",
            v5_file(good, matrix(CELL, (1, copies), matrix(STRUCT, (1, count), b"") * copies, b"c")),
        )
        blank = matrix(CHAR, (1, count), element(4, b""))
        yield f"no-text-{count}", v5_file(good, matrix(CELL, (1, copies), blank * copies, b"c"))
    for rows in (0x7FFFFFFF, 10_000_000):
        body = integers(0, 5) + integers(0, 2, 2) + numbers(1, 2)
        yield f"sparse-rows-{rows}", v5_file(good, matrix(SPARSE, (rows, 2), body, b"bad"))


def _struct_files(good: bytes) -> Iterator[tuple[str, bytes]]:
    one = matrix(DOUBLE, (1, 1), numbers(1))
    for length in (0, 1, 2, 32, -1, 0x7FFFFFFF):
        body = element(5, struct.pack("<i", length)) + element(1, b"abcdef\0\0") + one * 4
        yield f"name-length-{length}", v5_file(good, matrix(STRUCT, (1, 1), body, b"bad"))
    for count in (4097, 70_000):
        names = b"".join(f"f{k}".encode().ljust(8, b"\0") for k in range(count))
        body = element(5, struct.pack("<i", 8)) + element(1, names)
        yield f"fields-{count}", v5_file(good, matrix(STRUCT, (1, 1), body + one * count, b"bad"))
        yield f"no-values-{count}", v5_file(good, matrix(STRUCT, (1, 1), body, b"bad"))
    same = element(5, struct.pack("<i", 2)) + element(1, b"f\0" * 300)
    yield "one-name", v5_file(good, matrix(STRUCT, (1, 1), same + one * 300, b"bad"))


# --- v4 ------------------------------------------------------------------------------------


def v4_files() -> Iterator[tuple[str, bytes]]:
    def variable(kind: int, rows: int, cols: int, name: bytes, data: bytes, length: int | None = None) -> bytes:
        size = len(name) + 1 if length is None else length
        return struct.pack("<5i", kind, rows, cols, 0, size) + name + b"\0" + data

    good = variable(0, 1, 1, b"good", struct.pack("<d", 7))
    for kind in (0, 1, 2, 10, 20, 30, 40, 50, 51, 52, 60, 99, 1000, 4000, -1):
        yield f"v4-type-{kind}", good + variable(kind, 1, 2, b"bad", bytes(16))
    for rows, cols in ((0x7FFFFFFF, 0x7FFFFFFF), (-1, 1), (1, -1), (0x7FFFFFFF, 1), (0, 5), (65536, 65536), (1000, 1)):
        for kind in (0, 1, 2):
            yield f"v4-dims-{rows}", good + variable(kind, rows, cols, b"bad", bytes(16))
    for length in (0, -1, 1, 0x7FFFFFFF, 3):
        yield f"v4-name-{length}", good + variable(0, 1, 1, b"bad", bytes(8), length)
    sparse = [(1.0, 1.0, 5.0), (-1.0, 1.0, 1.0), (np.nan, 1.0, 1.0), (1e300, 1.0, 1.0), (1.5, 1.0, 1.0)]
    for values in (*sparse, (2.0**31 - 1, 5.0, 0.0), (5.0, 2.0**31 - 1, 0.0), (2.0**31 - 1, 2.0**31 - 1, 0.0)):
        yield "v4-sparse", good + variable(2, 1, 3, b"bad", struct.pack("<3d", *values))
    for k, name in enumerate(HOSTILE_NAMES):
        raw = name.encode("utf-8", "surrogatepass").split(b"\0")[0]
        yield f"v4-name-{k}", good + variable(0, 1, 1, raw, bytes(8))


# --- v7.3 ----------------------------------------------------------------------------------


def v73_file(fill: Callable[[h5py.File], None], **options: Any) -> bytes:
    """A v7.3 file that `fill` has filled."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.mat"
        with h5py.File(path, "w", userblock_size=512, **options) as file:
            fill(file)
        content = bytearray(path.read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file, hostile".ljust(124) + b"\x00\x02IM"
    return bytes(content)


def _cell(file: h5py.File, name: str, references: Any) -> h5py.Dataset:
    created = file.create_dataset(name, data=np.array(references, h5py.ref_dtype).reshape(-1, 1))
    created.attrs["MATLAB_class"] = np.bytes_("cell")
    return created


def _cycle(file: h5py.File) -> None:
    cell = _cell(file, "c", [file.ref])
    other = _cell(file, "d", [cell.ref] * 3)
    cell[0, 0] = other.ref


def _laughs(file: h5py.File) -> None:
    below = _cell(file, "c0", [file.create_dataset("#refs#/x", data=np.eye(1)).ref] * 50)
    for level in range(1, 12):
        below = _cell(file, f"c{level}", [below.ref] * 50)


def _roomless(file: h5py.File) -> None:
    """Structs without fields, and a sparse matrix of endless rows."""
    for name, count in (("a", 2**31 - 1), ("b", 4_000_000)):
        structs = file.create_dataset(f"#refs#/{name}", data=np.array([1, count], np.uint64))
        structs.attrs["MATLAB_class"], structs.attrs["MATLAB_empty"] = np.bytes_("struct"), np.uint8(1)
        _cell(file, name, [structs.ref] * 1000)
    sparse = file.create_group("s")
    sparse.attrs["MATLAB_class"], sparse.attrs["MATLAB_sparse"] = np.bytes_("double"), np.uint64(2**40)
    for name, data in (("data", [1.0]), ("ir", [2**39]), ("jc", [0, 1, 1])):
        sparse.create_dataset(name, data=np.array(data, np.float64 if name == "data" else np.uint64))


def _dangling(file: h5py.File) -> None:
    cell = _cell(file, "c", [file.ref] * 8)
    wild = np.array([0, 1, 7, 512, 100_000, 2**40, 2**63, 2**64 - 1], np.uint64)
    space = h5py.h5s.create_simple((8, 1))
    cell.id.write(space, space, wild.reshape(8, 1), mtype=h5py.h5t.STD_REF_OBJ)


def _links(file: h5py.File) -> None:
    file["x"] = np.eye(2)
    file["soft"], file["loop"] = h5py.SoftLink("/x"), h5py.SoftLink("/loop")
    file["external"] = h5py.ExternalLink("/etc/hostname", "/x")
    file["here"] = h5py.ExternalLink(".", "/x")
    file.create_dataset("stored", (3,), "f8", external=[("/etc/passwd", 0, 24)])
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "/x", (3,))
    file.create_virtual_dataset("virtual", layout)
    file["hard"] = file["x"]
    file.create_group("g")["back"] = file["/"]


def _types(file: h5py.File) -> None:
    file.create_dataset("enum", data=np.array([True, False]))
    file.create_dataset("text", data=["a", "b"])
    file.create_dataset("fixed", data=np.bytes_("abc"))
    file.create_dataset("nothing", dtype="f8", data=h5py.Empty("f8"))
    file.create_dataset("scalar", data=3.0)
    file.create_dataset("list", (2,), h5py.vlen_dtype(np.int32))
    file.create_dataset("pair", (2,), np.dtype([("a", "f8"), ("b", "f4")]))
    file.create_dataset("half", (2,), "f2")
    file.create_dataset("opaque", (2,), "V5")
    file.create_dataset("big", data=np.arange(4, dtype=">i4"))
    file.create_dataset("array", (2,), np.dtype(("f8", (3,))))
    file["type"] = np.dtype("f8")
    file.create_dataset("named", (3,), file["type"])


def _attributes(file: h5py.File) -> None:
    values = [3.0, np.bytes_("struct"), np.bytes_(""), np.bytes_("x" * 3000), "double", np.arange(5), np.bytes_("cell")]
    for k, value in enumerate(values):
        for name in ("MATLAB_class", "MATLAB_empty", "MATLAB_sparse", "MATLAB_object_decode", "MATLAB_fields"):
            file.create_dataset(f"{name}_{k}", data=np.arange(4.0)).attrs[name] = value
            file.create_group(f"g_{name}_{k}").attrs[name] = value
    for k in (-1, 0, 2**31, 2**40):
        sparse = file.create_group(f"sparse{k}")
        sparse.attrs["MATLAB_sparse"], sparse.attrs["MATLAB_class"] = k, np.bytes_("double")
        sparse["jc"], sparse["ir"], sparse["data"] = np.array([0, 5, 1]), np.array([99]), np.array([1.0])


def _giants(file: h5py.File) -> None:
    file.create_dataset("unstored", (2**20, 2**20), "f8", chunks=(100, 100))
    file.create_dataset("one", (2**20, 2**20), "f8", chunks=(100, 100))[0, 0] = 1
    late = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    late.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
    h5py.h5d.create(file.id, b"late", h5py.h5t.NATIVE_DOUBLE, h5py.h5s.create_simple((2**40,)), late)
    file.create_dataset("cells", (2**20, 2**10), h5py.ref_dtype, chunks=(100, 100)).attrs["MATLAB_class"] = np.bytes_(
        "cell"
    )
    empty = file.create_dataset("empty", data=np.array([2**62, 0, 2**62], np.uint64))
    empty.attrs["MATLAB_empty"], empty.attrs["MATLAB_class"] = np.uint8(1), np.bytes_("double")


def _zeros(file: h5py.File) -> None:
    file.create_dataset("zeros", data=np.zeros((40_000, 1000)), chunks=(4000, 1000), compression=9)


def _deep(file: h5py.File) -> None:
    group = file
    for _ in range(300):
        group = group.create_group("g")
        group.attrs["MATLAB_class"] = np.bytes_("struct")
    group["x"] = 1.0


def _wide(file: h5py.File) -> None:
    group = file.create_group("s")
    for k in range(5000):
        group[f"f{k}"] = float(k)


def v73_files() -> Iterator[tuple[str, bytes]]:
    makers = (_cycle, _laughs, _roomless, _dangling, _links, _types, _attributes, _giants, _zeros, _deep, _wide)
    for make in makers:
        for options in ({}, {"libver": "latest"}, {"track_order": True}):
            # With the newest structures, an index has room for each chunk that might come.
            if make is not _giants or not options:
                yield f"v73{make.__name__}", v73_file(make, **options)
    for filters in (
        {"compression": "lzf"},
        {"scaleoffset": 2},
        {"fletcher32": True},
        {"shuffle": True, "compression": 4},
    ):
        yield (
            "v73-filter",
            v73_file(lambda file, f=filters: file.create_dataset("x", data=np.arange(1000), chunks=(10,), **f)),
        )
    for k, name in enumerate(HOSTILE_NAMES):
        if "\0" in name or name in (".", "..") or "\ud800" in name:
            continue

        def named(file: h5py.File, name: str = name) -> None:
            file[name.replace("/", "_")] = 1.0
            file.create_dataset("c", data=1.0).attrs["MATLAB_class"] = np.bytes_(name.encode())
            file.create_group("s").create_dataset(name.replace("/", "_"), data=2.0)

        yield f"v73-name-{k}", v73_file(named)


# --- no MAT-files --------------------------------------------------------------------------


def other_files() -> Iterator[tuple[str, bytes]]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", "b")
    contents = [
        b"",
        b"\0",
        b"\0" * 1000,
        b"<!DOCTYPE html><html><body>404</body></html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
        archive.getvalue(),
        gzip.compress(b"MATLAB 5.0 MAT-file"),
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"%PDF-1.7\n" + bytes(200),
        b"\x7fELF" + bytes(300),
        b"a,b,c\n1,2,3\n" * 40,
        b'{"a": 1}',
        b"\x93NUMPY" + bytes(200),
        b"PAR1" + bytes(200),
        b"MATLAB 5.0 MAT-file",
        b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM",
        b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x02IM",
        b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n",
        b"\x89HDF\r\n\x1a\n" + bytes(100),
        b"\x89HDF\r\n\x1a\n" + b"\xff" * 100,
        b"Octave-1-L" + bytes(100),
        b"# Created by Octave 8.4.0\n# name: x\n# type: scalar\n3\n",
        bytes(range(256)) * 10,
    ]
    for k, content in enumerate(contents):
        yield f"other-{k}", content


def hostile_files() -> list[tuple[str, bytes]]:
    """Name and content of every file."""
    return [*v5_files(), *v4_files(), *v73_files(), *other_files()]
