"""Which convention the boxes of a source follow: decided by names and by all rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from matlens.errors import AmbiguousConvention

ENOUGH_ROWS = {"xyxy": 8, "xxyy": 100}
"""Rows that must agree before they tell corners from sizes: by chance, few of them do so.

``xxyy`` needs more: sizes of upright objects in the lower half of an image fit it as well.
"""
ENOUGH_ONES = 3
"""Coordinates at the first pixel that tell that it is 1: by chance, few coordinates that count from 0 are 1."""
TOLERATED = 0.01
"""Share of rows that may violate a convention: annotations contain slips."""

_LAYOUT_IN_NAME = (
    (re.compile(r"cxcywh|xcycwh|center_?size"), "cxcywh"),
    (re.compile(r"yolo"), "yolo"),
    (re.compile(r"xyxy|x1y1x2y2|ltrb"), "xyxy"),
    (re.compile(r"xxyy|x1x2y1y2"), "xxyy"),
    (re.compile(r"yyxx|y1y2x1x2"), "yyxx"),
    # Of Caltech 101, beside `obj_contour`.
    (re.compile(r"^box_coord$"), "yyxx"),
    (re.compile(r"yxyx|tlbr|rowcol"), "rowcol"),
    (re.compile(r"xywh|ltwh"), "xywh"),
)
_USUAL_IN_NAME = ((re.compile(r"(^|_|\b)rects?($|_|\b)"), "xywh"),)
"""What a word for boxes usually means, where values do not tell."""


TOGETHER = 0.1
"""Correlation of corners that tells them from sizes."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for a convention.

    Attributes
    ----------
    rows : int
        Boxes looked at, without those that hold NaN or infinity.
    violations : dict of str to int
        For each candidate layout, the rows that contradict it.
    layout : str or None
        Order of the four numbers; None if neither names nor values decide it.
    convention : str or None
        The layout with its origin; None if the layout is undecided.
    reasons : list of str
        In the order of the decision, for people to read.
    is_assumed : bool
        Whether the origin is what boxes usually have, and nothing in the values tells it.
    not_finite : int
        Boxes that hold NaN or infinity.
    is_relative : bool
        Whether all numbers lie in 0 to 1, and not all are whole.
    """

    rows: int
    violations: dict[str, int]
    layout: str | None
    convention: str | None
    reasons: list[str]
    is_assumed: bool = False
    not_finite: int = 0
    is_relative: bool = False

    def require(self) -> str:
        """The convention; raises `AmbiguousConvention` where there is none."""
        if self.convention is None:
            counts = ", ".join(f"{name} {count}" for name, count in self.violations.items())
            besides = f", and {self.not_finite:,} with NaN or infinity tell nothing" if self.not_finite else ""
            raise AmbiguousConvention(
                f"{self.rows:,} boxes do not decide the convention (rows that contradict it: {counts}){besides}; "
                "name it with --convention or convention=…"
            )
        return self.convention

    def may_be(self, other: Evidence) -> bool:
        """Whether boxes may have the convention that others tell."""
        misfits = self.violations.get(other.layout or "", 0)
        return not self.is_relative and misfits <= self.rows * TOLERATED

    def joined(self, other: Evidence, why: str) -> Evidence:
        """The same boxes with the convention that others tell."""
        reasons = [*other.reasons, why]
        return replace(
            self, layout=other.layout, convention=other.convention, reasons=reasons, is_assumed=other.is_assumed
        )


def judge(
    boxes: NDArray[np.float64], name: str, *, layout: str | None = None, convention: str | None = None
) -> Evidence:
    """Infer the convention of `boxes` from their name and from all their rows.

    `layout` is known from the names of four separate fields, `convention` from who has written the boxes.

    Examples
    --------
    >>> corners = np.array([[x, x, x + 30, x + 20] for x in range(1, 40)], float)
    >>> judge(corners, "bbox").convention
    'xyxy1'
    """
    rows = boxes[np.isfinite(boxes).all(axis=1)]
    is_relative = bool(len(rows)) and bool(rows.min() >= 0 and rows.max() <= 1 and (rows % 1).any())
    found = _judged(rows, name, layout, convention, is_relative)
    return replace(found, not_finite=len(boxes) - len(rows), is_relative=is_relative)


def _judged(
    rows: NDArray[np.float64], name: str, layout: str | None, convention: str | None, is_relative: bool
) -> Evidence:
    """What speaks for the convention of boxes that are finite."""
    violations = _violations(rows)
    reasons: list[str] = []
    if convention is not None:
        reasons.append("order and origin: [x y width height] from 1, as MATLAB's labelers and detectors keep boxes")
        return Evidence(len(rows), violations, convention.rstrip("1"), convention, reasons)
    if layout is not None:
        reasons.append("order: given by the field names")
    elif name.rsplit(".")[-1] == "BoundingBox":
        reasons.append("name BoundingBox: regionprops")
        return Evidence(len(rows), violations, "xywh", "matlab", reasons)
    else:
        layout = (
            _layout_by_name(name, _LAYOUT_IN_NAME, "named so", reasons)
            or _layout_by_values(rows, violations, reasons)
            or _layout_by_name(name, _usual(len(rows), violations), "assumed by the name", reasons)
        )
    if is_relative and layout not in ("cxcywh", "yolo"):
        reasons.append("scale: all numbers lie in 0 to 1, relative to the image: corners, or centres as of YOLO")
        return Evidence(len(rows), violations, None, None, reasons)
    if layout == "xywh" and not violations["cxcywh"] and len(rows):
        reasons.append("order: the corner first is assumed, the centre fits as well")
    convention = None if layout is None else _origin(rows, layout, reasons)
    return Evidence(len(rows), violations, layout, convention, reasons, any("assumed" in why for why in reasons))


def _violations(rows: NDArray[np.float64]) -> dict[str, int]:
    a, b, c, d = rows.T if len(rows) else np.zeros((4, 0))
    return {
        "xyxy": int(((c <= a) | (d <= b)).sum()),
        "xywh": int(((c <= 0) | (d <= 0)).sum()),
        "xxyy": int(((b <= a) | (d <= c)).sum()),
        # A centre lies half a box or more from the edge of the image; boxes that are cut off may miss it by a pixel.
        "cxcywh": int(((a + 1 < c / 2) | (b + 1 < d / 2)).sum()),
    }


def _layout_by_name(
    name: str, words: Sequence[tuple[re.Pattern[str], str]], why: str, reasons: list[str]
) -> str | None:
    for pattern, layout in words:
        if pattern.search(name.lower()):
            reasons.append(f"order: {layout}, {why}")
            return layout
    return None


def _layout_by_values(rows: NDArray[np.float64], violations: dict[str, int], reasons: list[str]) -> str | None:
    """Corners satisfy their order in all rows; sizes do so only by chance."""
    count = len(rows)
    allowed = int(count * TOLERATED)
    possible = [name for name in ("xyxy", "xywh", "xxyy") if violations[name] <= allowed]
    ordered = [name for name in possible if name != "xywh"]
    if count == 0 or len(ordered) == 2:
        reasons.append("order: undecided, the values fit several")
        return None
    if not ordered:
        if "xywh" not in possible:
            reasons.append("order: undecided, no candidate fits")
            return None
        exceptions = f"all but {violations['xywh']}" if violations["xywh"] else "all"
        reasons.append(f"order: xywh, the only candidate that {exceptions} rows fit")
        return "xywh"
    if count < ENOUGH_ROWS[ordered[0]]:
        reasons.append(f"order: undecided, {count} rows fit {ordered[0]} but may do so by chance")
        return None
    if not _move_together(rows if ordered[0] == "xyxy" else rows[:, [0, 2, 1, 3]]):
        reasons.append(f"order: undecided, the numbers fit {ordered[0]}, but one corner does not move with the other")
        return None
    reasons.append(f"order: {ordered[0]}, fits {count - violations[ordered[0]]} of {count} rows")
    return ordered[0]


def _usual(count: int, violations: dict[str, int]) -> Sequence[tuple[re.Pattern[str], str]]:
    """What words usually mean, as far as the values do not contradict."""
    return [(word, layout) for word, layout in _USUAL_IN_NAME if violations[layout] <= count * TOLERATED]


def _move_together(rows: NDArray[np.float64]) -> bool:
    """Whether the third and fourth number grow with the first two, as corners do; sizes of large objects shrink."""
    centred = rows - rows.mean(axis=0)
    spread = np.sqrt((centred**2).sum(axis=0))
    products = (centred[:, :2] * centred[:, 2:]).sum(axis=0)
    scale = spread[:2] * spread[2:]
    correlations = np.divide(products, scale, out=np.zeros(2), where=scale > 0)
    return bool(correlations.mean() > TOGETHER)


def _origin(rows: NDArray[np.float64], layout: str, reasons: list[str]) -> str:
    """The convention of a layout whose coordinates count from 0, 1 or the half-pixel."""
    if layout == "cxcywh" and len(rows) and rows.max() <= 1.0 and rows.min() >= 0.0:
        reasons.append("scale: all values lie in 0 to 1, relative to the image")
        return "yolo"
    if layout not in ("xyxy", "xywh") or not len(rows):
        return layout
    corner = rows[:, :2]
    smallest = float(corner.min())
    inside = corner[corner >= 0]
    if layout == "xywh" and (corner % 1 == 0.5).all():
        reasons.append("origin: all corners lie on half-pixels, as regionprops gives them")
        return "matlab"
    if smallest < 0 and len(inside) and (rows % 1 == 0).all():
        # Boxes that are cut off at the edge of the image lie at its first pixel.
        first = {start: int((inside == start).sum()) for start in (0, 1)}
        if first[0] == first[1]:
            reasons.append("origin: 0 assumed, coordinates below 0 do not tell")
            return layout
        start = max(first, key=lambda number: first[number])
        reasons.append(
            f"origin: {start}, {first[start]:,} coordinates are {start} and {first[1 - start]:,} {1 - start}"
        )
        return layout + "1" * start
    if (rows % 1 != 0).any():
        reasons.append("origin: 0 assumed, fractional coordinates do not tell")
        return layout
    if smallest == 0:
        reasons.append("origin: 0, the smallest coordinate")
        return layout
    ones = int((corner == 1).sum())
    if ones >= ENOUGH_ONES:
        reasons.append(f"origin: 1, the smallest coordinate, which occurs {ones:,} times")
    else:
        reasons.append(f"origin: 1 assumed, as MATLAB counts; the smallest coordinate is {smallest:g}")
    return layout + "1"
