"""Box sources of a file, and the canonical table made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

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
MAX_BESIDE, MAX_CARRIED = 64, 16
"""Numbers of a row that is told beside its box, and of one that is repeated for each box below it."""


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
        columns["image"] = self._beside(self.image)
        if FRAME in level.names() and level.convention is not None:
            columns[FRAME] = self._beside(FRAME)
        label = self._beside(self.label)
        columns["label"] = as_label(label) if self.classes is None else self.classes.of(label)
        columns |= {name: number_array(boxes[:, k]) for k, name in enumerate(CORNERS)}
        told = (*self.fields, self.image, FRAME, *([self.label] if self.classes is None else ()))
        for name in level.names():
            if name not in told and stays_beside(level, name):
                columns[_free(name, columns)] = self._beside(name)
        for name, values in reading.extras.items():
            columns[_free(name, columns)] = number_array(values)
        about = {"source": self.file, "variable": self.path, "boxes": self._about(used)}
        return with_metadata(pa.table(columns), about)

    def _beside(self, name: str | None) -> pa.Array:
        """A column at the records of the boxes; nothing for None."""
        if name is None:
            return pa.nulls(len(self), pa.string())
        column, record = self.reading.level.column(name), self.reading.record
        return column if len(record) == len(column) else column.take(number_array(record))

    @property
    def left_out(self) -> list[str]:
        """Columns beside the boxes that the table does not have: lists of any length, matrices, many numbers."""
        level = self.reading.level
        return [name for name in level.columns if name not in self.fields and not stays_beside(level, name)]

    def image_rows(self) -> pa.Table:
        """All images, those without boxes too: a row for each, with what stands beside their names."""
        if self.image is None:
            return pa.table({"image": text_array([])})
        level = self.reading.level.home(self.image)
        others = [name for name in level.names() if name not in (self.image, "image") and stays_beside(level, name)]
        return pa.table({"image": level.column(self.image)} | {name: level.column(name) for name in others})

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
            "stored_as": "xyxy: 0-based half-open pixel edges",
        }


def as_label(array: pa.Array) -> pa.Array:
    """Class numbers that MATLAB kept as doubles become integers."""
    if pa.types.is_floating(array.type) and len(array):
        values = numbers_of(array.fill_null(scalar(0.0, array.type)))
        if np.isfinite(values).all() and (values == np.floor(values)).all() and np.abs(values).max() < 2**53:
            return array.cast(pa.int64())
    return array


def stays_beside(level: Level, name: str) -> bool:
    """Whether a column is told beside each box: none of lists of any length, of matrices, or of many numbers."""
    kind = level.type_of(name)
    if not is_list(kind):
        return True
    most = MAX_BESIDE if name in level.columns else MAX_CARRIED
    return bool(pa.types.is_fixed_size_list(kind)) and kind.list_size <= most and not is_list(kind.value_type)


def _free(name: str, taken: Iterable[str]) -> str:
    return unique_names([*taken, name])[-1]
