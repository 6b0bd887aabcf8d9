"""A reader that answers by asking another one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

from matlens.formats.reader import Method, Reader
from matlens.formats.records import Elements, Variable


def _passed_on(method: Method) -> Method:
    """The method of the other reader that has the same name."""
    name = method.__name__

    def ask(self: WrappedReader, *arguments: Any, **options: Any) -> Any:
        return self._ask(name, *arguments, **options)

    return ask  # type: ignore[return-value]


class WrappedReader(Reader):
    """Passes each method of the contract on to `_ask`, by name; a wrapper overrides those that it answers itself."""

    @abstractmethod
    def _ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        """The answer of the other reader."""

    def _find_variables(self) -> list[Variable]:
        return list(self._ask("variables"))

    def prefetch(self, elements: Iterable[Elements]) -> None:
        self._ask("prefetch", elements)

    headers = _passed_on(Reader.headers)
    children = _passed_on(Reader.children)
    gather = _passed_on(Reader.gather)
    triplets = _passed_on(Reader.triplets)
    window_step = _passed_on(Reader.window_step)
    window = _passed_on(Reader.window)
    storage = _passed_on(Reader.storage)
    objects = _passed_on(Reader.objects)
    opaque = _passed_on(Reader.opaque)
