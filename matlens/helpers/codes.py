"""Sort keys as unsigned integers of the same order, and the sorting of several of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.errors import TypeMismatch

# Bits that are sorted in one round.
_ROUND_BITS = 48
# Words that are sorted by comparing before counting has begun to pay.
_FEW = 4096
_LARGEST = np.int64((1 << 63) - 1)


class Code(NamedTuple):
    """One key: integers below ``2 ** bits``, sorted ascending as the key is to be sorted."""

    values: NDArray[np.uint64]
    bits: int


def encode(
    key: NDArray[Any], *, descending: bool, missing_first: bool, missing: NDArray[np.bool_] | None = None
) -> Code:
    """Make a code of numbers, logicals, dates, durations or texts; `TypeMismatch` for what has no order.

    NaN and NaT are missing besides those that `missing` tells; `missing_first` holds in either direction.
    """
    kind = key.dtype.kind
    if kind in "SU":
        key, kind = np.unique(key, return_inverse=True)[1], "i"
    if kind in "mM":
        missing, key, kind = np.isnat(key), key.view(np.int64), "i"
    elif kind == "f":
        missing = np.isnan(key) if missing is None else missing | np.isnan(key)
        if key.dtype.itemsize > 8:
            key, kind = np.unique(key, return_inverse=True)[1], "i"
    if kind not in "biuf":
        raise TypeMismatch(f"values of type {key.dtype} have no order")
    return _placed(_ordered(key, kind), descending, missing_first, missing)


def _ordered(key: NDArray[Any], kind: str) -> NDArray[np.uint64]:
    """Any 64 bits of the same order."""
    if kind in "bu":
        return key.astype(np.uint64)
    if kind == "f":
        # The bits of doubles sort as their magnitudes do, and -0 becomes 0.
        bits = key.astype(np.float64).view(np.int64)
        key = np.where(bits < 0, -(bits & _LARGEST), bits)
    return key.astype(np.int64).view(np.uint64) ^ np.uint64(1 << 63)


def _placed(
    values: NDArray[np.uint64], descending: bool, missing_first: bool, missing: NDArray[np.bool_] | None
) -> Code:
    """Take off what all values share, turn the direction, and give the missing their place."""
    if missing is not None and not missing.any():
        missing = None
    present = values if missing is None else values[~missing]
    low, high = (present.min(), present.max()) if len(present) else (np.uint64(0), np.uint64(0))
    placed = high - values if descending else values - low
    if missing is not None:
        placed[missing] = 0
    zeros = _zeros_at_the_end(placed)
    if zeros:
        placed >>= np.uint64(zeros)
    span = int(high - low) >> zeros
    if missing is not None:
        if missing_first:
            placed += np.uint64(1)
        span += 1
        placed[missing] = 0 if missing_first else span
    return Code(placed, span.bit_length())


def _zeros_at_the_end(values: NDArray[np.uint64]) -> int:
    """Last bits that are 0 in all values: whole numbers leave most of a double's so."""
    shared = 1
    # The first few mostly tell that there are none.
    for some in (values[:256], values):
        shared = int(np.bitwise_or.reduce(some))
        if shared & 1:
            return 0
    return max((shared & -shared).bit_length() - 1, 0)


def encode_objects(column: Sequence[Any], *, descending: bool, missing_first: bool) -> Code:
    """Make a code of any Python values that compare with each other; None and NaN are missing."""
    missing = np.fromiter((value is None or value != value for value in column), np.bool_, len(column))
    try:
        present = sorted({value for value, absent in zip(column, missing.tolist(), strict=True) if not absent})
        codes = {value: code for code, value in enumerate(present)}
        values = np.fromiter((codes.get(value, 0) for value in column), np.uint64, len(column))
    except TypeError as error:
        raise TypeMismatch(f"keys that do not compare: {error}") from None
    return _placed(values, descending, missing_first, missing)


def order_of(codes: Sequence[Code], count: int) -> NDArray[np.int64]:
    """Sort `count` rows by several keys, the first one first; equal rows keep their order.

    The keys are looked at as one string of bits, of which 48 are sorted at a time: enough to tell
    most of a million rows apart. Only rows that agree in the bits so far go on to the next.
    """
    return _order(list(codes), 0) if codes else np.arange(count)


def _order(codes: list[Code], tie_bits: int) -> NDArray[np.int64]:
    """Sort by codes, of which the first may number the ties of the bits before."""
    word, rest = _take_word(codes, min(tie_bits + _ROUND_BITS, 64))
    order = _sort_word(word)
    if rest:
        tied, group = _ties(word[order])
        rows = order[tied]
        if len(rows):
            ties = Code(group, int(group[-1]).bit_length())
            below = [Code(code.values[rows], code.bits) for code in rest]
            order[tied] = rows[_order([ties, *below], ties.bits)]
    return order


def _take_word(codes: list[Code], room: int) -> tuple[NDArray[np.uint64], list[Code]]:
    """The first bits of the codes side by side, and the codes of what is left of them."""
    word = np.zeros(len(codes[0].values), np.uint64)
    for i, code in enumerate(codes):
        taken = min(code.bits, room)
        below = code.bits - taken
        word = (word << np.uint64(taken)) | (code.values >> np.uint64(below))
        room -= taken
        if below:
            return word, [Code(code.values & np.uint64((1 << below) - 1), below), *codes[i + 1 :]]
    return word, []


def _sort_word(word: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Stable order of words, by their digits of 16 bits from the last one: NumPy sorts these by counting."""
    if len(word) < _FEW:
        return np.argsort(word, kind="stable")
    bits = int(word.max()).bit_length()
    order = np.argsort(word.astype(np.uint16), kind="stable")
    for shift in range(16, bits, 16):
        digit = (word >> np.uint64(shift)).astype(np.uint16)
        order = order[np.argsort(digit[order], kind="stable")]
    return order


def _ties(word: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Places of sorted words that occur more than once, and a number for each set of equal ones."""
    equal = np.concatenate([[False], word[1:] == word[:-1], [False]])
    tied = np.flatnonzero(equal[:-1] | equal[1:])
    group = np.cumsum(~equal[tied], dtype=np.uint64) - np.uint64(1)
    return tied, group
