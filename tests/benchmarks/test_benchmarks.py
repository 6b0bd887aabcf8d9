"""matlens beside the usual hand-written route, in one run, in CPU time.

Run: ``pytest tests/benchmarks -n 0 --benchmark-only``; the groups pair matlens with its peers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io

import matlens
from matlens import boxes
from matlens.export.writers.parquet import write_parquet
from tests.benchmarks import files

pytestmark = pytest.mark.benchmark(min_rounds=3, warmup=False, timer=time.process_time)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes each file once: ``made("name", files.function, *arguments)``."""
    folder = tmp_path_factory.mktemp("benchmarks")

    def make(name: str, function: Callable[..., Path], *arguments: Any, **options: Any) -> Path:
        path = folder / name
        return path if path.exists() else function(path, *arguments, **options)

    return make


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.parquet"


def convert(source: Path, name: str, target: Path) -> Callable[[], None]:
    """matlens: one variable to Parquet."""

    def run() -> None:
        with matlens.open(source) as file:
            write_parquet(file[name].to_arrow(), target, force=True)

    return run


def measure(benchmark: Any, run: Callable[[], Any], rounds: int = 7) -> Any:
    return benchmark.pedantic(run, rounds=rounds, warmup_rounds=min(rounds - 1, 1))


# --- listing ---------------------------------------------------------------------------------


def many_variables(path: Path) -> Path:
    data: dict[str, Any] = {f"v{k:03d}": np.random.default_rng(k).random((200, 200)) for k in range(200)}
    scipy.io.savemat(path, data, do_compression=True)
    return path


@pytest.mark.benchmark(group="list 200 compressed variables")
def test_list_matlens(benchmark: Any, made: Any) -> None:
    path = made("many.mat", many_variables)

    def run() -> int:
        with matlens.open(path) as file:
            return len([(node.name, node.dims, node.matlab_class) for node in file.values()])

    assert measure(benchmark, run) == 200


@pytest.mark.benchmark(group="list 200 compressed variables")
def test_list_scipy(benchmark: Any, made: Any) -> None:
    path = made("many.mat", many_variables)
    assert len(measure(benchmark, lambda: scipy.io.whosmat(path), 3)) == 200


# --- v5 to Parquet ---------------------------------------------------------------------------


def scipy_struct_array(source: Path, name: str, target: Path) -> Callable[[], None]:
    def run() -> None:
        records = scipy.io.loadmat(source)[name][0]
        columns = {field: [value.item() for value in records[field]] for field in records.dtype.names}
        pd.DataFrame(columns).to_parquet(target)

    return run


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize("who", ["matlens", "scipy_and_pandas"])
@pytest.mark.benchmark(group="v5 struct array 100,000x6 to Parquet")
def test_struct_array(benchmark: Any, made: Any, target: Path, who: str, compressed: bool) -> None:
    benchmark.group += ", compressed" if compressed else ""
    path = made(f"structs_{compressed}.mat", files.struct_array, 100_000, compressed=compressed)
    run = (convert if who == "matlens" else scipy_struct_array)(path, "s", target)
    measure(benchmark, run, 7 if who == "matlens" else 3)
    assert pd.read_parquet(target)["name"][99_999] == "099999.jpg"


@pytest.mark.benchmark(group="v5 struct array 100,000x6 to Parquet")
def test_struct_array_reference_engine(benchmark: Any, made: Any, target: Path) -> None:
    path = made("structs_False.mat", files.struct_array, 100_000, compressed=False)

    def run() -> None:
        with matlens.open(path, engine="reference") as file:
            write_parquet(file["s"].to_arrow(), target, force=True)

    measure(benchmark, run, 1)


@pytest.mark.benchmark(group="v5 cell of 200,000 strings to Parquet")
def test_strings_matlens(benchmark: Any, made: Any, target: Path) -> None:
    measure(benchmark, convert(made("strings.mat", files.string_cell, 200_000), "c", target))
    assert pd.read_parquet(target)["c"][199_999].endswith("199999")


@pytest.mark.benchmark(group="v5 cell of 200,000 strings to Parquet")
def test_strings_scipy_and_pandas(benchmark: Any, made: Any, target: Path) -> None:
    path = made("strings.mat", files.string_cell, 200_000)

    def run() -> None:
        cell = scipy.io.loadmat(path)["c"].ravel()
        pd.DataFrame({"c": [text[0] for text in cell]}).to_parquet(target)

    measure(benchmark, run, 3)


