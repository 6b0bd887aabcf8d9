"""The command line as a user meets it: in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.io
from click.testing import CliRunner

from matlens.cli import _COMMANDS, group
from matlens.cli.output import run
from tests.stopping import calls_of, run_until
from tests.support import EVIL, FIXTURES, corpus_files, out, scipy_files
from tests.support import run as matlens

ANNOTATIONS = str(FIXTURES / "annotations_v7.mat")


def in_process(*arguments: str) -> Any:
    result = CliRunner().invoke(group, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit | Exception)
    return result


def test_help_names_every_command_and_every_command_has_help() -> None:
    text = out("--help")
    for name in _COMMANDS:
        assert f"  {name} " in text
        assert "Usage: matlens" in out(name, "--help")


def test_no_command_prints_the_help_as_lines() -> None:
    done = matlens()
    assert done.returncode == 2 and b"\\n" not in done.stderr
    assert done.stderr.splitlines()[0] == b"Usage: matlens [OPTIONS] COMMAND [ARGS]..."


def test_readme_documents_every_command() -> None:
    readme = (FIXTURES.parent / "README.md").read_text()
    for name in _COMMANDS:
        assert f"matlens {name}" in readme


def test_ls() -> None:
    text = out("ls", ANNOTATIONS)
    assert "annotations" in text and "1x70" in text and "struct" in text and "MATLAB v7" in text


def test_ls_json() -> None:
    data = json.loads(out("ls", "--json", ANNOTATIONS, str(FIXTURES / "kinds_v73.mat")))
    assert data["schema_version"] == 1 and [f["version"] for f in data["files"]] == ["v7", "v7.3"]
    assert data["files"][0]["variables"][0]["dims"] == [1, 70]
    lines = out("ls", "--jsonl", ANNOTATIONS, ANNOTATIONS).splitlines()
    assert len(lines) == 2 and json.loads(lines[0])["schema_version"] == 1


def test_ls_expands_double_stars_itself(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    scipy.io.savemat(tmp_path / "a" / "b" / "deep.mat", {"x": 1})
    assert "deep.mat" in out("ls", str(tmp_path / "**" / "*.mat"))
    assert matlens("ls", str(tmp_path / "**" / "*.none")).returncode == 2


def test_tree() -> None:
    text = out("tree", ANNOTATIONS)
    assert "annotations  1x70 struct" in text and "boxes  1x4 double" in text and "… 68 more" in text
    assert "labels  3x1 cell" in out("tree", ANNOTATIONS, "annotations(3)")
    data = json.loads(out("tree", "--json", "--depth", "2", ANNOTATIONS))
    assert data["nodes"][0]["children"][0]["path"] == "annotations(1)"


def test_show() -> None:
    text = out("show", ANNOTATIONS, "annotations(3).boxes")
    assert text.splitlines()[1].split() == ["165", "119", "218", "176"]
    assert 'file["annotations"][2]["boxes"]' in text
    assert (
        json.loads(out("show", "--json", ANNOTATIONS, '["annotations"][2]["image"]'))["values"][0]["value"]
        == "00003.jpg"
    )
    assert "'00002.jpg'" in out("show", ANNOTATIONS, "annotations", "--rows", "2")
    kinds = str(FIXTURES / "kinds_v7.mat")
    lines = out("show", kinds, "numbers.nd").splitlines()
    assert lines[4:7] == ["  (:,:,2)", "  7   9  11", "  8  10  12"]
    text = out("show", kinds)
    for word in ("hello world", "(3,2)", "deep", "9007199254740993"):
        assert word in text


def test_show_of_a_wrong_path() -> None:
    done = matlens("show", ANNOTATIONS, "annotations(3).boxs")
    assert done.returncode == 2 and b"did you mean 'boxes'" in done.stderr and done.stdout == b""


def test_boxes_to_parquet(tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    done = matlens("boxes", ANNOTATIONS, "-o", str(target))
    assert done.returncode == 0 and done.stdout == b""
    assert b"xyxy1" in done.stderr and b"rows that contradict: xyxy 0" in done.stderr
    table = pq.read_table(target)
    assert table.num_rows == 140
    assert table.column_names[:7] == ["source", "image", "label", "xmin", "ymin", "xmax", "ymax"]
    assert json.loads(table.schema.metadata[b"matlens"])["boxes"]["convention"] == "xyxy1"
    assert pq.ParquetFile(target).metadata.row_group(0).column(0).compression == "ZSTD"


def test_boxes_never_overwrites_without_force(tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    target.write_text("mine")
    done = matlens("boxes", ANNOTATIONS, "-o", str(target))
    assert done.returncode == 2 and b"--force" in done.stderr and target.read_text() == "mine"
    assert matlens("boxes", ANNOTATIONS, "-o", str(target), "--force").returncode == 0
    assert pq.read_table(target).num_rows == 140
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_boxes_of_several_files(tmp_path: Path) -> None:
    target = tmp_path / "all.parquet"
    names = [ANNOTATIONS, str(FIXTURES / "digits_v73.mat"), str(FIXTURES / "kinds_v7.mat")]
    done = matlens("boxes", *names, "-o", str(target))
    assert done.returncode == 1 and b"kinds_v7.mat: no bounding boxes" in done.stderr
    table = pq.read_table(target)
    assert table.num_rows == 140 + 12 and set(table["file"].to_pylist()) == set(names[:2])


def test_boxes_overrides_and_preview() -> None:
    text = out("boxes", ANNOTATIONS, "--convention", "xywh", "--image-field", "labels", "--label-field", "image")
    assert "person" in text.splitlines()[1] and "… 130 more" in text
    data = json.loads(out("boxes", str(FIXTURES / "faces_v7.mat"), "--json"))
    assert len(data["boxes"]) == 16 and data["boxes"][0]["image"] == "p_1"


def test_boxes_asks_for_the_convention(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "one.mat", {"bbox": np.array([[10.0, 20, 50, 60]])})
    done = matlens("boxes", str(tmp_path / "one.mat"))
    assert done.returncode == 2 and b"--convention" in done.stderr
    assert matlens("boxes", str(tmp_path / "one.mat"), "--convention", "xywh").returncode == 0
    done = matlens("boxes", str(tmp_path / "one.mat"), "-o", "x.xls")
    assert done.returncode == 2 and b".parquet" in done.stderr


def test_standard_input() -> None:
    content = Path(ANNOTATIONS).read_bytes()
    assert "annotations" in out("ls", "-", stdin=content)
    assert "2x3 double" in out("tree", "-", "numbers", stdin=(FIXTURES / "kinds_v73.mat").read_bytes())


def test_exit_codes(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mat"
    bad.write_bytes(b"<html>")
    done = matlens("ls", str(bad), ANNOTATIONS)
    assert done.returncode == 1 and b"HTML page" in done.stderr and b"annotations" in done.stdout
    assert matlens("ls", str(tmp_path / "absent.mat")).returncode == 2
    assert matlens("ls").returncode == 2
    done = matlens("lss", ANNOTATIONS)
    assert done.returncode == 2 and b"Did you mean 'ls'" in done.stderr


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    data = {f"v{i:04d}": float(i) for i in range(3000)}
    scipy.io.savemat(tmp_path / "many.mat", data)
    command = f"{sys.executable} -m matlens ls {tmp_path / 'many.mat'} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, timeout=60, check=False)
    assert done.stderr == b"" and b"many.mat" in done.stdout


def test_interrupt() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "matlens", "ls", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    # More than a pipe holds: the command must be reading by then.
    process.stdin.write(bytes(1 << 21))
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130 and b"Traceback" not in stderr


@pytest.mark.parametrize("command", [["ls"], ["tree"], ["show"], ["boxes"], ["ls", "--json"], ["show", "--json"]])
def test_nothing_raw_reaches_the_terminal(evil_file: Path, command: list[str]) -> None:
    done = matlens(*command, str(evil_file), "--color", "never")
    for stream in (done.stdout, done.stderr):
        assert b"\x1b" not in stream and b"\x07" not in stream and "\u202e".encode() not in stream
        assert b"Traceback" not in stream
    assert b"\\x1b]0;PWNED\\x07" in done.stdout + done.stderr or b"\\u001b]0;PWNED" in done.stdout


def test_raw_text_goes_to_pipes_and_to_no_terminal(evil_file: Path) -> None:
    assert matlens("show", str(evil_file), "\u202egnp.exe", "--raw").stdout == EVIL.encode() + b"\n"
    done = matlens("show", ANNOTATIONS, "annotations(1).boxes", "--raw")
    assert done.returncode == 1 and b"--raw is for text" in done.stderr and done.stdout == b""
    primary, terminal = os.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "matlens", "show", str(evil_file), "\u202egnp.exe", "--raw"],
        stdout=terminal,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.set_blocking(primary, False)
    with pytest.raises(BlockingIOError):
        os.read(primary, 1)
    assert done.returncode == 2 and b"--raw" in done.stderr
    os.close(primary)
    os.close(terminal)


def test_colours() -> None:
    assert "\x1b[" in out("ls", "--color", "always", ANNOTATIONS)
    assert "\x1b[" not in out("ls", ANNOTATIONS)
    assert "\x1b[" not in out("ls", "--color", "never", ANNOTATIONS)


@pytest.mark.parametrize("path", [*corpus_files(), *scipy_files()])
def test_ls_tree_and_show_take_every_file(path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    for command in ("ls", "tree", "show"):
        monkeypatch.setattr(sys, "argv", ["matlens", command, str(path)])
        code = run(group)
        captured = capsys.readouterr()
        assert code in (0, 1) and "Traceback" not in captured.err
        assert (code == 1) == bool(captured.err)
        for line in captured.err.splitlines():
            assert path.name in line


HEAVY = ("scipy", "pandas", "pyarrow", "h5py", "textual", "rich")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["ls", ANNOTATIONS], ["ls", str(FIXTURES / "kinds_v4.mat")], ["ls", "--help"], ["boxes", "--help"]],
)
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['matlens', *{arguments!r}]\n"
        "from matlens.cli import group\nfrom matlens.cli.output import run\n"
        "assert run(group) == 0\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith("LOADED []\n")


def sparse_v5(path: Path, size: int) -> None:
    """A v5 file of one uint8 variable of `size` bytes, a hole on disk, with two others around it."""
    import struct

    def element(name: bytes, dims: tuple[int, int], data: bytes | None, count: int) -> tuple[bytes, int]:
        flags = struct.pack("<IIII", 6, 8, 9, 0)
        shape = struct.pack("<IIii", 5, 8, *dims)
        label = struct.pack("<II", 1, len(name)) + name.ljust(8, b"\0")
        head = flags + shape + label + struct.pack("<II", 2, count)
        padded = (count + 7) // 8 * 8
        return struct.pack("<II", 14, len(head) + padded) + head + (data or b"").ljust(
            padded if data else 0, b"\0"
        ), padded

    with path.open("wb") as file:
        file.write(b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + b"\x00\x01IM")
        file.write(element(b"before", (1, 1), b"\x01", 1)[0])
        head, padded = element(b"big", (size, 1), None, size)
        file.write(head)
        file.seek(padded, 1)
        file.write(element(b"after", (1, 1), b"\x02", 1)[0])


RESIDENT = """
import mmap, os, sys

