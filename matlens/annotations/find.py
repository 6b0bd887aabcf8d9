"""Finding the boxes of a file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Unpack

import numpy as np

from matlens.annotations.choosing import Choice, Wanted, choices_of
from matlens.annotations.class_names import Classes, class_names, possible_names
from matlens.annotations.file_levels import TOO_DEEP, levels_of
from matlens.annotations.labelers import is_labeler, other_labels
from matlens.annotations.levels import Level, without_indices
from matlens.annotations.near_misses import near_misses
from matlens.annotations.sources import BoxesOfLevel, BoxSource, OtherBoxes, stays_beside
from matlens.errors import MatlensError, PathError, UnsupportedValue
from matlens.tree.file import MatFile, ReadingOptions, Source, opened
from matlens.tree.nodes import OpaqueNode


def find(
    source: Source,
    path: str | None = None,
    *,
    columns: str | None = None,
    image_field: str | None = None,
    label_field: str | None = None,
    classes: Classes = None,
    problems: list[MatlensError] | None = None,
    near: list[str] | None = None,
    **options: Unpack[ReadingOptions],
) -> list[BoxSource]:
    """Find the bounding boxes of a file.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object or MatFile
    path : str, optional
        Look only at this value, and take any four numbers in it for boxes.
    columns : str, optional
        Which numbers of wide rows are the box, counted from 1, such as ``"2:5"``.
    image_field, label_field : str, optional
        Field with the image name, and with the label, instead of the ones that are found: one that stands beside the
        boxes, or another value of as many elements.
    classes : str, sequence of str or mapping of int to str, optional
        Names of the classes that a label has as numbers, in order or by number; or where they stand, as
        ``"meta.mat:class_names"``, a ``.json`` or a file with a name on each line. By default they are looked for in
        the file and in neighbours such as ``cars_meta.mat``; ``""`` leaves the numbers.
    problems : list, optional
        Filled with the errors of values that could not be looked into.
    near : list, optional
        Filled with what may be boxes, though nothing but its shape says so, and how to read it.
    **options
        ``engine``, ``isolate``, ``limits``, ``errors``, as for `matlens.open`.

    Returns
    -------
    list of BoxSource
        Empty if there are none.

    Examples
    --------
    >>> import matlens
    >>> file = matlens.open("fixtures/annotations_v7.mat")
    >>> [(source.path, len(source), source.convention) for source in find(file)]
    [('annotations(1).boxes(1,:)', 140, 'xyxy1')]
    """
    if columns is not None and path is None:
        raise PathError(f"columns {columns} are those of rows at a path, and none is given")
    with opened(source, **options) as file:
        told = [] if problems is None else problems
        wanted = None if path is None else Wanted(file.at(path).path, _start(columns))
        levels = list(levels_of(list(file.values()), told))
        if path is not None:
            told[:] = [problem for problem in told if problem.message != TOO_DEEP]
        found = choices_of(levels, wanted)
        if path is not None and not found:
            # Some elements of a value have no name of their own.
            found = choices_of(levels_of([file.at(path)], told), wanted)
        for choice in found:
            _find_fields(choice.reading.level, levels, (image_field, label_field))
        chosen = [each for each in found if each.is_named or path is not None]
        for each in chosen:
            if each.confidence != "doubtful" or path is not None:
                told += [UnsupportedValue(text, variable=each.reading.variable) for text in each.reading.left_out]
        if near is not None:
            near += _came_near(file, levels, found) if path is None else near_misses(levels_of([file.at(path)], []))
        for level in {id(each.reading.level): each.reading.level for each in chosen}.values():
            _hold_beside(level)
        every = {id(each.others): each.others for each in chosen}
        boxes = {key: _boxes_of_level(others) for key, others in every.items()}
        asked = (image_field, label_field)
        return [_source(file, each, levels, asked, classes, boxes[id(each.others)]) for each in chosen]


def _boxes_of_level(choices: Sequence[Choice]) -> BoxesOfLevel:
    known = [each for each in choices if each.confidence != "doubtful"]
    return BoxesOfLevel([OtherBoxes(each.reading, each.evidence.convention) for each in known])


def _came_near(file: MatFile, levels: Sequence[Level], found: Sequence[Choice]) -> list[str]:
    """What may be boxes though nothing but its shape says so, and what is named so and is none."""
    others = [choice.reading for choice in found if not choice.is_named]
    near = [f"{len(other.record):,} rows of four numbers: --path {other.variable}" for other in others]
    near += _labelers_without_boxes(file) if len(others) == len(found) else []
    return near + near_misses(levels)


def _labelers_without_boxes(file: MatFile) -> list[str]:
    """What labelers have kept in a file without any box."""
    nodes = [node for node in file.values() if isinstance(node, OpaqueNode) and is_labeler(node)]
    try:
        return [other_labels(node) for node in nodes]
    except MatlensError:
        return []


def _start(columns: str | None) -> int | None:
    """Where the box begins in rows of more than four numbers, counted from 0."""
    if columns is None:
        return None
    match = re.fullmatch(r"(\d+)(?:[:-](\d+))?", columns.strip())
    if match is None or int(match[1]) < 1 or (match[2] and int(match[2]) != int(match[1]) + 3):
        raise PathError(f"expected four columns such as 2:5, found {columns!r}")
    return int(match[1]) - 1


def _find_fields(level: Level, others: Sequence[Level], wanted: Sequence[str | None]) -> None:
    """Let fields that are asked for stand beside boxes, where other values of the file have as many elements."""
    for name in wanted:
        if name is None or name in level.names():
            continue
        home: Level | None = level
        while home is not None:
            size = home.size
            found = next((other for other in others if other.size == size > 0 and _full(other, name)), None)
            if found is not None:
                stored = _full(found, name)
                home.columns.add(name, found.columns.types[stored], partial(found.columns.__getitem__, stored))
                break
            home = home.parent


def _full(level: Level, name: str) -> str:
    """Name of the column of a level that a field name or a path means; empty if it has none."""
    for stored in level.columns:
        path = without_indices(level.paths(stored, np.zeros(1, np.int64))[0].as_py())
        if name in (stored, path):
            return stored
    return ""


def _hold_beside(level: Level) -> None:
    """Make what stands beside boxes: the file may be closed when it is asked for."""
    for name in level.names():
        if stays_beside(level, name):
            level.home(name).columns[name]


def _source(
    file: MatFile,
    choice: Choice,
    levels: Sequence[Level],
    asked: tuple[str | None, str | None],
    classes: Classes,
    boxes: BoxesOfLevel,
) -> BoxSource:
    image, label = asked
    names = choice.reading.level.names()
    for wanted in (image, label):
        if wanted is not None and wanted not in names:
            raise PathError(f"no field {wanted!r} beside the boxes; there are {', '.join(names)}", file=file.name)
    reading, roles = choice.reading, choice.roles
    label_found = label or (roles.label if roles.label != image else None)
    numbers = None if label_found is None else reading.level.column(label_found)
    names_found = None if numbers is None else class_names(file, levels, numbers, classes)
    if numbers is not None and names_found is None and classes is None:
        choice.reasons += possible_names(file, levels, numbers)
    return BoxSource(
        file.name,
        reading.paths(1)[0].as_py(),
        reading.fields,
        image or roles.image or roles.image_number,
        label_found,
        choice.evidence,
        choice.confidence,
        choice.reasons,
        bool(label) or roles.is_label_sure,
        [] if label else roles.candidates,
        names_found,
        choice.also,
        reading,
        boxes,
    )
