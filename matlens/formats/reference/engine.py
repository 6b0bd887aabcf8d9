"""The reference engine: SciPy for v4 and v5, libhdf5 alone for v7.3.

Slower and with the faults of those libraries, it is there to compare with.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np

from matlens.errors import CorruptFile
from matlens.formats.memory import LoadmatReader
from matlens.formats.reader import Reader
from matlens.formats.v5.reader import Mat5Reader
from matlens.formats.v5.tags import Buffer
from matlens.limits import Limits


def reference_reader(buffer: Buffer, version: str, path: str | None, limits: Limits) -> Reader:
    """A reader of `version` that has no decoding of its own."""
    if version == "v7.3":
        from matlens.formats.reference.libhdf5 import Storage
        from matlens.formats.reference.mat73 import H5pyReader

        return H5pyReader(Storage(buffer, path), limits)
    variables = _loadmat(bytes(buffer))
    if version == "v5":
        version = Mat5Reader(buffer, limits).version
    if version == "v4":
        variables = {name: _as_double(value) for name, value in variables.items()}
    return LoadmatReader(variables, version)


def _loadmat(content: bytes) -> dict[str, Any]:
    """Variables with their MATLAB classes, and with their imaginary parts."""
    from scipy.io import loadmat

    with warnings.catch_warnings():
        # SciPy warns where it drops imaginary parts, and of variables of the same name.
        warnings.simplefilter("ignore")
        try:
            as_class = loadmat(io.BytesIO(content), mat_dtype=True)
            as_stored = loadmat(io.BytesIO(content), mat_dtype=False)
        except Exception as error:  # noqa: BLE001 - SciPy raises what its parts happen to raise
            raise CorruptFile(f"SciPy cannot read it: {error}") from None
    return {name: _with_imaginary(value, as_stored[name]) for name, value in as_class.items()}


def _with_imaginary(value: Any, stored: Any) -> Any:
    """`value`, complex wherever `stored` is: ``mat_dtype=True`` makes SciPy drop imaginary parts."""
    if not isinstance(value, np.ndarray):
        return value
    if stored.dtype.kind == "c":
        return stored.astype(np.complex64 if value.dtype == np.float32 else np.complex128)
    if value.dtype == object:
        for index in np.ndindex(value.shape):
            value[index] = _with_imaginary(value[index], stored[index])
    for name in value.dtype.names or ():
        _with_imaginary(value[name], stored[name])
    return value


def _as_double(value: Any) -> Any:
    """The numbers of a v4 file are of class double, however they are stored."""
    return value.astype(np.float64) if getattr(value, "dtype", np.dtype("U")).kind in "iuf" else value
