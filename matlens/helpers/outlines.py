"""Outlines of masks: rings along the edges of the pixels, so that filling them gives the same pixels again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]


Rings = list[NDArray[np.float64]]
"""Rings of points x and y, each without its first point repeated at the end; by even and odd, one inside is a hole."""


def outlines_of(mask: NDArray[Any]) -> Rings:
    """Rings around the pixels of a mask, 0-based pixel edges; pixels that touch at a corner alone are apart.

    Examples
    --------
    >>> [ring.tolist() for ring in outlines_of(np.array([[0, 1, 1], [0, 1, 0]]))]
    [[[1.0, 0.0], [3.0, 0.0], [3.0, 1.0], [2.0, 1.0], [2.0, 2.0], [1.0, 2.0]]]
    """
    inside = np.pad(np.asarray(mask, bool), 1)
    starts, ends, headings = _edges(inside)
    following = _following(starts, ends, headings)
    width = inside.shape[1]
    # A ring has a point where its heading changes.
    turns = headings[following] != headings
    rings = []
    for ring in _cycles(following):
        corners = ends[ring[turns[ring]]]
        corners = np.roll(corners, 1)
        rings.append(np.stack([corners % width - 1, corners // width - 1], axis=1).astype(np.float64))
    return rings


def _edges(inside: NDArray[np.bool_]) -> tuple[Int64s, Int64s, Int64s]:
    """Edges between pixels inside and outside, with the inside on the right: from corner to corner, and headings.

    A corner has the number of the pixel at its lower right; headings are 0 to the right, 1 down, 2 to the left, 3 up.
    """
    width = inside.shape[1]
    above, below = inside[:-1], inside[1:]
    left, right = inside[:, :-1], inside[:, 1:]
    corner = np.arange(inside.size).reshape(inside.shape)
    found = []
    for heading, where, grid, first, last in (
        (0, ~above & below, corner[1:], 0, 1),
        (1, left & ~right, corner[:, 1:], 0, width),
        (2, above & ~below, corner[1:], 1, 0),
        (3, ~left & right, corner[:, 1:], width, 0),
    ):
        at = grid[where]
        found.append((at + first, at + last, np.full(len(at), heading)))
    starts, ends, headings = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(starts, kind="stable")
    return starts[order], ends[order], headings[order]


def _following(starts: Int64s, ends: Int64s, headings: Int64s) -> Int64s:
    """The edge behind each: the one that starts where it ends; of two the one that turns to the right."""
    first = np.searchsorted(starts, ends)
    second = np.minimum(first + 1, max(len(starts) - 1, 0))
    has_two = (starts[second] == ends) & (second != first)
    turns_right = headings[second] == (headings + 1) % 4
    return np.where(has_two & turns_right, second, first)


def _cycles(following: Int64s) -> list[Int64s]:
    """The edges of each ring, one after another."""
    after, seen, rings = following.tolist(), bytearray(len(following)), []
    for start in range(len(after)):
        ring, edge = [], start
        while not seen[edge]:
            seen[edge] = 1
            ring.append(edge)
            edge = after[edge]
        if ring:
            rings.append(np.array(ring))
    return rings


def area_of(rings: Rings) -> float:
    """Area inside rings, of which those inside others are holes where they turn the other way round.

    Examples
    --------
    >>> area_of(outlines_of(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])))
    8.0
    """
    return abs(sum(signed_area(ring) for ring in rings))


def signed_area(ring: NDArray[np.float64]) -> float:
    """Area of a ring by the shoelace formula: above 0 where it turns clockwise on the screen, for y points down."""
    if not len(ring):
        return 0.0
    x, y = ring[:, 0], ring[:, 1]
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1] + x[-1] * y[0] - x[0] * y[-1]) / 2