@pytest.mark.parametrize("who", ["matlens", "scipy_and_pandas"])
@pytest.mark.benchmark(group="Stanford Cars to Parquet")
def test_cars(benchmark: Any, car_annotations: Path, target: Path, who: str) -> None:
    run = (convert if who == "matlens" else scipy_struct_array)(car_annotations, "annotations", target)
    measure(benchmark, run)
    assert pd.read_parquet(target)["bbox_x1"].sum() == 528_601


@pytest.mark.benchmark(group="Stanford Cars to Parquet")
def test_cars_matlens_boxes(benchmark: Any, car_annotations: Path, target: Path) -> None:
    def run() -> None:
        with matlens.open(car_annotations) as file:
            write_parquet(boxes.read(file), target, force=True)

    measure(benchmark, run)
    assert pd.read_parquet(target)["xmin"].sum() == 528_601 - 8144


@pytest.mark.benchmark(group="nested cells of 134,000 boxes to Parquet")
def test_nested_matlens(benchmark: Any, made: Any, target: Path) -> None:
    path = made("nested.mat", files.nested_cells)

    def run() -> None:
        with matlens.open(path) as file:
            for name in ("face_bbx_list", "file_list"):
                write_parquet(file[name].to_arrow(), target.with_name(name), force=True)

    measure(benchmark, run)


@pytest.mark.benchmark(group="nested cells of 134,000 boxes to Parquet")
def test_nested_scipy_and_pandas(benchmark: Any, made: Any, target: Path) -> None:
    path = made("nested.mat", files.nested_cells)

    def run() -> None:
        data = scipy.io.loadmat(path)
        parts, images = [], []
        for names, found in zip(data["file_list"][:, 0], data["face_bbx_list"][:, 0], strict=True):
            for name, rows in zip(names[:, 0], found[:, 0], strict=True):
                parts.append(rows)
                images += [name[0]] * len(rows)
        table = pd.DataFrame(np.concatenate(parts), columns=list("xywh"))
        table["image"] = images
        table.to_parquet(target)

    measure(benchmark, run)


@pytest.mark.parametrize("who", ["matlens", "scipy"])
@pytest.mark.benchmark(group="open and load a file of 2 kB, 100 times")
def test_small(benchmark: Any, who: str, tmp_path: Path) -> None:
    path = tmp_path / "small.mat"
    data = {"x": np.eye(3), "name": "text", "s": {"a": 1.0, "b": "two"}, "c": np.array([1.0, "x"], object)}
    scipy.io.savemat(path, data)
    load = matlens.loadmat if who == "matlens" else scipy.io.loadmat

    def run() -> None:
        for _ in range(100):
            load(path)

    measure(benchmark, run)


# --- v7.3 ------------------------------------------------------------------------------------


def svhn_by_h5py(path: Path) -> Callable[[], Any]:
    """The loop that people write: one access for each value."""

    def number(file: Any, box: Any, name: str) -> list[float]:
        values = box[name]
        if values.dtype == h5py.ref_dtype:
            return [float(file[reference][0, 0]) for reference in values[:, 0]]
        return [float(values[0, 0])]

    def run() -> Any:
        rows = []
        with h5py.File(path) as file:
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

    return run


def svhn_by_low_level_h5py(path: Path) -> Callable[[], Any]:
    """The same through h5py's low-level interface, the fastest loop there is."""
    from h5py import h5d, h5f, h5g, h5o, h5r, h5s

    def read(data_set: Any) -> Any:
        values = np.empty(data_set.shape, data_set.dtype)
        data_set.read(h5s.ALL, h5s.ALL, values)
        return values.ravel()

    def run() -> Any:
        rows = []
        file = h5f.open(str(path).encode(), h5f.ACC_RDONLY)
        entries = h5g.open(file, b"digitStruct")
        names, found = (read(h5d.open(entries, field)) for field in (b"name", b"bbox"))
        for name, bbox in zip(names, found, strict=True):
            text = read(h5r.dereference(name, file)).tobytes().decode("utf-16-le")
            box = h5r.dereference(bbox, file)
            columns = {}
            for field in files.BOX_FIELDS:
                values = read(h5o.open(box, field.encode()))
                if values.dtype == h5py.ref_dtype:
                    values = np.concatenate([read(h5r.dereference(reference, file)) for reference in values])
                columns[field] = values.tolist()
            rows += [(text, *row) for row in zip(*columns.values(), strict=True)]
        return pd.DataFrame(rows, columns=["name", *files.BOX_FIELDS])

    return run


SVHN = "v7.3, 2,000 entries with struct arrays by reference, to a table"


