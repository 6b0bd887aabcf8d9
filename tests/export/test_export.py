"""Every output format, read back by somebody else's reader."""

from __future__ import annotations

import csv
import json
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pytest
import scipy.io

import matlens
from matlens.errors import LossyConversion, OutputExists, UnfitFormat
from matlens.export.item import Item
from matlens.export.options import ExportOptions
from matlens.export.registry import find_format, value_formats
from matlens.export.writers.parquet import write_parquet
from matlens.operations.convert import Output, convert
from matlens.tree.access import pieces_of
from tests.support import FIXTURES

ANNOTATIONS = FIXTURES / "annotations_v7.mat"
KINDS = FIXTURES / "kinds_v73.mat"


@pytest.fixture(scope="module")
def table() -> pa.Table:
    with matlens.open(ANNOTATIONS) as file:
        return file["annotations"].to_arrow()


def write(source: Path, target: Path, **options: Any) -> Output:
    (output,) = convert(source, target, **options)
    return output


def struct_file(path: Path, **fields: list[Any]) -> Path:
    records = np.empty((1, len(next(iter(fields.values())))), [(name, object) for name in fields])
    for name, values in fields.items():
        records[name][0, :] = [np.asarray(v) if isinstance(v, str) else np.atleast_2d(v) for v in values]
    scipy.io.savemat(path, {"s": records})
    return path


# --- formats -----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".arrow", ".feather", ".ipc"])
def test_arrow(tmp_path: Path, table: pa.Table, suffix: str) -> None:
    write(ANNOTATIONS, tmp_path / f"a{suffix}")
    assert pyarrow.feather.read_table(tmp_path / f"a{suffix}").equals(table, check_metadata=True)
    assert pd.read_feather(tmp_path / f"a{suffix}")["image"].tolist() == table["image"].to_pylist()


def test_csv_refuses_nested_columns_and_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UnfitFormat, match=r"columns boxes, labels, size hold some; --flatten"):
        write(ANNOTATIONS, tmp_path / "a.csv")
    assert list(tmp_path.iterdir()) == []


def test_csv_flattened(tmp_path: Path, table: pa.Table) -> None:
    output = write(ANNOTATIONS, tmp_path / "a.csv", flatten=True)
    assert "nested columns are flattened: boxes, labels, size" in str(output.notes[0]) and not output.notes[0].is_lossy
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["image", "boxes", "labels", "size_1", "size_2", "reviewed"]
    for row, expected in zip(rows, table.to_pylist(), strict=True):
        assert json.loads(row["boxes"] or "null") == expected["boxes"]
        assert [float(row["size_1"]), float(row["size_2"])] == expected["size"]
        assert row["reviewed"] == str(expected["reviewed"]).lower()


def test_csv_keeps_every_digit_and_tells_missing_from_empty(tmp_path: Path) -> None:
    numbers = [0.1, 1 / 3, 1e-300, np.nan, np.inf, 2.0**60 + 256, -0.0]
    wide = [2**53 + 1 + k for k in range(7)]
    texts = ["plain", 'a "quoted", one', "two\nlines", "", "tab\there", "ünï", "'"]
    path = struct_file(tmp_path / "s.mat", x=numbers, i=[np.int64(w) for w in wide], t=texts)
    write(path, tmp_path / "s.csv")
    frame = pd.read_csv(tmp_path / "s.csv", keep_default_na=False, dtype={"i": "int64", "t": str})
    np.testing.assert_array_equal(frame["x"].replace("", np.nan).astype(float), numbers)
    assert frame["i"].tolist() == wide and frame["t"].tolist() == texts


