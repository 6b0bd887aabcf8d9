"""matlens beside the usual hand-written route, in one run.

Run: ``pytest tests/benchmarks --benchmark-only``; the groups pair the two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
from mat73_writer import Mat73Writer

import matlens
from matlens import boxes
from matlens.export.parquet import write_parquet

pytestmark = pytest.mark.benchmark(min_rounds=3, warmup=False)


@pytest.fixture(scope="session")
def struct_array(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A v5 struct array of 100,000 records with five scalars and a name."""
    count = 100_000
    rng = np.random.default_rng(0)
    names = ("x1", "y1", "x2", "y2", "class", "name")
    array = np.empty((1, count), [(name, object) for name in names])
    numbers = rng.integers(1, 1000, (count, 5))
    for k, name in enumerate(names[:5]):
        array[name][0, :] = [np.array([[float(v)]]) for v in numbers[:, k]]
    array["name"][0, :] = [f"{k:06d}.jpg" for k in range(count)]
    path = tmp_path_factory.mktemp("bench") / "structs.mat"
    scipy.io.savemat(path, {"s": array})
    return path


@pytest.fixture(scope="session")
def svhn_like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A v7.3 struct array of 2,000 entries whose bbox is a struct or a struct array."""
    rng = np.random.default_rng(0)
    fields = ("height", "left", "top", "width", "label")
    entries = np.empty((1, 2000), [("name", object), ("bbox", object)])
    for k in range(2000):
        digits = np.empty((1, 1 + k % 4), [(name, object) for name in fields])
        for name in fields:
            digits[name][0, :] = [np.array([[float(v)]]) for v in rng.integers(1, 200, digits.size)]
        entries["name"][0, k] = np.array([list(f"{k + 1}.png")])
        entries["bbox"][0, k] = digits
    path = tmp_path_factory.mktemp("bench") / "svhn.mat"
    with Mat73Writer(path) as writer:
        writer.write("digitStruct", entries)
    return path


@pytest.fixture(scope="session")
def many_variables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "many.mat"
    data: dict[str, Any] = {f"v{k:03d}": np.random.default_rng(k).random((200, 200)) for k in range(200)}
    scipy.io.savemat(path, data, do_compression=True)
    return path


# --- listing ---------------------------------------------------------------------------------


@pytest.mark.benchmark(group="list 200 compressed variables")
def test_list_matlens(benchmark: Any, many_variables: Path) -> None:
    def run() -> int:
        with matlens.open(many_variables) as file:
            return len([(node.name, node.dims, node.matlab_class) for node in file.values()])

    assert benchmark(run) == 200


@pytest.mark.benchmark(group="list 200 compressed variables")
def test_list_scipy(benchmark: Any, many_variables: Path) -> None:
    assert len(benchmark(scipy.io.whosmat, many_variables)) == 200


# --- Stanford Cars to Parquet ----------------------------------------------------------------


@pytest.mark.benchmark(group="Stanford Cars to Parquet")
def test_cars_matlens(benchmark: Any, car_annotations: Path, tmp_path: Path) -> None:
    def run() -> None:
        with matlens.open(car_annotations) as file:
            write_parquet(boxes.read(file), tmp_path / "cars.parquet", force=True)

    benchmark(run)
    assert pd.read_parquet(tmp_path / "cars.parquet")["xmin"].sum() == 528_601 - 8144


@pytest.mark.benchmark(group="Stanford Cars to Parquet")
def test_cars_scipy_and_pandas(benchmark: Any, car_annotations: Path, tmp_path: Path) -> None:
    def run() -> None:
        records = scipy.io.loadmat(car_annotations, mat_dtype=True)["annotations"][0]
        rows = [
            {name: (r[name][0] if name == "fname" else r[name][0, 0]) for name in records.dtype.names} for r in records
        ]
        pd.DataFrame(rows).to_parquet(tmp_path / "cars.parquet")

    benchmark(run)
    assert pd.read_parquet(tmp_path / "cars.parquet")["bbox_x1"].sum() == 528_601


# --- 100,000 x 6 struct array to Arrow -------------------------------------------------------


@pytest.mark.benchmark(group="struct array 100,000x6 to a table")
def test_structs_matlens(benchmark: Any, struct_array: Path) -> None:
    def run() -> Any:
        with matlens.open(struct_array) as file:
            return file["s"].to_arrow()

    assert benchmark.pedantic(run, rounds=7, warmup_rounds=1).num_rows == 100_000


@pytest.mark.benchmark(group="struct array 100,000x6 to a table")
def test_structs_scipy_and_pandas(benchmark: Any, struct_array: Path) -> None:
    def run() -> Any:
        records = scipy.io.loadmat(struct_array)["s"][0]
        return pd.DataFrame({name: [value.item() for value in records[name]] for name in records.dtype.names})

    assert len(benchmark.pedantic(run, rounds=3)) == 100_000


# --- SVHN-like v7.3 to Arrow -----------------------------------------------------------------


@pytest.mark.benchmark(group="v7.3, 2,000 entries with struct arrays by reference, to a table")
def test_svhn_matlens(benchmark: Any, svhn_like: Path) -> None:
    def run() -> Any:
        with matlens.open(svhn_like) as file:
            return file["digitStruct"].to_arrow()

    table = benchmark.pedantic(run, rounds=7, warmup_rounds=1)
    assert sum(len(entry) for entry in table["bbox"].to_pylist()) == 500 * (1 + 2 + 3 + 4)


@pytest.mark.benchmark(group="v7.3, 2,000 entries with struct arrays by reference, to a table")
def test_svhn_h5py(benchmark: Any, svhn_like: Path) -> None:
    def number(file: Any, box: Any, name: str) -> list[float]:
        values = box[name]
        if values.dtype == h5py.ref_dtype:
            return [float(file[reference][0, 0]) for reference in values[:, 0]]
        return [float(values[0, 0])]

    def run() -> Any:
        rows = []
        with h5py.File(svhn_like) as file:
            entries = file["digitStruct"]
            for name, bbox in zip(entries["name"][:, 0], entries["bbox"][:, 0], strict=True):
                text = "".join(map(chr, file[name][:, 0]))
                box = file[bbox]
                columns = {key: number(file, box, key) for key in box}
                rows += [
                    {"name": text, **dict(zip(columns, row, strict=True))}
                    for row in zip(*columns.values(), strict=True)
                ]
        return pd.DataFrame(rows)

    assert len(benchmark.pedantic(run, rounds=2)) == 500 * (1 + 2 + 3 + 4)


@pytest.mark.benchmark(group="v7.3, 2,000 entries with struct arrays by reference, to a table")
def test_svhn_mat73(benchmark: Any, svhn_like: Path) -> None:
    mat73 = pytest.importorskip("mat73")
    loaded = benchmark.pedantic(mat73.loadmat, args=(str(svhn_like),), rounds=1)
    assert len(loaded["digitStruct"]["name"]) == 2000


# --- big arrays ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def big_matrix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "big.mat"
    scipy.io.savemat(path, {"x": np.random.default_rng(0).random((4000, 4000))})
    return path


@pytest.mark.benchmark(group="128 MB uncompressed double")
def test_matrix_matlens(benchmark: Any, big_matrix: Path) -> None:
    def run() -> float:
        with matlens.open(big_matrix) as file:
            return float(file["x"].value.sum())

    benchmark(run)


@pytest.mark.benchmark(group="128 MB uncompressed double")
def test_matrix_scipy(benchmark: Any, big_matrix: Path) -> None:
    benchmark(lambda: float(scipy.io.loadmat(big_matrix)["x"].sum()))
