"""``matlens.masks``: label matrices and logical images, found in one file or in many, read and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from matlens.annotations.masks import MaskSource, read_masks
from matlens.annotations.masks import find_masks as find
from matlens.operations.boxes import read_each, write
from matlens.tree.file import Source

__all__ = ["MaskSource", "find", "read", "write"]


def read(source: Source | Sequence[Source], path: str | None = None, **options: Any) -> pa.Table:
    """All masks of a file, or of several files, as one table.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object, MatFile, or a sequence of these
        Of several files, the column ``file`` says which each row is of.
    path, **options
        As for `find`.

    Returns
    -------
    pyarrow.Table
        ``source, image, label, mask, value, area, xmin, ymin, xmax, ymax``, then what stands beside.

    Raises
    ------
    NoAnnotationsFound

    Examples
    --------
    >>> import matlens, numpy as np
    >>> image = np.kron(np.array([[0, 1], [2, 2]], np.uint8), np.ones((20, 20), np.uint8))
    >>> read(matlens.from_loadmat({"seg": image})).select(["value", "area"]).to_pylist()
    [{'value': 1, 'area': 400}, {'value': 2, 'area': 800}]
    """
    return read_each(source, lambda each: read_masks(each, path, **options))
