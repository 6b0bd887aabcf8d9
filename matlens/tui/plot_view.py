"""The screen that shows columns as a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Label, SelectionList, Static
from textual.widgets.selection_list import Selection
from textual.worker import get_current_worker

from matlens.escape import safe_text
from matlens.tui.dialogs import Choose, Dialog
from matlens.tui.model.axes import Axis, axis_of
from matlens.tui.model.plot_columns import PARTS, OneColumn, PlotColumns, Series, nearest, series_of
from matlens.tui.model.plots import COLOURS, chart_text, histogram_text, visible
from matlens.tui.model.ticks import number_label
from matlens.tui.workers import in_thread

_READ_OUT = 4
"""Series whose values the crosshair tells."""


class PickColumns(Dialog[list[int] | None]):
    """Asks for several columns: Space chooses, Enter plots them."""

    DEFAULT_CSS = "PickColumns SelectionList { height: auto; max-height: 16; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "done", "Plot", priority=True)]

    def __init__(self, labels: Sequence[str], chosen: Sequence[int]) -> None:
        super().__init__()
        self._labels, self._chosen = labels, chosen

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(Text("Columns to plot: Space chooses, Enter plots"))
            yield SelectionList(*(Selection(Text(label), k, k in self._chosen) for k, label in enumerate(self._labels)))

    def action_done(self) -> None:
        self.dismiss(sorted(self.query_one(SelectionList).selected))


@dataclass(slots=True)
class PlotState:
    """What is plotted, and how."""

    columns: tuple[int, ...]
    x: int | None = None
    group: int | None = None
    part: str = "real"
    is_histogram: bool = False
    is_scatter: bool = False
    is_log_x: bool = False
    is_log_y: bool = False
    axis: Axis | None = None
    """The part of the abscissa that is looked at; None for all of it."""
    cross: float | None = None


class _Drawn(NamedTuple):
    text: Text
    legend: Text
    told: str
    axis: Axis | None


class _Plot(Widget):
    """The drawing, which a worker makes."""

    DEFAULT_CSS = "_Plot { height: 1fr; padding: 0 1; }"

    def __init__(self) -> None:
        super().__init__()
        self._text = Text("drawing …", "dim")

    def render(self) -> Text:
        return self._text

    def show(self, text: Text) -> None:
        self._text = text
        self.refresh()


class PlotScreen(Screen[None]):
    """Columns as lines, points or histograms."""

    DEFAULT_CSS = "PlotScreen #about { height: auto; max-height: 4; padding: 0 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "leave", "Back"),
        Binding("h", "histogram", "Histogram"),
        Binding("c", "columns", "Columns"),
        Binding("x", "abscissa", "X axis"),
        Binding("g", "group", "Groups"),
        Binding("s", "scatter", "Points"),
        Binding("m", "part", "Part"),
        Binding("y", "log_y", "Log Y"),
        Binding("X", "log_x", "Log X", show=False),
        Binding("plus", "zoom(0.5)", "Zoom", key_display="+"),
        Binding("minus", "zoom(2)", "Zoom out", show=False),
        Binding("0", "all", "All of it", show=False),
        Binding("left", "cross(-1)", "Crosshair left", show=False),
        Binding("right", "cross(1)", "Crosshair right", show=False),
        Binding("shift+left", "cross(-10)", "Left by ten", show=False),
        Binding("shift+right", "cross(10)", "Right by ten", show=False),
        Binding("left_square_bracket", "move(-0.25)", "Part to the left", show=False),
        Binding("right_square_bracket", "move(0.25)", "Part to the right", show=False),
    ]

    def __init__(self, title: str, columns: PlotColumns, first: int) -> None:
        super().__init__()
        self._title, self._columns = title, columns
        self._state = PlotState((first,))
        self._whole: Axis | None = None
        self._series: tuple[object, list[Series]] | None = None
        values = columns.values(first)
        self._count, self._missing = len(values), len(values) - int(np.isfinite(values).sum())
        self._is_complex = values.dtype.kind == "c"

    def compose(self) -> ComposeResult:
        yield Static(id="about")
        yield _Plot()
        yield Footer()

    def on_resize(self) -> None:
        self._draw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that have nothing to act on are not offered."""
        if action in ("columns", "abscissa", "group"):
            return len(self._columns) > 1
        return self._is_complex if action == "part" else True

    def action_leave(self) -> None:
        """Go back, unless the screen is gone already."""
        if self.is_current and len(self.app.screen_stack) > 1:
            self.app.pop_screen()

    # --- drawing -------------------------------------------------------------------

    def _draw(self) -> None:
        for plot in self.query(_Plot):
            self._compute(max(plot.size.width - 2, 20), max(plot.size.height - 1, 4))

    @in_thread("plot")
    def _compute(self, width: int, height: int) -> None:
        worker, state = get_current_worker(), replace(self._state)
        drawn = self._drawn(state, width, height)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._show, drawn)

    def _drawn(self, state: PlotState, width: int, height: int) -> _Drawn:
        key = state.columns, state.x, state.group, state.part
        known = self._series
        if known is None or known[0] != key:
            self._series = known = key, series_of(self._columns, *key)
        series = known[1]
        legend = Text("  ").join(Text(f"● {each.name}", COLOURS[each.colour % len(COLOURS)]) for each in series[:20])
        if state.is_histogram:
            whole = axis_of([each.y for each in series], state.is_log_y)
            if state.axis is not None:
                inside = (state.axis.low, state.axis.high)
                series = [_cut(each, *inside) for each in series]
            text, told = histogram_text(series, width, height, cross=state.cross, is_log=state.is_log_y)
            return _Drawn(text, legend, told, whole)
        whole = axis_of([each.x for each in series], state.is_log_x)
        x = state.axis or whole
        y = None if x is None else axis_of(visible(series, x), state.is_log_y)
        if x is None or y is None:
            kind = "positive" if state.is_log_x or state.is_log_y else "finite"
            return _Drawn(Text(f"no {kind} numbers here", "dim"), legend, "", whole)
        text = chart_text(series, x, y, width, height, is_scatter=state.is_scatter, cross=state.cross)
        found = nearest(series, state.cross)[:_READ_OUT] if state.cross is not None else []
        told = "  ".join(f"{name} ({number_label(at)}, {number_label(value)})" for name, at, value in found)
        return _Drawn(text, legend, told, whole)

    def _show(self, drawn: _Drawn) -> None:
        if not self.query(_Plot):
            return
        self._whole = drawn.axis
        state = self._state
        gaps = f", {self._missing:,} NaN or infinite" if self._missing else ""
        title = self._title
        if len(state.columns) == 1 and not isinstance(self._columns, OneColumn):
            title += f", column {self._columns.label(state.columns[0])}"
        lines = [Text(f"{safe_text(title)}  {self._count:,} values{gaps}{self._told_state()}", no_wrap=True)]
        if len(state.columns) > 1 or state.group is not None:
            lines.append(drawn.legend)
        if drawn.told:
            lines.append(Text(drawn.told, "bold", no_wrap=True))
        self.query_one("#about", Static).update(Text("\n").join(lines))
        self.query_one(_Plot).show(drawn.text)

    def _told_state(self) -> str:
        state = self._state
        told = [f"{state.part} part" if state.part in ("real", "imag") else state.part] if self._is_complex else []
        told += [f"x: {self._columns.label(state.x)}"] if state.x is not None else []
        told += [f"groups: {self._columns.label(state.group)}"] if state.group is not None else []
        told += ["log x"] if state.is_log_x else []
        told += ["log y"] if state.is_log_y else []
        return "".join(f"  {part}" for part in told)

    # --- what is plotted -----------------------------------------------------------

    def action_histogram(self) -> None:
        """From the line to the histogram, and back."""
        self._state.is_histogram = not self._state.is_histogram
        self.action_all()

    def action_scatter(self) -> None:
        self._state.is_scatter = not self._state.is_scatter
        self._draw()

    def action_log_y(self) -> None:
        self._state.is_log_y = not self._state.is_log_y
        if self._state.is_histogram:
            self._state.axis = None
        self._draw()

    def action_log_x(self) -> None:
        self._state.is_log_x = not self._state.is_log_x
        self.action_all()

    def action_part(self) -> None:
        """The next part of complex numbers."""
        names = list(PARTS)
        self._state.part = names[(names.index(self._state.part) + 1) % len(names)]
        self.action_all()

    def action_columns(self) -> None:
        def chosen(columns: list[int] | None) -> None:
            if columns:
                self._take(columns)

        self.app.push_screen(PickColumns(self._columns.labels, self._state.columns), chosen)

    @in_thread("choose", severity="warning")
    def _take(self, columns: list[int]) -> None:
        fit = [k for k in columns if self._columns.holds_numbers(k)]
        self.app.call_from_thread(self._taken, fit, len(columns) - len(fit))

    def _taken(self, columns: list[int], left_out: int) -> None:
        if left_out:
            self.app.notify(f"{left_out} without numbers: left out", severity="warning")
        if columns:
            self._state.columns = tuple(columns)
            values = self._columns.values(columns[0])
            self._count, self._missing = len(values), len(values) - int(np.isfinite(values).sum())
            self._is_complex = any(self._columns.values(k).dtype.kind == "c" for k in columns)
            self.refresh_bindings()
            self.action_all()

    def action_abscissa(self) -> None:
        """Choose the column that points lie over."""

        def chosen(answer: int | None) -> None:
            if answer is not None:
                self._take_abscissa(answer - 1 if answer else None)

        self.app.push_screen(Choose("Abscissa", ["number of the row", *self._columns.labels]), chosen)

    @in_thread("choose", severity="warning")
    def _take_abscissa(self, column: int | None) -> None:
        if column is not None and not self._columns.holds_numbers(column):
            self.app.call_from_thread(self.app.notify, "only numbers can be an abscissa", severity="warning")
            return
        self._state.x = column
        self.app.call_from_thread(self.action_all)

    def action_group(self) -> None:
        """Choose the column that gives points their colours, and histograms their parts."""

        def chosen(answer: int | None) -> None:
            if answer is not None:
                self._state.group = answer - 1 if answer else None
                self.action_all()

        self.app.push_screen(Choose("Groups by the values of", ["no groups", *self._columns.labels]), chosen)

    # --- looking closer ------------------------------------------------------------

    def action_all(self) -> None:
        """All of the abscissa, without the crosshair."""
        self._state.axis = self._state.cross = None
        self._draw()

    def action_zoom(self, factor: float) -> None:
        whole, state = self._whole, self._state
        if whole is None:
            return
        axis = state.axis or whole
        middle = axis.value_at(0.5) if state.cross is None else state.cross
        zoomed = axis.zoomed(factor, middle)
        is_all = zoomed.low <= whole.low and zoomed.high >= whole.high
        state.axis = None if is_all else zoomed
        self._draw()

    def action_move(self, share: float) -> None:
        state = self._state
        if self._whole is not None and state.axis is not None:
            moved = state.axis.moved(share)
            if moved.high > self._whole.low and moved.low < self._whole.high:
                state.axis = moved
                self._draw()

    def action_cross(self, by: int) -> None:
        """Move the crosshair by a hundredth of what is shown."""
        state, axis = self._state, self._state.axis or self._whole
        if axis is None:
            return
        at = 0.5 if state.cross is None else float(axis.places(np.array([state.cross]))[0]) + by / 100
        at = min(max(at, 0.0), 1.0) if np.isfinite(at) else 0.5
        state.cross = axis.value_at(at)
        self._draw()


def _cut(series: Series, low: float, high: float) -> Series:
    inside = (series.y >= low) & (series.y <= high)
    return Series(series.name, series.x[inside], series.y[inside], series.colour)
