"""Compressed streams, chunked data sets and large groups, against zlib and h5py."""

from __future__ import annotations

import subprocess
import sys
import threading
import zlib
from itertools import permutations
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from mat73_writer import Mat73Writer

import matlens
from matlens.errors import CorruptFile, MatlensError, UnsafeFile
from matlens.formats import inflate as inflating
from matlens.formats.hdf5.chunks import fletcher32
from matlens.formats.v5 import segments
from matlens.tui.model.facts import facts_text
from tests.support import assert_same


@pytest.fixture(params=["libdeflate", "zlib"])
def inflater(request: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of inflating."""
    if request.param == "zlib":
        monkeypatch.setattr(inflating, "_libdeflate", lambda: None)
    else:
        pytest.importorskip("deflate")
    return str(request.param)


# --- streams ---------------------------------------------------------------------------------


def test_inflated_data_are_those_of_zlib_and_read_only(inflater: str) -> None:
    data = np.random.default_rng(0).integers(0, 9, 100_000, np.uint8).tobytes()
    found = inflating.inflate(memoryview(zlib.compress(data)), len(data))
    assert bytes(found) == data and found.readonly


@pytest.mark.parametrize(
    ("damage", "nbytes", "message"),
    [
        (lambda s: s, 99, "hold more than 99 bytes, 99 declared"),
        (lambda s: s, 101, "hold 100 bytes, 101 declared"),
        (lambda s: s[:-6], 100, "100 declared|incomplete"),
        (lambda s: s[:-1] + b"\0", 100, "incorrect data check"),
        (lambda s: b"\0" + s[1:], 100, "damaged"),
    ],
)
def test_damaged_streams_are_errors(inflater: str, damage: Any, nbytes: int, message: str) -> None:
    stream = memoryview(damage(zlib.compress(bytes(range(100)))))
    with pytest.raises(CorruptFile, match=message):
        inflating.inflate(stream, nbytes)


def test_no_memory_is_taken_for_what_a_stream_cannot_hold(inflater: str) -> None:
    with pytest.raises(CorruptFile, match="4000000000 bytes declared in 11 compressed bytes"):
        inflating.inflate(memoryview(zlib.compress(b"abc")), 4_000_000_000)


def test_several_variables_are_inflated_in_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {f"x{k}": np.random.default_rng(k).integers(0, 99, (300, 300)).astype(float) for k in range(8)}
    scipy.io.savemat(tmp_path / "x.mat", data, do_compression=True)
    used = set()
    inflate = segments.inflate

    def spy(stream: memoryview, nbytes: int) -> memoryview:
        used.add(threading.current_thread())
        return inflate(stream, nbytes)

    monkeypatch.setattr(segments, "inflate", spy)
    loaded = matlens.loadmat(tmp_path / "x.mat")
    assert used and threading.main_thread() not in used
    for name, value in data.items():
        np.testing.assert_array_equal(loaded[name], value)


def test_inflated_variables_are_kept_within_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "CACHE_BYTES", 2_000_000)
    data = {f"x{k}": np.full((300, 300), float(k)) for k in range(8)}
    scipy.io.savemat(tmp_path / "x.mat", data, do_compression=True)
    with matlens.open(tmp_path / "x.mat") as file:
        for name, value in data.items():
            np.testing.assert_array_equal(file[name].value, value)
            kept: Any = file._reader._segments._inflated  # type: ignore[attr-defined]
            assert sum(each.size for each in kept.values()) <= 2_000_000
        np.testing.assert_array_equal(file["x0"].value, data["x0"])


def test_many_small_variables_are_declared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {f"x{k}": float(k) for k in range(200)}, do_compression=True)
    calls: list[int] = []
    declared = segments.Segments._declared
    monkeypatch.setattr(segments.Segments, "_declared", lambda self, k: calls.append(k) or declared(self, k))
    assert len(matlens.loadmat(tmp_path / "x.mat")) == 203
    assert len(calls) <= 2 * 200


def test_a_loaded_array_shares_no_memory_with_the_file(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"x": np.eye(100)}, do_compression=True)
    with matlens.open(tmp_path / "x.mat") as file:
        first = file["x"].to_numpy()
        first[:] = 7
        np.testing.assert_array_equal(file["x"].to_numpy(), np.eye(100))


def test_v6_numbers_are_views_of_the_file(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"x": np.arange(10_000.0).reshape(100, 100)})
    with matlens.open(tmp_path / "x.mat") as file:
        value = file["x"].value
        assert not value.flags.owndata and not value.flags.writeable
        assert np.shares_memory(value, np.frombuffer(file._reader._file, np.uint8))  # type: ignore[attr-defined]


# --- chunked data sets -----------------------------------------------------------------------


def write_v73(path: Path, name: str, values: Any, **options: Any) -> Path:
    with h5py.File(path, "w", userblock_size=512, libver="earliest") as file:
        file.create_dataset(name, data=values, **options)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


CHUNKED = [
    {"chunks": (7, 11), "compression": 6},
    {"chunks": (7, 11), "compression": 6, "shuffle": True},
    {"chunks": (100, 130)},
    {"chunks": (1, 130), "compression": 1},
]


@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "u1", "i8", "c16", "c8"])
@pytest.mark.parametrize("options", CHUNKED, ids=str)
def test_chunked_data_sets_are_those_of_h5py(tmp_path: Path, inflater: str, dtype: str, options: Any) -> None:
    values = np.random.default_rng(0).integers(0, 99, (100, 130)).astype(dtype)
    stored = values
    if values.dtype.kind == "c":
        part = values.real.dtype
        stored = np.empty(values.shape, [("real", part), ("imag", part)])
        values = values + np.array(1j, values.dtype)
        stored["real"], stored["imag"] = values.real, values.imag
    path = write_v73(tmp_path / "x.mat", "x", stored, **options)
    with matlens.open(path) as file:
        found = file["x"].value
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values.T)


@pytest.mark.parametrize("options", [{"compression": "lzf"}, {"scaleoffset": 0}], ids=str)
def test_other_filters_are_refused(tmp_path: Path, options: Any) -> None:
    values = np.arange(200).reshape(10, 20)
    path = write_v73(tmp_path / "x.mat", "x", values, chunks=(5, 5), **options)
    with matlens.open(path) as file, pytest.raises(UnsafeFile, match=r"x\.mat: x: values went through"):
        file["x"].to_numpy()
    with matlens.open(path, engine="reference") as file:
        np.testing.assert_array_equal(file["x"].value, values.T)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": 5},
        {"shuffle": True},
        {"compression": 1, "shuffle": True},
        {"fletcher32": True},
        {"fletcher32": True, "compression": 9, "shuffle": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["f8", ">f8", ">i2", "u1", "c16"])
def test_filters_and_byte_orders(tmp_path: Path, options: Any, dtype: str) -> None:
    values = np.arange(221).reshape(13, 17).astype(dtype)
    if dtype == "c16":
        stored = np.empty(values.shape, [("real", "f8"), ("imag", "f8")])
        stored["real"], stored["imag"] = values.real, 2.0
        path = write_v73(tmp_path / "x.mat", "x", stored, chunks=(5, 5), **options)
        values = values + 2j
    else:
        path = write_v73(tmp_path / "x.mat", "x", values, chunks=(5, 5), **options)
    with matlens.open(path) as file:
        np.testing.assert_array_equal(file["x"].value, values.T)


@pytest.mark.parametrize("order", ["".join(order) for n in (2, 3) for order in permutations("dfs", n)])
def test_filters_in_any_order(order: str, tmp_path: Path) -> None:
    values = np.arange(221, dtype="f4").reshape(13, 17)
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_chunk((5, 5))
    for letter in order:
        add = {"d": lambda: creation.set_deflate(5), "f": creation.set_fletcher32, "s": creation.set_shuffle}
        add[letter]()
    with h5py.File(tmp_path / "x.h5", "w") as file:
        kind = h5py.h5t.py_create(values.dtype)
        made = h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple(values.shape), dcpl=creation)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
    with matlens.open(tmp_path / "x.h5") as file:
        np.testing.assert_array_equal(file["x"].value, values.T)


def test_a_chunk_with_a_wrong_checksum(tmp_path: Path) -> None:
    values = np.arange(100.0).reshape(10, 10)
    path = write_v73(tmp_path / "x.mat", "x", values, chunks=(10, 10), fletcher32=True)
    content = bytearray(path.read_bytes())
    place = content.index(values.tobytes())
    content[place + 80] ^= 4
    with matlens.open(bytes(content)) as file, pytest.raises(CorruptFile, match="checksum"):
        file["x"].to_numpy()


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=3000), st.booleans())
def test_fletcher32_is_that_of_libhdf5(data: bytes, ones: bool) -> None:
    values = np.frombuffer(b"\xff" * len(data) if ones else data, np.uint8)
    with h5py.File("sums", "w", driver="core", backing_store=False) as file:
        chunk = file.create_dataset("x", data=values, chunks=values.shape, fletcher32=True).id
        _, stored = chunk.read_direct_chunk((0,))
    assert fletcher32(stored[:-4]) == int.from_bytes(stored[-4:], "little")


def test_missing_chunks_are_fill_values(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    with h5py.File(path, "w", userblock_size=512, libver="earliest") as file:
        created = file.create_dataset("x", (20, 20), "f8", chunks=(5, 5), fillvalue=7.0, compression=1)
        created[5:10, 5:10] = 1.0
        expected = created[()]
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    with matlens.open(path) as opened:
        np.testing.assert_array_equal(opened["x"].value, expected.T)


def test_a_damaged_chunk_is_an_error_with_its_place(tmp_path: Path) -> None:
    path = write_v73(tmp_path / "x.mat", "x", np.arange(20_000.0).reshape(100, 200), chunks=(50, 50), compression=6)
    with h5py.File(path) as file:
        info = file["x"].id.get_chunk_info(3)
    content = bytearray(path.read_bytes())
    middle = info.byte_offset + info.size // 2
    content[middle : middle + 8] = bytes(8)
    path.write_bytes(content)
    with matlens.open(path) as opened, pytest.raises(MatlensError, match=rf"x.mat: x: .*at byte {info.byte_offset}"):
        opened["x"].value


def test_cells_and_chars_in_chunks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cell = np.empty((1, 40), object)
    for k in range(40):
        cell[0, k] = rng.random((20, k + 1)) if k % 2 else np.array([list("text" * (k + 20))])
    with Mat73Writer(tmp_path / "x.mat", compression="gzip") as writer:
        writer.write("x", cell)
    with matlens.open(tmp_path / "x.mat") as file, matlens.open(tmp_path / "x.mat", engine="reference") as reference:
        assert_same(file["x"].to_numpy(), reference["x"].to_numpy())
        assert file.stats["h5py"] == 0


# --- groups ----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 8, 9, 70, 700, 4093])
def test_structs_of_many_fields(tmp_path: Path, count: int) -> None:
    fields = [f"field_{k * 7919 % count:05d}" for k in range(count)]
    record = np.empty((1, 1), [(name, object) for name in fields])
    for k, name in enumerate(fields):
        record[name][0, 0] = np.array([[float(k)]])
    with Mat73Writer(tmp_path / "x.mat") as writer:
        writer.write("x", record)
    with matlens.open(tmp_path / "x.mat") as file:
        assert file["x"].to_python() == {name: float(k) for k, name in enumerate(fields)}


def test_structs_of_different_fields_in_one_cell(tmp_path: Path) -> None:
    cell = np.empty((1, 60), object)
    for k in range(60):
        cell[0, k] = np.array([[(np.array([[float(k)]]), np.array([[1.0]]))]], [(f"f{k % 30}", object), ("a", object)])
    with Mat73Writer(tmp_path / "x.mat") as writer:
        writer.write("x", cell)
    with matlens.open(tmp_path / "x.mat") as file:
        assert file["x"].to_python() == [{f"f{k % 30}": float(k), "a": 1.0} for k in range(60)]
        assert file.stats["h5py"] == 0


@pytest.mark.parametrize("dtype", ["f8", "?", "c16"])
def test_sparse_matrices_of_v73(tmp_path: Path, dtype: str) -> None:
    dense = np.random.default_rng(0).integers(0, 3, (7, 5)).astype(dtype)
    with Mat73Writer(tmp_path / "x.mat") as writer:
        writer.write("x", scipy.sparse.csc_matrix(dense))
        writer.write("none", scipy.sparse.csc_matrix((4, 3), dtype=dtype))
    with matlens.open(tmp_path / "x.mat") as file:
        np.testing.assert_array_equal(file["x"].value.toarray(), dense)
        assert file["x"].value.dtype == dense.dtype and file["none"].value.shape == (4, 3)
        assert file.stats["h5py"] == 0


# --- memory ----------------------------------------------------------------------------------

CONVERT = """
import sys, threading, time
import matlens
from matlens.export.writers.parquet import write_parquet

def convert(path, name):
    with matlens.open(path) as file:
        write_parquet(file[name].to_arrow(), sys.argv[3], force=True)
        return file.stats["inflated bytes"]

def private_bytes():
    with open("/proc/self/smaps_rollup") as lines:
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Anonymous:"))

convert(sys.argv[2], "annotations")  # what Arrow and its writer take once
base, peak, done = private_bytes(), [0], threading.Event()

def watch():
    while not done.wait(0.002):
        peak[0] = max(peak[0], private_bytes())

watcher = threading.Thread(target=watch)
watcher.start()
inflated = convert(sys.argv[1], "s")
done.set()
watcher.join()
print((peak[0] - base) / inflated)
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is read from Linux's /proc")
def test_converting_takes_three_times_the_inflated_size_at_most(tmp_path: Path) -> None:
    from tests.support import FIXTURES

    path = tmp_path / "s.mat"
    path.write_bytes(struct_array_of_scalars(500_000))
    run = [sys.executable, "-c", CONVERT, str(path), str(FIXTURES / "annotations_v7.mat"), str(tmp_path / "o.parquet")]
    ratio = float(subprocess.run(run, check=True, capture_output=True, text=True).stdout)
    assert 0.9 < ratio < 3


def struct_array_of_scalars(count: int) -> bytes:
    """A compressed v5 file with a 1×count struct array ``s`` of the fields ``a`` and ``b``."""
    import struct

    def scalar(value: float) -> bytes:
        head = struct.pack("<12I", 6, 8, 6, 0, 5, 8, 1, 1, 1, 0, 9, 8)
        return struct.pack("<II", 14, 56) + head + struct.pack("<d", value)

    body = struct.pack("<8I", 6, 8, 2, 0, 5, 8, 1, count) + struct.pack("<I4s", 0x00010001, b"s")
    body += struct.pack("<II", 0x00040005, 8) + struct.pack("<II", 1, 16) + b"a".ljust(8, b"\0") + b"b".ljust(8, b"\0")
    body += (scalar(1.0) + scalar(2.0)) * count
    stream = zlib.compress(struct.pack("<II", 14, len(body)) + body, 1)
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(stream)) + stream


