"""``matlens convert`` as a user meets it, killed and short of space too."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.io

from tests.stopping import calls_of, run_until
from tests.support import EVIL, FIXTURES, run

ANNOTATIONS = str(FIXTURES / "annotations_v7.mat")
KINDS = str(FIXTURES / "kinds_v73.mat")


def test_one_variable(tmp_path: Path) -> None:
    done = run("convert", ANNOTATIONS, "-o", str(tmp_path / "a.parquet"))
    assert done.returncode == 0 and done.stdout == b"" and b"a.parquet: annotations: 70 rows" in done.stderr
    assert pq.read_table(tmp_path / "a.parquet").num_rows == 70
    done = run("convert", ANNOTATIONS, "-o", str(tmp_path / "a.parquet"))
    assert done.returncode == 2 and b"the file exists; --force" in done.stderr
    assert run("convert", ANNOTATIONS, "-o", str(tmp_path / "a.parquet"), "--force").returncode == 0


def test_rows_are_filtered(tmp_path: Path) -> None:
    target = tmp_path / "vans.parquet"
    done = run("convert", ANNOTATIONS, "-o", str(target), "--where", 'any(labels == "van") and numel(boxes) > 4')
    records = scipy.io.loadmat(ANNOTATIONS, simplify_cells=True)["annotations"]
    vans = [r["image"] for r in records if "van" in np.atleast_1d(r["labels"]) and np.size(r["boxes"]) > 4]
    assert done.returncode == 0 and f"{len(vans)} of 70 rows".encode() in done.stderr
    assert pq.read_table(target)["image"].to_pylist() == vans
    done = run("convert", ANNOTATIONS, "-o", str(tmp_path / "none.parquet"), "--where", "numel(labels) > 99")
    assert done.returncode == 0 and pq.read_table(tmp_path / "none.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("where", "output", "code", "told"),
    [
        ("lables == 1", "a.parquet", 1, b"did you mean labels"),
        ("numel(labels) >", "a.parquet", 2, b"expected a value, found the end"),
        ("image > 1", "a.parquet", 1, b"cannot compare text with numbers"),
        ("true", "a.mat", 2, b"rows are filtered for Parquet"),
    ],
)
def test_filters_that_do_not_fit_write_nothing(where: str, output: str, code: int, told: bytes, tmp_path: Path) -> None:
    done = run("convert", ANNOTATIONS, "-o", str(tmp_path / output), "--where", where)
    assert done.returncode == code and told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_several_variables_and_several_files(tmp_path: Path) -> None:
    done = run("convert", KINDS, "-o", str(tmp_path / "k.parquet"))
    assert done.returncode == 2 and b"14 values for one file" in done.stderr
    done = run("convert", KINDS, ANNOTATIONS, "-o", f"{tmp_path}/all/", "--json")
    assert done.returncode == 0
    outputs = json.loads(done.stdout)["outputs"]
    assert {Path(o["output"]).parent.name for o in outputs} == {"kinds_v73", "annotations_v7"}
    assert all(Path(o["output"]).exists() for o in outputs) and len(outputs) == 15
    assert any(note["is_lossy"] for o in outputs for note in o["notes"])
    done = run("convert", KINDS, ANNOTATIONS, "-o", str(tmp_path / "one.sqlite"))
    assert done.returncode == 2 and b"2 files for one output" in done.stderr
    run("convert", KINDS, "-o", str(tmp_path / "k.sqlite"))
    with sqlite3.connect(tmp_path / "k.sqlite") as connection:
        assert len(connection.execute("select name from _matlens").fetchall()) == 14
    connection.close()


def test_dry_run_writes_nothing_and_shows_the_schema(tmp_path: Path) -> None:
    done = run("convert", KINDS, "-o", f"{tmp_path}/out/", "--dry-run")
    text = done.stdout.decode()
    assert done.returncode == 0 and "structs.parquet: 3 rows" in text and "i64  fixed_size_list<" in text
    assert b"loss: cells.x1: cell, double do not unify: JSON text" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert run("convert", ANNOTATIONS, "--dry-run").returncode == 0
    assert run("convert", ANNOTATIONS).returncode == 2


def test_strict(tmp_path: Path) -> None:
    done = run("convert", KINDS, "-o", f"{tmp_path}/out/", "--strict")
    assert done.returncode == 4 and b"losses, nothing is written" in done.stderr and list(tmp_path.iterdir()) == []
    assert run("convert", KINDS, "-o", f"{tmp_path}/out/", "--strict", "--dry-run").returncode == 4
    assert run("convert", ANNOTATIONS, "-o", str(tmp_path / "a.parquet"), "--strict").returncode == 0


def test_standard_output(tmp_path: Path) -> None:
    done = run("convert", ANNOTATIONS, "-o", "-", "--format", "jsonl")
    assert [json.loads(line)["image"] for line in done.stdout.splitlines()][:2] == ["00001.jpg", "00002.jpg"]
    done = run("convert", KINDS, "--var", "numbers.f64(1,:)", "-o", "-")
    assert done.stdout == b'"x1"\n1.5\n-2\n3.141592653589793\n'
    done = run("convert", ANNOTATIONS, "-o", "-", "--format", "parquet")
    assert done.returncode == 2 and b"cannot be written to a pipe" in done.stderr
    command = f"{sys.executable} -m matlens convert {ANNOTATIONS} -o - --format jsonl | head -1"
    piped = subprocess.run(command, shell=True, capture_output=True, timeout=60, check=False)
    assert piped.stderr == b"" and piped.stdout.count(b"\n") == 1


def test_rows_header_and_unknown_paths(tmp_path: Path) -> None:
    done = run("convert", KINDS, "--var", "numbers.nd", "--dim", "3", "-o", "-", "--format", "jsonl")
    rows = [json.loads(line)["nd"] for line in done.stdout.splitlines()]
    expected = scipy.io.loadmat(FIXTURES / "kinds_v7.mat")["numbers"]["nd"][0, 0]
    np.testing.assert_array_equal(np.array(rows), np.moveaxis(expected, 2, 0))
    done = run("convert", KINDS, "--var", "numbrs", "-o", "-")
    assert done.returncode == 2 and b"did you mean 'numbers'" in done.stderr
    done = run("convert", KINDS, "--var", "numbers.nd", "--dim", "9", "-o", "-")
    assert done.returncode == 2 and b"dimension 9 of 3" in done.stderr


def test_damaged_variables_do_not_take_others_with_them(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"a": np.arange(9.0), "b": np.arange(5.0, 10), "c": 1.0})
    content = bytearray((tmp_path / "a.mat").read_bytes())
    content[content.index(np.arange(5.0, 10).tobytes()) - 8] = 99
    (tmp_path / "a.mat").write_bytes(content)
    done = run("convert", str(tmp_path / "a.mat"), "-o", f"{tmp_path}/out/")
    assert done.returncode == 1 and b"a.mat: b: " in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.parquet", "c.parquet"]


def test_hostile_names_reach_neither_folder_nor_terminal(tmp_path: Path, evil_file: Path) -> None:
    out = tmp_path / "deep" / "out"
    before = {path for path in tmp_path.iterdir() if path.name != "deep"}
    for extra in ([], ["--dry-run"], ["--json", "--force"]):
        done = run("convert", str(evil_file), "-o", f"{out}/", "--color", "never", *extra)
        for stream in (done.stdout, done.stderr):
            assert b"\x1b" not in stream and b"\x07" not in stream and "\u202e".encode() not in stream
            assert b"Traceback" not in stream
    assert {path for path in tmp_path.iterdir() if path.name != "deep"} == before
    assert all(EVIL not in path.name and "\u202e" not in path.name for path in out.iterdir())
    for command in (["check"], ["diff", str(evil_file)], ["sql"]):
        last = ["select 1"] if command == ["sql"] else []
        done = run(*command, str(evil_file), *last)
        assert b"\x1b" not in done.stdout + done.stderr and b"Traceback" not in done.stderr


# --- killed, interrupted, short of space -------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A v7.3 matrix of 6 MB, which takes some windows to convert."""
    path = tmp_path_factory.mktemp("large") / "m.mat"
    values = np.random.default_rng(0).normal(size=(2, 400_000))
    with h5py.File(path, "w") as file:
        file.create_dataset("m", data=values, chunks=(1, 50_000)).attrs["MATLAB_class"] = np.bytes_("double")
    return path


