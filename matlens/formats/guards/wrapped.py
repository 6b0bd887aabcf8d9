"""A reader that answers by asking another one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from matlens.formats.reader import Reader
from matlens.formats.records import Children, Elements, Headers, Int64s, OpaqueValue, Triplets, Variable

if TYPE_CHECKING:
    from matlens.formats.mcos import ObjectTable


class WrappedReader(Reader):
    """Passes each method of the contract on to `_ask`, by name; a wrapper overrides those that it answers itself."""

    @abstractmethod
    def _ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        """The answer of the other reader."""

    def _find_variables(self) -> list[Variable]:
        return list(self._ask("variables"))

    def prefetch(self, elements: Iterable[Elements]) -> None:
        self._ask("prefetch", elements)

    def headers(self, elements: Elements) -> Headers:
        found: Headers = self._ask("headers", elements)
        return found

    def children(self, headers: Headers, *, keep_damage: bool = False) -> list[Children]:
        return list(self._ask("children", headers, keep_damage=keep_damage))

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        found: tuple[NDArray[Any], Int64s] = self._ask("gather", headers, as_stored=as_stored)
        return found

    def triplets(self, headers: Headers) -> Triplets:
        found: Triplets = self._ask("triplets", headers)
        return found

    def window_step(self, headers: Headers, axis: int) -> int:
        return int(self._ask("window_step", headers, axis))

    def window(self, headers: Headers, axis: int, start: int, stop: int) -> NDArray[Any] | None:
        found: NDArray[Any] | None = self._ask("window", headers, axis, start, stop)
        return found

    def storage(self, headers: Headers) -> dict[str, Any]:
        return dict(self._ask("storage", headers))

    def objects(self) -> ObjectTable | None:
        found: ObjectTable | None = self._ask("objects")
        return found

    def opaque(self, headers: Headers, i: int) -> OpaqueValue:
        found: OpaqueValue = self._ask("opaque", headers, i)
        return found
