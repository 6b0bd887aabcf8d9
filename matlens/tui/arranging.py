"""The table that a person arranges: filters, sorting, frequencies, derived, hidden and moved columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock
from time import sleep
from typing import ClassVar

import pyarrow as pa
from textual.binding import Binding, BindingType
from textual.message import Message

from matlens.columns.expressions import parse, parse_assignment
from matlens.escape import safe_text, shorten
from matlens.formats.records import Int64s
from matlens.tui.dialogs import Ask
from matlens.tui.model.arrangement import Arrangement
from matlens.tui.model.cells import Grid
from matlens.tui.model.column_facts import column_text
from matlens.tui.model.frequencies import Frequencies, frequencies
from matlens.tui.table_view import GridView
from matlens.tui.workers import in_thread

_REST = 0.1
"""Seconds after which the cursor rests."""
_SUMMARISED_ROWS = 5_000_000
"""Longer columns are not looked at unasked."""


@dataclass(frozen=True, slots=True)
class Source:
    """What was counted: some rows of a grid, None for all."""

    grid: Grid
    rows: Int64s | None
    lock: Lock

    def column(self, column: int) -> pa.ChunkedArray:
        """A column of these rows."""
        with self.lock:
            values = self.grid.column_arrow(column)
        return values if self.rows is None else values.take(pa.array(self.rows))


class TableView(GridView):
    """A grid that is filtered, sorted and counted; every step can be undone."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "sort(False)", "Sort", id="sort"),
        Binding("S", "sort(True)", "Sort by more", show=False, id="sort_more"),
        Binding("f", "filter", "Filter", id="filter"),
        Binding("comma", "filter_cell", "Filter by cell", show=False, id="filter_cell"),
        Binding("F", "frequencies", "Count", id="frequencies"),
        Binding("equals_sign", "derive", "New column", show=False, id="derive"),
        Binding("minus", "hide", "Hide column", show=False, id="hide"),
        Binding("less_than_sign", "move_column(-1)", "Move column left", show=False, id="move_column_left"),
        Binding("greater_than_sign", "move_column(1)", "Move column right", show=False, id="move_column_right"),
        Binding("z", "freeze", "Freeze columns", show=False, id="freeze"),
        Binding("u", "undo", "Undo", show=False, id="undo"),
        Binding("U", "as_stored", "As stored", show=False, id="as_stored"),
    ]

    class Arranged(Message):
        """The table shows other rows or columns; `text` tells which."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Counted(Message):
        """The values of a column were counted."""

        def __init__(self, found: Frequencies, column: pa.ChunkedArray, source: Source) -> None:
            super().__init__()
            self.found, self.column, self.source = found, column, source

    class Summarised(Message):
        """Two lines about the column of the cursor, in the rows that are seen; escaped."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._stored: Grid | None = None
        self._before: list[Arrangement] = []
        self._summarised: tuple[Grid | None, Arrangement, int] | None = None

    def show(self, grid: Grid, lock: Lock) -> None:
        super().show(grid, lock)
        self._stored, self._before = grid, []
        self._tell_arrangement()
        self._summarise_soon()

    def go_to(self, row: int, column: int) -> None:
        super().go_to(row, column)
        self._summarise_soon()

    # --- the column of the cursor --------------------------------------------------

    def _summarise_soon(self) -> None:
        """Have the column looked at once the cursor rests on it."""
        about = (self.grid, self.arrangement, self.column)
        if about != self._summarised:
            self._summarised = about
            self.post_message(self.Summarised(""))
            self._summarise(*about)

    @in_thread("summary", severity="warning")
    def _summarise(self, grid: Grid | None, arrangement: Arrangement, column: int) -> None:
        if grid is None or not grid.is_table or not 0 < grid.row_count <= _SUMMARISED_ROWS or not self.column_count:
            return
        sleep(_REST)
        if (grid, arrangement, column) != self._summarised:
            return
        rows, stored = self._rows, self.stored_column(column)
        text = column_text(grid.column_name(stored), Source(grid, rows, self._lock).column(stored))
        if (grid, arrangement, column) == self._summarised:
            self.post_message(self.Summarised(text))

    # --- arranging -----------------------------------------------------------------

    def rearrange(
        self, arrangement: Arrangement, *, is_undo: bool = False, cursor: tuple[int, int] | None = None
    ) -> None:
        """Carry out an arrangement in a worker; the one before can be gone back to."""
        if self._stored is None or arrangement == self.arrangement:
            return
        self.post_message(self.Arranged("working …  (Escape gives up)"))
        self._carry_out(self._stored, arrangement, is_undo, cursor)

    @in_thread("arrange", severity="warning")
    def _carry_out(self, stored: Grid, new: Arrangement, is_undo: bool, cursor: tuple[int, int] | None) -> None:
        try:
            with self._lock:
                grid = new.extended(stored)
                rows = new.rows_of(grid)
        except Exception:
            self.app.call_from_thread(self._tell_arrangement)
            raise
        self.app.call_from_thread(self._arranged, stored, grid, new, rows, is_undo, cursor)

    def _arranged(
        self,
        stored: Grid,
        grid: Grid,
        new: Arrangement,
        rows: Int64s | None,
        is_undo: bool,
        cursor: tuple[int, int] | None,
    ) -> None:
        if stored is not self._stored:
            return
        if not is_undo:
            self._before.append(self.arrangement)
        other_rows = (new.filters, new.sort_keys) != (self.arrangement.filters, self.arrangement.sort_keys)
        if self.grid is None or grid.column_count != self.grid.column_count:
            self.mark(None)
        self.arrangement, self.grid, self._rows = new, grid, rows
        self.left = min(self.left, max(self.column_count - 1, 0))
        self.reload()
        self.go_to(*(cursor or (0 if other_rows else self.row, self.column)))
        self._tell_arrangement()

    def _tell_arrangement(self) -> None:
        words = [self.arrangement.text()]
        if self.grid is not None and self._rows is not None and self.arrangement.filters:
            words.append(f"{len(self._rows):,} of {self.grid.row_count:,} rows")
        if self.grid is not None and self.arrangement.columns is not None:
            hidden = self.grid.column_count - len(self.arrangement.columns)
            words.append(f"{hidden:,} column{'s' if hidden > 1 else ''} hidden" if hidden else "")
        self.post_message(self.Arranged("  ".join(filter(None, words))))

    def give_up(self) -> bool:
        """Leave the arrangement that is being worked on; False if there is none."""
        busy = [w for w in self.workers if w.node is self and w.group == "arrange" and not w.is_finished]
        for worker in busy:
            worker.cancel()
        if busy:
            self._tell_arrangement()
        return bool(busy)

    def action_undo(self) -> None:
        """Go back to the arrangement before."""
        if self._before:
            self.rearrange(self._before.pop(), is_undo=True)

    def action_as_stored(self) -> None:
        """Show all rows and columns as they are stored."""
        self.rearrange(Arrangement())

    # --- rows ----------------------------------------------------------------------

    def action_sort(self, more: bool) -> None:
        """Sort by the column of the cursor; again for the other direction; `more` keeps the keys before."""
        if self.row_count:
            self.rearrange(self.arrangement.sorted(self.stored_column(self.column), more=more))

    def clicked_header(self, column: int) -> None:
        super().clicked_header(column)
        self.action_sort(False)

    @in_thread("filter", severity="warning")
    def action_filter(self) -> None:
        """Keep the rows for which an expression is true."""
        example = self._filter_of_cell() or "score > 0.5"
        ask = Ask(f"Rows where, such as  {safe_text(shorten(example, 50))}", check=parse)
        self.app.call_from_thread(self.app.push_screen, ask, self.filter_by)

    def _filter_of_cell(self) -> str | None:
        """The filter that keeps the rows with the value under the cursor."""
        grid = self.grid
        if grid is None or not self.row_count or not self.column_count:
            return None
        column, row = self.stored_column(self.column), self.stored_row(self.row)
        with self._lock:
            values = grid.column_arrow(column).slice(row, 1)
        found = frequencies(grid.column_name(column), values)
        return found.filter_text(0) if len(found.values) else None

    @in_thread("filter", severity="warning")
    def action_filter_cell(self) -> None:
        """Keep the rows that have the value under the cursor."""
        text = self._filter_of_cell()
        self.app.call_from_thread(self.filter_by, text)

    @in_thread("frequencies", severity="warning")
    def action_frequencies(self) -> None:
        """Count the values of the column of the cursor, in the rows that are seen."""
        grid, rows = self.grid, self._rows
        if grid is None or not self.column_count:
            return
        column = self.stored_column(self.column)
        source = Source(grid, rows, self._lock)
        counted = source.column(column)
        self.post_message(self.Counted(frequencies(grid.column_name(column), counted), counted, source))

    def filter_by(self, text: str | None) -> None:
        """Keep the rows for which an expression is true; None keeps all."""
        if text and text.strip():
            self.rearrange(self.arrangement.filtered(text.strip()))

    # --- columns -------------------------------------------------------------------

    def action_derive(self) -> None:
        """Add a column that an expression makes of others."""

        def added(text: str | None) -> None:
            if text and text.strip():
                derived = (*self.arrangement.derived, text.strip())
                self.rearrange(replace(self.arrangement, derived=derived, columns=None))

        question = "New column, such as  area = (xmax - xmin) * (ymax - ymin)"
        self.app.push_screen(Ask(question, check=parse_assignment), added)

    def action_hide(self) -> None:
        """Hide the column of the cursor."""
        if self.grid is not None and self.column_count:
            self.rearrange(self.arrangement.hidden(self.column, self.grid.column_count))

    def action_move_column(self, by: int) -> None:
        """Move the column of the cursor."""
        if self.grid is not None and self.column_count:
            moved = self.arrangement.moved(self.column, by, self.grid.column_count)
            self.rearrange(moved, cursor=(self.row, self.column + by))

    def action_freeze(self) -> None:
        """Keep the columns up to the cursor in view, or none."""
        frozen = 0 if self.arrangement.frozen else self.column + 1
        self.rearrange(replace(self.arrangement, frozen=frozen))