def test_tsv(tmp_path: Path) -> None:
    write(KINDS, tmp_path / "m.tsv", var="numbers.f64")
    lines = (tmp_path / "m.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ['"x1"', '"x2"', '"x3"'] and lines[2].split("\t")[:2] == ["inf", "-inf"]


def test_safe_csv(tmp_path: Path) -> None:
    texts = ["=1+1", "+1", "-1", "@x", "\t=1", "a=1", "", "'="]
    path = struct_file(tmp_path / "s.mat", t=texts)
    write(path, tmp_path / "s.csv", safe_csv=True)
    found = pd.read_csv(tmp_path / "s.csv", keep_default_na=False)["t"].tolist()
    assert found == ["'=1+1", "'+1", "'-1", "'@x", "'\t=1", "a=1", "", "'="]
    table = pa.table({"=cmd": ["=x"]})
    find_format(None, "csv").write([Item("n", table)], tmp_path / "n.csv", ExportOptions(safe_csv=True))
    assert (tmp_path / "n.csv").read_text() == '"\'=cmd"\n"\'=x"\n'


def test_json_and_json_lines(tmp_path: Path, table: pa.Table) -> None:
    write(ANNOTATIONS, tmp_path / "a.json")
    write(ANNOTATIONS, tmp_path / "a.jsonl")
    assert json.loads((tmp_path / "a.json").read_text()) == table.to_pylist()
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == table.to_pylist()
    write(FIXTURES / "kinds_v7.mat", tmp_path / "e.json", var="empty_struct")
    assert json.loads((tmp_path / "e.json").read_text()) == []


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("null", [None, None, None]), ("string", ["Infinity", "-Infinity", "NaN"]), ("literal", None), ("error", None)],
)
def test_json_policy_for_nan(tmp_path: Path, policy: Any, expected: Any) -> None:
    target = tmp_path / "m.json"
    if policy == "error":
        with pytest.raises(UnfitFormat, match=r"inf is no JSON; --nan"):
            write(KINDS, target, var="numbers.f64", nan=policy)
        assert not target.exists()
        return
    output = write(KINDS, target, var="numbers.f64", nan=policy)
    assert [note.is_lossy for note in output.notes] == ([] if policy == "literal" else [True])
    if policy == "literal":
        assert "Infinity" in target.read_text() and json.loads(target.read_text())[1]["x2"] == -np.inf
    else:
        assert list(json.loads(target.read_text())[1].values()) == expected
        assert "3 numbers are NaN or infinite" in str(output.notes[0])


def test_json_keeps_wide_integers(tmp_path: Path) -> None:
    write(KINDS, tmp_path / "i.json", var="integers")
    (row,) = json.loads((tmp_path / "i.json").read_text())
    assert row["i64"] == [-(2**63), 2**63 - 1, 2**53 + 1] and row["u64"] == [0, 2**64 - 1]


def test_npy_has_matlab_dims(tmp_path: Path) -> None:
    write(KINDS, tmp_path / "nd.npy", var="numbers.nd")
    expected = scipy.io.loadmat(FIXTURES / "kinds_v7.mat")["numbers"]["nd"][0, 0]
    np.testing.assert_array_equal(np.load(tmp_path / "nd.npy"), expected)
    with pytest.raises(UnfitFormat, match=r"structs: NPY holds one array, this is 1x3 struct; \.npz holds several"):
        write(KINDS, tmp_path / "s.npy", var="structs")


@pytest.mark.parametrize("version", ["v7", "v73"])
@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_arrays_are_written_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, suffix: str
) -> None:
    from matlens.values import windows

    monkeypatch.setattr(windows, "WINDOW_BYTES", 50)
    with matlens.open(FIXTURES / f"kinds_{version}.mat") as file:
        for path in ("numbers.nd", "numbers.f32", "complex.column", "logicals.matrix", "empties.e203", "integers.i64"):
            node = file.at(path)
            target = tmp_path / f"a.{suffix}"
            convert(file, target, var=path, force=True)
            found = np.load(target, allow_pickle=False)
            array = found if suffix == "npy" else found[path]
            np.testing.assert_array_equal(array, node.value)
            assert array.dtype == node.value.dtype and array.shape == node.dims
            if suffix == "npz":
                found.close()
        assert len(list(pieces_of(file.at("numbers.nd")))) == 4


