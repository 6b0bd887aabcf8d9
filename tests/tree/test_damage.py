"""What cannot be read is told, and never looks like a value."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

import matlens
from matlens.errors import CorruptFile
from matlens.tree.describe import count_below, describe_node, dims_text, tree_rows
from matlens.tree.nodes import DamagedNode, Node, OpaqueNode, TableNode
from tests.support import FIXTURES

QUESTIONS: dict[str, Callable[[Node], Any]] = {
    "dims": lambda node: node.dims,
    "shape": lambda node: node.shape,
    "size": lambda node: node.size,
    "len": len,
    "bool": bool,
    "iter": lambda node: list(node),
    "index": lambda node: node[0],
    "value": lambda node: node.value,
    "array": lambda node: node.__array__(),
    "table": lambda node: node.to_arrow(),
}


@pytest.fixture
def damaged() -> bytes:
    """The first element of a cell, and the field names of a struct, are damaged."""
    content = bytearray((FIXTURES / "kinds_v6.mat").read_bytes())
    with matlens.open(bytes(content)) as file:
        content[file.at("cells{1,2}").storage()["offset"]] = 99
    at = content.index(b"level2\0")
    # The size of the names of the fields stands before them.
    content[at - 4 : at] = b"\xff\xff\xff\x7f"
    return bytes(content)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_damaged_element_answers_with_its_error(damaged: bytes, question: str) -> None:
    with matlens.open(damaged) as file:
        for node in (file.at("cells{1,2}"), pickle.loads(pickle.dumps(file.at("cells{1,2}")))):
            assert type(node) is DamagedNode and node.summary() == "unreadable" and node.child_count == 0
            with pytest.raises(CorruptFile, match=r"<bytes>: cells\{1,2\}: data type 99") as caught:
                QUESTIONS[question](node)
            assert caught.value.offset is not None


def test_a_struct_without_names_has_no_count(damaged: bytes) -> None:
    with matlens.open(damaged) as file:
        node = file["nested"]["level1"]
        for ask in (lambda: node.child_count, lambda: len(node), lambda: list(node), lambda: node.children()):
            with pytest.raises(CorruptFile, match=r"nested\.level1"):
                ask()
        assert count_below(node) == 0 and [level for level, _ in tree_rows(node, 3, 10)] == [0]
        assert repr(node).startswith("<StructNode nested.level1: 1x1 struct = <") and "level1" in node._repr_html_()


@pytest.mark.parametrize("version", ["v7", "v73"])
def test_objects_without_a_table_of_objects(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with matlens.open(FIXTURES / f"objects_{version}.mat") as file:
        node, table = file["took"], file["people"]
        assert type(node) is OpaqueNode and type(table) is TableNode

        def no_table() -> None:
            raise CorruptFile("the table of objects is damaged")

        monkeypatch.setattr(file._reader, "objects", no_table)
        for ask in QUESTIONS.values():
            with pytest.raises(CorruptFile, match=rf"objects_{version}\.mat: took: the table of objects"):
                ask(node)
        for ask in (lambda node: node.child_count, lambda node: node.children()):
            with pytest.raises(CorruptFile, match=rf"objects_{version}\.mat: people: the table of objects"):
                ask(table)
        described = describe_node(node)
        assert described["dims"] is None and described["error"] == "the table of objects is damaged"
        assert dims_text(described["dims"]) == "?" and count_below(table) == 0
        assert node.summary() == "unreadable duration" and "the table of objects" in repr(node)
