"""Output files: temporary folders, what killed programs leave, size and room on the disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
import scipy.io

import matlens
from matlens.errors import CorruptFile, LimitExceeded, OutputExists, OutputFailed
from matlens.export import room
from matlens.export.atomic import atomic_folder, atomic_output, atomic_path
from matlens.export.temporary import LOCK, _remove_leftovers, temporary_folder
from matlens.limits import Limits
from matlens.operations.convert import convert
from tests.support import FIXTURES

posix = pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")


@pytest.fixture(autouse=True)
def forget() -> None:
    """Each test is a run of its own, which looks for leftovers anew."""
    _remove_leftovers.cache_clear()


def killed(target: Path) -> Path:
    """The folder that a program leaves which is killed while it writes."""
    program = (
        "import os, signal, sys; from pathlib import Path; from matlens.export.atomic import atomic_output\n"
        "with atomic_output(sys.argv[1]) as file:\n"
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(target)], check=False, timeout=60)
    (left,) = target.parent.glob(".*.part")
    assert (left / "output").read_bytes() == b"half" and not target.exists()
    return left


@posix
def test_what_a_killed_program_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = killed(tmp_path / "a.bin")
    with atomic_output(tmp_path / "b.bin") as file:
        assert not left.exists()
        file.write(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["b.bin"]


@posix
def test_the_folder_of_a_program_that_lives_is_kept(tmp_path: Path) -> None:
    program = (
        "import sys; from matlens.export.atomic import atomic_output\n"
        "with atomic_output(sys.argv[1]) as file:\n"
        "    file.write(b'slow'); print('writing', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "a.bin")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"writing\n"
        with atomic_output(tmp_path / "b.bin") as file:
            file.write(b"whole")
        assert len(list(tmp_path.glob(".*.part"))) == 1
        other.communicate(b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "b.bin"]
    assert (tmp_path / "a.bin").read_bytes() == b"slow"


@posix
def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    download = tmp_path / ".film.0123456789ab.part"
    download.mkdir()
    (download / "film").write_text("half of it")
    linked = tmp_path / ".x.0123456789ab.part"
    linked.symlink_to(tmp_path)
    planted = tmp_path / ".y.0123456789ab.part"
    planted.mkdir()
    (planted / LOCK).symlink_to(secret)
    with atomic_output(tmp_path / "b.bin") as file:
        file.write(b"whole")
    assert (download / "film").exists() and linked.is_symlink() and planted.exists() and secret.read_text() == "mine"
    empty = tmp_path / ".z.0123456789ab.part"
    empty.mkdir()
    _remove_leftovers.cache_clear()
    with temporary_folder(tmp_path / "c"):
        assert not empty.exists()


@posix
def test_modes_are_those_that_the_user_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_output(tmp_path / "a") as file:
            file.write(b"x")
        with atomic_folder(tmp_path / "folder") as opened, opened("below/b") as file:
            file.write(b"x")
        with temporary_folder(tmp_path / "c") as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
        convert(FIXTURES / "annotations_v7.mat", tmp_path / "d.sqlite")
    finally:
        os.umask(before)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("a", "folder", "folder/below/b", "d.sqlite")}
    assert modes == {"a": 0o640, "folder": 0o750, "folder/below/b": 0o640, "d.sqlite": 0o640}


def test_a_link_at_the_target_is_replaced_and_what_it_leads_to_kept(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    (tmp_path / "out").symlink_to(secret)
    with pytest.raises(OutputExists), atomic_output(tmp_path / "out"):
        pass
    with atomic_output(tmp_path / "out", force=True) as file:
        file.write(b"new")
    assert secret.read_text() == "mine" and (tmp_path / "out").read_bytes() == b"new"
    assert not (tmp_path / "out").is_symlink()


def test_nothing_remains_of_a_block_that_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "a") as path:
        path.write_bytes(b"x")
        raise ZeroDivisionError
    with pytest.raises(OutputFailed, match="cannot be written"), atomic_output(tmp_path / "none" / "a"):
        pass
    assert list(tmp_path.iterdir()) == []


Usage = namedtuple("Usage", "total used free")


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl", "npy", "mat", "sqlite", "duckdb"])
def test_output_is_limited_in_all_formats(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "STEP", 1 << 16)
    scipy.io.savemat(tmp_path / "m.mat", {"m": np.random.default_rng(0).normal(size=(300_000, 2))})
    out = tmp_path / "out"
    file = matlens.open(tmp_path / "m.mat", limits=Limits(output=100_000))
    with file, pytest.raises(LimitExceeded, match=r"exceeds Limits\.output = 100000"):
        convert(file, out / f"m.{suffix}")
    assert list(out.iterdir()) == []
    if suffix == "duckdb":
        # It keeps so few rows in memory until the end.
        return
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1 << 30, 1 << 30, 1000))
    with pytest.raises(OutputFailed, match="left on the disk"):
        convert(tmp_path / "m.mat", out / f"m.{suffix}")
    assert list(out.iterdir()) == []


def test_limits_of_output_by_hand(tmp_path: Path) -> None:
    data: Any = pa.py_buffer(bytes(100))
    refused = pytest.raises(LimitExceeded, match="--limit output=")
    with refused, room.limited_output(Limits(output=99)), atomic_output(tmp_path / "a") as file:
        file.write(data)
    with room.limited_output(Limits(output=100)), atomic_output(tmp_path / "a") as file:
        file.write(data)
    assert (tmp_path / "a").read_bytes() == bytes(100)


def test_damage_in_the_middle_is_told_by_duckdb_as_by_others(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.mat", "w") as file:
        values = np.random.default_rng(0).normal(size=(2, 400_000))
        dataset = file.create_dataset("m", data=values, chunks=(2, 100_000), compression="gzip", compression_opts=1)
        dataset.attrs["MATLAB_class"] = np.bytes_("double")
        at = dataset.id.get_chunk_info(3).byte_offset
    content = bytearray((tmp_path / "m.mat").read_bytes())
    content[at + 2000] ^= 0xFF
    (tmp_path / "m.mat").write_bytes(content)
    for suffix in ("duckdb", "sqlite", "parquet"):
        with pytest.raises(CorruptFile) as caught:
            convert(tmp_path / "m.mat", tmp_path / f"m.{suffix}")
        assert (caught.value.file, caught.value.variable, caught.value.offset) == ("m.mat", "m", at)
    assert [path.name for path in tmp_path.iterdir()] == ["m.mat"]
