"""Parts of arrays: what they are against NumPy, and how little is read for them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

import matlens
from matlens.formats.hdf5 import chunks
from matlens.tree.nodes import Node

DIMS = {"matrix": (1500, 1000), "row": (1, 1_500_000), "column": (1_500_000, 1), "pages": (100, 150, 100)}
NBYTES = 12_000_000
LITTLE = 600_000
"""Far less than a variable, a little more than some chunks of it."""


def array(dims: tuple[int, ...]) -> Any:
    return np.arange(1_500_000.0).reshape(dims, order="F") + 0.5


def v73(path: Path, name: str, values: Any, **options: Any) -> None:
    with h5py.File(path, "w", userblock_size=512) as file:
        stored = file.create_dataset(name, data=values.T, **options)
        stored.attrs["MATLAB_class"] = np.bytes_("uint16" if values.dtype == np.uint16 else "double")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def chunk_of(values: Any) -> tuple[int, ...]:
    side = {2: 50, 3: 20}[values.ndim] if min(values.shape) > 1 else 2000
    return tuple(min(n, side) for n in values.T.shape)


WRITERS: dict[str, Callable[[Path, str, Any], None]] = {
    "v4": lambda path, name, values: scipy.io.savemat(path, {name: values}, format="4"),
    "v6": lambda path, name, values: scipy.io.savemat(path, {name: values}),
    "v7.3 contiguous": v73,
    "v7.3 chunked": lambda path, name, values: v73(path, name, values, chunks=chunk_of(values)),
    "v7.3 compressed": lambda path, name, values: v73(
        path, name, values, chunks=chunk_of(values), compression="gzip", compression_opts=1, shuffle=True
    ),
}


def peak_of(read: Callable[[], Any]) -> int:
    """Bytes that reading took beyond what was there before."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        read()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", DIMS)
@pytest.mark.parametrize("writer", WRITERS)
def test_one_number_costs_little(writer: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = array(DIMS[name])
    if writer == "v4" and values.ndim > 2:
        values = values.reshape(values.shape[0], -1)
    WRITERS[writer](tmp_path / "x.mat", name, values)
    placed: list[int] = []
    place = chunks._place
    monkeypatch.setattr(chunks, "_place", lambda *given: placed.append(1) or place(*given))
    with matlens.open(tmp_path / "x.mat") as file:
        node = file[name]
        flat = values.ravel(order="F")
        last = tuple(n - 1 for n in values.shape)
        reads: list[tuple[Callable[[], Node], Any]] = [
            (lambda: node[-1], values.ravel()[-1:] if name in ("row", "column") else values[-1:]),
            (lambda: node[last], values[last]),
            (lambda: file.at(f"{name}(777777)"), flat[777776]),
            (lambda: file.at(f"{name}(777777:777779)"), flat[777776:777779]),
            (lambda: node[5:8][1], values.ravel()[6] if name in ("row", "column") else values[6]),
        ]
        for read, expected in reads:
            found: list[Any] = []
            assert peak_of(lambda read=read, found=found: found.append(read().value)) < LITTLE < NBYTES / 10
            np.testing.assert_array_equal(found[0].ravel(), np.ravel(expected))
    # A part is read from the chunks that stand beside it along one dimension, for each of `reads`.
    assert len(placed) <= len(reads) * (values.size // np.prod(chunk_of(values))) // 5


def test_compressed_v7_variables_are_inflated_once(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"x": array((1500, 1000))}, do_compression=True)
    with matlens.open(tmp_path / "x.mat") as file:
        assert file["x"][3, 4].value == file["x"].value[3, 4]
        assert peak_of(lambda: file["x"][9, 8].value) < LITTLE


def test_parts_of_text(tmp_path: Path) -> None:
    text = "abcdefghij" * 100_000
    codes = np.frombuffer(text.encode("utf-16-le"), np.uint16).reshape(1, -1)
    v73(tmp_path / "x.mat", "x", codes, chunks=(2000, 1), compression="gzip")
    with h5py.File(tmp_path / "x.mat", "r+") as file:
        file["x"].attrs["MATLAB_class"] = np.bytes_("char")
    with matlens.open(tmp_path / "x.mat") as file:
        found: list[Any] = []
        assert peak_of(lambda: found.append(file["x"][777_770:777_774].value)) < LITTLE
        assert found == ["abcd"] and file.at("x(end)").value == "j" and file["x"].value == text


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_parts_equal_numpys(data: Any) -> None:
    """Any index of NumPy's basic ones, of arrays that are read in windows and of small ones."""
    dims = data.draw(st.sampled_from([(1, 20_000), (20_000, 1), (150, 100), (20, 30, 40), (3, 4), (1, 1), (0, 3)]))
    values = np.arange(float(np.prod(dims))).reshape(dims, order="F")
    is_vector = len(dims) == 2 and 1 in dims
    shape = (max(dims),) if is_vector and data.draw(st.booleans()) else dims
    key: list[Any] = []
    for size in shape[: data.draw(st.integers(1, len(shape)))]:
        number = st.integers(-size, size - 1) if size else st.just(slice(None))
        bound = st.none() | st.integers(-size - 2, size + 2)
        step = st.none() | st.integers(1, 5) | st.integers(-5, -1)
        key.append(data.draw(number | st.builds(slice, bound, bound, step)))
    if is_vector and shape == dims and len(key) == 1:
        shape = (max(dims),)
    expected = values.reshape(shape, order="F")[tuple(key)]
    found = matlens.from_loadmat({"x": values})["x"][tuple(key)]
    assert found.numel == expected.size
    np.testing.assert_array_equal(found.value.ravel(order="F"), np.asarray(expected).ravel(order="F"))
    again = found.at("(:)") if found.numel else found
    np.testing.assert_array_equal(again.value.ravel(order="F"), np.asarray(expected).ravel(order="F"))
