"""Parquet files as other programs read them: the same values, shapes and nulls."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io

import matlens
from matlens.errors import MatlensError
from matlens.operations.convert import convert
from tests.support import CORPUS, FIXTURES, SCIPY_DATA


def by_pandas(path: Path) -> dict[str, list[Any]]:
    import pandas as pd

    frame = pd.read_parquet(path)
    return {name: frame[name].tolist() for name in frame.columns}


def by_polars(path: Path) -> dict[str, list[Any]]:
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(path)
    return {name: frame[name].to_list() for name in frame.columns}


def by_duckdb(path: Path) -> dict[str, list[Any]]:
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.sql(f"select * from read_parquet('{path}')")
    rows = relation.fetchall()
    return {name: [row[k] for row in rows] for k, name in enumerate(relation.columns)}


def by_datasets(path: Path) -> dict[str, list[Any]]:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    found = datasets.Dataset.from_parquet(str(path), cache_dir=str(path.parent / "cache"), keep_in_memory=True)
    return {name: list(found[name]) for name in found.column_names}


def by_dask(path: Path) -> dict[str, list[Any]]:
    dask = pytest.importorskip("dask.dataframe")
    frame = dask.read_parquet(path).compute(scheduler="sync")
    return {name: frame[name].tolist() for name in frame.columns}


READERS = {"pandas": by_pandas, "polars": by_polars, "duckdb": by_duckdb, "datasets": by_datasets, "dask": by_dask}


def plain(value: Any, reader: str) -> Any:
    """Lists, dictionaries and scalars, NaN as a text; in pandas and Dask NaN is a missing value."""
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item, reader) for item in value]
    if isinstance(value, dict):
        return {name: plain(item, reader) for name, item in value.items()}
    if isinstance(value, np.generic):
        return plain(value.item(), reader)
    if value is None or type(value).__name__ == "NAType":
        return None
    if isinstance(value, dt.datetime) and value.tzinfo is not None and reader in ("pandas", "dask"):
        # Inside lists they give points in time without a zone, in UTC.
        return value.astimezone(dt.UTC).replace(tzinfo=None)
    if isinstance(value, float) and math.isnan(value):
        return None if reader in ("pandas", "dask") else "NaN"
    return value


def struct_arrays() -> list[Any]:
    """Every struct array, and every other variable that becomes a table of columns."""
    found = []
    files = [*sorted(FIXTURES.glob("*.mat")), *sorted(SCIPY_DATA.glob("*.mat"))]
    if CORPUS.exists():
        files += sorted(p for p in CORPUS.glob("**/*") if p.suffix in (".mat", ".fig"))
    for path in files:
        try:
            with matlens.open(path) as file:
                for name, node in file.items():
                    if node.kind in ("struct array", "struct", "cell", "object") and node.numel:
                        found.append(pytest.param(path, name, id=f"{path.name}-{name[:40]}"))
        except MatlensError:
            continue
    return found


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], tuple[Path, pa.Table]]:
    """The Parquet file of a variable, written once, and its table."""
    known: dict[tuple[Path, str], tuple[Path, pa.Table]] = {}

    def write(path: Path, name: str) -> tuple[Path, pa.Table]:
        if (path, name) not in known:
            target = tmp_path_factory.mktemp("parquet") / "t.parquet"
            with matlens.open(path) as file:
                table = file[name].to_arrow()
                convert(file, target, var=name)
            known[path, name] = target, table
        return known[path, name]

    return write


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("path", "name"), struct_arrays())
def test_values_shapes_and_nulls(
    path: Path, name: str, reader: str, written: Callable[[Path, str], tuple[Path, pa.Table]]
) -> None:
    target, table = written(path, name)
    if not table.num_columns:
        # Files without columns are none for most programs.
        assert pq.read_table(target).num_columns == 0
        return
    found = READERS[reader](target)
    assert list(found) == table.column_names
    for column in table.column_names:
        assert plain(found[column], reader) == plain(table[column].to_pylist(), reader), column


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("reader", READERS)
def test_wide_integers_complex_and_missing_values(tmp_path: Path, reader: str) -> None:
    big = 2**53 + 1
    records = np.empty((1, 3), [(name, object) for name in ("big", "z", "row", "flag", "text")])
    for k in range(3):
        records["big"][0, k] = np.array([[big + k]], np.int64) if k != 1 else np.zeros((0, 0))
        records["z"][0, k] = np.array([[1 + k * 1j]])
        records["row"][0, k] = np.arange(4.0)[None, :] + k if k else np.zeros((0, 0))
        records["flag"][0, k] = np.array([[k == 2]]) if k else np.zeros((0, 0))
        records["text"][0, k] = "äöü 日本 😀"
    scipy.io.savemat(tmp_path / "a.mat", {"s": records})
    convert(tmp_path / "a.mat", tmp_path / "a.parquet", consumer="pandas")
    found = READERS[reader](tmp_path / "a.parquet")
    assert plain(found["big"], reader) == [big, None, big + 2]
    assert [isinstance(value, int) for value in plain(found["big"], reader)] == [True, False, True]
    assert plain(found["z"], reader) == [{"real": 1, "imag": k} for k in range(3)]
    assert plain(found["row"], reader) == [None, [1, 2, 3, 4], [2, 3, 4, 5]]
    assert plain(found["flag"], reader) == [None, False, True]
    assert found["text"] == ["äöü 日本 😀"] * 3


@pytest.mark.parametrize("consumer", ["pandas", "polars", "duckdb", "datasets", "matlab"])
def test_warnings_and_forms_for_programs(tmp_path: Path, consumer: Any) -> None:
    import pyarrow.parquet as pq

    path = FIXTURES / "annotations_v73.mat"
    (output,) = convert(path, tmp_path / "a.parquet", consumer=consumer)
    found = pq.ParquetFile(tmp_path / "a.parquet")
    compression = found.metadata.row_group(0).column(0).compression
    assert compression == ("SNAPPY" if consumer == "matlab" else "ZSTD")
    if consumer == "matlab":
        types = {column.name: column.type for column in found.schema_arrow}
        assert types["boxes"] == pa.string() and types["size_1"] == pa.float64()
        assert types["labels"] == pa.list_(pa.string())
    assert bool(output.warnings) == (consumer == "pandas")
    (empty,) = convert(FIXTURES / "kinds_v7.mat", tmp_path / "b.parquet", var="empty_struct", consumer=consumer)
    assert ("without rows" in "".join(empty.warnings)) == (consumer == "datasets")
    (bare,) = convert(FIXTURES / "kinds_v7.mat", tmp_path / "c.parquet", var="no_fields", consumer=consumer)
    assert ("without columns" in "".join(bare.warnings)) == (consumer in ("polars", "duckdb", "datasets"))
