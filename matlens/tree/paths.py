"""Paths to values: MATLAB's form, 1-based, and Python's, 0-based.

``annotations(3).bbox_x1``, ``faces{1}{2}``, ``x(1:10,:)``, ``x(end-1)``, ``s.("odd name")``
and ``["annotations"][2]["bbox_x1"]``, ``x[0, -1]``, ``x[0:10]``. Parentheses and braces
count from 1, square brackets from 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from matlens.errors import LimitExceeded, PathError
from matlens.formats.places import field_suffix, python_field
from matlens.formats.records import Int64s
from matlens.limits import Limits

_NAME = re.compile(r"[^\W\d]\w*")
_DYNAMIC = re.compile(r"""\(\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)')\s*\)""")
_KEY = re.compile(r"""\[\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\s*\]""")
_TEXT_KEY = re.compile(r"""\(\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)')\s*\)""")
_CLOSING = {"(": ")", "{": "}", "[": "]"}
_MAX_LENGTH = 100_000


@dataclass(frozen=True, slots=True)
class Field:
    """A step to a variable or field by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Key:
    """A step to the value of a key of a map, which is text."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """A step by position: ``()`` keeps the container, ``{}`` and ``[]`` go into it.

    `text` is what stands between the brackets, for messages and evaluation.
    """

    bracket: str
    text: str


Step = Field | Index | Key
"""One step of a path."""


def key_suffix(key: object) -> tuple[str, str]:
    """The steps to a key of a map, in MATLAB's form and in Python's.

    Examples
    --------
    >>> key_suffix("front left"), key_suffix(3.0)
    (("('front left')", '["front left"]'), ('(3)', '[3]'))
    """
    if isinstance(key, str):
        quoted = key.replace("'", "''")
        return f"('{quoted}')", python_field(key)
    text = f"{key:g}" if isinstance(key, int | float) else str(key)
    return f"({text})", f"[{text}]"


@dataclass(eq=False)
class Selection:
    """Elements picked by subscripts out of an array of dims `whole`.

    `axes` holds the 0-based positions along each dimension, of which the last stands for all that the subscripts
    fold together, and `singles` which of them are numbers. `above` is set where the array had been picked itself.
    """

    whole: tuple[int, ...]
    axes: tuple[range, ...]
    singles: tuple[bool, ...]
    sizes: tuple[int, ...]
    dims: tuple[int, ...]
    limits: Limits
    above: Selection | None = None

    @property
    def is_scalar(self) -> bool:
        """Whether all subscripts are numbers."""
        return all(self.singles)

    @property
    def matlab(self) -> str:
        """The subscripts in MATLAB's form."""
        texts = [
            # A colon alone gives a column.
            _axis_text(chosen, size, 1, single=single, colon=len(self.axes) > 1 or self.dims[1] == 1)
            for chosen, size, single in zip(self.axes, self.sizes, self.singles, strict=True)
        ]
        return f"({','.join(texts)})"

    @property
    def python(self) -> str:
        """The subscripts in Python's form, or MATLAB's in a call where Python has none."""
        axes, sizes = self.axes, self.sizes
        if self.is_scalar and (len(axes) != len(self.whole) and not is_vector(self.whole)):
            position, sizes = self.linear[0], self.whole
            axes = tuple(range(int(k), int(k) + 1) for k in np.unravel_index(position, sizes, order="F"))
        is_turned = self.whole[0] == 1 != self.dims[0]
        if len(axes) != len(self.whole) and (len(axes) > 1 or not is_vector(self.whole) or is_turned):
            return f".at({self.matlab!r})"
        texts = [
            _axis_text(chosen, size, 0, single=self.is_scalar or single)
            for chosen, size, single in zip(axes, sizes, self.singles + (True,) * len(axes), strict=False)
        ]
        return f"[{', '.join(texts)}]"

    @cached_property
    def linear(self) -> Int64s:
        """0-based column-major positions, of which each takes eight bytes."""
        total = math.prod(map(len, self.axes))
        if 8 * total > self.limits.memory:
            text = f"{total} elements selected; take the value as a whole"
            raise LimitExceeded.of(self.limits, "memory", text)
        linear, stride = np.zeros(1, np.int64), 1
        for chosen, size in zip(self.axes, self.sizes, strict=True):
            linear = (_listed(chosen)[:, None] * stride + linear[None, :]).ravel()
            stride *= size
        return linear if self.above is None else self.above.linear[linear]

    def inside(self, outer: Selection | None) -> Selection:
        """The same subscripts of what `outer` has picked."""
        if outer is None:
            return self
        if outer.above is not None or not len(self.axes) == len(outer.axes) == len(outer.dims):
            return replace(self, above=outer)
        axes = tuple(_picked(all_of, some) for all_of, some in zip(outer.axes, self.axes, strict=True))
        return replace(self, axes=axes, sizes=outer.sizes)

    def places(self, dims: tuple[int, ...]) -> tuple[tuple[NDArray[np.intp], ...], bool]:
        """Positions along every dimension of an array of `dims`, to index it with.

        True says that all their combinations are meant, False that one stands beside the other.
        """
        if self.above is None and len(self.axes) == len(dims):
            return tuple(map(_listed, self.axes)), True
        return np.unravel_index(self.linear, dims, order="F"), False


