"""Checks of whole files, and what is salvaged from damaged ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

import matlens
from matlens.operations.check import check
from tests.support import FIXTURES, SCIPY_DATA, assert_same, fixture_files, mat_files, run

DAMAGED = {
    "damaged_nosubsys_v7.mat",
    "corrupted_mcos_object_metadata.mat",
    "corrupted_subsystem.mat",
    "corrupted_zlib_checksum.mat",
    "corrupted_zlib_data.mat",
    "bad_miuint32.mat",
    "debigged_m4.mat",
    "malformed1.mat",
}


@pytest.mark.parametrize("path", [*mat_files(), *fixture_files()])
def test_sound_files_are_sound(path: Path) -> None:
    with matlens.open(path) as file:
        found = list(check(file))
    damages = [str(damage) for variable in found for damage in variable.damages]
    assert bool(damages) == (path.name in DAMAGED), damages
    assert all(damage.startswith(path.name) for damage in damages)


def three(path: Path, **options: Any) -> bytes:
    records = np.empty((1, 40), [("x", object), ("name", object)])
    for k in range(40):
        records["x"][0, k], records["name"][0, k] = np.arange(8.0) + k, f"name {k}"
    scipy.io.savemat(path, {"first": np.arange(5.0), "middle": records, "last": "text"}, **options)
    return path.read_bytes()


def test_damage_inside_a_struct_array_is_found_with_path_and_offset(tmp_path: Path) -> None:
    content = bytearray(three(tmp_path / "a.mat"))
    # The tag of the values of middle(18).x, whose numbers begin with 17.
    offset = content.index(np.arange(17.0, 25.0).tobytes()) - 8
    content[offset] = 99
    with matlens.open(bytes(content)) as file:
        first, middle, last = check(file)
    assert first.is_readable and last.is_readable and not middle.is_readable
    (damage,) = middle.damages
    assert damage.variable == "middle(18).x" and str(damage).startswith("<bytes>: middle(18).x: ")
    assert abs((damage.offset or 0) - offset) <= 8
    # 40 records of two fields, and the struct array itself; the damaged one counts as looked at.
    assert middle.elements == 81


def test_damaged_chunk_of_v73(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "m.mat", "w") as file:
        for name in ("a", "b"):
            values = np.random.default_rng(0).normal(size=(30, 50))
            dataset = file.create_dataset(name, data=values, chunks=(10, 10), compression="gzip")
            dataset.attrs["MATLAB_class"] = np.bytes_("double")
        at = file["b"].id.get_chunk_info(7).byte_offset
    content = bytearray((tmp_path / "m.mat").read_bytes())
    content[at + 30] ^= 0x55
    with matlens.open(bytes(content)) as file:
        a, b = check(file)
    assert a.is_readable and a.has_checksum
    assert [(d.variable, d.offset) for d in b.damages] == [("b", at)]


def test_command_line_and_salvage(tmp_path: Path) -> None:
    content = bytearray(three(tmp_path / "a.mat", do_compression=True))
    with matlens.open(bytes(content)) as file:
        at = content.index(b"\x0f\0\0\0", file._variable("first").stored_bytes or 0)
    positions = [k for k in range(128, len(content) - 4) if content[k : k + 4] == b"\x0f\0\0\0"]
    content[positions[1] + 300] ^= 0xFF
    assert at >= 128
    (tmp_path / "bad.mat").write_bytes(content)
    done = run("check", str(tmp_path / "bad.mat"), "--salvage", str(tmp_path / "good.mat"))
    assert done.returncode == 1, done.stderr
    text = done.stdout.decode()
    assert "ok  first" in text and "damaged  middle" in text and "ok  last" in text and "at byte" in text
    assert b"good.mat: 2 of 3 variables" in done.stderr
    found, expected = (scipy.io.loadmat(tmp_path / name) for name in ("good.mat", "a.mat"))
    for name in ("first", "last"):
        assert_same(found[name], expected[name])
    assert "middle" not in found
    done = run("check", str(tmp_path / "bad.mat"), "--salvage", str(tmp_path / "good.mat"))
    assert done.returncode != 0 and b"--force" in done.stderr
    row = json.loads(run("check", "--json", str(tmp_path / "bad.mat")).stdout)["files"][0]
    assert [v["readable"] for v in row["variables"]] == [True, False, True]
    assert all(v["checksum"] for v in row["variables"]) and row["variables"][1]["damages"][0]["path"] == "middle"


def test_missing_checksums_and_cut_off_files_are_told(tmp_path: Path) -> None:
    done = run("check", str(FIXTURES / "kinds_v6.mat"), str(FIXTURES / "kinds_v4.mat"))
    assert done.returncode == 0 and done.stdout.count(b"carry no checksum") == 2
    assert b"carry no checksum" not in run("check", str(FIXTURES / "annotations_v7.mat")).stdout
    content = three(tmp_path / "a.mat")
    (tmp_path / "cut.mat").write_bytes(content[:-20])
    done = run("check", str(tmp_path / "cut.mat"))
    assert done.returncode == 1 and b"ok  middle" in done.stdout
    assert run("check", str(SCIPY_DATA / "malformed1.mat")).returncode == 1
    assert run("check", "a.mat", "b.mat", "--salvage", "c.mat").returncode == 2
