"""The contract of nodes, for each kind."""

from __future__ import annotations

from matlens.tree.nodes import (
    CellNode,
    CharNode,
    FieldNode,
    NumericNode,
    OpaqueNode,
    SparseNode,
    StructArrayNode,
    StructNode,
    TableNode,
)
from tests.tree.contract import NodeContract


def kinds(*paths: str) -> tuple[tuple[str, str], ...]:
    return tuple(("kinds", path) for path in paths)


class TestNumbers(NodeContract):
    kind = NumericNode
    nodes = kinds(
        "numbers.f64",
        "numbers.scalar",
        "numbers.narrow",
        "numbers.nd",
        "numbers.nd(:,2,3:4)",
        "numbers.nd(:,2,3:4)(2,1,:)",
        "numbers.nd(7)",
        "numbers.nd(2,:)",
        "numbers.narrow(:)",
        "numbers.narrow(1:3)",
        "numbers.narrow(2:2)",
        "numbers.f64(2:4)",
        "complex.row",
        "logicals.matrix",
        "logicals.scalar",
        "empties.e03",
        "empties.e203",
        "integers.i64",
    )


class TestTexts(NodeContract):
    kind = CharNode
    nodes = kinds("text.row", "text.matrix", "text.nd", "text.empty", "text.row(2:4)")


class TestSparse(NodeContract):
    kind = SparseNode
    nodes = kinds("sparse_real", "sparse_complex", "sparse_empty", "sparse_real(2:3,:)")


class TestCells(NodeContract):
    kind = CellNode
    nodes = kinds("cells", "cells{2,1}", "cells(1,:)", "empties.cell03")


class TestStructs(NodeContract):
    kind = StructNode
    nodes = (*kinds("numbers", "nested", "structs(2)", "structs(3).b", "no_fields"), ("annotations", "annotations(3)"))


class TestStructArrays(NodeContract):
    kind = StructArrayNode
    nodes = (*kinds("structs", "structs(2:3)", "empty_struct"), ("annotations", "annotations"))


class TestFields(NodeContract):
    kind = FieldNode
    nodes = (*kinds("structs.a", "structs(2:3).b"), ("annotations", "annotations.image"))


class TestObjects(NodeContract):
    kind = OpaqueNode
    versions = ("v7", "v73")
    nodes = (("objects", "took"), ("objects", "took(2)"), ("objects", "people.name"), ("objects", "people.born"))


class TestTables(NodeContract):
    kind = TableNode
    versions = ("v7", "v73")
    nodes = (("objects", "people"), ("objects", "visits"))
    has_elements = False
