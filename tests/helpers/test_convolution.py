"""Transposed convolution against torch, SciPy and its definition."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from matlens import errors
from matlens.helpers import conv_transpose2d, conv_transpose2d_shape, to_matlab_layout, to_torch_layout

EXAMPLE = np.arange(1.0, 7).reshape(1, 1, 2, 3), (np.arange(1, 49) / 10).reshape(1, 3, 4, 4)


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def torch_result(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None = None, **options) -> np.ndarray:
    torch = pytest.importorskip("torch")
    tensors = [None if array is None else torch.from_numpy(array) for array in (x, weight, bias)]
    return torch.nn.functional.conv_transpose2d(*tensors, **options).numpy()


def test_the_example_by_hand() -> None:
    x, weight = EXAMPLE
    expected = np.zeros((1, 3, 5, 6))
    for channel in range(3):
        for row in range(2):
            for column in range(3):
                expected[0, channel, row : row + 4, column : column + 4] += x[0, 0, row, column] * weight[0, channel]
    np.testing.assert_allclose(conv_transpose2d(x, weight), expected, rtol=1e-14)


def test_stride_one_is_the_full_convolution_of_scipy() -> None:
    x, weight = normal(1, 1, 1, 6, 7), normal(2, 1, 1, 3, 4)
    expected = scipy.signal.convolve2d(x[0, 0], weight[0, 0])
    np.testing.assert_allclose(conv_transpose2d(x, weight)[0, 0], expected, rtol=1e-12, atol=1e-14)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_torch_agrees(data) -> None:
    def numbers(low: int, high: int) -> tuple[int, int]:
        return data.draw(st.integers(low, high)), data.draw(st.integers(low, high))

    groups = data.draw(st.integers(1, 3))
    inner, outer = groups * data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    x = normal(3, data.draw(st.integers(1, 3)), inner, *numbers(1, 6))
    weight = normal(4, inner, outer, *numbers(1, 4))
    bias = normal(5, groups * outer) if data.draw(st.booleans()) else None
    options = {
        "stride": numbers(1, 4), "padding": numbers(0, 3), "output_padding": numbers(0, 2), "dilation": numbers(1, 3),
        "groups": groups,
    }  # fmt: skip
    steps = zip(options["output_padding"], options["stride"], options["dilation"], strict=True)
    assume(all(extra < max(s, d) for extra, s, d in steps))
    try:
        shape = conv_transpose2d_shape(x.shape, weight.shape, **options)
    except errors.ShapeMismatch:
        with pytest.raises(RuntimeError):
            torch_result(x, weight, bias, **options)
        return
    result = conv_transpose2d(x, weight, bias, **options)
    assert result.shape == shape
    np.testing.assert_allclose(result, torch_result(x, weight, bias, **options), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_types_are_kept(dtype: type) -> None:
    x, weight = (array.astype(dtype) for array in EXAMPLE)
    result = conv_transpose2d(x, weight)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, torch_result(x, weight), rtol=1e-5)


def test_whole_numbers_become_doubles() -> None:
    result = conv_transpose2d(np.full((1, 1, 1, 1), 200, np.uint8), np.full((1, 1, 1, 1), 200, np.uint8))
    assert result.tolist() == [[[[40_000.0]]]]


def test_no_images() -> None:
    weight = EXAMPLE[1]
    assert conv_transpose2d(np.ones((0, 1, 2, 3)), weight).shape == (0, 3, 5, 6)


def test_without_a_batch() -> None:
    x, weight = EXAMPLE
    np.testing.assert_array_equal(conv_transpose2d(x[0], weight), conv_transpose2d(x, weight)[0])
    assert conv_transpose2d_shape((1, 2, 3), weight.shape) == (3, 5, 6)


def test_nan_spreads_to_its_kernel_only() -> None:
    x = np.ones((1, 1, 3, 3))
    x[0, 0, 0, 0] = np.nan
    result = conv_transpose2d(x, np.ones((1, 1, 2, 2)))
    assert np.isnan(result[0, 0]).tolist() == [[k < 2 and row < 2 for k in range(4)] for row in range(4)]


def test_adjoint_of_the_convolution() -> None:
    """<conv(y), x> = <y, conv_transpose(x)>, which is what the name says."""
    x, weight, y = normal(6, 5, 6), normal(7, 3, 2), normal(8, 7, 7)
    convolved = scipy.signal.correlate2d(y, weight, mode="valid")
    spread = conv_transpose2d(x[None, None], weight[None, None])[0, 0]
    assert np.vdot(convolved, x) == pytest.approx(np.vdot(y, spread), rel=1e-12)


def test_weights_of_matlab() -> None:
    stored = normal(9, 4, 5, 3, 7)
    weight = to_torch_layout(stored)
    assert weight.shape == (7, 3, 4, 5)
    assert weight[6, 2, 3, 4] == stored[3, 4, 2, 6]
    np.testing.assert_array_equal(to_matlab_layout(weight), stored)
    assert to_torch_layout(normal(10, 4, 5, 3)).shape == (1, 3, 4, 5)


def test_grouped_weights_of_matlab() -> None:
    stored = normal(11, 4, 5, 2, 3, 6)
    weight = to_torch_layout(stored)
    assert weight.shape == (18, 2, 4, 5)
    # Group 4, its filter 1.
    np.testing.assert_array_equal(weight[4 * 3 + 1, 1], stored[:, :, 1, 1, 4])
    np.testing.assert_array_equal(to_matlab_layout(weight, groups=6), stored)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: conv_transpose2d(np.ones((1, 2, 3, 3)), np.ones((3, 1, 2, 2))), errors.ShapeMismatch, "2 channels"),
        (lambda: conv_transpose2d(np.ones((3, 3)), np.ones((3, 1, 2, 2))), errors.ShapeMismatch, r"\(3, 3\) given"),
        (lambda: conv_transpose2d(np.ones((1, 3, 3)), np.ones((1, 2, 2))), errors.ShapeMismatch, r"\(1, 2, 2\) given"),
        (lambda: conv_transpose2d(*EXAMPLE, [1.0]), errors.ShapeMismatch, r"bias of shape \(3,\)"),
        (lambda: conv_transpose2d(*EXAMPLE, groups=2), errors.ShapeMismatch, "2 groups"),
        (lambda: conv_transpose2d(*EXAMPLE, groups=0), errors.ShapeMismatch, "0 groups"),
        (lambda: conv_transpose2d(*EXAMPLE, padding=3), errors.ShapeMismatch, "no output is left"),
        (lambda: conv_transpose2d(np.ones((1, 1, 0, 3)), EXAMPLE[1]), errors.ShapeMismatch, "nothing to convolve"),
        (lambda: conv_transpose2d(*EXAMPLE, stride=0), errors.UnsupportedValue, "stride .* at least 1, 0 given"),
        (lambda: conv_transpose2d(*EXAMPLE, stride=(1, 2, 3)), errors.UnsupportedValue, r"\(1, 2, 3\) given"),
        (lambda: conv_transpose2d(*EXAMPLE, padding=-1), errors.UnsupportedValue, "padding .* at least 0"),
        (
            lambda: conv_transpose2d(*EXAMPLE, output_padding=1),
            errors.UnsupportedValue,
            "output_padding 1 is not below",
        ),
        (lambda: conv_transpose2d(EXAMPLE[0], np.full((1, 1, 2, 2), "a")), errors.TypeMismatch, "weight holds <U1"),
        (lambda: to_torch_layout(np.ones(3)), errors.ShapeMismatch, r"\(3,\)"),
        (lambda: to_matlab_layout(np.ones((3, 3))), errors.ShapeMismatch, r"\(3, 3\)"),
        (lambda: to_matlab_layout(np.ones((3, 1, 1, 1)), groups=2), errors.ShapeMismatch, "2 groups"),
    ],
)
def test_wrong_input(call, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
