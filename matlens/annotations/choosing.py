"""Which readings of a file are its boxes: every stored value in one of them, and how certain each is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from matlens.annotations.conventions import convert
from matlens.annotations.evidence import Evidence, judge
from matlens.annotations.levels import Level, levels_below, open_single, without_indices
from matlens.annotations.readings import Reading, readings_of
from matlens.annotations.roles import Beside, Roles, roles_of
from matlens.annotations.short_lists import short_lists
from matlens.columns.buffers import number_array

Confidence = Literal["sure", "likely", "doubtful"]
_ORDER: tuple[Confidence, ...] = ("doubtful", "likely", "sure")
SURE, LIKELY = 4, 2
"""How much must speak for boxes that are sure, and for likely ones."""
ENOUGH = 8
"""Boxes that are no accident."""
MAX_VIOLATIONS = 0.1
_PART = re.compile(r"(?<![a-z])(train(ing)?|trainval|test(ing)?|val(id(ation)?)?|dev)(?![a-z])|\d+")
"""What names of the parts of a data set differ by."""
_RANGES = {"gain", "no_change", "xrange", "yrange", "xoffset", "yoffset"}
"""Fields beside the limits of a scaling, such as those of ``mapminmax``."""


@dataclass(slots=True)
class Choice:
    """A reading with what stands beside it, how certain it is and why.

    `also` are paths of equal boxes, `others` all boxes of the level that are named so; `is_scaling` says that fields of
    a scaling stand beside them.
    """

    reading: Reading
    roles: Roles
    evidence: Evidence
    confidence: Confidence = "doubtful"
    reasons: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    others: list[Choice] = field(default_factory=list, repr=False)
    is_scaling: bool = False

    @property
    def is_named(self) -> bool:
        """Whether a name or an image beside it tells of boxes; any four numbers are positive otherwise."""
        return self.reading.is_named or self.roles.image is not None

    @property
    def worth(self) -> tuple[int, int, int]:
        """How much stands beside the boxes: of equal ones, the reading that explains most is theirs."""
        beside = (self.roles.image is not None) + (self.roles.label is not None)
        return beside, _ORDER.index(self.confidence), len(self.reading.level.columns)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for: the boxes at `path`, whatever their names; of wide rows those from column `start`."""

    path: str
    start: int | None = None

    def holds(self, reading: Reading) -> bool:
        """Whether boxes stand at the path, or below it; of some of them, the others are left out."""
        variable, plain = reading.variable, without_indices(self.path)
        return variable == plain or variable.startswith(f"{plain}.")

    def picked(self, reading: Reading) -> Reading:
        """The boxes whose own path begins as the one that is asked for."""
        if self.path == without_indices(self.path):
            return reading
        paths = reading.paths().to_pylist()
        keep = np.array([_is_below(path, self.path) for path in paths], bool)
        extras = {name: values[keep] for name, values in reading.extras.items()}
        return replace(reading, values=reading.values[keep], record=reading.record[keep], extras=extras)


def _is_below(path: str, wanted: str) -> bool:
    return path.startswith(wanted) and path[len(wanted) : len(wanted) + 1] in ("", ".", "(", "{")


def choices_of(levels: Iterable[Level], wanted: Wanted | None = None) -> list[Choice]:
    """The boxes of levels and of those below them; where one path is `wanted`, four numbers of any name are boxes."""
    found: list[Choice] = []
    for level in levels:
        found += _of_level(level, wanted)
    every = {id(each): each for others in {id(one.others): one.others for one in found}.values() for each in others}
    every |= {id(each): each for each in found}
    judge_together(list(every.values()))
    for choice in every.values():
        _weigh(choice, any_name=wanted is not None)
    for choice in found:
        choice.reasons += [*choice.reading.left_out, *choice.reading.level.uneven]
        choice.reasons += short_lists(choice.reading.level, choice.roles)
    return _once(found)


def _of_level(level: Level, wanted: Wanted | None) -> list[Choice]:
    below = levels_below(level)
    readings = readings_of(
        level, [name for deeper in below for name in deeper.stored], None if wanted is None else wanted.start
    )
    named = [reading for reading in readings if reading.is_named]
    beside = Beside(level)
    # Beside boxes that are named so, other numbers are what they seem to be.
    chosen = named or [reading for reading in readings if not level.is_alone or beside.image(reading.fields)]
    if wanted is not None:
        chosen = [wanted.picked(reading) for reading in readings if wanted.holds(reading)]
    if chosen:
        open_single(level)
    found = _choices(level, chosen, named)
    for deeper in below:
        found += _of_level(deeper, wanted)
    return found


def _choices(level: Level, chosen: Sequence[Reading], named: Sequence[Reading]) -> list[Choice]:
    """Readings with what stands beside them, each of them the boxes that are `named` so as well."""
    beside, fields = Beside(level), {name for reading in named for name in reading.fields}
    is_scaling = bool(_RANGES.intersection(name.rsplit(".")[-1] for name in level.columns))

    def choice(reading: Reading) -> Choice:
        is_alone = fields <= set(reading.fields)
        roles = roles_of(level, reading.name, reading.fields, () if is_alone else fields, beside)
        evidence = judge(reading.values, reading.name, layout=reading.layout, convention=level.convention)
        return Choice(reading, roles, evidence, is_scaling=is_scaling)

    found = [choice(reading) for reading in chosen if len(reading.record)]
    known = {each.reading.fields: each for each in found}
    others = [known.get(reading.fields) or choice(reading) for reading in named]
    for each in found:
        each.others = others
    return found


