"""Records at every depth: what one row of a struct array, or one entry of a cell, has beside it.

A level is a table of Arrow columns of equal length, each made when it is first asked for. Lists of equal counts open
one level below, together and once; its records point to their parents, so that names found above can be carried down.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from matlens.annotations.stored_images import Pictures
from matlens.columns.buffers import NO_FIELDS, is_number, number_array, numbers_of, scalar
from matlens.formats.records import Int64s

BOX_NAME = re.compile(
    r"b(ounding)?_?b(ox)?(es|s)?($|[\d_.])|box(es)?($|[\d_])|(^|_|\.)box|bbx|bndbox|\brects?\b|rectangle|(^|_|\.)roi|"
    r"(^|_|\.)bound(s|ing)?$|(^|_|\.)rects?$|xywh|xyxy|xxyy|yyxx|ltrb|ltwh",
    re.IGNORECASE,
)
"""Names of boxes."""
POINT_NAME = re.compile(
    r"landmark|key_?points?|(^|_|\.)kpts?($|_)|joints?|(^|_|\.)pts($|_)|(^|_|\.)points?$|skeleton|(^|_|\.)pose$|phis|"
    r"face_?shape",
    re.IGNORECASE,
)
"""Names of keypoints."""
POLYGON_NAME = re.compile(
    r"poly(gon|line)?s?($|[\d_.]|gt)|contour|outline|(^|_|\.)bound(ary|aries)|vert(ex|ices|s)?($|_)|"
    r"(^|_|\.)segm(entation|ents?|s)?$|(^|_)rings?$|perimeter|(^|_|\.)quads?$",
    re.IGNORECASE,
)
"""Names of polygons."""
MIN_UNEVEN, MAX_UNEVEN = 3, 0.1
"""Records from which on, and share of them at which, counts may differ by mistake."""
_INDICES = re.compile(r"\([\d,:]+\)|\{[\d,]+\}")
Paths = Callable[[str, Int64s], pa.Array]
"""MATLAB paths, as Arrow strings, of a column's values at some records; of the records themselves for ``""``."""


@dataclass(frozen=True, slots=True)
class Odd:
    """Elements of a column that are left out: how many of how many, which is the first, and what it is.

    `name` is that of the column, at whatever depth of cells it is.
    """

    name: str
    size: int
    count: int
    first: int
    what: str

    def told(self, path: str) -> str:
        """In words, with the path of the first.

        Examples
        --------
        >>> Odd("bbox", 30, 1, 6, "1x5 double").told("s(7).bbox")
        'left out: 1 of 30 that does not fit, 1x5 double at s(7).bbox'
        >>> Odd("bbox", 3000, 20, 6, "1x5 double").told("s(7).bbox")
        'left out: 20 of 3,000 that do not fit, the first is 1x5 double at s(7).bbox'
        """
        fits = "does not fit," if self.count == 1 else "do not fit, the first is"
        return f"left out: {self.count:,} of {self.size:,} that {fits} {self.what} at {path}"


class Columns(Mapping[str, pa.Array]):
    """Columns by name, of which the types are known before any is made; 1x1 structs are opened, ``a`` to ``a.b``.

    Examples
    --------
    >>> columns = Columns({"x": pa.array([1, 2]), "s": pa.array([{"y": 3}, None])})
    >>> list(columns.types), columns["s.y"].to_pylist()
    (['x', 's.y'], [3, None])

    Those that are `turned` are stored with a box in each column; `odd` are elements that were left out, `stored` the
    types before they are opened, `cells` how many of a column's lists are cells.
    """

    def __init__(self, made: Mapping[str, pa.Array] | None = None) -> None:
        self.types: dict[str, pa.DataType] = {}
        self.stored: dict[str, pa.DataType] = {}
        self.turned: set[str] = set()
        self.odd: list[Odd] = []
        self.cells: dict[str, int] = {}
        self._make: dict[str, Callable[[], pa.Array]] = {}
        for name, array in (made or {}).items():
            self.add(name, array.type, partial(_itself, array))

    def add(self, name: str, kind: pa.DataType, make: Callable[[], pa.Array], *, turned: bool = False) -> None:
        """Add a column that `make` makes, or put it in the place of one of that name."""
        made = cache(make)
        self.types.pop(name, None)
        self.stored[name] = kind
        if turned:
            self.turned.add(name)
        if pa.types.is_struct(kind):
            for k, part in enumerate(kind if kind != NO_FIELDS else ()):
                self.add(f"{name}.{part.name}", part.type, partial(_member, made, k))
                del self.stored[f"{name}.{part.name}"]
        else:
            self.types[name], self._make[name] = kind, made

    def __getitem__(self, name: str) -> pa.Array:
        return self._make[name]()

    def __contains__(self, name: object) -> bool:
        return name in self.types

    def __iter__(self) -> Iterator[str]:
        return iter(self.types)

    def __len__(self) -> int:
        return len(self.types)


def _itself(array: pa.Array) -> pa.Array:
    return array


def _member(whole: Callable[[], pa.Array], k: int) -> pa.Array:
    return pc.struct_field(whole(), [k])


