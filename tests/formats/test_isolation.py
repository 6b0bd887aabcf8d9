"""Limits, and reading in a process of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

import matlens
from matlens import Limits
from matlens.errors import CorruptFile, LimitExceeded, UnsafeFile
from matlens.formats.guards.isolated import IsolatedReader
from tests.fuzz.hostile import v73_file
from tests.support import FIXTURES, assert_same, run

FILES = ["kinds_v7.mat", "kinds_v73.mat", "annotations_v73.mat", "objects_v7.mat", "objects_v73.mat"]


@pytest.mark.parametrize("name", FILES)
def test_a_process_of_its_own_reads_the_same(name: str) -> None:
    with matlens.open(FIXTURES / name) as here, matlens.open(FIXTURES / name, isolate="always") as there:
        assert isinstance(there._reader, IsolatedReader)
        assert list(here) == list(there) and here.header == there.header
        for variable in here:
            assert repr(here[variable]) == repr(there[variable])
            if here[variable].kind != "opaque":
                assert_same(here[variable].to_numpy(), there[variable].to_numpy(), variable)


def test_libhdf5_is_left_to_a_process_of_its_own() -> None:
    with matlens.open(FIXTURES / "kinds_v73.mat", engine="reference") as file:
        assert isinstance(file._reader, IsolatedReader)
    with matlens.open(FIXTURES / "kinds_v73.mat", engine="reference", isolate="never") as file:
        assert not isinstance(file._reader, IsolatedReader)


def test_the_newest_form_of_hdf5_is_read_there() -> None:
    content = v73_file(lambda file: file.create_dataset("x", data=np.arange(6.0).reshape(2, 3)), libver="latest")
    with matlens.open(content) as file:
        assert isinstance(file._reader, IsolatedReader)
        assert file["x"].value.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_a_process_that_dies_is_named_and_started_anew() -> None:
    with matlens.open(FIXTURES / "kinds_v73.mat", isolate="always") as file:
        names = list(file)
        process = file._reader._process  # type: ignore[attr-defined]
        os.kill(process.pid, signal.SIGSEGV)
        process.wait()
        with pytest.raises(CorruptFile, match=r"kinds_v73\.mat: numbers: .* ended by signal 11"):
            file["numbers"].to_numpy()
        assert file["numbers"].to_numpy().shape == (1, 1) and list(file) == names


def test_a_process_that_hangs_is_ended() -> None:
    with matlens.open(FIXTURES / "kinds_v73.mat", isolate="always") as file:
        assert file["numbers"].dims == (1, 1)
        # A process that is stopped never answers, and none that starts is in a hurry.
        file._reader.limits = Limits(seconds=1)
        os.kill(file._reader._process.pid, signal.SIGSTOP)  # type: ignore[attr-defined]
        with pytest.raises(
            LimitExceeded, match=r"longer than 1 s: exceeds Limits.seconds = 1; raise it with --limit seconds=2$"
        ):
            file["numbers"].to_numpy()


def test_a_file_in_the_current_folder_is_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("numpy", "h5py", "pickle", "matlens"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with matlens.open(FIXTURES / "kinds_v73.mat", isolate="always") as file:
        assert len(file) == 14


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_what_stands_in_other_files_is_refused(tmp_path: Path, engine: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(np.arange(3.0).tobytes())

    def fill(file: h5py.File) -> None:
        file["good"] = np.eye(2)
        file["link"] = h5py.ExternalLink(str(secret), "/x")
        file["soft"] = h5py.SoftLink("/good")
        file.create_dataset("stored", (3,), "f8", external=[(str(secret), 0, 24)])

    with matlens.open(v73_file(fill), engine=engine) as file:  # type: ignore[arg-type]
        assert file["good"].value.tolist() == [[1, 0], [0, 1]]
        for name in ("link", "soft", "stored"):
            with pytest.raises(UnsafeFile, match=f"^<bytes>: {name}: .*not (followed|read)") as caught:
                file[name].to_numpy()
            assert (caught.value.offset is None) == (name != "stored")


def test_limits_name_themselves(tmp_path: Path) -> None:
    nested = np.zeros((1, 1))
    for _ in range(6):
        cell = np.empty((1, 1), object)
        cell[0, 0] = nested
        nested = cell
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"c": nested, "zeros": np.zeros((3000, 12_000))}, do_compression=True)
    with (
        matlens.open(path, limits=Limits(depth=4)) as file,
        pytest.raises(
            LimitExceeded,
            match=r"x\.mat: c.*deeper than 4 levels: exceeds Limits.depth = 4; raise it with --limit depth=8",
        ),
    ):
        file["c"].to_numpy()
    with (
        matlens.open(path, limits=Limits(memory=1 << 20)) as file,
        pytest.raises(
            LimitExceeded, match=r"x\.mat: zeros: .* exceeds Limits.memory = 1048576; raise it with --limit memory"
        ),
    ):
        file["zeros"].to_numpy()
    with (
        matlens.open(path) as file,
        pytest.raises(LimitExceeded, match=r"zeros: 28800006\d bytes declared, .* exceeds Limits.ratio = 200"),
    ):
        file["zeros"].to_numpy()
    with matlens.open(path, limits=Limits().changed("ratio=2000")) as file:
        assert file["zeros"].to_numpy().shape == (3000, 12_000)


def test_limits_of_the_command_line() -> None:
    file = str(FIXTURES / "kinds_v73.mat")
    fine = run("show", "--limit", "depth=2", "--limit", "memory=8GiB", file, "numbers.f64")
    assert fine.returncode == 0
    assert run("show", file, "cells", "--limit", "elements=2").returncode == 1
    wrong = run("ls", "--limit", "dept=2", file)
    assert wrong.returncode == 2 and b"no limit 'dept'; there are depth, elements, memory" in wrong.stderr
    assert b"a number is expected" in run("ls", "--limit", "depth=deep", file).stderr
    for options in (["--isolate", "always"], ["--engine", "reference"]):
        assert run("ls", *options, file).stdout == run("ls", file).stdout


def test_shared_cells_do_not_multiply() -> None:
    def fill(file: h5py.File) -> None:
        below = file.create_dataset("#refs#/x", data=np.eye(1)).ref
        for level in range(8):
            cell = file.create_dataset(f"c{level}", data=np.array([[below] * 50], h5py.ref_dtype))
            cell.attrs["MATLAB_class"] = np.bytes_("cell")
            below = cell.ref

    with matlens.open(v73_file(fill)) as file:
        assert file["c1"].to_numpy().shape == (50, 1)
        for name in ("c5", "c7"):
            with pytest.raises(LimitExceeded, match="that are shared would expand"):
                file[name].to_numpy()
            with pytest.raises(LimitExceeded, match="that are shared would expand"):
                file[name].to_arrow()


def test_one_empty_array_for_all_cells() -> None:
    """As MATLAB stores ``cell(200)``: all references lead to one empty array."""

    def fill(file: h5py.File) -> None:
        empty = file.create_dataset("#refs#/a", data=np.zeros(2, np.uint64))
        empty.attrs["MATLAB_class"], empty.attrs["MATLAB_empty"] = np.bytes_("canonical empty"), np.uint8(1)
        cell = file.create_dataset("c", (200, 200), h5py.ref_dtype, chunks=(100, 200), compression=3)
        cell[...] = np.full((200, 200), empty.ref, h5py.ref_dtype)
        cell.attrs["MATLAB_class"] = np.bytes_("cell")

    with matlens.open(v73_file(fill)) as file:
        found = file["c"].to_numpy()
        assert found.shape == (200, 200) and found[5, 7].shape == (0, 0)


@pytest.mark.parametrize(
    "command", ["ls", "tree", "show", "convert", "boxes", "regions", "sql", "diff", "browse", "check"]
)
def test_every_command_has_the_options_of_reading(command: str) -> None:
    shown = run(command, "--help").stdout
    assert all(option in shown for option in (b"--limit NAME=VALUE", b"--isolate", b"--engine", b"--errors"))
