"""What MATLAB's labelers and detectors keep: ``groundTruth``, labeling sessions, tables of a column for each class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from matlens.annotations.label_regions import (
    PIXEL_LABEL,
    PIXEL_LABEL_FIELD,
    RECTANGLE,
    has_regions,
    no_paths,
    region_level,
)
from matlens.annotations.level_columns import LevelColumn, column_of
from matlens.annotations.levels import BOX_NAME, MIN_UNEVEN, Columns, Level, is_list, may_hold_boxes, numbered
from matlens.annotations.roles import is_image_names
from matlens.columns.buffers import number_array, numbers_of, text_array
from matlens.columns.unify import Rows
from matlens.errors import MatlensError, UnsupportedValue
from matlens.formats.records import Int64s
from matlens.tree.access import elements_below, guarded, stored_table
from matlens.tree.nodes import CellNode, StructArrayNode, StructNode
from matlens.tree.nodes.node import Node
from matlens.tree.nodes.opaque import OpaqueNode

_GROUND_TRUTHS = ("groundTruth", "groundTruthLidar", "groundTruthMultisignal", "groundTruthMedical")
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
    """Whether an object is the export or the session of a labeler: nothing else in it is an annotation."""
    return node.matlab_class in _GROUND_TRUTHS or node.matlab_class.endswith(".tool.Session")


def other_labels(node: OpaqueNode) -> str:
    """What a labeler keeps that has no rectangles, in words."""
    record = _member(node, "any") or node
    told = ", ".join(f"{name} ({kind})" for name, kind in _definitions(_member(record, "LabelDefinitions")) or ())
    return f"{node.path}: a {node.matlab_class} without rectangles" + (f"; its labels are {told}" if told else "")


def labelled_levels(node: OpaqueNode, region: str, problems: list[MatlensError]) -> list[Level]:
    """One record for each region of a ``groundTruth`` object, a labeling session or a table of box columns.

    None of any other object. Regions of other kinds than `region` are left out; what fits none goes to `problems`.
    """
    name = node.matlab_class
    if name in _GROUND_TRUTHS:
        found = list(_of_ground_truth(node, region, problems))
    elif name.endswith(".tool.Session"):
        found = list(_of_session(node, region))
    else:
        found = [_of_table(node, region, problems)] if name in ("table", "timetable") else []
    return [level for level in found if level is not None]


# --- ground truth --------------------------------------------------------------------------


def _of_ground_truth(node: OpaqueNode, region: str, problems: list[MatlensError]) -> Iterator[Level | None]:
    """The labels of images, videos, point clouds or several signals, beside the names of the images."""
    record = _member(node, "any") or node
    names, source = _labels(_member(record, "LabelDefinitions"), region), _member(record, "DataSource")
    data = _member(record, "LabelData")
    if data is not None:
        images = _Images() if source is None else _Images(_texts(_member(source, "Source")), _times(source))
        yield _long(data, region, names, images, _label_columns(data, problems))
        return
    signals = dict(_signals(source))
    for field in ("ROILabelData", "SceneLabelData"):
        below = _member(record, field)
        for table in _label_tables(below, set(names or ())) if below is not None else ():
            columns = _label_columns(table, problems)
            yield _long(table, region, names, signals.get(table.name, _Images()), columns)


def _label_tables(node: Node, names: set[str], depth: int = 0) -> Iterator[Node]:
    """Tables and structs below a node that have columns of labels: one for each signal."""
    if isinstance(node, OpaqueNode) and node.matlab_class in ("table", "timetable"):
        if names & set(node.table().schema.names):
            yield node
    elif isinstance(node, StructArrayNode | StructNode) and names & set(node.fields()):
        yield node
    elif depth < MAX_DEPTH and isinstance(node, StructNode | OpaqueNode | CellNode):
        for child in node.children():
            yield from _label_tables(child, names, depth + 1)


def _of_session(node: OpaqueNode, region: str) -> Iterator[Level | None]:
    """The regions of a session of a labeler, wherever its release has put them, beside the images of each signal."""
    record = _member(node, "any") or node
    images = _Images(_texts(_member(record, "ImageFilenames")) or _texts(_member(record, "VideoFileName")))
    signals = dict(_signals(_member(record, "SignalModel", "SignalSources")))
    regions = _member(record, "ROIAnnotations")
    for data, parent in _annotation_structs(regions) if regions is not None else ():
        name = (_texts(_member(parent, "SignalName")) or [""])[0]
        own = signals.get(name) or (next(iter(signals.values())) if len(signals) == 1 else images)
        definitions = _member(parent, "LabelSet", "DefinitionStruct")
        yield _long(data, region, _labels(definitions, region), images if images.names else own)


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


def _definitions(node: Node | None) -> list[tuple[str, str]] | None:
    """Names and kinds of the labels; None where nothing tells."""
    columns = {} if node is None or not node.numel else _columns(node)
    if "Name" not in columns:
        return None
    names = [str(name) for name in columns["Name"].to_pylist()]
    kinds = next((columns[field].to_pylist() for field in ("Type", "LabelType") if field in columns), None)
    return list(zip(names, map(str, kinds or [RECTANGLE] * len(names)), strict=True))


def _labels(definitions: Node | None, region: str) -> list[str] | None:
    """Names of the labels of a kind; None where nothing tells."""
    found = _definitions(definitions)
    if found is None:
        return None if region == RECTANGLE else []
    if region == PIXEL_LABEL and any(kind == region for _, kind in found):
        return [PIXEL_LABEL_FIELD]
    return [name for name, kind in found if kind == region]


# --- tables --------------------------------------------------------------------------------


def _of_table(node: OpaqueNode, region: str, problems: list[MatlensError]) -> Level | None:
    """A table with a column of boxes for each class beside names of images; of another, its rows as records."""
    table = node.table()
    kinds = dict(zip(table.schema.names, table.schema.types, strict=True))
    uneven = _columns_with_odd(node, kinds, problems)
    kinds |= {name: column.kind for name, column in uneven.items()}
    boxes = [name for name, kind in kinds.items() if may_hold_boxes(kind)]
    singles = [name for name, kind in kinds.items() if _is_text(kind) or not is_list(kind)]
    if region == RECTANGLE and not boxes and len(singles) < 4:
        return None
    columns = _columns(node) | {name: column.make() for name, column in uneven.items()}
    texts = [name for name, kind in kinds.items() if _is_text(kind)]
    images = [name for name in texts if is_image_names(columns[name])]
    classes = {child.name: child.matlab_class for child in node.children()}
    if boxes and images == texts[:1] == texts and _are_labels(classes, columns, boxes):
        names = boxes if region == RECTANGLE else []
        problems += _told_of_odd(node, uneven)
        return _long(node, region, names, _Images(columns[texts[0]].to_pylist() if texts else None), columns)

    def paths(name: str, index: Int64s) -> pa.Array:
        if not name:
            return numbered(f"{node.path}(", index, ",:)")
        stored = next((other for other in columns if name == other or name.startswith(f"{other}.")), name)
        end = ",:)" if is_list(kinds.get(stored, pa.null())) else ")"
        opening, closing = ("{", "}") if classes.get(stored) == "cell" else ("(", end)
        return numbered(f"{node.path}.{stored}{opening}", index, closing + name[len(stored) :])

    found = Columns(columns)
    found.odd += [odd for column in uneven.values() for odd in column.odd]
    return Level(table.num_rows, found, paths)


def _columns_with_odd(
    node: Node, kinds: Mapping[str, pa.DataType], problems: list[MatlensError]
) -> dict[str, LevelColumn]:
    """Variables of a table that a few odd elements make something else of, without these."""
    found = {}
    for child in node.children() if isinstance(node, OpaqueNode) else ():
        if isinstance(child, CellNode) and child.numel >= MIN_UNEVEN and child.name in kinds:
            column = column_of(child, elements_below(child), child.name, problems)
            is_other = bool(column.odd) or column.kind != kinds[child.name]
            if is_other and not column.turned and may_hold_boxes(column.kind):
                found[child.name] = column
    return found


def _told_of_odd(node: Node, columns: Mapping[str, LevelColumn]) -> list[MatlensError]:
    """What is left out of the variables of a table, with the paths of the first."""
    told: list[MatlensError] = []
    for name, column in columns.items():
        path = f"{node.path}.{name}"
        for odd in column.odd:
            first = f"{path}{{{odd.first + 1}}}" if odd.name == name else path
            told.append(UnsupportedValue(odd.told(first), variable=path))
    return told


def _label_columns(node: Node, problems: list[MatlensError]) -> dict[str, pa.Array]:
    """Columns of labels, without their odd elements, of which the problems tell."""
    columns = _columns(node)
    uneven = _columns_with_odd(node, {name: array.type for name, array in columns.items()}, problems)
    problems += _told_of_odd(node, uneven)
    return columns | {name: column.make() for name, column in uneven.items()}


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))


def _plain(array: pa.Array) -> pa.Array:
    return array.cast(pa.string()) if pa.types.is_dictionary(array.type) else array


def _are_labels(classes: dict[str, str], columns: dict[str, pa.Array], names: Sequence[str]) -> bool:
    """Whether columns are those of classes: cells of rows of four numbers, or of regions with a position."""
    return all(
        classes.get(name) == "cell" and not BOX_NAME.search(name) and has_regions(name, columns[name]) for name in names
    )


def _long(
    data: Node, region: str, names: Sequence[str] | None, images: _Images, columns: dict[str, pa.Array] | None = None
) -> Level | None:
    """The regions of all labels, or of those with these `names`, below their images."""
    columns = _columns(data) if columns is None else columns
    count = len(next(iter(columns.values()))) if columns else 0
    stamps = next((array for array in columns.values() if pa.types.is_duration(array.type)), None)
    if images.times is None and stamps is not None:
        images.times = _seconds(stamps)
    above = Level(count, Columns(images.columns(count)), no_paths)
    chosen = {name: array for name, array in columns.items() if names is None or name in names}
    return region_level(data, region, chosen, above)


def _columns(node: Node) -> dict[str, pa.Array]:
    """Columns of a table or of structs, with a row for each record however many there are."""
    with guarded(node):
        table = stored_table(node, rows=Rows.RECORDS).read_all().combine_chunks()
    return {name: _plain(table[name].combine_chunks()) for name in table.column_names}
