"""One file in the browser: its outline, the path, the table of what is chosen, and facts about it."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from threading import Lock
from typing import Any, ClassVar

import numpy as np
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from matlens.errors import MatlensError
from matlens.escape import safe_text
from matlens.tree.file import MatFile
from matlens.tree.nodes import NumericNode, SparseNode, StructNode
from matlens.tree.nodes.node import Node
from matlens.tui.arranging import TableView
from matlens.tui.compare import CompareScreen, Marked
from matlens.tui.counting import FrequencyScreen
from matlens.tui.dialogs import Ask, Choose, Export, Find, Search
from matlens.tui.model.arrangement import Arrangement
from matlens.tui.model.cells import Grid
from matlens.tui.model.clipboard import copy_by_program
from matlens.tui.model.facts import facts_text, statistics_text
from matlens.tui.model.grids import ArrayGrid, error_text, grid_of
from matlens.tui.model.neighbours import boxes_beside
from matlens.tui.model.pictures import is_rgb
from matlens.tui.model.plot_columns import OneColumn, PlotColumns
from matlens.tui.model.settings import load_state
from matlens.tui.model.statistics import statistics
from matlens.tui.outline import Outline
from matlens.tui.picture_view import PictureScreen
from matlens.tui.plot_view import PlotScreen
from matlens.tui.records_view import RecordsScreen
from matlens.tui.spy_view import SpyScreen
from matlens.tui.table_view import GridView
from matlens.tui.workers import in_thread

NARROW = 100
"""Fewer columns than this, and the panes stand one above the other."""
MAX_PATHS = 5000
PICTURE_NUMBERS = 64 << 20
"""Larger arrays are not shown as a picture."""


class FileView(Widget):
    """Outline on the left; on the right the path, the table and the facts."""

    DEFAULT_CSS = """
    FileView { layout: horizontal; height: 1fr; }
    FileView Outline { width: 38; border-right: solid $primary-darken-2; }
    FileView #path { height: 2; padding: 0 1; color: $text-accent; }
    FileView #mapping { height: auto; padding: 0 1; color: $text-warning; }
    FileView #chips { display: none; height: auto; max-height: 2; padding: 0 1; color: $text-success; }
    FileView #column { display: none; height: auto; max-height: 2; padding: 0 1; color: $text-muted; }
    FileView #facts { height: auto; max-height: 9; padding: 0 1; border-top: solid $primary-darken-2; }
    FileView.narrow { layout: vertical; }
    FileView.narrow Outline { width: 100%; height: 38%; border-right: none;
                              border-bottom: solid $primary-darken-2; }
    FileView.narrow #facts { max-height: 4; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="back"),
        Binding("slash", "find", "Find", id="find"),
        Binding("ctrl+f", "search", "Search", show=False, id="search"),
        Binding("y", "copy", "Copy", id="copy"),
        Binding("e", "export", "Export", id="export"),
        Binding("p", "plot", "Plot", id="plot"),
        Binding("i", "picture", "Image", id="picture"),
        Binding("R", "records", "Images", show=False, id="records"),
        Binding("m", "mark", "Compare", show=False, id="mark"),
        Binding("g", "go_to_row", "Row", id="go_to_row"),
        Binding("b", "base", "0/1", id="base"),
        Binding("left_square_bracket", "step(-1)", "Slice −", show=False, id="slice_back"),
        Binding("right_square_bracket", "step(1)", "Slice +", show=False, id="slice_on"),
        Binding("r", "dimension('row')", "Row dim", show=False, id="row_dimension"),
        Binding("c", "dimension('column')", "Column dim", show=False, id="column_dimension"),
        Binding("o", "dimension('other')", "Slice dim", show=False, id="slice_dimension"),
    ]

    def __init__(self, file: MatFile) -> None:
        super().__init__()
        self.file, self.reading = file, Lock()
        self.shown: MatFile | Node = file
        self._history: list[tuple[MatFile | Node, Arrangement, tuple[int, int]]] = []
        self._stepped = 0

    def compose(self) -> ComposeResult:
        yield Outline(self.file, self.reading, id="outline")
        with Vertical():
            yield Static(id="path")
            yield Static(id="mapping")
            yield Static(id="chips")
            yield TableView(id="table")
            yield Static(id="column")
            yield Static(id="facts")

    def on_mount(self) -> None:
        self.show(self.file)
        self._restore(load_state(self.file))

    def _restore(self, state: dict[str, Any]) -> None:
        """Go on where the file was left; what it does not hold any more is passed over."""
        if state.get("base") in (0, 1):
            self.table.base = state["base"]
        names = state.get("open")
        self.query_one(Outline).open_variables(names if isinstance(names, list) else [])
        path, part = state.get("path"), state.get("slice")
        if isinstance(path, str):
            self._go(path, part if isinstance(part, list) else (), is_asked=False)

    def state(self) -> dict[str, Any]:
        """What is remembered of the file."""
        state: dict[str, Any] = {"base": self.table.base, "open": self.query_one(Outline).opened_variables()}
        if isinstance(self.shown, Node):
            state["path"] = self.shown.path
        if isinstance(self.table.grid, ArrayGrid):
            state["slice"] = self.table.grid.saved()
        return state

    def on_resize(self) -> None:
        self.set_class(self.size.width < NARROW, "narrow")

    @property
    def table(self) -> TableView:
        return self.query_one(TableView)

    # --- showing -------------------------------------------------------------------

    @in_thread("show", severity="warning")
    def show(
        self,
        value: MatFile | Node,
        *,
        remember: bool = True,
        cursor: tuple[int, int] = (0, 0),
        part: Sequence[Any] = (),
        arrangement: Arrangement | None = None,
    ) -> None:
        """Show the table of a value and its facts, as soon as a worker has looked at it.

        `cursor` is the cell to go to, `part` the slice of an array, as its grid saves it.
        """
        with self.reading:
            if isinstance(value, Node) and value.error is not None:
                value.value  # noqa: B018 - raises with file and path
            grid, facts = grid_of(value), facts_text(self.file, value)
        if isinstance(grid, ArrayGrid):
            grid.restore(part)
        self.app.call_from_thread(self._present, value, grid, facts, remember, cursor, arrangement or Arrangement())

    def _present(
        self,
        value: MatFile | Node,
        grid: Grid,
        facts: Text,
        remember: bool,
        cursor: tuple[int, int],
        arrangement: Arrangement,
    ) -> None:
        if remember and value is not self.shown:
            self._history.append((self.shown, self.table.arrangement, (self.table.row, self.table.column)))
        self.shown, self._stepped = value, 0
        self.table.show(grid, self.reading)
        if arrangement != Arrangement():
            self.table.rearrange(arrangement, is_undo=True, cursor=cursor)
        elif cursor != (0, 0):
            self.table.go_to(*cursor)
        if isinstance(grid, ArrayGrid) and grid.others():
            self._stepped = grid.others()[0]
        self._show_path()
        self._show_mapping()
        self.query_one("#facts", Static).update(facts)
        if isinstance(value, NumericNode) and value.numel:
            self._count(value, facts)

    def _show_path(self) -> None:
        if isinstance(self.shown, MatFile):
            lines = [safe_text(self.file.name), f"MATLAB {self.file.version}, {self.file.size:,} bytes"]
        else:
            lines = [safe_text(self.shown.path), safe_text(self.shown.python_path)]
        self.query_one("#path", Static).update(Text("\n".join(lines), no_wrap=True, overflow="ellipsis"))

    def _show_mapping(self) -> None:
        bar, grid = self.query_one("#mapping", Static), self.table.grid
        bar.display = isinstance(grid, ArrayGrid) and bool(grid.others())
        if isinstance(grid, ArrayGrid) and grid.others():
            dims = "x".join(map(str, grid.dims))
            text = (
                f"{grid.slice_text(self.table.base)} of {dims}   rows: dimension {grid.row_dim + 1} (r)   "
                f"columns: dimension {grid.column_dim + 1} (c)   [ ] step dimension {self._stepped + 1} (o)"
            )
            bar.update(Text(text))

    @in_thread("statistics")
    def _count(self, node: NumericNode, text: Text) -> None:
        worker = get_current_worker()
        try:
            found = statistics(node, self.reading, lambda: not worker.is_cancelled)
        except MatlensError as error:
            self.app.call_from_thread(self._counted, node, Text(error_text(error), "red"))
            return
        if found is not None:
            self.app.call_from_thread(self._counted, node, Text.assemble(text, "\n", statistics_text(found)))

    @on(TableView.Arranged)
    def _arranged(self, event: TableView.Arranged) -> None:
        chips = self.query_one("#chips", Static)
        chips.display = bool(event.text)
        chips.update(Text(event.text))

    @on(TableView.Counted)
    def _counted_values(self, event: TableView.Counted) -> None:
        self.app.push_screen(FrequencyScreen(event), self.table.filter_by)

    @on(TableView.Summarised)
    def _summarised(self, event: TableView.Summarised) -> None:
        about = self.query_one("#column", Static)
        about.display = bool(event.text)
        about.update(Text(event.text, no_wrap=True, overflow="ellipsis"))

    def _counted(self, node: NumericNode, text: Text) -> None:
        if node is self.shown:
            self.query_one("#facts", Static).update(text)

    # --- going around --------------------------------------------------------------

    @on(Outline.Chosen)
    @on(GridView.Opened)
    def _chosen(self, event: Outline.Chosen | GridView.Opened) -> None:
        self.show(event.node)

    def action_back(self) -> None:
        """The value that was shown before, arranged as it was, with the cursor where it was."""
        if not self.table.give_up() and self._history:
            value, arrangement, cursor = self._history.pop()
            self.show(value, remember=False, cursor=cursor, arrangement=arrangement)

    def action_find(self) -> None:
        self._find(self.query_one(Outline).listed(MAX_PATHS))

    @in_thread("find")
    def _find(self, listed: list[str]) -> None:
        """Offer the paths of the variables, of their fields, and of what is listed in the outline."""
        paths: dict[str, None] = {}
        with self.reading:
            for node in self.file.values():
                paths[node.path] = None
                if isinstance(node, StructNode):
                    paths |= dict.fromkeys(child.path for child in node.children(0, MAX_PATHS - len(paths)))
                if len(paths) >= MAX_PATHS:
                    break
        paths |= dict.fromkeys(listed)
        self.app.call_from_thread(self.app.push_screen, Find(list(paths)[:MAX_PATHS]), self._go_to_path)

    def _go_to_path(self, path: str | None) -> None:
        if path is not None:
            self._go(path)

    @in_thread("go")
    def _go(self, path: str, part: Sequence[Any] = (), *, is_asked: bool = True) -> None:
        """Show the value at a path; one that nobody has asked for may be there no more."""
        try:
            with self.reading:
                node = self.file.at(path)
        except MatlensError as error:
            if is_asked:
                self._tell(error_text(error))
            return
        self.app.call_from_thread(lambda: self.show(node, part=part))
        if is_asked:
            self.app.call_from_thread(self.table.focus)

    def action_search(self) -> None:
        """Search the values below what is shown, the whole file at first."""
        where = [self.shown] if isinstance(self.shown, Node) else list(self.file.values())
        self.app.push_screen(Search(where, self.reading), self._go_to_path)

    def action_go_to_row(self) -> None:
        base = self.table.base
        question = f"Row, {base} to {self.table.row_count - 1 + base:,}"
        self.app.push_screen(Ask(question), self._go_to_row)

    def _go_to_row(self, text: str | None) -> None:
        digits = (text or "").replace(",", "").strip()
        if digits.isdigit() and len(digits) < 19:
            self.table.go_to(int(digits) - self.table.base, self.table.column)
            self.table.focus()
        elif text:
            self.app.notify(f"{safe_text(text)!r} is no row", severity="warning", markup=False)

    # --- arrays --------------------------------------------------------------------

    def action_base(self) -> None:
        """Count rows, columns and slices from 0 as Python does, or from 1 as MATLAB does."""
        self.table.base = 1 - self.table.base
        self.table.reload()
        self._show_mapping()

    def action_step(self, by: int) -> None:
        grid = self.table.grid
        if isinstance(grid, ArrayGrid) and grid.others():
            self.table.step(by, self._stepped)
            self._show_mapping()

    def action_dimension(self, role: str) -> None:
        """Take the next dimension for rows, for columns, or for stepping."""
        grid = self.table.grid
        if not isinstance(grid, ArrayGrid) or len(grid.dims) < 2:
            return
        others = grid.others()
        if role == "other":
            if others:
                later = [k for k in others if k > self._stepped]
                self._stepped = (later or others)[0]
        else:
            current, kept = (grid.row_dim, grid.column_dim)[:: 1 if role == "row" else -1]
            after = [k % len(grid.dims) for k in range(current + 1, current + len(grid.dims))]
            free = [k for k in after if k != kept]
            # With two dimensions, the array is transposed.
            chosen, kept = (free[0], kept) if free else (kept, current)
            grid.show(*((chosen, kept) if role == "row" else (kept, chosen)))
            self._stepped = next(iter(grid.others()), 0)
            self.table.show(grid, self.reading)
        self._show_mapping()

    # --- comparing -----------------------------------------------------------------

    @in_thread("selected")
    def action_mark(self) -> None:
        """Mark a value; with a second one, show both side by side and what differs."""
        self.app.call_from_thread(self._mark, self.selected())

    def _mark(self, node: Node | None) -> None:
        app = self.app
        if node is None:
            app.notify("choose a value first", severity="warning")
            return
        marked: Marked | None = getattr(app, "marked", None)
        if marked is None:
            app.marked = Marked(node, self.reading)  # type: ignore[attr-defined]
            app.notify(f"marked {safe_text(node.path)}: m on another value compares them", markup=False)
            return
        app.marked = None  # type: ignore[attr-defined]
        app.push_screen(CompareScreen(marked, Marked(node, self.reading)))

    # --- pictures ------------------------------------------------------------------

    def action_plot(self) -> None:
        """Plot the column of the cursor, or the only one."""
        grid = self.table.grid
        if grid is not None and grid.row_count:
            self._plot(grid, self.table.stored_column(self.table.column), self.shown)

    @in_thread("picture", severity="warning")
    def _plot(self, grid: Grid, column: int, value: MatFile | Node) -> None:
        with self.reading:
            vector = value if isinstance(value, NumericNode) and max(value.dims) == value.numel else None
            series = grid.column_values(column) if vector is None else np.asarray(vector.value).ravel()
        if series.dtype.kind not in "biufc":
            self._tell("only numbers can be plotted")
            return
        path = value.path if isinstance(value, Node) else self.file.name
        label = grid.column_label(column, self.table.base)
        if vector is not None:
            self._push(PlotScreen(path, OneColumn(path, series), 0))
        else:
            columns = PlotColumns(grid, self.reading, self.table.base, {column: series})
            self._push(PlotScreen(f"{path}, column {label}", columns, column))

    @in_thread("picture", severity="warning")
    def action_picture(self) -> None:
        """Show the matrix or image that is chosen as a picture, with the boxes beside it."""
        chosen, grid = self.selected(), self.table.grid
        node = chosen if isinstance(chosen, NumericNode | SparseNode) else self.shown
        if isinstance(node, SparseNode) and 0 not in node.dims:
            with self.reading:
                entries = node.value.tocoo()
            self._push(SpyScreen(node.path, (node.dims[0], node.dims[1]), *entries.coords))
            return
        if not isinstance(node, NumericNode) or min(node.dims[:2]) < 2 or not 0 < node.numel <= PICTURE_NUMBERS:
            self._tell("a matrix or an image can be shown as a picture")
            return
        with self.reading:
            values = np.asarray(node.value)
            boxes, convention = boxes_beside(self.file, node)
        is_colour, at = is_rgb(values.shape[:3]), tuple[int, ...]()
        if isinstance(grid, ArrayGrid) and grid.node is node:
            if values.ndim > 2 and not is_colour and (grid.row_dim, grid.column_dim) != (0, 1):
                values = grid.page(values)
            else:
                at = tuple(grid.index[3 if is_colour else 2 :])
        self._push(PictureScreen(node.path, values.real if values.dtype.kind == "c" else values, boxes, convention, at))

    def action_records(self) -> None:
        """Show one image after another with its annotations."""
        self.app.push_screen(RecordsScreen(self.file, self.reading, getattr(self.app, "images", None)))

    def _push(self, screen: Screen[None]) -> None:
        self.app.call_from_thread(self.app.push_screen, screen)

    def _tell(self, text: str, severity: SeverityLevel = "warning") -> None:
        self.app.call_from_thread(self.app.notify, text, severity=severity, markup=False)

    # --- taking along --------------------------------------------------------------

    def selected(self) -> Node | None:
        """The value that is meant: in the table the cell's, else the one that is shown; for workers, as it reads."""
        if self.table.has_focus:
            try:
                node = self.table.current_node()
            except MatlensError:
                node = None
            if node is not None:
                return node
        return self.shown if isinstance(self.shown, Node) else None

    @in_thread("selected")
    def action_copy(self) -> None:
        """Offer the path, the expression, the command and the value for the clipboard."""
        node = self.selected()
        if node is None:
            return
        name = str(self.file.path or self.file.name)
        with self.reading:
            value = node.preview(10_000)
        lines = [node.path, node.python_path, f"matlens show {quote(name)} {quote(node.path)}", value]
        titles = ("MATLAB path", "Python expression", "command", "value")
        shown = [f"{title}: {line}" for title, line in zip(titles, lines, strict=True)]

        def copy(chosen: int | None) -> None:
            if chosen is not None:
                self.app.copy_to_clipboard(safe_text(lines[chosen]))
                self._copy(safe_text(lines[chosen]))

        self.app.call_from_thread(self.app.push_screen, Choose("Copy", [line[:200] for line in shown]), copy)

    @in_thread("copy")
    def _copy(self, text: str) -> None:
        by = copy_by_program(text) or "the terminal"
        self._tell(f"copied by {by}: {text[:200]}", severity="information")

    def action_export(self) -> None:
        if not isinstance(self.shown, Node):
            self.app.notify("choose a variable first", severity="warning")
            return

        def done(text: str | None) -> None:
            if text:
                self.app.notify(f"written: {safe_text(text)}", markup=False)

        self.app.push_screen(Export(self.file, self.shown, self.reading), done)
