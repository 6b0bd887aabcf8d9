"""One file in the browser: its outline, the path, the table of what is chosen, and facts about it."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import get_current_worker

from matlens.errors import MatlensError
from matlens.escape import safe_text
from matlens.tree.access import reopened
from matlens.tree.file import MatFile
from matlens.tree.nodes import NumericNode, SparseNode
from matlens.tree.nodes.node import Node
from matlens.tui.arranging import TableView
from matlens.tui.cell_view import CellScreen
from matlens.tui.compare import mark
from matlens.tui.copying import CopyDialog
from matlens.tui.counting import FrequencyScreen
from matlens.tui.dialogs import Ask, Export, Find, Search
from matlens.tui.model.arrangement import Arrangement
from matlens.tui.model.cells import Grid
from matlens.tui.model.facts import facts_text, mapping_text, statistics_text
from matlens.tui.model.grids import ArrayGrid, error_text, grid_of
from matlens.tui.model.listing import known_paths
from matlens.tui.model.settings import load_state
from matlens.tui.model.statistics import statistics
from matlens.tui.outline import Outline
from matlens.tui.records_view import RecordsScreen
from matlens.tui.reloading import Watch
from matlens.tui.searching import SearchBar
from matlens.tui.table_view import GridView
from matlens.tui.viewing import picture_of, plot_of
from matlens.tui.workers import in_thread

NARROW = 100
"""Fewer columns than this, and the panes stand one above the other."""
MAX_PATHS = 5000
_LOOK = 1.0
"""Seconds between looks whether the file was written."""


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
        Binding("n", "next_found(1)", "Next found", show=False, id="next_found"),
        Binding("N", "next_found(-1)", "Previous found", show=False, id="previous_found"),
        Binding("v,space", "view_cell", "Cell", id="view_cell"),
        Binding("y", "copy", "Copy", id="copy"),
        Binding("e", "export", "Export", id="export"),
        Binding("p", "plot", "Plot", id="plot"),
        Binding("i", "picture", "Image", id="picture"),
        Binding("R", "records", "Images", show=False, id="records"),
        Binding("m", "mark", "Compare", show=False, id="mark"),
        Binding("ctrl+r", "reload", "Read again", show=False, id="reload"),
        Binding("g", "go_to_row", "Row", id="go_to_row"),
        Binding("b", "base", "0/1", id="base"),
        Binding("left_square_bracket", "step(-1)", "Slice −", show=False, id="slice_back"),
        Binding("right_square_bracket", "step(1)", "Slice +", show=False, id="slice_on"),
        Binding("r", "dimension('row')", "Row dim", show=False, id="row_dimension"),
        Binding("c", "dimension('column')", "Column dim", show=False, id="column_dimension"),
        Binding("o", "dimension('other')", "Slice dim", show=False, id="slice_dimension"),
    ]

    class Reloaded(Message):
        """The file was opened again, and is to be shown by another view."""

        def __init__(self, view: FileView, file: MatFile) -> None:
            super().__init__()
            self.view, self.file = view, file

    def __init__(self, file: MatFile, before: FileView | None = None) -> None:
        super().__init__()
        self.file, self.reading = file, Lock()
        self._watch, self._before = Watch(file), before
        self.shown: MatFile | Node = file
        self._history: list[tuple[MatFile | Node, Arrangement, tuple[int, int]]] = []
        self._stepped = 0
        self._searched: Search | None = None

    def compose(self) -> ComposeResult:
        yield Outline(self.file, self.reading, id="outline")
        with Vertical():
            yield Static(id="path")
            yield Static(id="mapping")
            yield Static(id="chips")
            table = TableView(id="table")
            yield table
            yield SearchBar(table, self.reading)
            yield Static(id="column")
            yield Static(id="facts")

    def on_mount(self) -> None:
        self.show(self.file)
        if self._before is None:
            self._restore(load_state(self.file))
        else:
            table = self._before.table
            self._restore(self._before.state(), (table.row, table.column), table.arrangement)
            self._before = None
        self.set_interval(_LOOK, self._look)

    def _look(self) -> None:
        """Tell that the file was written, or read it again where that was asked for."""
        if self._watch.has_changed():
            if getattr(self.app, "is_watching", False):
                self.action_reload()
            else:
                words = f"{safe_text(self.file.name)} was written: Ctrl+R reads it again"
                self.app.notify(words, severity="warning", markup=False)

    @in_thread("reload")
    def action_reload(self) -> None:
        """Open the file again, as it is now, and show what is shown."""
        file = reopened(self.file)
        self.app.call_from_thread(self.post_message, self.Reloaded(self, file))

    def _restore(
        self, state: dict[str, Any], cursor: tuple[int, int] = (0, 0), arrangement: Arrangement | None = None
    ) -> None:
        """Go on where the file was left; what it does not hold any more is passed over."""
        if state.get("base") in (0, 1):
            self.table.base = state["base"]
        names = state.get("open")
        self.query_one(Outline).open_variables(names if isinstance(names, list) else [])
        path, part = state.get("path"), state.get("slice")
        if isinstance(path, str):
            self._go(path, part if isinstance(part, list) else (), cursor, arrangement, is_asked=False)

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
            bar.update(Text(mapping_text(grid, self.table.base, self._stepped)))

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
        """The value that was shown before, arranged as it was; work and a search of cells are left first."""
        if self.table.give_up() or self.query_one(SearchBar).leave() or not self._history:
            return
        value, arrangement, cursor = self._history.pop()
        self.show(value, remember=False, cursor=cursor, arrangement=arrangement)

    def action_find(self) -> None:
        """From the table, search its cells; else find a value by its name."""
        if self.table.has_focus:
            self.query_one(SearchBar).open()
        else:
            self._find(self.query_one(Outline).listed(MAX_PATHS))

    def action_next_found(self, by: int) -> None:
        self.query_one(SearchBar).go(by)

    @in_thread("find")
    def _find(self, listed: list[str]) -> None:
        """Offer the paths of the variables, of their fields, and of what is listed in the outline."""
        with self.reading:
            paths = dict.fromkeys(known_paths(self.file, MAX_PATHS))
        paths |= dict.fromkeys(listed)
        self.app.call_from_thread(self.app.push_screen, Find(list(paths)[:MAX_PATHS]), self._go_to_path)

    def _go_to_path(self, path: str | None) -> None:
        if path is not None:
            self._go(path)

    @in_thread("go")
    def _go(
        self,
        path: str,
        part: Sequence[Any] = (),
        cursor: tuple[int, int] = (0, 0),
        arrangement: Arrangement | None = None,
        *,
        is_asked: bool = True,
    ) -> None:
        """Show the value at a path; one that nobody has asked for may be there no more."""
        try:
            with self.reading:
                node = self.file.at(path)
        except MatlensError as error:
            if is_asked:
                self._tell(error_text(error))
            return
        self.app.call_from_thread(lambda: self.show(node, part=part, cursor=cursor, arrangement=arrangement))
        if is_asked:
            self.app.call_from_thread(self.table.focus)
            self.app.call_from_thread(self.query_one(Outline).reveal, node.path)

    def action_search(self) -> None:
        """Search the values below what is shown, the whole file at first."""
        where = [self.shown] if isinstance(self.shown, Node) else list(self.file.values())
        self._searched = Search(where, self.reading, self._searched.query_text if self._searched else "")
        self.app.push_screen(self._searched, self._go_to_path)

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
            grid.turn(role)
            self._stepped = next(iter(grid.others()), 0)
            self.table.show(grid, self.reading)
        self._show_mapping()

    @in_thread("selected")
    def action_mark(self) -> None:
        """Mark a value; with a second one, show both side by side and what differs."""
        self.app.call_from_thread(mark, self.app, self.selected(), self.reading)

    # --- pictures ------------------------------------------------------------------

    def action_plot(self) -> None:
        """Plot the column of the cursor, or the only one."""
        grid = self.table.grid
        if grid is not None and grid.row_count:
            self._plot(grid, self.table.stored_column(self.table.column), self.shown)

    @in_thread("picture", severity="warning")
    def _plot(self, grid: Grid, column: int, value: MatFile | Node) -> None:
        self._push(plot_of(value, grid, column, self.table.base, self.reading), "only numbers can be plotted")

    @in_thread("picture", severity="warning")
    def action_picture(self) -> None:
        """Show the matrix or image that is chosen as a picture, with the boxes beside it."""
        chosen = self.selected()
        node = chosen if isinstance(chosen, NumericNode | SparseNode) else self.shown
        screen = picture_of(self.file, node, self.table.grid, self.reading)
        self._push(screen, "a matrix or an image can be shown as a picture")

    def action_records(self) -> None:
        """Show one image after another with its annotations."""
        self.app.push_screen(RecordsScreen(self.file, self.reading, getattr(self.app, "images", None)))

    def _push(self, screen: Screen[None] | None, why_not: str) -> None:
        if screen is None:
            self._tell(why_not)
        else:
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
        """Offer the value, its row, its column, the table and what leads there."""
        node, place = self.selected(), self.table.place(self.shown)
        if place is not None:
            self.app.call_from_thread(self.app.push_screen, CopyDialog(place, node, self.file, self.reading))

    def action_view_cell(self) -> None:
        """Show the cell of the cursor with all of its digits and letters."""
        place = self.table.place(self.shown)
        if place is not None:
            self.app.push_screen(CellScreen(place, self.file, self.reading))

    def action_export(self) -> None:
        if not isinstance(self.shown, Node):
            self.app.notify("choose a variable first", severity="warning")
            return

        def done(text: str | None) -> None:
            if text:
                self.app.notify(f"written: {safe_text(text)}", markup=False)

        self.app.push_screen(Export(self.file, self.shown, self.reading), done)
