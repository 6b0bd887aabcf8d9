"""One value in full: its digits, its bits, its letters."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from matlens.escape import safe_text
from matlens.tui.model.exact import Cells, Chars, Handle, Records, Strings
from matlens.tui.model.literals import plain_text, written

LETTERS = 200_000
"""Letters of a text that are shown; copying takes all."""
_BITS = {2: np.uint16, 4: np.uint32, 8: np.uint64}


def details(value: Any) -> list[tuple[str, str]]:
    """Names and escaped texts of all that one value is; nothing of one that is a table of its own.

    Examples
    --------
    >>> for name, text in details(np.float32(0.1)): print(f"{name}: {text}")
    value: 0.10000000149011612
    as single: 0.1
    hex: 0x1.99999a0000000p-4
    bits: 0 01111011 10011001100110011001101
    >>> dict(details(np.int8(-2)))["bits"]
    '11111110'
    """
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if isinstance(value, Strings) and len(value.items) == 1:
        value = "<missing>" if value.items[0] is None else value.items[0]
    match value:
        case str():
            return _text(value)
        case Chars(rows):
            return _text("\n".join(rows))
        case Handle(text):
            return [("function", safe_text(text))]
        case bool() | np.bool_():
            return [("value", "true" if value else "false"), ("number", str(int(value)))]
        case int() | np.integer():
            return _integer(value)
        case float() | np.floating():
            return _real(value)
        case complex() | np.complexfloating():
            parts = [
                (f"{name} {told}", text)
                for name, part in (("real", value.real), ("imag", value.imag))
                for told, text in _real(part)
            ]
            return [("value", plain_text(value)), *parts]
        case np.datetime64() | np.timedelta64() | dt.date() | dt.timedelta():
            return _time(value)
    is_table = isinstance(value, np.ndarray | Records | Cells | Strings) or hasattr(value, "tocoo")
    return [] if is_table else [("value", safe_text(written(value, "JSON").text[:LETTERS]))]


def _text(value: str) -> list[tuple[str, str]]:
    lines = "\n".join(map(safe_text, value[:LETTERS].split("\n")))
    cut = [("shown", f"the first {LETTERS:,} letters; copying (y) takes all")] if len(value) > LETTERS else []
    return [("letters", f"{len(value):,}"), *cut, ("text", lines)]


def _integer(value: Any) -> list[tuple[str, str]]:
    number = int(value)
    bits = value.dtype.itemsize * 8 if isinstance(value, np.integer) else 64
    if not -(1 << bits) < number < 1 << bits:
        return [("value", str(number))]
    unsigned = number & ((1 << bits) - 1)
    return [("value", str(number)), ("hex", f"0x{unsigned:0{bits // 4}x}"), ("bits", f"{unsigned:0{bits}b}")]


def _real(value: Any) -> list[tuple[str, str]]:
    item = value if isinstance(value, np.floating) else np.float64(value)
    size = item.dtype.itemsize
    exponent = {2: 5, 4: 8, 8: 11}[size]
    bits = f"{int(item.view(_BITS[size])):0{8 * size}b}"
    number = float(item)
    short = [("as single", str(item))] if size == 4 and np.isfinite(item) else []
    digits = [("17 digits", f"{number:.17g}")] if np.isfinite(item) and f"{number:.17g}" != plain_text(number) else []
    parts = " ".join((bits[0], bits[1 : 1 + exponent], bits[1 + exponent :]))
    told = digits if size == 8 else short
    return [("value", plain_text(number)), *told, ("hex", number.hex()), ("bits", parts)]


def _time(value: Any) -> list[tuple[str, str]]:
    if isinstance(value, np.datetime64 | np.timedelta64):
        if np.isnat(value):
            return [("value", "NaT")]
        kind = "m" if isinstance(value, np.timedelta64) else "M"
        count = int(value.astype(f"{kind}8[us]").astype(np.int64))
        text = str(value.astype(f"{kind}8[us]").item()) if kind == "m" else str(value)
    else:
        text = value.isoformat() if isinstance(value, dt.date) else str(value)
        is_span = isinstance(value, dt.timedelta)
        kind = "m" if is_span else "M"
        moment = value
        if isinstance(value, dt.datetime) and value.tzinfo is not None:
            moment = value.astimezone(dt.UTC).replace(tzinfo=None)
        count = int(np.array(moment, f"{kind}8[us]").astype(np.int64))
    since = "microseconds" if kind == "m" else "microseconds since 1970"
    return [("value", safe_text(text)), (since, str(count))]
