"""What users can reach: a list that changes on purpose only."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import matlens
from matlens.tree import nodes

PACKAGE = """
Limits MatFile MatlensError Node boxes check convert decode diff errors from_loadmat helpers keypoints loadmat masks
open polygons query
"""
FILE = "at close closed get header items keys name path problems remarks size stats values version"
NODE = """
at child_count children dims error form is_complex is_global is_sparse kind label matlab_class name nbytes ndim numel
one_line path preview python_path shape size storage summary table to_arrow to_batches to_numpy to_pandas to_python
to_reader value
"""
MORE = {
    "NumericNode": "dtype",
    "StructNode": "fields get items keys values",
    "ObjectNode": "fields get items keys values",
    "MapNode": "keys",
    "StructArrayNode": "fields",
}
"""What nodes of one kind have besides."""


def public(value: Any) -> set[str]:
    return {name for name in dir(value) if not name.startswith("_")}


def test_the_package() -> None:
    code = "import matlens; print(*(name for name in dir(matlens) if not name.startswith('_')))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == matlens.__all__
    assert matlens.__all__ == sorted(matlens.__all__)
    assert set(matlens.__all__) == set(PACKAGE.split())


def test_files() -> None:
    with matlens.open("fixtures/annotations_v7.mat") as file:
        assert public(file) == set(FILE.split())


@pytest.mark.parametrize("name", nodes.__all__)
def test_nodes(name: str) -> None:
    kind = getattr(nodes, name)
    assert public(kind) | {"name", "path", "python_path"} == set(f"{NODE} {MORE.get(name, '')}".split())
