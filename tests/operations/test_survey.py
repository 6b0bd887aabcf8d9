"""Files that drift, converted to one form: what reads many Parquet files reads them as one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset
import pyarrow.parquet
import pytest
import scipy.io

from tests.support import out

WHOLE = (1, 2, 4)


def record(k: int) -> dict[str, Any]:
    """Fields whose class, dims and presence change from one record to the next."""
    rows = k % 5
    fields: dict[str, Any] = {
        "id": np.uint8(k % 200) if k % 2 else float(k) + (0.5 if k % 4 == 0 else 0.0),
        "name": f"n{k}" if k % 7 else np.zeros((0, 0)),
        "box": np.arange(4.0 * rows).reshape(rows, 4) if rows else np.zeros((0, 0)),
        "line": np.arange(float(rows)).reshape(1, rows) if rows else np.zeros((0, 0)),
        "large": np.int64(2**60 + k) if k % 2 else float(k),
        "parts": np.array([f"p{j}" for j in range(rows)], object),
        "inner": {"a": 1.0, "b": "x"} if k % 3 else {"a": np.int8(k % 9)},
    }
    return fields if k % 6 else {name: value for name, value in fields.items() if name != "name"}


def write(folder: Path, count: int) -> None:
    for k in range(count):
        records = [record(count * j + k) for j in range(1 + k % 3)]
        names = [name for name in records[0] if all(name in each for each in records)]
        s = np.empty((1, len(records)), [(name, object) for name in names])
        for j, each in enumerate(records):
            for name in names:
                s[name][0, j] = each[name]
        vectors = {"x": np.arange(1.0 + k % 3).reshape(-1, 1), "y": np.arange(1 + k % 3, dtype=np.int16).reshape(1, -1)}
        matrix = np.full((WHOLE[k % 3], 4), k, np.int16 if k % 2 else np.float64)
        scipy.io.savemat(folder / f"f{k:04}.mat", {"s": s, "v": vectors, "m": matrix})


def read_by_all(folder: Path, name: str) -> pyarrow.Table:
    """The rows of all files as one table, by pyarrow, Polars and DuckDB."""
    polars, duckdb = pytest.importorskip("polars"), pytest.importorskip("duckdb")
    files = sorted(folder.glob(f"*/{name}.parquet"))
    table = pyarrow.dataset.dataset(files).to_table()
    pattern = str(folder / f"*/{name}.parquet")
    assert polars.scan_parquet(pattern).collect().height == table.num_rows
    ((count,),) = duckdb.sql(f"select count(*) from read_parquet('{pattern}')").fetchall()
    assert count == table.num_rows
    # Not a column is missing, and none is made anew, in any of them.
    first = pyarrow.dataset.dataset(files[0]).schema.remove_metadata()
    assert all(pyarrow.dataset.dataset(file).schema.remove_metadata() == first for file in files)
    return table


@pytest.mark.parametrize("count", [40, pytest.param(2000, marks=pytest.mark.campaign)])
def test_files_that_drift_are_one_table(tmp_path: Path, count: int) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in", count)
    out("convert", str(tmp_path / "in" / "*.mat"), "-o", f"{tmp_path}/out/")
    table = read_by_all(tmp_path / "out", "s")
    expected = [record(count * j + k) for k in range(count) for j in range(1 + k % 3)]
    assert table["id"].to_pylist() == [float(each["id"]) for each in expected]
    assert [len(box or []) for box in table["box"].to_pylist()] == [k % 5 for k in rows_of(count)]
    assert [len(line or []) for line in table["line"].to_pylist()] == [k % 5 for k in rows_of(count)]
    assert table["large"].type == "int64" and table["large"].to_pylist() == [int(each["large"]) for each in expected]
    assert table["inner"].to_pylist() == [{"a": float(e["inner"]["a"]), "b": e["inner"].get("b")} for e in expected]
    vectors = read_by_all(tmp_path / "out", "v")
    assert vectors["x"].to_pylist() == [float(j) for k in range(count) for j in range(1 + k % 3)]
    matrices = read_by_all(tmp_path / "out", "m")
    assert matrices.column_names == ["x1", "x2", "x3", "x4"] and matrices.num_rows == sum(
        WHOLE[k % 3] for k in range(count)
    )


def rows_of(count: int) -> list[int]:
    return [count * j + k for k in range(count) for j in range(1 + k % 3)]


def test_each_file_may_keep_its_own_form(tmp_path: Path) -> None:
    for name, value in (("a", np.int8([[1]])), ("b", np.array([[1.5, 2.5]]))):
        scipy.io.savemat(tmp_path / f"{name}.mat", {"s": {"f": value, "g": "text"}})
    files = [str(tmp_path / "a.mat"), str(tmp_path / "b.mat")]
    out("convert", *files, "-o", f"{tmp_path}/own/", "--form", "own")
    own = [pyarrow.parquet.read_schema(tmp_path / "own" / name / "s.parquet").field("f").type for name in "ab"]
    assert [str(kind) for kind in own] == ["int8", "fixed_size_list<element: double>[2]"]
    out("convert", *files, "-o", f"{tmp_path}/common/")
    common = [pyarrow.parquet.read_table(tmp_path / "common" / name / "s.parquet")["f"].to_pylist() for name in "ab"]
    assert common == [[[1.0]], [[1.5, 2.5]]]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"x": np.int8([[1]])})
    (tmp_path / "b.mat").write_bytes(b"<html>")
    scipy.io.savemat(tmp_path / "c.mat", {"x": np.array([[1.5]])})
    files = [str(tmp_path / f"{name}.mat") for name in "abc"]
    out("convert", *files, "-o", f"{tmp_path}/out/", code=1)
    found = [pyarrow.parquet.read_table(tmp_path / "out" / name / "x.parquet") for name in "ac"]
    assert [table["x1"].to_pylist() for table in found] == [[1.0], [1.5]] and found[0].schema == found[1].schema
