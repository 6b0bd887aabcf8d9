"""Keypoints of a file: landmarks of faces, joints of people, each with its name and whether it is seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Unpack

import numpy as np
import pyarrow as pa

from matlens.annotations.choosing import ENOUGH, Confidence
from matlens.annotations.file_levels import levels_of
from matlens.annotations.joining import concat
from matlens.annotations.levels import Level, levels_below, without_indices
from matlens.annotations.point_sets import ABSENT, PointSet, may_hold_points, point_sets_of
from matlens.annotations.roles import Roles, roles_of
from matlens.annotations.sources import stays_beside
from matlens.columns.buffers import list_array, number_array
from matlens.columns.table import with_metadata
from matlens.errors import MatlensError, NoAnnotationsFound
from matlens.tree.file import ReadingOptions, Source, opened

POINT = pa.list_(pa.float64(), 3)
"""Type of a keypoint: x, y and its visibility."""


@dataclass(slots=True)
class KeypointSource:
    """Keypoints of one field, and what stands beside them.

    Attributes
    ----------
    path : str
        Where those of the first record are.
    names : list of str
        Names of the points; their numbers from 1 where the file has none.
    layout : str
        In which order the numbers are stored.
    image, label : str or None
        The columns taken for the image name and the label.
    confidence : {"sure", "likely", "doubtful"}
    reasons : list of str
        What speaks against them.
    """

    file: str
    path: str
    names: list[str]
    layout: str
    image: str | None
    label: str | None
    confidence: Confidence
    reasons: list[str]
    points: PointSet = field(repr=False)

    def __len__(self) -> int:
        return len(self.points.record)

    @property
    def variable(self) -> str:
        """Path of all keypoints together."""
        return without_indices(self.path)

    def to_arrow(self, *, origin: int = 1) -> pa.Table:
        """A row for each set of keypoints.

        ``keypoints`` are lists of x, y and visible, one for each name: 0-based pixels, and 0 for a point that is not
        labelled, 1 for one that is hidden, 2 for one that is seen, as COCO has them. `origin` is the number of the
        first pixel in the file: MATLAB counts from 1.
        """
        points, visible = self.points.points - origin, self.points.visible
        flat = np.concatenate([np.where(visible[..., None] == ABSENT, 0.0, points), visible[..., None]], axis=-1)
        items = pa.FixedSizeListArray.from_arrays(number_array(np.ascontiguousarray(flat).ravel()), 3)
        record, level = number_array(self.points.record), self.points.level
        columns: dict[str, pa.Array] = {"source": self.points.paths()}
        nothing = pa.nulls(len(self), pa.string())
        for name, stored in (("image", self.image), ("label", self.label)):
            columns[name] = nothing if stored is None else level.column(stored).take(record)
        columns["keypoints"] = list_array(items, np.full(len(self), flat.shape[1], np.int64))
        for name in level.names():
            if name not in (*columns, self.image, self.label, self.points.name) and stays_beside(level, name):
                columns[name] = level.column(name).take(record)
        told = {"names": self.names, "layout": self.layout, "origin": origin, "confidence": self.confidence}
        return with_metadata(pa.table(columns), {"source": self.file, "variable": self.path, "keypoints": told})


def find_keypoints(
    source: Source,
    path: str | None = None,
    *,
    problems: list[MatlensError] | None = None,
    **options: Unpack[ReadingOptions],
) -> list[KeypointSource]:
    """Find the keypoints of a file.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object or MatFile
    path : str, optional
        Look only at this value, whatever its name.
    problems : list, optional
        Filled with the errors of values that could not be looked into.
    **options
        ``engine``, ``isolate``, ``limits``, ``errors``, as for `matlens.open`.

    Returns
    -------
    list of KeypointSource
        Empty if there are none.

    Examples
    --------
    >>> import matlens
    >>> shapes = np.cumsum(np.ones((2, 5, 2)), axis=1)
    >>> cells = np.empty((2, 1), object)
    >>> cells[:, 0] = [shapes[0], shapes[1]]
    >>> (found,) = find_keypoints(matlens.from_loadmat({"landmarks": cells}))
    >>> len(found), found.names, found.to_arrow()["keypoints"][0].as_py()[1]
    (2, ['1', '2', '3', '4', '5'], [1.0, 1.0, 2.0])
    """
    with opened(source, **options) as file:
        levels = list(levels_of(list(file.values()), [] if problems is None else problems))
        wanted = None if path is None else without_indices(file.at(path).path)
        found = []
        for points in _all(levels, any_name=wanted is not None):
            first = points.paths()[0].as_py()
            if wanted is None or without_indices(first) == wanted or without_indices(first).startswith(f"{wanted}."):
                found.append(_source(file.name, first, points, levels))
        return found


def _all(levels: Sequence[Level], *, any_name: bool) -> Iterator[PointSet]:
    for level in levels:
        yield from point_sets_of(level, any_name=any_name)
        yield from _all(levels_below(level, may_hold_points), any_name=any_name)


def _source(file: str, path: str, points: PointSet, levels: Sequence[Level]) -> KeypointSource:
    roles: Roles = roles_of(points.level, points.name, [points.name])
    names = _names(levels, points.points.shape[1])
    certain: Confidence = "sure" if roles.image or len(points.record) >= ENOUGH else "likely"
    confidence: Confidence = "doubtful" if points.doubts else certain
    for name in points.level.names():
        # The file may be closed when they are asked for.
        if stays_beside(points.level, name):
            points.level.home(name).columns[name]
    return KeypointSource(file, path, names, points.layout, roles.image, roles.label, confidence, points.doubts, points)


def _names(levels: Sequence[Level], count: int) -> list[str]:
    """Names of so many points, where one list of texts of the file has as many; else their numbers."""
    found = []
    for level in levels:
        if level.size == count and level.base is not None:
            for name, kind in level.columns.types.items():
                texts = level.columns[name].to_pylist() if pa.types.is_string(kind) else []
                if texts and all(texts) and len(set(texts)) == count:
                    found.append(texts)
    return found[0] if len(found) == 1 else [str(k + 1) for k in range(count)]


def read_keypoints(
    source: Source, path: str | None = None, *, origin: int = 1, **options: Unpack[ReadingOptions]
) -> pa.Table:
    """All keypoints of a file as one table.

    Parameters
    ----------
    source, path, **options
        As for `find_keypoints`.
    origin : {1, 0}
        Number of the first pixel in the file.

    Returns
    -------
    pyarrow.Table
        ``source, image, label, keypoints`` (lists of x, y, visible), then what stands beside.

    Raises
    ------
    NoAnnotationsFound
    """
    with opened(source, **options) as file:
        found = find_keypoints(file, path)
        certain = [each for each in found if path is not None or each.confidence != "doubtful"]
        if not certain:
            near = "; ".join(f"{len(each):,} doubtful ones: --path {each.variable}" for each in found[:3])
            text = f"no keypoints in {path or 'any variable'}"
            raise NoAnnotationsFound(f"{text}; what came near: {near}" if near else text, file=file.name)
        tables = [each.to_arrow(origin=origin) for each in certain]
        return tables[0] if len(tables) == 1 else concat(tables)
