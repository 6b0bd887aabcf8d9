"""Tables and timetables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matlens.columns.unify import Rows
from matlens.errors import PathError
from matlens.formats.records import Elements
from matlens.tree.nodes.node import Node
from matlens.tree.nodes.opaque import OpaqueNode
from matlens.tree.nodes.texts import fields_preview, find_name
from matlens.tree.paths import Index, Selection
from matlens.values.loadmat_form import decoding
from matlens.values.table_layout import Tabular, stored_tabular

if TYPE_CHECKING:
    from matlens.columns.stored_tables import StoredTable


class TableNode(OpaqueNode):
    """A table or timetable: children are its variables, after the names or times of its rows where these are stored.

    `value` is a `pandas.DataFrame` whose index are the names or times of the rows. Units, descriptions and the
    description of the table are in its ``attrs``. An object that has no value for each row is a column of None.
    """

    _known_tabular: tuple[Tabular | None] | None = None

    def _tabular(self) -> Tabular | None:
        """Its parts; None where the file has no table of objects."""
        if self._known_tabular is None:
            properties, reader = self._properties(), self._owner._reader
            found = None
            if properties is not None:
                found = stored_tabular(reader, self.matlab_class, properties, decoding(reader))
            self._known_tabular = (found,)
        return self._known_tabular[0]

    def _find_dims(self) -> tuple[int, ...]:
        found = self._tabular()
        if found is None:
            return self._headers.shape(0)
        return found.parts.row_count, len(found.parts.names)

    def _parts(self) -> list[tuple[str, Elements]]:
        found = self._tabular()
        if found is None:
            return []
        rows = [(found.parts.row_label, found.rows)] if isinstance(found.rows, Elements) else []
        return [*rows, *zip(found.parts.names, found.variables, strict=True)]

    def _field(self, name: str) -> Node:
        """A variable by its name, or by the identifier that MATLAB has for it."""
        with self._guarded():
            found, parts = self._tabular(), self._parts()
            names = [key for key, _ in parts]
            if found is not None and name not in names and name in found.parts.identifiers:
                name = found.parts.names[found.parts.identifiers.index(name)]
            key, elements = parts[find_name(name, tuple(names))]
            return self._below(key, elements)

    def _select(self, step: Index) -> Selection:
        raise PathError(f"take a variable of the {self.matlab_class} by its name")

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        from matlens.columns.tabular_table import TabularTable

        found = self._tabular()
        if found is None:
            raise self._undecoded()
        return TabularTable(self._owner._reader, found)

    def _preview(self, depth: int, width: int) -> str:
        return fields_preview(self.children(0, 8), depth, width)
