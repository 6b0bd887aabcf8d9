"""Arrays out of what the helpers are given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_array(values: Any) -> NDArray[Any]:
    """A NumPy array, of which Arrow's nested lists of one length and sparse matrices are made whole.

    An Arrow table has its columns side by side, as many as are numbers of one length.

    Examples
    --------
    >>> import pyarrow as pa
    >>> boxes = pa.array([[1, 2, 3, 4], [5, 6, 7, 8]], pa.list_(pa.int64(), 4))
    >>> as_array(boxes).shape
    (2, 4)
    """
    if isinstance(values, np.ndarray):
        return values
    if hasattr(values, "toarray"):
        return np.asarray(values.toarray())
    if hasattr(values, "column_names"):
        columns = [as_array(column) for column in values.columns]
        return np.stack(columns, axis=1) if columns else np.zeros((values.num_rows, 0))
    if hasattr(values, "combine_chunks"):
        values = values.combine_chunks()
    if getattr(values, "null_count", None) == 0 and hasattr(values, "flatten") and hasattr(values.type, "list_size"):
        inner = as_array(values.flatten())
        return inner.reshape(len(values), values.type.list_size, *inner.shape[1:])
    return np.asarray(values)