@dataclass(slots=True)
class Level:
    """n records: their columns, how their paths are written, and the level above.

    `base` is the path of the struct whose fields the columns are, None where the records are those of an array;
    `convention` that of the boxes, where whoever has stored them is known; `stored` are the lists that it opens,
    `pictures` the images beside the columns; `unfit` tells of arrays that are named as boxes are and are none,
    `uneven` of lists that have as many entries as there are records but for a few. `siblings` are the levels of values
    of other lengths beside these, by length.
    """

    size: int
    columns: Columns
    paths: Paths
    base: str | None = None
    parent: Level | None = None
    parent_index: Int64s = field(default_factory=lambda: np.zeros(0, np.int64))
    convention: str | None = None
    stored: Sequence[str] = ()
    pictures: Sequence[Pictures] = ()
    unfit: Sequence[str] = ()
    uneven: Sequence[str] = ()
    siblings: Mapping[int, Level] = field(default_factory=dict)

    def column(self, name: str) -> pa.Array:
        """A column of this level, or of one above carried down to its records."""
        if name in self.columns or self.parent is None:
            return self.columns[name]
        return self.parent.column(name).take(number_array(self.parent_index))

    def type_of(self, name: str) -> pa.DataType:
        """Arrow type of `column`, which is not made for it."""
        return self.home(name).columns.types[name]

    def home(self, name: str) -> Level:
        """The level, this one or one above, that a column is of."""
        level = self
        while name not in level.columns and level.parent is not None:
            level = level.parent
        return level

    def left_out(self, name: str) -> list[str]:
        """What was left out of a column, at this level or in lists of those above."""
        found, level = list[str](), self
        above = [level]
        while level.parent is not None:
            level = level.parent
            above.append(level)
        for home in above:
            for odd in home.columns.odd:
                if name == odd.name or name.startswith(f"{odd.name}."):
                    at = next((other for other in above if other.size == odd.size), None)
                    paths = None if at is None else at.paths(odd.name, np.array([odd.first], np.int64))
                    found.append(odd.told(odd.name if paths is None else paths[0].as_py()))
        return found

    def names(self) -> list[str]:
        """Names of all columns that `column` finds, own ones first."""
        above = self.parent.names() if self.parent else []
        return [*self.columns, *(name for name in above if name not in self.columns)]

    @property
    def is_alone(self) -> bool:
        """Whether its only record is a struct of its own, or the file."""
        return self.base is not None and self.size == 1


def without_indices(path: str) -> str:
    """A path of all elements: ``a.b`` of ``a(3).b{1}(2,:)``."""
    return _INDICES.sub("", path)


def record_paths(base: str, brackets: str) -> Paths:
    """Paths of the records of a struct array ``base(k)`` or of a cell of structs ``base{k}``."""

    def paths(name: str, index: Int64s) -> pa.Array:
        end = f"{brackets[1]}.{name}" if name else brackets[1]
        return numbered(base + brackets[0], index, end)

    return paths


def numbered(before: str | pa.Array, index: Int64s, after: str) -> pa.Array:
    """Texts with numbers between them, counted from 1.

    Examples
    --------
    >>> numbered("a(", np.array([0, 6]), ").b").to_pylist()
    ['a(1).b', 'a(7).b']
    """
    start = scalar(before) if isinstance(before, str) else before
    numbers = number_array(index + 1).cast(pa.string())
    return pc.binary_join_element_wise(start, numbers, scalar(after), scalar(""))


def levels_below(level: Level, may_hold: Callable[[pa.DataType], bool] | None = None) -> list[Level]:
    """The levels that lists of a level open, where any of them may hold boxes: one for all lists of equal counts.

    Rows of as many numbers as there are boxes in each record are such lists, too. `may_hold` looks for something else.
    """
    types, holds = level.columns.types, may_hold or may_hold_boxes
    groups: dict[bytes, list[str]] = {}
    for name, kind in types.items():
        if is_list(kind) and not is_row(kind) and holds(kind):
            groups.setdefault(_counts(level.columns[name]).tobytes(), []).append(name)
    uneven: dict[bytes, list[str]] = {}
    for name, kind in types.items() if groups else ():
        if is_list(kind) and (not holds(kind) or (is_row(kind) and not BOX_NAME.search(name))):
            counts = _counts(level.columns[name])
            if (key := counts.tobytes()) in groups:
                groups[key].append(name)
            for key in groups:
                uneven.setdefault(key, []).extend(_uneven(level, name, counts, np.frombuffer(key, np.int64)))
    found = []
    for key, names in groups.items():
        deeper = _list_level(level, [name for name in types if name in names])
        deeper.uneven = uneven.get(key, [])
        _join_siblings(deeper, np.frombuffer(key, np.int64))
        found.append(deeper)
    return found


