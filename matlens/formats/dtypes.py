"""NumPy types of MATLAB's classes, and complex numbers of their parts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.formats.records import CLASS_DTYPES, Headers, MatlabClass


def target_dtype(headers: Headers, i: int = 0) -> np.dtype[Any]:
    """NumPy dtype of the values of a number or char, by its MATLAB class."""
    return value_dtype(int(headers.cls[i]), is_logical=headers.is_logical[i], is_complex=headers.is_complex[i])


def value_dtype(cls: int, *, is_logical: bool | np.bool_, is_complex: bool | np.bool_) -> np.dtype[Any]:
    """The same from class and flags."""
    if is_logical:
        return np.dtype(bool)
    if cls == MatlabClass.CHAR:
        return np.dtype(np.uint16)
    if is_complex:
        return np.dtype("c8") if cls == MatlabClass.SINGLE else np.dtype("c16")
    return CLASS_DTYPES[cls]


def combine_complex(real: NDArray[Any], imag: NDArray[Any], *, single: bool) -> NDArray[Any]:
    """Complex numbers of two vectors: complex64 for class single, complex128 otherwise."""
    values = np.empty(len(real), np.complex64 if single else np.complex128)
    values.real, values.imag = real, imag
    return values
