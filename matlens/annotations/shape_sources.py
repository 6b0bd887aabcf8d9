"""Sources of keypoints, polygons and masks: what they have in common, how they are found and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from matlens.annotations.choosing import Confidence
from matlens.annotations.class_names import ClassNames
from matlens.annotations.joining import concat
from matlens.annotations.levels import Level, without_indices
from matlens.annotations.roles import Roles
from matlens.annotations.sources import CORNERS, FRAME, stays_beside
from matlens.columns.buffers import number_array
from matlens.errors import NoAnnotationsFound, PathError
from matlens.formats.records import Int64s


@dataclass(slots=True)
class ShapeSource:
    """Shapes of one place of a file.

    Attributes
    ----------
    file : str
        Name of the file.
    path : str
        Where the first one is.
    layout : str
        How they are stored, in words.
    image, label : str or None
        The columns taken for the image name and the label.
    confidence : {"sure", "likely", "doubtful"}
        How certain it is that they are what they are taken for; doubtful ones need ``--path``.
    reasons : list of str
        What speaks for them and against them.
    """

    file: str
    path: str
    layout: str
    image: str | None
    label: str | None
    confidence: Confidence
    reasons: list[str] = field(repr=False)

    @property
    def variable(self) -> str:
        """Path of all of them together, which ``--path`` takes."""
        return without_indices(self.path)

    def to_arrow(self) -> pa.Table:
        """A row for each shape."""
        raise NotImplementedError


class _Sized(Protocol):
    """A source of annotations, as lists of them need it."""

    path: str
    confidence: Confidence

    @property
    def variable(self) -> str: ...

    def __len__(self) -> int: ...


Found = TypeVar("Found", bound=_Sized)


def is_at(variable: str, wanted: str | None) -> bool:
    """Whether a path without indices is the one that is wanted, or lies below it; all are for None.

    Examples
    --------
    >>> is_at("s.a.b", "s(3).a"), is_at("s.ab", "s.a"), is_at("s.ab", None)
    (True, False, True)
    """
    path = "" if wanted is None else without_indices(wanted)
    return wanted is None or variable == path or variable.startswith((f"{path}.", f"{path}{{"))


def certain_of(found: Sequence[Found], noun: str, path: str | None, file: str, near: Sequence[str] = ()) -> list[Found]:
    """The sources that are read: doubtful ones only where a path asks for them.

    Raises
    ------
    NoAnnotationsFound
        If there are none; it names what came `near`.
    """
    certain = [each for each in found if path is not None or each.confidence != "doubtful"]
    if not certain:
        doubtful = [f"{len(each):,} doubtful ones: --path {each.variable}" for each in found]
        told = "; ".join([*doubtful, *near][:3])
        text = f"no {noun} in {path or 'any variable'}"
        raise NoAnnotationsFound(f"{text}; what came near: {told}" if told else text, file=file)
    return certain


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of several sources, one after another."""
    return tables[0] if len(tables) == 1 else concat(tables)


def beside(level: Level, record: Int64s, image: str | None, label: str | None, own: Sequence[str]) -> dict[str, Any]:
    """Columns ``image``, ``frame`` of videos, and ``label`` of some records, then what else stands beside them."""
    index = number_array(record)
    nothing = pa.nulls(len(record), pa.string())
    columns = {"image": nothing if image is None else level.column(image).take(index)}
    if FRAME in level.names() and image == "image":
        columns[FRAME] = level.column(FRAME).take(index)
    columns["label"] = nothing if label is None else level.column(label).take(index)
    taken = {*columns, *own, image, label, *CORNERS, "source"}
    for name in level.names():
        if name not in taken and stays_beside(level, name):
            columns[name] = level.column(name).take(index)
    return columns


def hold_beside(level: Level) -> None:
    """Make the columns beside shapes, for the file may be closed when they are asked for."""
    for name in level.names():
        if stays_beside(level, name):
            level.home(name).columns[name]


def chosen_field(level: Level, found: str | None, wanted: str | None, file: str) -> str | None:
    """The column that was found, or the one that is asked for instead."""
    if wanted is None:
        return found
    if wanted not in level.names():
        names = ", ".join(level.names())
        raise PathError(f"no field {wanted!r} beside the values; there are {names}", file=file)
    return wanted


def uncertain_label(label: str | None, roles: Roles) -> list[str]:
    """Which columns may be the label, where nothing decides."""
    names = ", ".join(roles.candidates[:5])
    return [f"the label is not certain: --label-field {names}"] if label is None and names else []


def named_labels(columns: dict[str, Any], classes: ClassNames | None) -> None:
    """Put the names of classes in the place of their numbers."""
    if classes is not None:
        columns["label"] = classes.of(columns["label"])


def corner_columns(boxes: Any) -> dict[str, pa.Array]:
    """Columns ``xmin, ymin, xmax, ymax`` of boxes around shapes; null where there is none."""
    values = np.asarray(boxes, np.float64).reshape(-1, 4)
    return {name: pa.array(values[:, k], from_pandas=True) for k, name in enumerate(CORNERS)}
