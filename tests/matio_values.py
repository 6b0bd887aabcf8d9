"""Values of matlens against those of mat-io, which has other types for some of MATLAB's classes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from tests.support import assert_same, object_class

_DAYS_OF_YEAR = 365.2425
"""Days of a year as MATLAB's ``years`` counts them."""


def matio_values(path: Path) -> dict[str, Any]:
    """The variables of a file as mat-io reads them."""
    matio = pytest.importorskip("matio")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = matio.load_from_mat(str(path))
    return {name: value for name, value in found.items() if not name.startswith("__")}


def same_as_matio(ours: Any, theirs: Any, path: str) -> None:
    """Equal values, whatever their types are called."""
    kind, dtype = type(theirs).__name__, getattr(theirs, "dtype", None)
    if kind in _COMPARED:
        _COMPARED[kind](ours, theirs, path)
    elif scipy.sparse.issparse(theirs):
        assert_same(scipy.sparse.csc_array(ours), scipy.sparse.csc_array(theirs), path)
    elif isinstance(dtype, np.dtype) and dtype.names:
        _structs(ours, theirs, path)
    elif isinstance(dtype, np.dtype) and dtype.kind in "mM":
        _times(np.asarray(ours), theirs, path)
    elif np.size(theirs) == 0 and not isinstance(theirs, str):
        assert np.size(ours) == 0 or ours == "", path
    elif isinstance(dtype, np.dtype) and dtype.kind == "O":
        _items(ours, theirs, path)
    else:
        a, b = np.ravel(np.asarray(ours)), np.ravel(np.asarray(theirs))
        if b.dtype.kind in "fc":
            np.testing.assert_array_equal(a, b, path)
        else:
            assert [_present(item) for item in a.tolist()] == [_present(item) for item in b.tolist()], path


def _present(item: Any) -> Any:
    """An item, None for one of the ways in which a text is missing."""
    return None if item is None or item is pd.NaT or (isinstance(item, float) and np.isnan(item)) else item


def _items(ours: Any, theirs: Any, path: str) -> None:
    mine = np.ravel(np.asarray(ours, object)) if isinstance(ours, np.ndarray | list) else [ours]
    for k, (x, y) in enumerate(zip(mine, np.ravel(theirs), strict=True)):
        same_as_matio(x, y, f"{path}{{{k + 1}}}")


def _structs(ours: Any, theirs: Any, path: str) -> None:
    if theirs.dtype.names == ("months", "days", "millis"):
        for name, unit in (("months", "M"), ("days", "D")):
            expected = theirs[name].astype(f"m8[{unit}]").astype(np.int64)
            assert np.ravel(ours[name]).tolist() == np.ravel(expected).tolist(), path
        _times(ours["time"], theirs["millis"], path)
        return
    records = np.ravel(ours) if isinstance(ours, np.ndarray) else np.array([ours], object)
    assert len(records) == theirs.size, path
    for k, (x, y) in enumerate(zip(records, np.ravel(theirs), strict=True)):
        for name in theirs.dtype.names:
            same_as_matio(x[name], y[name], f"{path}({k + 1}).{name}")


def _times(ours: Any, theirs: Any, path: str) -> None:
    a, b = np.ravel(ours), np.ravel(theirs)
    if b.dtype == "m8[Y]":
        b = (b.astype(np.int64) * _DAYS_OF_YEAR * 86_400e6).astype("m8[us]")
    assert (np.isnat(a) == np.isnat(b)).all(), path
    # mat-io keeps milliseconds.
    assert (abs(a - b)[~np.isnat(a)] < np.timedelta64(1, "ms")).all(), path


def _frames(ours: Any, theirs: Any, path: str) -> None:
    assert ours.shape == theirs.shape, path
    # A name that two columns have is made unique by another number.
    assert list(ours.columns) == list(theirs.columns) or "name_clash" in path, path
    same_as_matio(np.asarray(ours.index), np.asarray(theirs.index), f"{path}.Properties.RowNames")
    for k, name in enumerate(ours.columns):
        same_as_matio(np.asarray(ours.iloc[:, k], object), np.asarray(theirs.iloc[:, k], object), f"{path}.{name}")


def _categories(ours: Any, theirs: Any, path: str) -> None:
    texts = np.array([*theirs.categories, None], object)[theirs.codes]
    assert [None if pd.isna(text) else text for text in np.ravel(np.asarray(ours, object))] == np.ravel(texts).tolist()


def _mappings(ours: Any, theirs: Any, path: str) -> None:
    assert sorted(map(str, ours)) == sorted(map(str, theirs)), path
    expected = {str(key): value for key, value in dict(theirs).items()}
    for key, value in dict(ours).items():
        same_as_matio(value, expected[str(key)], f"{path}({key!r})")


def _objects(ours: Any, theirs: Any, path: str) -> None:
    if theirs.classname == "dictionary":
        _dictionaries(ours, theirs, path)
        return
    assert object_class(ours) == theirs.classname, path
    if theirs.type_system == "MCOS" and theirs.properties is not None:
        for name, value in theirs.properties.items():
            # Of properties that were added to a single object, mat-io gives what describes them.
            if not name.startswith("__dynamic_property__"):
                same_as_matio(ours[name], value, f"{path}.{name}")


def _dictionaries(ours: Any, theirs: Any, path: str) -> None:
    stored = theirs.properties["data"].ravel()[0]
    if "Key" not in stored.dtype.names:
        assert ours == {}, path
        return
    for told, name in ((list(ours), "Key"), (list(ours.values()), "Value")):
        for k, (x, y) in enumerate(zip(told, np.ravel(stored[name]), strict=True)):
            same_as_matio(x, y, f"{path}.{name}{{{k + 1}}}")


def _object_arrays(ours: Any, theirs: Any, path: str) -> None:
    assert ours.shape == theirs.shape, path
    for x, y in zip(np.ravel(ours), np.ravel(theirs), strict=True):
        _objects(x, y, path)


def _members(ours: Any, theirs: Any, path: str) -> None:
    assert np.ravel(ours).tolist() == [member.name for member in np.ravel(theirs)], path


def _functions(ours: Any, theirs: Any, path: str) -> None:
    # Workspaces may lead back to the function.
    texts = [
        [handle["function"] for handle in np.ravel(value["function_handle"][0, 0])]
        for value in (ours, theirs)
        if value.size
    ]
    assert ours.size == theirs.size, path
    if texts:
        same_as_matio(texts[0][0], texts[1][0], path)


_COMPARED = {
    "DataFrame": _frames,
    "Categorical": _categories,
    "MatlabContainerMap": _mappings,
    "MatlabOpaque": _objects,
    "MatlabOpaqueArray": _object_arrays,
    "MatlabEnumerationArray": _members,
    "MatlabFunction": _functions,
}
