"""Sorting by several keys against Python's `sorted`, SciPy's ranks and Arrow's order."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from matlens import errors
from matlens.helpers import rank, sortrows


def by_sorted(rows: list[tuple[Any, ...]], keys: list[int], descending: list[bool]) -> list[int]:
    """Python's way: one stable sort for each key, the last one first."""
    order = list(range(len(rows)))
    for key, reverse in reversed(list(zip(keys, descending, strict=True))):
        order = sorted(order, key=lambda i, key=key: rows[i][key], reverse=reverse)
    return order


NUMBERS = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
FLOATS = st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0]), st.floats(allow_nan=False))
COLUMNS = st.sampled_from([NUMBERS, FLOATS, st.booleans(), st.text(max_size=2), st.dates(), st.integers(-1, 2**70)])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_lists_sort_as_python_sorts_them(data) -> None:
    kinds = data.draw(st.lists(COLUMNS, min_size=1, max_size=4))
    rows = data.draw(st.lists(st.tuples(*kinds), max_size=30))
    keys = data.draw(st.permutations(range(len(kinds)))) if rows else []
    descending = [data.draw(st.booleans()) for _ in keys]
    ordered, index = sortrows(rows, keys, descending=descending, return_index=True)
    assert index.tolist() == by_sorted(rows, keys, descending)
    assert ordered == [rows[i] for i in index]


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["i1", "u1", "i8", "u8", "f2", "f4", "f8", "?", ">i4", ">f8", "M8[us]", "m8[s]", "U2", "S2"]),
    st.integers(0, 60),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_arrays_of_every_type(dtype: str, count: int, descending: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    key = random.integers(0, 256, (count, 8), np.uint8)
    small = random.integers(0, 3, count)
    if np.dtype(dtype).kind in "US?":
        values = random.integers(0, 4, count).astype(dtype)
    else:
        values = np.frombuffer(key.tobytes(), dtype)[:count].copy() if count else np.zeros(0, dtype)
        values[: count // 2] = values[:1] if count else values[:0]
    missing = np.isnat(values) if values.dtype.kind in "mM" else values != values
    values[missing] = np.zeros(1, values.dtype)[0]
    records = np.zeros(count, [("v", values.dtype), ("s", int)])
    records["v"], records["s"] = values, small
    _, index = sortrows(records, ["s", "v"], descending=[descending, not descending], return_index=True)
    plain = values.view(np.int64) if values.dtype.kind in "mM" else values
    rows = list(zip(plain.tolist(), small.tolist(), strict=True))
    assert index.tolist() == by_sorted(rows, [1, 0], [descending, not descending])


@pytest.mark.parametrize("size", [3000, 20_000])
@pytest.mark.parametrize("kind", ["small", "wide", "whole floats", "floats", "equal", "sorted", "repeated floats"])
def test_large_arrays(kind: str, size: int) -> None:
    random = np.random.default_rng(1)
    columns = {
        "small": random.integers(0, 30, (size, 3)),
        "wide": random.integers(-(2**63), 2**63 - 1, (size, 2)),
        "whole floats": random.integers(-50, 50, (size, 3)).astype(float),
        "floats": random.normal(size=(size, 2)),
        "equal": np.full((size, 2), 0.1),
        "sorted": np.sort(random.normal(size=size))[:, None],
        "repeated floats": random.choice(random.normal(size=9), (size, 4)),
    }[kind]
    for descending in ([False] * columns.shape[1], [k % 2 == 0 for k in range(columns.shape[1])]):
        _, index = sortrows(columns, descending=descending, return_index=True)
        rows = [tuple(row) for row in columns.tolist()]
        assert index.tolist() == by_sorted(rows, list(range(columns.shape[1])), descending)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("place", ["first", "last"])
def test_missing_values_go_where_they_are_told(descending: bool, place: str) -> None:
    nan = float("nan")
    expected = [0, 3] + ([4, 1, 2] if descending else [2, 1, 4])
    expected = expected if place == "first" else expected[2:] + expected[:2]
    columns = [
        [nan, 2.0, 1.0, nan, 3.0],
        [None, "b", "a", None, "c"],
        np.array([nan, 2, 1, nan, 3]),
        np.array([nan, 2, 1, nan, 3], np.float32),
        np.array(["NaT", "2002", "2001", "NaT", "2003"], "M8[Y]"),
        pa.array([None, 2, 1, None, 3]),
        pa.array([nan, 2.0, 1.0, None, 3.0]),
        pa.chunked_array([[None, "b"], ["a", None, "c"]]),
        pa.array([None, b"b", b"a", None, b"c"]).dictionary_encode(),
        pa.array([None, *(dt.date(k, 1, 1) for k in (2002, 2001)), None, dt.date(2003, 1, 1)]),
        np.array([None, "b", "a", None, "c"], object),
    ]
    for column in columns:
        _, index = sortrows(column, descending=descending, na_position=place, return_index=True)
        assert index.tolist() == expected, column


def test_infinity_is_no_missing_value() -> None:
    values = np.array([np.inf, np.nan, -np.inf, 0.0, np.finfo(float).max, 5e-324])
    assert sortrows(values).tolist()[:-1] == [-np.inf, 0.0, 5e-324, np.finfo(float).max, np.inf]


def test_the_kind_of_the_input_is_kept() -> None:
    assert sortrows((3, 1, 2)) == (1, 2, 3)
    assert sortrows([[2, "x"], [1, "y"]]) == [[1, "y"], [2, "x"]]
    assert sortrows([{"n": "b", "k": 1}, {"k": 0, "n": "a"}], "n") == [{"k": 0, "n": "a"}, {"n": "b", "k": 1}]
    structured = np.array([(2, b"x"), (1, b"y")], [("k", "i4"), ("n", "S1")])
    assert sortrows(structured, "k").tolist() == [(1, b"y"), (2, b"x")]
    table = pa.table({"k": [2, 1], "n": ["x", "y"]}, metadata={"a": "b"})
    assert sortrows(table, "k").to_pydict() == {"k": [1, 2], "n": ["y", "x"]}
    assert sortrows(table, "k").schema.metadata == {b"a": b"b"}
    assert sortrows(table.to_batches()[0]).column("k").to_pylist() == [1, 2]
    assert sortrows(pa.array(["b", "a"])).to_pylist() == ["a", "b"]


def test_arrow_tables_sort_as_arrow_does() -> None:
    random = np.random.default_rng(2)
    table = pa.table(
        {
            "s": pa.array(random.choice(["b", "a", "é", None], 500).tolist()),
            "i": pa.array([None if k == 0 else int(k) for k in random.integers(0, 5, 500)]),
            "f": random.integers(0, 4, 500) / 3,
        }
    )
    keys = [("s", "descending"), ("i", "ascending"), ("f", "descending")]
    expected = pc.sort_indices(table, sort_keys=keys).to_pylist()
    assert sortrows(table, ["s", "i", "f"], descending=[True, False, True], return_index=True)[1].tolist() == expected


@pytest.mark.parametrize("method", ["average", "min", "max", "dense", "ordinal"])
@pytest.mark.parametrize("values", [[], [7], [1.5, 1.5, 1.5], [3, 1, 2, 1, 3, 3, 0]])
def test_ranks_as_scipy(method: str, values: list[float]) -> None:
    expected = scipy.stats.rankdata(values, method)
    result = rank(np.array(values), method=method)
    assert result.tolist() == expected.tolist()
    assert result.dtype == (np.float64 if method == "average" else np.int64)


def test_rank_by_several_keys() -> None:
    rows = [("b", 1), ("a", 5), ("b", 1), ("a", 9)]
    assert rank(rows, descending=[False, True], method="dense").tolist() == [3, 2, 3, 1]
    assert rank(pa.table({"k": [2, None, 1]}), method="ordinal", na_position="first").tolist() == [3, 1, 2]


@pytest.mark.parametrize("rows", [[], np.zeros((0, 3)), np.zeros(0), pa.table({"a": pa.array([], pa.string())})])
def test_nothing_to_sort(rows: Any) -> None:
    ordered, index = sortrows(rows, return_index=True)
    assert len(ordered) == len(index) == len(rank(rows)) == 0


def test_rows_without_columns_keep_their_order() -> None:
    assert sortrows(np.zeros((3, 0)), return_index=True)[1].tolist() == [0, 1, 2]
    assert sortrows([(), ()]) == [(), ()]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: sortrows([[1, 2]], 2), errors.PathError, "no column 2; there are 2, counted from 0"),
        (lambda: sortrows([[1, 2]], -3), errors.PathError, "no column -3"),
        (lambda: sortrows([[1, 2]], "a"), errors.PathError, "no column 'a'"),
        (lambda: sortrows(pa.table({"a": [1]}), "b"), errors.PathError, "no column 'b'; there are a"),
        (lambda: sortrows(pa.table({"a": [1]}), 0), errors.PathError, "no column 0; there are a"),
        (lambda: sortrows([[1, 2], [3]]), errors.ShapeMismatch, "row 1 does not have the 2 columns"),
        (lambda: sortrows([[1, 2], 3]), errors.ShapeMismatch, "row 1 does not have the 2 columns"),
        (lambda: sortrows([{"a": 1}, {"b": 1}], "a"), errors.ShapeMismatch, "row 1 does not have the fields"),
        (lambda: sortrows(np.zeros((2, 2, 2))), errors.ShapeMismatch, r"\(2, 2, 2\)"),
        (lambda: sortrows(np.zeros((1, 2), [("a", int)])), errors.ShapeMismatch, "records of one"),
        (lambda: sortrows([[1, 2]], descending=[True]), errors.ShapeMismatch, "1 directions for 2 keys"),
        (lambda: sortrows(np.zeros(2, complex)), errors.TypeMismatch, "complex128 have no order"),
        (lambda: sortrows([1, "a"]), errors.TypeMismatch, "do not compare"),
        (lambda: sortrows([([1],), ([2],)]), errors.TypeMismatch, "unhashable"),
        (lambda: sortrows(pa.table({"a": [[1], [2]]})), errors.TypeMismatch, "list<.*> have no order"),
        (lambda: sortrows(3), errors.TypeMismatch, "int given"),
        (lambda: sortrows("text"), errors.TypeMismatch, "str given"),
        (lambda: sortrows([1], na_position="middle"), errors.UnsupportedValue, "'middle'"),
        (lambda: rank([1], method="mean"), errors.UnsupportedValue, "no method 'mean'"),
    ],
)
def test_wrong_input(call, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
