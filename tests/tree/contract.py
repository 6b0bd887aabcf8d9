"""What every node keeps: derive a test class from `NodeContract` for each kind, and give its values.

Examples
--------
``class TestCells(NodeContract): nodes = [("kinds", "cells"), ("kinds", "cells{2,1}")]`` in a test module runs all of
them, on the files of every version.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pytest

import matlens
from matlens.errors import PathError
from matlens.tree.nodes import Node
from tests.support import FIXTURES, assert_same

VERSIONS = ("v6", "v7", "v73")


class NodeContract:
    """Tests of one kind of node: stems of files in `fixtures/`, and paths in them."""

    kind: type[Node]
    nodes: tuple[tuple[str, str], ...]
    versions: tuple[str, ...] = VERSIONS
    has_elements = True
    """False of MATLAB's tables, whose variables are taken by name."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        cases = [(version, *node) for version in self.versions for node in self.nodes]
        metafunc.parametrize("case", cases, ids="-".join)

    @pytest.fixture
    def file(self, case: tuple[str, str, str]) -> Iterator[matlens.MatFile]:
        version, stem, _ = case
        with matlens.open(FIXTURES / f"{stem}_{version}.mat") as file:
            yield file

    @pytest.fixture
    def node(self, file: matlens.MatFile, case: tuple[str, str, str]) -> Node:
        node = file.at(case[2])
        assert type(node) is self.kind
        return node

    def test_dims_shape_and_size_agree(self, node: Node) -> None:
        assert len(node.dims) >= 2 and node.shape == node.dims and node.ndim == len(node.dims)
        assert node.size == node.numel == math.prod(node.dims)
        assert node.summary().startswith("x".join(map(str, node.dims)))

    def test_length_and_iteration(self, node: Node) -> None:
        if isinstance(node, Mapping):
            return
        if not self.has_elements:
            with pytest.raises(PathError, match="by its name"):
                node[0]
            return
        is_vector = node.ndim == 2 and 1 in node.dims
        assert len(node) == (node.numel if is_vector else node.dims[0])
        assert [part.path for part in node] == [node[i].path for i in range(len(node))]
        for i in {-len(node) - 1, len(node)}:
            with pytest.raises(IndexError) as caught:
                node[i]
            assert isinstance(caught.value, PathError) and str(i) in str(caught.value)

    def test_an_index_is_of_the_first_dimension_as_in_numpy(self, node: Node) -> None:
        if isinstance(node, Mapping) or not self.has_elements or not len(node):
            return
        numbered = np.arange(node.numel).reshape(node.dims, order="F")
        if node.ndim == 2 and 1 in node.dims:
            numbered = numbered.ravel()
        for i in {0, len(node) - 1, -1}:
            assert node[i].numel == numbered[i].size or node.kind in ("cell", "field")
        if node.ndim == 2 and 1 in node.dims:
            assert node[-1].path == node[len(node) - 1].path
        else:
            assert node[0].dims == (1, *node.dims[1:])
        assert node[1:].numel == numbered[1:].size and node[::-1].numel == numbered.size

    def test_paths_lead_back(self, file: matlens.MatFile, node: Node) -> None:
        for each in (node, *node.children(0, 10)):
            found, evaluated = file.at(each.path), eval(each.python_path, {"file": file})
            assert found.path == each.path
            for again in (found, evaluated):
                assert (type(again), again.dims) == (type(each), each.dims)
                if each.kind != "opaque":
                    assert_same(again.to_numpy(), each.to_numpy())
            if ".at(" not in each.python_path:
                assert file.at(each.python_path.removeprefix("file")).path == evaluated.path
        for child in node.children(0, 10):
            if child.path.startswith(node.path):
                assert node.at(child.path.removeprefix(node.path)).path == child.path

    def test_children_are_as_many_as_they_are_said_to_be(self, node: Node) -> None:
        children = node.children()
        assert len(children) == node.child_count
        assert [child.path for child in node.children(1, 3)] == [child.path for child in children[1:3]]

    def test_pickles_are_read_anew(self, file: matlens.MatFile, node: Node) -> None:
        whole, again, first = pickle.loads(pickle.dumps((file, node, list(node.children(0, 1)))))
        assert again.path == node.path and again.dims == node.dims and type(again) is type(node)
        assert_same(again.to_numpy(), node.to_numpy())
        assert list(whole) == list(file) and whole[next(iter(whole))] is not file[next(iter(file))]
        assert [child.path for child in first] == [child.path for child in node.children(0, 1)]

    def test_it_shows_itself(self, node: Node) -> None:
        for text in (repr(node), node.preview(), node.preview(5), node.one_line(20), node._repr_html_()):
            assert "\x1b" not in text and "\x07" not in text
        assert len(node.preview(5)) <= 5 and node.label

    def test_arrays(self, node: Node) -> None:
        """Copies and types as NumPy 2 has them."""
        array = np.asarray(node)
        copied = np.array(node)
        assert copied.flags.writeable and copied.shape == array.shape and copied.dtype == array.dtype
        assert np.asarray(node, dtype=object).dtype == object
        with pytest.raises(ValueError, match="copy"):
            np.array(node, dtype="S3" if array.dtype == object else object, copy=False)
        if node.kind == "numeric":
            assert_same(array, node.value)

    def test_truth_is_that_of_one_element(self, node: Node) -> None:
        if isinstance(node, Mapping):
            assert bool(node) == (len(node) > 0)
        elif node.numel != 1:
            with pytest.raises(ValueError, match=r"truth of .* is ambiguous"):
                bool(node)
        else:
            assert bool(node) in (True, False)

    def test_arrow_takes_it(self, node: Node) -> None:
        table = pa.table(node)
        rows = repr(table.to_pylist())
        assert rows == repr(node.to_arrow().to_pylist()) and pa.schema(node).equals(table.schema)
        assert sum(batch.num_rows for batch in node.to_batches()) == table.num_rows == node.table().num_rows
        assert pickle.loads(pickle.dumps(node.table())).read_all().schema.equals(table.schema)
        assert repr(pickle.loads(pickle.dumps(node.table())).read_all().to_pylist()) == rows
