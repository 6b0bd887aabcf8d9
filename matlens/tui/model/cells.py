"""Cells of grids: escaped text, and numbers as text."""

from __future__ import annotations

from typing import Any, NamedTuple


class Cell(NamedTuple):
    """Escaped text of one cell; numbers are aligned to the right."""

    text: str
    is_number: bool = False
    is_error: bool = False


def number_text(value: Any) -> str:
    """A number with six digits, as MATLAB's ``format short g`` has about as many."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, complex):
        return f"{value.real:.5g}{value.imag:+.5g}i"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
