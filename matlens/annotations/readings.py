"""Values of a level that can be read as boxes: four fields, rows of numbers, corners as text, quadrilaterals."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from matlens.annotations.levels import BOX_NAME, Level, Odd, is_row, without_indices
from matlens.columns.buffers import is_number, numbers_of, scalar
from matlens.escape import shorten
from matlens.formats.records import Int64s

MAX_WIDTH = 32
"""Numbers in a row that holds a box; more are features or landmarks."""
MAX_TEXT = 40
_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$|^[+-]?([nN][aA][nN]|[iI]nf)$"
_QUAD_NAME = re.compile(r"quad|corner|poly|vert|(^|_|\.)(gt|pts|points?|box|bbs?)($|_|es|s)", re.IGNORECASE)

_ROLES = {
    "x1": r"x_?1|x_?min|min_?x|left|x_?tl|x_?left|l",
    "y1": r"y_?1|y_?min|min_?y|top|y_?tl|y_?top|t",
    "x2": r"x_?2|x_?max|max_?x|right|x_?br|x_?right|r",
    "y2": r"y_?2|y_?max|max_?y|bottom|y_?br|y_?bottom|b",
    "x0": r"x_?0",
    "y0": r"y_?0",
    "x": r"x|x_?1|x_?0|x_?min|left|x_?tl|col|l",
    "y": r"y|y_?1|y_?0|y_?min|top|y_?tl|row|t",
    "w": r"w|width|wd|dx",
    "h": r"h|height|ht|dy",
    "cx": r"cx|x_?c|x_?cent(er|re)|cent(er|re)_?x",
    "cy": r"cy|y_?c|y_?cent(er|re)|cent(er|re)_?y",
    "r1": r"min_?row|row_?min|r_?1|row_?1|row_?start",
    "c1": r"min_?col|col_?min|c_?1|col_?1|col_?start",
    "r2": r"max_?row|row_?max|r_?2|row_?2|row_?end",
    "c2": r"max_?col|col_?max|c_?2|col_?2|col_?end",
}
_PATTERNS = {
    role: re.compile(rf"(?P<stem>.*?)(?:^|(?<=[_.])|(?<=[a-z])_?)(?:{text})$") for role, text in _ROLES.items()
}
_SETS = (
    ("xyxy", ("x1", "y1", "x2", "y2")),
    ("xyxy", ("x0", "y0", "x1", "y1")),
    ("rowcol", ("r1", "c1", "r2", "c2")),
    ("cxcywh", ("cx", "cy", "w", "h")),
    ("xywh", ("x", "y", "w", "h")),
)


@dataclass(slots=True)
class Reading:
    """Boxes read at one level, at most one for each record.

    `name` is the field that holds the boxes, or the stem of four fields, and `record` the record of each box. `extras`
    are the further numbers of a row, `polygon` the corners of a quadrilateral. `layout` is the order of the numbers,
    where field names tell it; `doubts` what speaks against the reading, `left_out` which elements are no boxes.
    """

    level: Level
    name: str
    fields: tuple[str, ...]
    values: NDArray[np.float64]
    record: Int64s
    layout: str | None = None
    extras: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def is_named(self) -> bool:
        """Whether names say that it is a box."""
        return self.layout is not None or bool(BOX_NAME.search(self.name))

    def paths(self, count: int | None = None) -> pa.Array:
        """MATLAB path of every box, or of the first `count`; of four fields, that of the record or of the first one."""
        is_record = len(self.fields) == 4 and (self.level.base is None or (self.level.is_alone and self.level.base))
        return self.level.paths("" if is_record else self.fields[0], self.record[:count])

    @property
    def variable(self) -> str:
        """Path of all boxes together."""
        return without_indices(self.paths(1)[0].as_py())


def readings_of(level: Level, below: Collection[str] = (), start: int | None = None) -> list[Reading]:
    """What can be read as boxes at a level, each column in one reading at most; those `below` are read there.

    With `start`, boxes of rows begin with that number, counted from 0.
    """
    found = list(_four_fields(level))
    taken = {*below, *(name for reading in found for name in reading.fields)}
    for name, kind in level.columns.types.items():
        if name in taken:
            continue
        if is_row(kind) and kind.list_size <= MAX_WIDTH:
            found.append(_row(level, name, kind.list_size, start))
        elif (corners := _corners(kind, name)) and _QUAD_NAME.search(name):
            found.append(_quadrilateral(level, name, _rows(level, name, 8), corners))
    for reading in found:
        reading.left_out += [told for name in reading.fields for told in level.left_out(name)]
    return [reading for reading in found if len(reading.record)]


# --- four fields ---------------------------------------------------------------------------


def _four_fields(level: Level) -> Iterator[Reading]:
    """Sets of four columns of numbers, or of numbers as text, whose names are the roles of one convention."""
    types = level.columns.types
    single = [name for name, kind in types.items() if is_number(kind) or pa.types.is_string(kind)]
    taken: set[str] = set()
    for layout, roles in _SETS:
        by_stem: dict[str, dict[str, str]] = {}
        for name in single:
            for role in roles:
                # As xml2struct names the text of an element.
                match = _PATTERNS[role].fullmatch(name.lower().removesuffix(".text"))
                if match and name not in taken:
                    by_stem.setdefault(match["stem"], {}).setdefault(role, name)
        for stem, found in by_stem.items():
            fields = tuple(found.get(role, "") for role in roles)
            if all(fields) and len(set(fields)) == 4:
                columns = [_numbers(level.columns[name]) for name in fields]
                if all(column is not None for column in columns):
                    taken.update(fields)
                    values = np.stack([column.values for column in columns if column is not None], axis=1)
                    bad = [column.bad for column in columns if column is not None]
                    is_box = ~np.isnan(values).all(axis=1) & ~np.logical_or.reduce(bad)
                    record = np.flatnonzero(is_box)
                    left_out = [
                        told for name, rows in zip(fields, bad, strict=True) if (told := _no_numbers(level, name, rows))
                    ]
                    yield Reading(level, stem.rstrip("_."), fields, values[record], record, layout, left_out=left_out)


def is_role(name: str) -> bool:
    """Whether a name is that of one of the four numbers of a box.

    Examples
    --------
    >>> is_role("xmin"), is_role("head_x2"), is_role("label")
    (True, True, False)
    """
    matches = [pattern.fullmatch(name.lower()) for pattern in _PATTERNS.values()]
    # Without a mark before it, a letter at the end of a word is none.
    stems = [match["stem"] for match in matches if match is not None]
    return any(not stem or {"_", "."} & set(name[len(stem) - 1 : len(stem) + 1]) for stem in stems)


class _Numbers(NamedTuple):
    """Numbers, NaN where there is none, and which entries are something else."""

    values: NDArray[np.float64]
    bad: NDArray[np.bool_]


def _numbers(array: pa.Array) -> _Numbers | None:
    """Numbers, or texts most of which are numbers; None of other texts."""
    if not pa.types.is_string(array.type):
        return _Numbers(numbers_of(array.cast(pa.float64(), safe=False)), np.zeros(len(array), bool))
    texts = pc.utf8_trim_whitespace(array)
    is_number = pc.match_substring_regex(texts, _NUMBER).fill_null(scalar(False, pa.bool_()))
    is_text = pc.greater(pc.utf8_length(texts), 0).fill_null(scalar(False, pa.bool_()))
    values = numbers_of(pc.if_else(is_number, texts, pa.nulls(len(texts), pa.string())).cast(pa.float64()))
    bad = numbers_of(pc.and_not(is_text, is_number))
    return None if 2 * bad.sum() >= numbers_of(is_text).sum() else _Numbers(values, bad)


def _no_numbers(level: Level, name: str, bad: NDArray[np.bool_]) -> str:
    """Which texts among numbers are none; empty if all are."""
    rows = np.flatnonzero(bad)
    if not len(rows):
        return ""
    text = shorten(level.columns[name][int(rows[0])].as_py(), MAX_TEXT)
    odd = Odd(name, len(bad), len(rows), int(rows[0]), f"the text {text!r}")
    return odd.told(level.paths(name, rows[:1])[0].as_py())


# --- rows of numbers -----------------------------------------------------------------------


def _rows(level: Level, name: str, width: int) -> tuple[NDArray[np.float64], Int64s]:
    """The rows of a column one below the other, and the record of each."""
    array = level.columns[name]
    record = np.flatnonzero(numbers_of(array.is_valid()))
    flat = array.drop_null()
    while not is_number(flat.type):
        flat = flat.flatten()
    return numbers_of(flat.cast(pa.float64(), safe=False)).reshape(-1, width), record


def _row(level: Level, name: str, width: int, given: int | None) -> Reading:
    values, record = _rows(level, name, width)
    if width == 8 and given is None and _is_quadrilateral(values):
        return _quadrilateral(level, name, (values, record), lambda rows: rows.reshape(-1, 4, 2))
    start, doubts = (given, []) if given is not None and given <= width - 4 else box_window(values)
    if level.base is not None and values.shape == (4, 4) and _is_turned(values):
        doubts = [*doubts, "four rows of four: its columns are corners, its rows are not"]
    extras = {f"{name}_{k + 1}": values[:, k] for k in range(width) if not start <= k < start + 4}
    return Reading(level, name, (name,), values[:, start : start + 4], record, None, extras, doubts)


def _is_turned(values: NDArray[np.float64]) -> bool:
    """Whether the columns of a square are corners, and its rows are not."""
    rows, columns = ((part[:, 2:] > part[:, :2]).all() for part in (values, values.T))
    return bool(columns and not rows)


def box_window(rows: NDArray[np.float64]) -> tuple[int, list[str]]:
    """Which of more than four columns are a box: where it begins, and what speaks against it.

    A column of few whole numbers is a class or an id, one of fractions in 0 to 1 a score, one of whole numbers that
    never fall counts frames; the four beside each other that are none of these are the box.

    Examples
    --------
    >>> rows = np.array([[k % 3, 10.0 + 7 * k, 30.5 + 5 * k, 11 + k % 7, 20 + k % 5] for k in range(40)])
    >>> box_window(rows)
    (1, [])
    """
    if rows.shape[1] == 4:
        return 0, []
    finite = rows[np.isfinite(rows).all(axis=1)]
    kinds = [_kind(column) for column in finite.T]
    if kinds.count("share") >= 4:
        # All of them are relative to the image.
        kinds = ["" if kind == "share" else kind or "other" for kind in kinds]
        kinds = [kind if k < kinds.index("") + 4 else kind or "other" for k, kind in enumerate(kinds)]
    costs = []
    for start in range(rows.shape[1] - 3):
        inside, outside = kinds[start : start + 4], kinds[:start] + kinds[start + 4 :]
        costs.append(sum(kind != "" for kind in inside) + sum(kind == "" for kind in outside))
    best, *others = sorted(costs)
    # Boxes of one size look like classes: two signs for another place would be needed.
    if others[0] - best > (best > 0):
        return costs.index(best), []
    return costs.index(best), [f"which four of {rows.shape[1]} numbers are the box is not certain"]


def _kind(column: NDArray[np.float64]) -> str:
    """What a column of numbers is if it is not a coordinate: ``class``, ``share`` or ``count``."""
    if not len(column):
        return ""
    is_whole = bool((column == np.floor(column)).all())
    if not is_whole:
        return "share" if column.min() >= 0 and column.max() <= 1 else ""
    distinct = len(np.unique(column))
    # Sizes of few boxes repeat, too.
    if len(column) >= 4 and distinct <= max(min(len(column) // 4, 3 + len(column) // 50), 2):
        return "class"
    steps = np.diff(column)
    return "count" if len(column) >= 8 and (steps >= 0).all() and (steps <= max(1, len(column) // 4)).all() else ""


# --- quadrilaterals ------------------------------------------------------------------------

_Corners = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _corners(kind: pa.DataType, name: str) -> _Corners | None:
    """How 4x2 or 2x4 numbers of an entry become four corners; None of another type, and of two boxes."""
    if not (pa.types.is_fixed_size_list(kind) and pa.types.is_fixed_size_list(kind.value_type)):
        return None
    dims = kind.list_size, kind.value_type.list_size
    if not is_number(kind.value_type.value_type):
        return None
    if dims == (4, 2):
        return lambda rows: rows.reshape(-1, 4, 2)
    if dims != (2, 4) or BOX_NAME.search(name):
        return None
    return lambda rows: rows.reshape(-1, 2, 4).transpose(0, 2, 1)


def _is_quadrilateral(rows: NDArray[np.float64]) -> bool:
    """Whether eight numbers go around a shape that has no notch, corner by corner: x1 y1 … x4 y4."""
    finite = rows[np.isfinite(rows).all(axis=1)].reshape(-1, 4, 2)
    if not len(finite):
        return False
    edges = np.roll(finite, -1, axis=1) - finite
    following = np.roll(edges, -1, axis=1)
    turns = edges[..., 0] * following[..., 1] - edges[..., 1] * following[..., 0]
    return bool(((turns > 0).all(axis=1) | (turns < 0).all(axis=1)).mean() > 0.9)


def _quadrilateral(level: Level, name: str, found: tuple[NDArray[np.float64], Int64s], corners: _Corners) -> Reading:
    """The box around four corners, which stay beside it."""
    values, record = found
    points = corners(values)
    boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
    flat = points.reshape(-1, 8)
    extras = {f"{axis}{k + 1}": flat[:, 2 * k + (axis == "y")] for k in range(4) for axis in "xy"}
    return Reading(level, name, (name,), boxes, record, "xyxy", extras)
