"""Numbers, sparse matrices and text of many elements as NumPy and SciPy values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.formats.ragged import decode_rows
from matlens.formats.reader import Reader
from matlens.formats.records import Headers


def number_arrays(reader: Reader, headers: Headers, *, as_stored: bool = False) -> list[NDArray[Any]]:
    """Numeric arrays with their dims, column-major as MATLAB keeps them."""
    values, offsets = reader.gather(headers, as_stored=as_stored)
    bounds = offsets.tolist()
    return [values[bounds[i] : bounds[i + 1]].reshape(headers.shape(i), order="F") for i in range(len(headers))]


def sparse_arrays(reader: Reader, headers: Headers) -> list[Any]:
    """Sparse matrices as `scipy.sparse.csc_array`."""
    from scipy.sparse import coo_array

    triplets = reader.triplets(headers)
    bounds = triplets.offsets.tolist()
    arrays = []
    for i in range(len(headers)):
        part = slice(bounds[i], bounds[i + 1])
        coordinates = (triplets.row[part], triplets.col[part])
        arrays.append(coo_array((triplets.value[part], coordinates), shape=headers.shape(i)[:2]).tocsc())
    return arrays


def char_values(reader: Reader, headers: Headers) -> list[str | NDArray[Any]]:
    """A `str` for each char row and empty char, an array of rows for each char matrix."""
    units, offsets = reader.gather(headers)
    bounds = offsets.tolist()
    texts: list[str | NDArray[Any]] = []
    for i in range(len(headers)):
        dims = headers.shape(i)
        if headers.numel[i] == 0:
            texts.append("")
            continue
        rows = decode_rows(units[bounds[i] : bounds[i + 1]], dims)
        if len(rows) == 1 and len(dims) == 2:
            texts.append(rows[0])
        else:
            pages = (*dims[2:][::-1], dims[0])
            texts.append(np.array(rows).reshape(pages).transpose(len(pages) - 1, *range(len(pages) - 1)[::-1]))
    return texts