def _picked(outer: range, inner: range) -> range:
    """The positions of `outer` whose places are `inner`."""
    if not inner:
        return inner
    step = outer.step * inner.step
    return range(outer[inner[0]], outer[inner[0]] + step * len(inner), step)


def _listed(chosen: range) -> Int64s:
    return np.arange(chosen.start, chosen.stop, chosen.step, dtype=np.int64)


def parse_path(path: str) -> list[Step]:
    """Split a path into its steps; a `PathError` has the column at which it stops making sense.

    Examples
    --------
    >>> parse_path("annotations(3).bbox_x1")
    [Field(name='annotations'), Index(bracket='(', text='3'), Field(name='bbox_x1')]
    >>> parse_path('["annotations"][2]')
    [Field(name='annotations'), Index(bracket='[', text='2')]
    """
    if len(path) > _MAX_LENGTH:
        raise PathError(f"path of {len(path)} characters")
    steps: list[Step] = []
    forms = set()
    at = 0
    while at < len(path):
        is_python = path[at] == "["
        at, step = _next_step(path, at, first=not steps)
        # MATLAB has no form of its own for variables whose names are no names.
        if steps or not isinstance(step, Field) or not is_python or _NAME.fullmatch(step.name):
            forms.add(is_python)
        steps.append(step)
    if not steps:
        raise PathError("the path is empty")
    if len(forms) > 1:
        raise PathError(f"{path!r} mixes MATLAB's form and Python's: {' or '.join(_readings(steps))}")
    return steps


def _readings(steps: Sequence[Step]) -> list[str]:
    """A path in MATLAB's form and in Python's, as far as its subscripts can be told in both."""
    forms = []
    for base in (1, 0):
        texts = []
        for step in steps:
            if isinstance(step, Key):
                texts.append(key_suffix(step.name)[1 - base])
                continue
            if isinstance(step, Field):
                texts.append((field_suffix if base else python_field)(step.name))
                continue
            closing = "]" if base == 0 else "}" if step.bracket == "{" else ")"
            opening = "[" if base == 0 else "(" if step.bracket == "[" else step.bracket
            numbers = [_rebased(part.strip(), 0 if step.bracket == "[" else 1, base) for part in step.text.split(",")]
            texts.append(f"{opening}{(',' if base else ', ').join(numbers)}{closing}")
        forms.append("".join(texts).removeprefix("."))
    return forms


def _rebased(text: str, base: int, wanted: int) -> str:
    """A subscript counted from `wanted` instead of from `base`; ranges with a step stay as they are."""
    first, colon, last = text.partition(":")
    if colon and re.fullmatch(r"\d+", first) and re.fullmatch(r"\d+", last):
        return f"{int(first) + wanted - base}:{last}"
    if re.fullmatch(r"\d+", text):
        return str(int(text) + wanted - base)
    if wanted and re.fullmatch(r"-\d+", text):
        return "end" if text == "-1" else f"end{int(text) + 1}"
    if not wanted and re.fullmatch(r"end(-\d+)?", text):
        return str(int(text[3:] or 0) - 1)
    return text


def _next_step(path: str, at: int, *, first: bool) -> tuple[int, Step]:
    key = _KEY.match(path, at)
    if key:
        text = key.group(1) if key.group(1) is not None else key.group(2)
        return key.end(), Field(re.sub(r"\\(.)", r"\1", text))
    text_key = None if first else _TEXT_KEY.match(path, at)
    if text_key:
        double, single = text_key.groups()
        return text_key.end(), Key(double.replace('""', '"') if double is not None else single.replace("''", "'"))
    if path[at] in _CLOSING:
        bracket = path[at]
        end = path.find(_CLOSING[bracket], at)
        if end < 0:
            raise PathError(f"{path!r}: no closing {_CLOSING[bracket]!r} for column {at + 1}")
        return end + 1, Index(bracket, path[at + 1 : end].strip())
    if path[at] == ".":
        at += 1
        dynamic = _DYNAMIC.match(path, at)
        if dynamic:
            double, single = dynamic.groups()
            name = double.replace('""', '"') if double is not None else single.replace("''", "'")
            return dynamic.end(), Field(name)
    elif not first:
        raise PathError(f"{path!r}: expected '.', '(', '{{' or '[' at column {at + 1}, found {path[at]!r}")
    name_match = _NAME.match(path, at)
    if not name_match:
        found = repr(path[at]) if at < len(path) else "the end"
        raise PathError(f"{path!r}: expected a name at column {at + 1}, found {found}")
    return name_match.end(), Field(name_match.group())


