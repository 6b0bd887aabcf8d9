"""Numbers that JSON has no form for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any


def count_not_finite(rows: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many numbers of each column are NaN or infinite, in lists and structs, too.

    Examples
    --------
    >>> count_not_finite([{"a": 1.5, "b": [float("nan"), 2.0]}, {"a": 2.0, "b": [float("inf"), float("nan")]}])
    {'b': 3}
    """
    found: Counter[str] = Counter()
    for row in rows:
        for name, value in row.items():
            found[name] += _count(value)
    return {name: number for name, number in found.items() if number}


def _count(value: Any) -> int:
    if isinstance(value, float):
        return not isfinite(value)
    if isinstance(value, complex):
        return _count(value.real) + _count(value.imag)
    if isinstance(value, Mapping):
        return sum(map(_count, value.values()))
    return sum(map(_count, value)) if isinstance(value, list) else 0
