"""Arrays that are to be combined element by element."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from matlens import errors
from matlens.helpers import explain_mismatch, match


def test_equal_arrays_come_back_as_they_are() -> None:
    a, b = np.ones((2, 3)), np.zeros((2, 3))
    first, second = match(a, b)
    assert first is a
    assert second is b
    assert explain_mismatch(a, b) == ""


def test_opencv_then_takes_them() -> None:
    cv2 = pytest.importorskip("cv2")
    a, b = np.ones((4, 5), np.float32), np.full((4, 5), 3.0)
    with pytest.raises(cv2.error):
        cv2.addWeighted(a, 1, b[:3], 1, 0)
    assert cv2.absdiff(*match(a, b, cast="safe")).tolist() == np.full((4, 5), 2.0).tolist()


@pytest.mark.parametrize(
    ("one", "other", "cast", "expected"),
    [
        ("f4", "f8", "safe", "f8"),
        ("f4", "f8", "same_kind", "f4"),
        ("f8", "f4", "same_kind", "f8"),
        ("u1", "f4", "safe", "f4"),
        ("u1", "f4", "same_kind", "f4"),
        ("u1", "i1", "safe", "i2"),
        ("?", "u1", "safe", "u1"),
        ("i4", "f4", "safe", "f8"),
        ("i8", "f8", "safe", "f8"),
        ("f8", "c8", "safe", "c16"),
        ("U2", "U5", "safe", "U5"),
        ("M8[s]", "M8[ms]", "safe", "M8[ms]"),
        (">f8", "<f8", "never", "<f8"),
    ],
)
def test_casts(one: str, other: str, cast: str, expected: str) -> None:
    first, second = match(np.ones(3).astype(one), np.zeros(3).astype(other), cast=cast)
    assert first.dtype == second.dtype == expected
    assert (first == np.ones(3).astype(one)).all()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_safe_cast_keeps_every_value(data) -> None:
    kinds = st.sampled_from(["i1", "u1", "i8", "u8", "f2", "f4", "f8", "?"])
    one, other = (data.draw(hnp.arrays(data.draw(kinds), (4,))) for _ in range(2))
    try:
        first, second = match(one, other, cast="safe")
    except errors.TypeMismatch as error:
        assert "does not fit" in str(error)
        return
    assert first.dtype == second.dtype
    for before, after in ((one, first), (other, second)):
        for x, y in zip(before.tolist(), after.tolist(), strict=True):
            assert x == y or (x != x and y != y)


@pytest.mark.parametrize(
    ("a", "b", "cast", "text"),
    [
        (np.array([2**53 + 1]), np.ones(1), "safe", "9007199254740993 of a (int64) does not fit in float64"),
        (np.array([1], np.int8), np.array([300]), "same_kind", "300 of b (int64) does not fit in int8"),
        (np.array([1], np.int64), np.array([2**63], np.uint64), "same_kind", "9223372036854775808 of b"),
        (np.array([1], np.float32), np.array([1e300]), "same_kind", "1e+300 of b (float64) does not fit in float32"),
    ],
)
def test_values_that_would_not_survive(a: np.ndarray, b: np.ndarray, cast: str, text: str) -> None:
    with pytest.raises(errors.TypeMismatch, match=re.escape(text)):
        match(a, b, cast=cast)


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        ((3, 4), (4, 3), "b.T has the shape of a"),
        ((5,), (5, 1), "b.reshape((5,)) has the shape of a"),
        ((1, 4, 4), (4, 4), "b.reshape((1, 4, 4))"),
        ((), (1, 1), "b.item()"),
        ((480, 640, 3), (3, 480, 640), "np.moveaxis(b, 0, 2)"),
        ((3, 480, 640), (480, 640, 3), "np.moveaxis(b, 2, 0)"),
        ((4, 3), (3,), "np.broadcast_to(b, (4, 3))"),
        ((4, 1), (4, 3), "np.broadcast_to(a, (4, 3)) has the shape of b"),
        ((480, 640), (480, 640, 3), "a is 2-D, b 3-D"),
        ((480, 640), (480, 600), "they differ along axis 1"),
        ((2, 5, 7), (3, 5, 8), "they differ along axis 0, 2"),
    ],
)
def test_the_remedy_for_shapes_works(a: tuple[int, ...], b: tuple[int, ...], text: str) -> None:
    first, second = np.zeros(a), np.zeros(b)
    explanation = explain_mismatch(first, second)
    assert text in explanation
    assert f"shapes {a} and {b} differ" in explanation
    with pytest.raises(errors.ShapeMismatch) as caught:
        match(first, second)
    assert str(caught.value) == explanation
    call = explanation.split("; ")[1].split(" has ")[0].split(" is ")[0]
    if "has the shape" in explanation:
        repaired = np.shape(eval(call, {"np": np, "a": first, "b": second}))
        assert repaired == (b if explanation.endswith("of b") else a)


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        ("f4", "f8", 'match(a, b, cast="safe") makes both float64'),
        ("U3", "f8", "there is no type for both"),
        ("M8[s]", "f8", "there is no type for both"),
    ],
)
def test_the_remedy_for_types(a: str, b: str, text: str) -> None:
    first, second = np.zeros(2, a), np.zeros(2, b)
    with pytest.raises(errors.TypeMismatch, match=re.escape(text)):
        match(first, second)


@pytest.mark.parametrize("cast", ["safe", "same_kind"])
def test_text_never_becomes_a_number(cast: str) -> None:
    with pytest.raises(errors.TypeMismatch, match="no type for both"):
        match(["1"], [1.0], cast=cast)


def test_both_may_differ() -> None:
    text = explain_mismatch(np.zeros((2, 3), np.float32), np.zeros((3, 2)))
    assert "shapes (2, 3) and (3, 2) differ (types float32 and float64, which differ too)" in text


def test_no_value_is_looked_at() -> None:
    class Huge:
        shape, dtype = (10**6, 10**6), np.dtype("f4")

    assert "np.broadcast_to" in explain_mismatch(Huge(), np.zeros((1, 10**6)))


def test_empty_and_single() -> None:
    assert [array.shape for array in match(np.zeros((0, 3)), np.ones((0, 3)))] == [(0, 3)] * 2
    assert match(1.5, 2.5)[0] == 1.5
    assert explain_mismatch(np.zeros((0, 3)), np.zeros((3, 0))).endswith("b.T has the shape of a")
    nan = match(np.array([np.nan], np.float32), np.ones(1), cast="safe")[0]
    assert np.isnan(nan).all()


def test_another_cast() -> None:
    with pytest.raises(errors.UnsupportedValue, match="'unsafe'"):
        match(1, 2, cast="unsafe")