def test_npz_holds_columns_offsets_and_masks(tmp_path: Path, table: pa.Table) -> None:
    write(ANNOTATIONS, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert found["annotations.image"].tolist() == table["image"].to_pylist()
        offsets, boxes = found["annotations.boxes.offsets"], found["annotations.boxes"]
        lists = [boxes[a:b].tolist() for a, b in pairwise(offsets)]
        assert lists == [row or [] for row in table["boxes"].to_pylist()]
        assert found["annotations.size"].tolist() == table["size"].to_pylist()
        if table["boxes"].null_count:
            assert found["annotations.boxes.valid"].tolist() == table["boxes"].is_valid().to_pylist()


def test_npz_of_every_kind(tmp_path: Path) -> None:
    write(KINDS, tmp_path / "k.npz")
    with np.load(tmp_path / "k.npz", allow_pickle=False) as found:
        assert found["sparse_real.shape"].tolist() == [4, 5]
        dense = np.zeros((4, 5))
        dense[found["sparse_real.row"], found["sparse_real.col"]] = found["sparse_real.value"]
        expected = scipy.io.loadmat(FIXTURES / "kinds_v7.mat")["sparse_real"].toarray()
        np.testing.assert_array_equal(dense, expected)
        assert found["integers.i64"].tolist() == [[-(2**63), 2**63 - 1, 2**53 + 1]]


def test_missing_fixed_lists_in_npz(tmp_path: Path) -> None:
    path = struct_file(tmp_path / "s.mat", row=[np.zeros((0, 0)), [[1.0, 2.0]], np.zeros((0, 0)), [[3.0, 4.0]]])
    write(path, tmp_path / "s.npz")
    with np.load(tmp_path / "s.npz") as found:
        assert found["s.row.valid"].tolist() == [False, True, False, True]
        assert found["s.row"][[1, 3]].tolist() == [[1, 2], [3, 4]] and found["s.row"].shape == (4, 2)


def test_sqlite(tmp_path: Path, table: pa.Table) -> None:
    write(ANNOTATIONS, tmp_path / "a.sqlite")
    with sqlite3.connect(tmp_path / "a.sqlite") as connection:
        rows = connection.execute("select image, boxes, size, reviewed from annotations").fetchall()
        ((metadata,),) = connection.execute("select metadata from _matlens").fetchall()
    connection.close()
    for row, expected in zip(rows, table.to_pylist(), strict=True):
        assert row[0] == expected["image"] and bool(row[3]) == expected["reviewed"]
        assert json.loads(row[1] or "null") == expected["boxes"] and json.loads(row[2]) == expected["size"]
    assert json.loads(metadata)["variable"] == "annotations"


def test_sqlite_names_and_wide_integers(tmp_path: Path) -> None:
    data = {'a"b; drop table x': np.uint64([[2**64 - 1, 5]]), "X": 1.0, "x": 2.0, "_matlens": 3.0}
    with matlens.from_loadmat(data) as file:
        convert(file, tmp_path / "n.db")
    with sqlite3.connect(tmp_path / "n.db") as connection:
        names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        assert names == ["_matlens", 'a"b; drop table x', "X", "x_2", "_matlens_2"]
        assert connection.execute('select x1 from "a""b; drop table x"').fetchall() == [(str(2**64 - 1),), (5,)]
    connection.close()


def test_duckdb(tmp_path: Path, table: pa.Table) -> None:
    duckdb = pytest.importorskip("duckdb")
    write(ANNOTATIONS, tmp_path / "a.duckdb")
    with duckdb.connect(str(tmp_path / "a.duckdb"), read_only=True) as connection:
        rows = connection.execute("select * from annotations").fetchall()
        columns = [column[0] for column in connection.description]
        assert connection.execute("select name from _matlens").fetchall() == [("annotations",)]
    assert columns == table.column_names
    for row, expected in zip(rows, table.to_pylist(), strict=True):
        boxes = None if row[1] is None else [list(box) for box in row[1]]
        assert [row[0], boxes, row[2], list(row[3]), row[4]] == list(expected.values())
    assert [path.name for path in tmp_path.iterdir()] == ["a.duckdb"]


def test_parquet_row_groups_are_bounded(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write_parquet(pa.table({"x": np.arange(300_000)}), tmp_path / "x.parquet")
    found = pq.ParquetFile(tmp_path / "x.parquet").metadata
    assert [found.row_group(k).num_rows for k in range(found.num_row_groups)] == [122_880, 122_880, 54_240]
    write_parquet(pa.table({"x": np.arange(0)}), tmp_path / "none.parquet")
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


def test_small_windows_share_a_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    from matlens.columns import stored_tables
    from matlens.values import windows

    for name, value in {"WINDOW_ROWS": 7, "WINDOW_BYTES": 1000, "PROBE_ROWS": 1, "SMALL_BYTES": -1}.items():
        monkeypatch.setattr(windows if name.startswith("WINDOW") else stored_tables, name, value)
    with matlens.open(ANNOTATIONS) as file:
        assert len(list(file["annotations"].to_batches())) > 9
    write(ANNOTATIONS, tmp_path / "a.parquet")
    assert pq.ParquetFile(tmp_path / "a.parquet").metadata.num_row_groups == 1


# --- which values, which files -----------------------------------------------------------


def test_several_variables_need_a_folder_or_a_name(tmp_path: Path) -> None:
    with pytest.raises(UnfitFormat, match=r"14 values for one file: name one with --var \(cells, "):
        convert(KINDS, tmp_path / "k.parquet")
    written = convert(KINDS, tmp_path / "out")
    assert {output.path.name for output in written} == {p.name for p in (tmp_path / "out").iterdir()}
    assert len(written) == 14 and (tmp_path / "out" / "sparse_real.parquet").exists()
    several = convert(KINDS, f"{tmp_path}/some/", var=["text", "numbers.f64(1,:)"], format="jsonl")
    assert [output.path.name for output in several] == ["text.jsonl", "numbers.f64(1,_).jsonl"]


def test_formats_by_name_and_suffix() -> None:
    for found in value_formats():
        assert find_format(None, found.name) is found
        assert all(find_format(f"x{suffix.upper()}") is found for suffix in found.suffixes)
    with pytest.raises(UnfitFormat, match=r"x\.xls: no format has the suffix \.xls; there are \.arrow"):
        find_format("x.xls")


def test_names_of_columns_from_a_value_beside(tmp_path: Path) -> None:
    names = np.empty(3, object)
    names[:] = ["time", "speed", "time"]
    matrix = np.arange(6.0).reshape(2, 3)
    data = {"data": matrix, "colheaders": names, "other": matrix, "s": {"m": matrix, "header": names}}
    scipy.io.savemat(tmp_path / "d.mat", data)
    output = write(tmp_path / "d.mat", tmp_path / "d.jsonl", var="data")
    assert json.loads((tmp_path / "d.jsonl").read_text().splitlines()[1]) == {"time": 3, "speed": 4, "time_2": 5}
    assert "data: columns are named by colheaders" in [str(note) for note in output.notes]
    write(tmp_path / "d.mat", tmp_path / "s.jsonl", var="s.m")
    assert list(json.loads((tmp_path / "s.jsonl").read_text().splitlines()[0])) == ["time", "speed", "time_2"]
    write(tmp_path / "d.mat", tmp_path / "n.jsonl", var="data", header=None)
    assert list(json.loads((tmp_path / "n.jsonl").read_text().splitlines()[0])) == ["x1", "x2", "x3"]
    write(tmp_path / "d.mat", tmp_path / "h.jsonl", var="other", header="s.header")
    assert "speed" in (tmp_path / "h.jsonl").read_text()


def test_global_variables_and_strict(tmp_path: Path) -> None:
    with matlens.from_loadmat({"g": 1.0, "__globals__": ["g"]}) as file:
        find_format("g.mat").write([Item.of_value("g", file["g"])], tmp_path / "g.mat", ExportOptions())
    assert scipy.io.loadmat(tmp_path / "g.mat")["__globals__"] == ["g"]
    with pytest.raises(LossyConversion, match="the global flag is kept in the metadata only"):
        write(tmp_path / "g.mat", tmp_path / "g.parquet", strict=True)
    assert not (tmp_path / "g.parquet").exists()
    output = write(tmp_path / "g.mat", tmp_path / "again.mat", strict=True)
    assert output.notes == [] and scipy.io.loadmat(tmp_path / "again.mat")["__globals__"] == ["g"]


def test_losses_that_show_only_in_writing_are_refused_as_well(tmp_path: Path) -> None:
    with pytest.raises(LossyConversion, match="3 numbers are NaN or infinite"):
        write(KINDS, tmp_path / "m.json", var="numbers.f64", strict=True)
    write(KINDS, tmp_path / "s.json", var="numbers.f64", strict=True, nan="literal")
    with matlens.from_loadmat({"a b": 1.0}) as file, pytest.raises(LossyConversion, match="a b: named a_b"):
        convert(file, tmp_path / "m.mat", strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["s.json"]


def test_rows_of_arrays_are_told(tmp_path: Path) -> None:
    output = write(KINDS, tmp_path / "a.jsonl", var="numbers.nd")
    assert "rows lie along dimension 1 of 2x3x4, --dim picks another" in str(output.notes[0])
    assert write(KINDS, tmp_path / "b.jsonl", var="numbers.nd", dim=3).notes == []
    assert write(KINDS, tmp_path / "c.npy", var="numbers.nd").notes == []


def test_losses_are_told(tmp_path: Path) -> None:
    notes = {str(note) for output in convert(KINDS, tmp_path / "out") for note in output.notes if note.is_lossy}
    assert "cells.x1: cell, double do not unify: JSON text" in notes
    assert "cells.x3: double and logical promoted to float64" in notes
    with pytest.raises(LossyConversion):
        convert(KINDS, tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict").exists()


def test_existing_outputs_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("mine")
    with pytest.raises(OutputExists, match=r"text\.parquet: the file exists; --force"):
        convert(KINDS, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["text.parquet"]
    convert(KINDS, tmp_path, force=True)
    assert len(list(tmp_path.iterdir())) == 14 and (tmp_path / "text.parquet").read_bytes()[:4] == b"PAR1"


HOSTILE = [
    "../../x",
    "con",
    "a/b",
    "a\\b",
    "\x1b]0;PWNED\x07",
    "n" * 300,
    "",
    ".",
    "..",
    "\u202egnp",
    "A",
    "a",
    "NUL.txt",
]


@pytest.mark.parametrize("format", ["parquet", "npz", "sqlite", "duckdb", "mat"])
def test_hostile_names_stay_in_the_folder(tmp_path: Path, format: str) -> None:
    import zipfile

    folder = tmp_path / "inside" / "out"
    with matlens.from_loadmat({name: float(k) for k, name in enumerate(HOSTILE)}) as file:
        outputs = convert(file, f"{folder}/", format=format)
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert [path.name for path in (tmp_path / "inside").iterdir()] == ["out"]
    names = [path.name for path in folder.rglob("*")]
    if format == "npz":
        names += zipfile.ZipFile(folder / names[0]).namelist()
    for name in names:
        assert not set(name) & set('<>:"/\\|?*\x1b\x07\u202e') and len(name.encode()) < 200
        assert name.split(".")[0].lower() not in ("con", "nul", "") and not name.startswith(".")
    if format == "parquet":
        assert len({name.lower() for name in names}) == len(HOSTILE)
        originals = [json.loads(item.schema.metadata[b"matlens"]) for output in outputs for item in output.items]
        assert len(originals) == len(HOSTILE)
        assert all(note.is_lossy for output in outputs for note in output.notes if "named" in note.text)
