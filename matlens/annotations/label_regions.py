"""Regions that people have drawn in MATLAB's labelers: of each kind, one record for each region.

A labeler stores for each image or frame, and for each label, rows of numbers or cells of matrices; where a label has
attributes or sublabels, a struct for each region with its ``Position``. The kinds are those of MATLAB's ``labelType``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from matlens.annotations.levels import Columns, Level, Paths, is_list, levels_below, numbered
from matlens.columns.buffers import is_number, number_array, numbers_of, scalar
from matlens.formats.records import Int64s
from matlens.tree.nodes import StructArrayNode, StructNode
from matlens.tree.nodes.node import Node

RECTANGLE, POLYGON, PIXEL_LABEL = "Rectangle", "Polygon", "PixelLabel"
PIXEL_LABEL_FIELD = "PixelLabelData"
"""Column of the files with the pixels of an image."""
_POSITION = "Position"
"""Field of the numbers of a region, where it has attributes."""
_UNKEPT = ("LabelUIDs", "Order")
"""Fields of regions that only the tool needs."""
CONVENTION = "xywh1"
"""Convention of the rectangles of all labelers."""


class RegionKind(NamedTuple):
    """Regions of one kind: their name in words, the column that has them, its Arrow type, and what they are stored as.

    `positions` are the numbers among those of a region that count pixels from 1.
    """

    noun: str
    column: str
    type: pa.DataType
    fits: Callable[[pa.DataType], bool]
    positions: tuple[int, ...] = ()


def _row(*widths: int) -> Callable[[pa.DataType], bool]:
    """Whether a type is that of rows of so many numbers."""

    def fits(kind: pa.DataType) -> bool:
        return bool(pa.types.is_fixed_size_list(kind) and kind.list_size in widths and is_number(kind.value_type))

    return fits


def _is_curve(kind: pa.DataType) -> bool:
    """Whether a type is that of points in their order."""
    return is_list(kind) and _row(2, 3)(kind.value_type)


def _numbers(count: int) -> pa.DataType:
    return pa.list_(pa.float64(), count)


REGION_KINDS = {
    RECTANGLE: RegionKind("boxes", "boxes", _numbers(4), _row(4)),
    POLYGON: RegionKind("polygons", "polygon", pa.list_(pa.list_(pa.float64(), 2)), _is_curve),
    "Line": RegionKind("lines", "line", pa.list_(pa.list_(pa.float64())), _is_curve, (0, 1)),
    "Point": RegionKind("points", "point", pa.list_(pa.float64()), _row(2, 3), (0, 1)),
    "RotatedRectangle": RegionKind("rotated_rectangles", "rotated_rectangle", _numbers(5), _row(5), (0, 1)),
    "ProjectedCuboid": RegionKind("projected_cuboids", "projected_cuboid", _numbers(8), _row(8), (0, 1, 4, 5)),
    "Cuboid": RegionKind("cuboids", "cuboid", _numbers(9), _row(9)),
    "Scene": RegionKind("scenes", "scene", pa.bool_(), pa.types.is_boolean),
    PIXEL_LABEL: RegionKind("pixel_labels", "file", pa.string(), pa.types.is_string),
}
"""Kinds of regions by the name of MATLAB's ``labelType``.

