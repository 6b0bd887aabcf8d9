"""SciPy's own tests of MAT-files, with `matlens.loadmat` in the place of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXCEPTIONS = {
    "test_mat73": "files of v7.3, which SciPy refuses, are read",
    "test_miutf8_for_miint8_compromise": "names outside ASCII, which SciPy refuses, are read",
    "test_opaque": "objects are decoded, and not SciPy's type of opaque ones",
    "test_large_m4": "the text of the message",
    "test_corrupt_files": "the text of the message",
}
"""Tests that fail with matlens, and why; all others pass."""


def test_the_tests_of_scipy_pass() -> None:
    if find_spec("scipy.io.matlab.tests") is None:
        pytest.skip("SciPy is installed without its tests")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.replaced_loadmat", "-p", "no:cacheprovider"]
    command += ["-c", "/dev/null", "--pyargs", "scipy.io.matlab.tests"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    failed = set(re.findall(r"^FAILED \S*::(\w+)", done.stdout, re.MULTILINE))
    assert failed == EXCEPTIONS.keys(), done.stdout[-3000:]
    (passed,) = re.findall(r"(\d+) passed", done.stdout)
    assert int(passed) > 90
