"""What reads runs in a thread, so that keys are answered meanwhile; what goes wrong there is told and lived with."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from textual import work
from textual.dom import DOMNode
from textual.notifications import SeverityLevel
from textual.worker import Worker, get_current_worker

from matlens.errors import MatlensError
from matlens.escape import safe_text, shorten
from matlens.tui.model.grids import error_text

P = ParamSpec("P")
W = TypeVar("W", bound=DOMNode)
Method = Callable[Concatenate[W, P], None]
LOG = logging.getLogger("matlens.tui")
"""Faults of the program itself; ``--log`` writes them to a file."""
LONGEST = 300
"""Characters of a fault that are shown."""


def in_thread(
    group: str, *, exclusive: bool = True, severity: SeverityLevel = "error"
) -> Callable[[Method[W, P]], Callable[Concatenate[W, P], Worker[None]]]:
    """Run a method in a thread of its own, and tell what went wrong; a new one cancels those of its group."""

    def decorated(method: Method[W, P]) -> Any:
        @wraps(method)
        def guarded(self: W, *args: P.args, **options: P.kwargs) -> None:
            try:
                method(self, *args, **options)
            except MatlensError as error:
                _tell(self, error_text(error), severity)
            # Textual ends the program at whatever a worker does not catch.
            except Exception as error:
                if get_current_worker().is_cancelled or not self.is_attached:
                    # Its screen was closed meanwhile; nobody waits for the answer.
                    LOG.info("%s: given up", group, exc_info=error)
                    return
                LOG.error("%s: a fault of matlens", group, exc_info=error)
                _tell(self, fault_text(error), "error")

        # Without a description, Textual makes one of the `repr` of all arguments: of a file, that reads values.
        return work(thread=True, exclusive=exclusive, group=group, description=group)(guarded)

    return decorated


def fault_text(error: Exception) -> str:
    """What is shown of an exception that nobody foresaw."""
    told = shorten(safe_text(f"{type(error).__name__}: {error}"), LONGEST)
    return f"a fault of matlens, please report it: {told}; matlens browse --log FILE keeps the details"


def _tell(node: DOMNode, text: str, severity: SeverityLevel) -> None:
    """Show a text, unless the application has ended meanwhile."""
    app = node.app
    if app.is_running:
        app.call_from_thread(app.notify, text, severity=severity, markup=False)
