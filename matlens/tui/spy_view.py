"""The screen that shows where a sparse matrix has entries."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import NDArray
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Static

from matlens.escape import safe_text
from matlens.tui.model.spy import spy_text
from matlens.tui.model.viewport import Viewport


class SpyScreen(Screen[None]):
    """Dots at the entries; with zoom, a part of the matrix."""

    DEFAULT_CSS = """
    SpyScreen #about { height: 1; padding: 0 1; }
    SpyScreen #dots { height: 1fr; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Back"),
        Binding("plus", "magnify(True)", "Zoom", key_display="+"),
        Binding("minus", "magnify(False)", "Zoom out", key_display="-"),
        Binding("0", "fit", "All of it"),
        Binding("up,k", "pan(-1,0)", "Up", show=False),
        Binding("down,j", "pan(1,0)", "Down", show=False),
        Binding("left,h", "pan(0,-1)", "Left", show=False),
        Binding("right,l", "pan(0,1)", "Right", show=False),
    ]

    def __init__(self, title: str, dims: tuple[int, int], rows: NDArray[Any], columns: NDArray[Any]) -> None:
        super().__init__()
        self._title, self._rows, self._columns = title, rows, columns
        self._view = Viewport(*dims)

    def compose(self) -> ComposeResult:
        yield Static(id="about")
        yield Static(id="dots")
        yield Footer()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        if not self.query("#dots"):
            return
        board, view = self.query_one("#dots", Static), self._view
        width, height = max(board.size.width - 2, 1), max(board.size.height - 2, 1)
        view.fit(2 * width, 4 * height)
        (rows, columns), total = view.extent(), view.rows * view.columns
        about = f"{safe_text(self._title)}  {view.rows:,}x{view.columns:,}, {len(self._rows):,} entries"
        about += f", {len(self._rows) / total:.3%}" if total else ""
        if (rows, columns) != (view.rows, view.columns):
            about += f"   rows {view.top + 1:,}-{view.top + rows:,}, columns {view.left + 1:,}-{view.left + columns:,}"
        self.query_one("#about", Static).update(Text(about, no_wrap=True))
        board.update(spy_text(self._rows, self._columns, view, width, height))

    def action_leave(self) -> None:
        """Go back, unless the screen is gone already."""
        if self.is_current and len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def action_magnify(self, is_larger: bool) -> None:
        self._view.magnify(is_larger)
        self._draw()

    def action_fit(self) -> None:
        self._view.zoom = 1
        self._draw()

    def action_pan(self, down: int, right: int) -> None:
        self._view.pan(down, right)
        self._draw()
