"""What the columns beside boxes are: image names, labels, scores, frames. Values and places tell; names break ties."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from matlens.annotations.levels import Level, is_list
from matlens.columns.buffers import is_number, numbers_of

_BOX_WORD = re.compile(r"(bounding_?box|(?<![a-z])b_?box|bndbox|bbx|boxes|box|rects?|roi|bound)(es|s)?", re.IGNORECASE)
IMAGE_NAME = re.compile(r"(^|_|\.)(im|img|image|file|fname|filename|path|frame|video|photo|name_?list)", re.IGNORECASE)
_IMAGE_NUMBER = re.compile(
    r"(^|_|\.)(im|img|image|photo|pic|picture|frame)(_?(id|idx|index|no|nr|num|number))?$", re.IGNORECASE
)
_FRAME_NUMBER = re.compile(r"(^|_|\.)frame", re.IGNORECASE)
_IMAGE_TEXT = re.compile(r"\.(jpe?g|png|bmp|tiff?|gif|ppm|pgm|webp|jp2|avi|mp4)$", re.IGNORECASE)
CLASS_NAME = re.compile(r"(^|_|\.)(class|label|categor|cat$|action|species|object_?name|cls|digit)", re.IGNORECASE)
LABEL_NAME = re.compile(r"(^|_|\.)(obj$|sub$|kind|type|tag|name(\.text)?$)", re.IGNORECASE)
CLASS_LIST = re.compile(r"(classes|categories|(class|label|category)_?(names?|list))$", re.IGNORECASE)
"""Names of lists of all classes."""
_LABEL_WORD = re.compile(r"(class|label|category|categories|cat|name|type|kind|cls|tag|ids?)(es|s)?", re.IGNORECASE)
_NO_LABEL = re.compile(r"(^|_|\.)(u?uid|uuid|guid|date|time|url|md5|hash|comment|description|version)", re.IGNORECASE)
SCORE_NAME = re.compile(r"(^|_|\.)(score|conf|prob|certain)", re.IGNORECASE)
SAMPLE = 1000
"""Values of a column that tell what it is."""
MAX_CLASSES = 10_000
UNNAMED, LIKELY = 1, 3
"""Ranks of texts that come again and have no name of a label, and of labels that are not certain."""


@dataclass(slots=True)
class Roles:
    """The columns beside boxes that are known, and what else may be a label.

    `image_number` is a column of numbers that tell images, or frames, apart where there are no names.
    `is_label_sure` tells whether name and values agree on the label; `candidates` are columns that may be labels where
    nothing decides between them.
    """

    image: str | None = None
    image_number: str | None = None
    label: str | None = None
    is_label_sure: bool = False
    candidates: list[str] = field(default_factory=list)


class Beside:
    """The columns of a level that may be images or labels, looked at once for all boxes of the level."""

    def __init__(self, level: Level) -> None:
        self._level = level

    @cached_property
    def _texts(self) -> list[str]:
        level = self._level
        return [name for name in level.names() if pa.types.is_string(level.type_of(name))]

    @cached_property
    def _files(self) -> list[str]:
        """Texts that are names of images; of several, one that is named after an image comes first."""
        level = self._level
        files = [name for name in self._texts if is_image_names(level.home(name).columns[name])]
        return sorted(files, key=lambda name: not IMAGE_NAME.search(name))

    @cached_property
    def _ranked(self) -> list[tuple[int, str]]:
        """Columns that may be labels, and how much speaks for each."""
        level, image = self._level, self.image()
        below = None if image is None else level.home(image).parent
        return [(rank, name) for name in level.names() if (rank := _rank(level, name, below)) > 0]

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        """Columns of the level itself by what their names have beside a word for labels."""
        found: dict[str, list[str]] = {}
        for name, kind in self._level.columns.types.items():
            if not is_list(kind) and (stem := _stem(name, _LABEL_WORD)):
                found.setdefault(stem, []).append(name)
        return found

    def image(self, exclude: Collection[str] = ()) -> str | None:
        """The text column that holds image names, by its values first and its name second."""
        files = [name for name in self._files if name not in exclude]
        named = (name for name in self._texts if name not in exclude and IMAGE_NAME.search(name))
        return files[0] if files else next((name for name in named if _may_be_beside(self._level, name)), None)

    @cached_property
    def image_number(self) -> str | None:
        """The column of whole numbers from 0 that is named after images, or else after frames."""
        level = self._level
        names = [name for name in level.names() if is_number(level.type_of(name)) and _IMAGE_NUMBER.search(name)]
        fine = [name for name in names if _may_be_beside(level, name) and _are_numbers(level.home(name).columns[name])]
        return min(fine, key=lambda name: bool(_FRAME_NUMBER.search(name)), default=None)

    def labels(self, name: str, is_taken: Callable[[str], bool], *, has_others: bool) -> list[tuple[int, str]]:
        """What may be the label of the boxes `name`, by the stem of their names if there is such a column."""
        stem = _stem(name, _BOX_WORD)
        ranked = [(rank, column) for rank, column in self._ranked if not is_taken(column)]
        paired = [(max(rank, UNNAMED + 1), n) for rank, n in ranked if _stem(n, _LABEL_WORD) == stem != ""]
        if not paired:
            alike = [column for column in self._by_stem.get(stem, ()) if not is_taken(column)]
            paired = [(UNNAMED + 1, column) for column in alike if _may_be_label(self._level, column)]
        if has_others:
            # Of several boxes each has its own label, by the stem of their names; one without a stem is that of all.
            ranked = paired or [(rank, column) for rank, column in ranked if not _stem(column, _LABEL_WORD)]
        return paired or ranked


def roles_of(
    level: Level, name: str, fields: Sequence[str], others: Collection[str] = (), beside: Beside | None = None
) -> Roles:
    """What the columns beside the boxes `name` are, which have `fields`; `others` are other boxes of the level."""
    beside = beside or Beside(level)
    found = Roles(image=beside.image(fields))
    if found.image is None and beside.image_number not in (*fields, *others):
        found.image_number = beside.image_number
    taken = (found.image, found.image_number)
    ranked = beside.labels(
        name, lambda column: column in fields or column in others or column in taken, has_others=bool(others)
    )
    best = max((rank for rank, _ in ranked), default=0)
    top = [column for rank, column in ranked if rank == best]
    # Of equal ones the nearest: the name of a part rather than the class of the object that it is of.
    nearest = [column for column in top if column in level.columns] or top
    if len(nearest) == 1 and best > UNNAMED:
        found.label, found.is_label_sure = nearest[0], best > LIKELY
    else:
        found.candidates = top
    return found


def is_image_names(texts: pa.Array) -> bool:
    """Whether most texts end as files of images do."""
    sample = [text for text in texts.slice(0, SAMPLE).to_pylist() if text]
    return bool(sample) and sum(bool(_IMAGE_TEXT.search(text)) for text in sample) > len(sample) / 2


def _may_be_beside(level: Level, name: str) -> bool:
    """Whether a column has a value for each record, or for each of those above; a lone text beside many is neither."""
    home = level.home(name)
    return not home.is_alone or level.is_alone or home.base != ""


def _rank(level: Level, name: str, above_images: Level | None) -> int:
    """How much speaks for a column being the label, at most 5: its name, values that come again, its place.

    A list of all classes is one of the level above the images: cells of classes that hold cells of images.
    """
    home, kind = level.home(name), level.type_of(name)
    if home.is_alone and not (level.is_alone and home.base):
        # A text of the file, or of a struct with many boxes, is none of each box.
        return 0
    is_text = bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))
    if not (is_text or is_number(kind)) or _NO_LABEL.search(name) or SCORE_NAME.search(name):
        return 0
    named = 2 if CLASS_NAME.search(name) else 1 if LABEL_NAME.search(name) else 0
    if not named and (not is_text or home is not level):
        return 0
    repeats = _repeats(home.columns[name], is_text)
    if repeats is False or (not repeats and not named):
        return 0
    # As many different classes as there are boxes or images may be a list of names for all that.
    is_list = is_text and not repeats and home.base is not None and bool(CLASS_LIST.search(name))
    if not named or (is_list and home is not above_images and _are_different(home.columns[name])):
        return UNNAMED
    # One of the own level is nearer than one above.
    return named + bool(repeats) + (home is level) + UNNAMED


def _are_different(array: pa.Array) -> bool:
    return bool(pc.count_distinct(array).as_py() == len(array))


def _are_numbers(array: pa.Array) -> bool:
    """Whether all entries are whole numbers from 0, as those of images are."""
    values = numbers_of(array.cast(pa.float64(), safe=False))
    return bool(len(values)) and bool(np.isfinite(values).all() and (values >= 0).all() and (values % 1 == 0).all())


def _may_be_label(level: Level, name: str) -> bool:
    """Whether a column that nothing but its place names may be a label: texts, or numbers that come again."""
    kind = level.columns.types[name]
    is_text = bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))
    if not (is_text or is_number(kind)) or _NO_LABEL.search(name) or SCORE_NAME.search(name):
        return False
    repeats = _repeats(level.columns[name], is_text)
    return repeats is True or (is_text and repeats is None)


def _repeats(array: pa.Array, is_text: bool) -> bool | None:
    """Whether values come again, as classes do; None of too few to tell, False of what cannot be classes."""
    array = array.drop_null()
    if is_text:
        array = array.cast(pa.string())
        texts = array.slice(0, SAMPLE).to_pylist()
        if texts and sum(bool(_IMAGE_TEXT.search(text)) or len(text) > 80 for text in texts) > len(texts) / 2:
            return False
    else:
        numbers = numbers_of(array)
        if not np.isfinite(numbers).all() or (numbers != np.floor(numbers)).any():
            return False
    if len(array) < 4:
        return None
    distinct = pc.count_distinct(array).as_py()
    return True if distinct <= min(len(array) // 2, MAX_CLASSES) else None


def _stem(name: str, word: re.Pattern[str]) -> str:
    """What a name has beside the word for boxes or labels: ``sub`` of ``sub_box``."""
    return re.sub(r"[\W_]+", "", word.sub("", name.rsplit(".")[-1])).lower()
