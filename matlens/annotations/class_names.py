"""Names of classes that boxes have as numbers: in the file, in a neighbour of it, or where somebody says they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from matlens.annotations.file_levels import levels_in
from matlens.annotations.levels import Level
from matlens.columns.buffers import is_number, numbers_of, text_array
from matlens.errors import MatlensError, PathError, UnsupportedValue
from matlens.tree.access import folder_of
from matlens.tree.file import MatFile, open_file

_NAMES = re.compile(r"class|label|categor|names?$|species", re.IGNORECASE)
_CLASS_LIST = re.compile(
    r"(class|label|category|categories)_?(names?|list)$|(^|_|\.)(classes|categories)(_?(names?|list))?$", re.IGNORECASE
)
"""Names of lists of classes."""
_FILE = re.compile(r"\.(jpe?g|png|bmp|tiff?|gif|mat|txt)$", re.IGNORECASE)
_META = re.compile(r"(^|_)meta$|class_?names$|^classes$|^categories$", re.IGNORECASE)
"""Names of files that tell of the classes of their neighbours."""
MAX_NEIGHBOURS = 8
MAX_CLASSES = 10_000
SHOWN_NUMBERS = 8

Classes = str | Sequence[str] | Mapping[int, str] | None
"""Names of classes in order or by number, where they stand, ``""`` for none, or None to look for them."""


class ClassNames(NamedTuple):
    """Names by the number that stands for them, and where they come from."""

    names: dict[int, str]
    origin: str

    def of(self, numbers: pa.Array) -> pa.Array:
        """Names of class numbers; null where there is none."""
        return text_array([None if number is None else self.names.get(int(number)) for number in numbers.to_pylist()])


def class_names(file: MatFile, levels: Sequence[Level], numbers: pa.Array, classes: Classes) -> ClassNames | None:
    """Names of the classes that `numbers` stand for; None where they are none, or where nothing tells.

    Those that are not given are taken where a value of the file, or of a neighbour such as ``cars_meta.mat``, has as
    many different texts as there are numbers, and there is but one such value.
    """
    known = _whole(numbers)
    if known is None or classes == "":
        return None
    if classes is not None:
        return _given(classes, known)
    found = [*_fitting(levels, known, "")]
    for path in _neighbours(file) if not found else ():
        with open_file(path) as neighbour:
            found += _fitting(levels_in(neighbour, []), known, f"{path.name}: ")
    different = {tuple(each.names.items()): each for each in found}
    return next(iter(different.values())) if len(different) == 1 else None


def _whole(numbers: pa.Array) -> set[int] | None:
    """The different numbers of a column, if they are whole."""
    if not is_number(numbers.type) or not len(numbers):
        return None
    values = np.unique(numbers_of(numbers.drop_null()))
    if not len(values) or len(values) > MAX_CLASSES or not (values == np.floor(values)).all() or values[0] < 0:
        return None
    return set(values.astype(np.int64).tolist())


def _fitting(levels: Sequence[Level], known: set[int], before: str) -> Iterator[ClassNames]:
    """Lists of as many different texts as there are classes."""
    for start in (1, 0):
        size = max(known) + 1 - start
        for level in levels:
            if level.size != size or (min(known) != 0 if start == 0 else min(known) < 1):
                continue
            for path, texts in _lists_of_names(level):
                # A single text is the name of a class only if it is named as a list of such.
                if len(set(texts)) == size and (size > 1 or _CLASS_LIST.search(path)):
                    origin = f"{before}{path}, {counted_names(size)} counted from {start}"
                    yield ClassNames(dict(enumerate(texts, start)), origin)


def _lists_of_names(level: Level) -> Iterator[tuple[str, list[str]]]:
    """Columns of texts that may be names of classes, by their paths."""
    for name, kind in level.columns.types.items() if level.base is not None else ():
        if pa.types.is_string(kind) and _NAMES.search(name):
            texts = level.columns[name].to_pylist()
            if all(text and not _FILE.search(text) for text in texts):
                yield f"{level.base}.{name}" if level.base else name, texts


def counted_names(count: int) -> str:
    """How many names there are, in words."""
    return f"{count:,} name{'s' * (count != 1)}"


def possible_names(file: MatFile, levels: Sequence[Level], numbers: pa.Array) -> list[str]:
    """Lists of more names than the numbers need, which may be theirs: what is told of them, and how to use them."""
    known = _whole(numbers)
    if known is None:
        return []
    # Numbers from 0 need one name more than those from 1.
    needed = max(known) + (0 in known)
    found = list[str]()
    for level in levels:
        for path, texts in _lists_of_names(level) if 1 < level.size <= MAX_CLASSES else ():
            if not _CLASS_LIST.search(path) or len(set(texts)) < len(texts):
                continue
            names, span = counted_names(len(texts)), f"for numbers {min(known)} to {max(known)}"
            if level.size >= needed:
                found.append(f"names of classes may be {path}, {names} {span}: --classes {file.name}:{path}")
            else:
                found.append(
                    f"{path} has {names} {span}, and is not used: "
                    f'--classes NAMES.json says which number has which, as in {{"{max(known)}": "{texts[-1]}"}}'
                )
    return found + _gaps(known)


def _gaps(known: set[int]) -> list[str]:
    """What is told of numbers without names that leave others out: formats count classes without gaps."""
    if max(known) - min(known) < len(known):
        return []
    some = ", ".join(f"{number:,}" for number in sorted(known)[:SHOWN_NUMBERS])
    more = ", …" if len(known) > SHOWN_NUMBERS else ""
    return [
        f"the numbers of the classes have gaps: {some}{more}; COCO, YOLO and others count the {len(known):,} classes "
        "anew, in this order"
    ]


def _neighbours(file: MatFile) -> list[Path]:
    """MAT-files of the same folder whose names tell of classes."""
    folder = folder_of(file)
    if folder is None:
        return []
    others = [path for path in sorted(folder.glob("*.mat")) if _META.search(path.stem) and path.name != file.name]
    return others[:MAX_NEIGHBOURS]


# --- names that are given ------------------------------------------------------------------


def _given(classes: Classes, known: set[int]) -> ClassNames:
    origin = "given"
    if isinstance(classes, str):
        origin, classes = classes, _read(classes)
    if isinstance(classes, Mapping):
        found = ClassNames({int(number): str(name) for number, name in classes.items()}, origin)
    else:
        texts = list(classes or ())
        # Numbers that a list of names holds from 0 to its end; MATLAB counts from 1.
        start = 0 if 0 in known or (max(known) < len(texts) and _is_zero_based(origin)) else 1
        found = ClassNames(dict(enumerate(texts, start)), f"{origin}, {len(texts):,} names counted from {start}")
    missing = sorted(known - found.names.keys())
    if missing:
        raise UnsupportedValue(f"no name for class {missing[0]}: {found.origin} has {len(found.names):,} names")
    return found


def _is_zero_based(origin: str) -> bool:
    """Whether names come from a file of tools that count from 0."""
    return Path(origin).suffix in (".names", ".txt")


def _read(place: str) -> Sequence[str] | dict[int, str]:
    """Names from a file: ``.mat`` with a path behind a colon, ``.json``, or a name on each line."""
    name, colon, inside = place.rpartition(":")
    path, inside = (Path(name), inside) if colon and not Path(place).exists() else (Path(place), "")
    if path.suffix == ".mat":
        with open_file(path) as file:
            return _texts(file, inside)
    try:
        text = path.read_text("utf-8")
        return _of_json(json.loads(text)) if path.suffix == ".json" else _lines(text)
    except (OSError, ValueError) as error:
        raise PathError(f"{path} does not hold names of classes: {error}") from None


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _texts(file: MatFile, path: str) -> list[str]:
    node = file.at(path) if path else None
    for candidate in [node] if node is not None else list(file.values()):
        try:
            table = candidate.to_arrow()
        except MatlensError:
            continue
        for name, kind in zip(table.schema.names, table.schema.types, strict=True):
            if pa.types.is_string(kind) and (path or _NAMES.search(name)) and table.num_rows > 1:
                return [str(text) for text in table[name].to_pylist()]
    raise PathError(f"no names of classes in {path or 'any variable'}", file=file.name)


def _of_json(stored: object) -> Sequence[str] | dict[int, str]:
    """A list of names, names by number, or the categories of COCO."""
    if isinstance(stored, dict) and "categories" in stored:
        stored = stored["categories"]
    if isinstance(stored, list) and stored and all(isinstance(item, dict) for item in stored):
        return {int(item["id"]): str(item["name"]) for item in stored}
    if isinstance(stored, dict):
        return {int(number): str(name) for number, name in stored.items()}
    if isinstance(stored, list):
        return [str(name) for name in stored]
    raise ValueError("neither a list of names nor names by number")
