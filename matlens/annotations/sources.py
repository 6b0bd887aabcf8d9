"""Box sources of a file, and the canonical table made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

import numpy as np
import pyarrow as pa

from matlens.annotations.conventions import convert
from matlens.annotations.detect import BoxColumns, box_columns, image_column, label_column
from matlens.annotations.evidence import Evidence, judge
from matlens.annotations.finding import levels_of
from matlens.annotations.levels import is_list
from matlens.columns.buffers import number_array, numbers_of, scalar, text_array
from matlens.columns.table import with_metadata
from matlens.errors import MatlensError, NoBoxesFound, PathError
from matlens.names import unique_names
from matlens.tree.file import MatFile, ReadingOptions, Source, opened

CANONICAL = ("source", "image", "label", "xmin", "ymin", "xmax", "ymax")


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
    """

    file: str
    path: str
    fields: tuple[str, ...]
    image: str | None
    label: str | None
    evidence: Evidence
    columns: BoxColumns = field(repr=False)

    def __len__(self) -> int:
        return len(self.columns.record)

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
        boxes = convert(self.columns.values, used, "xyxy", image_size)
        record = number_array(self.columns.record)
        columns: dict[str, pa.Array] = {"source": self.columns.paths()}
        level = self.columns.level
        nothing = pa.nulls(len(self), pa.string())
        columns["image"] = level.column(self.image).take(record) if self.image else nothing
        columns["label"] = _as_label(level.column(self.label).take(record)) if self.label else nothing
        columns |= {name: number_array(boxes[:, k]) for k, name in enumerate(CANONICAL[3:])}
        for name in level.names():
            array = level.column(name)
            if name not in (*self.fields, self.image, self.label) and not _is_ragged(array.type):
                columns[_free(name, columns)] = array.take(record)
        for name, values in self.columns.extras.items():
            columns[_free(name, columns)] = number_array(values)
        about = {"source": self.file, "variable": self.path, "boxes": self._about(used)}
        return with_metadata(pa.table(columns), about)

    def image_rows(self) -> pa.Table:
        """All images, those without boxes too: a row for each, with what stands beside their names."""
        if self.image is None:
            return pa.table({"image": text_array([])})
        level = self.columns.level
        while self.image not in level.columns and level.parent is not None:
            level = level.parent
        others = [name for name in level.names() if name != self.image and not _is_ragged(level.column(name).type)]
        columns = {name: level.column(name) for name in others if name != "image"}
        return pa.table({"image": level.column(self.image)} | columns)

    def _about(self, convention: str) -> dict[str, Any]:
        return {
            "convention": convention,
            "inferred": convention == self.convention,
            "fields": list(self.fields),
            "image_field": self.image,
            "label_field": self.label,
            "evidence": self.evidence.reasons,
            "violations": self.evidence.violations,
            "stored_as": "xyxy: 0-based half-open pixel edges",
        }


def find(
    source: Source,
    path: str | None = None,
    *,
    image_field: str | None = None,
    label_field: str | None = None,
    problems: list[MatlensError] | None = None,
    **options: Unpack[ReadingOptions],
) -> list[BoxSource]:
    """Find the bounding boxes of a file.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object or MatFile
    path : str, optional
        Look only at this value, and take any four numbers in it for boxes.
    image_field, label_field : str, optional
        Field with the image name, and with the label, instead of the ones that are found.
    problems : list, optional
        Filled with the errors of values that could not be looked into.
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
        nodes = list(file.values()) if path is None else [file.at(path)]
        return [
            _source(file, columns, image_field, label_field)
            for level in levels_of(nodes, [] if problems is None else problems)
            for columns in box_columns(level, named=path is None)
            if len(columns.record)
        ]


def _source(file: MatFile, columns: BoxColumns, image: str | None, label: str | None) -> BoxSource:
    names = columns.level.names()
    for wanted in (image, label):
        if wanted is not None and wanted not in names:
            raise PathError(f"no field {wanted!r} beside the boxes; there are {', '.join(names)}", file=file.name)
    image = image or image_column(columns.level, columns.fields)
    label = label or label_column(columns.level, (*columns.fields, image or ""))
    evidence = judge(columns.values, columns.name, layout=columns.layout, convention=columns.level.convention)
    return BoxSource(file.name, columns.paths(1)[0].as_py(), columns.fields, image, label, evidence, columns)


def read(
    source: Source,
    path: str | None = None,
    *,
    convention: str | None = None,
    image_field: str | None = None,
    label_field: str | None = None,
    image_size: Any = None,
    **options: Unpack[ReadingOptions],
) -> pa.Table:
    """All boxes of a file as one canonical table.

    Parameters
    ----------
    source, path, image_field, label_field, **options
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
        sources = find(file, path, image_field=image_field, label_field=label_field)
        return merge(file.name, sources, path, convention, image_size)


def merge(
    file: str,
    sources: Sequence[BoxSource],
    path: str | None = None,
    convention: str | None = None,
    image_size: Any = None,
) -> pa.Table:
    """One table of several sources, one after another."""
    if not sources:
        raise NoBoxesFound(f"no bounding boxes in {path or 'any variable'}", file=file)
    tables = []
    for source in sources:
        try:
            tables.append(source.to_arrow(convention, image_size))
        except MatlensError as error:
            raise error.at(file=file, variable=source.path) from error.__cause__
    if len(tables) == 1:
        return tables[0]
    joined = concat(tables)
    about = {"source": file, "boxes": [source._about(convention or source.evidence.require()) for source in sources]}
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


def _is_ragged(kind: Any) -> bool:
    return bool(is_list(kind) and not pa.types.is_fixed_size_list(kind))


def _free(name: str, taken: Iterable[str]) -> str:
    return unique_names([*taken, name])[-1]
