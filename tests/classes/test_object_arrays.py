"""Arrays of objects have fields, as struct arrays have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from matlens.errors import PathError
from tests import objects as o


@pytest.mark.parametrize("version", ["v7", "v7.3"])
def test_fields_of_an_array_of_objects(tmp_path: Path, version: str) -> None:
    points = [o.made("my.Point", coords=np.array([[float(k), k + 0.5]]), name=o.char(f"p{k}")) for k in range(5)]
    with o.save(tmp_path, version, list=o.made_array(*points)) as file:
        coords = file.at("list.coords")
        assert coords.dims == (1, 5) and [value.tolist() for value in coords.value] == [
            [[k, k + 0.5]] for k in range(5)
        ]
        assert file.at("list(3).coords").value.tolist() == [[2.0, 2.5]] == file.at("list.coords{3}").value.tolist()
        assert file.at(coords.children()[3].path).value.tolist() == [[3.0, 3.5]]
        assert file.at("list(2:4).name").value == ["p1", "p2", "p3"]
        table = file["list"].to_arrow()
        assert table.schema.types == [pa.list_(pa.float64(), 2), pa.string()] and table.num_rows == 5
        assert table.to_pylist()[4] == {"coords": [4.0, 4.5], "name": "p4"}
        with pytest.raises(PathError, match="coord"):
            file.at("list.coord")
