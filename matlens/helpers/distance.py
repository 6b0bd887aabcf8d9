"""Distances between the rows of two arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import distance

from matlens.errors import ShapeMismatch, TypeMismatch, UnsupportedValue
from matlens.helpers.arrays import as_array

Float64s = NDArray[np.float64]

# Below so many multiplications SciPy's loop is done before a matrix product has been set up.
_SMALL = 1 << 18
# Columns from which a matrix product is the faster way.
_FEW_COLUMNS = 16
# Squared distances below this share of the squared lengths lose too many digits to cancellation:
# the rounding of a product of 10^4 columns, some 10^-14 of the lengths, then is 10^-9 of the distance.
_NEAR = 1e-5
# Rows of the result that are worked on at once stay in the cache.
_CACHED_BYTES = 1 << 22
# Where more than this share is near, all is computed anew at once.
_MANY = 1 / 16


def cdist(
    x1: ArrayLike,
    x2: ArrayLike,
    /,
    *,
    p: float = 2.0,
    metric: str | Callable[..., float] | None = None,
    block_bytes: int = 1 << 26,
    **arguments: Any,
) -> NDArray[Any]:
    r"""Distance between every row of one array and every row of another.

    Parameters
    ----------
    x1 : array_like, shape (..., P, M)
        Real numbers.
    x2 : array_like, shape (..., R, M)
        The axes before the last two are batches, broadcast as NumPy does.
    p : float, default 2
        Of the p-norm, from 0 to infinity: :math:`(\sum_m |a_m - b_m|^p)^{1/p}`; 1 is the sum and
        infinity the largest of the absolute differences, 0 the count of unequal columns.
    metric : str or callable, optional
        Of `scipy.spatial.distance.cdist`, such as ``"cosine"`` or ``"mahalanobis"``, instead of `p`.
    block_bytes : int, default 64 MiB
        Memory beside the result, at most, or for one row of `x1` against `x2` if that is more.
    **arguments
        Of the metric, such as ``VI=`` or ``w=``.

    Returns
    -------
    ndarray, shape (..., P, R)
        float32 if both are float32 (or float16), else float64; computed in float64.

    Raises
    ------
    ShapeMismatch
        The rows differ in length, batches do not broadcast, or an array is not even 2-D.
    TypeMismatch
        Anything but real numbers.
    UnsupportedValue
        A negative or NaN `p`.
    ValueError
        A metric that SciPy does not know.

    Notes
    -----
    Same numbers as `torch.cdist` gives in float64. Euclidean distances come from
    :math:`|a|^2 + |b|^2 - 2ab` after the mean of `x2` has been taken off, by matrix products; distances so small
    that the difference would lose digits are computed again from the rows, which holds the relative
    error below 1e-9.

    Examples
    --------
    >>> import numpy as np
    >>> x1 = np.arange(1.0, 7).reshape(1, 3, 2)
    >>> x2 = (np.arange(1, 9) / 10).reshape(1, 4, 2)
    >>> distances = cdist(x1, x2)
    >>> distances.shape
    (1, 3, 4)
    >>> bool(np.isclose(distances[0, 0, 0], np.sqrt((1 - 0.1) ** 2 + (2 - 0.2) ** 2)))
    True
    >>> cdist([[0, 0]], [[3, 4]], p=1)
    array([[7.]])
    """
    a, b = _rows(x1), _rows(x2)
    if a.shape[-1] != b.shape[-1]:
        raise ShapeMismatch(f"rows of {a.shape[-1]} and of {b.shape[-1]} columns: shapes {a.shape} and {b.shape}")
    single = np.result_type(a, b).itemsize <= 4 and a.dtype.kind == b.dtype.kind == "f"
    if a.shape[-1] == 0 and metric is None:
        # No columns, no distance; SciPy has NaN for some norms.
        p = 2.0
    distances = _function(p, metric, arguments, block_bytes)
    if a.ndim == b.ndim == 2:
        result = distances(_wide(a), _wide(b))
        return result.astype(np.float32) if single else result
    try:
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ShapeMismatch(f"batches do not broadcast: shapes {a.shape} and {b.shape}") from None
    output = np.empty((*batch, a.shape[-2], b.shape[-2]), np.float32 if single else np.float64)
    a, b = (np.broadcast_to(array, (*batch, *array.shape[-2:])) for array in (a, b))
    for index in np.ndindex(batch):
        output[index] = distances(_wide(a[index]), _wide(b[index]))
    return output


def _rows(array: ArrayLike) -> NDArray[Any]:
    rows = as_array(array)
    if rows.ndim < 2:
        raise ShapeMismatch(f"rows of columns needed, (..., rows, columns); shape {rows.shape} given")
    if rows.dtype.kind not in "biuf":
        raise TypeMismatch(f"distances are of real numbers, {rows.dtype} given")
    return rows


def _wide(rows: NDArray[Any]) -> Float64s:
    return rows.astype(np.float64, copy=False)


def _function(
    p: float, metric: str | Callable[..., float] | None, arguments: dict[str, Any], block_bytes: int
) -> Callable[[Float64s, Float64s], Float64s]:
    """The distance of two 2-D arrays."""
    if metric is not None:
        return lambda a, b: distance.cdist(a, b, metric, **arguments)
    if arguments:
        raise TypeError(f"cdist() takes {', '.join(arguments)} only with a metric")
    if p == 2:
        return lambda a, b: _euclidean(a, b, block_bytes)
    if p == 1:
        return lambda a, b: distance.cdist(a, b, "cityblock")
    if p == 0:
        return lambda a, b: _spread_nan(distance.cdist(a, b, "hamming") * a.shape[1], a, b)
    if p == np.inf:
        return lambda a, b: _spread_nan(distance.cdist(a, b, "chebyshev"), a, b)
    if p > 0:
        return lambda a, b: distance.cdist(a, b, "minkowski", p=p)
    raise UnsupportedValue(f"p is 0 or more, {p} given")


def _spread_nan(distances: Float64s, a: Float64s, b: Float64s) -> Float64s:
    """A row that holds NaN is at no known distance, which comparisons do not see."""
    distances[np.isnan(a).any(axis=1)] = np.nan
    distances[:, np.isnan(b).any(axis=1)] = np.nan
    return distances


def _euclidean(a: Float64s, b: Float64s, block_bytes: int) -> Float64s:
    columns = a.shape[1]
    if columns < _FEW_COLUMNS or len(a) * len(b) * columns < _SMALL:
        return np.asarray(distance.cdist(a, b))
    with np.errstate(over="ignore", invalid="ignore"):
        centre = b.mean(axis=0)
        a_centred, b_centred = a - centre, b - centre
        a_squared, b_squared = (np.einsum("ij,ij->i", rows, rows) for rows in (a_centred, b_centred))
    if not (np.isfinite(a_squared).all() and np.isfinite(b_squared).all()):
        return np.asarray(distance.cdist(a, b))
    # One product gives |a|^2 - 2ab + |b|^2: the squares stand in two more columns.
    left = np.column_stack([a_centred, a_squared, np.ones(len(a))])
    right = np.column_stack([-2 * b_centred, np.ones(len(b)), b_squared]).T
    result = np.empty((len(a), len(b)))
    step = max(1, min(block_bytes, _CACHED_BYTES) // (8 * len(b)))
    for first in range(0, len(a), step):
        rows = slice(first, first + step)
        block = np.matmul(left[rows], right, out=result[rows])
        near = block <= (_NEAR * (a_squared[rows] + b_squared.max()))[:, None]
        pairs = np.flatnonzero(near)
        np.sqrt(np.maximum(block, 0, out=block), out=block)
        if len(pairs) > _MANY * block.size:
            block[...] = distance.cdist(a[rows], b)
        elif len(pairs):
            block.reshape(-1)[pairs] = _of_pairs(a[rows], b, pairs, block_bytes)
    return result


def _of_pairs(a: Float64s, b: Float64s, pairs: NDArray[np.int64], block_bytes: int) -> Float64s:
    """Distances of some pairs, by their places in the table of all."""
    result = np.empty(len(pairs))
    step = max(1, block_bytes // (24 * a.shape[1]))
    for first in range(0, len(pairs), step):
        i, j = np.divmod(pairs[first : first + step], len(b))
        difference = a[i] - b[j]
        result[first : first + step] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    return result
