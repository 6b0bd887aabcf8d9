"""Reading one value at a time, which some readers do quicker than a batch of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from matlens.formats.records import Int64s


@dataclass(slots=True, eq=False)
class Single:
    """One stored value: its numbers or code units, or where its children stand.

    Children come in column-major order, the fields of a record next to each other.
    """

    cls: int
    dims: tuple[int, ...]
    is_logical: bool = False
    values: NDArray[Any] | None = None
    fields: tuple[str, ...] | None = None
    children: Int64s | None = None


class OneByOne(ABC):
    """What a `Reader` offers beside the contract where few values are read quicker one by one."""

    @abstractmethod
    def single(self, segment: int, position: int, *, as_stored: bool = False) -> Single | None:
        """The value at a position; None where only a batch will do. Raises as `Reader.gather` does.

        It does not look whether the file was changed: who reads many values calls `Reader.check` before them.
        """
