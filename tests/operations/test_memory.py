"""Conversions in bounded memory, measured in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
from mat73_writer import Mat73Writer

CHILD = """
import sys
from pathlib import Path
import matlens.operations.convert, matlens.export.writers.parquet, matlens.formats.v73.reader

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024

small, source, target = sys.argv[1:]
matlens.operations.convert.convert(small, target.replace(".parquet", ".small.parquet"))
base = peak()
matlens.operations.convert.convert(source, target)
print(peak() - base)
"""


def megabytes(small: Path, source: Path, target: Path) -> float:
    """Peak memory of a conversion over that of a small one."""
    command = [sys.executable, "-c", CHILD, str(small), str(source), str(target)]
    return float(subprocess.run(command, capture_output=True, check=True, text=True, timeout=300).stdout)


def matrix(path: Path, rows: int, **options: Any) -> Path:
    rng = np.random.default_rng(0)
    with h5py.File(path, "w", userblock_size=512) as file:
        dataset = file.create_dataset("m", (8, rows), "f8", **options)
        dataset.attrs["MATLAB_class"] = np.bytes_("double")
        for column in range(8):
            dataset[column] = rng.normal(size=rows)
    return path


needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")


@needs_proc
@pytest.mark.parametrize("options", [{}, {"chunks": (1, 100_000)}, {"chunks": (8, 20_000), "compression": 1}])
def test_a_matrix_of_192_mb(tmp_path: Path, options: dict[str, Any]) -> None:
    small = matrix(tmp_path / "small.mat", 1000)
    large = matrix(tmp_path / "large.mat", 3_000_000, **options)
    assert megabytes(small, large, tmp_path / "m.parquet") < 100
    found = pq.ParquetFile(tmp_path / "m.parquet")
    assert found.metadata.num_rows == 3_000_000
    with h5py.File(large) as file:
        group = found.read_row_group(found.num_row_groups - 1, ["x8"])["x8"].to_numpy()
        np.testing.assert_array_equal(group, file["m"][7, -len(group) :])


@needs_proc
def test_a_struct_array_of_large_values(tmp_path: Path) -> None:
    """100 records of 2 MB each, by reference."""

    def records(count: int, size: int) -> Any:
        array = np.empty((1, count), [("image", object), ("name", object)])
        for k in range(count):
            array["image"][0, k], array["name"][0, k] = np.full((size, 256), float(k)), np.array([list(f"i{k}")])
        return array

    for name, count, size in (("small", 2, 2), ("large", 100, 1024)):
        with Mat73Writer(tmp_path / f"{name}.mat") as writer:
            writer.write("s", records(count, size))
    assert megabytes(tmp_path / "small.mat", tmp_path / "large.mat", tmp_path / "s.parquet") < 400
    found = pq.ParquetFile(tmp_path / "s.parquet")
    assert found.num_row_groups > 1 and found.read(["name"])["name"].to_pylist() == [f"i{k}" for k in range(100)]