SHARES = (0.0, 0.6)
ALL_SHARES = pytest.param(tuple(np.linspace(0, 1, 16)), marks=pytest.mark.campaign, id="all")


@pytest.mark.parametrize("shares", [pytest.param(SHARES, id="some"), ALL_SHARES])
@pytest.mark.parametrize("suffix", ["parquet", "csv", "npz", "mat", "sqlite", "duckdb"])
def test_killed_an_output_is_whole_or_absent_and_the_next_run_sweeps(
    tmp_path: Path, large: Path, suffix: str, shares: tuple[float, ...]
) -> None:
    target = tmp_path / f"m.{suffix}"
    command = ["convert", str(large), "-o", str(target), "--force"]
    calls = calls_of(*command)
    whole = target.stat().st_size
    target.unlink()
    for share in shares:
        done = run_until(max(round(share * calls), 1), signal.SIGKILL, *command)
        if target.exists():
            assert abs(target.stat().st_size - whole) <= 4096
            target.unlink()
        else:
            assert done.returncode == -signal.SIGKILL
        if share == 0:
            (left,) = tmp_path.iterdir()
            assert left.name.endswith(".part")
    assert run(*command).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_while_writing_nothing_remains(tmp_path: Path, large: Path, number: Any, code: int) -> None:
    command = ["convert", str(large), "-o", str(tmp_path / "m.csv"), "--force"]
    calls = calls_of(*command)
    (tmp_path / "m.csv").unlink()
    for share in (0.1, 0.6):
        done = run_until(max(round(share * calls), 1), number, *command)
        assert done.returncode == code and b"Traceback" not in done.stderr, done.stderr
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "csv", "jsonl", "npz", "sqlite", "duckdb", "mat"])
def test_a_full_disk_ends_in_a_message_and_no_remains(tmp_path: Path, large: Path, suffix: str) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    done = subprocess.run(
        [sys.executable, "-m", "matlens", "convert", str(large), "-o", str(tmp_path / f"m.{suffix}")],
        preexec_fn=limit,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert b"Traceback" not in done.stderr and f"m.{suffix}".encode() in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_progress_is_shown_on_a_terminal_only(tmp_path: Path, large: Path) -> None:
    import pty

    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "matlens", "convert", str(large), "-o", str(tmp_path / "m.parquet")], stderr=slave
    )
    os.close(slave)
    text = b""
    while True:
        try:
            chunk = os.read(master, 4096)
        except OSError:
            break
        if not chunk:
            break
        text += chunk
    assert process.wait() == 0 and b"/400000" in text
    done = run("convert", str(large), "-o", str(tmp_path / "again.parquet"))
    assert b"/400000" not in done.stderr
