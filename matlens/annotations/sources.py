"""Box sources of a file, and the canonical table made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from matlens.annotations.choosing import Confidence
from matlens.annotations.class_names import ClassNames
from matlens.annotations.conventions import convert
from matlens.annotations.evidence import Evidence
from matlens.annotations.levels import Level, is_list
from matlens.annotations.readings import Reading
from matlens.columns.buffers import number_array, numbers_of, scalar, text_array
from matlens.columns.table import with_metadata
from matlens.names import unique_names

CORNERS = ("xmin", "ymin", "xmax", "ymax")
FRAME = "frame"
"""Column of the frame of a video, counted from 1."""
MAX_OTHERS = 8
"""Other boxes of the same records that are told beside each box."""
MAX_BESIDE, MAX_CARRIED = 64, 16
"""Numbers of a row that is told beside its box, and of one that is repeated for each box below it."""


class OtherBoxes(NamedTuple):
    """Boxes that stand beside others, and their convention."""

    reading: Reading
    convention: str | None

    @property
    def name(self) -> str:
        """Name of the field, or the stem of four."""
        return self.reading.name or self.reading.fields[0]

    def convention_or(self, given: str | None) -> str | None:
        """Their convention, or the one that is given for boxes of this level; None of what needs the image size."""
        used = self.convention or given
        return None if used == "yolo" else used


class BoxesOfLevel:
    """All boxes of some records: of one of them, the others are told beside it, unless they are many."""

    def __init__(self, every: Sequence[OtherBoxes]) -> None:
        self.every = every
        self.fields = frozenset(name for boxes in every for name in boxes.reading.fields)

    def beside(self, fields: Sequence[str]) -> list[OtherBoxes]:
        """The boxes but for those of some fields; none of too many."""
        some = self.every if len(self.every) <= MAX_OTHERS + 1 else ()
        return [other for other in some if other.reading.fields != fields]


@dataclass(slots=True)
class BoxSource:
    """Boxes of one field, or of four fields together, and what stands beside them.

    Attributes
    ----------
    path : str
        Where the first box is.
    fields : tuple of str
        Field names of the numbers.
    image, label : str or None
        The columns taken for the image name and the label.
    evidence : Evidence
        Convention, and what speaks for it.
    confidence : {"sure", "likely", "doubtful"}
        How certain it is that these are boxes; doubtful ones are read only where `path` asks for them.
    reasons : list of str
        What speaks for boxes and against them.
    is_label_sure : bool
        Whether name and values agree on the label.
    labels : list of str
        Columns that may be labels, where nothing decides between them.
    classes : ClassNames or None
        Names of the classes that the label has as numbers, and where they come from.
    also : list of str
        Where the same boxes stand, too.
    boxes : BoxesOfLevel
        All boxes of the same records, which are sources as well.
    """

    file: str
    path: str
    fields: tuple[str, ...]
    image: str | None
    label: str | None
    evidence: Evidence
    confidence: Confidence
    reasons: list[str] = field(repr=False)
    is_label_sure: bool = field(repr=False)
    labels: list[str] = field(repr=False)
    classes: ClassNames | None = field(repr=False)
    also: list[str] = field(repr=False)
    reading: Reading = field(repr=False)
    boxes: BoxesOfLevel = field(repr=False)

    def __len__(self) -> int:
        return len(self.reading.record)

    @property
    def variable(self) -> str:
        """Path of all boxes together, which `find` and ``--path`` take."""
        return self.reading.variable

    @property
    def layout(self) -> str | None:
        """Order of the four numbers, without their origin: ``xyxy``, ``xywh``, ``xxyy`` …"""
        return self.evidence.layout

    @property
    def convention(self) -> str | None:
        """Name of the inferred convention, None if it is undecided."""
        return self.evidence.convention

    def to_arrow(self, convention: str | None = None, image_size: Any = None) -> pa.Table:
        """The canonical table: one row for each box.

        Parameters
        ----------
        convention : str, optional
            Overrides the inferred one.
        image_size : array_like, shape (2,), optional
            Width and height in pixels, for ``yolo``.

        Raises
        ------
        AmbiguousConvention
            If it is neither given nor decided by the data.
        """
        used = convention or self.evidence.require()
        reading, level = self.reading, self.reading.level
        boxes = convert(reading.values, used, "xyxy", image_size)
        columns: dict[str, pa.Array] = {"source": reading.paths()}
        columns["image"] = as_text(self._beside(self.image))
        has_frame = FRAME in level.names() and self.image != FRAME and not is_list(level.type_of(FRAME))
        if has_frame:
            columns[FRAME] = as_label(self._beside(FRAME))
        label = self._beside(self.label)
        columns["label"] = as_label(label) if self.classes is None else self.classes.of(label)
        columns |= {name: number_array(boxes[:, k]) for k, name in enumerate(CORNERS)}
        told = {*self.fields, self.image, *([self.label] if self.classes is None else ())}
        told |= {FRAME} if has_frame else set()
        for name in level.names():
            if name not in told and name not in self.boxes.fields and stays_beside(level, name):
                columns[_free(name, columns)] = self._beside(name)
        for other in self.boxes.beside(self.fields):
            if (used_there := other.convention_or(convention)) is not None:
                columns[_free(other.name, columns)] = self._other(other.reading, used_there, image_size)
        for name, values in reading.extras.items():
            columns[_free(name, columns)] = number_array(values)
        about = {"source": self.file, "variable": self.path, "boxes": self._about(used)}
        return with_metadata(pa.table(columns), about)

    def _other(self, other: Reading, convention: str, image_size: Any) -> pa.Array:
        """Other boxes of the same records as lists of canonical corners; null where a record has none."""
        corners = convert(other.values, convention, "xyxy", image_size)
        index = np.full(other.level.size, -1, np.int64)
        index[other.record] = np.arange(len(other.record))
        index = index[self.reading.record]
        boxes = pa.FixedSizeListArray.from_arrays(number_array(np.ascontiguousarray(corners).ravel()), 4)
        return boxes.take(number_array(np.maximum(index, 0), index < 0))

    def _beside(self, name: str | None) -> pa.Array:
        """A column at the records of the boxes; nothing for None."""
        if name is None:
            return pa.nulls(len(self), pa.string())
        column, record = self.reading.level.column(name), self.reading.record
        return column if len(record) == len(column) else column.take(number_array(record))

    @property
    def left_out(self) -> list[str]:
        """Columns beside the boxes that the table does not have: lists of any length, matrices, many numbers, and boxes
        that cannot be converted."""
        level, taken = self.reading.level, self.boxes.fields.union(self.fields)
        found = [name for name in level.columns if name not in taken and not stays_beside(level, name)]
        beside = [other.name for other in self.boxes.beside(self.fields) if other.convention_or(None) is not None]
        every = [other.name for other in self.boxes.every if other.reading.fields != self.fields]
        return found + [name for name in every if name not in beside]

    def image_rows(self) -> pa.Table:
        """All images, those without boxes too: a row for each, with what stands beside their names."""
        if self.image is None:
            return pa.table({"image": text_array([])})
        level = self.reading.level.home(self.image)
        others = [name for name in level.names() if name not in (self.image, "image") and stays_beside(level, name)]
        return pa.table({"image": as_text(level.column(self.image))} | {name: level.column(name) for name in others})

    def _about(self, convention: str) -> dict[str, Any]:
        return {
            "convention": convention,
            "inferred": convention == self.convention,
            "fields": list(self.fields),
            "image_field": self.image,
            "label_field": self.label,
            "classes": None if self.classes is None else self.classes.origin,
            "confidence": self.confidence,
            "evidence": self.evidence.reasons,
            "violations": self.evidence.violations,
            "others": {each.name: each.convention_or(convention) for each in self.boxes.beside(self.fields)},
            "stored_as": "xyxy: 0-based half-open pixel edges",
        }


def as_label(array: pa.Array) -> pa.Array:
    """Class numbers that MATLAB kept as doubles become integers."""
    if pa.types.is_floating(array.type) and len(array):
        values = numbers_of(array.fill_null(scalar(0.0, array.type)))
        if np.isfinite(values).all() and (values == np.floor(values)).all() and np.abs(values).max() < 2**53:
            return array.cast(pa.int64())
    return array


def as_text(array: pa.Array) -> pa.Array:
    """Numbers of images as their names."""
    return (
        array if pa.types.is_string(array.type) or pa.types.is_null(array.type) else as_label(array).cast(pa.string())
    )


def stays_beside(level: Level, name: str) -> bool:
    """Whether a column is told beside each box: none of lists of any length, of matrices, or of many numbers."""
    kind = level.type_of(name)
    if not is_list(kind):
        return True
    most = MAX_BESIDE if name in level.columns else MAX_CARRIED
    return bool(pa.types.is_fixed_size_list(kind)) and kind.list_size <= most and not is_list(kind.value_type)


def _free(name: str, taken: Iterable[str]) -> str:
    return unique_names([*taken, name])[-1]
