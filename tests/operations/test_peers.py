"""The files that other libraries test themselves with, read as they expect.

They are fetched as these libraries are published, and checked by their hash.
"""

from __future__ import annotations

import hashlib
import http.client
import tarfile
import urllib.request
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import matlens
from matlens.errors import CorruptFile, UnsupportedValue
from tests.matio_values import matio_values, same_as_matio
from tests.support import assert_same, corpus_files

pytestmark = [pytest.mark.campaign, pytest.mark.filterwarnings("ignore::UserWarning")]

MAT_IO = (
    "https://files.pythonhosted.org/packages/fb/01/f4f90001f6bdd2b92d5bbbd4b451e3125ef6a3a6bcd94f180463595c344d/"
    "mat_io-1.0.2.tar.gz",
    "915f542b40c10aa6bac59e5cfefe86b3d5d7244dcc34728008e7a8fa5839928d",
)
PYMATREADER = (
    "https://files.pythonhosted.org/packages/48/1e/4d33764d2256d6eaf77186e2e17b95c5dbd982890cd984bd48751820b7ae/"
    "pymatreader-1.3.2.tar.gz",
    "8850b52d735df75b120b6ae5c5f80c92e07d8c163ed653c814d7b904fac7afc5",
)
DAMAGED = ("test_corrupted_mcos_object_metadata.mat", "test_corrupted_subsystem.mat")
ELSEWHERE = {
    ("chars.mat", "f"): "the last dimension of N-D text is joined, as SciPy joins it; `value` has the texts",
    ("chars_hdf.mat", "f"): "the same",
}
"""Variables in which `loadmat` and mat-io have other forms, with the reason."""


def fetched(source: tuple[str, str], folder: Path) -> Path:
    """The folder of tests in a library as it is published."""
    address, expected = source
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            content = answer.read()
    except (OSError, http.client.HTTPException) as error:
        pytest.skip(f"{address.rpartition('/')[2]} cannot be fetched: {error}")
    assert hashlib.sha256(content).hexdigest() == expected
    archive = folder / "source.tar.gz"
    archive.write_bytes(content)
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    (tests,) = folder.glob("*/tests")
    return tests


