"""What reads runs in a thread, so that keys are answered meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from textual import work
from textual.dom import DOMNode
from textual.notifications import SeverityLevel
from textual.worker import Worker

from matlens.errors import MatlensError
from matlens.tui.model.grids import error_text

P = ParamSpec("P")
W = TypeVar("W", bound=DOMNode)
Method = Callable[Concatenate[W, P], None]


def in_thread(
    group: str, *, exclusive: bool = True, severity: SeverityLevel = "error"
) -> Callable[[Method[W, P]], Callable[Concatenate[W, P], Worker[None]]]:
    """Run a method in a thread of its own, and tell what could not be read; a new one cancels those of its group."""

    def decorated(method: Method[W, P]) -> Any:
        @wraps(method)
        def guarded(self: W, *args: P.args, **options: P.kwargs) -> None:
            try:
                method(self, *args, **options)
            except MatlensError as error:
                self.app.call_from_thread(self.app.notify, error_text(error), severity=severity, markup=False)

        # Without a description, Textual makes one of the `repr` of all arguments: of a file, that reads values.
        return work(thread=True, exclusive=exclusive, group=group, description=group)(guarded)

    return decorated
