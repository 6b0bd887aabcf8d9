"""What is wrong with boxes whose convention is undecided: what is so under every one that it may be."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from matlens.annotations.checking import INVALID, Sizes, check
from matlens.annotations.conventions import CONVENTIONS, convert
from matlens.annotations.sources import CORNERS, BoxSource
from matlens.columns.buffers import number_array, text_array

ANY_SCALE = ("not finite", "negative size", "no area", "duplicate")
"""Problems of boxes that are relative to their image, whose size in pixels nothing tells."""
NO_BOX = "no box under any convention"
_PIXELS = tuple(name for name in CONVENTIONS if name != "yolo")


def fitting_layouts(source: BoxSource) -> list[str]:
    """Orders of the four numbers that the fewest rows contradict."""
    counts = source.evidence.violations
    return [name for name, count in counts.items() if count == min(counts.values())]


def check_undecided(source: BoxSource, table: pa.Table, sizes: Sizes | None = None) -> pa.Table:
    """List what is wrong with the boxes of a source under every convention, in the form of `check`.

    `table` is the source in any convention, for what stands beside the boxes; ``box`` are its numbers as they are
    stored. A box that is invalid under every convention, though not in the same way, is no box under any.
    """
    stored = source.reading.values
    listed = [_problems(_in(source, table, name), sizes) for name in _PIXELS]
    if source.evidence.is_relative:
        listed = [{(row, problem) for row, problem in found if problem in ANY_SCALE} for found in listed]
    everywhere = set.intersection(*listed)
    told = {row for row, problem in everywhere if problem in INVALID}
    invalid = set.intersection(*({row for row, problem in found if problem in INVALID} for found in listed))
    everywhere |= {(row, NO_BOX) for row in invalid - told}
    rows = sorted(everywhere)
    index = number_array(np.array([row for row, _ in rows], np.int64))
    texts = [", ".join(f"{number:g}" for number in stored[row].tolist()) for row, _ in rows]
    return pa.table(
        {
            "row": index,
            "source": table["source"].take(index),
            "image": table["image"].take(index),
            "problem": text_array([problem for _, problem in rows]),
            "box": text_array(texts),
        }
    )


def _problems(table: pa.Table, sizes: Sizes | None) -> set[tuple[int, str]]:
    found = check(table, sizes)
    pairs: Iterable[tuple[int, str]] = zip(found["row"].to_pylist(), found["problem"].to_pylist(), strict=True)
    return set(pairs)


def _in(source: BoxSource, table: pa.Table, convention: str) -> pa.Table:
    """The same table with the corners that the numbers have under a convention."""
    boxes = convert(source.reading.values, convention, "xyxy")
    for k, name in enumerate(CORNERS):
        table = table.set_column(table.schema.get_field_index(name), name, number_array(boxes[:, k]))
    return table
