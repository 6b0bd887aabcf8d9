"""Tables and strings beside mat-io, which has written the files."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import matlens

pytestmark = pytest.mark.benchmark(min_rounds=5, warmup=False, timer=time.process_time)


def write(path: Path, count: int, version: str) -> Path:
    """A table of numbers, strings and dates."""
    matio = pytest.importorskip("matio")
    frame = pd.DataFrame(
        {
            "id": np.arange(count, dtype=float),
            "name": [f"name {k}" for k in range(count)],
            "when": pd.date_range("2020-01-01", periods=count, freq="h").astype("datetime64[ms]"),
        }
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matio.save_to_mat(str(path), {"t": frame}, version=version)
    return path


@pytest.mark.parametrize("who", ["matlens, pandas", "matlens, Arrow", "matlens, strings alone", "matio"])
@pytest.mark.parametrize("count", [10_000, 200_000])
@pytest.mark.parametrize("version", ["v7", "v7.3"])
def test_table(benchmark: Any, tmp_path: Path, version: str, count: int, who: str) -> None:
    matio = pytest.importorskip("matio")
    benchmark.group = f"{version} table of {count:,} rows"
    path = write(tmp_path / "t.mat", count, version)

    def ours() -> int:
        with matlens.open(path) as file:
            if who.endswith("Arrow"):
                return file["t"].to_arrow().num_rows
            return len(file.at("t.name").value if who.endswith("alone") else file["t"].value)

    def theirs() -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return len(matio.load_from_mat(str(path))["t"])

    assert benchmark.pedantic(theirs if who == "matio" else ours, rounds=5, warmup_rounds=1) == count


@pytest.mark.parametrize("who", ["matlens, Arrow", "matlens, value", "matio"])
@pytest.mark.parametrize("count", [10_000, 200_000])
@pytest.mark.parametrize("version", ["v7", "v7.3"])
def test_string_array(benchmark: Any, tmp_path: Path, version: str, count: int, who: str) -> None:
    matio = pytest.importorskip("matio")
    benchmark.group = f"{version} {count:,} strings"
    path = tmp_path / "s.mat"
    texts = np.array([[f"name {k}"] for k in range(count)], object).astype(np.dtypes.StringDType())
    matio.save_to_mat(str(path), {"s": texts}, version=version)

    def ours() -> int:
        with matlens.open(path) as file:
            return file["s"].to_arrow().num_rows if who.endswith("Arrow") else len(file["s"].value)

    def theirs() -> int:
        return len(matio.load_from_mat(str(path))["s"])

    assert benchmark.pedantic(theirs if who == "matio" else ours, rounds=5, warmup_rounds=1) == count
