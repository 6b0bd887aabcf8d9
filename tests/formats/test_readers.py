"""The reader contract, held against every reader and every file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mat73_writer import Mat73Writer

import matlens
from matlens.errors import MatlensError
from matlens.formats.guards.salvage import SalvagingReader
from matlens.formats.memory import LoadmatReader
from matlens.formats.open import open_reader
from matlens.formats.reader import Reader
from matlens.formats.v5.batch import chase
from matlens.formats.v5.segments import Segment
from tests.expected import SCIPY_REFUSES
from tests.formats.contract import ReaderContract, batches, check_batch_equals_singles
from tests.support import CORPUS, FIXTURES, assert_same, corpus_files, fixture_files, mat_files


class TestMat4(ReaderContract):
    file = FIXTURES / "kinds_v4.mat"


class TestMat5(ReaderContract):
    file = FIXTURES / "kinds_v6.mat"


class TestCompressedMat5(ReaderContract):
    file = FIXTURES / "kinds_v7.mat"


class TestMat73(ReaderContract):
    file = FIXTURES / "kinds_v73.mat"


class TestReferenceMat73(ReaderContract):
    file = FIXTURES / "kinds_v73.mat"
    options: ClassVar[dict[str, Any]] = {"engine": "reference", "isolate": "never"}


class TestReferenceMat5(ReaderContract):
    file = FIXTURES / "kinds_v7.mat"
    options: ClassVar[dict[str, Any]] = {"engine": "reference", "isolate": "never"}


class TestIsolated(ReaderContract):
    file = FIXTURES / "annotations_v7.mat"
    options: ClassVar[dict[str, Any]] = {"isolate": "always"}


class TestSalvaging(ReaderContract):
    @pytest.fixture
    def reader(self) -> Iterator[Reader]:
        opened = open_reader(FIXTURES / "kinds_v7.mat")
        yield SalvagingReader(opened.reader)
        opened.close()


class TestLoadmatOutput(ReaderContract):
    @pytest.fixture
    def reader(self) -> Iterator[Reader]:
        yield LoadmatReader(scipy.io.loadmat(FIXTURES / "kinds_v7.mat"))


@pytest.mark.parametrize(
    "path", [*fixture_files("annotations_v7.mat", "digits_v73.mat"), *corpus_files("JuliaIO*/**/*")]
)
def test_a_batch_equals_its_elements(path: Path) -> None:
    opened = open_reader(path)
    for headers in batches(opened.reader):
        check_batch_equals_singles(opened.reader, headers)
    opened.close()


SCIPY_FAULTS = {
    ("one_by_zero_char.mat", "var"): "forgets the dims of an empty char",
    ("figure.fig", "hgS_070000"): "takes an element of zero bytes for 1x0",
    ("plot-simple.fig", "hgS_070000"): "takes an element of zero bytes for 1x0",
    ("empty_cells.mat", "empty_cells"): "takes an element of zero bytes for 1x0",
    ("char_array_old_null.mat", "simple_string"): "turns NULs inside text into blanks",
    ("string.mat", "accented_string"): "replaces characters that it cannot decode",
}
"""Variables of v5 files that SciPy reads otherwise; objects of newer classes, which it gives no names, are more."""


def readable_by_reference() -> list[Any]:
    return [
        parameter
        for parameter in [*fixture_files(), *mat_files()]
        if (path := parameter.values[0]) is None or path.name not in SCIPY_REFUSES or h5py.is_hdf5(path)
    ]


@pytest.mark.parametrize("path", readable_by_reference())
def test_both_engines_give_equal_trees(path: Path) -> None:
    """Our own readers against SciPy and libhdf5, every variable of every file."""
    with matlens.open(path) as file, matlens.open(path, engine="reference", isolate="never") as reference:
        for name, node in file.items():
            if file.version in ("v6", "v7") and (node.kind == "opaque" or (path.name, name) in SCIPY_FAULTS):
                continue
            other = reference[name]
            assert node.matlab_class == other.matlab_class, name
            if path.name.startswith("corrupted_") and node.kind == "opaque":
                continue
            assert node.dims == other.dims, name
            assert_same(node.to_numpy(), other.to_numpy(), name)


def test_big_endian_sparse_matrices_that_scipy_loaded() -> None:
    loaded = {"x": scipy.sparse.csc_array(np.eye(2))}
    loaded["x"].data = loaded["x"].data.astype(">f8")
    assert matlens.from_loadmat(loaded)["x"].value.toarray().tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_an_unknown_engine_is_named() -> None:
    with pytest.raises(ValueError, match="'fast'"):
        matlens.open(FIXTURES / "kinds_v7.mat", engine="fast")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["annotations_v7", "annotations_v73", "digits_v73"])
def test_stats_count_the_routes(name: str) -> None:
    slow = "single" if name.endswith("v7") else "h5py"
    with matlens.open(FIXTURES / f"{name}.mat") as file:
        for node in file.values():
            node.to_arrow()
        assert file.stats["batch"] > 20 * file.stats[slow] + file.stats["unusual"]


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the project")
@pytest.mark.parametrize(("version", "slow", "share"), [("v7", "unusual", 0.001), ("v7.3", "h5py", 0.01)])
def test_corpus_files_without_objects_take_the_fast_routes(version: str, slow: str, share: float) -> None:
    counts: Counter[str] = Counter()
    for parameter in mat_files():
        with matlens.open(parameter.values[0]) as file:
            if file.version == version and not any(node.kind == "opaque" for node in file.values()):
                for node in file.values():
                    with contextlib.suppress(MatlensError):
                        node.to_numpy()
                counts += file.stats
    everything = counts["batch"] + counts["single"] + counts[slow]
    assert everything > 900 and counts[slow] <= share * everything


@pytest.mark.parametrize("path", fixture_files())
def test_fixtures_match_their_manifest(path: Path) -> None:
    entry = json.loads((FIXTURES / "manifest.json").read_text())[path.name]
    content = path.read_bytes()
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