@pytest.fixture(scope="module")
def mat_io(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fetched(MAT_IO, tmp_path_factory.mktemp("mat_io"))


def test_values_of_mat_io(mat_io: Path) -> None:
    compared = 0
    for path in sorted(mat_io.rglob("*.mat")):
        if path.name in DAMAGED:
            continue
        ours = matlens.loadmat(path, mat_dtype=True)
        for name, theirs in matio_values(path).items():
            if (path.name, name) not in ELSEWHERE:
                same_as_matio(ours[name], theirs, f"{path.name}: {name}")
                compared += 1
    assert compared > 370
    texts = matlens.open(mat_io / "bug-52" / "chars.mat")["f"].value
    assert texts[0].tolist() == ["\U0001f600\U0001d11e\U00010348\U0001f680", "\U0001f680\U0001f600\U0001d11e\U00010348"]


def test_damaged_files_of_mat_io(mat_io: Path) -> None:
    for name in DAMAGED:
        with matlens.open(next(mat_io.rglob(name))) as file, pytest.raises(CorruptFile, match="var: "):
            _ = file["var"].value


@pytest.mark.parametrize("form", ["value", "to_python", "to_arrow"])
def test_versions_of_mat_io_are_equal(form: str, mat_io: Path) -> None:
    pairs = 0
    for path in sorted((mat_io / "data").glob("*_v7.mat")):
        with matlens.open(path) as v7, matlens.open(path.with_name(path.name.replace("_v7", "_v73"))) as v73:
            assert sorted(v7) == sorted(v73)
            for name in v7:
                a, b = (attempt(file[name], form) for file in (v7, v73))
                assert repr(a) == repr(b), f"{path.name}: {name}"
                pairs += 1
    assert pairs > 150


def attempt(node: matlens.Node, form: str) -> Any:
    """A value, or why there is none, whichever file it stands in."""
    try:
        found = getattr(node, form)
        value = found() if callable(found) else found
        return (value.schema.remove_metadata(), value.to_pylist()) if form == "to_arrow" else value
    except UnsupportedValue as error:
        return error.message


def test_values_of_pymatreader(tmp_path: Path) -> None:
    data = fetched(PYMATREADER, tmp_path) / "test_data"

    def load(name: str) -> dict[str, Any]:
        found = matlens.loadmat(data / name, mat_dtype=True)
        return {key: value for key, value in found.items() if not key.startswith("__")}

    oldest, old, new, newest = (load(name) for name in ("v4.mat", "v6.mat", "v7.mat", "v73.mat"))
    assert_same(new, old)
    assert_same(new, newest)
    assert_same({name: new[name] for name in oldest}, oldest)
    for names in (
        ("ft_v7.mat", "ft_v73.mat"),
        ("bti_raw_v7.mat", "bti_raw_v73.mat"),
        ("cell_struct_v6.mat", "cell_struct_v7.mat", "cell_struct_v73.mat"),
        ("struct_in_cell_v6.mat", "struct_in_cell_v7.mat", "struct_in_cell_v73.mat"),
    ):
        first, *others = map(load, names)
        for other in others:
            assert_same(first, other, names[0])
    for version in ("v4", "v6", "v7", "v73"):
        for csv in data.glob("sparse_*.csv"):
            if csv.stat().st_size:
                expected = np.loadtxt(csv, delimiter=",")
                name = f"A_{csv.stem.removeprefix('sparse_')}"
                found = load(f"sparse_{version}.mat").get(name)
                if found is not None:
                    np.testing.assert_allclose(found.toarray().squeeze(), expected.squeeze(), atol=1e-15)
    root = ET.parse(data / "xmldata.xml").getroot()[0]
    for element, values in ((root, new), (root.find("a_struct"), new["a_struct"].ravel()[0])):
        assert element is not None
        for name in ("a_matrix", "matrix", "a_float", "float", "an_integer", "int"):
            if (child := element.find(name)) is not None:
                assert child.text is not None
                expected = np.array([row.split() for row in child.text.strip("[]").split(";")], float)
                np.testing.assert_allclose(values[name], expected, rtol=1e-12)


SCRAMBLED = ("char_arr_2d", "char_arr_3d")
"""Texts of several rows, which mat73 joins in the order in which they are stored."""


def same_as_mat73(ours: Any, theirs: Any, path: str) -> None:
    """Equal values; struct arrays of mat73 are a dictionary of lists, and what is empty is None."""
    if isinstance(theirs, dict):
        records = ours if isinstance(ours, list) else [ours]
        for name, value in theirs.items():
            found = [record[name] for record in records]
            same_as_mat73(found if isinstance(ours, list) else found[0], value, f"{path}.{name}")
    elif isinstance(theirs, list):
        items = ours if isinstance(ours, list) else [ours]
        if len(theirs) == 1 and len(items) != 1:
            # Values that differ in dims stand in a list of their own.
            (theirs,) = theirs
        for k, (x, y) in enumerate(zip(items, theirs, strict=True)):
            same_as_mat73(x, y, f"{path}[{k}]")
    elif theirs is None:
        assert ours in (None, [], "", {}), path
    elif isinstance(theirs, str):
        assert ours == theirs, path
    else:
        expected = np.ravel(theirs.toarray() if hasattr(theirs, "toarray") else theirs)
        np.testing.assert_array_equal(np.ravel(ours).astype(expected.dtype), expected, path)


@pytest.mark.parametrize("path", corpus_files("skjerns+mat7.3/**/*.mat"))
def test_values_of_mat73(path: Path) -> None:
    mat73 = pytest.importorskip("mat73")
    with matlens.open(path) as file:
        for name, theirs in mat73.loadmat(path).items():
            if name not in SCRAMBLED:
                same_as_mat73(file[name].to_python(), theirs, name)
