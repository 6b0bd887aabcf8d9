"""The contract between the readers and everything above them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from matlens.errors import MatlensError
from matlens.formats.records import (
    Children,
    Elements,
    Headers,
    Int64s,
    OpaqueValue,
    Single,
    Triplets,
    Variable,
)
from matlens.limits import Limits

if TYPE_CHECKING:
    from matlens.formats.mcos import ObjectTable

__all__ = ["Reader", "WholeArrays"]


class Reader(Protocol):
    """Answers for vectors of stored values.

    Calls cost what they return: `variables` and `headers` read no values, `children`
    only where they stand, `gather` everything it is asked for.
    """

    version: str
    """``"4"``, ``"5"``, ``"7.3"`` or ``"loadmat"``."""
    header: str
    """Descriptive text of the file header, empty where there is none."""
    problems: list[MatlensError]
    """Damage that belongs to no variable."""
    stats: Counter[str]
    """How many elements took which decoding route."""
    limits: Limits
    """What a value may take."""
    most_unshared: int
    """More elements than the file can hold unless values are shared or compressed."""

    def variables(self) -> list[Variable]:
        """The variables at the top of the file, in stored order."""
        ...

    def prefetch(self, elements: Iterable[Elements]) -> None:
        """Prepare to read these next: a hint, which may inflate several variables in threads."""
        ...

    def headers(self, elements: Elements) -> Headers:
        """Class, dims, flags and place of the data of every element; never raises for bad ones."""
        ...

    def children(self, headers: Headers) -> list[Children]:
        """Children of cells, structs, old objects and function handles, grouped by field names."""
        ...

    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        """Values of elements of one class and complexity, one after another, with offsets.

        Numbers have the dtype of their MATLAB class, or with `as_stored` the narrower
        one of the file; logicals are bool; chars are UTF-16 code units (or uint32 code
        points). Each element's values are in column-major order.
        """
        ...

    def single(self, segment: int, position: int, *, as_stored: bool = False) -> Single | None:
        """One value, quicker than as a batch of one; None where only a batch will do."""
        ...

    def storage(self, headers: Headers) -> dict[str, Any]:
        """How the only element of `headers` is stored, in the words of the format; for people, without its values."""
        ...

    def window_step(self, headers: Headers, axis: int) -> int:
        """Length of stored blocks of the only array of `headers` along a dimension: what `window` reads best."""
        ...

    def window(self, headers: Headers, axis: int, start: int, stop: int) -> NDArray[Any] | None:
        """Values of the only array of `headers` whose index along `axis` is in a range, with their dims.

        None where `gather` costs no more, because the whole array is at hand.
        """
        ...

    def triplets(self, headers: Headers) -> Triplets:
        """Non-zeros of sparse matrices of one complexity."""
        ...

    def objects(self) -> ObjectTable | None:
        """The objects of the file, None where there are none; raises if their metadata are damaged."""
        ...

    @property
    def may_hold_objects(self) -> bool:
        """Whether values may be parts of objects; says nothing that costs time."""
        ...

    def opaque(self, headers: Headers, i: int) -> OpaqueValue:
        """What is stored for the object at index `i`."""
        ...

    def close(self) -> None:
        """Release the file. Reading afterwards fails."""
        ...


class WholeArrays:
    """The part of a `Reader` that has all of an array at hand, or none of it, and no objects."""

    most_unshared = 1 << 62

    @property
    def may_hold_objects(self) -> bool:
        return False

    def objects(self) -> ObjectTable | None:
        """None are there."""
        return None

    def window_step(self, headers: Headers, axis: int) -> int:
        return 1

    def window(self, headers: Headers, axis: int, start: int, stop: int) -> None:
        """The caller takes it from all values."""
