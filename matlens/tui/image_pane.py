"""Half-blocks of an image with zoom and a cursor, and what screens of images have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import groupby, repeat
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget
from textual.worker import get_current_worker

from matlens.tui.model.colour_maps import MAPS, Colour, Colours, limits_of, map_colours
from matlens.tui.model.marks import Caption
from matlens.tui.model.pictures import rgb_colours, value_text
from matlens.tui.model.viewport import Viewport
from matlens.tui.real_pixels import show_pixels
from matlens.tui.workers import in_thread

Overlay = Callable[[Colours, Viewport], Colours]
"""Draws over the pixels of the part that is shown."""
AT_ONCE = 1 << 21
"""Numbers that are averaged while the keys wait; more are in a thread."""


class ImagePane(Widget):
    """Half-blocks of an image, fitted to the room that there is or magnified."""

    DEFAULT_CSS = "ImagePane { height: 1fr; }"

    class Pointed(Message):
        """The cursor is at another place."""

    def __init__(self, values: NDArray[np.generic]) -> None:
        super().__init__()
        self.view = Viewport(values.shape[0], values.shape[1])
        self.map_name = "viridis"
        self.cursor: tuple[int, int] | None = None
        self.captions: list[Caption] = []
        self._overlay: Overlay | None = None
        self._pixels: NDArray[np.float64] | None = None
        self._colours: Colours | None = None
        self._set(values)

    def _set(self, values: NDArray[np.generic]) -> None:
        self._values = values
        self.limits = limits_of(values) if values.ndim == 2 else (0.0, 1.0)
        self._pixels = None

    @property
    def is_drawn(self) -> bool:
        """Whether there are pixels to show yet."""
        return self._pixels is not None

    @property
    def values(self) -> NDArray[np.generic]:
        return self._values

    def show(self, values: NDArray[np.generic], *, keep: bool = False) -> None:
        """Show another image; with `keep`, the same part of it."""
        if not keep or values.shape[:2] != self._values.shape[:2]:
            self.view = Viewport(values.shape[0], values.shape[1], self.view.width, self.view.height)
            self.cursor = None
        self._set(values)
        self.redraw()

    def draw_over(self, overlay: Overlay | None) -> None:
        self._overlay, self._colours = overlay, None
        self.refresh()

    def redraw(self) -> None:
        """Average anew, in a thread if that takes long."""
        self._colours = None
        rows, columns = self.view.extent()
        if rows * columns > AT_ONCE:
            self._average()
        else:
            self._pixels = self.view.average(self._values)
        self.refresh()

    @in_thread("average")
    def _average(self) -> None:
        worker, view, values = get_current_worker(), self.view, self._values
        pixels = view.average(values)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._averaged, pixels)

    def _averaged(self, pixels: NDArray[np.float64]) -> None:
        self._pixels, self._colours = pixels, None
        self.refresh()

    def recolour(self, map_name: str) -> None:
        self.map_name, self._colours = map_name, None
        self.refresh()

    def on_resize(self) -> None:
        self.view.fit(self.size.width, 2 * self.size.height)
        self.redraw()

    def drawn(self) -> Colours:
        """The colours of the pixels, without the cursor."""
        if self._colours is None:
            if self._pixels is None:
                return np.zeros((0, 0, 3), np.uint8)
            self._colours = self._coloured(self._pixels, self.view)
        return self._colours

    def _coloured(self, pixels: NDArray[np.float64], view: Viewport) -> Colours:
        if self._values.ndim == 3:
            # Back to the type of the image, which says what white is.
            kind = self._values.dtype
            pixels = pixels.round() if kind.kind in "biu" else pixels
            colours = rgb_colours(np.nan_to_num(pixels).astype(kind))
        else:
            colours = map_colours(pixels, *self.limits, self.map_name)
        return self._overlay(colours, view) if self._overlay else colours

    def drawn_at(self, width: int, height: int) -> Colours:
        """What is shown, in a room of so many pixels."""
        shown = self.view
        view = Viewport(shown.rows, shown.columns, width, height, shown.zoom, shown.top, shown.left)
        view.move(0, 0)
        captions = self.captions
        colours = self._coloured(view.average(self._values), view)
        # Those of the overlay are for the other size.
        self.captions = captions
        return colours

    def render_line(self, y: int) -> Strip:
        colours, base = self.drawn(), self.rich_style
        if 2 * y >= len(colours):
            return Strip.blank(self.size.width, base)
        rows = [list(map(tuple, row)) for row in colours[2 * y : 2 * y + 2].tolist()]
        self._mark_cursor(rows, 2 * y)
        # Of two rows of pixels, the upper is the foreground of a character and the lower its background.
        lower = rows[1] if len(rows) > 1 else repeat(None)
        cells = [("▀", *pair) for pair in zip(rows[0], lower, strict=False)]
        for caption in self.captions:
            if caption.y // 2 == y:
                place = slice(caption.x, caption.x + len(caption.text[: len(cells) - caption.x]))
                letters = caption.text[: len(cells[place])]
                cells[place] = [(_narrow(letter), (0, 0, 0), caption.colour) for letter in letters]
        runs = [(key, len(list(run))) for key, run in groupby(cells)]
        segments = [Segment(letter * count, _style(*pair)) for (letter, *pair), count in runs]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def _mark_cursor(self, rows: list[list[tuple[int, ...]]], first: int) -> None:
        pixels = self.view.pixels_of(*self.cursor) if self.cursor else None
        if pixels is None:
            return
        for k, row in enumerate(rows):
            if pixels[0] <= first + k < pixels[1]:
                for x in range(pixels[2], min(pixels[3], len(row))):
                    row[x] = (0, 0, 0) if sum(row[x]) > 382 else (255, 255, 255)

    # --- the cursor ----------------------------------------------------------------

    def point(self, down: int, right: int) -> None:
        """Move the cursor by pixels of the screen, or of the image where those are larger."""
        (rows, columns), (height, width) = self.view.extent(), self.view.drawn()
        if self.cursor is None:
            place = self.view.top + rows // 2, self.view.left + columns // 2
        else:
            step = max(rows // max(height, 1), 1), max(columns // max(width, 1), 1)
            place = self.cursor[0] + down * step[0], self.cursor[1] + right * step[1]
        row, column = min(max(place[0], 0), self.view.rows - 1), min(max(place[1], 0), self.view.columns - 1)
        self._go_to(row, column)

    def _go_to(self, row: int, column: int) -> None:
        self.cursor = row, column
        before = self.view.top, self.view.left
        self.view.follow(row, column)
        if before != (self.view.top, self.view.left):
            self.redraw()
        self.refresh()
        self.post_message(self.Pointed())

    def on_click(self, event: events.Click) -> None:
        place = self.view.place_at(2 * event.y, event.x)
        if place is not None:
            self._go_to(*place)

    def pointed_text(self) -> str:
        """Where the cursor is, as MATLAB counts, and the value there."""
        if self.cursor is None:
            return ""
        row, column = self.cursor
        return f"({row + 1}, {column + 1}) = {value_text(self._values[row, column])}"


def _narrow(letter: str) -> str:
    """A letter that is as wide as a pixel."""
    return letter if cell_len(letter) == 1 else "?"


@lru_cache(1 << 14)
def _style(top: Colour, below: Colour | None) -> Style:
    return Style(color=Color.from_rgb(*top), bgcolor=Color.from_rgb(*below) if below else None)


class ImageScreen(Screen[None]):
    """A screen with one image on it, and the keys that look closer."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Back"),
        Binding("plus", "magnify(True)", "Zoom", key_display="+"),
        Binding("minus", "magnify(False)", "Zoom out", show=False),
        Binding("0", "fit", "All of it", show=False),
        Binding("up", "point(-1,0)", "Cursor up", show=False),
        Binding("down", "point(1,0)", "Cursor down", show=False),
        Binding("left", "point(0,-1)", "Cursor left", show=False),
        Binding("right", "point(0,1)", "Cursor right", show=False),
        Binding("k", "pan(-1,0)", "Pan up", show=False),
        Binding("j", "pan(1,0)", "Pan down", show=False),
        Binding("h", "pan(0,-1)", "Pan left", show=False),
        Binding("l", "pan(0,1)", "Pan right", show=False),
        Binding("c", "colours", "Colours"),
        Binding("P", "pixels", "Pixels of the terminal", show=False),
    ]

    @property
    def pane(self) -> ImagePane | None:
        """The image; None while there is none yet."""
        return next(iter(self.query(ImagePane)), None)

    def action_leave(self) -> None:
        """Go back, unless the screen is gone already."""
        if self.is_current and len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    def action_magnify(self, is_larger: bool) -> None:
        pane = self.pane
        if pane is not None:
            pane.view.magnify(is_larger, pane.cursor)
            pane.redraw()

    def action_fit(self) -> None:
        pane = self.pane
        if pane is not None:
            pane.view.zoom, pane.cursor = 1, None
            pane.view.move(0, 0)
            pane.redraw()
            pane.post_message(ImagePane.Pointed())

    def action_point(self, down: int, right: int) -> None:
        pane = self.pane
        if pane is not None:
            pane.point(down, right)

    def action_pan(self, down: int, right: int) -> None:
        pane = self.pane
        if pane is not None:
            pane.view.pan(down, right)
            pane.redraw()

    def action_colours(self) -> None:
        """The next colour map."""
        pane = self.pane
        if pane is not None:
            names = list(MAPS)
            pane.recolour(names[(names.index(pane.map_name) + 1) % len(names)])
            pane.post_message(ImagePane.Pointed())

    def action_pixels(self) -> None:
        """The image in the pixels of the terminal, where it shows any."""
        pane = self.pane
        if pane is not None and pane.is_drawn:
            problem = show_pixels(self.app, pane.drawn_at, getattr(self.app, "pixels", "auto"))
            if problem:
                self.app.notify(problem, severity="warning", markup=False)