# --- how values are stored -------------------------------------------------------------------


def test_layout_filters_and_attributes_of_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    with Mat73Writer(path) as writer:
        writer.write("plain", np.arange(6.0).reshape(2, 3))
        writer.write("z", np.array([[1 + 2j]]))
        writer.write("s", np.array([[(np.ones((1, 1)),)]], [("a", object)]))
    with h5py.File(path, "r+") as file:
        made = file.create_dataset("x", (4, 30), "u1", chunks=(2, 10), compression=7, shuffle=True, fletcher32=True)
        made[...] = 1
        made.attrs["MATLAB_class"] = np.bytes_("double")
        made.attrs["units"] = "m/s \x1b[31m"
        made.attrs["scale"] = np.array([0.5, 2.0])
        stored_bytes = made.id.get_storage_size()
    with matlens.open(path) as opened:
        found = opened["x"].storage()
        assert (found["type"], found["layout"], found["chunk"]) == ("uint8", "chunked", [10, 2])
        assert sorted(found["filters"]) == ["deflate 7", "fletcher32", "shuffle"]
        assert found["bytes"] == stored_bytes
        assert found["attributes"] == {"MATLAB_class": "double", "units": "m/s \x1b[31m", "scale": [0.5, 2.0]}
        assert opened["plain"].storage()["layout"] == "contiguous"
        assert opened["z"].storage()["type"] == "complex float64"
        assert opened["s"].storage()["layout"] == "group"
        assert opened.at("x(1:2,:)").storage() == {}
        text = str(facts_text(opened, opened["x"]))
        assert "stored as uint8, chunked 10x2" in text and "units=m/s \\x1b[31m" in text and "\x1b" not in text


