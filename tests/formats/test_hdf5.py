"""HDF5 read from its bytes: damage anywhere is a `MatlensError`, limits have names, any thread may ask."""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.sparse
from mat73_writer import Mat73Writer

import matlens
from matlens.errors import CorruptFile, LimitExceeded, MatlensError
from matlens.formats.hdf5 import layout
from matlens.formats.hdf5.group_single import read_links
from matlens.formats.records import CLASS_DTYPES, Elements, Headers, MatlabClass
from matlens.formats.v73.reader import BATCH, Mat73Reader
from matlens.limits import Limits
from tests.support import FIXTURES

STRUCTURES = re.compile(rb"TREE|SNOD|HEAP|GCOL|MATLAB_|\x01\x00[\x01-\x0f]\x00\x01\x00\x00\x00")
"""Nodes, heaps, attributes and object headers."""


def read_everything(content: bytes) -> int:
    """Read all values of a file, one by one and many at once; how many groups of values were readable."""
    try:
        reader = Mat73Reader(content, Limits(memory=1 << 28))
    except MatlensError:
        return 0
    found = 0
    for variable in reader.variables():
        found += _read(reader, variable.headers)
        repeated = reader.headers(Elements(0, np.repeat(variable.elements.positions, BATCH)))
        found += _read(reader, repeated)
    return found


