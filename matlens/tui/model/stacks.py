"""Arrays as images one after another: matrices and colour images along all further dims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.tui.model.pictures import is_rgb


class Stack:
    """Images of an array: rows x columns x frames, or rows x columns x 3 x frames of colour images."""

    def __init__(self, values: NDArray[np.generic]) -> None:
        self._values = values
        self.is_rgb = is_rgb(values.shape[:3])
        self._dims = values.shape[3 if self.is_rgb else 2 :]
        self.count = int(np.prod(self._dims, dtype=np.int64))

    def _index(self, number: int) -> tuple[int, ...]:
        return tuple(map(int, np.unravel_index(number, self._dims, order="F"))) if self._dims else ()

    def frame(self, number: int) -> NDArray[np.generic]:
        """An image by its number, counted as MATLAB stores them."""
        key: Any = (..., *self._index(number))
        return np.asarray(self._values[key])

    def index_text(self, number: int) -> str:
        """How MATLAB addresses an image.

        Examples
        --------
        >>> Stack(np.zeros((9, 9, 3, 2))).index_text(1), Stack(np.zeros((9, 9, 2, 3))).index_text(3)
        ('(:,:,:,2)', '(:,:,2,2)')
        """
        colons = [":"] * (3 if self.is_rgb else 2)
        return f"({','.join([*colons, *(str(k + 1) for k in self._index(number))])})" if self._dims else ""

    def number_of(self, index: Sequence[int]) -> int:
        """The image at an index of the further dims."""
        fits = len(index) == len(self._dims) and all(0 <= k < n for k, n in zip(index, self._dims, strict=True))
        return int(np.ravel_multi_index(tuple(index), self._dims, order="F")) if fits and index else 0
