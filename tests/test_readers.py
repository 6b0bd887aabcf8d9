"""The reader contract, held against every reader and every file."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mat73_writer import Mat73Writer
from support import FIXTURES, assert_same, corpus_files

import matlens
from matlens.errors import MatlensError
from matlens.model import CLASS_DTYPES, Elements, Headers, MatlabClass
from matlens.readers import Reader, open_reader
from matlens.readers.loadmat import LoadmatReader
from matlens.readers.mat5_batch import chase
from matlens.readers.segments import Segment
from matlens.walk import kinds

CONTAINERS = (MatlabClass.CELL, MatlabClass.STRUCT, MatlabClass.OBJECT, MatlabClass.FUNCTION)


def batches(reader: Reader) -> Any:
    """Headers of every batch of siblings in a file."""
    waiting = [variable.headers for variable in reader.variables()]
    while waiting:
        headers = waiting.pop()
        yield headers
        for (cls, *_), index in kinds(headers):
            if cls in CONTAINERS:
                for group in reader.children(headers.take(index)):
                    check_children(headers.take(index), group)
                    waiting.append(reader.headers(group.elements))


def check_children(headers: Headers, group: Any) -> None:
    assert len(group.offsets) == len(group.parents) + 1 and group.offsets[0] == 0
    assert len(group.elements) == group.offsets[-1] * group.width
    for k, parent in enumerate(group.parents.tolist()):
        count = group.offsets[k + 1] - group.offsets[k]
        expected = 1 if headers.cls[parent] == MatlabClass.FUNCTION else headers.numel[parent]
        assert count == expected or group.fields is not None


def check_batch_equals_singles(reader: Reader, headers: Headers) -> None:
    assert isinstance(headers.elements, Elements) and headers.elements.positions.dtype == np.int64
    again = reader.headers(headers.elements)
    for i in range(len(headers)):
        single = reader.headers(headers.elements.take([i]))
        for one in (again.take([i]), single):
            assert (one.class_name(0), one.shape(0)) == (headers.class_name(i), headers.shape(i))
            assert one.ok[0] == headers.ok[i] and one.numel[0] == headers.numel[i]
    for (cls, *_), index in kinds(headers):
        part = headers.take(index)
        if cls in CLASS_DTYPES or cls == MatlabClass.CHAR:
            values, offsets = reader.gather(part)
            assert len(offsets) == len(part) + 1 and offsets[-1] == len(values)
            for k in range(len(part)):
                alone, _ = reader.gather(part.take([k]))
                np.testing.assert_array_equal(values[offsets[k] : offsets[k + 1]], alone)
        elif cls == MatlabClass.SPARSE:
            triplets = reader.triplets(part)
            assert triplets.offsets[-1] == len(triplets.row) == len(triplets.col) == len(triplets.value)


@pytest.mark.parametrize("name", ["kinds_v4", "kinds_v6", "kinds_v7", "kinds_v73", "annotations_v7", "digits_v73"])
def test_a_batch_equals_its_elements_one_by_one(name: str) -> None:
    opened = open_reader(FIXTURES / f"{name}.mat")
    for headers in batches(opened.reader):
        check_batch_equals_singles(opened.reader, headers)
    opened.close()


@pytest.mark.parametrize("path", corpus_files("JuliaIO*/**/*"))
def test_a_batch_equals_its_elements_in_the_corpus(path: Path) -> None:
    opened = open_reader(path)
    for headers in batches(opened.reader):
        check_batch_equals_singles(opened.reader, headers)
    opened.close()


def test_the_loadmat_reader_keeps_the_contract() -> None:
    reader = LoadmatReader(scipy.io.loadmat(FIXTURES / "kinds_v7.mat"))
    for headers in batches(reader):
        check_batch_equals_singles(reader, headers)


def test_positions_out_of_range_are_errors_not_values() -> None:
    for name in ("kinds_v6", "kinds_v73"):
        opened = open_reader(FIXTURES / f"{name}.mat")
        wild = np.array([-8, -(2**40), 2**40, 3, 10**6], np.int64)
        headers = opened.reader.headers(Elements(0, np.repeat(wild, 10)))
        assert not headers.ok.any() and len(headers.errors) == 50
        with pytest.raises(MatlensError):
            opened.reader.gather(headers)
        opened.close()


def test_v73_takes_the_batch_route() -> None:
    with matlens.open(FIXTURES / "annotations_v73.mat") as file:
        file["annotations"].to_arrow()
        assert file.stats["batch"] > 20 * file.stats["h5py"]


@pytest.mark.parametrize("path", corpus_files("**/*"))
def test_v73_batches_equal_libhdf5(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole tree, with every object in a batch and with none."""
    from matlens.readers import mat73

    if matlens.open(path).version != "7.3":
        pytest.skip("not a v7.3 file")
    trees = []
    for size in (1, 10**9):
        monkeypatch.setattr(mat73, "BATCH", size)
        trees.append(matlens.loadmat(path))
    for name in (name for name in trees[0] if not name.startswith("__")):
        assert_same(trees[0][name], trees[1][name], name)


