"""Searching the cells of a table: their full texts and numbers, column by column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.errors import MatlensError, UnsupportedValue
from matlens.formats.records import Int64s
from matlens.tree.nodes import CharNode
from matlens.tree.nodes.node import Node
from matlens.tui.model.cells import Grid, number_text
from matlens.tui.model.grids import ArrayGrid, MatrixOfCells, NodesGrid, SparseGrid
from matlens.tui.model.literals import plain_text

BLOCK = 4096
"""Rows between two looks at whether the search is still wanted."""
NUMBERS = 1 << 16
"""The same for the numbers of an array."""
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
    blocks = _blocks(grid)
    while True:
        with lock:
            block = next(blocks, None)
        if block is None or count >= MOST_FOUND:
            return np.concatenate(found) if found else np.zeros(0, np.int64)
        if not tell(block.columns.start, block.rows.start, count):
            return None
        hits = [any(pair) for pair in zip(*map(pattern.found, block.texts), strict=True)]
        rows, columns = np.divmod(np.flatnonzero(hits), len(block.columns))
        found.append((rows + block.rows.start) * grid.column_count + columns + block.columns.start)
        count += len(rows)


class _Block(NamedTuple):
    """Some cells row by row, and their texts in one way or two: as shown, and in full."""

    rows: range
    columns: range
    texts: list[list[str]]


def _blocks(grid: Grid) -> Iterator[_Block]:
    if not isinstance(grid, ArrayGrid):
        for column in range(grid.column_count):
            yield from _column_blocks(grid, column)
        return
    # Of an array, whole columns lie together: as many as a block may hold.
    height = max(1, min(grid.row_count, NUMBERS))
    width = max(1, NUMBERS // height)
    for left in range(0, grid.column_count, width):
        columns = range(left, min(left + width, grid.column_count))
        for top in range(0, grid.row_count, height):
            rows = range(top, min(top + height, grid.row_count))
            yield _Block(rows, columns, _number_texts(grid.values(rows, columns).ravel().tolist()))


def _number_texts(numbers: list[Any]) -> list[list[str]]:
    return [[number_text(item) for item in numbers], [plain_text(item) for item in numbers]]


def _column_blocks(grid: Grid, column: int) -> Iterator[_Block]:
    values, columns = _values(grid, column), range(column, column + 1)
    for start in range(0, grid.row_count, BLOCK):
        rows = range(start, min(start + BLOCK, grid.row_count))
        if values is not None and values.dtype.kind in "biufc":
            part = values[start : rows.stop]
            if isinstance(grid, SparseGrid) and column < 2:
                part = part + 1
            yield _Block(rows, columns, _number_texts(part.tolist()))
            continue
        shown = [line[0].text for line in grid.cells(rows, columns)]
        full = [str(item) for item in values[start : rows.stop].tolist()] if values is not None else shown
        if isinstance(grid, MatrixOfCells) or (isinstance(grid, NodesGrid) and column == len(grid.LABELS) - 1):
            full = [_full_text(grid.node_at(row, column)) for row in rows]
        yield _Block(rows, columns, [shown, full])


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
