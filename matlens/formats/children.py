"""Children of many parents, put together by the names of their fields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from matlens.errors import LimitExceeded
from matlens.formats.ragged import counts_to_offsets
from matlens.formats.records import Children, Elements, Int64s
from matlens.limits import Limits

FieldNames = tuple[str, ...] | None
"""Names of the fields of a struct; None for the elements of a cell."""


def collect_children(records: Iterable[tuple[FieldNames, int, Int64s]], segment: int, limits: Limits) -> list[Children]:
    """Children of parents that were looked up one by one, grouped by field names.

    Each parent gives its field names, its number of records, and their positions.
    """
    by_fields: dict[FieldNames, tuple[list[int], list[int], list[Int64s]]] = {}
    fieldless = 0
    for parent, (fields, count, positions) in enumerate(records):
        fieldless += count if fields == () else 0
        if fieldless > limits.fieldless:
            raise LimitExceeded.of(limits, "fieldless", f"{fieldless} structs without fields")
        parents, counts, parts = by_fields.setdefault(fields, ([], [], []))
        parents.append(parent)
        counts.append(count)
        parts.append(positions)
    return [
        Children(
            np.array(parents, np.int64),
            fields,
            Elements(segment, np.concatenate(parts).astype(np.int64)),
            counts_to_offsets(counts),
        )
        for fields, (parents, counts, parts) in by_fields.items()
    ]


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Field names that occur again get a prefix ``_1_``, ``_2_``, as SciPy does; those without letters NumPy's name.

    Examples
    --------
    >>> unique_names(["a", "a", "_1_a"]), unique_names(["a", ""])
    (('a', '_1_a', '_1__1_a'), ('a', 'f1'))
    """
    seen: Counter[str] = Counter()
    found: dict[str, None] = {}
    for k, given in enumerate(names):
        name = free = given or f"f{k}"
        while free in found:
            seen[name] += 1
            free = f"_{seen[name]}_{name}"
        found[free] = None
    return tuple(found)
