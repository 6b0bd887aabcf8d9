"""Masks of a file: label matrices and logical images, each region as a row, in the run lengths of COCO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from matlens.annotations.class_names import Classes, class_names
from matlens.annotations.file_levels import levels_in
from matlens.annotations.levels import Level, is_list, without_indices
from matlens.annotations.mask_evidence import MaskEvidence, judge_masks
from matlens.annotations.roles import CLASS_NAME, LABEL_NAME, roles_of
from matlens.annotations.shape_sources import (
    ShapeSource,
    beside,
    certain_of,
    chosen_field,
    corner_columns,
    is_at,
    joined,
    named_labels,
    uncertain_label,
)
from matlens.annotations.sources import as_label
from matlens.annotations.stored_images import Picture, Pictures
from matlens.columns.buffers import is_number, number_array, numbers_of, text_array
from matlens.columns.table import with_metadata
from matlens.errors import MatlensError, PathError
from matlens.formats.records import Int64s
from matlens.helpers.run_lengths import Regions, empty_counts, regions_of
from matlens.tree.file import MatFile, ReadingOptions, Source, opened

MASK = pa.struct([("size", pa.list_(pa.int32(), 2)), ("counts", pa.string())])
"""Type of a mask: rows and columns of its image, and its run lengths as text, as pycocotools takes them."""
VALUE = "value"
"""Column of the value that the pixels of a region have in a label matrix."""


@dataclass(slots=True)
class MaskSource(ShapeSource):
    """Masks of one field or variable; they are read when the table is made, while the file is open.

    Attributes
    ----------
    parts : list of (Level, Pictures)
        The images of each place, with what stands beside them.
    """

    parts: list[tuple[Level, Pictures]] = field(repr=False)
    classes: Classes = field(repr=False)
    levels: Sequence[Level] = field(repr=False)
    owner: MatFile = field(repr=False)

    def __len__(self) -> int:
        """Number of images."""
        return sum(pictures.count for _, pictures in self.parts)

    def pictures(self) -> Iterator[Picture]:
        """The images themselves, one by one."""
        for _, pictures in self.parts:
            yield from pictures

    def to_arrow(self) -> pa.Table:
        """A row for each region of equal value above 0; for an image without any, one whose mask is empty.

        ``mask`` has the ``size`` of the image, rows and columns, and ``counts`` as `pycocotools.mask.decode` takes
        them; ``value`` is that of the pixels, ``area`` their number, and ``xmin, ymin, xmax, ymax`` the box around them
        (0-based, half-open).
        """
        tables = [self._table(level, pictures) for level, pictures in self.parts]
        told = {"layout": self.layout, "confidence": self.confidence, "image_field": self.image}
        return with_metadata(joined(tables), {"source": self.file, "variable": self.path, "masks": told})

    def _table(self, level: Level, pictures: Pictures) -> pa.Table:
        rows = _Rows()
        for picture in pictures:
            rows.add(picture)
        record = np.array(rows.records, np.int64)
        label = self.label if self.label in level.names() else None
        image = self.image if self.image in level.names() else None
        values = number_array(np.array(rows.values, np.int64), np.array(rows.values) == 0)
        columns = {"source": text_array(rows.paths)}
        columns |= beside(level, record, image, label, [pictures.name])
        if self.label == VALUE:
            columns["label"] = values
        elif label is None and not rows.are_logical:
            columns["label"] = _labels_by_value(level, record, np.array(rows.values, np.int64), self.levels)
        if is_number(columns["label"].type):
            named_labels(columns, class_names(self.owner, self.levels, columns["label"], self.classes))
        elif label is None and not rows.are_logical and columns["label"].null_count == len(record):
            classes = class_names(self.owner, self.levels, values, self.classes)
            columns["label"] = columns["label"] if classes is None else classes.of(values)
        columns["label"] = as_label(columns["label"])
        own = {"mask": rows.masks(), VALUE: values, "area": number_array(np.array(rows.areas, np.int64))}
        own |= corner_columns(rows.boxes)
        first = ("source", "image", "frame", "label")
        ordered = {name: columns.pop(name) for name in first if name in columns}
        return pa.table(ordered | own | {name: array for name, array in columns.items() if name not in own})


class _Rows:
    """The rows of a table of masks, as they come."""

    def __init__(self) -> None:
        self.records: list[int] = []
        self.paths: list[str] = []
        self.sizes: list[int] = []
        self.counts: list[str] = []
        self.values: list[int] = []
        self.areas: list[int] = []
        self.boxes: list[Sequence[float]] = []
        self.are_logical = True

    def add(self, picture: Picture) -> None:
        """A row for each region; for an image without any, one of an empty mask."""
        found: Regions = regions_of(picture.pixels)
        count = max(len(found.counts), 1)
        self.are_logical &= picture.pixels.dtype == bool
        self.records += [picture.record] * count
        self.paths += [picture.path] * count
        self.sizes += [*picture.pixels.shape] * count
        if found.counts:
            self.counts += found.counts
            self.values += found.values.astype(np.int64).tolist()
            self.areas += found.areas.tolist()
            self.boxes += found.boxes.tolist()
        else:
            self.counts.append(empty_counts(picture.pixels.size))
            self.values.append(0)
            self.areas.append(0)
            self.boxes.append([np.nan] * 4)

    def masks(self) -> pa.Array:
        sizes = pa.FixedSizeListArray.from_arrays(number_array(np.array(self.sizes, np.int32)), 2)
        return pa.StructArray.from_arrays([sizes, text_array(self.counts)], fields=list(MASK))


def _labels_by_value(level: Level, record: Int64s, values: Int64s, levels: Sequence[Level]) -> pa.Array:
    """Labels of regions, where a list beside an image has one for each of its values; else nothing."""
    highest = np.zeros(level.size, np.int64)
    np.maximum.at(highest, record, values)
    for name, kind in level.columns.types.items():
        if is_list(kind) and _is_label(name, kind.value_type):
            counts = numbers_of(pc.list_value_length(level.columns[name]).fill_null(0)).astype(np.int64)
            if np.array_equal(counts, highest):
                place = (np.cumsum(counts) - counts)[record] + values - 1
                return pc.list_flatten(level.columns[name]).take(number_array(place, values == 0))
    for other in levels if level.base is not None and level.size == 1 else ():
        if other.base == level.base and other.size == highest[0]:
            for name, kind in other.columns.types.items():
                if _is_label(name, kind):
                    return other.columns[name].take(number_array(values - 1, values == 0))
    return pa.nulls(len(record), pa.string())


def _is_label(name: str, kind: pa.DataType) -> bool:
    is_named = CLASS_NAME.search(name) or LABEL_NAME.search(name)
    return bool(is_named) and (is_number(kind) or bool(pa.types.is_string(kind)))


def find_masks(
    source: Source,
    path: str | None = None,
    *,
    image_field: str | None = None,
    label_field: str | None = None,
    classes: Classes = None,
    problems: list[MatlensError] | None = None,
    **options: Unpack[ReadingOptions],
) -> list[MaskSource]:
    """Find the masks of a file.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object or MatFile
        A `MatFile`, for the masks themselves are read from it when a table is made of them.
    path : str, optional
        Look only at this value, whatever its name.
    image_field, label_field : str, optional
        Field with the image name, and with the label; ``"value"`` takes the value of the pixels as the label.
    classes : str, sequence of str or mapping of int to str, optional
        Names of the classes that the values of pixels or labels stand for, as for `matlens.boxes.find`.
    problems : list, optional
        Filled with the errors of values that could not be looked into.
    **options
        ``engine``, ``isolate``, ``limits``, ``errors``, as for `matlens.open`.

    Returns
    -------
    list of MaskSource
        Empty if there are none.

    Examples
    --------
    >>> import matlens
    >>> image = np.zeros((20, 30), np.uint8)
    >>> image[5:9, 10:20] = 3
    >>> (found,) = find_masks(matlens.from_loadmat({"mask": image}))
    >>> found.to_arrow().select(["value", "area", "xmin", "ymin", "xmax", "ymax"]).to_pylist()
    [{'value': 3, 'area': 40, 'xmin': 10.0, 'ymin': 5.0, 'xmax': 20.0, 'ymax': 9.0}]
    """
    with opened(source, **options) as file:
        told = [] if problems is None else problems
        levels = levels_in(file, told, into_records=True)
        wanted = None if path is None else file.at(path).path
        places: dict[str, list[tuple[Level, Pictures]]] = {}
        for level in levels:
            for pictures in level.pictures:
                variable = without_indices(pictures.node.path)
                if is_at(variable, wanted):
                    places.setdefault(variable, []).append((level, pictures))
        chosen = (image_field, label_field)
        found = []
        for _, parts in sorted(places.items()):
            try:
                found.append(_source(file, levels, parts, wanted is not None, chosen, classes))
            except PathError:
                raise
            except MatlensError as error:
                told.append(error)
        return [each for each in found if each is not None]


def _source(
    file: MatFile,
    levels: Sequence[Level],
    parts: list[tuple[Level, Pictures]],
    is_wanted: bool,
    chosen: tuple[str | None, str | None],
    classes: Classes,
) -> MaskSource | None:
    """The masks of a place; None where they are none, and nobody asks for them."""
    several = sum(pictures.count for _, pictures in parts) > 1
    pixels = (picture for _, pictures in parts for picture in pictures)
    first = parts[0][1].node.path
    evidence = judge_masks(without_indices(first), pixels, several=several)
    if evidence is None:
        if not is_wanted:
            return None
        evidence = MaskEvidence("doubtful", ["the values are not those of masks"], "images")
    level = parts[0][0]
    roles = roles_of(level, parts[0][1].name, [parts[0][1].name])
    image = chosen_field(level, roles.image, chosen[0], file.name)
    label = VALUE if chosen[1] == VALUE else chosen_field(level, roles.label, chosen[1], file.name)
    told = (evidence.confidence, [*evidence.reasons, *uncertain_label(label, roles)])
    return MaskSource(file.name, first, evidence.layout, image, label, *told, parts, classes, levels, file)


def read_masks(source: Source, path: str | None = None, **options: Any) -> pa.Table:
    """All masks of a file as one table, as `MaskSource.to_arrow` describes it.

    Parameters
    ----------
    source, path, **options
        As for `find_masks`.

    Raises
    ------
    NoAnnotationsFound
        If there are none, or doubtful ones alone; it names what came near.
    """
    reading = {name: options.pop(name) for name in ReadingOptions.__annotations__.keys() & options.keys()}
    with opened(source, **reading) as file:
        certain = certain_of(find_masks(file, path, **options), "masks", path, file.name)
        return joined([each.to_arrow() for each in certain])
