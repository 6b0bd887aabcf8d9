"""MAT-files that matlens writes: every value of every file comes back, by matlens and by SciPy."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

import matlens
from matlens.errors import MatlensError, UnfitFormat
from matlens.export import mat_encoder
from matlens.export.item import Item
from matlens.export.mat_encoder import matlab_names
from matlens.export.options import ExportOptions
from matlens.export.registry import find_format
from matlens.operations.diff import Difference, diff_nodes
from tests.support import FIXTURES, assert_same, fixture_files, mat_files

SCIPY_CANNOT = {"char_unicode.mat"}
"""Surrogate pairs: SciPy counts code points where the dims count UTF-16 units, in MATLAB's own file as well."""


def write_mat(items: list[Item], target: Path) -> list[Any]:
    return find_format(None, "mat").write(items, target, ExportOptions(force=True))


def save(file: matlens.MatFile, names: list[str], target: Path) -> list[Any]:
    return write_mat([Item.of_value(name, file.at(name)) for name in names], target)


PLAIN = {"cell", "char", "double", "function_handle", "logical", "single", "struct"}
PLAIN |= {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
"""Classes whose values MAT-files hold without object data."""
REPLACED = "are not written to MAT-files: []"


@pytest.mark.parametrize("path", [*mat_files(), *fixture_files()])
def test_every_variable_comes_back(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "one.mat"
    with matlens.open(path) as file:
        assert len(file) or file.problems
        for name, node in file.items():
            try:
                notes = list(write_mat([Item.of_value(name, node)], target))
            except MatlensError:
                assert node.error is not None or _fails(node)
                continue
            if any(note.text.startswith("not written: ") for note in notes):
                assert node.error is not None or node.matlab_class not in PLAIN or _fails(node)
                continue
            with matlens.open(target) as again:
                (found,) = again.values()
                _check_differences(list(diff_nodes(node, found)), notes)
            if path.name not in SCIPY_CANNOT:
                _same_by_scipy(target)


def _check_differences(differences: list[Difference], notes: list[Any]) -> None:
    """Fields that were renamed and objects that were replaced differ, and nothing else does."""
    renamed = [note for note in notes if note.text.startswith("named ") and "." in note.path]
    # The workspace of a function handle is an object as well, of which `diff` compares the text alone.
    replaced = [note for note in notes if note.text.endswith(REPLACED) and "function_handle_workspace" not in note.text]
    by_what = {what: [d for d in differences if d.what == what] for what in {d.what for d in differences}}
    assert len(by_what.pop("fields", [])) == 2 * len(renamed), differences
    classes = by_what.pop("class", [])
    assert bool(classes) == bool(replaced) and all(d.b == "double" and d.a not in PLAIN for d in classes), differences
    assert not by_what, by_what


def _fails(node: Any) -> bool:
    try:
        node.to_numpy()
    except MatlensError:
        return True
    return False


def _same_by_scipy(path: Path) -> None:
    """SciPy and matlens read the same in a file that matlens wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = scipy.io.loadmat(path)
    found = matlens.loadmat(path, mat_dtype=False)
    for name in expected:
        if not name.startswith("__"):
            assert_same(found[name], expected[name], name)


def test_what_scipy_would_lose_is_kept(tmp_path: Path) -> None:
    text = "a\0b\U0001f600"
    with h5py.File(tmp_path / "in.mat", "w", userblock_size=512) as file:
        units = np.frombuffer(text.encode("utf-16-le"), np.uint16)
        for name, values, cls in (
            ("text", units[:, None], "char"),
            ("x", np.array([[2**63 - 1]]), "int64"),
            ("wide", np.array([[0, 3]], np.uint64), "char"),
        ):
            dataset = file.create_dataset(name, data=values)
            dataset.attrs["MATLAB_class"] = np.bytes_(cls)
            if cls == "char":
                dataset.attrs["MATLAB_int_decode"] = np.int32(2)
        file["wide"].attrs["MATLAB_empty"] = np.uint8(1)
    with matlens.open(tmp_path / "in.mat") as file:
        assert save(file, ["text", "x", "wide"], tmp_path / "out.mat") == []
    with matlens.open(tmp_path / "out.mat") as file:
        assert file["text"].value == text and file["text"].dims == (1, 5)
        assert file["x"].value.item() == 2**63 - 1 and file["x"].matlab_class == "int64"
        assert file["wide"].dims == (0, 3) and file["wide"].matlab_class == "char"


def test_parts_of_values(tmp_path: Path) -> None:
    with matlens.open(FIXTURES / "annotations_v73.mat") as file:
        names = ["annotations(3)", "annotations(2:4)", "annotations(3).boxes(1,:)", "annotations.image"]
        notes = save(file, names, tmp_path / "parts.mat")
        assert len(notes) == 4 and all(note.text.startswith("named annotations_") for note in notes)
        with matlens.open(tmp_path / "parts.mat") as parts:
            for name, found in zip(names, parts.values(), strict=True):
                assert_same(found.to_numpy(), file.at(name).to_numpy())


def test_names_that_matlab_takes() -> None:
    assert matlab_names(["x", "_x", "2x", "a-b", "a b", "é", "n" * 80, "n" * 70]) == [
        "x",
        "x_x",
        "x2x",
        "a_b",
        "a_b_2",
        "x_",
        "n" * 63,
        "n" * 63 + "_2",
    ]


def test_variables_of_4_gb_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mat_encoder, "MAX_BYTES", 10_000)
    with (
        matlens.from_loadmat({"x": np.zeros(2000)}) as file,
        pytest.raises(UnfitFormat, match=r"x: 16,0\d\d bytes: a v7 file holds variables of less than 4 GB"),
    ):
        save(file, ["x"], tmp_path / "x.mat")
    assert list(tmp_path.iterdir()) == []


def test_deflate_streams_with_a_long_preamble_are_read(tmp_path: Path) -> None:
    """Trees of Huffman codes that take more than 128 bytes once hid the head of a variable."""
    values = np.random.default_rng(0).normal(size=(60, 40)).round(1)
    with matlens.from_loadmat({"x": values, "s": scipy.sparse.csc_array(np.eye(50) * values[:50, :1])}) as file:
        save(file, ["x", "s"], tmp_path / "x.mat")
    with matlens.open(tmp_path / "x.mat") as file:
        np.testing.assert_array_equal(file["x"].value, values)
    np.testing.assert_array_equal(scipy.io.loadmat(tmp_path / "x.mat")["x"], values)
