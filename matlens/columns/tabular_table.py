"""MATLAB tables and timetables as tables of Arrow."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pyarrow as pa

from matlens.columns.build import ColumnBuilder
from matlens.columns.notes import Note
from matlens.columns.plan import Plan
from matlens.columns.planner import Planner
from matlens.columns.stored_tables import StoredTable, described, schema_of
from matlens.columns.table import no_rows
from matlens.formats.reader import Reader
from matlens.names import safe_column_names
from matlens.values.table_layout import Tabular
from matlens.values.windows import window_bounds


class TabularTable(StoredTable):
    """A MATLAB table or timetable: a column for each variable, after one for the names or times of the rows."""

    def __init__(self, reader: Reader, found: Tabular) -> None:
        self._reader, self._found = reader, found
        self.num_rows = found.parts.row_count

    @cached_property
    def _planned(self) -> tuple[Plan, int]:
        """The plan of all columns, and about how many bytes all rows take."""
        planner = Planner(self._reader)
        size = planner.survey_table(self._found)
        return planner.plan, size

    @cached_property
    def _builder(self) -> ColumnBuilder:
        return ColumnBuilder(self._reader, self.form)

    @property
    def own_form(self) -> Plan:
        return self._planned[0]

    def add_values(self, form: Plan) -> None:
        Planner(self._reader).add_values_of_table(form, self._found)

    @cached_property
    def columns(self) -> pa.Schema:
        return schema_of(self.form)

    @property
    def about(self) -> dict[str, Any]:
        plan, told = self.form, self._found.about()
        variables = told.pop("variables")
        fields = plan.columns[""].fields
        columns = described(plan, fields, fields)
        for safe, name in zip(safe_column_names(fields), fields, strict=True):
            columns[safe] |= variables.get(name, {})
        return told | {"columns": columns}

    @property
    def choices(self) -> list[Note]:
        return self.form.notes()

    @cached_property
    def bounds(self) -> list[int]:
        size = -(-self._planned[1] // max(self.num_rows, 1))
        return window_bounds(size, self.num_rows, limits=self._reader.limits)

    def read(self, start: int, stop: int) -> pa.RecordBatch:
        if not self.columns.names:
            return no_rows(self.columns)
        records = self._builder.table(self._found, self.form.columns[""], slice(start, stop))
        return pa.RecordBatch.from_arrays(records.flatten(), schema=self.columns)
