"""Bounds that every reader holds to before it takes memory."""

from __future__ import annotations

from matlens.errors import LimitExceeded
from matlens.limits import Limits

LARGE = 256 << 20
"""Bytes from which on a value must be backed by what is stored of it."""


def check_stored(limits: Limits, nbytes: int, stored: int) -> None:
    """Refuse what takes too much memory, or far more than is stored of it.

    Examples
    --------
    >>> check_stored(Limits(memory=1000), 2000, 1500)
    Traceback (most recent call last):
    matlens.errors.LimitExceeded: 2000 bytes declared, 1500 stored: exceeds Limits.memory = 1000; ...
    """
    if nbytes > limits.memory:
        raise LimitExceeded.of(limits, "memory", f"{nbytes} bytes declared, {stored} stored")
    if nbytes > LARGE and nbytes > limits.ratio * max(stored, 1):
        raise LimitExceeded.of(limits, "ratio", f"{nbytes} bytes declared, {stored} stored")
