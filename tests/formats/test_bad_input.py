"""Damaged files and files that are something else: a clear error, and the rest still loads."""

from __future__ import annotations

import contextlib
import io
import os
import struct
from collections.abc import Callable
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
from matlens.errors import CorruptFile, LimitExceeded, MatlensError, NotAMatFile, UnsafeFile
from matlens.formats.hdf5.hdf5_file import H5File
from matlens.formats.ragged import groups
from matlens.formats.records import CLASS_DTYPES, Elements, MatlabClass
from matlens.formats.v73.batch import DIRECT, IN_CHUNKS, WANTED, Batch
from matlens.limits import Limits
from tests.fuzz.hostile import matrix, v5_file
from tests.support import FIXTURES, assert_same

NOT_MAT = {
    "empty": (b"", "the file is empty"),
    "html": (b"<!DOCTYPE html><html><body>Sign in</body></html>", "HTML page"),
    "html_blank": (b"\n\n  <html>\n", "HTML page"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "Git-LFS pointer"),
    "zip": (b"PK\x03\x04\x14\x00\x00\x00\x08\x00" + bytes(100), "zip archive"),
    "gzip": (b"\x1f\x8b\x08" + bytes(50), "gzip"),
    "m_source": (b"function y = f(x)\n% squares\ny = x.^2;\nend\n", "MATLAB .m script"),
    "objective_c": (b'#import "App.h"\n@implementation App\n@end\n', "Objective-C"),
    "ascii": (b"   1.0000000e+00   2.0000000e+00\n   3.0000000e+00   4.0000000e+00\n", "save -ascii"),
    "text": (b"just some words\n", "a text"),
    "binary": (bytes(range(256)) * 4, "binary data"),
    "v73_header_alone": (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400), "without the HDF5 signature"),
}


@pytest.mark.parametrize("kind", sorted(NOT_MAT))
def test_other_content_is_named(kind: str, tmp_path: Path) -> None:
    content, message = NOT_MAT[kind]
    path = tmp_path / f"{kind}.mat"
    path.write_bytes(content)
    with pytest.raises(NotAMatFile, match=message) as caught:
        matlens.open(path)
    assert str(caught.value).startswith(f"{kind}.mat: ")
    assert isinstance(caught.value, ValueError)


def test_directories_and_pipes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeFile, match="a directory"):
        matlens.open(tmp_path)
    os.mkfifo(tmp_path / "pipe.mat")
    with pytest.raises(UnsafeFile, match=r"pipe\.mat: a pipe"):
        matlens.open(tmp_path / "pipe.mat")
    with pytest.raises(FileNotFoundError):
        matlens.open(tmp_path / "absent.mat")


def three_variables(version: str) -> bytes:
    """Three variables of similar size, of random numbers so that nothing compresses away."""
    rng = np.random.default_rng(0)
    data = {name: rng.random((20, 10)) for name in ("first", "middle", "last")}
    if version == "4":
        stream = io.BytesIO()
        scipy.io.savemat(stream, data, format="4")
        return stream.getvalue()
    if version in ("6", "7"):
        stream = io.BytesIO()
        scipy.io.savemat(stream, data, do_compression=version == "7")
        return stream.getvalue()
    path = Path(os.environ["PYTEST_CURRENT_TEST"].split("::")[0]).name
    target = Path("/tmp") / f"matlens-{os.getpid()}-{path}.mat"
    try:
        with Mat73Writer(target) as writer:
            for name, value in data.items():
                writer.write(name, value)
        return target.read_bytes()
    finally:
        target.unlink(missing_ok=True)


def read_all(content: bytes) -> tuple[dict[str, Any], list[MatlensError]]:
    """Every value that can be read, and every error."""
    values, errors = {}, []
    try:
        with matlens.open(content) as file:
            for name, node in file.items():
                try:
                    values[name] = node.value
                except MatlensError as error:
                    errors.append(error)
            errors += file.problems
    except MatlensError as error:
        errors.append(error)
    return values, errors


@pytest.mark.parametrize("version", ["4", "6", "7", "7.3"])
def test_truncated_at_twenty_points(version: str) -> None:
    content = three_variables(version)
    whole, errors = read_all(content)
    assert len(whole) == 3 and not errors
    seen = set()
    for point in np.linspace(1, len(content) - 1, 20).astype(int):
        values, errors = read_all(content[:point])
        for name, value in values.items():
            np.testing.assert_array_equal(value, whole[name])
        assert errors or len(values) < 3
        if point > 128 and version != "4":
            assert errors, f"cut at {point} without an error"
        for error in errors:
            assert str(error).startswith("<bytes>: ")
            if not isinstance(error, NotAMatFile):
                assert error.offset is not None, error
        seen.add(len(values))
    assert {1, 2} <= seen


