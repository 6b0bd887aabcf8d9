"""Values made last, for any thread."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """Values by key, of which the last `most` are kept. Threads that miss one at once may both make it.

    Examples
    --------
    >>> squares = Recent(lambda n: n * n, most=2)
    >>> [squares.get(n) for n in (1, 2, 3, 3)], len(squares)
    ([1, 4, 9, 9], 2)
    """

    def __init__(self, make: Callable[[Key], Value], most: int) -> None:
        self._make, self._most = make, most
        self._kept: dict[Key, Value] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> Value:
        """The value of `key`, made if it is not kept."""
        found = self._kept.get(key)
        if found is None:
            found = self._make(key)
            with self._lock:
                self._kept[key] = found
                if len(self._kept) > self._most:
                    del self._kept[next(iter(self._kept))]
        return found

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
