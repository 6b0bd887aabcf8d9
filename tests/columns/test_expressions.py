"""Expressions: their values against Python's own, row by row, and what they refuse."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matlens.columns.expression_parser import DEEPEST, LONGEST
from matlens.columns.expressions import parse, parse_assignment, quoted_name, quoted_text
from matlens.errors import ExpressionError, MatlensError

ROWS: list[dict[str, Any]] = [
    {"image": "001.jpg", "score": 0.9, "count": 3, "labels": ["car", "van"], "boxes": [[1.0, 2, 3, 4], [5.0, 6, 7, 8]]},
    {"image": "002.jpg", "score": 0.2, "count": -4, "labels": [], "boxes": []},
    {"image": "00a.png", "score": math.nan, "count": 0, "labels": ["van"], "boxes": [[0.0, 0, 1, 1]]},
    {"image": None, "score": None, "count": None, "labels": None, "boxes": None},
    {"image": 'a "b"\\', "score": -1.5, "count": 2**53 + 1, "labels": [None, "bus"], "boxes": [[-1.0, 0, 1, 1]] * 4},
]
KINDS = pa.schema(
    [
        ("image", pa.string()),
        ("score", pa.float64()),
        ("count", pa.int64()),
        ("labels", pa.list_(pa.string())),
        ("boxes", pa.list_(pa.list_(pa.float64(), 4))),
    ]
)
TABLE = pa.Table.from_pylist(ROWS, KINDS)


def kept(text: str, table: pa.Table = TABLE) -> list[int]:
    return np.flatnonzero(parse(text).mask(table)).tolist()  # type: ignore[no-any-return]


def of_rows(test: Any) -> list[int]:
    return [k for k, row in enumerate(ROWS) if test(row)]


def texts(row: dict[str, Any]) -> list[str]:
    return [label for label in row["labels"] or [] if label is not None]


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("score > 0.5", lambda row: row["score"] is not None and row["score"] > 0.5),
        ("score > .5 or count < 0", lambda row: (row["score"] or 0) > 0.5 or (row["count"] or 0) < 0),
        ('image ~ "^00\\d"', lambda row: re.search(r"^00\d", row["image"] or "") is not None),
        ('image !~ "^00"', lambda row: row["image"] is not None and not row["image"].startswith("00")),
        ("numel(labels) > 1", lambda row: len(texts(row)) > 1),
        ("numel(boxes) >= 8", lambda row: 4 * len(row["boxes"] or []) >= 8),
        ("any(labels == 'van')", lambda row: "van" in texts(row)),
        ("all(labels == 'van')", lambda row: row["labels"] is None or row["labels"] in ([], ["van"])),
        ("not any(labels ~= 'van')", lambda row: set(row["labels"] or []) <= {"van"}),
        ("any(boxes < 0)", lambda row: any(x < 0 for box in row["boxes"] or [] for x in box)),
        ("max(boxes) > 4 & min(boxes) >= 0", lambda row: row is ROWS[0]),
        ('image in ["001.jpg", "00a.png"]', lambda row: row["image"] in ("001.jpg", "00a.png")),
        ("count not in [3, -4]", lambda row: row["count"] is not None and row["count"] not in (3, -4)),
        ("count == 9007199254740993", lambda row: row["count"] == 2**53 + 1),
        ("count = 9007199254740992", lambda row: False),
        ("ismissing(score)", lambda row: row["score"] is None or row["score"] != row["score"]),
        ("isnan(score)", lambda row: row["score"] is not None and row["score"] != row["score"]),
        ("~ismissing(image) && strlength(image) == 6", lambda row: row["image"] == 'a "b"\\'),
        ('image == "a \\"b\\"\\\\"', lambda row: row["image"] == 'a "b"\\'),
        ("upper(image) == '001.JPG'", lambda row: row["image"] == "001.jpg"),
        ("endswith(image, '.png') | contains(image, '\"')", lambda row: row in (ROWS[2], ROWS[4])),
        ("count % 2 == 1", lambda row: row["count"] is not None and row["count"] in (3,)),
        ("-count ^ 2 == -9", lambda row: row["count"] == 3),
        ("score != 0.2", lambda row: row["score"] is not None and row["score"] != 0.2),
        ("true", lambda row: True),
        ("missing", lambda row: False),
        ("1 > 2", lambda row: False),
    ],
)
def test_rows_that_are_kept(text: str, test: Any) -> None:
    assert kept(text) == of_rows(test)


@pytest.mark.parametrize("rows", [0, 1, 5])
@pytest.mark.parametrize("chunks", [1, 2])
def test_no_row_one_row_and_many_chunks(rows: int, chunks: int) -> None:
    table = pa.concat_tables([TABLE.slice(0, rows)] * chunks)
    expected = [k for k in range(rows * chunks) if "van" in texts(ROWS[k % rows])] if rows else []
    assert kept("any(labels == 'van')", table) == expected
    assert len(parse("numel(boxes)").evaluate(table)) == rows * chunks


def test_lists_meet_single_values_and_each_other() -> None:
    table = pa.table(
        {"own": ["a", "b"], "all": [["a", "c"], ["c"]], "scores": [[0.1, 0.9], [0.5]], "least": [0.5, 0.5]}
    )
    assert kept("any(all == own)", table) == [0]
    assert kept("any(all == 'c' and scores > least)", table) == [0]
    assert parse("sum(scores * 2)").evaluate(table).to_pylist() == [2.0, 1.0]
    assert parse("mean(scores)").evaluate(table).to_pylist() == pytest.approx([0.5, 0.5])
    uneven = table.append_column("other", pa.array([[1], [1, 2]]))
    with pytest.raises(ExpressionError, match="different lengths"):
        parse("any(scores > other)").mask(uneven)


def test_fields_of_structs_at_every_depth() -> None:
    rows = [{"o": [{"label": "car", "box": {"w": 2}}, {"label": "van", "box": {"w": 5}}]}, {"o": []}, {"o": None}]
    table = pa.Table.from_pylist(rows).append_column("a.b", pa.array([1, 2, 3]))
    assert kept("any(o.label == 'van')", table) == [0]
    assert kept("max(o.box.w) == 5", table) == [0]
    assert kept("numel(o) == 0", table) == [1, 2]
    assert kept("a.b > 1 and `a.b` < 3", table) == [1]
    with pytest.raises(ExpressionError, match="o has no field lable"):
        parse("any(o.lable == 1)").mask(table)


def test_values_of_free_dims_categories_dates_and_complex_numbers() -> None:
    free = pa.array([{"data": [1.0, 7.0], "shape": [1, 2]}, {"data": [], "shape": [0, 0]}])
    dates = pa.array([datetime(2020, 5, 31), datetime(2021, 1, 1)], pa.timestamp("us", "UTC"))
    complexes = pa.array([{"real": 3.0, "imag": 4.0}, {"real": 0.0, "imag": 1.0}])
    kind = pa.array(["low", "high"]).dictionary_encode()
    table = pa.table({"free": free, "born": dates, "z": complexes, "kind": kind, "ok": [True, None]})
    assert kept("max(free) > 5", table) == kept("numel(free) == 2", table) == [0]
    assert kept("born < '2021-01-01'", table) == kept("year(born) == 2020 and month(born) == 5", table) == [0]
    assert kept("abs(z) == 5 and z.imag > 1", table) == [0]
    assert kept("kind == 'high'", table) == [1]
    assert kept("ok", table) == kept("ok == true", table) == [0]
    assert kept("not ok", table) == []


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint64", "int64", "float", "double"])
def test_numbers_reckon_without_wrapping(kind: str) -> None:
    top = np.iinfo(kind).max if "int" in kind else np.finfo(np.float32).max
    table = pa.table({"x": pa.array(np.array([1, top], kind))})
    found = parse("x + x").evaluate(table).to_pylist()
    assert found == pytest.approx([2, 2 * float(top)])
    assert parse("-x").evaluate(table).to_pylist() == pytest.approx([-1, -float(top)])
    assert parse("x / 0").evaluate(table).to_pylist() == [math.inf, math.inf]
    assert kept("x > -1", table) == [0, 1]


def test_numbers_of_single_precision_are_meant_as_written() -> None:
    table = pa.table({"x": pa.array([0.1, 0.5], pa.float32())})
    assert kept("x == 0.1", table) == [0] and kept("x > 0.1", table) == [1]


def test_mod_is_that_of_matlab() -> None:
    table = pa.table({"x": [7.0, -7.0, 7.0, -7.0, 5.5], "y": [3.0, 3.0, -3.0, 0.0, 2.0]})
    assert parse("x % y").evaluate(table).to_pylist() == [1.0, 2.0, -2.0, -7.0, 1.5]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected a value, found the end"),
        ("score >", "after score >"),
        ("(score > 1", "expected \\) , found the end"),
        ("score 1", "expected an operator, found 1"),
        ("scor > 1", "did you mean score"),
        ("label == 'x'", "did you mean labels"),
        ("score > 'a'", "cannot compare numbers with text"),
        ("image > 3", "cannot compare text with numbers"),
        ("labels == 'van'", "any\\(…\\) or all\\(…\\)"),
        ("score", "expected a condition such as x > 0, found numbers"),
        ("median(score) > 1", "no function median; there are abs,"),
        ("abs(score, 1) > 1", "abs takes 1 value, not 2"),
        ("any()", "any takes 1 value, not 0"),
        ("image ~ '('", "cannot compute"),
        ("image ~ image", "expected a text in quotes"),
        ("image in [score]", "expected numbers or texts"),
        ("score in [", "expected a value, found the end"),
        ("score > 1 and and", "expected a value, found and"),
        ("score # 1", "unexpected #"),
        ("sum(image) > 1", "sum takes numbers, found text"),
        ("not score", "expected a condition"),
        ("image.", "expected the name of a field"),
        ("__import__('os').system('true')", "expected an operator, found ."),
    ],
)
def test_what_does_not_fit_is_told(text: str, told: str) -> None:
    with pytest.raises(ExpressionError, match=told) as raised:
        parse(text).mask(TABLE)
    assert isinstance(raised.value, MatlensError) and isinstance(raised.value, ValueError)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "((" * (DEEPEST // 2) + "1" + "))" * (DEEPEST // 2),
        "-" * (LONGEST - 1) + "1",
        "not " * 2000 + "true",
        "1" + "+1" * 4000,
        "x" * (LONGEST + 1),
        "\x1b]0;title\x07 > 1",
        "`\x1b[2J` > 1",
        "'" + "a" * LONGEST,
    ],
)
def test_hostile_texts_are_refused_without_reaching_the_terminal(text: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        parse(text).mask(TABLE)
    assert str(raised.value).isprintable() and len(str(raised.value)) < 400


def test_long_conditions_are_no_deep_ones() -> None:
    text = " or ".join(f"count == {k}" for k in range(400))
    assert kept(text) == [0, 2]


def test_new_columns() -> None:
    name, area = parse_assignment("area = (xmax - xmin) * (ymax-ymin)")
    table = pa.table({"xmin": [0, 1], "xmax": [2, 4], "ymin": [0, 0], "ymax": [3, 1]})
    assert (name, area.evaluate(table).to_pylist()) == ("area", [6, 3])
    assert parse_assignment("`my area` = 1")[0] == "my area"
    for text in ("area", "= 3", "1 = 2", "a b = 3", "area == 3"):
        with pytest.raises(ExpressionError):
            parse_assignment(text)


@given(st.text(min_size=1, max_size=30))
def test_names_and_texts_come_back_from_their_quotes(text: str) -> None:
    table = pa.table({text: [text, "other " + text]})
    assert kept(f"{quoted_name(text)} == {quoted_text(text)}", table) == [0]


NUMBERS = st.one_of(st.none(), st.integers(-5, 5), st.sampled_from([0.5, -2.5]))
ATOMS = st.sampled_from(["a", "b", "2", "-1", "0.5"])
SUMS = st.recursive(
    ATOMS, lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner), max_leaves=4
)
TESTS = st.builds("{} {} {}".format, SUMS, st.sampled_from(["<", "<=", "==", "!=", ">", ">="]), SUMS)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("(not {})".format, inner),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(CONDITIONS, st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=6))
def test_conditions_equal_those_of_python(text: str, pairs: list[tuple[Any, Any]]) -> None:
    columns = [pa.array([pair[k] for pair in pairs], pa.float64()) for k in (0, 1)]
    found = parse(text).mask(pa.table(columns, ["a", "b"]))
    for is_kept, (a, b) in zip(found, pairs, strict=True):
        if a is not None and b is not None:
            assert is_kept == bool(eval(text, {}, {"a": a, "b": b})), (text, a, b)
