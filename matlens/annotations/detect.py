"""Finding boxes: four scalar fields, fields of n×4, nested structs, and cells of n×4."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.annotations.levels import Level, is_list, list_level
from matlens.columns.buffers import is_number, numbers_of
from matlens.formats.records import Int64s

BOX_NAME = re.compile(
    r"b(ounding)?_?b(ox)?(es|s)?($|[\d_.])|box(es)?($|[\d_])|bbx|bndbox|\brects?\b|rectangle|(^|_|\.)roi|"
    r"(^|_|\.)bound(s|ing)?$|(^|_|\.)rects?$|xywh|xyxy|xxyy|ltrb|ltwh",
    re.IGNORECASE,
)
IMAGE_NAME = re.compile(r"(^|_|\.)(im|img|image|file|fname|filename|path|frame|video|photo|name_?list)", re.IGNORECASE)
IMAGE_TEXT = re.compile(r"\.(jpe?g|png|bmp|tiff?|gif|ppm|pgm|webp|jp2|avi|mp4)$", re.IGNORECASE)
LABEL_NAME = re.compile(
    r"(^|_|\.)(class|label|categor|cat$|action|species|object_?name|obj$|kind|type|cls|tag|digit|id$|name$)",
    re.IGNORECASE,
)

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
class BoxColumns:
    """Boxes found at one level, at most one for each record.

    `name` is the field that holds the boxes, or the stem of four fields, and `record` the record of each box. `extras`
    are the further columns of an n×k matrix, k > 4; `layout` is the order of the numbers, where field names tell it.
    """

    level: Level
    name: str
    fields: tuple[str, ...]
    values: NDArray[np.float64]
    record: Int64s
    extras: dict[str, NDArray[np.float64]]
    layout: str | None

    def paths(self, count: int | None = None) -> pa.Array:
        """MATLAB path of every box, or of the first `count`."""
        return self.level.paths(self.fields[0] if len(self.fields) == 1 else "", self.record[:count])


def box_columns(level: Level, *, named: bool = True) -> Iterator[BoxColumns]:
    """All boxes of a level and of the levels below it.

    With `named` false, any numeric column of four or more counts, whatever its name.
    """
    used: set[str] = set()
    for found in _scalar_fields(level):
        used.update(found.fields)
        yield found
    for name, array in level.columns.items():
        kind = array.type
        if name in used or not is_list(kind):
            continue
        if _is_row(kind) and (not named or BOX_NAME.search(name)):
            yield _from_rows(level, name, array)
        elif _is_nested(kind) and not _is_row(kind):
            yield from box_columns(list_level(level, name), named=named)


def _is_row(kind: Any) -> bool:
    """Whether entries are single rows of at least four numbers."""
    return bool(pa.types.is_fixed_size_list(kind) and kind.list_size >= 4 and is_number(kind.value_type))


def _is_nested(kind: Any) -> bool:
    return is_list(kind.value_type) or bool(pa.types.is_struct(kind.value_type))


def _scalar_fields(level: Level) -> Iterator[BoxColumns]:
    """Sets of four numeric columns whose names are the roles of one convention."""
    numeric = [name for name, array in level.columns.items() if is_number(array.type)]
    taken: set[str] = set()
    for layout, roles in _SETS:
        by_stem: dict[str, dict[str, str]] = {}
        for name in numeric:
            for role in roles:
                match = _PATTERNS[role].fullmatch(name.lower())
                if match and name not in taken:
                    by_stem.setdefault(match["stem"], {}).setdefault(role, name)
        for stem, found in by_stem.items():
            fields = tuple(found.get(role, "") for role in roles)
            if all(fields) and len(set(fields)) == 4 and not taken & set(fields):
                taken.update(fields)
                yield _from_scalars(level, stem.rstrip("_."), fields, layout)


def _from_scalars(level: Level, stem: str, fields: tuple[str, ...], layout: str) -> BoxColumns:
    columns = [level.columns[name] for name in fields]
    present = np.logical_and.reduce([numbers_of(c.is_valid()) for c in columns])
    record = np.flatnonzero(present)
    values = np.stack([_floats(column) for column in columns], axis=1)[record]
    return BoxColumns(level, stem, fields, values, record, {}, layout)


def _from_rows(level: Level, name: str, array: pa.Array) -> BoxColumns:
    table = _floats(array.drop_null().flatten()).reshape(-1, array.type.list_size)
    record = np.flatnonzero(numbers_of(array.is_valid()))
    extras = {f"{name}_{k + 1}": table[:, k] for k in range(4, table.shape[1])}
    return BoxColumns(level, name, (name,), table[:, :4], record, extras, None)


def _floats(array: pa.Array) -> NDArray[np.float64]:
    return numbers_of(array.cast(pa.float64(), safe=False))


def image_column(level: Level, exclude: tuple[str, ...] = ()) -> str | None:
    """The text column that holds image names, by its values first and its name second."""
    columns = ((name, level.column(name)) for name in level.names() if name not in exclude)
    texts = [(name, array) for name, array in columns if pa.types.is_string(array.type)]
    for name, array in texts:
        sample = [text for text in array.slice(0, 50).to_pylist() if text]
        if sample and sum(bool(IMAGE_TEXT.search(text)) for text in sample) > len(sample) / 2:
            return name
    return next((name for name, _ in texts if IMAGE_NAME.search(name)), None)


def label_column(level: Level, exclude: tuple[str, ...] = ()) -> str | None:
    """The column that holds class names or numbers, by its name."""
    for name in level.names():
        kind = level.column(name).type
        if name not in exclude and LABEL_NAME.search(name) and (pa.types.is_string(kind) or is_number(kind)):
            return name
    return None
