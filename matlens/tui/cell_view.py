"""One cell by itself: every digit and letter, what is inside of it, and how it is stored."""

from __future__ import annotations

from threading import Lock
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static

from matlens.errors import MatlensError
from matlens.escape import safe_text
from matlens.tree.file import MatFile
from matlens.tree.nodes.node import Node
from matlens.tui.copying import CopyDialog
from matlens.tui.model.cells import Grid
from matlens.tui.model.details import details
from matlens.tui.model.facts import facts_text
from matlens.tui.model.grids import error_text, grid_of
from matlens.tui.model.scopes import Place
from matlens.tui.table_view import GridView
from matlens.tui.workers import in_thread


class CellScreen(Screen[None]):
    """A value in full; a nested one as a table of its own. Escape goes back."""

    DEFAULT_CSS = """
    CellScreen #where { height: 1; padding: 0 1; color: $text-accent; }
    CellScreen #value { height: auto; max-height: 1fr; padding: 0 1; }
    CellScreen GridView { border-top: solid $primary-darken-2; }
    CellScreen #about { height: auto; max-height: 6; padding: 0 1; border-top: solid $primary-darken-2; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,v,space", "app.pop_screen", "Back"),
        Binding("y", "copy", "Copy", id="copy"),
    ]

    def __init__(self, place: Place, file: MatFile, lock: Lock) -> None:
        super().__init__()
        self._place, self._file, self._reading = place, file, lock

    def compose(self) -> ComposeResult:
        yield Static(id="where")
        with VerticalScroll(id="value"):
            yield Static(Text("…"), id="full")
        yield GridView(id="inside")
        yield Static(id="about")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one(GridView).display = False
        self.query_one("#value").focus()
        self._read()

    @in_thread("cell")
    def _read(self) -> None:
        place, text, grid = self._place, Text(), None
        with self._reading:
            node = place.node()
            about = self._headline(node), Text() if node is None else facts_text(self._file, node)
            try:
                grid = None if node is None or place.is_part() else grid_of(node)
                for name, told in details(place.value()):
                    text.append(f"{name}\n", "dim").append(f"{told}\n")
            except MatlensError as error:
                # What is too large to be taken whole is still a table.
                text = Text() if grid is not None else Text(error_text(error), "red")
        if text.plain:
            grid = None
        self.app.call_from_thread(self._show, *about, text, grid)

    def _headline(self, node: Node | None) -> str:
        """The path of a value, or where in the table a number stands."""
        place = self._place
        if node is not None and not place.is_part():
            return f"{node.path}  {node.summary()}"
        path = place.shown.path if isinstance(place.shown, Node) else place.shown.name
        return f"{path}  {place.label()}"

    def _show(self, title: str, about: Text, text: Text, grid: Grid | None) -> None:
        self.query_one("#where", Static).update(Text(safe_text(title), no_wrap=True, overflow="ellipsis"))
        self.query_one("#about", Static).update(about)
        self.query_one("#full", Static).update(text)
        table = self.query_one(GridView)
        if grid is not None:
            table.display = True
            table.base = self._place.base
            table.show(grid, self._reading)
            self.query_one("#value").display = bool(text.plain)
            table.focus()

    def action_copy(self) -> None:
        self._copy()

    @in_thread("copying")
    def _copy(self) -> None:
        with self._reading:
            node = self._place.node()
        self.app.call_from_thread(self.app.push_screen, CopyDialog(self._place, node, self._file, self._reading))
