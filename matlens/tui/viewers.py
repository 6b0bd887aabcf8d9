"""Screens that show a value as a picture or as a plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby, repeat
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Footer, Static
from textual.worker import get_current_worker

from matlens.escape import safe_text
from matlens.tui.dialogs import Ask
from matlens.tui.model.pictures import (
    BOX_COLOURS,
    REGION_COLOURS,
    Colour,
    Colours,
    brightness,
    check_boxes,
    draw_boxes,
    heat_colours,
    is_rgb,
    rgb_colours,
    sample,
)
from matlens.tui.model.plots import histogram_text, plot_text
from matlens.tui.model.thresholds import Found, find
from matlens.tui.slider import Slider
from matlens.tui.workers import in_thread

Boxes = tuple[NDArray[np.float64], Sequence[Colour]]
"""Corners of boxes, and the colours of their outlines."""
_LEAVE: list[BindingType] = [Binding("escape,q", "app.pop_screen", "Back")]


class _Picture(Widget):
    """Half-blocks of an image, fitted to the room that there is."""

    DEFAULT_CSS = "_Picture { height: 1fr; }"

    def __init__(self, values: NDArray[np.generic]) -> None:
        super().__init__()
        self._values = values
        self._boxes: list[Boxes] = []
        self._colours: Colours | None = None

    def show_boxes(self, boxes: list[Boxes]) -> None:
        self._boxes, self._colours = boxes, None
        self.refresh()

    def on_resize(self) -> None:
        self._colours = None

    def _drawn(self) -> Colours:
        if self._colours is None:
            rows, columns = self._values.shape[:2]
            places = sample(rows, columns, self.size.width, 2 * self.size.height)
            part = self._values[np.ix_(*places)]
            colours = rgb_colours(part) if part.ndim == 3 else heat_colours(part.astype(np.float64))
            for corners, palette in self._boxes:
                colours = draw_boxes(colours, corners, rows, columns, palette)
            self._colours = colours
        return self._colours

    def render_line(self, y: int) -> Strip:
        colours, base = self._drawn(), self.rich_style
        if 2 * y >= len(colours):
            return Strip.blank(self.size.width, base)
        # Of two rows of pixels, the upper is the foreground of a character and the lower its background.
        upper = map(tuple, colours[2 * y].tolist())
        lower = map(tuple, colours[2 * y + 1].tolist()) if 2 * y + 1 < len(colours) else repeat(None)
        segments = [
            Segment("▀" * len(list(run)), _style(*pair)) for pair, run in groupby(zip(upper, lower, strict=False))
        ]
        return Strip(segments).adjust_cell_length(self.size.width, base)


@lru_cache(1 << 14)
def _style(top: Colour, below: Colour | None) -> Style:
    return Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*below) if below else None)


class PictureScreen(Screen[None]):
    """A matrix as a heat map, or a colour image; boxes over it in one convention after another, or its regions."""

    DEFAULT_CSS = "PictureScreen #about { height: auto; max-height: 7; padding: 0 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *_LEAVE,
        Binding("v", "convention(1)", "Next convention"),
        Binding("V", "convention(-1)", "Previous", show=False),
        Binding("x", "boxes", "Boxes on/off"),
        Binding("t", "threshold", "Threshold"),
        Binding("d", "dark", "Above/below", show=False),
        Binding("equals_sign", "number", "Number", show=False),
    ]

    def __init__(self, title: str, values: NDArray[np.generic], boxes: NDArray[np.float64] | None, first: str) -> None:
        super().__init__()
        self._title, self._values = title, values
        rows, columns = values.shape[:2]
        self._checks = check_boxes(boxes, rows, columns) if boxes is not None and len(boxes) else []
        names = [check.convention for check in self._checks]
        self._at = names.index(first) if first in names else 0
        self._are_shown = True
        self._regions: Found | None = None
        self._is_below = False

    def compose(self) -> ComposeResult:
        yield Static(id="about")
        yield _Picture(self._values)
        yield Footer()

    def on_mount(self) -> None:
        self._show()

    def _show(self) -> None:
        kind = "colour image" if is_rgb(self._values.shape) else "heat map from the 1st to the 99th percentile"
        lines = [f"{safe_text(self._title)}  {'x'.join(map(str, self._values.shape))}  {kind}"]
        boxes: list[Boxes] = []
        if self._checks and self._are_shown:
            check = self._checks[self._at]
            others = [f"{c.convention} {c.outside}/{c.empty}" for c in self._checks if c is not check]
            lines.append(
                f"{len(check.corners):,} boxes as {check.convention}: {check.outside:,} reach outside of the image, "
                f"{check.empty:,} have no area"
            )
            lines.append("others (outside/no area): " + "  ".join(others))
            boxes.append((check.corners, BOX_COLOURS))
        if self._regions is not None:
            lines.append(self._regions.text())
            boxes.append((self._regions.corners, REGION_COLOURS))
        self.query_one("#about", Static).update(Text("\n".join(lines)))
        self.query_one(_Picture).show_boxes(boxes)

    def action_convention(self, by: int) -> None:
        if self._checks:
            self._at = (self._at + by) % len(self._checks)
            self._show()

    def action_boxes(self) -> None:
        self._are_shown = not self._are_shown
        self._show()

    # --- regions -------------------------------------------------------------------

    def action_threshold(self) -> None:
        """Show the slider and the regions above it, or put them away."""
        for slider in self.query(Slider):
            slider.remove()
            self._regions = None
            self._show()
            return
        self._prepare()

    @in_thread("regions")
    def _prepare(self) -> None:
        image = brightness(self._values)
        finite = image[np.isfinite(image)]
        if finite.size:
            low, high = float(finite.min()), float(finite.max())
            self.app.call_from_thread(self._slide, low, high, image.dtype.kind in "biu")

    def _slide(self, low: float, high: float, is_whole: bool) -> None:
        slider = Slider(low, high, (low + high) / 2, is_whole=is_whole)
        self.mount(slider, before=self.query_one(Footer))
        slider.focus()
        self._find(slider.value)

    @on(Slider.Changed)
    def _moved(self, event: Slider.Changed) -> None:
        self._find(event.value)

    def action_dark(self) -> None:
        """Take the dark places instead of the bright ones."""
        self._is_below = not self._is_below
        for slider in self.query(Slider):
            self._find(slider.value)

    def action_number(self) -> None:
        for slider in self.query(Slider):
            self.app.push_screen(Ask("Threshold", f"{slider.value:.6g}"), self._go_to)

    def _go_to(self, text: str | None) -> None:
        try:
            number = float(text or "nan")
        except ValueError:
            number = float("nan")
        if np.isfinite(number):
            self.query_one(Slider).go_to(number)
        elif text:
            self.app.notify(f"{safe_text(text)!r} is no number", severity="warning", markup=False)

    @in_thread("regions")
    def _find(self, threshold: float) -> None:
        worker = get_current_worker()
        found = find(brightness(self._values), threshold, is_below=self._is_below)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._found, found)

    def _found(self, found: Found) -> None:
        # The slider may have been put away meanwhile.
        if self.query(Slider):
            self._regions = found
            self._show()


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
