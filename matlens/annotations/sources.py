"""Box sources of a file, and the canonical table made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Unpack

import numpy as np
import pyarrow as pa

from matlens.annotations.choosing import Choice, Confidence, Wanted, choices_of, without_indices
from matlens.annotations.conventions import convert
from matlens.annotations.evidence import Evidence
from matlens.annotations.finding import levels_of
from matlens.annotations.levels import Level, is_list
from matlens.annotations.readings import Reading
from matlens.columns.buffers import number_array, numbers_of, scalar, text_array
from matlens.columns.table import with_metadata
from matlens.errors import MatlensError, NoBoxesFound, PathError
from matlens.names import unique_names
from matlens.tree.file import MatFile, ReadingOptions, Source, opened

CORNERS = ("xmin", "ymin", "xmax", "ymax")
FRAME = "frame"
"""Column of the frame of a video, counted from 1."""
MAX_CARRIED = 16
"""Numbers of a row that is repeated for each box below it."""


@dataclass(slots=True)
class BoxSource:
    """Boxes of one field, or of four fields together, and what stands beside them.

    Attributes
    ----------
    path : str
        Where the first box is.
    fields : tuple of str
        Field names of the numbers.
    image, label : str or None
        The columns taken for the image name and the label.
    evidence : Evidence
        Convention, and what speaks for it.
    confidence : {"sure", "likely", "doubtful"}
        How certain it is that these are boxes; doubtful ones are read only where `path` asks for them.
    reasons : list of str
        What speaks for boxes and against them.
    is_label_sure : bool
        Whether name and values agree on the label.
    labels : list of str
        Columns that may be labels, where nothing decides between them.
    also : list of str
        Where the same boxes stand, too.
    """

    file: str
    path: str
    fields: tuple[str, ...]
    image: str | None
    label: str | None
    evidence: Evidence
    confidence: Confidence
    reasons: list[str] = field(repr=False)
    is_label_sure: bool = field(repr=False)
    labels: list[str] = field(repr=False)
    also: list[str] = field(repr=False)
    reading: Reading = field(repr=False)

    def __len__(self) -> int:
        return len(self.reading.record)

    @property
    def variable(self) -> str:
        """Path of all boxes together, which `find` and ``--path`` take."""
        return without_indices(self.path)

    @property
    def layout(self) -> str | None:
        """Order of the four numbers, without their origin: ``xyxy``, ``xywh``, ``xxyy`` …"""
        return self.evidence.layout

    @property
    def convention(self) -> str | None:
        """Name of the inferred convention, None if it is undecided."""
        return self.evidence.convention

    def to_arrow(self, convention: str | None = None, image_size: Any = None) -> pa.Table:
        """The canonical table: one row for each box.

        Parameters
        ----------
        convention : str, optional
            Overrides the inferred one.
        image_size : array_like, shape (2,), optional
            Width and height in pixels, for ``yolo``.

        Raises
        ------
        AmbiguousConvention
            If it is neither given nor decided by the data.
        """
        used = convention or self.evidence.require()
        reading, level = self.reading, self.reading.level
        boxes = convert(reading.values, used, "xyxy", image_size)
        columns: dict[str, pa.Array] = {"source": reading.paths()}
        columns["image"] = self._beside(self.image)
        if FRAME in level.names() and level.convention is not None:
            columns[FRAME] = self._beside(FRAME)
        columns["label"] = _as_label(self._beside(self.label))
        columns |= {name: number_array(boxes[:, k]) for k, name in enumerate(CORNERS)}
        for name in level.names():
            if name not in (*self.fields, self.image, self.label, FRAME) and _stays(level, name):
                columns[_free(name, columns)] = self._beside(name)
        for name, values in reading.extras.items():
            columns[_free(name, columns)] = number_array(values)
        about = {"source": self.file, "variable": self.path, "boxes": self._about(used)}
        return with_metadata(pa.table(columns), about)

    def _beside(self, name: str | None) -> pa.Array:
        """A column at the records of the boxes; nothing for None."""
        if name is None:
            return pa.nulls(len(self), pa.string())
        column, record = self.reading.level.column(name), self.reading.record
        return column if len(record) == len(column) else column.take(number_array(record))

    def image_rows(self) -> pa.Table:
        """All images, those without boxes too: a row for each, with what stands beside their names."""
        if self.image is None:
            return pa.table({"image": text_array([])})
        level = self.reading.level.home(self.image)
        others = [name for name in level.names() if name not in (self.image, "image") and _stays(level, name)]
        return pa.table({"image": level.column(self.image)} | {name: level.column(name) for name in others})

    def _about(self, convention: str) -> dict[str, Any]:
        return {
            "convention": convention,
            "inferred": convention == self.convention,
            "fields": list(self.fields),
            "image_field": self.image,
            "label_field": self.label,
            "confidence": self.confidence,
            "evidence": self.evidence.reasons,
            "violations": self.evidence.violations,
            "stored_as": "xyxy: 0-based half-open pixel edges",
        }


def find(
    source: Source,
    path: str | None = None,
    *,
    columns: str | None = None,
    image_field: str | None = None,
    label_field: str | None = None,
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
    with opened(source, **options) as file:
        told = [] if problems is None else problems
        wanted = None if path is None else Wanted(file.at(path).path, _start(columns))
        levels = list(levels_of(list(file.values()), told))
        found = choices_of(levels, wanted)
        if path is not None and not found:
            # Some elements of a value have no name of their own.
            found = choices_of(levels_of([file.at(path)], told), wanted)
        for choice in found:
            _find_fields(choice.reading.level, levels, (image_field, label_field))
        if near is not None and path is None:
            others = [_source(file, choice, None, None) for choice in found if not choice.is_named]
            near += [f"{len(other):,} rows of four numbers: --path {other.variable}" for other in others]
        return [_source(file, each, image_field, label_field) for each in found if each.is_named or path is not None]


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


def _source(file: MatFile, choice: Choice, image: str | None, label: str | None) -> BoxSource:
    names = choice.reading.level.names()
    for wanted in (image, label):
        if wanted is not None and wanted not in names:
            raise PathError(f"no field {wanted!r} beside the boxes; there are {', '.join(names)}", file=file.name)
    reading, roles = choice.reading, choice.roles
    for name in names:
        # The file may be closed when they are asked for.
        if _stays(reading.level, name):
            reading.level.home(name).columns[name]
    return BoxSource(
        file.name,
        reading.paths(1)[0].as_py(),
        reading.fields,
        image or roles.image,
        label or (roles.label if roles.label != image else None),
        choice.evidence,
        choice.confidence,
        choice.reasons,
        bool(label) or roles.is_label_sure,
        [] if label else roles.candidates,
        choice.also,
        reading,
    )


def read(
    source: Source,
    path: str | None = None,
    *,
    columns: str | None = None,
    convention: str | None = None,
    image_field: str | None = None,
    label_field: str | None = None,
    image_size: Any = None,
    **options: Unpack[ReadingOptions],
) -> pa.Table:
    """All boxes of a file as one canonical table.

    Parameters
    ----------
    source, path, columns, image_field, label_field, **options
        As for `find`.
    convention : str, optional
        Instead of the inferred one.
    image_size : array_like, shape (2,), optional
        Width and height in pixels, for ``yolo``.

    Returns
    -------
    pyarrow.Table
        ``source, image, label, xmin, ymin, xmax, ymax`` (0-based, half-open), then all
        further columns.

    Raises
    ------
    NoBoxesFound, AmbiguousConvention

    Examples
    --------
    >>> table = read("fixtures/annotations_v7.mat")
    >>> table.select(["image", "xmin", "ymin", "xmax", "ymax"]).slice(0, 1).to_pylist()
    [{'image': '00001.jpg', 'xmin': 90.0, 'ymin': 60.0, 'xmax': 130.0, 'ymax': 96.0}]
    """
    with opened(source, **options) as file:
        near: list[str] = []
        sources = find(file, path, columns=columns, image_field=image_field, label_field=label_field, near=near)
        return merge(file.name, sources, path, convention, image_size, near)


def merge(
    file: str,
    sources: Sequence[BoxSource],
    path: str | None = None,
    convention: str | None = None,
    image_size: Any = None,
    near: Sequence[str] = (),
) -> pa.Table:
    """One table of several sources, one after another; doubtful ones only where `path` asks for them."""
    certain = [source for source in sources if path is not None or source.confidence != "doubtful"]
    if not certain:
        doubtful = [f"{len(each):,} doubtful ones: --path {each.variable}" for each in sources]
        told = "; ".join([*doubtful, *near][:3])
        text = f"no bounding boxes in {path or 'any variable'}"
        raise NoBoxesFound(f"{text}; what came near: {told}" if told else text, file=file)
    tables = []
    for source in certain:
        try:
            tables.append(source.to_arrow(convention, image_size))
        except MatlensError as error:
            raise error.at(file=file, variable=source.path) from error.__cause__
    if len(tables) == 1:
        return tables[0]
    joined = concat(tables)
    about = {"source": file, "boxes": [source._about(convention or source.evidence.require()) for source in certain]}
    return with_metadata(joined, about)


def concat(tables: Sequence[pa.Table]) -> pa.Table:
    """Tables of boxes one after another; columns that one of them lacks are null there.

    Columns that differ in kind, such as class names beside class numbers, become text.
    """
    kinds: dict[str, set[Any]] = {}
    for table in tables:
        for column in table.schema:
            kinds.setdefault(column.name, set()).add(column.type)
    unlike = {name for name, types in kinds.items() if not _unify(types)}
    return pa.concat_tables([_as_text(table, unlike) for table in tables], promote_options="permissive")


def _unify(types: set[Any]) -> bool:
    """Whether Arrow finds a common type."""
    try:
        pa.unify_schemas([pa.schema([("x", kind)]) for kind in types], promote_options="permissive")
    except pa.ArrowTypeError:
        return False
    return True


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    for name in names.intersection(table.column_names):
        values = table[name].to_pylist()
        texts = text_array([None if value is None else str(value) for value in values])
        table = table.set_column(table.schema.get_field_index(name), name, texts)
    return table


def _as_label(array: pa.Array) -> pa.Array:
    """Class numbers that MATLAB kept as doubles become integers."""
    if pa.types.is_floating(array.type) and len(array):
        values = numbers_of(array.fill_null(scalar(0.0, array.type)))
        if np.isfinite(values).all() and (values == np.floor(values)).all() and np.abs(values).max() < 2**53:
            return array.cast(pa.int64())
    return array


def _stays(level: Level, name: str) -> bool:
    """Whether a column is told beside each box: no ragged ones, and of levels above no wide ones."""
    kind = level.type_of(name)
    if not is_list(kind):
        return True
    is_near = name in level.columns or kind.list_size <= MAX_CARRIED if pa.types.is_fixed_size_list(kind) else False
    return is_near and not is_list(kind.value_type)


def _free(name: str, taken: Iterable[str]) -> str:
    return unique_names([*taken, name])[-1]
