"""Paths to values: MATLAB's form, 1-based, and Python's, 0-based.

``annotations(3).bbox_x1``, ``faces{1}{2}``, ``x(1:10,:)``, ``x(end-1)``, ``s.("odd name")``
and ``["annotations"][2]["bbox_x1"]``, ``x[0, -1]``, ``x[0:10]``. Parentheses and braces
count from 1, square brackets from 0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from matlens.errors import LimitExceeded, PathError
from matlens.formats.records import Int64s

__all__ = ["Field", "Index", "Selection", "parse_path", "select"]

_NAME = re.compile(r"[^\W\d]\w*")
_DYNAMIC = re.compile(r"""\(\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)')\s*\)""")
_KEY = re.compile(r"""\[\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\s*\]""")
_CLOSING = {"(": ")", "{": "}", "[": "]"}
_MAX_LENGTH = 100_000
MAX_SELECTED = 1 << 28
"""Elements whose positions are listed, eight bytes each."""


@dataclass(frozen=True, slots=True)
class Field:
    """A step to a variable or field by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """A step by position: ``()`` keeps the container, ``{}`` and ``[]`` go into it.

    `text` is what stands between the brackets, for messages and evaluation.
    """

    bracket: str
    text: str


class Selection(NamedTuple):
    """Elements picked by subscripts: 0-based column-major positions, and their dims.

    `matlab` and `python` are the subscripts as text, in either form. `axes` holds the
    positions along each dimension, None where the subscripts do not tell them apart.
    """

    linear: Int64s
    dims: tuple[int, ...]
    is_scalar: bool
    matlab: str
    python: str
    axes: tuple[Int64s, ...] | None = None


def parse_path(path: str) -> list[Field | Index]:
    """Split a path into its steps.

    Raises
    ------
    PathError
        With the column at which the path stops making sense.

    Examples
    --------
    >>> parse_path("annotations(3).bbox_x1")
    [Field(name='annotations'), Index(bracket='(', text='3'), Field(name='bbox_x1')]
    >>> parse_path('["annotations"][2]')
    [Field(name='annotations'), Index(bracket='[', text='2')]
    """
    if len(path) > _MAX_LENGTH:
        raise PathError(f"path of {len(path)} characters")
    steps: list[Field | Index] = []
    at = 0
    while at < len(path):
        at, step = _next_step(path, at, first=not steps)
        steps.append(step)
    if not steps:
        raise PathError("the path is empty")
    return steps


def _next_step(path: str, at: int, *, first: bool) -> tuple[int, Field | Index]:
    key = _KEY.match(path, at)
    if key:
        text = key.group(1) if key.group(1) is not None else key.group(2)
        return key.end(), Field(re.sub(r"\\(.)", r"\1", text))
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


def _subscript(text: str, size: int, base: int) -> tuple[Int64s, bool]:
    """0-based positions along one dimension, and whether it is a single one."""
    text = text.strip()
    if text == ":":
        return _positions(range(size)), False
    parts = text.split(":")
    if len(parts) == 1:
        position = _evaluate(text, size, base)
        positions, single = np.array([position], np.int64), True
    else:
        positions, single = _range(parts, size, base), False
    if len(positions) and not (positions.min() >= 0 and positions.max() < size):
        bad = int(positions.max() if positions.max() >= size else positions.min()) + base
        raise PathError(f"index {bad} is out of range, {base} to {size - 1 + base} exist")
    return positions, single


def _range(parts: Sequence[str], size: int, base: int) -> Int64s:
    if len(parts) > 3:
        raise PathError(f"range {':'.join(parts)!r} has too many parts")
    if base == 0:
        numbers = [int(part) if re.fullmatch(r"\s*-?\d{1,18}\s*", part) else None for part in parts]
        return _positions(range(*slice(*numbers).indices(size)))
    start = _evaluate(parts[0], size, base)
    stop = _evaluate(parts[-1], size, base)
    step_text = parts[1].strip() if len(parts) == 3 else "1"
    if not re.fullmatch(r"[-+]?0*[1-9]\d{0,17}", step_text):
        raise PathError(f"{step_text!r} is no step of a range")
    step = int(step_text)
    if max(start, stop) >= size and (stop - start) * step >= 0:
        raise PathError(f"index {max(start, stop) + 1} is out of range, 1 to {size} exist")
    return _positions(range(start, stop + (1 if step > 0 else -1), step))


def _positions(chosen: range) -> Int64s:
    if len(chosen) > MAX_SELECTED:
        raise LimitExceeded(f"{len(chosen)} positions along one dimension, {MAX_SELECTED} at most")
    return np.arange(chosen.start, chosen.stop, chosen.step, dtype=np.int64)


def _axis_text(positions: Int64s, size: int, base: int) -> str:
    """The subscript that picks `positions`, which have a constant step, counted from `base`."""
    if len(positions) == 1:
        return str(int(positions[0]) + base)
    if len(positions) == 0:
        return "1:0" if base else "0:0"
    first, last, step = int(positions[0]), int(positions[-1]), int(positions[1] - positions[0])
    if (first, last, step) == (0, size - 1, 1):
        return ":"
    if base:
        return f"{first + 1}:{last + 1}" if step == 1 else f"{first + 1}:{step}:{last + 1}"
    stop = last + (1 if step > 0 else -1)
    end = "" if stop < 0 else str(stop)
    return f"{first}:{end}" if step == 1 else f"{first}:{end}:{step}"


def select(index: Index, dims: tuple[int, ...]) -> Selection:
    """Evaluate the subscripts of one step against the dims of an array.

    Fewer subscripts than dimensions fold the remaining ones into the last, as in MATLAB.

    Examples
    --------
    >>> select(Index("(", "2,:"), (3, 4)).linear
    array([ 1,  4,  7, 10])
    >>> select(Index("[", "0:2, -1"), (3, 4)).matlab
    '(1:2,4)'
    """
    base = 0 if index.bracket == "[" else 1
    parts = index.text.split(",")
    count = len(parts)
    if count > len(dims):
        dims = dims + (1,) * (count - len(dims))
    sizes = [*dims[: count - 1], math.prod(dims[count - 1 :])]
    picked = [_subscript(text, size, base) for text, size in zip(parts, sizes, strict=True)]
    is_scalar = all(single for _, single in picked)
    axes = [positions for positions, _ in picked]
    matlab = "(" + ",".join(_axis_text(a, n, 1) for a, n in zip(axes, sizes, strict=True)) + ")"
    python = "[" + ", ".join(_axis_text(a, n, 0) for a, n in zip(axes, sizes, strict=True)) + "]"
    if count == 1:
        positions = picked[0][0]
        as_column = parts[0].strip() == ":" or (len(dims) == 2 and dims[1] == 1 and dims[0] != 1)
        shape = (len(positions), 1) if as_column else (1, len(positions))
        return Selection(positions, shape, is_scalar, matlab, python)
    total = math.prod(map(len, axes))
    if total > MAX_SELECTED:
        raise LimitExceeded(f"{total} elements selected, {MAX_SELECTED} at most; take the value as a whole")
    linear = np.zeros(1, np.int64)
    stride = 1
    for (positions, _), size in zip(picked, sizes, strict=True):
        linear = (positions[:, None] * stride + linear[None, :]).ravel()
        stride *= size
    whole = tuple(axes) if count == len(dims) else None
    picked_dims = tuple(map(len, axes))
    # As in MATLAB, no value has a last dimension of 1 beyond the second.
    while len(picked_dims) > 2 and picked_dims[-1] == 1:
        picked_dims = picked_dims[:-1]
    return Selection(linear, picked_dims, is_scalar, matlab, python, whole)