def _evaluate(text: str, size: int, base: int) -> int:
    """A single subscript: a number, ``end`` or ``end-1``, or a negative Python index."""
    match = re.fullmatch(r"(end)?\s*([-+]?\s*\d+)?", text.strip())
    if not match or not text.strip():
        raise PathError(f"subscript {text!r} is no number, range, ':' or 'end'")
    if len(text) > 20:
        raise PathError(f"subscript {text!r} is out of range")
    number = int(match.group(2).replace(" ", "")) if match.group(2) else 0
    if match.group(1):
        return size - 1 + number
    if base == 0 and number < 0:
        return size + number
    return number - base


def _subscript(text: str, size: int, base: int) -> tuple[range, bool]:
    """0-based positions along one dimension, and whether it is a single one."""
    text = text.strip()
    parts = text.split(":")
    if text == ":":
        return range(size), False
    if len(parts) == 1:
        position = _evaluate(text, size, base)
        chosen, single = range(position, position + 1), True
    else:
        chosen, single = _range(parts, size, base), False
    if chosen and (min(chosen[0], chosen[-1]) < 0 or max(chosen[0], chosen[-1]) >= size):
        asked = text if single else max(chosen[0], chosen[-1]) + base
        raise PathError(f"index {asked} is out of range, {base} to {size - 1 + base} exist")
    return chosen, single


def _range(parts: Sequence[str], size: int, base: int) -> range:
    if len(parts) > 3:
        raise PathError(f"range {':'.join(parts)!r} has too many parts")
    if base == 0:
        numbers = [int(part) if re.fullmatch(r"\s*-?\d{1,18}\s*", part) else None for part in parts]
        return range(*slice(*numbers).indices(size))
    start = _evaluate(parts[0], size, base)
    stop = _evaluate(parts[-1], size, base)
    step_text = parts[1].strip() if len(parts) == 3 else "1"
    if not re.fullmatch(r"[-+]?0*[1-9]\d{0,17}", step_text):
        raise PathError(f"{step_text!r} is no step of a range")
    step = int(step_text)
    if max(start, stop) >= size and (stop - start) * step >= 0:
        raise PathError(f"index {max(start, stop) + 1} is out of range, 1 to {size} exist")
    return range(start, stop + (1 if step > 0 else -1), step)


def _axis_text(chosen: range, size: int, base: int, *, single: bool, colon: bool = True) -> str:
    """The subscript that picks `chosen`, counted from `base`."""
    if single:
        return str(chosen[0] + base)
    if not chosen:
        return "1:0" if base else "0:0"
    first, last, step = chosen[0], chosen[-1], chosen.step if len(chosen) > 1 else 1
    if (first, last, step) == (0, size - 1, 1) and colon:
        return ":"
    if base:
        return f"{first + 1}:{last + 1}" if step == 1 else f"{first + 1}:{step}:{last + 1}"
    stop = last + (1 if step > 0 else -1)
    end = "" if stop < 0 else str(stop)
    return f"{first}:{end}" if step == 1 else f"{first}:{end}:{step}"


def is_vector(dims: tuple[int, ...]) -> bool:
    """Whether an array has one row or one column."""
    return len(dims) == 2 and 1 in dims


def select(index: Index, dims: tuple[int, ...], limits: Limits | None = None) -> Selection:
    """Evaluate the subscripts of one step against the dims of an array.

    In parentheses and braces, fewer subscripts than dimensions fold the remaining ones into the last, as in MATLAB. In
    square brackets, the remaining dimensions are taken whole, as in NumPy; one subscript picks elements of a vector.

    Examples
    --------
    >>> select(Index("(", "2,:"), (3, 4)).linear
    array([ 1,  4,  7, 10])
    >>> select(Index("[", "0:2, -1"), (3, 4)).matlab
    '(1:2,4)'
    >>> select(Index("(", "2"), (3, 4)).dims, select(Index("[", "1"), (3, 4)).dims
    ((1, 1), (1, 4))
    """
    base = 0 if index.bracket == "[" else 1
    parts = index.text.split(",")
    if base == 0 and not (len(parts) == 1 and is_vector(dims)):
        if len(parts) > len(dims):
            raise PathError(f"{len(parts)} subscripts for {len(dims)} dimensions")
        parts += [":"] * (len(dims) - len(parts))
    count, padded = len(parts), dims + (1,) * (len(parts) - len(dims))
    sizes = (*padded[: count - 1], math.prod(padded[count - 1 :]))
    axes, singles = zip(*(_subscript(text, size, base) for text, size in zip(parts, sizes, strict=True)), strict=True)
    shape = _picked_dims(axes, dims, as_column=base == 1 and parts[0].strip() == ":")
    return Selection(dims, axes, singles, sizes, shape, limits or Limits())


def _picked_dims(axes: tuple[range, ...], dims: tuple[int, ...], *, as_column: bool) -> tuple[int, ...]:
    """Dims of the elements at the positions `axes`."""
    lengths = tuple(map(len, axes))
    if len(lengths) == 1:
        is_column = as_column or (len(dims) == 2 and dims[1] == 1 and dims[0] != 1)
        return (*lengths, 1) if is_column else (1, *lengths)
    # As in MATLAB, no value has a last dimension of 1 beyond the second.
    while len(lengths) > 2 and lengths[-1] == 1:
        lengths = lengths[:-1]
    return lengths
