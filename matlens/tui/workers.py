"""What reads runs in a thread, so that keys are answered meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from textual import work
from textual.dom import DOMNode
from textual.worker import Worker

P = ParamSpec("P")
W = TypeVar("W", bound=DOMNode)
Method = Callable[Concatenate[W, P], None]


def in_thread(
    group: str, *, exclusive: bool = True
) -> Callable[[Method[W, P]], Callable[Concatenate[W, P], Worker[None]]]:
    """Run a method in a thread of its own.

    Parameters
    ----------
    group : str
        Name of the group of workers.
    exclusive : bool, default True
        Whether a new worker cancels those of its group.
    """
    # Without a description, Textual makes one of the `repr` of all arguments: of a file, that reads values.
    decorator: Any = work(thread=True, exclusive=exclusive, group=group, description=group)
    return decorator  # type: ignore[no-any-return]
