"""Files with damage inside structs and cells, of which everything else is read."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

import matlens
from matlens.errors import CorruptFile
from matlens.export.mat_encoder import MI_MATRIX
from tests.support import assert_same, run

BAD_TYPE = 99


def sound() -> bytes:
    """A struct with a cell, a struct array and a matrix, not compressed."""
    records = np.empty((1, 24), [("x", object), ("name", object)])
    for k in range(24):
        records["x"][0, k], records["name"][0, k] = np.arange(3.0) + k, f"name {k}"
    cell = np.empty((1, 3), object)
    cell[0, :] = [np.arange(5.0), "text", np.eye(2, dtype=np.uint8)]
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"s": {"a": np.arange(3.0), "c": cell}, "r": records, "k": np.eye(2)})
    return stream.getvalue()


def data_tag(content: bytes, path: str) -> int:
    """Offset of the tag of the values at `path`."""
    offset = matlens.open(content).at(path).storage()["offset"]
    return int(offset)


def damaged(*paths: str) -> bytes:
    """The file with tags of no type before the values at `paths`."""
    content = bytearray(sound())
    for path in paths:
        content[data_tag(sound(), path)] = BAD_TYPE
    return bytes(content)


def loaded(content: bytes, **options: Any) -> tuple[dict[str, Any], list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = matlens.loadmat(io.BytesIO(content), errors="salvage", **options)
    assert all(Path(warning.filename).name == Path(__file__).name for warning in caught)
    return dict(found), [str(warning.message) for warning in caught]


@pytest.mark.parametrize("k", range(24))
def test_every_other_record_is_read(k: int) -> None:
    content = damaged(f"r({k + 1}).x")
    with pytest.raises(CorruptFile, match="<stream>: r: data type 99"):
        matlens.loadmat(io.BytesIO(content))
    found, told = loaded(content)
    assert len(told) == 1 and f": r({k + 1}).x: " in told[0] and "(at byte " in told[0]
    expected = scipy.io.loadmat(io.BytesIO(sound()))
    assert found["r"]["x"][0, k] is None
    expected["r"]["x"][0, k] = None
    for name in ("s", "r", "k"):
        assert_same(found[name], expected[name], name)


def test_all_forms_of_a_file_with_damaged_elements() -> None:
    content = damaged("s.c{2}", "r(3).x", "r(3).name")
    with matlens.open(content, errors="salvage") as file:
        assert file["s"].to_python() == {"a": [0, 1, 2], "c": [[0, 1, 2, 3, 4], None, [[1, 0], [0, 1]]]}
        assert file["s"]["c"].value[1] is None and file.at("s.c{2}").value is None
        assert file.at("s.c{2}").kind == "damaged" and "data type 99" in file.at("s.c{2}").preview()
        rows = file["r"].to_arrow().to_pylist()
        assert rows[2] == {"x": None, "name": None} and rows[3] == {"x": [3, 4, 5], "name": "name 3"}
        assert file["r"]["x"].to_numpy()[0, 2] is None
        assert [problem.variable for problem in file.problems] == ["s.c{2}", "r(3).x", "r(3).name"]
        with pytest.raises(CorruptFile, match="data type 99"):
            file.at("s.c{2}").to_arrow()
    with matlens.open(content) as file:
        assert file.problems == []
        with pytest.raises(CorruptFile, match=r"s\.c\{2\}"):
            file["s"].to_numpy()


def test_elements_behind_one_of_wrong_size_are_lost_and_those_before_it_kept() -> None:
    content = bytearray(sound())
    at = int(matlens.open(bytes(content)).at("s.c{2}")._elements.positions[0])
    assert struct.unpack_from("<I", content, at)[0] == MI_MATRIX
    struct.pack_into("<I", content, at + 4, 0x00FF_FFFF)
    found, told = loaded(bytes(content))
    items = found["s"]["c"][0, 0]
    assert_same(items[0, 0], np.arange(5.0)[None])
    assert items[0, 1] is None and items[0, 2] is None
    assert [text.split(": ")[1] for text in told] == ["s.c{2}", "s.c{3}"] and "lost" in told[1]
    # What else the file holds is whole.
    assert_same(found["r"], scipy.io.loadmat(io.BytesIO(sound()))["r"])


def test_a_container_that_cannot_be_read_is_one_null() -> None:
    content = bytearray(sound())
    at = int(matlens.open(bytes(content)).at("s.c")._elements.positions[0])
    # The number of dims of the cell becomes that of a million cells.
    struct.pack_into("<ii", content, at + 32, 1, 1_000_000)
    found, told = loaded(bytes(content))
    assert found["s"]["c"][0, 0] is None and len(told) == 1 and ": s.c: " in told[0]


def test_a_damaged_variable_is_left_out_by_loadmat_and_raises_in_the_tree() -> None:
    content = damaged("k", "r(1).x")
    found, told = loaded(content)
    assert "k" not in found and [text.split(": ")[1] for text in told] == ["r(1).x", "k"]
    with matlens.open(content, errors="salvage") as file:
        assert [problem.variable for problem in file.problems] == ["r(1).x"]
        with pytest.raises(CorruptFile, match="k: data type 99"):
            _ = file["k"].value


@pytest.mark.parametrize("options", [{"struct_as_record": False}, {"simplify_cells": True}, {"squeeze_me": True}])
def test_options_of_loadmat(options: dict[str, bool]) -> None:
    found, _ = loaded(damaged("s.c{2}"), **options)
    assert "None" in repr(found["s"]) or found["s"].ravel()[0].c.ravel()[1] is None


def test_unknown_errors_are_refused() -> None:
    with pytest.raises(ValueError, match="'raise' or 'salvage'"):
        matlens.open(sound(), errors="ignore")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'raise' or 'salvage'"):
        matlens.loadmat(io.BytesIO(sound()), errors="ignore")  # type: ignore[arg-type]


def v73(path: Path) -> None:
    """A cell of four matrices and of a cell that contains itself."""
    with h5py.File(path, "w") as file:
        refs = file.create_group("#refs#")
        cell = file.create_dataset("c", (5, 1), h5py.ref_dtype)
        cell.attrs["MATLAB_class"] = np.bytes_("cell")
        for k in range(4):
            item = refs.create_dataset(f"i{k}", data=np.full((2, 2), k, "f8"), chunks=(2, 2), compression="gzip")
            item.attrs["MATLAB_class"] = np.bytes_("double")
            cell[k, 0] = item.ref
        loop = refs.create_dataset("loop", (1, 1), h5py.ref_dtype)
        loop.attrs["MATLAB_class"] = np.bytes_("cell")
        loop[0, 0] = loop.ref
        cell[4, 0] = loop.ref


def test_v73_chunks_and_cycles(tmp_path: Path) -> None:
    v73(tmp_path / "c.mat")
    with h5py.File(tmp_path / "c.mat") as file:
        at = file["#refs#/i2"].id.get_chunk_info(0).byte_offset
    content = bytearray((tmp_path / "c.mat").read_bytes())
    content[at] ^= 0xFF
    with matlens.open(bytes(content), errors="salvage") as file:
        values = file["c"].to_python()
        assert values == [[[0, 0], [0, 0]], [[1, 1], [1, 1]], None, [[3, 3], [3, 3]], None]
        assert [problem.variable for problem in file.problems] == ["c{3}", "c{5}"]
        assert "contains itself" in str(file.problems[1])


def test_command_line(tmp_path: Path) -> None:
    bad, good, rows = tmp_path / "bad.mat", tmp_path / "good.mat", tmp_path / "rows.parquet"
    bad.write_bytes(damaged("s.c{2}", "r(3).x"))
    assert run("convert", str(bad), "-o", str(rows), "--var", "r").returncode == 1 and not rows.exists()
    done = run("convert", str(bad), "-o", str(rows), "--var", "r", "--errors", "salvage")
    assert done.returncode == 1 and b"r(3).x: data type 99" in done.stderr and b"Traceback" not in done.stderr
    import pyarrow.parquet as pq

    assert pq.read_table(rows)["x"].to_pylist()[1:4] == [[1, 2, 3], None, [3, 4, 5]]
    done = run("check", str(bad), "--salvage", str(good))
    assert done.returncode == 1 and b"3 of 3 variables, [] for 2 damaged elements" in done.stderr
    found, expected = scipy.io.loadmat(good), scipy.io.loadmat(io.BytesIO(sound()))
    assert found["r"]["x"][0, 2].shape == (0, 0) and found["s"]["c"][0, 0][0, 1].shape == (0, 0)
    expected["r"]["x"][0, 2] = found["r"]["x"][0, 2]
    assert_same(found["r"], expected["r"])
    assert b"unreadable" in run("tree", str(bad), "--errors", "salvage").stdout
    rows = run("diff", str(bad), str(good), "--errors", "salvage").stdout.decode().splitlines()
    told = [row.split() for row in rows if "r(3).x" in row or "s.c{2}" in row]
    assert sorted(row[:4] for row in told) == [[path, "class", "unreadable", "double"] for path in ("r(3).x", "s.c{2}")]
