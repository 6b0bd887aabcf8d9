"""Boxes by label: tables with a column for each class, as MATLAB's labelers and detectors keep them."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from matlens.annotations.levels import Level, is_list
from matlens.columns.buffers import is_number, list_array, numbers_of, scalar, text_array
from matlens.columns.build import build_column
from matlens.errors import MatlensError
from matlens.formats.records import Int64s
from matlens.tree.access import elements_below, guarded, reader_of
from matlens.tree.nodes import StructArrayNode, StructNode
from matlens.tree.nodes.node import Node
from matlens.tree.nodes.opaque import OpaqueNode

_LABELERS = ("groundTruth", "groundTruthMultisignal")


def labelled_level(node: OpaqueNode) -> Level | None:
    """One record for each image and label, of a ``groundTruth`` object or of a table of box columns.

    None where there are no columns of boxes: of each image n rows of x, y, width and height.
    """
    if node.matlab_class in _LABELERS:
        return _of_ground_truth(node)
    if node.matlab_class in ("table", "timetable"):
        columns = _columns(node)
        boxes = {name: array for name, array in columns.items() if _holds_boxes(array.type)}
        images = next((array for array in columns.values() if pa.types.is_string(array.type)), None)
        return _long(boxes, images, lambda name, k: f"{node.path}.{name}{{{k + 1}}}") if boxes else None
    return None


def _of_ground_truth(node: OpaqueNode) -> Level | None:
    """The label data of an Image or Video Labeler, beside the names of its images."""
    record = _member(node, "any")
    record = node if record is None else record
    data = _member(record, "LabelData")
    if data is None:
        return None
    columns = _columns(data)
    names = _rectangles(_member(record, "LabelDefinitions")) or list(columns)
    boxes = {name: array for name, array in columns.items() if name in names and _holds_boxes(array.type)}
    if not boxes:
        return None
    source = _member(record, "DataSource")
    images = _images(_member(source, "Source") if source is not None else None, len(next(iter(boxes.values()))))
    one = "({})" if isinstance(data, StructArrayNode) else ""

    def path(name: str, k: int) -> str:
        return f"{data.path}{one.format(k + 1)}.{name}" if one else f"{data.path}.{name}{{{k + 1}}}"

    return _long(boxes, images, path)


def _member(node: Node, name: str) -> Node | None:
    if not isinstance(node, StructNode | OpaqueNode):
        return None
    try:
        return node[name]
    except MatlensError:
        return None


def _columns(node: Node) -> dict[str, pa.Array]:
    if isinstance(node, StructArrayNode):
        with guarded(node):
            return {name: build_column(reader_of(node), elements_below(node, name), name) for name in node.fields()}
    table = node.to_arrow().combine_chunks()
    return {name: column.combine_chunks() for name, column in zip(table.column_names, table.columns, strict=True)}


def _holds_boxes(kind: Any) -> bool:
    """Rows of four numbers, or lists of such, as many in each image or not."""
    if is_list(kind) and is_list(kind.value_type):
        kind = kind.value_type
    return bool(pa.types.is_fixed_size_list(kind) and kind.list_size == 4 and is_number(kind.value_type))


def _rectangles(definitions: Node | None) -> list[str]:
    """Names of the labels that are rectangles."""
    if definitions is None:
        return []
    table = definitions.to_arrow()
    names = table["Name"].to_pylist() if "Name" in table.column_names else []
    types = table["Type"].to_pylist() if "Type" in table.column_names else ["Rectangle"] * len(names)
    return [str(name) for name, kind in zip(names, types, strict=True) if kind == "Rectangle"]


def _images(source: Node | None, count: int) -> pa.Array | None:
    """Names of the images: those of files, or of a video its name and the number of the frame."""
    if source is None:
        return None
    table = source.to_arrow()
    is_text = table.num_columns == 1 and pa.types.is_string(table.schema.types[0])
    texts = [text or "" for text in table.column(0).to_pylist()] if is_text else []
    if len(texts) == count:
        return text_array(texts)
    if len(texts) != 1:
        return None
    name = PurePosixPath(texts[0].replace("\\", "/")).name
    return text_array([f"{name}#{k + 1}" for k in range(count)])


def _long(boxes: dict[str, pa.Array], images: pa.Array | None, path: Any) -> Level:
    """Columns of one class each, one below the other, with the class beside them."""
    count = len(next(iter(boxes.values())))
    item = pa.list_(pa.list_(pa.float64(), 4))
    parts = [_as_lists(array).cast(item) for array in boxes.values()]
    columns: dict[str, pa.Array] = {
        "boxes": pa.concat_arrays(parts),
        "label": pa.concat_arrays([pa.repeat(scalar(name), count) for name in boxes]),
    }
    if images is not None:
        columns["image"] = pa.concat_arrays([images] * len(boxes))
    names = list(boxes)

    def paths(name: str, index: Int64s) -> pa.Array:
        return text_array([path(names[k // count], k % count) for k in index.tolist()])

    return Level(count * len(boxes), columns, paths, convention="xywh1")


def _as_lists(array: pa.Array) -> pa.Array:
    """Single boxes as lists of one."""
    if is_list(array.type.value_type):
        return array
    return list_array(array.drop_null(), numbers_of(array.is_valid()).astype(np.int64))
