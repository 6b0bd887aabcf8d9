"""Shared places, and the comparison of values with those of other readers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io.matlab
import scipy.sparse

from tests.expected import REFUSED, SCIPY_REFUSES

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures"
CORPUS = ROOT.parent / "shared" / "corpus"
SCIPY_DATA = Path(scipy.io.matlab.__file__).parent / "tests" / "data"
EVIL = "\x1b]0;PWNED\x07"
"""Text that would set the title of a terminal."""


def run(*arguments: str, stdin: bytes | None = None, **environment: str) -> Any:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "matlens", *arguments],
        input=stdin,
        capture_output=True,
        timeout=120,
        env=os.environ | environment,
        check=False,
    )


def out(*arguments: str, code: int = 0, **options: Any) -> str:
    """What a command prints, which ends with a code and without a traceback."""
    done = run(*arguments, **options)
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    return str(done.stdout.decode())


def fixture_files(*names: str) -> list[Any]:
    """Fixtures as test parameters: all of them, or those named."""
    found = [FIXTURES / name for name in names] or sorted(FIXTURES.glob("*.mat"))
    assert found
    return [pytest.param(p, id=p.name) for p in found]


def corpus_files(pattern: str = "**/*") -> list[Any]:
    """Corpus files as test parameters; one skipped parameter where the folder is absent."""
    if not CORPUS.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason="no corpus beside the project"))]
    found = sorted(p for p in CORPUS.glob(pattern) if p.suffix in (".mat", ".fig"))
    assert found, f"no file of the corpus is {pattern}"
    return [pytest.param(p, id=str(p.relative_to(CORPUS))) for p in found]


def scipy_files() -> list[Any]:
    """Files that SciPy brings for its own tests, as test parameters."""
    found = sorted(SCIPY_DATA.glob("*.mat"))
    assert len(found) > 100
    return [pytest.param(p, id=p.name) for p in found]


def mat_files(pattern: str = "**/*") -> list[Any]:
    """Files that `matlens.open` must take, of SciPy and of the corpus, as test parameters."""
    return [p for p in [*corpus_files(pattern), *scipy_files()] if p.id not in REFUSED]


def assert_same(a: Any, b: Any, path: str = "", *, exact_dtype: bool = True) -> None:
    """Equal containers, shapes, dtypes and values; NaN equals NaN.

    Of objects SciPy gives the reference alone, which tells their class; their values are compared elsewhere.
    """
    if "MatlabOpaque" in (type(a).__name__, type(b).__name__):
        assert object_class(a) == object_class(b), path
        return
    if hasattr(a, "iloc"):
        assert a.equals(b), path
        return
    if scipy.sparse.issparse(a):
        assert type(a) is type(b) and a.shape == b.shape, path
        np.testing.assert_array_equal(a.toarray(), b.toarray(), err_msg=path)
        return
    assert type(a) is type(b), f"{path}: {type(a)} against {type(b)}"
    if isinstance(a, np.ndarray):
        _assert_same_array(a, b, path, exact_dtype)
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            assert_same(a[key], b[key], f"{path}.{key}", exact_dtype=exact_dtype)
    elif isinstance(a, list):
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{path}[{i}]", exact_dtype=exact_dtype)
    elif hasattr(a, "_fieldnames"):
        assert a._fieldnames == b._fieldnames, path
        for name in a._fieldnames:
            assert_same(getattr(a, name), getattr(b, name), f"{path}.{name}", exact_dtype=exact_dtype)
    else:
        assert a == b or (a != a and b != b), f"{path}: {a!r} against {b!r}"


def files_of_scipy(pattern: str = "**/*") -> list[Any]:
    """Files of v4 to v7 that `scipy.io.loadmat` reads, as test parameters."""
    found = [(parameter, parameter.values[0]) for parameter in mat_files(pattern)]
    return [each for each, path in found if path is None or (path.name not in SCIPY_REFUSES and not h5py.is_hdf5(path))]


def object_class(value: Any) -> str:
    """MATLAB's class of an object: of the reference that SciPy gives, or of what matlens makes of it."""
    if type(value).__name__ == "MatlabOpaque":
        return str(value["s2"].item().decode())
    name = value.dtype.name.split("[")[0] if isinstance(value, np.ndarray) else type(value).__name__
    known = {"datetime64": "datetime", "timedelta64": "duration", "DataFrame": "table", "Categorical": "categorical"}
    return str(getattr(value, "class_name", known.get(name, name)))


def _assert_same_array(a: Any, b: Any, path: str, exact_dtype: bool) -> None:
    assert a.shape == b.shape, f"{path}: {a.shape} against {b.shape}"
    if a.dtype.names is not None:
        assert a.dtype.names == b.dtype.names, path
        for name in a.dtype.names:
            for x, y in zip(a[name].ravel(), b[name].ravel(), strict=True):
                assert_same(x, y, f"{path}.{name}", exact_dtype=exact_dtype)
    elif a.dtype == object:
        for i, (x, y) in enumerate(zip(a.ravel(), b.ravel(), strict=True)):
            assert_same(x, y, f"{path}{{{i}}}", exact_dtype=exact_dtype)
    else:
        if exact_dtype:
            assert a.dtype.newbyteorder("=") == b.dtype.newbyteorder("="), f"{path}: {a.dtype} against {b.dtype}"
        np.testing.assert_array_equal(a, b, err_msg=path)
