"""Boxes, keypoints and polygons drawn over the pixels of an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.tui.model.annotated import NO_LABEL, Mark
from matlens.tui.model.colour_maps import Colour, Colours
from matlens.tui.model.line_points import line_points
from matlens.tui.model.pictures import draw_boxes
from matlens.tui.model.viewport import Viewport

CLASS_COLOURS: tuple[Colour, ...] = (
    (230, 25, 75),
    (60, 180, 75),
    (90, 130, 255),
    (245, 130, 49),
    (190, 80, 220),
    (66, 212, 244),
    (240, 50, 230),
    (191, 239, 69),
    (255, 225, 25),
    (70, 153, 144),
)
"""Colours of the classes, one after another, as drawings on copies of images have them."""

MOST_DRAWN = 5000
"""Marks of one image that are drawn; more hide it, and take long."""


class Caption(NamedTuple):
    """A text over an image, at a pixel of the screen."""

    y: int
    x: int
    text: str
    colour: Colour


def colours_of(labels: Sequence[str]) -> dict[str, Colour]:
    """A colour for each label."""
    return {label: CLASS_COLOURS[k % len(CLASS_COLOURS)] for k, label in enumerate(labels)}


def draw_marks(colours: Colours, view: Viewport, marks: Sequence[Mark], palette: Mapping[str, Colour]) -> Colours:
    """The picture with the outlines of boxes and polygons, and keypoints as crosses of five pixels."""
    rows, columns = view.extent()
    boxes: dict[str, list[tuple[float, ...]]] = {}
    for mark in marks:
        if mark.kind == "box":
            boxes.setdefault(mark.label, []).append(mark.box)
    for label, corners in boxes.items():
        colours = draw_boxes(colours, view.corners(np.array(corners)), rows, columns, (palette[label],))
    drawn = colours.copy()
    for mark in marks:
        colour = palette[mark.label]
        for ring in mark.rings:
            if len(ring):
                closed = _on_screen(np.vstack([ring, ring[:1]]), view)
                _set(drawn, *line_points(closed[:, 0], closed[:, 1], drawn.shape[1], drawn.shape[0]), colour)
        if mark.points is not None:
            for x, y in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
                places = np.floor(_on_screen(mark.points, view)) + (x, y)
                _set(drawn, places[:, 0], places[:, 1], colour)
    return drawn


def _on_screen(points: NDArray[np.float64], view: Viewport) -> NDArray[np.float64]:
    (rows, columns), (height, width) = view.extent(), view.drawn()
    return np.asarray((points - (view.left, view.top)) * (width / columns, height / rows))


def _set(drawn: Colours, x: NDArray[np.float64], y: NDArray[np.float64], colour: Colour) -> None:
    height, width = drawn.shape[:2]
    with np.errstate(invalid="ignore"):
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    drawn[y[inside].astype(np.int64), x[inside].astype(np.int64)] = colour


def captions_of(view: Viewport, marks: Sequence[Mark], palette: Mapping[str, Colour]) -> list[Caption]:
    """Labels at the upper left corners of marks, where those are shown; of several at one place the first."""
    found: dict[tuple[int, int], Caption] = {}
    for mark in marks:
        if mark.label == NO_LABEL or not np.isfinite(mark.box).all():
            continue
        corner = np.clip(np.array([mark.box[:2]]), 0, (view.columns - 1, view.rows - 1))
        ((x, y),) = np.floor(_on_screen(corner, view)).astype(np.int64).tolist()
        height, width = view.drawn()
        if 0 <= x < width and 0 <= y < height:
            found.setdefault((y // 2, x), Caption(y, x, mark.label, palette[mark.label]))
    return list(found.values())