def test_the_middle_variable_is_damaged() -> None:
    content = bytearray(three_variables("7"))
    with matlens.open(bytes(content)) as file:
        assert list(file) == ["first", "middle", "last"]
        start = file._reader._segments._streams[2][0]  # type: ignore[attr-defined]
    content[start + 500] ^= 0xFF
    values, errors = read_all(bytes(content))
    assert set(values) == {"first", "last"}
    assert len(errors) == 1 and str(errors[0]).startswith("<bytes>: middle: compressed data")


@pytest.mark.parametrize("version", ["6", "7"])
def test_garbage_between_variables(version: str) -> None:
    content = three_variables(version)
    with matlens.open(content) as file:
        place = int(file._variable("last").elements.positions[0])
        if version == "7":
            place = file._reader._segments._streams[3][0] - 8  # type: ignore[attr-defined]
    values, errors = read_all(content[:place] + b"\x0f\x00\x00 garbage" * 9 + content[place:])
    assert set(values) == {"first", "middle", "last"} and len(errors) == 1
    assert errors[0].offset == place


# --- v7.3 ------------------------------------------------------------------------------------


@pytest.fixture
def cell_file(tmp_path: Path) -> Callable[[Any], Path]:
    def build(change: Any) -> Path:
        path = tmp_path / "cells.mat"
        with Mat73Writer(path) as writer:
            writer.write("good", np.array([[1.0, 2.0]]))
            items = np.empty((1, 8), object)
            for i in range(8):
                items[0, i] = np.array([[float(i)]])
            writer.write("c", items)
        with h5py.File(path, "r+") as file:
            change(file)
        return path

    return build


def test_a_cell_that_contains_itself(cell_file: Callable[[Any], Path]) -> None:
    def refer_to_itself(file: Any) -> None:
        file["c"][...] = np.array([[file["c"].ref]] * 8, dtype=h5py.ref_dtype)

    with matlens.open(cell_file(refer_to_itself)) as file:
        assert file["good"].value.tolist() == [[1, 2]]
        for read in (lambda node: node.value, lambda node: node.to_numpy(), lambda node: node.to_arrow()):
            with pytest.raises((CorruptFile, LimitExceeded), match=r"cells\.mat: c.*(itself|nested)"):
                read(file["c"])
        assert file.at("c{1}{2}{3}").dims == (1, 8)
        assert repr(file["c"])


def test_references_to_nothing(cell_file: Callable[[Any], Path]) -> None:
    def dangle(file: Any) -> None:
        addresses = np.empty((8, 1), np.uint64)
        file["c"].id.read(h5py.h5s.ALL, h5py.h5s.ALL, addresses, mtype=h5py.h5t.STD_REF_OBJ)
        addresses[3] = 0
        addresses[5] = 2**40
        file["c"].id.write(h5py.h5s.ALL, h5py.h5s.ALL, addresses, mtype=h5py.h5t.STD_REF_OBJ)

    with matlens.open(cell_file(dangle)) as file:
        with pytest.raises(CorruptFile, match=r"cells\.mat: c\{6\}: reference"):
            file["c"].to_numpy()
        # One that leads nowhere is an empty double.
        assert file.at("c{3}").value == 2 and file.at("c{4}").value.shape == (0, 0)
        with pytest.raises(CorruptFile, match=r"c\{6\}"):
            file.at("c{6}").value


def test_a_data_set_that_declares_far_more_than_it_stores(tmp_path: Path) -> None:
    path = tmp_path / "huge.mat"
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x", (10**6, 10**6), "f8", chunks=(100, 100))
        dataset.attrs["MATLAB_class"] = np.bytes_("double")
        file["good"] = 1.0
    with matlens.open(path) as file:
        assert file["x"].dims == (10**6, 10**6)
        with pytest.raises(LimitExceeded, match=r"huge\.mat: x: 8000000000000 bytes declared"):
            file["x"].value
        assert file["good"].value == 1


