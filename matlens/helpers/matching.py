"""Whether two arrays can be combined element by element, and what to do if not."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matlens.errors import ShapeMismatch, TypeMismatch, UnsupportedValue
from matlens.helpers.arrays import as_array

Cast = Literal["never", "safe", "same_kind"]


def match(a: ArrayLike, b: ArrayLike, /, *, cast: Cast = "never") -> tuple[NDArray[Any], NDArray[Any]]:
    """Two arrays of one shape and one dtype, or an error that says how to get there.

    Parameters
    ----------
    a, b : array_like
        Any shape; numbers, logicals, dates or text.
    cast : {"never", "safe", "same_kind"}, default "never"
        What may be done about unlike dtypes. "safe": both become the smallest type that holds the values of
        both. "same_kind": `b` takes the dtype of `a`, or else `a` that of `b`, within a kind or to a wider one, as
        ``a += b`` does; digits may be lost, never magnitudes.

    Returns
    -------
    a, b : ndarray
        The same arrays where nothing had to be cast. Their byte order is the machine's.

    Raises
    ------
    ShapeMismatch
        The shapes differ; arrays are not broadcast.
    TypeMismatch
        The dtypes differ and may not be cast, or a value would not survive it.
    UnsupportedValue
        Another `cast`.

    See Also
    --------
    explain_mismatch : the text alone.

    Examples
    --------
    Single and double precision, the classic:

    >>> import numpy as np
    >>> a, b = np.ones((2, 3), np.float32), np.ones((2, 3))
    >>> match(a, b)
    Traceback (most recent call last):
    matlens.errors.TypeMismatch: types float32 and float64 differ (...); match(a, b, cast="safe") makes both float64
    >>> [array.dtype.name for array in match(a, b, cast="safe")]
    ['float64', 'float64']
    >>> [array.dtype.name for array in match(a, b, cast="same_kind")]
    ['float32', 'float32']
    """
    if cast not in ("never", "safe", "same_kind"):
        raise UnsupportedValue(f"cast is 'never', 'safe' or 'same_kind', {cast!r} given")
    first, second = _native(a), _native(b)
    if first.shape != second.shape:
        raise ShapeMismatch(explain_mismatch(first, second))
    if first.dtype == second.dtype:
        return first, second
    target = _target(first.dtype, second.dtype, cast)
    if target is None:
        raise TypeMismatch(explain_mismatch(first, second))
    return _cast(first, target, "a", exact=cast == "safe"), _cast(second, target, "b", exact=cast == "safe")


def explain_mismatch(a: Any, b: Any, /) -> str:
    """Why two arrays cannot be combined element by element, and the call that would repair it.

    Parameters
    ----------
    a, b : array_like
        Or anything with ``shape`` and ``dtype``: no value is looked at.

    Returns
    -------
    str
        Both shapes, both dtypes, and what would help; empty if nothing is in the way.

    Examples
    --------
    >>> import numpy as np
    >>> explain_mismatch(np.zeros((3, 4)), np.zeros((4, 3)))
    'shapes (3, 4) and (4, 3) differ (types float64 and float64); b.T has the shape of a'
    >>> explain_mismatch(np.zeros(3), np.ones(3))
    ''
    """
    (shape, dtype), (other_shape, other_dtype) = _signature(a), _signature(b)
    types = f"types {dtype} and {other_dtype}"
    shapes = f"shapes {shape} and {other_shape}"
    if shape != other_shape:
        also = "" if dtype == other_dtype else ", which differ too"
        return f"{shapes} differ ({types}{also}); {_shape_remedy(shape, other_shape)}"
    if dtype.newbyteorder("=") == other_dtype.newbyteorder("="):
        return ""
    return f"{types} differ ({shapes}); {_type_remedy(dtype, other_dtype)}"


def _signature(array: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        array = as_array(array)
    return tuple(int(n) for n in array.shape), np.dtype(array.dtype)


def _native(array: ArrayLike) -> NDArray[Any]:
    values = as_array(array)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _target(first: np.dtype[Any], second: np.dtype[Any], cast: Cast) -> np.dtype[Any] | None:
    """The dtype that both are to have, or None."""
    if cast == "never" or _common(first, second) is None:
        return None
    if cast == "same_kind":
        return next((to for of, to in ((second, first), (first, second)) if np.can_cast(of, to, "same_kind")), None)
    return _common(first, second)


def _common(first: np.dtype[Any], second: np.dtype[Any]) -> np.dtype[Any] | None:
    if (first.kind in "SU") != (second.kind in "SU"):
        # NumPy would make text of numbers.
        return None
    try:
        common = np.result_type(first, second)
    except TypeError:
        return None
    return None if common.hasobject else common


def _cast(array: NDArray[Any], target: np.dtype[Any], name: str, *, exact: bool) -> NDArray[Any]:
    """Cast, and see that the values survive: NumPy wraps integers, and rounds those beyond 2**53 even if "safe"."""
    if array.dtype == target:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        made = array.astype(target)
        if array.dtype.kind in "iu":
            # As large integers turn into other ones on the way back.
            lost = (made.astype(array.dtype) != array) if exact or target.kind in "iu" else np.zeros(0, np.bool_)
            lost = lost | ((made < 0) != (array < 0)) if target.kind in "iu" else lost
        elif array.dtype.kind in "fc":
            lost = np.isfinite(array) & ~np.isfinite(made)
        else:
            lost = np.zeros(0, np.bool_)
    if lost.any():
        value = array.reshape(-1)[np.flatnonzero(lost)[0]]
        raise TypeMismatch(f"{value} of {name} ({array.dtype}) does not fit in {target}")
    return made


def _type_remedy(dtype: np.dtype[Any], other: np.dtype[Any]) -> str:
    common = _common(dtype, other)
    if common is None:
        return "there is no type for both"
    return f'match(a, b, cast="safe") makes both {common}'


def _shape_remedy(shape: tuple[int, ...], other: tuple[int, ...]) -> str:
    """The call that gives one array the shape of the other."""
    if other[::-1] == shape:
        return "b.T has the shape of a"
    if _without_ones(shape) == _without_ones(other):
        return f"b.reshape({shape}) has the shape of a" if shape else "b.item() is the number alone"
    if len(shape) == len(other) == 3:
        for source, destination in ((0, 2), (2, 0)):
            if _moved(other, source, destination) == shape:
                return f"np.moveaxis(b, {source}, {destination}) has the shape of a"
    for name, one, goal, reference in (("b", other, shape, "a"), ("a", shape, other, "b")):
        if _broadcasts(one, goal):
            return f"np.broadcast_to({name}, {goal}) has the shape of {reference}"
    if len(shape) != len(other):
        return f"a is {len(shape)}-D, b {len(other)}-D"
    axes = [str(axis) for axis, (n, m) in enumerate(zip(shape, other, strict=True)) if n != m]
    return f"they differ along axis {', '.join(axes)}"


def _without_ones(shape: tuple[int, ...]) -> list[int]:
    return [n for n in shape if n != 1]


def _moved(shape: tuple[int, ...], source: int, destination: int) -> tuple[int, ...]:
    axes = list(shape)
    axes.insert(destination, axes.pop(source))
    return tuple(axes)


def _broadcasts(shape: tuple[int, ...], goal: tuple[int, ...]) -> bool:
    return len(shape) <= len(goal) and all(n in (1, m) for n, m in zip(shape[::-1], goal[::-1], strict=False))
