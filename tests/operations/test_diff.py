"""Differences between files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

import matlens
from matlens.operations import diff as module
from matlens.operations.diff import Difference, diff
from tests.support import CORPUS, FIXTURES, run


def compare(a: dict[str, Any], b: dict[str, Any], **options: float) -> list[Difference]:
    return list(diff(matlens.from_loadmat(a), matlens.from_loadmat(b), **options))


def one(a: Any, b: Any, **options: float) -> Difference:
    (found,) = compare({"x": a}, {"x": b}, **options)
    return found


def cell(*items: Any) -> Any:
    array = np.empty((1, len(items)), object)
    array[0, :] = items
    return array


PAIRS = [
    pytest.param(path, path.parent.parent / "v7.3" / path.name, id=path.name)
    for path in sorted(CORPUS.glob("JuliaIO+MAT.jl/test/v7/*.mat"))
    if (path.parent.parent / "v7.3" / path.name).exists()
] or [pytest.param(None, None, marks=pytest.mark.skip(reason="no corpus beside the project"))]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_v7_equals_v73(a: Path, b: Path) -> None:
    with matlens.open(a) as first, matlens.open(b) as second:
        assert [d for d in diff(first, second) if d.what not in ("not compared", "unreadable")] == []


@pytest.mark.parametrize("versions", [("v6", "v7"), ("v7", "v73"), ("v73", "v6")])
@pytest.mark.parametrize("stem", ["annotations", "kinds"])
def test_fixtures_of_all_versions_are_equal(stem: str, versions: tuple[str, str]) -> None:
    with (
        matlens.open(FIXTURES / f"{stem}_{versions[0]}.mat") as a,
        matlens.open(FIXTURES / f"{stem}_{versions[1]}.mat") as b,
    ):
        assert list(diff(a, b)) == []


def test_missing_class_dims_and_values() -> None:
    a = {"same": 1.0, "gone": 2.0, "cls": np.float32(1), "dims": np.zeros((2, 3)), "z": 1 + 1j}
    b = {"same": 1.0, "new": "x", "cls": 1.0, "dims": np.zeros((3, 2)), "z": 1.0}
    found = {d.path: (d.what, d.a, d.b) for d in compare(a, b)}
    assert found == {
        "gone": ("missing", "1x1 double", ""),
        "new": ("missing", "", "1x1 char"),
        "cls": ("class", "single", "double"),
        "dims": ("dims", "2x3", "3x2"),
        "z": ("class", "complex double", "double"),
    }


def test_shapes_and_classes_come_with_a_remedy() -> None:
    a = {"dims": np.zeros((2, 3)), "cls": np.float32(1), "text": "ab", "s": {"x": np.zeros((2, 2))}}
    b = {"dims": np.zeros((3, 2)), "cls": 1.0, "text": "abc", "s": {"x": np.zeros((2, 5))}}
    found = {d.path: d.explanation for d in compare(a, b)}
    assert found["dims"].endswith("b.T has the shape of a")
    assert found["cls"].endswith('match(a, b, cast="safe") makes both float64')
    assert found["s.x"].endswith("they differ along axis 1")
    assert found["text"] == ""


def test_values_with_their_largest_differences() -> None:
    a = np.array([[1.0, 2.0, np.nan], [4.0, np.inf, 6.0]])
    b = np.array([[1.0, 2.5, np.nan], [4.0, np.inf, 5.0]])
    found = one(a, b)
    assert (found.path, found.what, found.count) == ("x", "values", 2)
    assert (found.a, found.b) == ("2.0 at (1,2)", "2.5 at (1,2)")
    assert found.max_absolute == 1.0 and found.max_relative == pytest.approx(0.2)
    assert np.isnan(one(np.nan, 1.0).max_absolute or 0)
    assert one(np.inf, 1.0).max_absolute == np.inf


def test_tolerances() -> None:
    a, b = np.array([1.0, 100.0]), np.array([1.001, 100.1])
    assert one(a, b).count == 2
    assert one(a, b, atol=0.01).count == 1
    assert compare({"x": a}, {"x": b}, rtol=0.0011) == []
    for rtol, atol in ((0.0, 0.05), (1e-3, 0.0), (0.0005, 0.0005)):
        expected = int((~np.isclose(a, b, rtol=rtol, atol=atol)).sum())
        assert sum(d.count or 0 for d in compare({"x": a}, {"x": b}, rtol=rtol, atol=atol)) == expected


@pytest.mark.parametrize("dtype", ["i1", "u1", "i8", "u8"])
def test_integers_do_not_wrap(dtype: str) -> None:
    info = np.iinfo(dtype)
    found = one(np.array([info.min], dtype), np.array([info.max], dtype))
    assert found.max_absolute == float(int(info.max) - int(info.min))
    wide = one(np.array([2**53], "i8"), np.array([2**53 + 1], "i8"))
    assert wide.count == 1 and wide.max_absolute == 1


def test_text_cells_structs_and_sparse() -> None:
    a = {"s": {"t": "abc", "c": cell(1.0, "two", cell(3.0)), "only": 1.0}}
    b = {"s": {"t": "abd", "c": cell(1.0, "two", cell(4.0)), "other": 1.0}}
    found = {(d.path, d.what, d.a, d.b) for d in compare(a, b)}
    assert found == {
        ("s.t", "values", "'abc'", "'abd'"),
        ("s.c{3}{1}", "values", "3.0", "4.0"),
        ("s", "fields", "field only", ""),
        ("s", "fields", "", "field other"),
    }
    x = scipy.sparse.csc_array(np.diag([1.0, 2, 3]))
    y = scipy.sparse.csc_array(np.array([[1.0, 0, 0], [0, 5, 0], [7, 0, 3]]))
    found_sparse = one(x, y)
    assert found_sparse.count == 2 and found_sparse.max_absolute == 7 and found_sparse.a == "0.0 at (3,1)"
    assert compare({"x": x}, {"x": x.copy()}) == []


def test_records_of_struct_arrays_and_the_order_of_fields() -> None:
    records = np.array([(k, f"n{k}") for k in range(500)], [("num", object), ("name", object)]).reshape(1, -1)
    changed = records.copy()
    changed["num"][0, 123], changed["name"][0, 499] = 9, "other"
    assert {d.path for d in compare({"s": records}, {"s": changed})} == {"s(124).num", "s(500).name"}
    swapped = np.empty(records.shape, [("name", object), ("num", object)])
    swapped["name"], swapped["num"] = records["name"], records["num"]
    assert compare({"s": records}, {"s": swapped}) == []
    assert {d.what for d in compare({"s": records}, {"s": records[["num"]]})} == {"fields"}


def test_values_are_compared_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    from matlens.formats import visit

    monkeypatch.setattr(visit, "BLOCK_BYTES", 300)
    a = cell(*(np.arange(float(k % 40)) for k in range(200)), *(f"text {k}" for k in range(50)))
    b = a.copy()
    b[0, 37], b[0, 155], b[0, 249] = b[0, 37] + 1, b[0, 155] * 2, "text x9"
    found = compare({"x": a}, {"x": b})
    assert [(d.path, d.count) for d in found] == [("x{38}", 37), ("x{156}", 34), ("x{250}", 1)]


def test_large_arrays_in_windows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from matlens.values import windows

    monkeypatch.setattr(module, "LARGE", 100)
    monkeypatch.setattr(windows, "WINDOW_BYTES", 1000)
    a = np.random.default_rng(0).normal(size=(40, 30))
    b = a.copy()
    b[3, 7], b[39, 29] = 5.0, np.nan
    for name, values in (("a", a), ("b", b)):
        scipy.io.savemat(tmp_path / f"{name}.mat", {"x": values}, do_compression=True)
    with matlens.open(tmp_path / "a.mat") as first, matlens.open(tmp_path / "b.mat") as second:
        (found,) = diff(first, second)
    assert found.count == 2 and found.a == f"{a[3, 7]} at (4,8)" and np.isnan(found.max_absolute or 0)


def test_command_line(tmp_path: Path) -> None:
    a, b = str(FIXTURES / "annotations_v7.mat"), str(FIXTURES / "annotations_v73.mat")
    done = run("diff", a, b)
    assert done.returncode == 0 and done.stdout == b"no differences\n"
    scipy.io.savemat(tmp_path / "x.mat", {"x": np.arange(200.0), "y\u00e4": 1.0, "c": cell(*range(200))})
    scipy.io.savemat(tmp_path / "y.mat", {"x": np.arange(200.0) + 1, "c": cell(*range(1, 201))})
    done = run("diff", str(tmp_path / "x.mat"), str(tmp_path / "y.mat"))
    assert done.returncode == 1 and b"more; --max" in done.stdout and b"missing" in done.stdout
    done = run("diff", "--json", "--max", "500", str(tmp_path / "x.mat"), str(tmp_path / "y.mat"))
    found = json.loads(done.stdout)
    assert found["complete"] and len(found["differences"]) == 202
    assert run("diff", "--atol", "1", str(tmp_path / "x.mat"), str(tmp_path / "y.mat"), "x").returncode == 0
    assert run("diff", str(tmp_path / "x.mat"), str(tmp_path / "y.mat"), "x").returncode == 1
    assert run("diff", str(tmp_path / "x.mat"), str(tmp_path / "absent.mat")).returncode == 2
