"""What is wrong with boxes, and mending it: outside of their image, without area, not finite, twice, tiny."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.annotations.sources import CORNERS, FRAME
from matlens.columns.buffers import number_array, numbers_of, text_array
from matlens.columns.table import require_columns

TINY = 2.0
"""Pixels of a side below which a box is tiny."""
INVALID = ("not finite", "negative size", "no area", "outside of the image")
"""What no box can be trained with."""
Sizes = Mapping[str, tuple[float, float]]


def check(table: pa.Table, sizes: Sizes | None = None) -> pa.Table:
    """List what is wrong with boxes.

    Parameters
    ----------
    table : pyarrow.Table
        Boxes in the canonical form, as `read` gives them.
    sizes : mapping of str to (width, height), optional
        Sizes of the images in pixels. Without it, only the upper and the left edge of an image are known.

    Returns
    -------
    pyarrow.Table
        ``row`` of `table` from 0, ``source`` (path), ``image``, ``problem`` and ``box``, a row for each problem: not
        finite, negative size, no area, outside of the image, beyond the edge, tiny (a side of less than 2 pixels),
        duplicate (of the same image, label and corners as one before).

    Examples
    --------
    >>> table = pa.table({
    ...     "source": ["b(1,:)", "b(2,:)"], "image": ["a.jpg", "a.jpg"], "label": ["cat", "cat"],
    ...     "xmin": [1.0, -4.0], "ymin": [1.0, 2.0], "xmax": [9.0, 4.0], "ymax": [1.0, 9.0]})
    >>> [(row["source"], row["problem"]) for row in check(table, {"a.jpg": (100, 50)}).to_pylist()]
    [('b(1,:)', 'no area'), ('b(2,:)', 'beyond the edge')]
    """
    boxes = _corners(table)
    found = {name: np.flatnonzero(bad) for name, bad in _problems(table, boxes, sizes or {}).items()}
    row = np.concatenate([*found.values(), np.zeros(0, np.int64)]).astype(np.int64)
    problem = [name for name, rows in found.items() for _ in rows]
    order = np.argsort(row, kind="stable")
    row = row[order]
    texts = [", ".join(f"{number:g}" for number in boxes[k].tolist()) for k in row.tolist()]
    index = number_array(row)
    return pa.table(
        {
            "row": index,
            "source": table["source"].take(index),
            "image": table["image"].take(index),
            "problem": text_array([problem[k] for k in order.tolist()]),
            "box": text_array(texts),
        }
    )


def clip(table: pa.Table, sizes: Sizes | None = None) -> pa.Table:
    """Cut boxes off at the edges of their images; the right and the lower one are known where `sizes` have the image.

    Boxes of negative size stay as they are, for `check` and `drop_invalid` to find.

    Examples
    --------
    >>> table = pa.table({"image": ["a.jpg"], "xmin": [-4.0], "ymin": [2.0], "xmax": [140.0], "ymax": [9.0]})
    >>> clip(table, {"a.jpg": (100, 50)}).to_pylist()[0]["xmax"]
    100.0
    """
    boxes, (width, height) = _corners(table), _limits(table, sizes or {})
    upper = np.stack([width, height, width, height], axis=1)
    with np.errstate(invalid="ignore"):
        is_box = (boxes[:, :2] <= boxes[:, 2:]).all(axis=1, keepdims=True)
    return _with_corners(table, np.where(is_box, np.clip(boxes, 0, upper), boxes))


def drop_invalid(table: pa.Table, sizes: Sizes | None = None) -> pa.Table:
    """Leave out boxes that are not finite, have no area, or lie outside of their image.

    Examples
    --------
    >>> table = pa.table({"image": ["a", "a"], "xmin": [1.0, 1.0], "ymin": [1.0, 1.0], "xmax": [9.0, 1.0],
    ...                   "ymax": [9.0, 9.0]})
    >>> drop_invalid(table).num_rows
    1
    """
    problems = _problems(table, _corners(table), sizes or {})
    bad = np.logical_or.reduce([problems[name] for name in INVALID])
    return table.filter(number_array(~bad))


def _corners(table: pa.Table) -> NDArray[np.float64]:
    require_columns(table, ("image", *CORNERS), "boxes")
    return np.stack([numbers_of(table[name]).astype(np.float64) for name in CORNERS], axis=1)


def _with_corners(table: pa.Table, boxes: NDArray[np.float64]) -> pa.Table:
    for k, name in enumerate(CORNERS):
        table = table.set_column(table.schema.get_field_index(name), name, number_array(boxes[:, k]))
    return table


def _limits(table: pa.Table, sizes: Sizes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Width and height of the image of each box, infinite where they are not known."""
    unknown = (np.inf, np.inf)
    found = [sizes.get(str(name), unknown) for name in table["image"].to_pylist()]
    pairs = np.array(found, np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _problems(table: pa.Table, boxes: NDArray[np.float64], sizes: Sizes) -> dict[str, NDArray[np.bool_]]:
    """Which boxes have each problem; of sizes and places the worst alone is told."""
    xmin, ymin, xmax, ymax = boxes.T
    width, height = _limits(table, sizes)
    finite = np.isfinite(boxes).all(axis=1)
    with np.errstate(invalid="ignore"):
        negative = finite & ((xmax < xmin) | (ymax < ymin))
        empty = finite & ~negative & ((xmax == xmin) | (ymax == ymin))
        outside = finite & ((xmax <= 0) | (ymax <= 0) | (xmin >= width) | (ymin >= height))
        beyond = finite & ~outside & ((xmin < 0) | (ymin < 0) | (xmax > width) | (ymax > height))
        tiny = finite & ~negative & ~empty & ((xmax - xmin < TINY) | (ymax - ymin < TINY))
    return {
        "not finite": ~finite,
        "negative size": negative,
        "no area": empty,
        "outside of the image": outside,
        "beyond the edge": beyond,
        "tiny": tiny,
        "duplicate": _duplicates(table, boxes) & finite,
    }


def _duplicates(table: pa.Table, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which boxes come again: of the same image, frame and label."""
    names = [name for name in ("file", "image", FRAME, "label") if name in table.column_names]
    beside = zip(*(table[name].to_pylist() for name in names), strict=True) if names else [()] * len(boxes)
    seen: set[Any] = set()
    again = np.zeros(len(boxes), bool)
    for k, key in enumerate(zip(beside, map(tuple, boxes.tolist()), strict=True)):
        again[k] = key in seen
        seen.add(key)
    return again
