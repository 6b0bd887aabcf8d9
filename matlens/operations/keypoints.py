"""``matlens.keypoints``: landmarks of faces and joints of people, found in one file or in many, read and written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from matlens.annotations.keypoints import KeypointSource, read_keypoints
from matlens.annotations.keypoints import find_keypoints as find
from matlens.operations.boxes import read_each, write
from matlens.tree.file import Source

__all__ = ["KeypointSource", "find", "read", "write"]


def read(source: Source | Sequence[Source], path: str | None = None, **options: Any) -> pa.Table:
    """All keypoints of a file, or of several files, as one table.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object, MatFile, or a sequence of these
        Of several files, the column ``file`` says which each row is of.
    path, **options
        As for `find`, and ``origin``, the number of the first pixel in the file, 1 or 0.

    Returns
    -------
    pyarrow.Table
        ``source, image, label, keypoints, xmin, ymin, xmax, ymax``, then what stands beside.

    Raises
    ------
    NoAnnotationsFound

    Examples
    --------
    >>> import matlens, numpy as np
    >>> points = np.array([[1, 1], [5, 2], [9, 4], [7, 8], [3, 6]])
    >>> read(matlens.from_loadmat({"landmarks": points}))["keypoints"][0].as_py()[1]
    [4.0, 1.0, 2.0]
    """
    return read_each(source, lambda each: read_keypoints(each, path, **options))
