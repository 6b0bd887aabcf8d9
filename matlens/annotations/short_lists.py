"""Lists that have almost as many values as there are boxes: one is missing, and nothing tells which."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

import numpy as np

from matlens.annotations.levels import MAX_UNEVEN, MIN_UNEVEN, Level, is_list, without_indices
from matlens.annotations.roles import CLASS_LIST, CLASS_NAME, IMAGE_NAME, LABEL_NAME, SCORE_NAME, Roles


def is_almost(size: int, count: int) -> bool:
    """Whether a list is as long as there are records, but for a few.

    Examples
    --------
    >>> is_almost(29, 30), is_almost(30, 30), is_almost(20, 30), is_almost(1, 2)
    (True, False, False, False)
    """
    return count >= MIN_UNEVEN and 0 < abs(size - count) <= max(count * MAX_UNEVEN, 1)


def is_almost_any(name: str, size: int, counts: Collection[int]) -> bool:
    """Whether a row of numbers that is named as labels or scores are has almost as many as one of the counts."""
    named = any(word.search(name) for word in (CLASS_NAME, LABEL_NAME, SCORE_NAME))
    return named and any(is_almost(size, count) for count in counts)


def short_lists(level: Level, roles: Roles) -> list[str]:
    """Lists beside boxes that would be their images, labels or scores if they were as long; one for each that is."""
    words = [] if roles.label else [CLASS_NAME, LABEL_NAME]
    words += [] if roles.image or roles.image_number else [IMAGE_NAME]
    words += [] if any(map(SCORE_NAME.search, level.names())) else [SCORE_NAME]
    found: dict[str, None] = {}
    home: Level | None = level
    while home is not None and words:
        found |= dict.fromkeys(_beside(home, words, "boxes" if home is level else "records"))
        home = home.parent
    return list(found)


def _beside(level: Level, words: Collection[re.Pattern[str]], noun: str) -> Iterator[str]:
    for size, other in level.siblings.items():
        for name, kind in other.columns.types.items() if is_almost(size, level.size) else ():
            if not is_list(kind) and not CLASS_LIST.search(name) and any(word.search(name) for word in words):
                path = without_indices(other.paths(name, np.zeros(1, np.int64))[0].as_py())
                yield f"{path}: {size:,} values beside {level.size:,} {noun}, not used"