def test_types_and_places_of_v4_and_v5(tmp_path: Path) -> None:
    values = {"narrow": np.array([[1.0, 2, 300]]), "text": "abc"}
    scipy.io.savemat(tmp_path / "5.mat", values)
    scipy.io.savemat(tmp_path / "4.mat", {"x": np.arange(5, dtype=np.int16)}, format="4")
    content = (tmp_path / "5.mat").read_bytes()
    with matlens.open(tmp_path / "5.mat") as opened:
        found = opened["narrow"].storage()
        assert found["type"] == "float64"
        # The tag of the numbers stands before them.
        assert np.frombuffer(content, "<f8", 3, found["offset"] + 8).tolist() == [1, 2, 300]
        assert opened["text"].storage()["type"] in ("UTF-8", "uint8")
    with matlens.open(tmp_path / "4.mat") as opened:
        found = opened["x"].storage()
        assert (found["type"], found["bytes"]) == ("int16", 10)
        stored = (tmp_path / "4.mat").read_bytes()[found["offset"] :]
        assert np.frombuffer(stored, "<i2").tolist() == [0, 1, 2, 3, 4]
    assert matlens.from_loadmat(values)["narrow"].storage() == {}


def test_storage_of_damaged_values_is_an_error(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "5.mat", {"x": np.arange(100.0)})
    content = (tmp_path / "5.mat").read_bytes()
    (tmp_path / "cut.mat").write_bytes(content[:-200])
    with matlens.open(tmp_path / "cut.mat") as opened, pytest.raises(CorruptFile, match="x"):
        opened["x"].storage()