@pytest.mark.benchmark(group=SVHN)
@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_svhn_matlens(benchmark: Any, made: Any, engine: Any) -> None:
    path = made("svhn.mat", files.svhn_like, 2000)

    def run() -> Any:
        with matlens.open(path, engine=engine) as file:
            return file["digitStruct"].to_arrow()

    table = measure(benchmark, run, 7 if engine == "auto" else 1)
    assert sum(len(entry) for entry in table["bbox"].to_pylist()) == 500 * (1 + 2 + 3 + 4)


@pytest.mark.benchmark(group=SVHN)
@pytest.mark.parametrize("loop", [svhn_by_h5py, svhn_by_low_level_h5py])
def test_svhn_h5py(benchmark: Any, made: Any, loop: Any) -> None:
    run = loop(made("svhn.mat", files.svhn_like, 2000))
    assert len(measure(benchmark, run, 2)) == 500 * (1 + 2 + 3 + 4)


@pytest.mark.benchmark(group=SVHN)
@pytest.mark.parametrize("module", ["mat73", "pymatreader"])
@pytest.mark.filterwarnings("ignore")
def test_svhn_loaders(benchmark: Any, made: Any, module: str) -> None:
    loader = {"mat73": "loadmat", "pymatreader": "read_mat"}[module]
    load = getattr(pytest.importorskip(module), loader)
    path = made("svhn.mat", files.svhn_like, 2000)
    loaded = measure(benchmark, lambda: load(str(path)), 1)
    assert len(loaded["digitStruct"]["name"]) == 2000


@pytest.mark.benchmark(group="v7.3, 33,402 entries (SVHN train) to Parquet")
@pytest.mark.parametrize("who", ["matlens", "low_level_h5py"])
def test_svhn_train(benchmark: Any, made: Any, target: Path, who: str) -> None:
    path = made("svhn_train.mat", files.svhn_like, 33_402)
    if who == "matlens":
        measure(benchmark, convert(path, "digitStruct", target), 3)
        assert len(pd.read_parquet(target)) == 33_402
    else:
        run = svhn_by_low_level_h5py(path)
        measure(benchmark, lambda: run().to_parquet(target), 1)


# --- big arrays ------------------------------------------------------------------------------


def plain_matrix(path: Path) -> Path:
    scipy.io.savemat(path, {"x": np.random.default_rng(0).random((4000, 4000))})
    return path


def chunked_matrix(path: Path) -> Path:
    steps = np.random.default_rng(0).integers(-3, 4, (4000, 4000))
    with h5py.File(path, "w", userblock_size=512, libver="earliest") as file:
        values = np.cumsum(steps, axis=0).astype(float)
        file.create_dataset("x", data=values, chunks=(100, 4000), compression=3).attrs["MATLAB_class"] = np.bytes_(
            "double"
        )
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


@pytest.mark.parametrize("who", ["matlens", "scipy"])
@pytest.mark.parametrize("kind", ["128 MB uncompressed double", "256 MB compressed double"])
def test_matrix(benchmark: Any, made: Any, who: str, kind: str) -> None:
    benchmark.group = kind
    maker = files.compressed_matrix if "256" in kind else plain_matrix
    path = made(f"{maker.__name__}.mat", maker)

    def run() -> float:
        if who == "scipy":
            return float(scipy.io.loadmat(path)["x"].sum())
        with matlens.open(path) as file:
            return float(file["x"].value.sum())

    measure(benchmark, run, 5)


@pytest.mark.parametrize("who", ["matlens", "h5py"])
@pytest.mark.benchmark(group="v7.3, 128 MB compressed double in chunks, wall time", timer=time.perf_counter)
def test_chunks(benchmark: Any, made: Any, who: str) -> None:
    path = made("chunked.mat", chunked_matrix)

    def run() -> float:
        if who == "h5py":
            with h5py.File(path) as file:
                return float(file["x"][()].sum())
        with matlens.open(path) as file:
            return float(file["x"].value.sum())

    measure(benchmark, run, 5)


@pytest.mark.parametrize("who", ["matlens", "scipy"])
@pytest.mark.benchmark(group="load 20 compressed variables of 4 MB, wall time", timer=time.perf_counter)
def test_several_variables(benchmark: Any, made: Any, who: str) -> None:
    def several(path: Path) -> Path:
        steps = np.random.default_rng(0).integers(-3, 4, (20, 1000, 500))
        scipy.io.savemat(path, {f"x{k}": np.cumsum(part, axis=0) for k, part in enumerate(steps)}, do_compression=True)
        return path

    path = made("several.mat", several)
    load = matlens.loadmat if who == "matlens" else scipy.io.loadmat
    assert len(measure(benchmark, lambda: load(path), 5)) == 23
