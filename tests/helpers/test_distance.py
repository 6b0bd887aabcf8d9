"""Distances against SciPy, torch and exact arithmetic."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from scipy.spatial import distance

from matlens import errors
from matlens.helpers import cdist

NORMS = [0, 0.5, 1, 1.5, 2, 3, np.inf]


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((5, 3), (4, 3)),
        ((2, 5, 3), (2, 4, 3)),
        ((5, 3), (2, 4, 3)),
        ((3, 1, 5, 2), (1, 2, 4, 2)),
        ((1, 1), (1, 1)),
        ((0, 3), (4, 3)),
        ((3, 0), (4, 0)),
        ((0, 2, 3), (0, 4, 3)),
        ((150, 40), (120, 40)),
    ],
)
def test_torch_agrees(p: float, one: tuple[int, ...], other: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    a, b = normal(1, *one), normal(2, *other)
    expected = torch.cdist(torch.from_numpy(a), torch.from_numpy(b), p=p).numpy()
    result = cdist(a, b, p=p)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-9)


@pytest.mark.parametrize("p", NORMS[1:])
def test_scipy_agrees(p: float) -> None:
    a, b = normal(3, 60, 50), normal(4, 90, 50)
    np.testing.assert_allclose(cdist(a, b, p=p), distance.cdist(a, b, "minkowski", p=p), rtol=1e-12)


@pytest.mark.parametrize(("offset", "spread"), [(0, 1), (1e4, 1), (1e4, 1e-3), (-1e8, 1), (1e4, 1e4)])
def test_near_and_far_rows_keep_their_digits(offset: float, spread: float) -> None:
    a = offset + spread * normal(5, 300, 64)
    b = np.concatenate([a[:100], a[100:200] + 1e-6 * spread, offset + spread * normal(6, 100, 64)])
    expected = distance.cdist(a, b)
    result = cdist(a, b)
    np.testing.assert_allclose(result, expected, rtol=1e-9, atol=0)
    assert (result[np.arange(100), np.arange(100)] == 0).all()


def test_two_heaps_far_apart() -> None:
    """Within a heap, all is near beside the distance to the centre."""
    a = np.concatenate([normal(7, 150, 32), 1e6 + normal(8, 150, 32)])
    np.testing.assert_allclose(cdist(a, a), distance.cdist(a, a), rtol=1e-9, atol=0)


def test_the_last_digit_is_that_of_exact_arithmetic() -> None:
    a = np.random.default_rng(9).integers(-1000, 1000, (90, 70)).astype(float) + 10_000
    b = np.random.default_rng(10).integers(-1000, 1000, (80, 70)).astype(float) + 10_000
    result = cdist(a, b)
    for i, j in ((0, 0), (17, 42), (89, 79)):
        square = sum((int(x) - int(y)) ** 2 for x, y in zip(a[i], b[j], strict=True))
        exact = Fraction(isqrt(square << 200), 1 << 100)
        assert abs(Fraction(result[i, j]) / exact - 1) < Fraction(1, 10**14)


@pytest.mark.parametrize("columns", [3, 40])
def test_nan_and_infinity(columns: int) -> None:
    a, b = normal(11, 100, columns), normal(12, 100, columns)
    a[3, 1], b[5, 2], a[7, 0] = np.nan, np.nan, np.inf
    for p in (0, 1, 2, np.inf):
        result = cdist(a, b, p=p)
        assert np.isnan(result[3]).all()
        assert np.isnan(result[:, 5]).all()
        assert np.isfinite(result[0, :5]).all()
        if p:
            assert np.isinf(result[7, 0])


def test_numbers_whose_squares_overflow() -> None:
    a, b = 1e200 * normal(13, 100, 40), 1e200 * normal(14, 100, 40)
    np.testing.assert_array_equal(cdist(a, b), distance.cdist(a, b))


def test_all_rows_equal() -> None:
    rows = np.full((200, 30), 1 / 3)
    assert (cdist(rows, rows) == 0).all()


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("f4", "f4", "f4"),
        ("f4", "f8", "f8"),
        ("i4", "i4", "f8"),
        ("f2", "f4", "f4"),
        ("f4", "i2", "f8"),
        ("?", "u1", "f8"),
    ],
)
def test_types(one: str, other: str, expected: str) -> None:
    a, b = np.eye(3).astype(one), np.eye(3).astype(other)
    for batch in ((), (None,)):
        result = cdist(a[batch], b[batch])
        assert result.dtype == expected
        assert result.reshape(3, 3)[0, 1] == pytest.approx(np.sqrt(2), rel=1e-6)


def test_metrics_of_scipy() -> None:
    a, b = np.abs(normal(15, 2, 4, 3)), np.abs(normal(16, 2, 5, 3))
    for metric in ("cosine", "canberra", lambda x, y: float(abs(x - y).sum())):
        expected = np.stack([distance.cdist(a[k], b[k], metric) for k in range(2)])
        np.testing.assert_array_equal(cdist(a, b, metric=metric), expected)
    weights = np.array([1.0, 2, 3])
    np.testing.assert_array_equal(
        cdist(a[0], b[0], metric="euclidean", w=weights), distance.cdist(a[0], b[0], "euclidean", w=weights)
    )


def test_memory_is_bounded() -> None:
    a, b = normal(17, 2000, 32), normal(18, 2000, 32)
    # 40,000 pairs are near, and computed again from their rows: 30 MB at once.
    a[::10] = b[0]
    b[::10] = b[0]
    cdist(a[:10], b[:10])
    tracemalloc.start()
    result = cdist(a, b, block_bytes=1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - result.nbytes < 8 << 20


def test_columns_of_arrow_tables() -> None:
    import pyarrow as pa

    points = normal(19, 6, 2)
    table = pa.table({"x": points[:, 0], "y": points[:, 1]})
    pairs = pa.chunked_array([pa.FixedSizeListArray.from_arrays(pa.array(points.reshape(-1)), 2)])
    np.testing.assert_allclose(cdist(table, pairs), distance.cdist(points, points), atol=1e-15)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: cdist(np.ones((3, 2)), np.ones((4, 5))),
            errors.ShapeMismatch,
            r"2 and of 5 columns.*\(3, 2\).*\(4, 5\)",
        ),
        (lambda: cdist(np.ones(3), np.ones((4, 3))), errors.ShapeMismatch, r"shape \(3,\)"),
        (lambda: cdist(np.ones((2, 3, 2)), np.ones((4, 3, 2))), errors.ShapeMismatch, r"\(2, 3, 2\) and \(4, 3, 2\)"),
        (lambda: cdist(np.ones((2, 2)) * 1j, np.ones((2, 2))), errors.TypeMismatch, "complex128"),
        (lambda: cdist([["a"]], [["b"]]), errors.TypeMismatch, "<U1"),
        (lambda: cdist([[1]], [[2]], p=-1), errors.UnsupportedValue, "p is 0 or more, -1"),
        (lambda: cdist([[1]], [[2]], p=np.nan), errors.UnsupportedValue, "nan"),
        (lambda: cdist([[1.0]], [[2.0]], metric="nonsense"), ValueError, "nonsense"),
        (lambda: cdist([[1.0]], [[2.0]], w=[1]), TypeError, "w only with a metric"),
    ],
)
def test_wrong_input(call, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
