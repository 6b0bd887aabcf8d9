"""What makes any value a table, for Arrow and what reads Arrow's data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from matlens.columns.stored_tables import StoredTable
    from matlens.columns.table import Table


class Columnar(ABC):
    """A value that can be read as a table."""

    @abstractmethod
    def _source(self, axis: int | None, names: Sequence[str] | None) -> StoredTable:
        """The table of this value; `axis`, counted from 0, and `names` are for arrays."""

    @abstractmethod
    def _about(self) -> dict[str, Any]:
        """What tables say in their metadata of the value that they are made of."""

    @abstractmethod
    def _guarded(self) -> AbstractContextManager[None]:
        """Name the file and the path of the value in any `MatlensError` raised inside."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[None]:
        """Around the reading of a window of rows."""

    @property
    @abstractmethod
    def is_global(self) -> bool:
        """Whether the variable was global in MATLAB."""

    def _column(self) -> StoredTable:
        """The node as one column of a table."""
        return self._source(None, None)

    @property
    def _column_length(self) -> int | None:
        """Rows of its column in the table of a struct, if the node is a vector of two elements or more."""
        return None

    def table(self, *, dim: int | None = None, names: Sequence[str] | None = None) -> Table:
        """The value as a table that is read in windows of rows.

        One row for each record of structs, row of matrices, element of cells. A 1x1 struct
        of equally long vectors gives a column for each, any other 1x1 struct a single row.

        Parameters
        ----------
        dim : int, optional
            Dimension of a numeric array, counted from 1, along which the rows lie.
        names : sequence of str, optional
            Names of the columns of a matrix or of a cell matrix, instead of ``x1`` to ``xN``.

        Examples
        --------
        >>> import matlens
        >>> table = matlens.open("fixtures/annotations_v7.mat")["annotations"].table()
        >>> table.num_rows, table.schema.names
        (70, ['image', 'boxes', 'labels', 'size', 'reviewed'])
        """
        from matlens.columns.notes import Note

        dropped = [Note("", "the global flag is kept in the metadata only")] if self.is_global else []
        with self._guarded():
            stored = self._source(None if dim is None else dim - 1, names)
            again = partial(Columnar.table, self, dim=dim, names=names)
            return stored.bound(self._about(), self._reading, dropped, again)

    def to_arrow(self, *, dim: int | None = None, names: Sequence[str] | None = None) -> pa.Table:
        """All rows of `table` as an Arrow table."""
        return self.table(dim=dim, names=names).read_all()

    def to_batches(self, *, dim: int | None = None, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of `table` as record batches of bounded size, however large the value is.

        Examples
        --------
        >>> import matlens
        >>> batches = matlens.open("fixtures/annotations_v7.mat")["annotations"].to_batches()
        >>> sum(batch.num_rows for batch in batches)
        70
        """
        return self.table(dim=dim, names=names).to_batches()

    def to_reader(self, *, dim: int | None = None, names: Sequence[str] | None = None) -> pa.RecordBatchReader:
        """The rows of `table` as Arrow's stream of record batches."""
        return self.table(dim=dim, names=names).to_reader()

    def __arrow_c_schema__(self) -> Any:
        return self.table().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table().__arrow_c_stream__(requested_schema)

    def to_pandas(self) -> pd.DataFrame:
        """`to_arrow` as a pandas DataFrame."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame
