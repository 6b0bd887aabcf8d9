"""A line below the table that searches its cells."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from threading import Lock
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Checkbox, Input, Static
from textual.worker import get_current_worker

from matlens.errors import MatlensError
from matlens.escape import safe_text
from matlens.formats.records import Int64s
from matlens.tui.model.cell_search import MOST_FOUND, Pattern, find_cells, in_seen_order
from matlens.tui.model.cells import Grid
from matlens.tui.model.grids import error_text
from matlens.tui.table_view import GridView
from matlens.tui.workers import in_thread


class SearchBar(Horizontal):
    """Takes what is searched; marks the cells that match, and goes from one to the next."""

    DEFAULT_CSS = """
    SearchBar { height: 1; display: none; }
    SearchBar Input { width: 1fr; padding: 0 1; }
    SearchBar Checkbox { width: auto; padding: 0 1; }
    SearchBar #found { width: 2fr; height: 1; padding: 0 1; color: $text-accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Close the search", show=False)]

    def __init__(self, table: GridView, lock: Lock) -> None:
        super().__init__()
        self._table, self._lock = table, lock
        self._grid: Grid | None = None
        self._cells: Int64s | None = None
        self._stop = False
        self._is_searching = False

    def compose(self) -> ComposeResult:
        yield Input(placeholder="search the cells", compact=True)
        yield Checkbox("regex", id="regex", compact=True)
        yield Static(id="found")

    def open(self) -> None:
        """Ask for what is searched; the last question is still there."""
        self.display = True
        self.query_one(Input).focus()

    def action_leave(self) -> None:
        self.leave()

    def leave(self) -> bool:
        """Give up a search that runs, else close the line; False if there was nothing to leave."""
        if self._is_searching:
            self._stop = True
            return True
        was_open = bool(self.display)
        if was_open:
            self.display = False
            self._table.mark(None)
            self._cells = None
            self._table.focus()
        return was_open

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._start(0)

    def go(self, by: int) -> None:
        """The next or the previous cell that matches; a table that has changed is searched anew."""
        if not self.query_one(Input).value:
            self.open()
        elif self._cells is None or not self._table.is_marked:
            self._start(by)
        else:
            self._go(by)

    def _start(self, by: int) -> None:
        text, grid = self.query_one(Input).value, self._table.grid
        if text and grid is not None:
            self.display = True
            self._stop, self._is_searching, self._grid = False, True, grid
            self._table.focus()
            self._tell("searching; Esc stops")
            self._search(grid, text, self.query_one("#regex", Checkbox).value, by)

    @in_thread("search cells")
    def _search(self, grid: Grid, text: str, is_regex: bool, by: int) -> None:
        worker, told = get_current_worker(), time.monotonic()

        def tell(column: int, row: int, count: int) -> bool:
            nonlocal told
            if time.monotonic() - told > 0.1:
                told = time.monotonic()
                state = f"column {column + 1:,} of {grid.column_count:,}, row {row:,}: {count:,} found; Esc stops"
                self.app.call_from_thread(self._tell, state)
            return not (self._stop or worker.is_cancelled)

        try:
            pattern = Pattern(text, is_regex)
            cells = find_cells(grid, pattern, self._lock, tell)
        except MatlensError as error:
            self.app.call_from_thread(self._done, grid, None, error_text(error), by)
            return
        if not worker.is_cancelled:
            self.app.call_from_thread(self._done, grid, cells, "given up", by)

    def _done(self, grid: Grid, cells: Int64s | None, why: str, by: int) -> None:
        self._is_searching = False
        if grid is not self._table.grid:
            self._tell("")
            return
        self._cells = cells
        self._table.mark(None if cells is None else frozenset(cells.tolist()))
        if cells is None:
            self._tell(why)
        else:
            self._go(by)

    def _go(self, by: int) -> None:
        """Go on from the cursor, around the end of the table; with 0, a cell under the cursor will do."""
        table = self._table
        if self._cells is None or table.grid is None:
            return
        stored = in_seen_order(self._cells, table.grid.column_count, table.order)
        seen = {table.stored_column(column): column for column in range(table.column_count)}
        places = sorted((row, seen[column]) for row, column in stored if column in seen)
        if not places:
            self._tell("nothing found")
            return
        here = table.row, table.column
        k = bisect_left(places, here) - 1 if by < 0 else (bisect_right if by else bisect_left)(places, here)
        wrapped = "" if 0 <= k < len(places) else ", around the end" if k >= 0 else ", around the start"
        k %= len(places)
        more = "+" if len(self._cells) >= MOST_FOUND else ""
        table.go_to(*places[k])
        self._tell(f"{k + 1:,} of {len(places):,}{more}{wrapped}")

    def _tell(self, text: str) -> None:
        self.query_one("#found", Static).update(Text(safe_text(text)))
