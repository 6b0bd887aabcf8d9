"""Images with what a file says of them: boxes, keypoints and polygons, each with its label and how sure it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.annotations.find import find
from matlens.annotations.keypoints import find_keypoints
from matlens.annotations.polygons import find_polygons
from matlens.annotations.sources import BoxSource
from matlens.errors import MatlensError
from matlens.escape import safe_text, shorten
from matlens.tree.file import MatFile

MOST_MARKS = 300_000
"""Boxes and shapes of a file that are kept."""
LEVELS = ("sure", "likely", "doubtful")
NO_LABEL = ""
_INDEX = re.compile(r"\([\d:,]+\)$")


class Mark(NamedTuple):
    """A box, points or rings on an image, in pixels from 0."""

    kind: str
    label: str
    confidence: str
    box: tuple[float, float, float, float]
    points: NDArray[np.float64] | None = None
    rings: tuple[NDArray[np.float64], ...] = ()


@dataclass(slots=True)
class Annotated:
    """Names of images in the order of the file, the marks of each, and all labels, the most frequent first."""

    images: list[str] = field(default_factory=list)
    has_name: list[bool] = field(default_factory=list)
    marks: list[list[Mark]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def count(self) -> int:
        return sum(map(len, self.marks))

    def chosen(self, number: int, levels: tuple[str, ...], label: str | None) -> list[Mark]:
        """The marks of an image that are of some certainty, and have a label."""
        return [
            mark for mark in self.marks[number] if mark.confidence in levels and (label is None or mark.label == label)
        ]


def read_annotated(file: MatFile, is_cancelled: Callable[[], bool], convention: str | None = None) -> Annotated | None:
    """All annotations of a file by image; None if that was cancelled.

    Boxes that do not decide their convention are told, or read in the one that is given.
    """
    found, places, counts = Annotated(), dict[tuple[bool, str], int](), dict[str, int]()
    for kind, confidence, table in _tables(file, found.problems, is_cancelled, convention):
        room = MOST_MARKS - sum(counts.values())
        if len(table) > room:
            found.problems.append(f"only the first {MOST_MARKS:,} are shown")
        for image, has_name, mark in _marks(kind, confidence, table.slice(0, room)):
            if is_cancelled():
                return None
            at = places.setdefault((has_name, image), len(found.images))
            if at == len(found.images):
                found.images.append(image)
                found.has_name.append(has_name)
                found.marks.append([])
            found.marks[at].append(mark)
            counts[mark.label] = counts.get(mark.label, 0) + 1
    found.labels = sorted(counts, key=lambda label: -counts[label])
    return None if is_cancelled() else found


def _tables(
    file: MatFile, problems: list[str], is_cancelled: Callable[[], bool], convention: str | None
) -> Iterator[tuple[str, str, pa.Table]]:
    """Kind, certainty and table of each source; what cannot be read is told."""
    finders: tuple[tuple[str, Callable[[MatFile], Any]], ...] = (
        ("box", find),
        ("keypoints", find_keypoints),
        ("polygon", find_polygons),
    )
    for kind, finder in finders:
        if is_cancelled():
            return
        try:
            sources = finder(file)
        except MatlensError as error:
            problems.append(safe_text(error))
            continue
        for source in sources:
            try:
                if isinstance(source, BoxSource) and source.convention is None:
                    if convention is None:
                        problems.append(f"v: {len(source):,} boxes at {safe_text(source.path)} need a convention")
                        continue
                    yield kind, source.confidence, source.to_arrow(convention)
                else:
                    yield kind, source.confidence, source.to_arrow()
            except MatlensError as error:
                problems.append(safe_text(error))


def _marks(kind: str, confidence: str, table: pa.Table) -> Iterator[tuple[str, bool, Mark]]:
    names = ("source", "image", "frame", "label")
    columns = {name: table[name].to_pylist() for name in names if name in table.column_names}
    corners = [table[name].to_pylist() for name in ("xmin", "ymin", "xmax", "ymax")]
    shapes = table[kind].to_pylist() if kind != "box" else [None] * len(table)
    nothing = [None] * len(table)
    for source, image, frame, label, shape, *box in zip(
        *(columns.get(name, nothing) for name in names), shapes, *corners, strict=True
    ):
        name = str(image) if image is not None else _record(str(source))
        if frame is not None:
            name = f"{name}#{frame}"
        x1, y1, x2, y2 = (np.nan if value is None else float(value) for value in box)
        text = NO_LABEL if label is None else shorten(safe_text(str(label)), 30)
        points = rings = None
        if kind == "keypoints":
            points = np.array([(x, y) for x, y, visible in shape or () if visible], np.float64).reshape(-1, 2)
        elif kind == "polygon":
            rings = tuple(np.array(ring, np.float64).reshape(-1, 2) for ring in shape or ())
        yield name, image is not None, Mark(kind, text, confidence, (x1, y1, x2, y2), points, rings or ())


def _record(source: str) -> str:
    """The record that a value stands in.

    Examples
    --------
    >>> _record("a(3).bbox(1,:)"), _record("boxes(7,:)")
    ('a(3)', 'boxes')
    """
    return source.rpartition(".")[0] or _INDEX.sub("", source)


def extent_of(marks: list[Mark]) -> tuple[int, int]:
    """Height and width of a canvas that the marks fit on.

    Examples
    --------
    >>> extent_of([Mark("box", "", "sure", (1.0, 2.0, 30.0, 20.5))])
    (21, 30)
    """
    ends = [mark.box[2:] for mark in marks]
    ends += [
        tuple(part.max(axis=0))
        for mark in marks
        for part in (mark.points, *mark.rings)
        if part is not None and len(part)
    ]
    size = []
    for axis in (1, 0):
        finite = [end[axis] for end in ends if np.isfinite(end[axis])]
        size.append(int(min(max(np.ceil(max(finite, default=1)), 1), 1 << 13)))
    return size[0], size[1]