class Watched(mmap.mmap):
    def close(self):
        lines = open("/proc/self/smaps").read().split("\\n")
        start = next(k for k, line in enumerate(lines) if line.endswith("big.mat"))
        resident = next(line for line in lines[start:] if line.startswith("Rss:"))
        print("RESIDENT", resident.split()[1], file=sys.stderr)
        super().close()

mmap.mmap = Watched
from matlens.cli import group
from matlens.cli.output import run
sys.exit(run(group))
"""


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="pages in memory are told by Linux's /proc")
def test_ls_of_a_gigabyte_touches_few_of_its_pages(tmp_path: Path) -> None:
    path = tmp_path / "big.mat"
    sparse_v5(path, 1 << 30)
    done = subprocess.run([sys.executable, "-c", RESIDENT, "ls", "--json", str(path)], capture_output=True, check=True)
    names = [variable["name"] for variable in json.loads(done.stdout)["files"][0]["variables"]]
    assert names == ["before", "big", "after"]
    assert 0 < int(done.stderr.split()[-1]) <= 4096


def test_outputs_are_whole_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "out.parquet"
    command = ["boxes", ANNOTATIONS, "-o", str(target), "--force"]
    calls = calls_of(*command)
    target.unlink()
    for share in (0.0, 0.25, 0.5, 0.75, 0.95):
        done = run_until(max(round(share * calls), 1), signal.SIGKILL, *command)
        assert done.returncode == -signal.SIGKILL if share < 0.5 else done.returncode in (0, -signal.SIGKILL)
        assert not target.exists() or pq.read_table(target).num_rows == 140
        assert target.exists() or share > 0 or list(tmp_path.glob(".*.part"))


def test_the_conventions_of_the_command_are_those_of_the_library() -> None:
    from matlens.annotations import CONVENTIONS
    from matlens.cli.boxes import _CONVENTIONS

    assert tuple(CONVENTIONS) == _CONVENTIONS
