"""Values as expressions of MATLAB, which Octave reads as well."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from matlens.errors import UnsupportedValue
from matlens.escape import safe_text
from matlens.tui.model.exact import Cells, Chars, Handle, Other, Records, Rows, Strings

_CLASSES = {"float32": "single", "complex64": "single", "bool": "logical"}
_EXACT = 2**53
"""Above it, MATLAB rounds the integers that it reads: it takes them for doubles."""
_FUNCTION = re.compile(r"^@|^[A-Za-z][\w.]*$")


def matlab_text(value: Any) -> str:
    """An expression that gives the value, its class and its dims.

    Examples
    --------
    >>> print(matlab_text(np.array([[1, 2], [3, 4]], np.int8)), matlab_text("it's"))
    int8([1 2; 3 4]) 'it''s'
    >>> print(matlab_text(np.array([[2**53 + 1]])))
    int64(9007199254740992) + int64(1)
    """
    match value:
        case Records(dims, fields, items):
            return _struct(dims, fields, items)
        case Rows(fields, items):
            return _struct((len(items), 1), fields, items)
        case Cells(dims, items):
            return _array([matlab_text(item) for item in items], dims, "{}", f"cell({_sizes(dims)})")
        case Strings(dims, items):
            return _array([_string(item) for item in items], dims, "[]", f"strings({_sizes(dims)})")
        case Chars(rows, pages):
            return _char_array(rows, pages)
        case Handle(text) if _FUNCTION.search(text):
            return text if text.startswith("@") else f"@{text}"
        case Other(name, _):
            raise UnsupportedValue(f"a {name} has no literal in MATLAB: export it (e)")
        case str():
            return _char(value)
        case None:
            return "[]"
        case list() | tuple():
            return matlab_text(Cells((1, len(value)), list(value)))
        case dict():
            return _struct((1, 1), [str(name) for name in value], [list(value.values())])
        case dt.datetime():
            return matlab_text(np.array([[value.replace(tzinfo=None)]], "datetime64[us]"))
        case dt.timedelta():
            return matlab_text(np.array([[value]], "timedelta64[us]"))
    if hasattr(value, "tocoo"):
        return _sparse(value)
    array = np.atleast_2d(np.asarray(value))
    if array.dtype.kind not in "biufcmM":
        raise UnsupportedValue(f"a {type(value).__name__} has no literal in MATLAB: export it (e)")
    return _numbers(array)


def _char_array(rows: list[str], pages: Sequence[int]) -> str:
    """Rows above each other; pages are stacked, and put behind each other again."""
    width, height = len(rows[0]) if rows else 0, len(rows) // max(math.prod(pages), 1)
    if not width:
        return f"char(zeros({_sizes((height, width, *pages))}))"
    stacked = _block([[_char(row)] for row in rows], "[]")
    if not pages:
        return stacked
    order = " ".join(map(str, (2, 1, *range(3, 3 + len(pages)))))
    return f"permute(reshape({stacked}.', {_sizes((width, height, *pages))}), [{order}])"


def _sizes(dims: Sequence[int]) -> str:
    return ", ".join(map(str, dims))


def _block(rows: list[list[str]], brackets: str) -> str:
    """A matrix; numbers stand apart by a blank, expressions by a comma."""
    gap = ", " if any(" " in item or not item[:1].isalnum() for row in rows for item in row) else " "
    gap = " " if all(re.fullmatch(r"-?[\w.]+(e[+-]\d+)?", item) for row in rows for item in row) else gap
    return brackets[0] + "; ".join(gap.join(row) for row in rows) + brackets[1]


def _array(items: list[str], dims: Sequence[int], brackets: str, empty: str) -> str:
    """Column-major items as a matrix, and what has more dimensions through ``reshape``."""
    if math.prod(dims) == 0:
        return empty
    if len(dims) == 2:
        if len(items) == 1 and brackets == "[]":
            return items[0]
        return _block([items[row :: dims[0]] for row in range(dims[0])], brackets)
    return f"reshape({_block([items], brackets)}, [{' '.join(map(str, dims))}])"


def _numbers(array: Any) -> str:
    kind, name = array.dtype.kind, _CLASSES.get(array.dtype.name, array.dtype.name)
    dims = array.shape
    flat = array.ravel(order="F")
    if kind in "mM":
        return _array([_time(item) for item in flat], dims, "[]", f"{_TIMES[kind]}.empty({_sizes(dims)})")
    if kind == "c":
        text = f"complex({_numbers(array.real)}, {_numbers(array.imag)})" if array.size else f"zeros({_sizes(dims)})"
        return f"single({text})" if name == "single" and not array.size else text
    empty = f"zeros({_sizes(dims)})"
    if kind == "b":
        items = ["true" if item else "false" for item in flat.tolist()]
        return _array(items, dims, "[]", f"false({_sizes(dims)})")
    if kind == "f":
        text = _array([_double(item) for item in flat.tolist()], dims, "[]", empty)
        return f"single({text})" if name == "single" else text
    values = flat.tolist()
    if not values or max(map(abs, values)) <= _EXACT:
        return f"{name}({_array([str(item) for item in values], dims, '[]', empty)})"
    # Each part is a double without loss, and MATLAB adds integers exactly.
    high = [int(math.copysign(abs(item) >> 11 << 11, item)) if abs(item) > _EXACT else item for item in values]
    low = [item - part for item, part in zip(values, high, strict=True)]
    return " + ".join(f"{name}({_array([str(item) for item in part], dims, '[]', empty)})" for part in (high, low))


def _double(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if value != value else "Inf" if value > 0 else "-Inf"
    return repr(value).removesuffix(".0")


_TIMES = {"M": "datetime", "m": "duration"}


def _time(value: Any) -> str:
    if np.isnat(value):
        return "NaT" if value.dtype.kind == "M" else "seconds(NaN)"
    count = int(value.astype(f"{value.dtype.kind}8[us]").astype(np.int64))
    if value.dtype.kind == "m":
        return f"seconds({_double(count / 1e6)})"
    moment = np.datetime64(count, "us").astype("datetime64[us]").item()
    if not isinstance(moment, dt.datetime):
        raise UnsupportedValue("a time of a year beyond 9999 has no literal here")
    seconds = _double(moment.second + moment.microsecond / 1e6)
    return f"datetime({moment.year}, {moment.month}, {moment.day}, {moment.hour}, {moment.minute}, {seconds})"


def _sparse(value: Any) -> str:
    part = value.tocoo()
    rows, columns = (_numbers((np.asarray(places, np.float64) + 1)[:, None]) for places in part.coords)
    return f"sparse({rows}, {columns}, {_numbers(part.data[:, None])}, {_sizes(value.shape)})"


def _struct(dims: Sequence[int], fields: Sequence[str], items: list[list[Any]]) -> str:
    """Each field has its values in a cell, so that none of them is taken for several records."""
    if not fields:
        return "struct()" if len(items) == 1 else f"repmat(struct(), {_sizes(dims)})"
    parts = [
        f"{_char(name)}, {matlab_text(Cells(tuple(dims), [line[k] for line in items]))}"
        for k, name in enumerate(fields)
    ]
    return f"struct({', '.join(parts)})"


def _char(text: str) -> str:
    """Text in single quotes; characters that could act on a terminal by their codes."""
    if not text:
        return "''"
    parts = []
    for is_safe, run in groupby(text, key=lambda letter: safe_text(letter) == letter):
        letters = "".join(run)
        if is_safe:
            doubled = letters.replace("'", "''")
            parts.append(f"'{doubled}'")
        else:
            units = np.frombuffer(letters.encode("utf-16-le", "surrogatepass"), "<u2")
            parts.append(f"char([{' '.join(map(str, units.tolist()))}])")
    return parts[0] if len(parts) == 1 else "[" + ", ".join(parts) + "]"


def _string(text: str | None) -> str:
    if text is None:
        return "string(missing)"
    if safe_text(text) != text:
        return f"string({_char(text)})"
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
