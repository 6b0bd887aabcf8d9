"""Expressions over the columns of a table: what a filter keeps, and what a derived column holds.

The grammar, the loosest first: ``or``, ``and``, ``not``, comparisons (``== != ~= < <= > >= ~ !~ in``),
``+ -``, ``* / %``, signs, ``^``, fields (``a.b``). Nothing of it is ever run as Python.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matlens.columns.expression_parser import CONSTANTS, WORDS, Call, Column, Part, fail, parts_of, resolve

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression.

    Attributes
    ----------
    text : str
        As it was written.
    root : Part
        What is computed last.
    """

    text: str
    root: Part

    @property
    def names(self) -> tuple[str, ...]:
        """Names that may be columns, each once, in the order they come; ``a.b`` gives both ``a`` and ``a.b``.

        Examples
        --------
        >>> parse("score > 0.5 and any(box.label == 'car')").names
        ('score', 'box', 'box.label')
        """
        found: dict[str, None] = {}
        for column in _columns(self.root):
            for k in range(1, len(column.path) + 1):
                found[".".join(column.path[:k])] = None
        return tuple(found)

    def columns(self, available: Sequence[str]) -> list[str]:
        """Those of the `available` columns that are needed.

        Raises
        ------
        ExpressionError
            If one is needed that is not available.

        Examples
        --------
        >>> parse("scor > 0.5").columns(["image", "score"])
        Traceback (most recent call last):
        matlens.errors.ExpressionError: no column scor, did you mean score? (at the start)
        """
        found: dict[str, None] = {}
        for column in _columns(self.root):
            found[resolve(self.text, column, available)[0]] = None
        return list(found)

    def evaluate(self, table: pa.Table) -> pa.ChunkedArray:
        """Values for the rows of a table.

        Raises
        ------
        ExpressionError
            If a column is not there, or holds what the expression does not fit.

        Examples
        --------
        >>> import pyarrow as pa
        >>> boxes = pa.table({"xmin": [1, 2], "xmax": [4, 7]})
        >>> parse("(xmax - xmin) ^ 2").evaluate(boxes).to_pylist()
        [9.0, 25.0]
        """
        from matlens.columns.evaluation import evaluate

        return evaluate(self.text, self.root, table)

    def mask(self, table: pa.Table) -> NDArray[np.bool_]:
        """Whether the expression is true, for each row of a table; False where it is neither true nor false.

        Raises
        ------
        ExpressionError
            If a column is not there, or the expression is none that is true or false.

        Examples
        --------
        >>> import pyarrow as pa
        >>> table = pa.table({"label": ["car", "van", None], "labels": [["car"], ["van", "car"], []]})
        >>> parse('label == "van"').mask(table), parse('any(labels == "van")').mask(table)
        (array([False,  True, False]), array([False,  True, False]))
        """
        from matlens.columns.evaluation import mask

        return mask(self.text, self.root, table)


def parse(text: str) -> Expression:
    """Parse an expression.

    Parameters
    ----------
    text : str
        Such as ``score > 0.5 and label == "car"``.

    Returns
    -------
    Expression

    Raises
    ------
    ExpressionError
        If it is none; the message shows where.

    Examples
    --------
    >>> parse("score >")
    Traceback (most recent call last):
    matlens.errors.ExpressionError: expected a value, found the end (at character 8, after score >)
    """
    return Expression(text, parts_of(text))


def parse_assignment(text: str) -> tuple[str, Expression]:
    """Parse ``name = expression``.

    Raises
    ------
    ExpressionError
        If it is not of this form.

    Examples
    --------
    >>> name, area = parse_assignment("area = (xmax - xmin) * (ymax - ymin)")
    >>> name, area.names
    ('area', ('xmax', 'xmin', 'ymax', 'ymin'))
    """
    name, sign, rest = text.partition("=")
    name = name.strip().strip("`")
    if not sign or not name or not (name.isidentifier() or text.lstrip().startswith("`")):
        fail(text, 0, "expected  name = expression")
    return name, parse(rest.strip())


def _columns(part: Part) -> list[Column]:
    if isinstance(part, Column):
        return [part]
    return [column for inner in part.arguments for column in _columns(inner)] if isinstance(part, Call) else []


def quoted_text(text: str) -> str:
    """A text as an expression writes it.

    Examples
    --------
    >>> print(quoted_text('a "b"'))
    "a \\"b\\""
    """
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


def quoted_name(name: str) -> str:
    """The name of a column as an expression writes it.

    Examples
    --------
    >>> quoted_name("score"), quoted_name("my score"), quoted_name("in")
    ('score', '`my score`', '`in`')
    """
    is_plain = re.fullmatch(r"[^\W\d]\w*", name) and name.lower() not in (*WORDS, *CONSTANTS, "in")
    return name if is_plain else "`" + name.replace("`", "``") + "`"
