"""Regions of MATLAB's labelers that are neither boxes nor polygons: lines, points, cuboids, scenes, pixel labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Unpack

import numpy as np
import pyarrow as pa

from matlens.annotations.file_levels import levels_of
from matlens.annotations.label_regions import POLYGON, RECTANGLE, REGION_KINDS, RegionKind
from matlens.annotations.labelers import is_labeler
from matlens.annotations.levels import Level
from matlens.annotations.shape_sources import ShapeSource, beside, hold_beside, joined
from matlens.columns.buffers import list_array, number_array, numbers_of
from matlens.columns.table import with_metadata
from matlens.errors import MatlensError, NoAnnotationsFound
from matlens.tree.file import ReadingOptions, Source, opened
from matlens.tree.nodes import OpaqueNode

OTHER_KINDS = tuple(kind.noun for name, kind in REGION_KINDS.items() if name not in (RECTANGLE, POLYGON))
"""Names of the kinds of regions that this module finds."""


@dataclass(slots=True)
class RegionSource(ShapeSource):
    """Regions of one kind of a labeler.

    Attributes
    ----------
    kind : str
        What they are: ``lines``, ``points``, ``cuboids``, …
    """

    kind: str
    level: Level = field(repr=False)
    form: RegionKind = field(repr=False)

    def __len__(self) -> int:
        return self.level.size

    def to_arrow(self) -> pa.Table:
        """A row for each region: ``source, image, label``, its numbers in 0-based pixels, then its attributes.

        Cuboids are in the units of their point cloud; a scene is a row for each image that it holds for.
        """
        record = np.arange(self.level.size, dtype=np.int64)
        columns: dict[str, Any] = {"source": self.level.paths("", record)}
        others = beside(self.level, record, self.image, self.label, [self.form.column])
        columns |= {name: others.pop(name) for name in ("image", "frame", "label") if name in others}
        stored = self.level.columns[self.form.column]
        if self.kind != "scenes":
            columns[self.form.column] = _from_zero(stored, self.form)
        told = {"kind": self.kind, "layout": self.layout}
        return with_metadata(pa.table(columns | others), {"source": self.file, "variable": self.path, "regions": told})


def _from_zero(array: pa.Array, form: RegionKind) -> pa.Array:
    """Regions whose positions count from 0; those of three coordinates are places in space and stay."""
    if not form.positions or not len(array):
        return array
    if pa.types.is_fixed_size_list(array.type):
        values = numbers_of(array.flatten()).reshape(len(array), -1).copy()
        values[:, form.positions] -= 1
        return pa.FixedSizeListArray.from_arrays(number_array(values.ravel()), values.shape[1])
    if pa.types.is_list(array.type.value_type):
        return list_array(_from_zero(array.flatten(), form), numbers_of(array.value_lengths()).astype(np.int64))
    widths = numbers_of(array.value_lengths()).astype(np.int64)
    values = numbers_of(array.flatten()).copy()
    starts = np.cumsum(widths) - widths
    for place in form.positions:
        values[starts[widths == 2] + place] -= 1
    return list_array(number_array(values), widths)


def find_regions(
    source: Source, *, problems: list[MatlensError] | None = None, **options: Unpack[ReadingOptions]
) -> list[RegionSource]:
    """Find the regions of labelers that are neither boxes nor polygons.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object or MatFile
    problems : list, optional
        Filled with the errors of values that could not be looked into.
    **options
        ``engine``, ``isolate``, ``limits``, ``errors``, as for `matlens.open`.

    Returns
    -------
    list of RegionSource
        Empty if there are none.
    """
    with opened(source, **options) as file:
        nodes = [node for node in file.values() if isinstance(node, OpaqueNode) and is_labeler(node)]
        told = [] if problems is None else problems
        return [
            _source(file.name, level, form)
            for name, form in REGION_KINDS.items()
            if nodes and form.noun in OTHER_KINDS
            for level in levels_of(nodes, told, region=name)
            if form.column in level.columns and level.size
        ]


def _source(file: str, level: Level, form: RegionKind) -> RegionSource:
    hold_beside(level)
    level.columns[form.column]
    path = level.paths("", np.zeros(1, np.int64))[0].as_py()
    image = "image" if "image" in level.names() else None
    reasons = ["a labeler keeps them as such"]
    return RegionSource(file, path, "regions of a labeler", image, "label", "sure", reasons, form.noun, level, form)


def read_regions(source: Source, kind: str, **options: Unpack[ReadingOptions]) -> pa.Table:
    """All regions of a kind as one table, as `RegionSource.to_arrow` describes it.

    Parameters
    ----------
    source, **options
        As for `find_regions`.
    kind : str
        One of `OTHER_KINDS`.

    Raises
    ------
    NoAnnotationsFound
    """
    with opened(source, **options) as file:
        found = [each for each in find_regions(file) if each.kind == kind]
        if not found:
            raise NoAnnotationsFound(f"no {kind} of a labeler", file=file.name)
        return joined([each.to_arrow() for each in found])
