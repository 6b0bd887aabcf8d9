"""Where a sparse matrix has entries, in dots of Braille."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.text import Text

from matlens.tui.model.plots import braille, empty_dots
from matlens.tui.model.viewport import Viewport


def spy_text(rows: NDArray[np.integer], columns: NDArray[np.integer], view: Viewport, width: int, height: int) -> Text:
    """A frame around the part that is shown, with a dot wherever it has entries, like MATLAB's `spy`.

    `view` has two dots for each of `width` characters, and four for each of `height`.

    Examples
    --------
    >>> places = np.arange(8)
    >>> print(spy_text(places, places, Viewport(8, 8, 8, 8), 4, 2).plain)
    ┌────┐
    │⠑⢄⠀⠀│
    │⠀⠀⠑⢄│
    └────┘
    """
    dots = empty_dots(width, height)
    (shown_rows, shown_columns), (tall, wide) = view.extent(), view.drawn()
    rows, columns = rows.astype(np.int64) - view.top, columns.astype(np.int64) - view.left
    inside = (rows >= 0) & (rows < shown_rows) & (columns >= 0) & (columns < shown_columns)
    y, x = rows[inside] * tall // shown_rows, columns[inside] * wide // shown_columns
    side = max(int(view.scale()), 1)
    for down in range(side):
        for right in range(side):
            dots[np.minimum(y + down, 4 * height - 1), np.minimum(x + right, 2 * width - 1)] = True
    used = -(-wide // 2), -(-tall // 4)
    text = Text(f"┌{'─' * used[0]}┐\n", "dim", no_wrap=True)
    for line in braille(dots)[: used[1]]:
        text.append("│").append(line[: used[0]], "not dim green").append("│\n")
    return text.append(f"└{'─' * used[0]}┘")
