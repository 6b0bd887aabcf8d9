"""`matlens.loadmat` against `scipy.io.loadmat`, and v7.3 against v7."""

from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

import matlens
from matlens.errors import CorruptFile, MatlensError
from tests import objects as o
from tests.expected import SCIPY_REFUSES
from tests.support import CORPUS, FIXTURES, assert_same, corpus_files, files_of_scipy, mat_files, scipy_files

# What SciPy cannot read, or reads wrongly; each has a test of its own below.
DAMAGED_OBJECTS = {"corrupted_mcos_object_metadata.mat", "corrupted_subsystem.mat"}
"""SciPy, which does not look at objects, reads these; their only variable is one."""
BROKEN = [
    "bad_miuint32.mat",
    "corrupted_zlib_checksum.mat",
    "corrupted_zlib_data.mat",
    "debigged_m4.mat",
    "malformed1.mat",
]
UNEQUAL = {"partial.mat"}
"""The file of v7.3 has other values than that of v7."""
SCIPY_FAULTS = {
    ("empty_cells.mat", "empty_cells"),
    ("figure.fig", "hgS_070000"),
    ("plot-simple.fig", "hgS_070000"),
    ("v6/string.mat", "accented_string"),
}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"squeeze_me": True},
    {"struct_as_record": False},
    {"simplify_cells": True},
    {"chars_as_strings": False},
    {"spmatrix": False},
]


