"""Objects of MATLAB's classes as they are stored, for files that mat-io writes: it is asked for the bytes alone.

Each function gives an object whose properties are those that MATLAB saves; `save` writes variables to a file.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

import matlens

Millis = Sequence[complex] | np.ndarray


def matio() -> Any:
    """mat-io, which warns as it is imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("matio")


def save(path: Path, version: str = "v7", **variables: Any) -> matlens.MatFile:
    """A file of these variables, opened."""
    with warnings.catch_warnings(), arrays_of_objects_in_objects():
        warnings.simplefilter("ignore")
        matio().save_to_mat(str(path / f"{version}.mat"), variables, version=version)
    return matlens.open(path / f"{version}.mat")


@contextmanager
def arrays_of_objects_in_objects() -> Iterator[None]:
    """mat-io takes an array of objects for a cell where it stands in an object."""
    matio()
    from matio.subsystem.subsys import MatSubsystem
    from matio.utils.matclass import MatlabOpaqueArray

    serialize = MatSubsystem.serialize_nested_props

    def whole(self: Any, value: Any) -> Any:
        return self.set_object_metadata(value) if isinstance(value, MatlabOpaqueArray) else serialize(self, value)

    with mock.patch.object(MatSubsystem, "serialize_nested_props", whole):
        yield


def made(class_name: str, **properties: Any) -> Any:
    """An object of any class."""
    matio()
    from matio.utils.matclass import MatlabOpaque

    return MatlabOpaque(properties=properties, classname=class_name)


def made_array(*objects: Any, shape: tuple[int, int] | None = None) -> Any:
    """An array of objects of one class."""
    matio()
    from matio.utils.matclass import MatlabOpaqueArray

    array = np.empty(len(objects), object)
    array[:] = objects
    return MatlabOpaqueArray(array.reshape(shape or (1, len(objects)), order="F"), objects[0].classname)


def string(texts: Any) -> Any:
    """A string array, of an array of str with its dims; None is missing."""
    texts = np.atleast_2d(np.array(texts, object))
    flat = texts.ravel(order="F").tolist()
    lengths = [2**64 - 1 if text is None else len(text.encode("utf-16-le")) // 2 for text in flat]
    units = np.frombuffer("".join(text or "" for text in flat).encode("utf-16-le"), np.uint16)
    padded = np.zeros(-(-len(units) // 4) * 4, np.uint16)
    padded[: len(units)] = units
    words = np.concatenate([np.array([1, texts.ndim, *texts.shape, *lengths], np.uint64), padded.view(np.uint64)])
    return made("string", any=words.reshape(1, -1))


def datetime(millis: Any, zone: str = "") -> Any:
    """A datetime array, of milliseconds since 1970 with their dims."""
    return made("datetime", data=np.atleast_2d(np.asarray(millis)), tz=char(zone), fmt=char(""))


def duration(millis: Any) -> Any:
    return made("duration", millis=np.atleast_2d(np.asarray(millis, float)), fmt=char(""))


def calendar_duration(months: Any = 0.0, days: Any = 0.0, millis: Any = 0.0) -> Any:
    parts = {"months": months, "days": days, "millis": millis}
    components = struct(**{name: np.atleast_2d(np.asarray(part, float)) for name, part in parts.items()})
    return made("calendarDuration", components=components, fmt=char(""))


def categorical(codes: Any, names: Sequence[str], *, is_ordinal: bool = False) -> Any:
    """A categorical array, of numbers of categories from 1; 0 is undefined."""
    return made(
        "categorical",
        codes=np.atleast_2d(np.asarray(codes, np.uint8)),
        categoryNames=cell(*map(char, names), shape=(len(names), 1)),
        isOrdinal=np.array([[is_ordinal]]),
        isProtected=np.array([[False]]),
    )


def char(text: str) -> Any:
    return np.array([text]) if text else np.empty((0, 0), np.str_)


def cell(*items: Any, shape: tuple[int, int] | None = None) -> Any:
    array = np.empty(len(items), object)
    for k, item in enumerate(items):
        array[k] = item
    return array.reshape(shape or (1, len(items)), order="F")


def struct(**fields: Any) -> Any:
    record = np.empty((1, 1), [(name, object) for name in fields])
    for name, value in fields.items():
        record[name][0, 0] = value
    return record


def struct_array(records: Sequence[dict[str, Any]], shape: tuple[int, int] | None = None) -> Any:
    array = np.empty(len(records), [(name, object) for name in records[0]])
    for k, record in enumerate(records):
        for name, value in record.items():
            array[name][k] = value
    return array.reshape(shape or (1, len(records)), order="F")


def table(count: int, rows: Sequence[str] = (), details: dict[str, Any] | None = None, **variables: Any) -> Any:
    """A table of `count` rows; `details` are fields of its properties, such as ``VariableUnits``."""
    matio()
    from matio.utils.converters.mattables import make_table_props

    defaults = make_table_props()
    known = {name: defaults[name][0, 0] for name in defaults.dtype.names}
    return made(
        "table",
        data=cell(*variables.values()),
        varnames=cell(*map(char, variables)),
        nrows=np.float64(count),
        nvars=np.float64(len(variables)),
        rownames=cell(*map(char, rows), shape=(len(rows), 1)) if rows else np.empty((0, 0), object),
        ndims=np.float64(2),
        props=struct(**(known | (details or {}))),
    )


def timetable(count: int, row_times: Any, details: dict[str, Any] | None = None, **variables: Any) -> Any:
    """A timetable of `count` rows, whose times are stored or `regular`."""
    matio()
    from matio.utils.converters.mattables import make_timetable_props

    record = {
        "data": cell(*variables.values()),
        "dimNames": cell(char("Time"), char("Variables")),
        "varNames": cell(*map(char, variables)),
        "numRows": np.float64(count),
        "numVars": np.float64(len(variables)),
        "rowTimes": row_times,
    }
    return made("timetable", any=struct(**(record | make_timetable_props() | (details or {}))))


def regular(origin: Any, step: Any = None, rate: float | None = None) -> Any:
    """Times of a regular timetable, as they are stored."""
    return struct(
        origin=origin,
        specifiedAsRate=np.array([[rate is not None]]),
        stepSize=duration(1000.0 / rate) if rate is not None else step,
        sampleRate=np.array([[np.nan if rate is None else rate]]),
    )
