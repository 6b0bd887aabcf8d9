"""A slider: a number between two others, moved by keys or by the mouse."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget

_STEPS = 100


class Slider(Widget, can_focus=True):
    """One line with a handle on it, which stops at whole numbers only if `is_whole`."""

    DEFAULT_CSS = """
    Slider { height: 1; padding: 0 1; color: $text-muted; }
    Slider:focus { color: $text-accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", "Lower", show=False),
        Binding("right", "move(1)", "Higher", show=False),
        Binding("shift+left,pagedown", "move(-10)", show=False),
        Binding("shift+right,pageup", "move(10)", show=False),
        Binding("home", "end(False)", show=False),
        Binding("end", "end(True)", show=False),
    ]

    class Changed(Message):
        """The handle has been moved."""

        def __init__(self, value: float) -> None:
            super().__init__()
            self.value = value

    def __init__(self, low: float, high: float, value: float, *, is_whole: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self._low, self._high, self._is_whole = low, high, is_whole
        self.value = self._fitted(value)

    def _fitted(self, value: float) -> float:
        value = min(max(value, self._low), self._high)
        return float(round(value)) if self._is_whole else value

    def go_to(self, value: float) -> None:
        """Move the handle, and say so if it is elsewhere now."""
        value = self._fitted(value)
        if value != self.value:
            self.value = value
            self.refresh()
            self.post_message(self.Changed(value))

    def action_move(self, steps: int) -> None:
        step = (self._high - self._low) / _STEPS
        self.go_to(self.value + steps * (max(1, round(step)) if self._is_whole else step))

    def action_end(self, is_upper: bool) -> None:
        self.go_to(self._high if is_upper else self._low)

    def _labels(self) -> tuple[str, str]:
        return f"{self._low:.6g} ├", f"┤ {self._high:.6g}"

    def _room(self) -> int:
        return max(self.content_size.width - sum(map(len, self._labels())), 2)

    def render(self) -> Text:
        low, high = self._labels()
        room = self._room()
        span = self._high - self._low
        at = round((self.value - self._low) / span * (room - 1)) if span > 0 else 0
        return Text(f"{low}{'━' * at}●{'─' * (room - 1 - at)}{high}", no_wrap=True)

    def _follow(self, x: int) -> None:
        share = (x - 1 - len(self._labels()[0])) / (self._room() - 1)
        self.go_to(self._low + share * (self._high - self._low))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self.capture_mouse()
        self._follow(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if event.button:
            self._follow(event.x)

    def on_mouse_up(self) -> None:
        self.release_mouse()
