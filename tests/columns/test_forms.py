"""The law of forms: what a value becomes follows from its class, its stored dims and the plan alone."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.io
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mat73_writer import Mat73Writer

import matlens
from matlens.columns.plan import Plan
from matlens.columns.unify import Rows
from matlens.errors import FormMismatch
from matlens.tree.access import stored_table
from tests import objects as o
from tests.classes.test_maps import container, dictionary

DTYPES = ("f8", "f4", "i1", "u1", "i4", "u8", "i8", "c16", "?")


@st.composite
def numbers(draw: st.DrawFn) -> Any:
    dims = draw(st.sampled_from([(1, 1), (1, 3), (3, 1), (2, 4), (3, 4), (0, 0), (0, 4), (2, 3, 2)]))
    start = draw(st.integers(0, 90))
    return (np.arange(int(np.prod(dims))) + start).reshape(dims).astype(draw(st.sampled_from(DTYPES)))


def cells(items: Sequence[Any]) -> Any:
    array = np.empty((1, len(items)), object)
    for k, item in enumerate(items):
        array[0, k] = item
    return array


texts = st.sampled_from(["a", "long text", "\u00e9\u674e", ""])
leaves = st.one_of(numbers(), numbers(), texts)
elements = st.one_of(
    leaves,
    st.lists(leaves, max_size=3).map(cells),
    st.dictionaries(st.sampled_from("xyz"), leaves, min_size=1, max_size=3).map(lambda fields: o.struct(**fields)),
)
column = st.one_of(st.lists(numbers(), min_size=1, max_size=4), st.lists(elements, min_size=1, max_size=4))
columns = st.lists(column, min_size=1, max_size=3)
"""Files: each a list of the values of one column."""


def write_v5(path: Path, values: Sequence[Any]) -> None:
    scipy.io.savemat(path, {"s": structs(values)})


def write_v73(path: Path, values: Sequence[Any]) -> None:
    with Mat73Writer(path) as writer:
        writer.write("s", lettered(structs(values)))


def structs(values: Sequence[Any]) -> Any:
    array = np.empty((1, len(values)), [("f", object)])
    for k, value in enumerate(values):
        array["f"][0, k] = value
    return array


def lettered(value: Any) -> Any:
    """Text as arrays of single letters, as the writer takes it."""
    if isinstance(value, str):
        return np.array(list(value), "U1").reshape(1, -1) if value else np.empty((0, 0), "U1")
    if isinstance(value, np.ndarray) and value.dtype.names is not None:
        changed = value.copy()
        for name in value.dtype.names:
            for k in np.ndindex(value.shape):
                changed[name][k] = lettered(value[name][k])
        return changed
    if isinstance(value, np.ndarray) and value.dtype == object:
        changed = value.copy()
        for k in np.ndindex(value.shape):
            changed[k] = lettered(value[k])
        return changed
    return value


WRITERS: dict[str, Callable[[Path, Sequence[Any]], None]] = {"v7": write_v5, "v7.3": write_v73}


@pytest.mark.parametrize("version", WRITERS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(files=columns)
def test_the_law(version: str, files: list[list[Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{k}.mat" for k in range(len(files) + 1)]
        for path, values in zip(paths, [*files, [value for part in files for value in part]], strict=True):
            WRITERS[version](path, values)
        opened = [matlens.open(path) for path in paths]
        try:
            *nodes, whole = [file["s"] for file in opened]
            # One record is a struct array of one.
            forms = [stored_table(node, rows=Rows.RECORDS).form for node in nodes]
            form = forms[0]
            for other in forms[1:]:
                form = form.merge(other)
            for node in nodes:
                stored_table(node, rows=Rows.RECORDS).add_values(form)
            holds_the_laws_of_merging(forms)
            assert Plan.from_json(form.to_json()) == form == pickle.loads(pickle.dumps(form))
            # Part by part in the form of all, and all at once, are the same.
            parts = [node.to_arrow(form=form) for node in nodes]
            assert len({part.schema.remove_metadata() for part in parts}) == 1
            at_once = whole.to_arrow(form=stored_table(whole, rows=Rows.RECORDS).form)
            assert parts[0].schema.remove_metadata().equals(at_once.schema.remove_metadata())
            joined = pa.concat_tables([part.replace_schema_metadata() for part in parts])
            joined.validate(full=True)
            assert repr(joined.to_pylist()) == repr(at_once.to_pylist())
        finally:
            for file in opened:
                file.close()


def holds_the_laws_of_merging(forms: Sequence[Plan]) -> None:
    a, b, c = forms[0], forms[-1], forms[len(forms) // 2]
    assert a.merge(b) == b.merge(a)
    assert a.merge(a) == a
    assert a.merge(b).merge(c) == a.merge(b.merge(c))


OBJECTS: dict[str, list[Callable[[], Any]]] = {
    "string": [lambda: o.string([["a"]]), lambda: o.string([["b"], ["c"]]), lambda: o.string(np.empty((0, 1), object))],
    "datetime": [lambda: o.datetime(0.0), lambda: o.datetime([[1.0, 2.0]])],
    "zones": [lambda: o.datetime(0.0, "Asia/Tokyo"), lambda: o.datetime(5.0, "Europe/Berlin")],
    "duration": [lambda: o.duration(1.0), lambda: o.duration([[1.0], [2.0]])],
    "ordinal": [
        lambda: o.categorical([[1]], ["lo", "hi"], is_ordinal=True),
        lambda: o.categorical([[2], [0]], ["lo", "hi"], is_ordinal=True),
    ],
    "orders": [
        lambda: o.categorical([[1]], ["lo", "hi"], is_ordinal=True),
        lambda: o.categorical([[1]], ["hi", "lo"], is_ordinal=True),
    ],
    "table": [
        lambda: o.table(1, x=np.array([[1.0]]), m=np.array([[1.0, 2.0]])),
        lambda: o.table(2, x=np.array([[1], [2]], np.int8), m=np.ones((2, 2)), s=o.string([["a"], ["b"]])),
        lambda: o.table(0, x=np.zeros((0, 1)), m=np.zeros((0, 2))),
    ],
    "objects": [
        lambda: o.made("my.Point", x=np.array([[1.0]]), name=o.char("a")),
        lambda: o.made("my.Point", x=np.array([[2.0, 3.0]]), name=o.char("b")),
        lambda: o.made("my.Other", name=o.char("c"), more=o.string([["d"]])),
    ],
    "arrays": [
        lambda: o.made("my.Point", x=np.array([[1.0]])),
        lambda: o.made_array(o.made("my.Point", x=np.array([[2]], np.int8)), o.made("my.Point", x=np.zeros((0, 0)))),
    ],
    "wide": [
        lambda: o.made("my.Wide", **{f"a{k}": np.array([[float(k)]]) for k in range(60)}),
        lambda: o.made("my.Wide", **{f"b{k}": np.array([[float(k)]]) for k in range(60)}),
    ],
    "nested": [
        lambda: o.made("my.A", below=o.made("my.B", x=np.array([[1.0]]))),
        lambda: o.made("my.B", below=o.made("my.B", x=np.array([[2.0]]))),
        lambda: o.made("my.A", below=o.made("my.A", x=np.array([[3.0]]))),
    ],
    "maps": [
        lambda: container([o.char("a")], [np.array([[1.0]])]),
        lambda: container([o.char("b"), o.char("c")], [np.array([[2]], np.int8), np.array([[3.0]])]),
        lambda: dictionary(Key=o.string([["k"], ["l"]]), Value=np.array([[5.0], [6.0]])),
    ],
    "contents": [
        lambda: container([o.char("a")], [o.struct(x=np.array([[1.0]]))]),
        lambda: container([np.array([[1.5]])], [o.char("text")], "double"),
        lambda: o.made("containers.Map", serialization=np.zeros((0, 0))),
    ],
    "classes": [lambda: o.string([["a"]]), lambda: o.datetime(0.0)],
    "numbers": [lambda: np.array([[1.0]]), lambda: np.zeros((0, 0)), lambda: np.array([[1, 2, 3]], np.int16)],
}


@pytest.mark.parametrize("version", ["v7", "v7.3"])
@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("inside", ["struct", "cell", "table"])
def test_the_law_for_objects(tmp_path: Path, version: str, name: str, inside: str) -> None:
    def wrapped(values: list[Any]) -> Any:
        cell = o.cell(*values, shape=(len(values), 1))
        if inside == "struct":
            return o.struct_array([{"f": value} for value in values])
        return cell if inside == "cell" else o.table(len(values), f=cell)

    makers = OBJECTS[name]
    files = []
    for k, some in enumerate([*([make] for make in makers), makers]):
        (tmp_path / str(k)).mkdir()
        files.append(o.save(tmp_path / str(k), version, s=wrapped([make() for make in some])))
    *parts, whole = [file["s"] for file in files]
    forms = [stored_table(node, rows=Rows.RECORDS).form for node in parts]
    holds_the_laws_of_merging(forms)
    form = forms[0]
    for other in forms[1:]:
        form = form.merge(other)
    assert Plan.from_json(form.to_json()) == form
    tables = [node.to_arrow(form=form).replace_schema_metadata() for node in parts]
    at_once = whole.to_arrow().replace_schema_metadata()
    assert all(table.schema == at_once.schema for table in tables)
    assert pa.concat_tables(tables).to_pylist() == at_once.to_pylist()


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", "text"), ("c", np.ones((2, 3)))):
        scipy.io.savemat(tmp_path / f"{name}.mat", {"s": structs([o.struct(inner=value)])})
    first, second, third = (matlens.open(tmp_path / f"{name}.mat")["s"] for name in "abc")
    with pytest.raises(FormMismatch, match=r"b\.mat: s: column 'f\.inner': expected double .* found string"):
        second.to_arrow(form=first.form())
    with pytest.raises(FormMismatch, match=r"c\.mat: s: column 'f\.inner': expected double .* found fixed_size_list"):
        third.table(form=first.form())
    with pytest.raises(ValueError, match="expected one of f"):
        matlens.from_loadmat({"s": np.array([(1.0,)], [("other", object)])})["s"].table(form=first.form())
    merged = first.form().merge(third.form())
    assert first.to_arrow(form=merged)["f"].to_pylist() == [{"inner": {"data": [1.0], "shape": [1, 1]}}]


def test_numbers_that_a_form_does_not_hold_are_not_changed(tmp_path: Path) -> None:
    values = {"a": np.int64(2**60 + 1), "b": 0.5, "c": 3.0}
    for name, value in values.items():
        scipy.io.savemat(tmp_path / f"{name}.mat", {"s": structs([value])})
    large, half, whole = (matlens.open(tmp_path / f"{name}.mat")["s"] for name in "abc")
    form = large.form().merge(whole.form())
    assert whole.to_arrow(form=form)["f"].to_pylist() == [3]
    assert large.to_arrow(form=form)["f"].to_pylist() == [2**60 + 1]
    with pytest.raises(FormMismatch, match="expected int64"):
        half.to_arrow(form=large.form().merge(half.form()))


@pytest.mark.parametrize("version", ["v7", "v7.3"])
def test_every_value_has_a_form(version: str, tmp_path: Path) -> None:
    """What is in Arrow already and arrays of any dims: in their own form they are as they are alone."""
    n_dimensional = np.arange(24.0).reshape(2, 3, 4)
    values = {
        "steps": o.calendar_duration(np.array([[1.0, 2.0]])),
        "sparse": scipy.sparse.csc_array(np.array([[0, 1 + 2j], [3j, 0]])),
        "nothing": o.made("my.Nothing"),
        "cube": n_dimensional,
        "flat": np.arange(6.0).reshape(2, 3, 1),
        "thin": np.arange(8.0).reshape(2, 1, 4),
        "hollow": np.zeros((2, 3, 0)),
        "none": np.zeros((0, 3, 2)),
        "no_rows": o.table(0, cube=np.zeros((0, 3, 4)), flat=np.zeros((0, 3))),
        "table": o.table(2, cube=n_dimensional, flat=np.ones((2, 3))),
    }
    file = o.save(tmp_path, version, **values)
    for name in values:
        alone = file[name].to_arrow()
        again = file[name].to_arrow(form=Plan.from_json(file[name].form().to_json()))
        assert again.schema.equals(alone.schema) and again.to_pylist() == alone.to_pylist(), name
    for rows in (file["cube"].to_arrow().column(0), file["table"].to_arrow()["cube"]):
        assert rows.to_pylist() == n_dimensional.tolist()
    assert file["table"].to_arrow()["flat"].to_pylist() == [[1.0, 1.0, 1.0]] * 2
    assert file["hollow"].to_arrow().column(0).to_pylist() == [None, None]
    assert file["no_rows"].value.shape == (0, 15) and file["no_rows"].to_arrow().num_rows == 0


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"form":2,"rows":"records","columns":{}}', '{"form":1,"rows":"x","columns":{}}',
             '{"form":1,"rows":"records","columns":{"a":{"kinds":["no"]}}}',
             '{"form":1,"rows":"records","columns":{"a":{"records":"many"}}}',
             '{"form":1,"rows":"records","columns":{"a":{"what":1}}}', "[" * 100_000],
)  # fmt: skip
def test_text_that_is_not_a_form(text: str) -> None:
    with pytest.raises(FormMismatch):
        Plan.from_json(text)


def test_forms_are_small(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"s": structs([o.struct(a=1.0, b="x"), o.struct(a=np.ones((2, 4)))])})
    form = matlens.open(tmp_path / "a.mat")["s"].form()
    assert len(form.to_json()) < 1500 and json.loads(form.to_json())["form"] == 1


@pytest.mark.parametrize("version", WRITERS)
def test_fields_have_the_order_that_they_have_alone(version: str, tmp_path: Path) -> None:
    """Once structs of unlike fields had another order of columns in one cell than in several files."""
    single, double = np.array([[1.0]]), np.array([[2.0]])
    first, second = o.struct(z=single, y=double), o.struct(y=single, x=double)
    for name, values in (("a", [first]), ("b", [second]), ("ab", [first, second])):
        WRITERS[version](tmp_path / f"{name}.mat", values)
    one, other, both = (matlens.open(tmp_path / f"{name}.mat")["s"] for name in ("a", "b", "ab"))
    form = stored_table(one, rows=Rows.RECORDS).form.merge(stored_table(other, rows=Rows.RECORDS).form)
    assert form.type_of("f") == both.to_arrow()["f"].type == both.to_arrow(form=form)["f"].type
    assert [field.name for field in form.type_of("f")] == ["y", "z", "x"]
