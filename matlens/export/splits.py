"""Data sets in parts, to train and to validate with: images together with all of their boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from matlens.errors import PathError, UnfitFormat

TRAIN, VALIDATION = "train", "val"
_KNOWN = {"training": TRAIN, "valid": VALIDATION, "validation": VALIDATION, "testing": "test"}
"""Other words for the usual parts."""


def split_by_share(images: Sequence[str], share: float, seed: int = 0) -> dict[str, str]:
    """Part of each image: a share of them, picked by `seed`, trains, the others validate.

    The order of the images does not matter, so that the same ones are picked again.

    Examples
    --------
    >>> parts = split_by_share([f"{k}.jpg" for k in range(10)], 0.8)
    >>> sorted(parts.values()).count("train"), parts == split_by_share([f"{k}.jpg" for k in range(9, -1, -1)], 0.8)
    (8, True)
    """
    if not 0 < share < 1:
        raise UnfitFormat(f"expected a share between 0 and 1, such as 0.9, found {share:g}")
    names = sorted(set(images))
    count = min(max(round(share * len(names)), 1), max(len(names) - 1, 1))
    chosen = np.random.default_rng(seed).permutation(len(names))[:count].tolist()
    train = {names[k] for k in chosen}
    return {name: TRAIN if name in train else VALIDATION for name in names}


def split_by_field(table: pa.Table, field: str) -> dict[str, str]:
    """Part of each image as a column has it; numbers are named as they are, 0 and 1 of logicals ``val`` and ``train``.

    Examples
    --------
    >>> split_by_field(pa.table({"image": ["a", "a", "b"], "set": ["training", "training", "valid"]}), "set")
    {'a': 'train', 'b': 'val'}
    """
    if field not in table.column_names:
        raise PathError(f"no column {field!r} beside the boxes; there are {', '.join(table.column_names)}")
    parts: dict[str, str] = {}
    for image, value in zip(table["image"].to_pylist(), table[field].to_pylist(), strict=True):
        if image is None or value is None:
            continue
        number = int(value) if isinstance(value, float) and value.is_integer() else value
        part = (TRAIN if value else VALIDATION) if isinstance(value, bool) else str(number).strip().lower()
        part = _KNOWN.get(part, part)
        if parts.setdefault(str(image), part) != part:
            raise UnfitFormat(f"image {image} stands in two parts, {parts[str(image)]} and {part}: by {field}")
    return parts
