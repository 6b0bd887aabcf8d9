"""``matlens.polygons``: outlines of objects and regions, found in one file or in many, read and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from matlens.annotations.polygons import PolygonSource, read_polygons
from matlens.annotations.polygons import find_polygons as find
from matlens.operations.boxes import read_each, write
from matlens.tree.file import Source

__all__ = ["PolygonSource", "find", "read", "write"]


def read(source: Source | Sequence[Source], path: str | None = None, **options: Any) -> pa.Table:
    """All polygons of a file, or of several files, as one table.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object, MatFile, or a sequence of these
        Of several files, the column ``file`` says which each row is of.
    path, **options
        As for `find`, and ``origin``, the number of the first pixel in the file, 1 or 0.

    Returns
    -------
    pyarrow.Table
        ``source, image, label, polygon, xmin, ymin, xmax, ymax``, then what stands beside.

    Raises
    ------
    NoAnnotationsFound

    Examples
    --------
    >>> import matlens, numpy as np
    >>> outline = np.array([[1, 1], [5, 1], [5, 4]])
    >>> read(matlens.from_loadmat({"polygon": outline}))["polygon"].to_pylist()
    [[[[0.0, 0.0], [4.0, 0.0], [4.0, 3.0]]]]
    """
    return read_each(source, lambda each: read_polygons(each, path, **options))
