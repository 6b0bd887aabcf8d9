"""Two values side by side, with what differs between them."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import islice
from threading import Lock
from typing import Any, ClassVar, NamedTuple

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Static

from matlens.errors import MatlensError
from matlens.escape import safe_text, shorten
from matlens.operations.diff import Difference, diff_nodes
from matlens.tree.access import file_name
from matlens.tree.nodes.node import Node
from matlens.tui.model.grids import error_text, grid_of
from matlens.tui.table_view import GridView
from matlens.tui.workers import in_thread

SHOWN = 200


class Marked(NamedTuple):
    """A value that was marked, and the lock of its file."""

    node: Node
    lock: Lock


class CompareScreen(Screen[None]):
    """The tables of two values, moving together, above their differences."""

    DEFAULT_CSS = """
    CompareScreen Horizontal { height: 1fr; }
    CompareScreen Horizontal > Vertical { width: 1fr; border-right: solid $primary-darken-2; }
    CompareScreen .path { height: 1; padding: 0 1; color: $text-accent; }
    CompareScreen #differences { height: auto; max-height: 12; padding: 0 1; border-top: solid $primary-darken-2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "app.pop_screen", "Back")]

    def __init__(self, first: Marked, second: Marked) -> None:
        super().__init__()
        self._sides = first, second

    def compose(self) -> ComposeResult:
        with Horizontal():
            for k, (node, _) in enumerate(self._sides):
                with Vertical():
                    title = f"{file_name(node)}: {node.path}  {node.summary()}"
                    yield Static(Text(safe_text(title), no_wrap=True, overflow="ellipsis"), classes="path")
                    yield GridView(id=f"side-{k}")
        yield Static(Text("comparing …"), id="differences")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#side-0").focus()
        for k in range(len(self._sides)):
            self._prepare(k)
        self._compare()

    @in_thread("show", exclusive=False)
    def _prepare(self, k: int) -> None:
        node, lock = self._sides[k]
        with lock:
            grid = grid_of(node)
        self.app.call_from_thread(self.query_one(f"#side-{k}", GridView).show, grid, lock)

    def on_grid_view_moved(self, event: GridView.Moved) -> None:
        """Take the other table along."""
        tables = list(self.query(GridView))
        here = next((table for table in tables if table.has_focus), tables[0])
        for table in tables:
            if table is not here and (table.row, table.column) != (here.row, here.column):
                table.go_to(here.row, here.column)

    @in_thread("compare")
    def _compare(self) -> None:
        (a, lock), (b, other) = self._sides
        try:
            with lock, nullcontext() if other is lock else other:
                found = list(islice(diff_nodes(a, b), SHOWN + 1))
        except MatlensError as error:
            self.app.call_from_thread(self._tell, Text(error_text(error), "red"))
            return
        self.app.call_from_thread(self._tell, _text(found))

    def _tell(self, text: Text) -> None:
        self.query_one("#differences", Static).update(text)


def _text(found: list[Difference]) -> Text:
    """Differences, one in a line."""
    if not found:
        return Text("no differences", "green")
    text = Text(f"{min(len(found), SHOWN)}{'+' if len(found) > SHOWN else ''} differences\n", "bold")
    for difference in found[:SHOWN]:
        numbers = "" if difference.count is None else f"  {difference.count:,} values"
        if difference.max_absolute is not None:
            numbers += f", at most {difference.max_absolute:.3g} apart"
        sides = f"{shorten(safe_text(difference.a), 30)} | {shorten(safe_text(difference.b), 30)}"
        text.append(f"{safe_text(difference.path)}  ", "bold").append(f"{difference.what}: {sides}{numbers}\n")
    return text


def mark(app: App[Any], node: Node | None, lock: Lock) -> None:
    """Keep a value to be compared; with a second one, show both side by side."""
    if node is None:
        app.notify("choose a value first", severity="warning")
        return
    marked: Marked | None = getattr(app, "marked", None)
    if marked is None:
        app.marked = Marked(node, lock)  # type: ignore[attr-defined]
        app.notify(f"marked {safe_text(node.path)}: m on another value compares them", markup=False)
        return
    app.marked = None  # type: ignore[attr-defined]
    app.push_screen(CompareScreen(marked, Marked(node, lock)))