def scipy_loadmat(path: Path, **options: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(scipy.io.loadmat(path, **options))


def compared(pattern: str = "**/*") -> list[Any]:
    """Files that SciPy reads as matlens must."""
    return [p for p in files_of_scipy(pattern) if p.values[0] is None or p.values[0].name not in DAMAGED_OBJECTS]


def refused_by_scipy() -> list[Any]:
    paths = ((parameter, parameter.values[0]) for parameter in mat_files())
    return [p for p, path in paths if path is not None and path.name in SCIPY_REFUSES and not h5py.is_hdf5(path)]


@pytest.mark.parametrize("path", refused_by_scipy())
def test_scipy_refuses_what_its_list_names(path: Path) -> None:
    with pytest.raises((TypeError, ValueError, zlib.error)):
        scipy_loadmat(path)


def shared_variables(path: Path, expected: dict[str, Any]) -> list[str]:
    where = f"{path.parent.name}/{path.name}"
    faults = {name for file, name in SCIPY_FAULTS if file in (where, path.name)}
    return [name for name in expected if not name.startswith("__") and name != "None" and name not in faults]


@pytest.mark.filterwarnings("ignore:.*stored 2 times", "ignore:.*data of all objects are missing")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("path", compared())
def test_equals_scipy_with_storage_types(path: Path, options: dict[str, Any]) -> None:
    expected = scipy_loadmat(path, mat_dtype=False, **options)
    found = matlens.loadmat(path, mat_dtype=False, **options)
    for name in shared_variables(path, expected):
        assert_same(expected[name], found[name], name)
    if not options:
        for key in ("__header__", "__version__", "__globals__"):
            assert (key in expected) == (key in found) and expected.get(key) == found.get(key)


@pytest.mark.filterwarnings("ignore:.*stored 2 times", "ignore:.*data of all objects are missing")
@pytest.mark.parametrize("path", compared("**/v[67]/*"))
def test_equals_scipy_in_matlab_classes(path: Path) -> None:
    expected = scipy_loadmat(path, mat_dtype=True)
    stored = scipy_loadmat(path, mat_dtype=False)
    found = matlens.loadmat(path, mat_dtype=True)
    for name in shared_variables(path, expected):
        if _has_complex(stored[name]):
            continue
        assert_same(expected[name], found[name], name)


def _has_complex(value: Any) -> bool:
    if isinstance(value, np.ndarray) and value.dtype.names:
        return any(_has_complex(item) for name in value.dtype.names for item in value[name].ravel())
    if isinstance(value, np.ndarray) and value.dtype == object:
        return any(_has_complex(item) for item in value.ravel())
    return getattr(getattr(value, "dtype", None), "kind", "") == "c"


def twins() -> list[Any]:
    """Files of v7 beside which the same values stand in a file of v7.3."""
    found = [
        parameter
        for parameter in corpus_files("**/v7/*")
        if parameter.values[0] is None
        or (_twin(parameter.values[0]).exists() and parameter.values[0].name not in DAMAGED_OBJECTS | UNEQUAL)
    ]
    assert found
    return found


def _twin(path: Path) -> Path:
    return path.parent.parent / "v7.3" / path.name


@pytest.mark.parametrize("path", twins())
def test_v7_equals_v73(path: Path) -> None:
    a, b = matlens.loadmat(path, mat_dtype=True), matlens.loadmat(_twin(path), mat_dtype=True)
    names = {name for name in a if name in b and not name.startswith("__")}
    assert names
    for name in names:
        if not _has_objects(a[name]):
            assert_same(a[name], b[name], name)


def _has_objects(value: Any) -> bool:
    if type(value).__name__ in ("MatlabOpaque", "MatlabFunction", "MatlabObject"):
        return True
    if isinstance(value, np.ndarray) and value.dtype.names:
        return any(_has_objects(item) for name in value.dtype.names for item in value[name].ravel())
    return isinstance(value, np.ndarray) and value.dtype == object and any(map(_has_objects, value.ravel()))


@pytest.mark.parametrize("stem", ["annotations", "kinds", "faces", "digits"])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_fixtures_v7_equal_v73(stem: str, options: dict[str, Any]) -> None:
    a = matlens.loadmat(FIXTURES / f"{stem}_v7.mat", **options)
    b = matlens.loadmat(FIXTURES / f"{stem}_v73.mat", **options)
    for name in (name for name in a if not name.startswith("__")):
        assert_same(a[name], b[name], name)


@pytest.mark.parametrize("stem", ["annotations", "kinds"])
def test_fixtures_v6_equal_v7(stem: str) -> None:
    a, b = (matlens.loadmat(FIXTURES / f"{stem}_{version}.mat") for version in ("v6", "v7"))
    for name in (name for name in a if not name.startswith("__")):
        assert_same(a[name], b[name], name)


def test_scipy_fault_imaginary_parts_are_kept() -> None:
    found = matlens.loadmat(FIXTURES / "kinds_v7.mat")["complex"]
    np.testing.assert_array_equal(found["row"][0, 0], [[1 + 2j, 3 - 4j]])
    assert found["f32"][0, 0].dtype == np.complex64


def test_scipy_fault_zero_byte_elements_are_0x0() -> None:
    path = CORPUS / "JuliaIO+MAT.jl" / "test"
    if not path.exists():
        pytest.skip("no corpus beside the project")
    for version in ("v6", "v7", "v7.3"):
        cells = matlens.loadmat(path / version / "empty_cells.mat")["empty_cells"]
        assert cells[0, 0].shape == (0, 0) and cells[0, 0].dtype == np.float64


def test_scipy_fault_code_units_are_not_replaced(corpus: Any) -> None:
    # The file holds two bytes of UTF-8 in units of 16 bits; SciPy replaces them, which loses them.
    path = corpus("JuliaIO+MAT.jl/test/v6/string.mat")
    (text,) = matlens.loadmat(path)["accented_string"]
    assert text == "th\u00e9 q\u00fc\u00eeck brow\u00f1 f\u00f2x"


def test_scipy_fault_objects_keep_their_names(corpus: Any) -> None:
    path = corpus("JuliaIO+MAT.jl/test/v7/varnames.mat")
    with matlens.open(path) as file:
        assert list(file) == ["a", "b", "c", "d"]
        assert file["c"].matlab_class == "string"
    found = matlens.loadmat(path)
    assert found["c"] == "stringstring"
    np.testing.assert_array_equal(found["d"], scipy.io.loadmat(path, mat_dtype=True)["d"])


def test_scipy_fault_a_read_failure_raises() -> None:
    # SciPy may return "Read error: …" as the value of a variable.
    path = [p.values[0] for p in scipy_files() if p.id == "corrupted_zlib_data.mat"][0]
    with pytest.raises(CorruptFile, match=r"corrupted_zlib_data\.mat: datagrid: compressed data"):
        matlens.loadmat(path)
    good = matlens.loadmat(path, variable_names=["dates", "dscodes"])
    assert good["dates"].shape == (0, 1)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_raise_with_name_and_offset(name: str) -> None:
    path = [p.values[0] for p in scipy_files() if p.id == name][0]
    with pytest.raises(MatlensError, match=rf"{name}: \w+: .* \(at byte \d+\)"):
        matlens.loadmat(path)


def test_mdict_appendmat_and_variable_names(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "some.mat", {"a": np.arange(3.0), "b": "text"})
    given: dict[str, Any] = {"mine": 1}
    result = matlens.loadmat(tmp_path / "some", given, variable_names="a")
    assert result is given and "b" not in given and given["a"].tolist() == [[0.0, 1.0, 2.0]]
    with pytest.raises(FileNotFoundError):
        matlens.loadmat(tmp_path / "some", appendmat=False)


def test_file_objects_and_matlab_compatible(tmp_path: Path) -> None:
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"t": "abc", "n": np.array([1, 2], np.int8)})
    expected = scipy.io.loadmat(io.BytesIO(stream.getvalue()), matlab_compatible=True)
    found = matlens.loadmat(stream, matlab_compatible=True)
    assert_same(expected["t"], found["t"])
    assert_same(expected["n"], found["n"])


def test_v73_from_a_file_object() -> None:
    stream = io.BytesIO((FIXTURES / "kinds_v73.mat").read_bytes())
    assert_same(matlens.loadmat(stream)["cells"], matlens.loadmat(FIXTURES / "kinds_v7.mat")["cells"])


