"""Boxes of several sources as one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from matlens.annotations.sources import BoxSource
from matlens.columns.buffers import scalar, text_array
from matlens.columns.table import metadata_of, with_metadata
from matlens.errors import AmbiguousConvention, MatlensError, NoBoxesFound


def merge(
    file: str,
    sources: Sequence[BoxSource],
    path: str | None = None,
    convention: str | None = None,
    image_size: Any = None,
    near: Sequence[str] = (),
) -> pa.Table:
    """One table of several sources, one after another; doubtful ones only where `path` asks for them.

    Those whose convention is undecided are left out beside others that are decided, as `undecided` tells.
    """
    certain = certain_ones(sources, path)
    if not certain:
        doubtful = [f"{len(each):,} doubtful ones: --path {each.variable}" for each in sources]
        told = "; ".join([*doubtful, *near][:3])
        text = f"no bounding boxes in {path or 'any variable'}"
        raise NoBoxesFound(f"{text}; what came near: {told}" if told else text, file=file)
    left_out = [] if convention is not None else [each for each in certain if each.convention is None]
    if len(left_out) < len(certain):
        certain = [each for each in certain if each not in left_out]
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


def certain_ones(sources: Sequence[BoxSource], path: str | None) -> list[BoxSource]:
    """The sources that are read: doubtful ones only where `path` asks for them."""
    return [source for source in sources if path is not None or source.confidence != "doubtful"]


def undecided(
    file: str, sources: Sequence[BoxSource], path: str | None = None, convention: str | None = None
) -> list[MatlensError]:
    """What `merge` leaves out for its convention, and what to do."""
    certain = certain_ones(sources, path)
    if convention is not None or all(source.convention is None for source in certain):
        return []
    found = list[MatlensError]()
    for source in certain:
        if source.convention is None:
            text = f"{len(source):,} boxes are left out, whose convention is undecided: read them with"
            what = f"{text} --path {source.variable} --convention …"
            found.append(AmbiguousConvention(what, file=file, variable=source.path))
    return found


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


def of_files(tables: Sequence[tuple[str, pa.Table]]) -> pa.Table:
    """Tables of several files as one, with the file that each row is of as the first column."""
    named = [table.add_column(0, "file", pa.repeat(scalar(name), len(table))) for name, table in tables]
    about: dict[str, Any] = {"files": [name for name, _ in tables]}
    points = [metadata_of(table).get("keypoints", {}).get("names") for _, table in tables]
    if points[:1] * len(points) == points and points[:1] != [None]:
        about["keypoints"] = {"names": points[0]}
    return with_metadata(concat(named), about)
