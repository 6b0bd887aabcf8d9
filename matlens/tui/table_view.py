"""The table view: a virtual grid that holds no more than what is on the screen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from threading import Lock
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from matlens.formats.records import Int64s
from matlens.tree.file import MatFile
from matlens.tree.nodes.node import Node
from matlens.tui.model.arrangement import Arrangement
from matlens.tui.model.cells import Cell, Grid
from matlens.tui.model.grids import ArrayGrid
from matlens.tui.model.scopes import Place
from matlens.tui.workers import in_thread

MIN_WIDTH, MAX_WIDTH = 4, 40
COLUMNS_AT_ONCE = 8
GAP = 2


@dataclass(frozen=True, slots=True)
class _Window:
    """Decoded cells of `rows` and `columns`, both as they are seen; the frozen columns, then those from `left` on."""

    rows: range
    left: int
    columns: list[int]
    labels: list[str]
    row_labels: list[str]
    widths: list[int]
    cells: list[list[Cell]]

    @property
    def gutter(self) -> int:
        """Width of the names of the rows."""
        return max((cell_len(label) for label in self.row_labels), default=0) + GAP

    def covers(self, rows: range, left: int) -> bool:
        return self.left == left and self.rows.start <= rows.start and rows.stop <= self.rows.stop


class GridView(ScrollView, can_focus=True):
    """Shows a `Grid`; what is not decoded yet shows as dots until a worker has it."""

    DEFAULT_CSS = """
    GridView { height: 1fr; overflow-x: hidden; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1, 0)", "Up", show=False),
        Binding("down", "move(1, 0)", "Down", show=False),
        Binding("left", "move(0, -1)", "Left", show=False),
        Binding("right", "move(0, 1)", "Right", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "column(0)", "First column", show=False),
        Binding("end", "column(-1)", "Last column", show=False),
        Binding("ctrl+home", "row(0)", "First row", show=False),
        Binding("ctrl+end", "row(-1)", "Last row", show=False),
        Binding("enter", "open", "Open", id="open"),
    ]

    class Opened(Message):
        """A cell was opened that holds more than its text."""

        def __init__(self, node: Node) -> None:
            super().__init__()
            self.node = node

    class Moved(Message):
        """The cursor is on another cell."""

        def __init__(self, row: int, column: int) -> None:
            super().__init__()
            self.row, self.column = row, column

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.grid: Grid | None = None
        self.base = 1
        self.row = self.column = self.left = 0
        self.arrangement = Arrangement()
        self._rows: Int64s | None = None
        self._window: _Window | None = None
        self._lock = Lock()
        self._marked: frozenset[int] | None = None

    # --- what is shown -------------------------------------------------------------

    def show(self, grid: Grid, lock: Lock) -> None:
        """Show another grid, from its first cell, as it is stored."""
        self.grid, self._lock = grid, lock
        self.row = self.column = self.left = 0
        self.arrangement, self._rows, self._marked = Arrangement(), None, None
        self.scroll_to(y=0, animate=False, force=True)
        self.reload()

    def reload(self) -> None:
        """Decode again what is shown: the grid has changed."""
        self._window = None
        self.virtual_size = Size(self.size.width, self.row_count + 1)
        self.row = min(self.row, max(self.row_count - 1, 0))
        self.column = min(self.column, max(self.column_count - 1, 0))
        self._request()
        self.refresh()

    @property
    def row_count(self) -> int:
        """Rows that are seen."""
        if self._rows is not None:
            return len(self._rows)
        return self.grid.row_count if self.grid else 0

    @property
    def column_count(self) -> int:
        """Columns that are seen."""
        if self.arrangement.columns is not None:
            return len(self.arrangement.columns)
        return self.grid.column_count if self.grid else 0

    def stored_row(self, row: int) -> int:
        """The row of the grid that is seen at `row`, which sorting and filters change."""
        return row if self._rows is None else int(self._rows[row])

    def stored_column(self, column: int) -> int:
        """The column of the grid that is seen at `column`, which hiding and moving change."""
        return column if self.arrangement.columns is None else self.arrangement.columns[column]

    @property
    def order(self) -> Int64s | None:
        """Stored rows in the order in which they are seen; None if that is their own."""
        return self._rows

    @property
    def is_marked(self) -> bool:
        return self._marked is not None

    def mark(self, cells: frozenset[int] | None) -> None:
        """Colour cells, known by ``stored row * columns + column``, until another table is shown."""
        self._marked = cells
        self.refresh()

    def _is_marked(self, row: int, column: int) -> bool:
        if not self._marked or self.grid is None:
            return False
        return self.stored_row(row) * self.grid.column_count + self.stored_column(column) in self._marked

    def place(self, shown: MatFile | Node) -> Place | None:
        """The cell of the cursor in the table as it is seen; None before there is one."""
        if self.grid is None:
            return None
        rows = range(self.row_count) if self._rows is None else self._rows.tolist()
        columns = range(self.column_count) if self.arrangement.columns is None else self.arrangement.columns
        return Place(shown, self.grid, rows, columns, self.row, self.column, self.has_focus, self.base)

    def _visible_rows(self) -> range:
        top = int(self.scroll_offset.y)
        return range(top, min(top + max(self.size.height - 1, 1), self.row_count))

    def _request(self) -> None:
        """Have the visible cells decoded, if they are not."""
        rows = self._visible_rows()
        if self.grid is None or not self.is_attached or self.size.width == 0:
            return
        if self._window is None or not self._window.covers(rows, self.left):
            ahead = range(max(rows.start - len(rows) // 2, 0), min(rows.stop + len(rows), self.row_count))
            self._decode(self.grid, ahead, self.left, self.size.width)

    @in_thread("cells")
    def _decode(self, grid: Grid, rows: range, left: int, width: int) -> None:
        with self._lock:
            window = self._window_of(grid, rows, left, width)
        self.app.call_from_thread(self._decoded, grid, window)

    def _window_of(self, grid: Grid, rows: range, left: int, width: int) -> _Window:
        """The frozen columns and those from `left` on, until they fill the width."""
        stored_rows = [self.stored_row(row) for row in rows]
        row_labels = [grid.row_label(row, self.base) for row in stored_rows]
        window = _Window(rows, left, [], [], row_labels, [], [[] for _ in rows])
        frozen = min(self.arrangement.frozen, self.column_count)
        ahead = chain(range(frozen), range(max(left, frozen), self.column_count))
        used = window.gutter
        while used < width and (columns := list(islice(ahead, COLUMNS_AT_ONCE))):
            stored = [self.stored_column(column) for column in columns]
            for line, part in zip(window.cells, grid.cells(stored_rows, stored), strict=True):
                line += part
            for column, j in zip(columns, stored, strict=True):
                place = len(window.columns)
                label = grid.column_label(j, self.base)
                needed = max([cell_len(label) + 2, *(cell_len(line[place].text) for line in window.cells)])
                window.columns.append(column)
                window.labels.append(label)
                window.widths.append(max(MIN_WIDTH, min(needed, MAX_WIDTH)))
                used += window.widths[-1] + GAP
        return window

    def _decoded(self, grid: Grid, window: _Window) -> None:
        if grid is self.grid:
            self._window = window
            self._bring_column_into_view()
            self._request()
            self.refresh()

    # --- drawing -------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width, base = self.size.width, self.rich_style
        window = self._window
        if window is None or self.grid is None:
            text = " …" if self.grid is not None and self.row_count and y == 1 else ""
            return Strip([Segment(text.ljust(width), base)], width)
        if y == 0:
            return self._header(window, width)
        row = int(self.scroll_offset.y) + y - 1
        if row >= self.row_count:
            text = "(empty)" if self.row_count == 0 and y == 1 else ""
            return Strip([Segment(set_cell_size(text, width), base)], width)
        if row not in window.rows:
            return Strip([Segment(" …".ljust(width), base)], width)
        k = row - window.rows.start
        dim = base + Style(dim=True)
        segments = [Segment(window.row_labels[k].rjust(window.gutter - GAP) + " " * GAP, dim)]
        for place, size in self._places(window, width):
            cell = window.cells[k][place]
            is_cursor = row == self.row and window.columns[place] == self.column
            style = base + Style(reverse=True, bold=self.has_focus) if is_cursor else base
            if self._is_marked(row, window.columns[place]):
                style += Style(color="black", bgcolor="yellow")
            if cell.is_error:
                style += Style(color="red")
            segments += [Segment(_fitted(cell, size), style), Segment(" " * GAP, base)]
        return Strip(segments).adjust_cell_length(width, base)

    @staticmethod
    def _places(window: _Window, width: int) -> Iterator[tuple[int, int]]:
        """Columns of a window with the room that there is for each: the last one may be cut."""
        room = width - window.gutter
        for place, size in enumerate(window.widths):
            if room <= 0:
                return
            yield place, min(size, room)
            room -= size + GAP

    def _header(self, window: _Window, width: int) -> Strip:
        base = self.rich_style + Style(bold=True, underline=True)
        directions = {column: "▼" if down else "▲" for column, down in self.arrangement.sort_keys}
        segments = [Segment(" " * window.gutter, base)]
        last = 0
        for place, size in self._places(window, width):
            last = window.columns[place]
            mark = directions.get(self.stored_column(last), "")
            is_number = any(line[place].is_number for line in window.cells[:1])
            segments.append(Segment(_fitted(Cell(window.labels[place] + mark, is_number), size) + " " * GAP, base))
        strip = Strip(segments).adjust_cell_length(width, base)
        if last >= self.column_count - 1 or width < 2:
            return strip
        return Strip([*strip.crop(0, width - 2), Segment(" ›", base)])

    # --- moving --------------------------------------------------------------------

    def action_move(self, rows: int, columns: int) -> None:
        self.go_to(self.row + rows, self.column + columns)

    def action_page(self, pages: int) -> None:
        self.go_to(self.row + pages * max(self.size.height - 2, 1), self.column)

    def action_row(self, row: int) -> None:
        self.go_to(row if row >= 0 else self.row_count - 1, self.column)

    def action_column(self, column: int) -> None:
        self.go_to(self.row, column if column >= 0 else self.column_count - 1)

    def go_to(self, row: int, column: int) -> None:
        """Put the cursor on a cell and bring it into view."""
        self.row = max(0, min(row, self.row_count - 1))
        self.column = max(0, min(column, self.column_count - 1))
        height, top = max(self.size.height - 1, 1), int(self.scroll_offset.y)
        if not top <= self.row < top + height:
            self.scroll_to(y=self.row if self.row < top else self.row - height + 1, animate=False, force=True)
        self._bring_column_into_view()
        self._request()
        self.refresh()
        self.post_message(self.Moved(self.stored_row(self.row) if self.row_count else 0, self.column))

    def _bring_column_into_view(self) -> None:
        if self.arrangement.frozen <= self.column < self.left:
            self.left = self.column
            return
        window = self._window
        if window is None or window.left != self.left or self.column < self.arrangement.frozen:
            return
        if self.column not in window.columns:
            self.left = max(self.column - max(len(window.columns) - 1, 0), self.left + 1)
            return
        last = window.columns.index(self.column)
        sizes = {column: size + GAP for column, size in zip(window.columns, window.widths, strict=True)}
        used = sum(sizes[column] for column in window.columns[: last + 1])
        while self.left < self.column and used > self.size.width - window.gutter + GAP:
            used -= sizes.get(self.left, 0)
            self.left += 1

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._request()
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        self._window = None
        self.virtual_size = Size(event.size.width, self.row_count + 1)
        self._request()

    def on_click(self, event: events.Click) -> None:
        column = self._column_at(event.x)
        if column is None:
            return
        if event.y == 0:
            self.clicked_header(column)
            return
        self.go_to(int(self.scroll_offset.y) + event.y - 1, column)
        if event.chain == 2:
            self.action_open()

    def _column_at(self, x: int) -> int | None:
        """The column that is seen at a place of a line."""
        window = self._window
        if window is None or not window.columns:
            return None
        start = window.gutter
        for column, size in zip(window.columns, window.widths, strict=True):
            start += size + GAP
            if x < start:
                return column
        return window.columns[-1]

    def clicked_header(self, column: int) -> None:
        """The name of a column was clicked."""
        self.go_to(self.row, column)

    # --- opening -------------------------------------------------------------------

    def current_node(self) -> Node | None:
        """The value under the cursor, None where there is nothing to go into."""
        if self.grid is None or not self.row_count:
            return None
        with self._lock:
            return self.grid.node_at(self.stored_row(self.row), self.stored_column(self.column))

    @in_thread("open")
    def action_open(self) -> None:
        """Look at the value of the cell; the worker may have to wait for another that reads."""
        node = self.current_node()
        if node is not None:
            self.post_message(self.Opened(node))

    def step(self, by: int, dimension: int) -> None:
        """Show the next or previous slice of an array."""
        if isinstance(self.grid, ArrayGrid):
            self.grid.step(dimension, by)
            self.arrangement, self._rows, self._marked = Arrangement(), None, None
            self.reload()


def _fitted(cell: Cell, size: int) -> str:
    """Text of a cell in `size` columns of the terminal, cut with an ellipsis."""
    text = cell.text
    if cell_len(text) > size:
        return set_cell_size(text, size - 1) + "…"
    return " " * (size - cell_len(text)) + text if cell.is_number else set_cell_size(text, size)
