"""What every node can be: a table, in the form that it has alone or in one that others share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from matlens.columns.unify import Rows

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from matlens.columns.plan import Plan
    from matlens.columns.stored_tables import StoredTable
    from matlens.columns.table import Table


class Tabled(ABC):
    """Tables of a value, made of the one that `_source` gives."""

    @property
    @abstractmethod
    def is_global(self) -> bool: ...

    @abstractmethod
    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        """The table of this value; `axis`, counted from 0, and `names` are for arrays.

        `rows` says what the rows are where the dims of the value allow for more than one answer.
        """

    def _column(self) -> StoredTable:
        """The node as one column of a table."""
        return self._source(None, None)

    @property
    def _column_length(self) -> int | None:
        """Rows of its column in the table of a struct, if the node is a vector of two elements or more."""
        return None

    @abstractmethod
    def _about(self) -> dict[str, Any]:
        """What tables made of this node say of it in their metadata."""

    @abstractmethod
    def _guarded(self) -> AbstractContextManager[None]: ...

    @abstractmethod
    def _reading(self) -> AbstractContextManager[None]: ...

    def form(self, *, dim: int | None = None, names: Sequence[str] | None = None) -> Plan:
        """The form of the value as a table, from headers alone: it merges with the forms of others.

        Parameters
        ----------
        dim, names
            As for `table`.

        Returns
        -------
        Plan
            What is known of each column; ``merge`` joins two, ``to_json`` writes it down.

        Examples
        --------
        >>> import matlens
        >>> file = matlens.open("fixtures/annotations_v7.mat")
        >>> form = file["annotations"].form()
        >>> form.merge(form) == form
        True
        >>> file["annotations"].to_arrow(form=form).num_rows
        70
        """
        with self._guarded():
            return self._source(None if dim is None else dim - 1, names).form

    def table(self, *, dim: int | None = None, names: Sequence[str] | None = None, form: Plan | None = None) -> Table:
        """The value as a table that is read in windows of rows.

        One row for each record of structs, row of matrices, element of cells. A 1x1 struct
        of equally long vectors gives a column for each, any other 1x1 struct a single row.

        Parameters
        ----------
        dim : int, optional
            Dimension of a numeric array, counted from 1, along which the rows lie.
        names : sequence of str, optional
            Names of the columns of a matrix or of a cell matrix, instead of ``x1`` to ``xN``.
        form : Plan, optional
            The form of the columns, such as the merged one of many files, instead of the value's own.

        Raises
        ------
        FormMismatch
            If the value does not fit into `form`.

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
            stored = self._source(None if dim is None else dim - 1, names, None if form is None else form.rows)
            again = partial(type(self).table, self, dim=dim, names=names, form=form)
            return stored.in_form(form).bound(self._about(), self._reading, dropped, again)

    def to_arrow(
        self, *, dim: int | None = None, names: Sequence[str] | None = None, form: Plan | None = None
    ) -> pa.Table:
        """All rows of `table` as an Arrow table."""
        return self.table(dim=dim, names=names, form=form).read_all()

    def to_batches(
        self, *, dim: int | None = None, names: Sequence[str] | None = None, form: Plan | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of `table` as record batches of bounded size, however large the value is.

        Examples
        --------
        >>> import matlens
        >>> batches = matlens.open("fixtures/annotations_v7.mat")["annotations"].to_batches()
        >>> sum(batch.num_rows for batch in batches)
        70
        """
        return self.table(dim=dim, names=names, form=form).to_batches()

    def to_reader(
        self, *, dim: int | None = None, names: Sequence[str] | None = None, form: Plan | None = None
    ) -> pa.RecordBatchReader:
        """The rows of `table` as Arrow's stream of record batches."""
        return self.table(dim=dim, names=names, form=form).to_reader()

    def __arrow_c_schema__(self) -> Any:
        return self.table().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self.table().__arrow_c_stream__(requested_schema)

    def to_pandas(self, *, form: Plan | None = None) -> pd.DataFrame:
        """`to_arrow` as a pandas DataFrame."""
        frame: pd.DataFrame = self.to_arrow(form=form).to_pandas()
        return frame
