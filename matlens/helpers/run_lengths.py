"""Masks as run lengths, the form of COCO: pixels are counted down the columns, as MATLAB stores them.

The text form holds each count in groups of five bits, from the third count on as the difference to the one two before,
after the format of *COCO, Common Objects in Context* (cocodataset.org); pycocotools decodes it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]


_BITS, _SIGN, _MORE, _OFFSET = 5, 0x10, 0x20, 48
"""Bits of a character, the one of its sign, the one that says that more follow, and the number of the first one."""


class Regions(NamedTuple):
    """Regions of equal value of an image: their values, counts as text, areas in pixels, and boxes.

    `boxes` has the dims regions, 4: xmin, ymin, xmax, ymax; 0-based, half-open.
    """

    values: NDArray[Any]
    counts: list[str]
    areas: Int64s
    boxes: Int64s


def regions_of(image: NDArray[Any]) -> Regions:
    """Regions of an image in the order of their values; 0 is the background and none.

    Examples
    --------
    >>> found = regions_of(np.array([[0, 7, 7], [2, 2, 0]]))
    >>> found.values.tolist(), found.counts, found.areas.tolist(), found.boxes.tolist()
    ([2, 7], ['11101', '21100'], [2, 2], [[0, 1, 2, 2], [1, 0, 3, 1]])
    """
    height, total = image.shape[0], image.size
    flat = image.ravel(order="F")
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1]) if total else np.zeros(0, np.int64)
    ends = np.concatenate([starts[1:], [total]]) if total else starts
    order = np.argsort(flat[starts], kind="stable")
    order = order[flat[starts[order]] != 0]
    starts, ends = starts[order], ends[order]
    run_values = flat[starts]
    first = np.flatnonzero(np.concatenate([[True], run_values[1:] != run_values[:-1]])) if len(order) else order
    if not len(first):
        return Regions(run_values, [], np.zeros(0, np.int64), np.zeros((0, 4), np.int64))
    return Regions(
        run_values[first],
        _texts(starts, ends, first, total),
        np.add.reduceat(ends - starts, first),
        _boxes(starts, ends, first, height),
    )


def _texts(starts: Int64s, ends: Int64s, first: Int64s, total: int) -> list[str]:
    """Counts of each region as text: of pixels outside and inside in turn, and of those that are left outside."""
    before = np.concatenate([[0], ends[:-1]])
    before[first] = 0
    last = np.concatenate([first[1:], [len(starts)]])
    left = total - ends[last - 1]
    # Each run has two counts; each region that does not reach the end has one more behind its last run.
    counts = np.stack([starts - before, ends - starts], axis=1).ravel()
    counts = np.insert(counts, 2 * last[left > 0], left[left > 0])
    sizes = 2 * (last - first) + (left > 0)
    begin = np.cumsum(sizes) - sizes
    place = np.arange(len(counts)) - np.repeat(begin, sizes)
    change = counts.copy()
    change[2:] -= np.where(place[2:] > 2, counts[:-2], 0)
    text, widths = _characters(change)
    stops = np.cumsum(widths)[begin + sizes - 1].tolist()
    return [text[a:b] for a, b in zip([0, *stops[:-1]], stops, strict=True)]


def _characters(numbers: Int64s) -> tuple[str, Int64s]:
    """Numbers as characters of five bits each, lowest first; and how many each number has."""
    rest, going = numbers.copy(), np.ones(len(numbers), bool)
    columns, written = [], []
    while going.any():
        bits = rest & (2**_BITS - 1)
        rest >>= _BITS
        more = rest != np.where(bits & _SIGN, -1, 0)
        columns.append((bits | np.where(more, _MORE, 0)) + _OFFSET)
        written.append(going)
        going = going & more
    marks = np.stack(written, axis=1) if written else np.zeros((0, 0), bool)
    codes = np.stack(columns, axis=1)[marks] if columns else np.zeros(0, np.int64)
    return codes.astype(np.uint8).tobytes().decode("ascii"), marks.sum(axis=1)


def _boxes(starts: Int64s, ends: Int64s, first: Int64s, height: int) -> Int64s:
    """Boxes around the runs of each region; a run that goes on in the next column reaches from edge to edge."""
    left, right = starts // height, (ends - 1) // height
    is_within = left == right
    top = np.where(is_within, starts % height, 0)
    bottom = np.where(is_within, (ends - 1) % height, height - 1)
    low = [np.minimum.reduceat(part, first) for part in (left, top)]
    high = [np.maximum.reduceat(part, first) + 1 for part in (right, bottom)]
    return np.stack([*low, *high], axis=1)


def empty_counts(total: int) -> str:
    """Text form of a mask of so many pixels, none of which is inside.

    Examples
    --------
    >>> counts_of(empty_counts(100))
    [100]
    """
    return _characters(np.array([total], np.int64))[0]


def counts_of(text: str) -> list[int]:
    """Counts that a text form stands for.

    Examples
    --------
    >>> counts_of(regions_of(np.eye(3)).counts[0])
    [0, 1, 3, 1, 3, 1]
    """
    counts, value, shift = list[int](), 0, 0
    for character in text.encode("ascii"):
        bits = character - _OFFSET
        value |= (bits & (2**_BITS - 1)) << shift
        shift += _BITS
        if bits & _MORE:
            continue
        if bits & _SIGN:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return counts


def mask_of(size: tuple[int, int], text: str) -> NDArray[np.bool_]:
    """The mask of `size`, rows and columns, that a text form stands for.

    Examples
    --------
    >>> mask_of((2, 3), "21100").astype(int).tolist()
    [[0, 1, 1], [0, 0, 0]]
    """
    counts = np.array(counts_of(text), np.int64)
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return np.pad(flat, (0, max(size[0] * size[1] - len(flat), 0))).reshape(size, order="F")
