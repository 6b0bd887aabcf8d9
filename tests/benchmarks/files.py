"""Files for the benchmarks, in the forms that public data sets come in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
from h5py import h5a, h5d, h5g, h5s, h5t

STRUCT_FIELDS = ("x1", "y1", "x2", "y2", "class", "name")
BOX_FIELDS = ("height", "left", "top", "width", "label")


def column(items: list[Any]) -> Any:
    """A cell column of `items`."""
    cell = np.empty((len(items), 1), object)
    for k, item in enumerate(items):
        cell[k, 0] = item
    return cell


def struct_array(path: Path, count: int, *, compressed: bool) -> Path:
    """A struct array of `count` records with five scalars and a name."""
    numbers = np.random.default_rng(0).integers(1, 1000, (count, 5))
    array = np.empty((1, count), [(name, object) for name in STRUCT_FIELDS])
    for k, name in enumerate(STRUCT_FIELDS[:5]):
        array[name][0, :] = [np.array([[float(value)]]) for value in numbers[:, k]]
    array["name"][0, :] = [f"{k:06d}.jpg" for k in range(count)]
    scipy.io.savemat(path, {"s": array}, do_compression=compressed)
    return path


def string_cell(path: Path, count: int) -> Path:
    """A cell column of file names of different lengths."""
    lengths = np.random.default_rng(0).integers(3, 30, count).tolist()
    scipy.io.savemat(path, {"c": column([f"{k}".rjust(n, "_") for k, n in enumerate(lengths)])})
    return path


def nested_cells(path: Path, events: int = 61) -> Path:
    """Cells of cells of n×4 boxes beside cells of cells of names, as WIDER FACE has them."""
    rng = np.random.default_rng(0)
    names, boxes = [], []
    for event in range(events):
        count = int(rng.integers(20, 300))
        names.append(column([f"{event}_event_{k}" for k in range(count)]))
        boxes.append(column([rng.integers(0, 1000, (int(rng.integers(1, 30)), 4)).astype(float) for _ in range(count)]))
    data = {"file_list": column(names), "face_bbx_list": column(boxes)}
    scipy.io.savemat(path, data, do_compression=True)
    return path


def compressed_matrix(path: Path) -> Path:
    """A 256 MB double that compresses to an eighth."""
    steps = np.random.default_rng(0).integers(-3, 4, (4000, 8000))
    scipy.io.savemat(path, {"x": np.cumsum(steps, axis=0).astype(float)}, do_compression=True)
    return path


class _Writer:
    """Data sets with a MATLAB class in one group, by the low-level interface, many times a second."""

    def __init__(self, group: Any) -> None:
        self._group = group
        self._count = 0
        self._scalar = h5s.create(h5s.SCALAR)
        self._letter = h5t.vlen_create(h5py.h5t.py_create(np.dtype("S1")))

    def name(self) -> bytes:
        self._count += 1
        return b"r%07d" % self._count

    def data_set(self, group: Any, name: bytes, data: Any, cls: bytes | None) -> Any:
        kind = h5t.STD_REF_OBJ if data.dtype == h5py.ref_dtype else h5t.py_create(data.dtype)
        created = h5d.create(group, name, kind, h5s.create_simple(data.shape))
        created.write(h5s.ALL, h5s.ALL, data)
        if cls is not None:
            self.set_class(created, cls)
        return created

    def set_class(self, created: Any, cls: bytes) -> None:
        text = np.array(cls)
        kind = h5t.py_create(text.dtype)
        h5a.create(created, b"MATLAB_class", kind, self._scalar).write(text)

    def set_fields(self, created: Any, fields: tuple[str, ...]) -> None:
        letters = np.empty(len(fields), object)
        for k, field in enumerate(fields):
            letters[k] = np.array([letter.encode() for letter in field], "S1")
        attribute = h5a.create(created, b"MATLAB_fields", self._letter, h5s.create_simple((len(fields),)))
        attribute.write(letters)

    def value(self, data: Any, cls: bytes) -> Any:
        return self.reference(self.data_set(self._group, self.name(), data, cls))

    def reference(self, created: Any) -> Any:
        return h5py.h5r.create(created, b".", h5py.h5r.OBJECT)

    def box(self, numbers: Any) -> Any:
        """A struct, or a struct array of several boxes, of the rows of `numbers`."""
        group = h5g.create(self._group, self.name())
        self.set_class(group, b"struct")
        self.set_fields(group, BOX_FIELDS)
        for k, field in enumerate(BOX_FIELDS):
            values = [np.array([[value]]) for value in numbers[:, k]]
            if len(values) == 1:
                self.data_set(group, field.encode(), values[0], b"double")
            else:
                references = np.array([[self.value(value, b"double")] for value in values], h5py.ref_dtype)
                self.data_set(group, field.encode(), references, None)
        return self.reference(group)


def svhn_like(path: Path, entries: int) -> Path:
    """The layout of SVHN's ``digitStruct.mat``: a struct array of names and of structs of 1 to 4 boxes."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w", userblock_size=512, libver="earliest") as file:
        writer = _Writer(file.create_group("#refs#").id)
        names, boxes = [], []
        for k in range(entries):
            letters = np.frombuffer(f"{k + 1}.png".encode(), np.uint8).astype(np.uint16)[:, None]
            names.append([writer.value(letters, b"char")])
            boxes.append([writer.box(rng.integers(1, 200, (1 + k % 4, 5)).astype(float))])
        digits = h5g.create(file.id, b"digitStruct")
        writer.set_class(digits, b"struct")
        writer.set_fields(digits, ("name", "bbox"))
        for field, references in ((b"name", names), (b"bbox", boxes)):
            writer.data_set(digits, field, np.array(references, h5py.ref_dtype), None)
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64 HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM"
    with path.open("r+b") as raw:
        raw.write(header)
    return path
