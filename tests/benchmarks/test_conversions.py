"""Conversions beside the usual routes: time, and where memory is the point, the peak of a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import scipy.io

import matlens
from matlens.operations.convert import convert
from matlens.operations.diff import diff
from tests.benchmarks import files

pytestmark = pytest.mark.benchmark(min_rounds=1, warmup=False, timer=time.process_time)

CHILD = """
import sys, time
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
sys.argv, kind = sys.argv[:1] + sys.argv[2:], sys.argv[1]
source, target = sys.argv[1:]
if kind == "matlens":
    import matlens.operations.convert, matlens.export.registry, matlens.export.writers.parquet, scipy.io
    import matlens.formats.v73.reader
    base = peak()
    start = time.process_time()
    matlens.operations.convert.convert(source, target)
else:
    import h5py, pandas, pyarrow.parquet
    base = peak()
    start = time.process_time()
    with h5py.File(source) as file:
        values = file["m"][()].T
    pandas.DataFrame(values, columns=[f"x{k + 1}" for k in range(values.shape[1])]).to_parquet(target)

print(time.process_time() - start, peak() - base)
"""


@pytest.fixture(scope="session")
def matrix_1gb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A v7.3 file of 12,500,000 x 10 doubles, in chunks of 100,000 rows of a column, compressed."""
    path = tmp_path_factory.mktemp("matrix") / "m.mat"
    rng = np.random.default_rng(0)
    with h5py.File(path, "w", userblock_size=512) as file:
        dataset = file.create_dataset("m", (10, 12_500_000), "f8", chunks=(1, 100_000), compression=1)
        dataset.attrs["MATLAB_class"] = np.bytes_("double")
        for column in range(10):
            dataset[column] = np.round(rng.normal(size=12_500_000), 3)
    return path


@pytest.mark.parametrize("who", ["matlens", "h5py_and_pandas"])
@pytest.mark.benchmark(group="1 GB v7.3 matrix to Parquet")
def test_matrix_to_parquet(benchmark: Any, matrix_1gb: Path, tmp_path: Path, who: str) -> None:
    target = tmp_path / "m.parquet"

    def run() -> tuple[float, float]:
        target.unlink(missing_ok=True)
        command = [sys.executable, "-c", CHILD, who, str(matrix_1gb), str(target)]
        seconds, peak = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()
        return float(seconds), float(peak)

    found = [benchmark.pedantic(run, rounds=1), *(run() for _ in range(2))]
    benchmark.extra_info["CPU seconds"], benchmark.extra_info["MB over the base"] = np.median(found, axis=0).tolist()
    assert pq.ParquetFile(target).metadata.num_rows == 12_500_000
    if who == "matlens":
        assert benchmark.extra_info["MB over the base"] < 512


@pytest.fixture(scope="session")
def structs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return files.struct_array(tmp_path_factory.mktemp("structs") / "s.mat", 100_000, compressed=False)


@pytest.mark.parametrize("who", ["matlens", "pandas", "scipy_and_pandas"])
@pytest.mark.benchmark(group="struct array 100,000x6 to CSV")
def test_csv(benchmark: Any, structs: Path, tmp_path: Path, who: str) -> None:
    """pandas alone: only the writing, of a frame that is there."""
    target = tmp_path / "s.csv"
    frame = matlens.open(structs)["s"].to_pandas()

    def by_scipy() -> None:
        records = scipy.io.loadmat(structs)["s"][0]
        columns = {field: [value.item() for value in records[field]] for field in records.dtype.names}
        pd.DataFrame(columns).to_csv(target, index=False)

    run = {
        "matlens": lambda: convert(structs, target, force=True),
        "pandas": lambda: frame.to_csv(target, index=False),
        "scipy_and_pandas": by_scipy,
    }[who]
    benchmark.pedantic(run, rounds=3 if who == "scipy_and_pandas" else 5)
    assert pd.read_csv(target).equals(frame.astype(pd.read_csv(target).dtypes.to_dict()))


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl", "npz", "sqlite", "duckdb", "mat"])
@pytest.mark.benchmark(group="struct array 100,000x6 to each format")
def test_formats(benchmark: Any, structs: Path, tmp_path: Path, suffix: str) -> None:
    benchmark.pedantic(lambda: convert(structs, tmp_path / f"s.{suffix}", force=True), rounds=3)


@pytest.mark.parametrize("who", ["matlens", "scipy"])
@pytest.mark.benchmark(group="struct array 100,000x6 to a compressed MAT-file")
def test_mat(benchmark: Any, structs: Path, tmp_path: Path, who: str) -> None:
    def by_scipy() -> None:
        scipy.io.savemat(tmp_path / "s.mat", {"s": scipy.io.loadmat(structs)["s"]}, do_compression=True)

    run = by_scipy if who == "scipy" else lambda: convert(structs, tmp_path / "s.mat", force=True)
    benchmark.pedantic(run, rounds=1 if who == "scipy" else 3)


@pytest.mark.benchmark(group="diff of two struct arrays of 100,000x6")
def test_diff(benchmark: Any, structs: Path) -> None:
    def run() -> int:
        with matlens.open(structs) as a, matlens.open(structs) as b:
            return len(list(diff(a, b)))

    assert benchmark.pedantic(run, rounds=3) == 0
