"""What MATLAB's labelers and detectors keep: ``groundTruth``, labeling sessions, tables with a column for each class.

A labeler stores for each image or frame, and for each label, rows of x, y, width and height; where a label has
attributes or sublabels, a struct for each region with its ``Position``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from matlens.annotations.levels import (
    BOX_NAME,
    Columns,
    Level,
    Paths,
    is_list,
    is_row,
    levels_below,
    may_hold_boxes,
    numbered,
)
from matlens.annotations.roles import is_image_names
from matlens.columns.buffers import number_array, numbers_of, scalar, text_array
from matlens.columns.unify import Rows
from matlens.errors import MatlensError
from matlens.formats.records import Int64s
from matlens.tree.access import guarded, stored_table
from matlens.tree.nodes import CellNode, StructArrayNode, StructNode
from matlens.tree.nodes.node import Node
from matlens.tree.nodes.opaque import OpaqueNode

_POSITION = "Position"
"""Field of the numbers of a region, where it has attributes."""
_UNKEPT = ("LabelUIDs", "Order")
"""Fields of regions that only the tool needs."""
_CONVENTION = "xywh1"
_REGIONS = ("AnnotationStruct", "AnnotationStruct_")
"""Fields of a session that hold a struct for each image."""
MAX_DEPTH = 8
"""Levels of a session down to the regions."""


@dataclass(slots=True)
class _Images:
    """Names of images, or the video of which they are the frames, with their times in seconds."""

    names: list[str] | None = None
    times: pa.Array | None = None

    def columns(self, count: int) -> dict[str, pa.Array]:
        """Columns of so many images: frames count from 1, as ``read(video, k)`` does."""
        if self.names is not None and len(self.names) == count and (count > 1 or self.times is None):
            return {"image": text_array(self.names)}
        if self.names is None or len(self.names) != 1:
            return {}
        name = PurePosixPath(self.names[0].replace("\\", "/")).name
        found = {"image": text_array([name] * count), "frame": number_array(np.arange(1, count + 1, dtype=np.int64))}
        return found | ({"time": self.times} if self.times is not None and len(self.times) == count else {})


def is_labeler(node: OpaqueNode) -> bool:
    """Whether an object is the export or the session of a labeler: nothing else in it is a box."""
    return node.matlab_class == "groundTruth" or node.matlab_class.endswith(".tool.Session")


def other_labels(node: OpaqueNode) -> str:
    """What a labeler keeps that has no rectangles, in words."""
    record = _member(node, "any") or node
    definitions = _member(record, "LabelDefinitions")
    columns = _columns(definitions) if definitions is not None and definitions.numel else {}
    if not {"Name", "Type"} <= columns.keys():
        return f"{node.path}: a {node.matlab_class} without rectangles"
    kinds = zip(columns["Name"].to_pylist(), columns["Type"].to_pylist(), strict=True)
    told = ", ".join(f"{name} ({kind})" for name, kind in kinds)
    return f"{node.path}: a {node.matlab_class} without rectangles; its labels are {told}"


def labelled_levels(node: OpaqueNode) -> list[Level]:
    """One record for each region of a ``groundTruth`` object, a labeling session or a table of box columns.

    None of any other object. Regions that are no rectangles are left out.
    """
    name = node.matlab_class
    if name == "groundTruth":
        found = [_of_ground_truth(node)]
    elif name.endswith(".tool.Session"):
        found = list(_of_session(node))
    else:
        found = [_of_table(node)] if name in ("table", "timetable") else []
    return [level for level in found if level is not None]


# --- ground truth --------------------------------------------------------------------------


def _of_ground_truth(node: OpaqueNode) -> Level | None:
    """The label data of an Image or Video Labeler, beside the names of its images."""
    record = _member(node, "any") or node
    data = _member(record, "LabelData")
    if data is None:
        return None
    source = _member(record, "DataSource")
    images = _Images() if source is None else _Images(_texts(_member(source, "Source")), _times(source))
    return _long(data, _rectangles(_member(record, "LabelDefinitions")), images)


def _of_session(node: OpaqueNode) -> Iterator[Level | None]:
    """The regions of a session of a labeler, wherever its release has put them, beside the images of each signal."""
    record = _member(node, "any") or node
    images = _Images(_texts(_member(record, "ImageFilenames")) or _texts(_member(record, "VideoFileName")))
    signals = dict(_signals(_member(record, "SignalModel", "SignalSources")))
    regions = _member(record, "ROIAnnotations")
    for data, parent in _annotation_structs(regions) if regions is not None else ():
        name = (_texts(_member(parent, "SignalName")) or [""])[0]
        own = signals.get(name) or (next(iter(signals.values())) if len(signals) == 1 else images)
        definitions = _member(parent, "LabelSet", "DefinitionStruct")
        yield _long(data, _rectangles(definitions), images if images.names else own)


def _signals(sources: Node | None) -> Iterator[tuple[str, _Images]]:
    """Videos and image sequences of a session, by the name of the signal."""
    for source in () if sources is None else [sources] if sources.numel == 1 else sources.children():
        record, stamps = _member(source, "any"), _member(source, "any", "Timestamp")
        first = stamps.children(0, 1)[0] if isinstance(stamps, CellNode) and stamps.numel else None
        if record is not None:
            times = None if first is None else _durations(first)
            yield (
                (_texts(_member(record, "SignalName")) or [""])[0],
                _Images(_texts(_member(record, "SourceName")), times),
            )


def _annotation_structs(node: Node, depth: int = 0) -> Iterator[tuple[Node, Node]]:
    """Structs with a field for each label and a record for each image, and what they stand in."""
    children = node.children() if depth < MAX_DEPTH and isinstance(node, StructNode | OpaqueNode | CellNode) else []
    for child in children:
        if child.name in _REGIONS and isinstance(child, StructNode | StructArrayNode):
            yield child, node
    for child in children:
        if child.name != "Cache":
            yield from _annotation_structs(child, depth + 1)


def _member(node: Node, *names: str) -> Any:
    """A field of structs or objects below each other; None where there is none."""
    for name in names:
        if not isinstance(node, StructNode | OpaqueNode):
            return None
        try:
            node = node[name]
        except MatlensError:
            return None
    return node


def _texts(node: Node | None) -> list[str] | None:
    """Texts of a char, cell or string array; None of anything else."""
    if node is None:
        return None
    try:
        table = node.to_arrow()
    except MatlensError:
        return None
    if table.num_columns != 1 or not pa.types.is_string(table.schema.types[0]):
        return None
    return [text or "" for text in table.column(0).to_pylist()] or None


def _times(source: Node) -> pa.Array | None:
    stamps = _member(source, "TimeStamps")
    return _durations(stamps) if stamps is not None and stamps.matlab_class == "duration" else None


def _durations(node: Node) -> pa.Array | None:
    """Seconds of a duration array."""
    table = node.to_arrow()
    if table.num_columns != 1 or not pa.types.is_duration(table.schema.types[0]):
        return None
    return _seconds(table.column(0))


def _seconds(durations: Any) -> pa.Array:
    return number_array(numbers_of(durations.cast(pa.int64())) / 1e6)


def _rectangles(definitions: Node | None) -> list[str] | None:
    """Names of the labels that are rectangles; None where nothing tells."""
    if definitions is None:
        return None
    columns = _columns(definitions)
    if "Name" not in columns:
        return None
    names = [str(name) for name in columns["Name"].to_pylist()]
    types = columns["Type"].to_pylist() if "Type" in columns else ["Rectangle"] * len(names)
    return [name for name, kind in zip(names, types, strict=True) if kind == "Rectangle"]


# --- tables --------------------------------------------------------------------------------


def _of_table(node: OpaqueNode) -> Level | None:
    """A table with a column of boxes for each class beside names of images; of another, its rows as records."""
    table = node.table()
    kinds = dict(zip(table.schema.names, table.schema.types, strict=True))
    boxes = [name for name, kind in kinds.items() if may_hold_boxes(kind)]
    singles = [name for name, kind in kinds.items() if _is_text(kind) or not is_list(kind)]
    if not boxes and len(singles) < 4:
        return None
    columns = _columns(node)
    texts = [name for name, kind in kinds.items() if _is_text(kind)]
    images = [name for name in texts if is_image_names(columns[name])]
    classes = {child.name: child.matlab_class for child in node.children()}
    if boxes and images == texts[:1] == texts and _are_labels(classes, columns, boxes):
        return _long(node, boxes, _Images(columns[texts[0]].to_pylist() if texts else None), columns)

    def paths(name: str, index: Int64s) -> pa.Array:
        if not name:
            return numbered(f"{node.path}(", index, ",:)")
        stored = next((other for other in columns if name == other or name.startswith(f"{other}.")), name)
        end = ",:)" if is_list(kinds.get(stored, pa.null())) else ")"
        opening, closing = ("{", "}") if classes.get(stored) == "cell" else ("(", end)
        return numbered(f"{node.path}.{stored}{opening}", index, closing + name[len(stored) :])

    return Level(table.num_rows, Columns(columns), paths)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))


def _plain(array: pa.Array) -> pa.Array:
    return array.cast(pa.string()) if pa.types.is_dictionary(array.type) else array


def _are_labels(classes: dict[str, str], columns: dict[str, pa.Array], names: Sequence[str]) -> bool:
    """Whether columns are those of classes: cells of rows of four numbers, or of regions with a position."""
    return all(
        classes.get(name) == "cell"
        and not BOX_NAME.search(name)
        and next(_regions(_level_of(name, columns[name], _no_paths), name), None) is not None
        for name in names
    )


# --- one record for each region ------------------------------------------------------------


class _Region(NamedTuple):
    """Regions of one label: the level whose records they are, the column of their boxes, and the image of each."""

    label: str
    level: Level
    column: str
    image: Int64s


def _long(
    data: Node, names: Sequence[str] | None, images: _Images, columns: dict[str, pa.Array] | None = None
) -> Level | None:
    """The regions of all labels, one below the other, each with its label, image and attributes."""
    columns = _columns(data) if columns is None else columns
    count = len(next(iter(columns.values()))) if columns else 0
    found = [
        region
        for name, array in columns.items()
        if names is None or name in names
        for region in _regions(_level_of(name, array, _image_paths(data, name)), name)
    ]
    if not found:
        return None
    parts = [_part(region) for region in found]
    joined = pa.concat_tables([part for part, _ in parts], promote_options="permissive").combine_chunks()
    made = {name: joined[name].combine_chunks() for name in joined.column_names}
    paths, image = made.pop("path"), np.concatenate([image for _, image in parts])
    stamps = next((array for array in columns.values() if pa.types.is_duration(array.type)), None)
    if images.times is None and stamps is not None:
        images.times = _seconds(stamps)
    above = Level(count, Columns(images.columns(count)), _no_paths)

    def path_of(name: str, index: Int64s) -> pa.Array:
        return paths.take(number_array(index))

    return Level(len(image), Columns(made), path_of, None, above, image, _CONVENTION)


def _regions(level: Level, name: str) -> Iterator[_Region]:
    """Regions of the label `name`, and of its sublabels as ``Label/Sublabel``."""
    rows = [key for key, kind in level.columns.types.items() if is_row(kind) and kind.list_size == 4]
    positions = [key for key in rows if key.endswith(f".{_POSITION}")]
    for key in positions or rows:
        inner = key[len(name) :].removesuffix(f".{_POSITION}").replace(".", "/")
        yield _Region(name + inner, level, key, np.arange(level.size))
    for below in levels_below(level):
        for region in _regions(below, name):
            yield region._replace(image=below.parent_index[region.image])


def _part(region: _Region) -> tuple[pa.Table, Int64s]:
    """Regions as a table of paths, labels, boxes and attributes; and their images."""
    level, column = region.level, region.column
    boxes = level.columns[column]
    keep = np.flatnonzero(numbers_of(boxes.is_valid()))
    index = number_array(keep)
    part = {"path": level.paths(column, keep), "label": pa.repeat(scalar(region.label), len(keep))}
    part["boxes"] = boxes.take(index).cast(pa.list_(pa.float64(), 4))
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


def _no_paths(name: str, index: Int64s) -> pa.Array:
    return pa.repeat(scalar(""), len(index))


def _columns(node: Node) -> dict[str, pa.Array]:
    """Columns of a table or of structs, with a row for each record however many there are."""
    with guarded(node):
        table = stored_table(node, rows=Rows.RECORDS).read_all().combine_chunks()
    return {name: _plain(table[name].combine_chunks()) for name in table.column_names}
