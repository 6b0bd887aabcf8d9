"""What the helpers return where a result has several columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


class ColumnTable:
    """A result of named columns, given to Arrow and pandas without a copy for each row."""

    def columns(self, names: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """Columns of shape (n,) by name."""
        raise NotImplementedError

    def to_arrow(self, names: Sequence[str] | None = None) -> pa.Table:
        """The `columns` as an Arrow table."""
        import pyarrow as pa

        return pa.table({name: pa.array(np.ascontiguousarray(column)) for name, column in self.columns(names).items()})

    def to_pandas(self, names: Sequence[str] | None = None) -> pd.DataFrame:
        """The `columns` as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.columns(names))
