"""Plans that merge: the plan of parts is the plan of all, and arrays of one merged plan have one type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from matlens.columns.build import ColumnBuilder
from matlens.columns.plan import Plan
from matlens.columns.planner import Planner, plan_of
from matlens.formats.memory import LoadmatReader


def cell(*items: Any) -> Any:
    values = np.empty((1, len(items)), object)
    for k, item in enumerate(items):
        values[0, k] = item
    return values


def records(*rows: dict[str, Any]) -> Any:
    """A cell of 1x1 structs, whose fields may differ."""
    return cell(*(np.array([tuple(row.values())], [(name, object) for name in row]) for row in rows))


def planned(values: Any) -> Plan:
    return plan_of(LoadmatReader({"c": values}), "c")


EMPTY = np.zeros((0, 0))
VALUES: dict[str, Any] = {
    "numbers": cell(1.0, np.int8([[1, 2]]), np.zeros((2, 2)), EMPTY, True),
    "promoted": cell(np.uint8(1), np.uint16(2), np.int32(3), np.float32(1.5)),
    "rows": cell(np.zeros((1, 4)), np.zeros((3, 4)), np.zeros((0, 4)), np.zeros((2, 4))),
    "alike": cell(np.ones((2, 3)), np.ones((2, 3)), np.zeros((2, 3)), EMPTY),
    "columns": cell(np.zeros((1, 4)), np.zeros((1, 3)), np.zeros((1, 4)), np.zeros((1, 2))),
    "free": cell(np.zeros((2, 3)), np.zeros((3, 2, 2)), 1.0, np.zeros((2, 3))),
    "text": cell("a", "bc", "", np.array(["xy", "zw"])),
    "unlike": cell("a", 1.0, EMPTY, "b"),
    "complex": cell(1.0, np.complex128(2j), np.float32(1), np.complex64(1j)),
    "nested": cell(cell(1.0, 2.0), cell("x"), cell(), cell(cell(np.int16(1)))),
    "structs": records({"a": 1.0, "b": "x"}, {"b": "y"}, {"a": np.zeros((1, 2)), "c": True}, {"a": EMPTY, "b": EMPTY}),
    "struct arrays": cell(
        np.array([(1.0,), (2.0,)], [("x", object)]), np.array([(3.0,)], [("x", object)]), EMPTY, EMPTY
    ),
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("parts", [1, 2, 4])
def test_plans_of_parts_merge_to_the_plan_of_all(name: str, parts: int) -> None:
    values = VALUES[name]
    merged = Plan()
    for part in np.array_split(np.arange(values.size), values.size // parts):
        merged = merged.merge(planned(values[:, part]))
    whole = planned(values)
    assert merged.type_of("c") == whole.type_of("c")
    assert set(map(str, merged.notes())) == set(map(str, whole.notes()))


@pytest.mark.parametrize("name", VALUES)
def test_parts_built_by_the_merged_plan_are_the_whole(name: str) -> None:
    values = VALUES[name]
    halves = [values[:, :2], values[:, 2:]]
    merged = planned(halves[0]).merge(planned(halves[1]))
    built = []
    for half in halves:
        reader = LoadmatReader({"c": half})
        built.append(ColumnBuilder(reader, merged).visit(reader.variables()[0].elements, "c"))
    whole = LoadmatReader({"c": values})
    expected = ColumnBuilder(whole, planned(values)).visit(whole.variables()[0].elements, "c")
    assert [array.type for array in built] == [expected.type] * 2
    joined = pa.concat_arrays([array.flatten() for array in built])
    assert joined.to_pylist() == expected.flatten().to_pylist()


def test_merging_leaves_the_parts_as_they_are() -> None:
    first, second = planned(VALUES["structs"][:, :2]), planned(VALUES["structs"][:, 2:])
    before = first.type_of("c"), second.type_of("c")
    first.merge(second)
    assert (first.type_of("c"), second.type_of("c")) == before


def test_a_field_that_one_part_lacks_may_be_null() -> None:
    first, second = planned(records({"a": 1.0})), planned(records({"b": "x"}))
    merged = first.merge(second)
    assert merged.columns["c{}.a"].lacking and merged.columns["c{}.b"].lacking
    assert not planned(records({"a": 1.0}, {"a": 2.0})).columns["c{}.a"].lacking


def test_planning_reads_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("values were read")

    reader = LoadmatReader({"c": VALUES["structs"]})
    monkeypatch.setattr(reader, "gather", refuse)
    planner = Planner(reader)
    planner.survey([(reader.variables()[0].elements, "c")])
    assert planner.plan.columns["c{}"].fields == ["a", "b", "c"]
