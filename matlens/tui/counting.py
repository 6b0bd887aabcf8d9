"""The screen that counts the values of a column, and sums up another column for each of them."""

from __future__ import annotations

from threading import Lock
from typing import ClassVar

import pyarrow as pa
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Static

from matlens.escape import safe_text
from matlens.tui.arranging import TableView
from matlens.tui.dialogs import Choose
from matlens.tui.model.arrangement import ExtendedGrid
from matlens.tui.model.cells import Grid
from matlens.tui.model.frequencies import FrequencyGrid, aggregates
from matlens.tui.workers import in_thread

_OFFERED = 1000
"""Columns that are offered to be summed up."""


class _FrequencyTable(TableView):
    class Entered(Message):
        """A value was chosen."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def action_open(self) -> None:  # type: ignore[override]
        if self.row_count:
            self.post_message(self.Entered(self.stored_row(self.row)))


class FrequencyScreen(Screen[str | None]):
    """How often each value comes; Enter answers with the filter for the one under the cursor."""

    DEFAULT_CSS = "FrequencyScreen #about { height: 1; padding: 0 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Back"),
        Binding("a", "aggregate", "Sum up a column"),
    ]

    def __init__(self, counted: TableView.Counted) -> None:
        super().__init__()
        self._found, self._column, self._source = counted.found, counted.column, counted.source
        self._grid: Grid = FrequencyGrid(counted.found)

    def compose(self) -> ComposeResult:
        total, different = int(self._found.counts.sum()), len(self._found.counts)
        about = f"{safe_text(self._found.name)}: {total:,} values, {different:,} different; Enter keeps their rows"
        yield Static(Text(about), id="about")
        yield _FrequencyTable()
        yield Footer()

    def on_mount(self) -> None:
        self._show(self._grid)
        self.query_one(_FrequencyTable).focus()

    def _show(self, grid: Grid) -> None:
        self._grid = grid
        self.query_one(_FrequencyTable).show(grid, Lock())

    def action_aggregate(self) -> None:
        """Add mean, least, greatest and sum of another column for each value."""
        grid = self._source.grid
        names = [grid.column_name(column) for column in range(min(grid.column_count, _OFFERED))]

        def chosen(place: int | None) -> None:
            if place is not None:
                self._aggregate(place, names[place])

        self.app.push_screen(Choose("Mean, least, greatest and sum of", names), chosen)

    @in_thread("aggregate", severity="warning")
    def _aggregate(self, column: int, name: str) -> None:
        numbers = self._source.column(column)
        kind = numbers.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
            words = f"{safe_text(name)} holds {kind}, not one number a row: choose another column"
            self.app.call_from_thread(self.app.notify, words, severity="warning", markup=False)
            return
        grid = self._grid
        for function, values in aggregates(self._found, self._column, numbers).items():
            grid = ExtendedGrid(grid, f"{function} {name}", values)
        self.app.call_from_thread(self._show, grid)

    @on(_FrequencyTable.Entered)
    def _chosen(self, event: _FrequencyTable.Entered) -> None:
        self.dismiss(self._found.filter_text(event.row))