A rotated rectangle is its centre, width, height and degrees clockwise; a projected cuboid the rectangles of its front
and its back; a cuboid its centre, lengths and rotations about three axes; a scene is true where the label holds for the
whole image.
"""


class _Region(NamedTuple):
    """Regions of one label: the level whose records they are, the column of their numbers, and the image of each."""

    label: str
    level: Level
    column: str
    image: Int64s


def has_regions(name: str, array: pa.Array) -> bool:
    """Whether a column of a table holds rectangles of the label that it is named after."""
    return next(_regions(_level_of(name, array, no_paths), name, REGION_KINDS[RECTANGLE]), None) is not None


def region_level(data: Node, kind: str, columns: Mapping[str, pa.Array], images: Level) -> Level | None:
    """The regions of all labels, one below the other, each with its label and attributes, below those of the `images`.

    `columns` are those of the labels of this `kind`, with an entry for each image.
    """
    wanted = REGION_KINDS[kind]
    found = [
        region
        for name, array in columns.items()
        for region in _regions(_level_of(name, array, _image_paths(data, name)), name, wanted)
    ]
    if not found:
        return None
    parts = [_part(region, wanted) for region in found]
    joined = pa.concat_tables([part for part, _ in parts], promote_options="permissive").combine_chunks()
    made = {name: joined[name].combine_chunks() for name in joined.column_names}
    paths, image = made.pop("path"), np.concatenate([image for _, image in parts])

    def path_of(name: str, index: Int64s) -> pa.Array:
        return paths.take(number_array(index))

    convention = CONVENTION if kind == RECTANGLE else None
    return Level(len(image), Columns(made), path_of, None, images, image, convention)


def _regions(level: Level, name: str, wanted: RegionKind) -> Iterator[_Region]:
    """Regions of the label `name`, and of its sublabels as ``Label/Sublabel``."""
    fitting = [key for key, kind in level.columns.types.items() if wanted.fits(kind)]
    positions = [key for key in fitting if key.endswith(f".{_POSITION}")]
    for key in positions or fitting:
        inner = key[len(name) :].removesuffix(f".{_POSITION}").replace(".", "/")
        yield _Region(name + inner, level, key, np.arange(level.size))
    for below in levels_below(level, lambda kind: _may_hold(kind, wanted)):
        for region in _regions(below, name, wanted):
            yield region._replace(image=below.parent_index[region.image])


def _may_hold(kind: pa.DataType, wanted: RegionKind) -> bool:
    """Whether lists of regions stand somewhere inside entries of a type; a region itself is none."""
    if wanted.fits(kind):
        return False
    if is_list(kind):
        return wanted.fits(kind.value_type) or _may_hold(kind.value_type, wanted)
    if not pa.types.is_struct(kind):
        return False
    return any(wanted.fits(part.type) or _may_hold(part.type, wanted) for part in kind)


def _part(region: _Region, wanted: RegionKind) -> tuple[pa.Table, Int64s]:
    """Regions as a table of paths, labels, numbers and attributes; and their images."""
    level, column = region.level, region.column
    values = level.columns[column]
    holds = numbers_of(values.is_valid())
    if pa.types.is_boolean(values.type):
        holds &= numbers_of(values.fill_null(False))
    keep = np.flatnonzero(holds)
    index = number_array(keep)
    label = (
        pa.nulls(len(keep), pa.string()) if region.label == PIXEL_LABEL_FIELD else pa.repeat(region.label, len(keep))
    )
    part = {"path": level.paths(column, keep), "label": label, wanted.column: values.take(index).cast(wanted.type)}
    prefix = column.removesuffix(_POSITION)
    for key, kind in level.columns.types.items() if prefix != column else ():
        short = key.removeprefix(prefix)
        if key.startswith(prefix) and "." not in short and not is_list(kind) and short not in (_POSITION, *_UNKEPT):
            part[short] = level.columns[key].take(index)
    return pa.table(part), region.image[keep]


def _level_of(name: str, array: pa.Array, paths: Paths) -> Level:
    return Level(len(array), Columns({name: array}), paths)


def _image_paths(data: Node, label: str) -> Paths:
    """Paths of the regions of a label: records of a struct array, of a struct, or cells of a table."""
    path = data.path
    if isinstance(data, StructArrayNode):
        return lambda name, index: numbered(f"{path}(", index, f").{name}")
    if isinstance(data, StructNode):
        return lambda name, index: pa.repeat(scalar(f"{path}.{name}"), len(index))
    return lambda name, index: numbered(f"{path}.{label}{{", index, "}" + name.removeprefix(label))


def no_paths(name: str, index: Int64s) -> pa.Array:
    """Paths of what has none of its own."""
    return pa.repeat(scalar(""), len(index))
