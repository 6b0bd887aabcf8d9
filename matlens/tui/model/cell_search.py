"""Searching the cells of a table: their full texts and numbers, column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import MatlensError, UnsupportedValue
from matlens.formats.records import Int64s
from matlens.tree.nodes import CharNode
from matlens.tree.nodes.node import Node
from matlens.tui.model.cells import Grid, number_text
from matlens.tui.model.grids import MatrixOfCells, NodesGrid, SparseGrid
from matlens.tui.model.literals import plain_text

BLOCK = 4096
"""Rows between two looks at whether the search is still wanted."""
MOST_FOUND = 200_000
LONGEST = 1 << 20
"""Letters of a cell that are searched."""


class Pattern:
    """What is searched: a text, or a regular expression of RE2, whose time grows with the text and no faster.

    Without capital letters, the case of letters does not count.

    Examples
    --------
    >>> Pattern("ab").found(["xAB", "b"]), Pattern("AB").found(["xab"]), Pattern("^a+$", True).found(["aa"])
    ([True, False], [False], [True])
    """

    def __init__(self, text: str, is_regex: bool = False) -> None:
        self.text, self.is_regex = text, is_regex
        self.ignores_case = text == text.lower()
        # An expression that is none is told before anything is read.
        self.found([""])

    def found(self, texts: Sequence[str]) -> list[bool]:
        """Whether each text holds the pattern.

        Raises
        ------
        UnsupportedValue
            If the pattern is no regular expression.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        array = pa.array([_clean(text) for text in texts], pa.large_string())
        match = pc.match_substring_regex if self.is_regex else pc.match_substring
        try:
            return list(match(array, _clean(self.text), ignore_case=self.ignores_case).to_pylist())
        except pa.ArrowInvalid as error:
            raise UnsupportedValue(f"no regular expression: {str(error).splitlines()[0]}") from None


def _clean(text: str) -> str:
    """The text as UTF-8 can hold it; half a surrogate pair is replaced."""
    return text[:LONGEST].encode("utf-8", "replace").decode()


def find_cells(grid: Grid, pattern: Pattern, lock: Lock, tell: Callable[[int, int, int], bool]) -> Int64s | None:
    """Stored positions, ``row * columns + column``, of the cells that match, in no order that matters.

    The lock is held while a block is read, so that the table can be looked at meanwhile. `tell` hears which column
    and row are next and how many cells were found; when it answers False, the search is given up, and None returned.
    """
    found: list[Int64s] = []
    count = 0
    for column in range(grid.column_count):
        blocks = _texts(grid, column)
        while True:
            with lock:
                rows, texts = next(blocks, (None, []))
            if rows is None:
                break
            if not tell(column, rows.start, count):
                return None
            hits = np.array([any(pair) for pair in zip(*map(pattern.found, texts), strict=True)], bool)
            places = rows.start + np.flatnonzero(hits)
            found.append(places.astype(np.int64) * grid.column_count + column)
            count += len(places)
            if count >= MOST_FOUND:
                return np.concatenate(found)
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _texts(grid: Grid, column: int) -> Iterator[tuple[range | None, list[list[str]]]]:
    """Blocks of rows, each with the texts of its cells in one way or two: as shown, and in full."""
    values = _values(grid, column)
    for start in range(0, grid.row_count, BLOCK):
        rows = range(start, min(start + BLOCK, grid.row_count))
        if values is not None and values.dtype.kind in "biufc":
            part = values[start : rows.stop]
            if isinstance(grid, SparseGrid) and column < 2:
                part = part + 1
            yield rows, [[number_text(item) for item in part.tolist()], [plain_text(item) for item in part.tolist()]]
        else:
            shown = [line[0].text for line in grid.cells(rows, [column])]
            full = [str(item) for item in values[start : rows.stop].tolist()] if values is not None else shown
            if isinstance(grid, MatrixOfCells) or (isinstance(grid, NodesGrid) and column == len(grid.LABELS) - 1):
                full = [_full_text(grid.node_at(row, column)) for row in rows]
            yield rows, [shown, full]


def _full_text(node: Node | None) -> str:
    """A text of which a cell shows the beginning."""
    try:
        return str(node.value) if isinstance(node, CharNode) and node.numel <= LONGEST else ""
    except MatlensError:
        return ""


def _values(grid: Grid, column: int) -> NDArray[Any] | None:
    """All values of a column; None where they are no more than what is shown, or cannot be read."""
    if isinstance(grid, NodesGrid | MatrixOfCells):
        return None
    try:
        values = grid.column_values(column)
    except MatlensError:
        return None
    # Times are sorted by numbers that nobody sees.
    return None if _is_time(grid, column, values) else values


def _is_time(grid: Grid, column: int, values: NDArray[Any]) -> bool:
    return values.dtype.kind == "f" and grid.row_count > 0 and not grid.cells([0], [column])[0][0].is_number


def in_seen_order(found: Int64s, columns: int, order: Int64s | None) -> list[tuple[int, int]]:
    """Cells as rows and columns of the screen, row by row.

    Examples
    --------
    >>> in_seen_order(np.array([0, 3]), 2, np.array([1, 0])), in_seen_order(np.array([3]), 2, np.array([0]))
    ([(0, 1), (1, 0)], [])
    """
    rows, places = np.divmod(found, max(columns, 1))
    if order is not None:
        ranks = np.full(max(int(order.max(initial=-1)), int(rows.max(initial=-1))) + 1, -1, np.int64)
        ranks[order] = np.arange(len(order))
        rows = ranks[rows]
        rows, places = rows[rows >= 0], places[rows >= 0]
    by = np.lexsort((places, rows))
    return list(zip(rows[by].tolist(), places[by].tolist(), strict=True))
