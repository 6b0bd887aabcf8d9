"""The contract between the readers and everything above them.

A reader derives from `Reader` and says how its `variables`, `headers`, `children` and `gather` are read; everything
else has a default. Any thread may call any method at any time: a reader keeps nothing of what was asked last, and
what it remembers is found by its key and changed under `Reader._lock`.

Nothing but `MatlensError` leaves a method of the contract. What a parser did not foresee becomes a `Defect`, which is a
`CorruptFile`, in `damage_of` alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from functools import wraps
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile, FileClosed, LimitExceeded, MatlensError, UnsupportedValue
from matlens.formats.records import Children, Elements, Headers, Int64s, OpaqueValue, Triplets, Variable
from matlens.limits import Limits

if TYPE_CHECKING:
    from matlens.formats.mcos import ObjectTable

Method = TypeVar("Method", bound=Callable[..., Any])

defects: list[Callable[[Exception], None]] = []
"""Called with each exception that no parser foresaw: the tests fail by them."""


class Defect(CorruptFile):
    """Bytes that a parser fell over without telling why: the file may be damaged, but the parser surely is at fault."""


def damage_of(error: Exception, limits: Limits) -> MatlensError:
    """What is told of an exception: the one place where those that no parser foresaw become damage."""
    if isinstance(error, MatlensError):
        return error
    if isinstance(error, MemoryError):
        return LimitExceeded.of(limits, "memory", "reading takes too much memory")
    if isinstance(error.__context__, KeyboardInterrupt | SystemExit):
        # A lock that an interruption leaves half taken raises an error of its own.
        raise error.__context__
    for told in defects:
        told(error)
    return Defect(f"not readable: {type(error).__name__}: {error}")


class Watched(Protocol):
    """Where the bytes of a reader come from."""

    def check(self) -> None:
        """Raise `FileChanged` if they are not what they were."""
        ...


def _guarded(method: Method) -> Method:
    """A method of the contract that raises nothing but `MatlensError`."""

    @wraps(method)
    def guarded(self: Reader, *arguments: Any, **options: Any) -> Any:
        self.check()
        try:
            return method(self, *arguments, **options)
        except Exception as error:
            found = self.damage(error)
            if found is error:
                raise
            raise found from error

    return guarded  # type: ignore[return-value]


def _guarded_headers(method: Callable[[Reader, Elements], Headers]) -> Callable[[Reader, Elements], Headers]:
    """`headers` that give errors no parser foresaw to the elements at fault, and not to all of them."""

    @wraps(method)
    def guarded(self: Reader, elements: Elements) -> Headers:
        self.check()
        try:
            return method(self, elements)
        except MatlensError as error:
            raise self.damage(error) from error.__cause__
        except Exception as error:  # noqa: BLE001 - this is the boundary
            headers = Headers.empty(elements)
            if len(elements) < 2:
                headers.ok[:] = False
                headers.errors.update(dict.fromkeys(range(len(elements)), self.damage(error)))
                return headers
        for index in np.array_split(np.arange(len(elements)), 2):
            headers = headers.put(index, guarded(self, elements.take(index)))
        return headers

    return guarded


class Reader(ABC):
    """Answers for vectors of stored values.

    Calls cost what they return: `variables` and `headers` read no values, `children` only where they stand, `gather`
    everything it is asked for. Each raises `FileClosed` after `close`, `FileChanged` where the file was written
    meanwhile, and `MatlensError` alone.

    `problems` are damage that belongs to no variable; `stats` counts how many elements took which decoding route, and
    as ``stats["defect"]`` what no parser foresaw.
    """

    header: str = ""
    """Descriptive text of the file header."""
    most_unshared: int = 1 << 62
    """More elements than the file can hold unless values are shared or compressed."""
    source: Watched | None = None
    knows_objects = False
    """Whether it looks for the data of objects: what SciPy has loaded does not have them."""
    subsystem: Elements | None = None
    """Where the data of all objects stand, if they are a variable without a name."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.problems: list[MatlensError] = []
        self.stats: Counter[str] = Counter()
        self._lock = RLock()
        self._variables: list[Variable] | None = None
        self._is_closed = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in CONTRACT & vars(cls).keys():
            guard: Any = _guarded_headers if name == "headers" else _guarded
            setattr(cls, name, guard(vars(cls)[name]))

    # --- life ----------------------------------------------------------------------

    @property
    @abstractmethod
    def version(self) -> str:
        """``"v4"``, ``"v6"``, ``"v7"``, ``"v7.3"`` or ``"loadmat"``; may look for the variables."""

    @property
    def closed(self) -> bool:
        """Whether the file has been released."""
        return self._is_closed

    def close(self) -> None:
        """Release the file; does nothing the second time. Whoever reads in another thread gets `FileClosed`."""
        if not self._is_closed:
            self._is_closed = True
            self._release()

    def _release(self) -> None:
        """Let go of the file."""
        return

    def check(self) -> None:
        """Raise `FileClosed` or `FileChanged`: costs a look at its size and time; all other methods call it."""
        if self._is_closed:
            raise FileClosed("the file is closed")
        if self.source is not None:
            self.source.check()

    def damage(self, error: Exception) -> MatlensError:
        """What the contract tells of an exception, which after `close` is `FileClosed`."""
        if self.closed and not isinstance(error, FileClosed):
            return FileClosed("the file was closed while it was read")
        found = damage_of(error, self.limits)
        self.stats["defect"] += isinstance(found, Defect)
        return found

    # --- what there is -------------------------------------------------------------

    def variables(self) -> list[Variable]:
        """The variables at the top of the file, in stored order; they are looked for once.

        What is wrong with one of them stands in its headers, other damage in `problems`.
        """
        with self._lock:
            if self._variables is None:
                self._variables = self._find_variables()
            return self._variables

    @abstractmethod
    def _find_variables(self) -> list[Variable]:
        """The variables, for `variables` to remember."""

    def prefetch(self, elements: Iterable[Elements]) -> None:
        """Prepare to read these next: a hint, which may inflate several variables in threads, and raises nothing."""
        return

    @abstractmethod
    def headers(self, elements: Elements) -> Headers:
        """Class, dims, flags and place of the data of every element.

        It costs some hundred bytes of reading for each. Bad elements raise nothing: ``Headers.ok`` is false there, and
        ``Headers.errors`` tells why.
        """

    def _fill_each(self, headers: Headers, fill: Callable[[int], None]) -> Headers:
        """Headers filled in one by one, with the errors of those that cannot be."""
        for i in range(len(headers)):
            try:
                fill(i)
            except Exception as error:  # noqa: BLE001 - `damage` tells them apart
                headers.ok[i], headers.errors[i] = False, self.damage(error)
        return headers

    @abstractmethod
    def children(self, headers: Headers, *, keep_damage: bool = False) -> list[Children]:
        """Children of cells, structs, old objects and function handles, grouped by field names.

        Where damage hides all children behind it, `keep_damage` gives those before it, and for the others positions
        at which nothing stands. `LimitExceeded` tells of too many fields, or structs without fields.
        """

    # --- values --------------------------------------------------------------------

    @abstractmethod
    def gather(self, headers: Headers, *, as_stored: bool = False) -> tuple[NDArray[Any], Int64s]:
        """Values of elements of one class and complexity, one after another, with offsets.

        Numbers have the dtype of their MATLAB class, or with `as_stored` the narrower
        one of the file; logicals are bool; chars are UTF-16 code units (or uint32 code
        points). Each element's values are in column-major order. It raises if those of any element cannot be read.
        """

    def triplets(self, headers: Headers) -> Triplets:
        """Non-zeros of sparse matrices of one complexity; raises as `gather` does."""
        raise UnsupportedValue(f"no sparse matrices in files of {self.version}")

    def window_step(self, headers: Headers, axis: int) -> int:
        """Length of stored blocks of the only array of `headers` along a dimension: what `window` reads best."""
        return 1

    def window(self, headers: Headers, axis: int, start: int, stop: int) -> NDArray[Any] | None:
        """Values of the only array of `headers` whose index along `axis` is in a range, with their dims.

        None where `gather` costs no more, because the whole array is at hand. Raises as `gather` does.
        """
        return None

    def storage(self, headers: Headers) -> dict[str, Any]:
        """How the only element of `headers` is stored, in the words of the format; for people, without its values."""
        return {}

    # --- objects -------------------------------------------------------------------

    @property
    def may_hold_objects(self) -> bool:
        """Whether values may be parts of objects; says nothing that costs time."""
        return False

    def objects(self) -> ObjectTable | None:
        """The objects of the file, None where there are none; they are looked for once."""
        return None

    def opaque(self, headers: Headers, i: int) -> OpaqueValue:
        """What is stored for the object at index `i`; raises as `gather` does."""
        raise UnsupportedValue(f"no objects in files of {self.version}")


CONTRACT = frozenset(name for name, value in vars(Reader).items() if callable(value) and not name.startswith("_")) - {
    "close",
    "check",
    "damage",
}
"""The methods that readers implement, each guarded in every reader."""
for _name in CONTRACT - Reader.__abstractmethods__:
    setattr(Reader, _name, _guarded(vars(Reader)[_name]))