def _uneven(level: Level, name: str, counts: Int64s, wanted: Int64s) -> list[str]:
    """What is told of a list that has as many entries as another one in all records but for a few."""
    differ = np.flatnonzero(counts != wanted)
    same = len(np.unique(wanted[counts == wanted]))
    if not len(differ) or len(differ) > max(len(counts) * MAX_UNEVEN, 1) or len(counts) < MIN_UNEVEN or same < 2:
        return []
    first = differ[:1]
    path, more = level.paths(name, first)[0].as_py(), f", and in {len(differ) - 1:,} more" * (len(differ) > 1)
    had, needed = int(counts[first[0]]), int(wanted[first[0]])
    return [f"{name} is left out: it has {had:,} for {needed:,} at {path}{more}"]


def _join_siblings(deeper: Level, counts: Int64s) -> None:
    """Carry values beside cells to the cells inside, if they have one for each: ``images`` to ``boxes{k}{image}``."""
    level, names = deeper.parent, deeper.stored
    size = int(counts[0]) if len(counts) else 0
    if level is None or size < 2 or size == level.size or size not in level.siblings or (counts != size).any():
        return
    if all(is_list(kind) and not is_row(kind) for kind in map(deeper.columns.types.__getitem__, names)):
        rank = np.tile(np.arange(size, dtype=np.int64), level.size)
        carry(level.siblings[size], deeper, rank)


def carry(source: Level, target: Level, index: Int64s) -> None:
    """Let the single values of a level stand at the records of another one, to each the one at its `index`."""
    for name, kind in source.columns.types.items():
        if not is_list(kind) and name not in target.columns:
            target.columns.add(name, kind, partial(_taken, source, name, index))


def _taken(level: Level, name: str, index: Int64s) -> pa.Array:
    return level.columns[name].take(number_array(index))


def open_single(level: Level) -> None:
    """Open the lists of a level that hold one entry at most, beside boxes that stand alone in each record."""
    for name, kind in list(level.columns.types.items()):
        if is_list(kind) and not is_row(kind) and not may_hold_boxes(kind):
            counts = _counts(level.columns[name])
            if counts.max(initial=0) == 1:
                level.columns.add(name, kind.value_type, partial(_entry, level.columns[name], counts))


def _entry(array: pa.Array, counts: Int64s) -> pa.Array:
    """The only entry of each list, null where there is none."""
    places = np.maximum(np.cumsum(counts) - 1, 0)
    return pc.list_flatten(array).take(number_array(places, counts == 0))


def may_hold_boxes(kind: pa.DataType) -> bool:
    """Whether rows of four numbers, or four numbers or texts side by side, stand somewhere inside entries of a type."""
    if is_row(kind):
        return True
    if is_list(kind):
        return may_hold_boxes(kind.value_type)
    if pa.types.is_struct(kind):
        single = sum(is_number(part.type) or pa.types.is_string(part.type) for part in kind)
        return single >= 4 or any(may_hold_boxes(part.type) for part in kind)
    return False


def is_row(kind: pa.DataType) -> bool:
    """Whether entries are single rows of at least four numbers."""
    return bool(pa.types.is_fixed_size_list(kind) and kind.list_size >= 4 and is_number(kind.value_type))


def is_list(kind: Any) -> bool:
    """Whether an Arrow type is a list, of variable or of fixed length."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _list_level(level: Level, names: list[str]) -> Level:
    """The level below some list columns of equal counts."""
    counts = _counts(level.columns[names[0]])
    owner = np.repeat(np.arange(level.size, dtype=np.int64), counts)
    starts = np.concatenate([[0], np.cumsum(counts)])[:-1]
    rank = np.arange(len(owner), dtype=np.int64) - starts[owner]
    kinds = {name: level.columns.types[name].value_type for name in names}
    columns = Columns()
    for name, kind in kinds.items():
        columns.add(name, kind, partial(_items, level, name))
    columns.cells = {name: depth - (name in kinds) for name, depth in level.columns.cells.items()}

    records = next((name for name, kind in kinds.items() if pa.types.is_struct(kind)), names[0])

    def paths(wanted: str, index: Int64s) -> pa.Array:
        stored = next((other for other in kinds if wanted == other or wanted.startswith(f"{other}.")), records)
        if stored in level.columns.turned:
            opening, closing = "(:,", ")"
        else:
            opening, closing = "{}" if level.columns.cells.get(stored, 0) > 0 else _brackets(kinds[stored])
        parents, where = np.unique(owner[index], return_inverse=True)
        above = pc.binary_join_element_wise(level.paths(stored, parents), scalar(opening), scalar(""))
        return numbered(above.take(number_array(where)), rank[index], closing + wanted[len(stored) :])

    return Level(len(owner), columns, paths, None, level, owner, level.convention, names)


def _items(level: Level, name: str) -> pa.Array:
    return pc.list_flatten(level.columns[name])


def _brackets(kind: Any) -> tuple[str, str]:
    """How MATLAB reaches an entry: a record of a struct array, a row of a matrix, a cell."""
    if pa.types.is_struct(kind):
        return "(", ")"
    if pa.types.is_fixed_size_list(kind) and not is_list(kind.value_type):
        return "(", ",:)"
    return ("{", "}") if is_list(kind) or pa.types.is_string(kind) else ("(", ")")


def _counts(array: pa.Array) -> Int64s:
    lengths = pc.list_value_length(array)
    return numbers_of(lengths.fill_null(scalar(0, lengths.type))).astype(np.int64)