def test_stats_count_the_routes() -> None:
    with matlens.open(FIXTURES / "annotations_v7.mat") as file:
        file["annotations"].to_arrow()
        assert file.stats["batch"] > 20 * file.stats["single"]


@pytest.mark.parametrize("name", sorted(p.name for p in FIXTURES.glob("*.mat")))
def test_fixtures_match_their_manifest(name: str) -> None:
    entry = json.loads((FIXTURES / "manifest.json").read_text())[name]
    content = (FIXTURES / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == entry["sha256"] and len(content) == entry["bytes"]


# --- generated values through two independent writers ----------------------------------------

numbers = st.one_of(
    st.floats(width=64).map(lambda x: np.array([[x]])),
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from(["f8", "f4", "i1", "u2", "i8", "u8"])).map(
        lambda t: np.arange(t[0] * t[1], dtype=t[2]).reshape(t[0], t[1])
    ),
    st.booleans().map(lambda x: np.array([[x]])),
    st.integers(-(2**63), 2**63 - 1).map(lambda x: np.array([[x]], np.int64)),
    st.complex_numbers(allow_nan=False).map(lambda x: np.array([[x]])),
)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF), min_size=1, max_size=8).map(
    lambda s: np.array([list(s)])
)
names = st.sampled_from(["a", "b", "c", "boxes", "name"])


def cell_of(items: list[Any]) -> Any:
    array = np.empty((1, len(items)), object)
    for i, item in enumerate(items):
        array[0, i] = item
    return array


def structs_of(table: dict[str, list[Any]]) -> Any:
    count = min(map(len, table.values()))
    array = np.empty((1, count), [(name, object) for name in table])
    for name, items in table.items():
        for i in range(count):
            array[name][0, i] = items[i]
    return array


values = st.recursive(
    st.one_of(numbers, texts),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=20).map(cell_of),
        st.dictionaries(names, st.lists(inner, min_size=2, max_size=20), min_size=1, max_size=3).map(structs_of),
    ),
    max_leaves=30,
)


def for_savemat(value: Any) -> Any:
    """SciPy writes strings where the other writer takes single characters."""
    if not isinstance(value, np.ndarray) or (value.dtype.kind not in "UO" and value.dtype.names is None):
        return value
    if value.dtype.kind == "U":
        return np.array(["".join(value[0])])
    copy = value.copy()
    for name in value.dtype.names or (None,):
        source, target = (value, copy) if name is None else (value[name], copy[name])
        for index in np.ndindex(value.shape):
            target[index] = for_savemat(source[index])
    return copy


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=values, compress=st.booleans())
def test_generated_values_read_alike_from_v5_and_v73(value: Any, compress: bool, tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "v5.mat", {"x": for_savemat(value)}, do_compression=compress, long_field_names=True)
    with Mat73Writer(tmp_path / "v73.mat") as writer:
        writer.write("x", value)
    options: dict[str, Any] = {"chars_as_strings": False}
    old, new = (matlens.loadmat(tmp_path / name, **options)["x"] for name in ("v5.mat", "v73.mat"))
    assert_same(old, new, "x")
    assert_same(old, value if isinstance(value, np.ndarray) else np.asarray(value), "x")
    with matlens.open(tmp_path / "v5.mat") as a, matlens.open(tmp_path / "v73.mat") as b:
        left, right = a["x"].to_arrow(), b["x"].to_arrow()
        assert left.equals(right) or str(left.to_pylist()) == str(right.to_pylist())


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.sampled_from([48, 56, 56, 56, 64, 120]), min_size=1, max_size=200),
    width=st.integers(1, 5),
    damage=st.integers(-1, 199),
)
def test_the_chase_finds_what_a_walk_finds(sizes: list[int], width: int, damage: int) -> None:
    parts = [struct.pack("<II", 14, size) + bytes(size) for size in sizes]
    if 0 <= damage < len(parts):
        parts[damage] = b"\x09" + parts[damage][1:]
    content = bytes(64) + b"".join(parts)
    expected = 64 + np.cumsum([0, *(8 + size for size in sizes)])
    found = chase(Segment(content, "<"), 64, len(content), len(sizes))
    if 0 <= damage < len(parts):
        assert found is None
    else:
        assert found is not None
        np.testing.assert_array_equal(found, expected[:-1])
    assert chase(Segment(content, "<"), 64, len(content) - 8, len(sizes)) is None
