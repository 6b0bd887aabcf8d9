"""What is imported, told by names and not by clocks: pandas takes longer than most conversions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import FIXTURES

HEAVY = ("numpy", "pyarrow", "pandas", "scipy", "h5py", "textual", "rich", "duckdb")
CODE = """
import json, sys
sys.argv = ["matlens", *{arguments}]
try:
    {statement}
except SystemExit as done:
    assert not done.code, done.code
print(json.dumps([name for name in {heavy} if name in sys.modules]), file=sys.stderr)
"""


def imported(*arguments: str, statement: str = "from matlens.cli import main; main()") -> set[str]:
    """The heavy packages that a process has imported in the end."""
    code = CODE.format(arguments=list(arguments), statement=statement, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120, check=True)
    found: list[str] = json.loads(done.stderr.splitlines()[-1])
    return set(found)


def test_the_package_imports_the_standard_library_alone() -> None:
    assert imported(statement="import matlens") == set()


@pytest.mark.parametrize("command", [(), ("convert",), ("boxes",), ("sql",), ("check",), ("ls",), ("show",)])
def test_help_needs_no_numpy(command: tuple[str, ...]) -> None:
    assert imported(*command, "--help") == set()


KINDS = ["annotations", "digits", "faces", "kinds", "scene"]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
@pytest.mark.parametrize("version", ["v7", "v73"])
@pytest.mark.parametrize("name", KINDS)
def test_convert_imports_no_pandas(tmp_path: Path, name: str, version: str, suffix: str) -> None:
    path = str(FIXTURES / f"{name}_{version}.mat")
    found = imported("convert", path, "-o", f"{tmp_path}/", "--format", suffix, "--flatten")
    assert "pyarrow" in found and "pandas" not in found
    assert list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
@pytest.mark.parametrize("version", ["v7", "v73"])
@pytest.mark.parametrize("name", ["annotations", "faces"])
def test_boxes_imports_no_pandas(tmp_path: Path, name: str, version: str, suffix: str) -> None:
    target = tmp_path / f"b.{suffix}"
    size = ("--image-size", "999", "999") if suffix == "json" else ()
    found = imported("boxes", str(FIXTURES / f"{name}_{version}.mat"), "-o", str(target), *size)
    assert "pyarrow" in found and "pandas" not in found
    assert target.stat().st_size


@pytest.mark.parametrize("version", ["v7", "v73"])
def test_sql_imports_no_pandas(version: str) -> None:
    pytest.importorskip("duckdb")
    path = str(FIXTURES / f"annotations_{version}.mat")
    query = "select image, size from annotations where reviewed"
    assert "pandas" not in imported("sql", path, query, "--csv", "--flatten")