def judge_together(choices: Sequence[Choice]) -> None:
    """Let places of equal names and form share the convention that all of their boxes tell: few boxes tell none."""
    families: dict[Any, list[Choice]] = {}
    for choice in choices:
        reading = choice.reading
        if reading.level.convention is None:
            name = _PART.sub("", reading.name.rsplit(".")[-1].lower()).strip("_")
            families.setdefault((name, reading.layout, len(reading.extras)), []).append(choice)
    for family in families.values():
        told = {each.evidence.convention for each in family if not each.evidence.is_assumed} - {None}
        if len(family) < 2 or len(told) > 1 or len({each.evidence.layout for each in family} - {None}) > 1:
            continue
        first = family[0].reading
        values = np.concatenate([each.reading.values for each in family])
        joint = judge(values, first.name, layout=first.layout)
        if joint.convention is not None and told <= {joint.convention}:
            why = f"judged together with places of the same name: {len(values):,} boxes in {len(family):,} places"
            for each in family:
                if (each.evidence.convention is None or each.evidence.is_assumed) and each.evidence.may_be(joint):
                    each.evidence = each.evidence.joined(joint, why)


def _weigh(choice: Choice, *, any_name: bool) -> None:
    """How certain a reading is: each reason counts, and some forbid more than doubt."""
    reading, evidence = choice.reading, choice.evidence
    level, count = reading.level, len(reading.record)
    if level.convention is not None:
        choice.confidence, choice.reasons = "sure", ["kept by one of MATLAB's labelers"]
        return
    points = _points(choice)
    choice.reasons = [f"{why} ({worth:+})" for why, worth in points]
    total = sum(worth for _, worth in points)
    doubts = list(reading.doubts)
    ordered = evidence.layout in ("xyxy", "xxyy") and count >= ENOUGH
    if not reading.is_named and not any_name and not (ordered and choice.roles.image):
        doubts.append("neither a name nor the order of the numbers tells of boxes")
    image = choice.roles.image
    if level.is_alone and len(reading.fields) == 4 and (image is None or not level.home(image).base):
        doubts.append("four numbers of a single struct without an image")
    if choice.is_scaling:
        doubts.append("limits of a scaling")
    if evidence.layout and evidence.violations.get(evidence.layout, 0) > MAX_VIOLATIONS * count:
        doubts.append(f"{evidence.violations[evidence.layout]:,} of {count:,} contradict the order {evidence.layout}")
    choice.reasons += doubts
    if any_name and not doubts:
        total = max(total, LIKELY)
    is_certain = total >= SURE and evidence.convention is not None and not evidence.is_assumed
    choice.confidence = "doubtful" if doubts or total < LIKELY else "sure" if is_certain else "likely"


def _points(choice: Choice) -> list[tuple[str, int]]:
    """What speaks for boxes, and what against, each with its weight."""
    reading, roles, evidence = choice.reading, choice.roles, choice.evidence
    values = reading.values[np.isfinite(reading.values).all(axis=1)]
    points = [("named as boxes are", 2)] if reading.is_named else [("not named as boxes are", -1)]
    if roles.image is not None:
        points.append((f"images beside them: {roles.image}", 2))
    if roles.label is not None:
        points.append((f"labels beside them: {roles.label}", 1))
    if len(reading.record) >= ENOUGH:
        points.append((f"{len(reading.record):,} of them", 1))
    if evidence.layout is None:
        points.append(("the order of the numbers is undecided", 0))
    elif not evidence.is_assumed:
        points.append((f"the values tell {evidence.convention}", 1))
    if len(values) and values.min() >= 0 and values.max() <= 1 and evidence.convention != "yolo":
        points.append(("all numbers lie in 0 to 1", -3))
    return points


def _once(choices: Sequence[Choice]) -> list[Choice]:
    """Boxes that stand in several places of a file, told once: where most stands beside them.

    That they stand elsewhere, too, is as good a reason for what they are as the best of those places has.
    """
    kept: list[Choice] = []
    by_key: dict[bytes, list[int]] = {}
    counts = Counter(len(choice.reading.record) for choice in choices)
    for choice in choices:
        # To sort boxes takes longer than to read them.
        keys = _keys(choice) if counts[len(choice.reading.record)] > 1 else []
        places = {place for key in keys for place in by_key.get(key, ())}
        place = next((place for place in sorted(places) if _may_be_one(choice, kept[place])), None)
        if place is None:
            place = len(kept)
            kept.append(choice)
        else:
            best, other = sorted((kept[place], choice), key=lambda found: found.worth, reverse=True)
            best.also += [*other.also, other.reading.paths(1)[0].as_py()]
            best.confidence = max(best.confidence, other.confidence, key=_ORDER.index)
            kept[place] = best
        for key in keys:
            by_key.setdefault(key, []).append(place)
    return kept


def _may_be_one(choice: Choice, other: Choice) -> bool:
    """Whether equal boxes are the same: those of other images are others."""
    images = [
        found.reading.level.column(found.roles.image).take(number_array(found.reading.record))
        for found in (choice, other)
        if found.roles.image is not None
    ]
    return len(images) < 2 or sorted(images[0].to_pylist(), key=str) == sorted(images[1].to_pylist(), key=str)


def _keys(choice: Choice) -> list[bytes]:
    """The boxes in any order, as they are stored, and as corners where the order of their numbers is known."""
    boxes, used = choice.reading.values, choice.evidence.convention
    versions = [boxes] if used in (None, "yolo") else [boxes, convert(boxes, used, "xyxy")]
    rounded = [np.round(version, 3) + 0.0 for version in versions]
    return [bytes([k]) + each[np.lexsort(each.T)].tobytes() for k, each in enumerate(rounded)]