def test_foreign_hdf5_types_are_refused_by_variable(tmp_path: Path) -> None:
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w") as file:
        file["text"] = "a string"
        file["compound"] = np.zeros(3, [("a", "f4"), ("b", "i2")])
        file["good"] = np.arange(6).reshape(2, 3)
    with matlens.open(path) as file:
        assert file["good"].dims == (3, 2) and file["good"].value.tolist() == [[0, 3], [1, 4], [2, 5]]
        refusals = {"text": "neither numbers nor references", "compound": "other than two equal numbers real and imag"}
        for name, refusal in refusals.items():
            with pytest.raises(MatlensError, match=rf"foreign\.h5: {name}: .*{refusal}"):
                file[name].value


def test_random_damage_never_escapes(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    for name in ("kinds_v4.mat", "kinds_v6.mat", "kinds_v7.mat"):
        original = (FIXTURES / name).read_bytes()
        for _ in range(150):
            content = bytearray(original)
            for at in rng.integers(0, len(content), rng.integers(1, 5)):
                content[at] = rng.integers(0, 256)
            values, errors = read_all(bytes(content))
            assert all(isinstance(error, MatlensError) for error in errors)
            assert not any(isinstance(v, str) and v.startswith("Read error") for v in values.values())


def test_loadmat_of_a_damaged_file_gives_named_variables() -> None:
    content = three_variables("6")[:-100]
    with pytest.raises(CorruptFile, match="last"):
        matlens.loadmat(io.BytesIO(content))
    good = matlens.loadmat(io.BytesIO(content), variable_names=["first", "middle"])
    assert_same(good["first"], read_all(three_variables("6"))[0]["first"])


def chunked_v73(path: Path) -> Path:
    """Chunks, complex and sparse values, a struct of many fields and a struct array, by reference."""
    rng = np.random.default_rng(0)
    makers = [
        lambda k: rng.random((20, k + 1)),
        lambda k: np.array([list("text" * 30)]),
        lambda k: rng.random((9, 9)) * 1j,
        lambda k: scipy.sparse.csc_matrix(np.eye(5)),
    ]
    cell = np.empty((1, 30), object)
    for k in range(30):
        cell[0, k] = makers[k % 4](k)
    wide = np.empty((1, 1), [(f"f{k}", object) for k in range(60)])
    array = np.empty((1, 5), [("a", object), ("bb", object)])
    for name in wide.dtype.names or ():
        wide[name][0, 0] = np.eye(2)
    for k in range(5):
        array["a"][0, k], array["bb"][0, k] = np.eye(12), np.eye(3)
    with Mat73Writer(path, compression="gzip") as writer:
        for name, value in (("cell", cell), ("wide", wide), ("array", array)):
            writer.write(name, value)
    return path


def read_at_all_levels(content: bytes, elements: Elements) -> None:
    """All variables, and whatever stands at any address."""
    with contextlib.suppress(MatlensError), matlens.open(content) as file:
        for name in file:
            with contextlib.suppress(MatlensError):
                file[name].to_numpy()
    with contextlib.suppress(MatlensError):
        read_batches(Batch(H5File(content, WANTED, Limits())), elements)


def read_batches(batch: Batch, elements: Elements, depth: int = 0) -> None:
    """Everything below `elements`, many at once."""
    headers, left = batch.headers(elements)
    for (cls, *_), index in groups(headers.cls, headers.is_complex, headers.is_logical):
        part = headers.take(np.setdiff1d(index, left))
        with contextlib.suppress(MatlensError):
            covered = bool(len(part)) and np.isin(part.storage[part.numel > 0], (DIRECT, IN_CHUNKS)).all()
            below = []
            if cls == MatlabClass.STRUCT and len(part):
                below = batch.structs(part)[0]
            elif cls == MatlabClass.CELL and covered:
                below = [batch.cells(part)]
            elif covered and (cls in CLASS_DTYPES or cls == MatlabClass.CHAR):
                batch.gather(part)
            for children in below if depth < 6 else ():
                if children is not None:
                    read_batches(batch, children.elements.take(slice(200)), depth + 1)


@pytest.mark.parametrize("name", ["kinds_v73.mat", "digits_v73.mat", "chunked"])
def test_random_damage_in_v73_never_escapes(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    path = chunked_v73(tmp_path / "x.mat") if name == "chunked" else FIXTURES / name
    original = np.frombuffer(path.read_bytes(), np.uint8)
    with h5py.File(path) as file:
        addresses: list[int] = [h5py.h5o.get_info(file.id).addr]
        file.visititems(lambda _, item: addresses.append(h5py.h5o.get_info(item.id).addr))
    wild = [0, 1, 7, len(original) - 520, len(original), -8, 2**62]
    elements = Elements(0, np.array(addresses + wild, np.int64))
    for round_number in range(40):
        content = original.copy()
        spots = rng.choice(addresses, 3)[:, None] + rng.integers(512, 700, (3, 4))
        if round_number % 2:
            spots = rng.integers(512, len(content), 30)
        spots = np.minimum(spots.ravel(), len(content) - 1)
        content[spots] = rng.choice([0, 1, 2, 16, 127, 128, 255, int(rng.integers(256))], len(spots))
        read_at_all_levels(content.tobytes(), elements)


def test_a_count_of_field_names_beyond_64_bits() -> None:
    content = bytearray((FIXTURES / "annotations_v73.mat").read_bytes())
    place = content.index(b"MATLAB_fields")
    # The name, padded to 16 bytes; the type of a list of letters; the dataspace, whose size comes last.
    size = content.index(struct.pack("<BBB5xQ", 1, 1, 1, 5), place) + 8
    content[size : size + 8] = struct.pack("<Q", 2**60 + 1)
    with h5py.File(FIXTURES / "annotations_v73.mat") as file:
        address = h5py.h5o.get_info(file["annotations"].id).addr
    _, left = Batch(H5File(bytes(content), WANTED, Limits())).headers(Elements(0, np.array([address], np.int64)))
    assert left.tolist() == [0]


def test_objects_nested_too_deep_for_recursion() -> None:
    def element(kind: int, data: bytes) -> bytes:
        return struct.pack("<II", kind, len(data)) + data.ljust((len(data) + 7) // 8 * 8, b"\0")

    inner = b""
    for _ in range(3000):
        flags = element(6, struct.pack("<II", 17, 0))
        inner = element(14, flags + element(1, b"x") + element(1, b"MCOS") + element(1, b"c") + inner)
    with matlens.open(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + inner) as file:
        assert file["x"].matlab_class == "c" and file["x"].dims == (1, 1)
        assert file["x"].value.class_name == "c"
        with pytest.raises(LimitExceeded, match="nested deeper"):
            file["x"].to_numpy()


def test_names_of_fields_that_collide_with_those_made_unique() -> None:
    one = element_of(6, struct.pack("<II", 6, 0)) + element_of(5, struct.pack("<ii", 1, 1)) + element_of(1, b"")
    one = element_of(14, one + element_of(9, struct.pack("<d", 7)))
    body = element_of(6, struct.pack("<II", 2, 0)) + element_of(5, struct.pack("<ii", 1, 1)) + element_of(1, b"s")
    body += element_of(5, struct.pack("<i", 8)) + element_of(1, b"c".ljust(8, b"\0") * 2 + b"_1_c".ljust(8, b"\0"))
    content = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + element_of(14, body + one * 3)
    with matlens.open(content) as file:
        assert len(set(file["s"].to_numpy().dtype.names)) == 3


def element_of(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def test_empty_pages_among_matrices_of_rows(tmp_path: Path) -> None:
    """3x4x1x0 has four columns like the others, but no row."""
    cell = np.empty((1, 4), object)
    cell[0, :] = [np.ones((2, 4)), np.zeros((3, 4, 1, 0)), np.ones((1, 4)), np.zeros((0, 4))]
    scipy.io.savemat(tmp_path / "x.mat", {"c": cell})
    with matlens.open(tmp_path / "x.mat") as file:
        assert file["c"].to_arrow()["c"].to_pylist() == [[[1] * 4] * 2, None, [[1] * 4], []]


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_a_root_group_that_is_none(engine: Any) -> None:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["x"] = np.arange(5.0)
    content = bytearray(stream.getvalue())
    (root,) = struct.unpack_from("<Q", content, 64)
    # The message that leads to the members of the group becomes none.
    content[root + 16 : root + 18] = b"\0\0"
    with pytest.raises(CorruptFile, match=r"root group is not readable|neither a group nor a data set"):
        list(matlens.open(bytes(content), engine=engine, isolate="never"))


def test_structs_without_fields_are_counted_together() -> None:
    one = matrix(2, (1, 4_000_000), b"")
    with matlens.open(v5_file(matrix(2, (1, 604_045_312), b"", b"s"), matrix(1, (1, 2), one * 2, b"c"))) as file:
        for take in (file["s"].to_numpy, file["c"].to_numpy, lambda: file["c"].to_python()):
            with pytest.raises(LimitExceeded, match=r"exceeds Limits\.elements = 5000000"):
                take()
        assert file["c"].child_count == 2 and "1x4000000" in file["c"].preview()
    with matlens.open(v5_file(matrix(2, (1, 3), b"", b"s"))) as file:
        assert file["s"].to_numpy().shape == (1, 3)


def test_sparse_matrices_of_endless_rows_and_columns(tmp_path: Path) -> None:
    rows = 2**31 - 1
    matrix_of_rows = scipy.sparse.csc_matrix(([1.0, 2.0], ([0, 5], [0, 3])), shape=(rows, 10))
    scipy.io.savemat(tmp_path / "s.mat", {"s": matrix_of_rows})
    with matlens.open(tmp_path / "s.mat", limits=Limits(memory=2**30)) as file:
        assert file["s"].value.shape == (rows, 10) and file["s"].to_arrow().num_rows == 2
        picked = file.at("s(1:6,4)").value
        assert picked.shape == (6, 1) and picked.toarray().ravel().tolist() == [0, 0, 0, 0, 0, 2]
        with pytest.raises(LimitExceeded, match=r"s\.mat: s: a sparse matrix of 2147483647x10"):
            file["s"].to_python()
        for path in ("s(:,1)", "s(1:100000000,1:2)"):
            with pytest.raises(LimitExceeded, match=r"elements selected.*Limits\.memory = 1073741824"):
                file.at(path).value
    triplets = np.array([[1.0, 1.0, 5.0], [10, rows, 0]]).tobytes(order="F")
    v4 = struct.pack("<5i", 2, 2, 3, 0, 2) + b"s\0" + triplets
    with matlens.open(v4) as file, pytest.raises(LimitExceeded, match="limit memory"):
        file["s"].to_numpy()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_parts_of_sparse_matrices(data: Any) -> None:
    """Against SciPy's full form."""
    dims = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    full = np.array(data.draw(st.lists(st.sampled_from([0, 0, 1.5]), min_size=36, max_size=36))).reshape(6, 6)
    full = full[: dims[0], : dims[1]]
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"s": scipy.sparse.csc_matrix(full)})
    with matlens.open(stream.getvalue()) as file:
        a, b = (slice(*sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n))))) for n in dims)
        part = file["s"][a, b].value
        assert part.shape == full[a, b].shape
        np.testing.assert_array_equal(part.toarray(), full[a, b])


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("dim", [2**53, 2**63 - 1, 2**63, 2**64 - 1])
def test_endless_dims_beside_one_of_zero(count: int, dim: int) -> None:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for k in range(count):
            dataset = file.create_dataset(f"x{k:02d}", (0, 12_345_678_901), "f8")
            dataset.attrs["MATLAB_class"] = np.bytes_("double")
    content = stream.getvalue().replace(struct.pack("<Q", 12_345_678_901), struct.pack("<Q", dim))
    with matlens.open(content) as file, pytest.raises(LimitExceeded, match="dims"):
        _ = file["x00"].value
    with matlens.open(content, engine="reference", isolate="never") as file, pytest.raises(MatlensError):
        _ = file["x00"].value


def test_fields_are_limited_in_both_versions(tmp_path: Path) -> None:
    record = np.empty((1, 1), [(f"f{k:03d}", object) for k in range(300)])
    record[0, 0] = tuple(np.full((1, 1), float(k)) for k in range(300))
    scipy.io.savemat(tmp_path / "v5.mat", {"s": record, "x": 1.0})
    with Mat73Writer(tmp_path / "v73.mat") as writer:
        writer.write("s", record)
        writer.write("x", np.ones((1, 1)))
    for name in ("v5.mat", "v73.mat"):
        with matlens.open(tmp_path / name, limits=Limits(fields=299)) as file:
            with pytest.raises(
                LimitExceeded, match=r"300 fields: exceeds Limits.fields = 299; raise it with --limit fields="
            ):
                file["s"].to_numpy()
            assert file["x"].to_python() == 1.0
        with matlens.open(tmp_path / name, limits=Limits(fields=300)) as file:
            assert len(file["s"].to_numpy().dtype.names) == 300
