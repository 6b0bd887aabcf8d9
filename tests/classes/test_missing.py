"""Values that are missing are None, whatever stands beside them and however many they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import matlens
from tests import objects as o


@pytest.mark.parametrize("version", ["v7", "v7.3"])
def test_missing_is_none(version: str, tmp_path: Path) -> None:
    one = o.made("missing")
    file = o.save(
        tmp_path,
        version,
        alone=one,
        record=o.struct(a=one, b=1.0),
        items=o.cell(one, 1.0),
        some=o.made_array(one, o.made("missing")),
        rows=o.table(1, x=one),
    )
    assert {name: file[name].to_python() for name in file} == {
        "alone": None,
        "record": {"a": None, "b": 1.0},
        "items": [None, 1.0],
        "some": [None, None],
        "rows": {"x": [None]},
    }
    assert file["alone"].value is None and matlens.loadmat(tmp_path / f"{version}.mat")["alone"] is None
    assert file["alone"].preview() == "missing"
    for name in file:
        column = file[name].to_arrow().column(0)
        assert column.null_count == (1 if name == "items" else len(column)), name


@pytest.mark.parametrize("version", ["v7", "v7.3"])
@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (2, 2)])
@pytest.mark.parametrize("texts", [[None] * 4, ["a", None, None, None], list("abcd")])
def test_arrays_of_texts_that_are_missing(
    version: str, shape: tuple[int, int], texts: list[str | None], tmp_path: Path
) -> None:
    array = np.array(texts, object)[: shape[0] * shape[1]].reshape(shape)
    file = o.save(tmp_path, version, alone=o.string(array), record=o.struct(a=o.string(array)))
    expected = array.tolist() if min(shape) > 1 else array.ravel().tolist()
    assert file["alone"].to_python() == expected
    assert file["record"].to_python() == {"a": expected}
    assert file["alone"].to_arrow().column(0).to_pylist() == array.ravel(order="F").tolist()


def test_structs_without_fields_stay_structs() -> None:
    file = matlens.from_loadmat({"s": np.array([[None, None]], object)})
    assert file["s"].to_python() == [{}, {}]