def _read(reader: Mat73Reader, headers: Headers, depth: int = 0) -> int:
    found = 0
    for cls in np.unique(headers.cls[headers.ok]).tolist():
        part = headers.take(headers.ok & (headers.cls == cls))
        try:
            if cls in CLASS_DTYPES or cls == MatlabClass.CHAR:
                reader.storage(part)
                for flag in (False, True):
                    if (part.is_complex == flag).any():
                        reader.gather(part.take(part.is_complex == flag))
            elif cls == MatlabClass.SPARSE:
                reader.triplets(part)
            elif cls == MatlabClass.OPAQUE:
                reader.opaque(part, 0)
            elif depth < 8:
                for children in reader.children(part):
                    found += _read(reader, reader.headers(children.elements), depth + 1)
            found += 1
        except MatlensError:
            continue
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of a few values of each kind."""
    path = tmp_path_factory.mktemp("small") / "small.mat"
    record = np.empty((1, 2), [("a", object), ("name", object)])
    wide = np.empty((1, 1), [(f"f{k}", object) for k in range(12)])
    for k in range(2):
        record["a"][0, k], record["name"][0, k] = np.eye(2), np.array([list("text")])
    for name in wide.dtype.names or ():
        wide[name][0, 0] = np.array([[1 + 2j]])
    cell = np.empty((1, 3), object)
    cell[0, :] = [np.eye(2), np.zeros((0, 3)), np.array([[True]])]
    with Mat73Writer(path, compression="gzip") as writer:
        values = {"s": record, "w": wide, "c": cell, "p": scipy.sparse.csc_matrix(np.eye(3)), "x": np.eye(30)}
        for name, value in values.items():
            writer.write(name, value)
    return path.read_bytes()


def test_the_layer_of_hdf5_does_not_speak_of_matlab() -> None:
    modules = list(Path(layout.__file__).parent.glob("*.py"))
    assert len(modules) > 5
    assert not [path.name for path in modules if "MATLAB" in path.read_text("utf-8")]


def test_a_file_cut_at_every_byte_of_its_structures(small: bytes) -> None:
    nodes = [match.start() for match in re.finditer(b"TREE|SNOD|HEAP|GCOL", small)]
    headers = [match.start() for match in STRUCTURES.finditer(small, 512)][::40]
    cuts = sorted({cut for start in nodes + headers for cut in range(start + 1, start + 17) if cut < len(small)})
    readable = [read_everything(small[:cut]) for cut in cuts]
    assert len(cuts) > 300 and max(readable) > 5 and min(readable) == 0
    assert read_everything(small) >= max(readable)


@pytest.mark.parametrize("name", ["kinds_v73.mat", "objects_v73.mat", "small"])
def test_structures_with_other_bytes(name: str, small: bytes) -> None:
    original = small if name == "small" else (FIXTURES / name).read_bytes()
    rng = np.random.default_rng(11)
    starts = [match.start() for match in STRUCTURES.finditer(original, 512)]
    for _ in range(25):
        content = bytearray(original)
        for start in rng.choice(starts, 4).tolist():
            spot = min(start + int(rng.integers(120)), len(content) - 1)
            content[spot] = int(rng.choice([0, 1, 2, 3, 16, 127, 128, 255, rng.integers(256)]))
        read_everything(bytes(content))


@pytest.mark.parametrize("signature", [b"TREE", b"SNOD"])
def test_a_node_of_a_group_cut_inside_its_head_is_told_as_cut(signature: bytes, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.mat", "w", libver="earliest") as file:
        file["x"] = np.eye(2)
        file["z/a"] = np.eye(1)
    content = (tmp_path / "x.mat").read_bytes()
    start = content.rindex(signature)
    for cut in range(start + 1, start + 8):
        with matlens.open(content[:cut]) as file:
            (problem,) = file.problems
            assert problem.message == f"file ends after {cut} bytes, {len(content)} declared"
            assert list(file) == ["x", "z"]
            with pytest.raises(CorruptFile, match=r"z: .* is cut off"):
                file["z"].value


def test_a_short_message_at_the_very_end_of_a_file() -> None:
    for kind in (layout.DATASPACE, layout.DATATYPE, layout.LAYOUT, layout.ATTRIBUTE, layout.SYMBOL_TABLE):
        content = bytearray((FIXTURES / "kinds_v73.mat").read_bytes())
        address = len(content) - 512
        content += struct.pack("<BxHIII", 1, 1, 1, 8 + 2, 0) + struct.pack("<HHB3x", kind, 2, 0) + b"\1\1"
        reader = Mat73Reader(bytes(content), Limits())
        headers = reader.headers(Elements(0, np.full(2 * BATCH, address, np.int64)))
        assert not headers.ok.any()
        assert all(isinstance(error, MatlensError) for error in headers.errors.values())


def test_an_index_of_chunks_whose_nodes_are_empty(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.arange(4000.0).reshape(100, 40), chunks=(1, 40))
    content = bytearray(path.read_bytes())
    inner = next(m.start() for m in re.finditer(rb"TREE\x01", content) if content[m.start() + 5])
    content[inner + 6 : inner + 8] = bytes(2)
    with matlens.open(bytes(content)) as file, pytest.raises(CorruptFile, match="index of the chunks"):
        file["x"].value


def test_a_list_of_field_names_that_stands_elsewhere_and_is_damaged(tmp_path: Path) -> None:
    wide = np.empty((1, 1), [(f"f{k:04d}", object) for k in range(4100)])
    for name in wide.dtype.names or ():
        wide[name][0, 0] = np.eye(1)
    with Mat73Writer(tmp_path / "x.mat") as writer:
        writer.write("s", wide)
    content = bytearray((tmp_path / "x.mat").read_bytes())
    with h5py.File(tmp_path / "x.mat") as file:
        listed = h5py.h5o.get_info(file[file["s"].attrs["MATLAB_fields"]].id).addr
        address = h5py.h5o.get_info(file["s"].id).addr
    content[listed + 512] = 9
    reader = Mat73Reader(bytes(content), Limits())
    headers = reader.headers(Elements(0, np.full(BATCH, address, np.int64)))
    assert {type(error) for error in headers.errors.values()} == {CorruptFile} and len(headers.errors) == BATCH


def test_long_names_and_many_members_exceed_limits_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["a" * 5000] = np.eye(2)
        for k in range(30):
            file[f"b{k}"] = np.eye(1)
    with matlens.open(path) as file:
        assert len(file) == 30 and any("Limits.name = 4096" in str(problem) for problem in file.problems)
    with matlens.open(path, limits=Limits(name=6000)) as file:
        assert len(file) == 31 and file["a" * 5000].dims == (2, 2)
    with pytest.raises(LimitExceeded, match=r"Limits\.members = 10;"):
        matlens.open(path, limits=Limits(members=10))


def test_a_name_without_an_end_is_damage() -> None:
    tree, heap = 64, 256
    content = bytearray(1024)
    content[tree : tree + 8] = struct.pack("<4sBBH", b"SNOD", 1, 0, 1)
    content[tree + 8 : tree + 28] = struct.pack("<QQI", 0, 500, 0)
    content[heap : heap + 32] = struct.pack("<4s4xQQQ", b"HEAP", 700, 0, 324)
    content[324:] = b"x" * 700
    links, problems = read_links(bytes(content), 0, tree, heap, Limits(name=100))
    assert not links and [type(problem) for problem in problems] == [CorruptFile]


def test_a_window_of_a_plain_vector_in_chunks(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=np.arange(100.0), chunks=(7,))
    options: list[Any] = [{}, {"engine": "reference", "isolate": "never"}]
    for option in options:
        with matlens.open(path, **option) as file:
            assert file["v"].dims == (100, 1)
            part = file.at("v(11:14,1)")
            assert part.to_numpy().tolist() == [[10.0], [11.0], [12.0], [13.0]]


@pytest.fixture
def quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def structs_of(numbers: list[int]) -> Any:
    """A cell of structs that hold one number each, under a name of four or of twelve fields."""
    cell = np.empty((1, len(numbers)), object)
    for k, number in enumerate(numbers):
        cell[0, k] = np.empty((1, 1), [(f"f{j}", object) for j in range(4 if number % 2 else 12)])
        for name in cell[0, k].dtype.names:
            cell[0, k][name][0, 0] = np.array([[float(number)]])
    return cell


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.usefixtures("quick_switches")
def test_threads_get_their_own_values_of_one_file(engine: Any, tmp_path: Path) -> None:
    numbers = {f"v{k}": list(range(20 * k, 20 * k + 12 + k)) for k in range(8)}
    with Mat73Writer(tmp_path / "x.mat") as writer:
        for name, each in numbers.items():
            writer.write(name, structs_of(each))
    with matlens.open(tmp_path / "x.mat", engine=engine, isolate="never") as file:

        def read(name: str) -> list[int]:
            return [int(record["f0"].item().item()) for _ in range(5) for record in file[name].to_numpy().ravel()]

        names = list(numbers) * 3
        with ThreadPoolExecutor(8) as pool:
            for name, found in zip(names, pool.map(read, names), strict=True):
                assert found == 5 * numbers[name]


def test_children_of_headers_that_were_not_read_last() -> None:
    reader = Mat73Reader((FIXTURES / "annotations_v73.mat").read_bytes(), Limits())
    (variable,) = reader.variables()
    (group,) = reader.children(variable.headers)
    first = reader.headers(group.elements.take(slice(0, 20)))
    expected = [children.elements.positions.tolist() for children in reader.children(variable.headers)]
    reader.headers(group.elements.take(slice(20, 60)))
    assert [children.elements.positions.tolist() for children in reader.children(variable.headers)] == expected
    assert len(first) == 20
