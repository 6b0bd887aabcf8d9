"""The screen that shows a value as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widgets import Footer, Static
from textual.worker import get_current_worker

from matlens.escape import safe_text
from matlens.tui.dialogs import Ask
from matlens.tui.image_pane import ImagePane, ImageScreen
from matlens.tui.model.colour_maps import Colour, Colours, bar_text
from matlens.tui.model.pictures import BOX_COLOURS, REGION_COLOURS, brightness, check_boxes, draw_boxes
from matlens.tui.model.stacks import Stack
from matlens.tui.model.thresholds import Found, find
from matlens.tui.model.viewport import Viewport
from matlens.tui.slider import Slider
from matlens.tui.workers import in_thread

Boxes = tuple[NDArray[np.float64], Sequence[Colour]]
"""Corners of boxes, and the colours of their outlines."""
FRAME_SECONDS = 0.15
"""How long a frame stands while a stack plays."""


class PictureScreen(ImageScreen):
    """A matrix as a heat map, or a colour image; boxes over it in one convention after another, or its regions."""

    DEFAULT_CSS = """
    PictureScreen #about { height: auto; max-height: 7; padding: 0 1; }
    PictureScreen #bar { height: 1; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "convention(1)", "Convention"),
        Binding("V", "convention(-1)", "Previous", show=False),
        Binding("x", "boxes", "Boxes on/off"),
        Binding("t", "threshold", "Threshold"),
        Binding("d", "dark", "Above/below", show=False),
        Binding("equals_sign", "number", "Number", show=False),
        Binding("left_square_bracket", "step(-1)", "Frame −", show=False),
        Binding("right_square_bracket", "step(1)", "Frame +", show=False),
        Binding("space", "play", "Play"),
    ]

    def __init__(
        self,
        title: str,
        values: NDArray[np.generic],
        boxes: NDArray[np.float64] | None,
        first: str,
        at: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self._title, self._stack = title, Stack(values)
        self._number = self._stack.number_of(at)
        self._values = self._stack.frame(self._number)
        rows, columns = values.shape[:2]
        self._checks = check_boxes(boxes, rows, columns) if boxes is not None and len(boxes) else []
        names = [check.convention for check in self._checks]
        self._at = names.index(first) if first in names else 0
        self._are_shown = True
        self._regions: Found | None = None
        self._is_below = False
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="about")
        yield ImagePane(self._values)
        yield Static(id="bar")
        yield Footer()

    def on_mount(self) -> None:
        self._show()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that have nothing to act on are not offered."""
        if action in ("play", "step"):
            return self._stack.count > 1
        if action == "colours":
            return not self._stack.is_rgb
        return bool(self._checks) if action in ("convention", "boxes") else True

    def _show(self) -> None:
        kind = "colour image" if self._stack.is_rgb else "heat map from the 1st to the 99th percentile"
        name = safe_text(self._title) + self._stack.index_text(self._number)
        lines = [f"{name}  {'x'.join(map(str, self._values.shape))}  {kind}"]
        if self._stack.count > 1:
            lines.append(f"frame {self._number + 1:,} of {self._stack.count:,}   [ ] step, space plays")
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
        self.query_one(ImagePane).draw_over(lambda colours, view: _outlined(colours, view, boxes))
        self._show_bar()

    @on(ImagePane.Pointed)
    def _show_bar(self) -> None:
        pane, room = self.query_one(ImagePane), max(self.size.width - 2, 10)
        text = pane.pointed_text()
        if not self._stack.is_rgb:
            width = min(room - (len(text) + 3 if text else 0), 60)
            text = f"   {text}" if text else ""
            self.query_one("#bar", Static).update(bar_text(*pane.limits, pane.map_name, width).append(text, "bold"))
        else:
            self.query_one("#bar", Static).update(Text(text, "bold"))

    def on_resize(self) -> None:
        # The bar is as wide as the screen lets it be.
        if self.query(ImagePane):
            self.call_after_refresh(self._show_bar)

    def action_convention(self, by: int) -> None:
        if self._checks:
            self._at = (self._at + by) % len(self._checks)
            self._show()

    def action_boxes(self) -> None:
        self._are_shown = not self._are_shown
        self._show()

    # --- frames --------------------------------------------------------------------

    def action_step(self, by: int) -> None:
        """The next image of a stack, or the one before."""
        if self._stack.count > 1:
            self._number = (self._number + by) % self._stack.count
            self._values = self._stack.frame(self._number)
            self.query_one(ImagePane).show(self._values, keep=True)
            self._show()
            for slider in self.query(Slider):
                self._find(slider.value)

    def action_play(self) -> None:
        """Step by itself, or stop that."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        elif self._stack.count > 1:
            self._timer = self.set_interval(FRAME_SECONDS, self._next)

    def _next(self) -> None:
        if self.is_current and self.is_attached:
            self.action_step(1)

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


def _outlined(colours: Colours, view: Viewport, boxes: list[Boxes]) -> Colours:
    rows, columns = view.extent()
    for corners, palette in boxes:
        colours = draw_boxes(colours, view.corners(corners), rows, columns, palette)
    return colours
