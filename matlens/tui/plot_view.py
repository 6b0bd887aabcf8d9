"""The screen that shows columns as a plot."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Static
from textual.worker import get_current_worker

from matlens.escape import safe_text
from matlens.tui.model.plots import histogram_text, plot_text
from matlens.tui.workers import in_thread

_LEAVE: list[BindingType] = [Binding("escape,q", "app.pop_screen", "Back")]


class _Plot(Widget):
    """A series as a line, or the histogram of its values."""

    DEFAULT_CSS = "_Plot { height: 1fr; padding: 0 1; }"

    def __init__(self, values: NDArray[np.float64]) -> None:
        super().__init__()
        self._values = values
        self._text = Text("drawing …", "dim")
        self._is_histogram = False

    def render(self) -> Text:
        return self._text

    def on_resize(self) -> None:
        self._draw()

    def switch(self) -> None:
        """From the line to the histogram, and back."""
        self._is_histogram = not self._is_histogram
        self._draw()

    def _draw(self) -> None:
        width, height = max(self.size.width - 14, 8), max(self.size.height - 1, 2)
        self._compute(histogram_text if self._is_histogram else plot_text, width, height)

    @in_thread("plot")
    def _compute(self, draw: Callable[[NDArray[np.float64], int, int], Text], width: int, height: int) -> None:
        worker, text = get_current_worker(), draw(self._values, width, height)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._show, text)

    def _show(self, text: Text) -> None:
        self._text = text
        self.refresh()


class PlotScreen(Screen[None]):
    """A series as a line plot or a histogram."""

    DEFAULT_CSS = "PlotScreen #about { height: 1; padding: 0 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [*_LEAVE, Binding("h", "histogram", "Histogram")]

    def __init__(self, title: str, values: NDArray[np.float64]) -> None:
        super().__init__()
        self._title, self._values = title, values
        self._missing = len(values) - int(np.isfinite(values).sum())

    def compose(self) -> ComposeResult:
        gaps = f", {self._missing:,} NaN or infinite" if self._missing else ""
        yield Static(Text(f"{safe_text(self._title)}  {len(self._values):,} values{gaps}"), id="about")
        yield _Plot(self._values)
        yield Footer()

    def action_histogram(self) -> None:
        self.query_one(_Plot).switch()
