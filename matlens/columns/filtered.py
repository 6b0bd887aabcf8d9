"""The rows of a table for which an expression is true."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.columns.expressions import Expression
from matlens.columns.notes import Note
from matlens.columns.table import Table


class FilteredTable(Table):
    """Rows of a table that an expression keeps, read in the same windows.

    The rows are counted by a pass of its own over the columns that the expression needs, so
    that their number is known before the first one is given.

    Parameters
    ----------
    table : Table
    where : Expression

    Raises
    ------
    ExpressionError
        If the expression does not fit the columns.

    Examples
    --------
    >>> import matlens
    >>> from matlens.columns.expressions import parse
    >>> table = matlens.open("fixtures/annotations_v7.mat")["annotations"].table()
    >>> vans = FilteredTable(table, parse('any(labels == "van")'))
    >>> vans.num_rows, vans.read_all()["labels"][0].as_py()
    (42, ['car', 'van'])
    """

    def __init__(self, table: Table, where: Expression) -> None:
        self._table, self._where = table, where
        self._names = where.columns(table.schema.names)
        # What no row can answer is told before anything is read.
        where.mask(table.schema.empty_table())

    @property
    def schema(self) -> pa.Schema:
        return self._table.schema

    @property
    def notes(self) -> list[Note]:
        return self._table.notes

    @property
    def num_rows(self) -> int:  # type: ignore[override]
        return sum(int(mask.sum()) for mask in self._masks)

    @cached_property
    def _masks(self) -> list[NDArray[np.bool_]]:
        return [self._mask(batch) for batch in self._table.batches()]

    def _mask(self, batch: pa.RecordBatch) -> NDArray[np.bool_]:
        if not self._names:
            return self._where.mask(pa.table({"": pa.nulls(batch.num_rows)}))
        return self._where.mask(pa.Table.from_batches([batch.select(self._names)]))

    def batches(self) -> Iterator[pa.RecordBatch]:
        for batch, mask in zip(self._table.batches(), self._masks, strict=True):
            yield batch.filter(pa.array(mask))
