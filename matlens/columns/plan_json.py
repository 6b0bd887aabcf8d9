"""Plans as JSON: what differs from the plan of nothing, column by column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from matlens.columns.column_plan import ColumnPlan
from matlens.columns.unify import Kind, Shapes

VERSION = 1

_Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]
_PLAIN: _Codec = (lambda value: value, lambda value: value)
_SORTED: _Codec = (lambda value: sorted(value), set)
_CODECS: dict[str, _Codec] = {
    "kinds": (lambda kinds: [kind.value for kind in kinds], lambda stored: [Kind(value) for value in stored]),
    "shapes": (lambda shapes: _changed(shapes, Shapes()), lambda stored: _restored(Shapes(), stored)),
    "first": (list, tuple),
    "empties": (
        lambda empties: [[list(dims), count] for dims, count in sorted(empties.items())],
        lambda stored: Counter({tuple(map(int, dims)): int(count) for dims, count in stored}),
    ),
    "_classes": (
        lambda classes: sorted(map(list, classes.items())),
        lambda stored: {int(code): str(name) for code, name in stored},
    ),
    "_types": (
        lambda types: sorted([*map(int, key), filled] for key, filled in types.items()),
        lambda stored: {(int(c), bool(z), bool(b)): bool(filled) for c, z, b, filled in stored},
    ),
    "_exact": (
        lambda exact: sorted([dtype.str[1:], fits] for dtype, fits in exact.items()),
        lambda stored: {np.dtype(name): bool(fits) for name, fits in stored},
    ),
    "_sparse_types": (lambda value: sorted(map(list, value)), lambda stored: {(bool(a), bool(b)) for a, b in stored}),
    "object_classes": _SORTED,
    "apart": _SORTED,
    "inside": _SORTED,
    "zones": _SORTED,
    "orders": (
        lambda orders: [None if order is None else list(order) for order in sorted(orders, key=lambda o: o or ())],
        lambda stored: {None if order is None else tuple(order) for order in stored},
    ),
}


def column_to_dict(column: ColumnPlan) -> dict[str, Any]:
    """What differs from the plan of nothing, as values that JSON knows."""
    return _changed(column, ColumnPlan(column.path))


def column_from_dict(path: str, stored: dict[str, Any]) -> ColumnPlan:
    """The plan that `column_to_dict` gave; raises `ValueError`, `TypeError` or `KeyError` where it is not one."""
    found: ColumnPlan = _restored(ColumnPlan(path), stored)
    return found


def _changed(found: Any, nothing: Any) -> dict[str, Any]:
    """The attributes that differ from those of a plan of nothing."""
    changed = {}
    for each in fields(found):
        value = getattr(found, each.name)
        if value != getattr(nothing, each.name):
            changed[each.name] = _CODECS.get(each.name, _PLAIN)[0](value)
    return changed


def _restored(nothing: Any, stored: dict[str, Any]) -> Any:
    known = {each.name for each in fields(nothing)} - {"path"}
    for name, value in stored.items():
        if name not in known:
            raise ValueError(f"{name!r} is not a part of a form")
        restored = _CODECS.get(name, _PLAIN)[1](value)
        expected = getattr(nothing, name)
        if expected is not None and not isinstance(restored, type(expected)):
            raise TypeError(f"{name} is a {type(restored).__name__}, a {type(expected).__name__} is expected")
        setattr(nothing, name, restored)
    return nothing
