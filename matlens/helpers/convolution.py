"""Transposed convolution, and the layouts of the weights that go with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matlens.errors import ShapeMismatch, TypeMismatch, UnsupportedValue
from matlens.helpers.arrays import as_array

Pair = int | Sequence[int]


@dataclass(frozen=True)
class _Geometry:
    """Of both image axes: sizes of input, kernel and output, and the steps between."""

    size: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    output_padding: tuple[int, int]
    dilation: tuple[int, int]

    @property
    def full(self) -> tuple[int, int]:
        """Output before the padding is cut off."""
        return _pairwise(
            (n - 1) * s + d * (k - 1) + 1 + extra
            for n, k, s, d, extra in zip(
                self.size, self.kernel, self.stride, self.dilation, self.output_padding, strict=True
            )
        )

    @property
    def output(self) -> tuple[int, int]:
        return _pairwise(n - 2 * p for n, p in zip(self.full, self.padding, strict=True))


def conv_transpose2d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    /,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> NDArray[Any]:
    """Transposed convolution of images, as `torch.nn.functional.conv_transpose2d`.

    Parameters
    ----------
    x : array_like, shape (N, in, H, W) or (in, H, W)
        Images by channel.
    weight : array_like, shape (in, out / groups, kh, kw)
        Kernels; `to_torch_layout` brings MATLAB's to this order.
    bias : array_like, shape (out,), optional
        Added to every pixel of a channel.
    stride, padding, output_padding, dilation : int or (int, int), optional
        Of rows and of columns, in pixels: the step between the places of the input in the output; what is cut off
        at every edge of the output; what is added behind its last row and column; the step between the taps
        of a kernel.
    groups : int, default 1
        Parts into which the channels fall, each convolved on its own.

    Returns
    -------
    ndarray, shape (N, out, H', W') or (out, H', W')
        ``H' = (H - 1) * stride - 2 * padding + dilation * (kh - 1) + output_padding + 1``. float32 if all inputs
        are float32, else float64 (or complex).

    Raises
    ------
    ShapeMismatch
        Shapes that do not go together, or that leave no output.
    TypeMismatch
        Text, dates, records.
    UnsupportedValue
        A stride or dilation below 1, a negative padding, an output padding that is not smaller than stride
        or dilation.

    See Also
    --------
    conv_transpose2d_shape : the shape of the result alone.

    Notes
    -----
    Every pixel of the input adds a kernel times its value to the output, `stride` apart. One matrix product for
    each tap of the kernel does that for all pixels; no array larger than the output is made.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(1.0, 7).reshape(1, 1, 2, 3)
    >>> weight = (np.arange(1, 49) / 10).reshape(1, 3, 4, 4)
    >>> conv_transpose2d(x, weight).shape
    (1, 3, 5, 6)
    >>> conv_transpose2d(np.ones((4, 3, 4, 4)), np.ones((3, 7, 4, 4))).shape
    (4, 7, 7, 7)
    >>> conv_transpose2d([[[1.0, 2.0]]], [[[[1.0, 1.0]]]], [0.5])
    array([[[1.5, 3.5, 2.5]]])
    """
    images, kernels, offsets = _arrays(x, weight, bias)
    steps = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
    geometry, channels = _geometry("conv_transpose2d", images.shape, kernels.shape, groups, **steps)
    if offsets is not None and offsets.shape != (channels,):
        raise ShapeMismatch(f"bias of shape ({channels},) expected, {offsets.shape} given")
    batch = images if images.ndim == 4 else images[None]
    count, per_group = len(batch), channels // groups
    pixels = np.ascontiguousarray(batch).reshape(
        count, groups, len(kernels) // groups, geometry.size[0] * geometry.size[1]
    )
    taps = kernels.reshape(groups, -1, per_group, *geometry.kernel).transpose(3, 4, 0, 2, 1)
    full = np.zeros((count, groups, per_group, *geometry.full), images.dtype)
    for i, j in product(range(geometry.kernel[0]), range(geometry.kernel[1])):
        spread = np.matmul(np.ascontiguousarray(taps[i, j]), pixels)
        rows, columns = (
            slice(tap * d, tap * d + (n - 1) * s + 1, s)
            for tap, d, n, s in zip((i, j), geometry.dilation, geometry.size, geometry.stride, strict=True)
        )
        full[..., rows, columns] += spread.reshape(count, groups, per_group, *geometry.size)
    inner = tuple(slice(p, p + n) for p, n in zip(geometry.padding, geometry.output, strict=True))
    output = full.reshape(count, channels, *geometry.full)[:, :, *inner]
    if offsets is not None:
        output = output + offsets[:, None, None]
    output = np.ascontiguousarray(output)
    return output if images.ndim == 4 else output[0]


def conv_transpose2d_shape(
    x: Sequence[int],
    weight: Sequence[int],
    /,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> tuple[int, ...]:
    """Shape of what `conv_transpose2d` returns for arrays of these shapes.

    Parameters
    ----------
    x : sequence of int
        (N, in, H, W) or (in, H, W).
    weight : sequence of int
        (in, out / groups, kh, kw).
    stride, padding, output_padding, dilation, groups
        As in `conv_transpose2d`.

    Returns
    -------
    tuple of int

    Raises
    ------
    ShapeMismatch, UnsupportedValue
        As `conv_transpose2d`.

    Examples
    --------
    >>> conv_transpose2d_shape((1, 16, 12, 12), (16, 33, 3, 5), stride=(2, 1), padding=(4, 2))
    (1, 33, 17, 12)
    """
    shape = tuple(int(n) for n in x)
    kernels = tuple(int(n) for n in weight)
    steps = {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation}
    geometry, channels = _geometry("conv_transpose2d_shape", shape, kernels, groups, **steps)
    return (*shape[:-3], channels, *geometry.output)


def to_torch_layout(weight: ArrayLike, /) -> NDArray[Any]:
    """Bring weights or images from MATLAB's order of axes to that of torch.

    Parameters
    ----------
    weight : array_like, 2-D to 5-D
        H x W x in x out of a convolution, H x W x out x in of a transposed one, H x W x channels x N of images,
        or H x W x in x out x groups. MATLAB drops ones at the end, so that fewer axes are taken as they stood.

    Returns
    -------
    ndarray, 4-D
        (out, in, H, W) of a convolution, (in, out, H, W) of a transposed one, (N, channels, H, W) of images: it is
        the same exchange of axes. Groups stand one after another along the first axis. A view where possible.

    Raises
    ------
    ShapeMismatch
        Fewer than two axes, or more than five.

    Notes
    -----
    Neither side turns kernels around: both correlate. Layouts are those of the ``Weights`` of MATLAB's
    ``convolution2dLayer``, ``transposedConv2dLayer`` and ``groupedConvolution2dLayer``.

    Examples
    --------
    >>> import numpy as np
    >>> to_torch_layout(np.zeros((4, 5, 3, 7))).shape
    (7, 3, 4, 5)
    >>> to_torch_layout(np.zeros((4, 5))).shape
    (1, 1, 4, 5)
    """
    array = as_array(weight)
    if not 2 <= array.ndim <= 5:
        raise ShapeMismatch(f"weights of 2 to 5 axes expected, H x W x in x out x groups; shape {array.shape} given")
    if array.ndim == 5:
        height, width, inner, outer, groups = array.shape
        return array.transpose(4, 3, 2, 0, 1).reshape(groups * outer, inner, height, width)
    return array.reshape(*array.shape, *[1] * (4 - array.ndim)).transpose(3, 2, 0, 1)


def to_matlab_layout(weight: ArrayLike, /, *, groups: int = 1) -> NDArray[Any]:
    """Bring weights or images from torch's order of axes to MATLAB's; undoes `to_torch_layout`.

    Parameters
    ----------
    weight : array_like, 4-D
        (out, in / groups, H, W), or (in, out, H, W) of a transposed convolution, or (N, channels, H, W) of images.
    groups : int, default 1
        More than 1 gives a fifth axis.

    Returns
    -------
    ndarray
        4-D: H x W x in x out, H x W x out x in, H x W x channels x N; 5-D with groups.

    Raises
    ------
    ShapeMismatch
        Not 4-D, or a first axis that does not fall into `groups`.

    Examples
    --------
    >>> import numpy as np
    >>> to_matlab_layout(np.zeros((7, 3, 4, 5))).shape
    (4, 5, 3, 7)
    """
    array = as_array(weight)
    if array.ndim != 4:
        raise ShapeMismatch(f"weights of 4 axes expected, (out, in, H, W); shape {array.shape} given")
    if groups < 1 or array.shape[0] % groups:
        raise ShapeMismatch(f"{array.shape[0]} channels do not fall into {groups} groups")
    if groups > 1:
        return array.reshape(groups, -1, *array.shape[1:]).transpose(3, 4, 2, 1, 0)
    return array.transpose(2, 3, 1, 0)


def _arrays(
    x: ArrayLike, weight: ArrayLike, bias: ArrayLike | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """All arrays in one floating type."""
    arrays = [as_array(array) for array in (x, weight, *([] if bias is None else [bias]))]
    for name, array in zip(("x", "weight", "bias"), arrays, strict=False):
        if array.dtype.kind not in "biufc":
            raise TypeMismatch(f"{name} holds {array.dtype}, no numbers")
    common = np.result_type(*arrays)
    if common.kind not in "fc":
        common = np.dtype(np.float64)
    images, kernels, *rest = (array.astype(common, copy=False) for array in arrays)
    return images, kernels, rest[0] if rest else None


def _geometry(
    function: str, x: tuple[int, ...], weight: tuple[int, ...], groups: int, **steps: Pair
) -> tuple[_Geometry, int]:
    """Check that shapes and steps go together; the number of output channels beside them."""
    if len(x) not in (3, 4):
        raise ShapeMismatch(f"{function}: x of shape (N, in, H, W) or (in, H, W) expected, {x} given")
    if len(weight) != 4:
        raise ShapeMismatch(f"{function}: weight of shape (in, out, kh, kw) expected, {weight} given")
    if x[-3] != weight[0]:
        raise ShapeMismatch(
            f"{function}: x of shape {x} has {x[-3]} channels, weight of shape {weight} takes {weight[0]}"
        )
    if groups < 1 or weight[0] % groups:
        raise ShapeMismatch(f"{function}: {weight[0]} channels do not fall into {groups} groups")
    if 0 in (*x[-3:], *weight):
        raise ShapeMismatch(f"{function}: nothing to convolve: shapes {x} and {weight}")
    pairs = {name: _pair(name, value, 1 if name in ("stride", "dilation") else 0) for name, value in steps.items()}
    geometry = _Geometry((x[-2], x[-1]), (weight[2], weight[3]), **pairs)
    for extra, s, d in zip(geometry.output_padding, geometry.stride, geometry.dilation, strict=True):
        if extra and extra >= max(s, d):
            raise UnsupportedValue(f"{function}: output_padding {extra} is not below stride {s} or dilation {d}")
    if min(geometry.output) < 1:
        raise ShapeMismatch(
            f"{function}: no output is left: {geometry.full} less padding {geometry.padding} at each edge"
        )
    return geometry, weight[1] * groups


def _pair(name: str, value: Pair, least: int) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int | np.integer) else tuple(value)
    if len(pair) != 2 or not all(isinstance(n, int | np.integer) and n >= least for n in pair):
        raise UnsupportedValue(f"{name} is one or two whole numbers of at least {least}, {value} given")
    return int(pair[0]), int(pair[1])


def _pairwise(numbers: Any) -> tuple[int, int]:
    first, second = numbers
    return first, second