def test_storage_types_do_not_wrap(car_annotations: Path) -> None:
    whole = matlens.loadmat(car_annotations)["annotations"]
    assert whole["bbox_x1"][0, 0].dtype == np.int64
    assert sum(int(value[0, 0]) for value in whole["bbox_x1"].ravel()) == 528_601
    typed = matlens.loadmat(car_annotations, mat_dtype=True)["annotations"]
    stored = matlens.loadmat(car_annotations, mat_dtype=False)["annotations"]
    assert typed["bbox_x1"][0, 0].dtype == np.float64
    assert stored["bbox_x1"][0, 0].dtype == np.uint8
    assert sum(float(value[0, 0]) for value in typed["bbox_x1"].ravel()) == 528_601


def test_results_are_writable() -> None:
    found = matlens.loadmat(FIXTURES / "kinds_v6.mat")["numbers"]["f64"][0, 0]
    found[0, 0] = 7
    assert found[0, 0] == 7


# --- what scripts rely on ------------------------------------------------------------------


def test_doubles_that_are_stored_as_integers_are_int64(car_annotations: Path) -> None:
    """They index, slice and print as in SciPy, and do not wrap around."""
    record = matlens.loadmat(car_annotations, squeeze_me=True)["annotations"][0]
    x1, x2 = record["bbox_x1"], record["bbox_x2"]
    assert f"{int(record['class']):05d}" == "00014" and [*range(20)][record["class"]] == 14
    assert np.arange(600)[x1:x2].shape == (int(x2) - int(x1),) and x1 - x2 < 0
    simple = matlens.loadmat(car_annotations, simplify_cells=True)["annotations"]
    assert isinstance(simple[0]["bbox_x1"], int | np.integer)


@pytest.mark.filterwarnings("ignore:.*stored 2 times", "ignore:.*data of all objects are missing")
@pytest.mark.parametrize("path", compared("**/*"))
def test_the_default_differs_from_scipy_in_narrow_types_alone(path: Path) -> None:
    expected, found = scipy_loadmat(path, mat_dtype=True), matlens.loadmat(path)
    for name in shared_variables(path, expected):
        if _has_objects(expected[name]) or _has_complex(matlens.loadmat(path, mat_dtype=True)[name]):
            continue
        _same_numbers(expected[name], found[name], name)


def _same_numbers(a: Any, b: Any, path: str) -> None:
    """Equal values, of equal types but for doubles that are whole."""
    if not isinstance(a, np.ndarray) or a.dtype.kind in "US":
        return
    if a.dtype.names:
        for name in a.dtype.names:
            for x, y in zip(a[name].ravel(), b[name].ravel(), strict=True):
                _same_numbers(x, y, f"{path}.{name}")
    elif a.dtype == object:
        for x, y in zip(a.ravel(), b.ravel(), strict=True):
            _same_numbers(x, y, f"{path}{{}}")
    else:
        # In v4, SciPy keeps narrow integers as well.
        assert b.dtype == a.dtype.newbyteorder("=") or (a.dtype.kind in "fiu" and b.dtype == np.int64), path
        assert a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), path


def test_content_that_is_not_a_mat_file_is_caught_as_in_scipy(tmp_path: Path) -> None:
    from scipy.io.matlab import MatReadError

    (tmp_path / "x.mat").write_bytes(b"<html>no</html>")
    for caught in (MatReadError, ValueError, matlens.errors.NotAMatFile):
        with pytest.raises(caught, match=r"x\.mat: .*HTML"):
            matlens.loadmat(tmp_path / "x.mat")


def test_a_path_may_be_bytes(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "x.mat", {"a": 1.5})
    for name in ("x.mat", "x"):
        assert matlens.loadmat(str(tmp_path / name).encode())["a"] == 1.5
    assert matlens.loadmat((tmp_path / "x.mat").read_bytes())["a"] == 1.5


@pytest.mark.parametrize("path", [path for path in scipy_files() if "7" in str(path)])
def test_the_workspace_of_functions_comes_back(path: Any) -> None:
    try:
        expected = scipy_loadmat(path.values[0] if hasattr(path, "values") else path)
    except Exception:
        pytest.skip("SciPy does not read it")
    found = matlens.loadmat(path.values[0] if hasattr(path, "values") else path)
    key = "__function_workspace__"
    assert (key in expected) == (key in found)
    if key in expected:
        assert_same(expected[key], found[key], key)


@pytest.mark.parametrize("version", ["v7", "v7.3"])
def test_a_handle_of_two_variables_is_one_object(tmp_path: Path, version: str) -> None:
    shared = o.made("my.Handle", x=1.0)
    o.save(tmp_path, version, a=shared, b=o.cell(shared), c=o.string([[None]])).close()
    loaded = matlens.loadmat(tmp_path / f"{version}.mat")
    assert loaded["a"] is loaded["b"][0, 0] and loaded["c"] is None


def test_an_object_that_cannot_be_decoded_leaves_the_others(corpus: Any) -> None:
    path = corpus("JuliaIO+MAT.jl/test/v7/corrupted_mcos_object_metadata.mat")
    with pytest.warns(UserWarning, match="corrupted_mcos_object_metadata"):
        loaded = matlens.loadmat(path)
    assert type(loaded["var"]).__name__ == "MatlabOpaque"
