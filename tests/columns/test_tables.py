"""Every kind of value as a table, read in windows of rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
import scipy.io

import matlens
from matlens.columns import stored_tables
from matlens.errors import MatlensError, PathError, ShapeMismatch
from matlens.values import windows
from tests.support import fixture_files, mat_files


def save(path: Path, **variables: Any) -> matlens.MatFile:
    scipy.io.savemat(path / "t.mat", variables)
    return matlens.open(path / "t.mat")


def cell(*items: Any, shape: tuple[int, int] | None = None) -> Any:
    array = np.empty(len(items), object)
    for i, item in enumerate(items):
        array[i] = item
    return array.reshape(shape or (1, len(items)))


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "WINDOW_ROWS", 3)
    monkeypatch.setattr(windows, "WINDOW_BYTES", 200)
    monkeypatch.setattr(stored_tables, "PROBE_ROWS", 1)
    monkeypatch.setattr(stored_tables, "SMALL_BYTES", -1)
    monkeypatch.setattr(stored_tables, "KEPT_ELEMENTS", 3)


@pytest.mark.parametrize("path", [*mat_files(), *fixture_files()])
def test_windows_give_the_rows_and_types_of_the_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with matlens.open(path) as file:
        for node in file.values():
            try:
                whole = node.to_arrow()
            except MatlensError:
                continue
            whole.validate(full=True)
            if whole.num_rows > 2000:
                continue
            with monkeypatch.context() as patch:
                patch.setattr(windows, "WINDOW_ROWS", 3)
                patch.setattr(windows, "WINDOW_BYTES", 200)
                patch.setattr(stored_tables, "PROBE_ROWS", 1)
                patch.setattr(stored_tables, "SMALL_BYTES", -1)
                patch.setattr(stored_tables, "KEPT_ELEMENTS", 3)
                parts = list(node.to_batches())
                assert node.table().schema.equals(whole.schema, check_metadata=True)
            assert len(parts) >= min(whole.num_rows // 3, 2)
            joined = pa.Table.from_batches(parts, whole.schema)
            assert repr(joined.to_pylist()) == repr(whole.to_pylist())


def test_a_type_that_only_a_later_window_decides(tmp_path: Path, small_windows: None) -> None:
    values = [np.array([[k]], np.int64) for k in range(9)] + [np.array([[2.0**40]]), np.zeros((0, 0))]
    texts = [f"t{k}" for k in range(10)] + [np.zeros((0, 0))]
    records = np.array(
        [(v, t) for v, t in zip(values, texts, strict=True)], dtype=[("number", object), ("text", object)]
    ).reshape(1, -1)
    with save(tmp_path, s=records) as file:
        reader = file["s"].table().to_reader()
        table = reader.read_all()
    assert reader.schema.field("number").type == pa.int64()
    assert table["number"].to_pylist() == [*range(9), 2**40, None]
    assert table["text"].to_pylist() == [*texts[:10], None]
    assert table["number"].num_chunks > 2


def test_kinds_that_differ_between_windows_become_json_text(tmp_path: Path, small_windows: None) -> None:
    items = [np.array([[float(k)]]) for k in range(7)] + ["seven", cell(1.0, "x")]
    with save(tmp_path, c=cell(*items)) as file:
        node = file["c"]
        assert [json.loads(text) for text in node.to_arrow()["c"].to_pylist()] == [*range(7), "seven", [1, "x"]]
        (note,) = node.table().notes
    assert note.is_lossy and "do not unify: JSON text" in str(note)


def test_a_field_that_only_a_later_window_has(small_windows: None) -> None:
    items = [{"a": 1.0}] * 5 + [{"a": 2.0, "b": "new"}] * 2
    structs = [np.array([tuple(item.values())], [(name, object) for name in item]) for item in items]
    table = matlens.from_loadmat({"c": cell(*structs)})["c"].to_arrow()
    assert table.to_pylist() == [{"a": 1.0, "b": None}] * 5 + [{"a": 2.0, "b": "new"}] * 2
    assert "some structs lack this field" in json.loads(table.schema.metadata[b"matlens"])["notes"][0]


# --- matrices ----------------------------------------------------------------------------


def test_matrix_with_names_and_rows(tmp_path: Path) -> None:
    matrix = np.arange(6.0).reshape(2, 3)
    with save(tmp_path, m=matrix, row=np.arange(4.0), cube=np.arange(24.0).reshape(2, 3, 4)) as file:
        assert file["m"].to_arrow(names=["a", "b", "b"]).to_pydict() == {"a": [0, 3], "b": [1, 4], "b_2": [2, 5]}
        assert file["m"].to_arrow(dim=2).to_pydict() == {"x1": [0, 1, 2], "x2": [3, 4, 5]}
        assert file["row"].to_arrow().to_pydict() == {"x1": [0, 1, 2, 3]}
        assert file["row"].to_arrow(dim=1).num_columns == 4
        cube = np.arange(24.0).reshape(2, 3, 4)
        for axis in range(3):
            found = file["cube"].to_arrow(dim=axis + 1)
            np.testing.assert_array_equal(np.array(found["cube"].to_pylist()), np.moveaxis(cube, axis, 0))
        with pytest.raises(ShapeMismatch, match=r"m: 2 names for 3 columns"):
            file["m"].to_arrow(names=["a", "b"])
        with pytest.raises(PathError, match="dimension 4 of 3"):
            file["cube"].to_arrow(dim=4)


def write_v73(path: Path, name: str, values: Any, **options: Any) -> None:
    """A v7.3 file of one matrix: HDF5 with the axes reversed."""
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset(name, data=np.asarray(values).T, **options)
        dataset.attrs["MATLAB_class"] = np.bytes_("double")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (2, 7), "compression": "gzip"},
        {"chunks": (3, 41), "compression": "gzip", "shuffle": True},
        {"chunks": (1, 4), "fletcher32": True},
    ],
)
def test_windows_of_v73_read_the_chunks_they_need(tmp_path: Path, small_windows: None, options: dict[str, Any]) -> None:
    matrix = np.random.default_rng(0).normal(size=(41, 5))
    write_v73(tmp_path / "m.mat", "m", matrix, **options)
    with matlens.open(tmp_path / "m.mat") as file:
        for axis, expected in ((1, matrix), (2, matrix.T)):
            table = file["m"].to_arrow(dim=axis)
            np.testing.assert_array_equal(np.stack([column.to_numpy() for column in table.columns], 1), expected)
        reader = file["m"]._owner._reader
        headers = file["m"]._headers
        for start, stop in ((0, 1), (5, 9), (39, 41), (0, 41)):
            part = reader.window(headers, 0, start, stop)
            assert part is None or np.array_equal(part, matrix[start:stop])


def test_selections_of_large_arrays_read_only_their_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(0).normal(size=(1 << 12, 1 << 6))
    write_v73(tmp_path / "m.mat", "m", matrix, chunks=(64, 256), compression="gzip")
    with matlens.open(tmp_path / "m.mat") as file:
        monkeypatch.setattr(type(file._reader), "gather", None)
        for path, expected in {
            "m(10:20,:)": matrix[9:20],
            "m(:,3)": matrix[:, 2:3],
            "m(end:-1000:1,[5])".replace("[5]", "5"): matrix[::-1][::1000][:, 4:5],
            "m(4096,64)": matrix[-1:, -1:],
        }.items():
            np.testing.assert_array_equal(file.at(path).value, expected)


# --- structs and cells -------------------------------------------------------------------


def test_a_struct_of_equally_long_vectors_is_a_table(tmp_path: Path) -> None:
    vectors = {
        "t": np.arange(3.0),
        "name": cell("a", "bc", "d", shape=(3, 1)),
        "flag": np.array([[True], [False], [True]]),
        "letters": np.array(["xy", "zw", "uv"]),
    }
    other = vectors | {"scalar": 1.0}
    with save(tmp_path, s=vectors, other=other) as file:
        table = file["s"].to_arrow()
        assert table.to_pydict() == {
            "t": [0, 1, 2],
            "name": ["a", "bc", "d"],
            "flag": [True, False, True],
            "letters": ["xy", "zw", "uv"],
        }
        assert file["other"].to_arrow().num_rows == 1
        assert file["other"].to_arrow()["t"].to_pylist() == [[0, 1, 2]]


def test_matrices_of_as_many_rows_stand_beside_vectors(tmp_path: Path) -> None:
    boxes = np.arange(12.0).reshape(3, 4)
    data = {"frame": np.array([[1], [2], [3]], np.uint16), "bound": boxes, "who": cell("a", "b", "c")}
    square = {"a": np.eye(3), "b": np.eye(3)}
    with save(tmp_path, annot=data, square=square) as file:
        found = file["annot"].to_arrow()
        assert found.to_pydict() == {"frame": [1, 2, 3], "bound": boxes.tolist(), "who": ["a", "b", "c"]}
        assert found.schema.field("bound").type == pa.list_(pa.float64(), 4)
        assert file["square"].to_arrow().num_rows == 1


def test_jhmdb_is_a_table_of_its_frames(corpus: Any) -> None:
    path = corpus("gkioxari+ActionTubes/jhmdb_annot.mat")
    with matlens.open(path) as file:
        found = file["annot"].to_arrow()
    assert found.num_rows == 31_838
    expected = scipy.io.loadmat(path, squeeze_me=True, mat_dtype=True)["annot"]
    np.testing.assert_array_equal(np.array(found["bound"].to_pylist()), expected["bound"].item())
    assert found["frame"].to_pylist() == expected["frame"].item().tolist()


def test_cells_of_rows_are_tables(tmp_path: Path) -> None:
    table = cell("name", "age", "Ann", 31.0, "Bob", 45.0, shape=(3, 2))
    plain = cell("Ann", "x", "Bob", "y", shape=(2, 2))
    nested = cell(cell("Ann", 31.0), cell("Bob", 45.0), shape=(2, 1))
    with save(tmp_path, table=table, plain=plain, nested=nested, like=cell(cell("a", "b"), cell("c", "d"))) as file:
        assert file["table"].to_arrow().to_pydict() == {"name": ["Ann", "Bob"], "age": [31.0, 45.0]}
        assert file["plain"].to_arrow().to_pydict() == {"x1": ["Ann", "Bob"], "x2": ["x", "y"]}
        assert file["nested"].to_arrow().to_pydict() == {"x1": ["Ann", "Bob"], "x2": [31.0, 45.0]}
        assert file["nested"].to_arrow(names=["who", "age"]).column_names == ["who", "age"]
        assert file["like"].to_arrow().to_pydict() == {"like": [["a", "b"], ["c", "d"]]}


def test_names_become_safe_and_the_original_is_kept() -> None:
    records = np.array([(1.0, 2.0)], dtype=[("a\x1b]0;b", object), ("\u202eevil", object)])
    table = matlens.from_loadmat({"s": records}).at("s").table()
    assert table.schema.names == ["a\\x1b]0;b", "\\u202eevil"]
    about = json.loads(table.schema.metadata[b"matlens"])
    assert [column["name"] for column in about["columns"].values()] == ["a\x1b]0;b", "\u202eevil"]
    assert len(table.notes) == 2 and all(note.is_lossy for note in table.notes)


def test_empty_arrays_that_lose_their_dims_are_noted(tmp_path: Path) -> None:
    items = [np.array([[1.0]]), np.zeros((0, 3)), np.zeros((0, 0)), np.array([[2.0]])]
    with save(tmp_path, c=cell(*items)) as file:
        table = file["c"].table()
        assert [str(note) for note in table.notes] == ["c: empty arrays lose their dims: 1"]
        assert table.read_all()["c"].to_pylist() == [1, None, None, 2]


def test_errors_of_windows_name_file_and_path(tmp_path: Path) -> None:
    write_v73(tmp_path / "m.mat", "m", np.random.default_rng(0).normal(size=(64, 4)), chunks=(4, 8), compression=9)
    with h5py.File(tmp_path / "m.mat") as file:
        chunk = file["m"].id.get_chunk_info(5)
    content = bytearray((tmp_path / "m.mat").read_bytes())
    content[chunk.byte_offset + 20] ^= 0xFF
    with matlens.open(bytes(content)) as file, pytest.raises(MatlensError, match=r"<bytes>: m: .*at byte"):
        list(file["m"].to_batches())
