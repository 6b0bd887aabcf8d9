"""Reading a file end to end: what is readable, what is damaged, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Unpack

from matlens.errors import MatlensError
from matlens.tree.access import elements_of, file_name, reader_of, variable_of
from matlens.tree.file import ReadingOptions, Source, opened
from matlens.tree.nodes.node import Node
from matlens.values.examine import Examiner


@dataclass(slots=True)
class VariableCheck:
    """What came out for one variable.

    Attributes
    ----------
    name, path, summary : str
    damages : list of MatlensError
        Empty if everything was read; each knows its path and byte offset.
    elements : int
        How many values were read, nested ones included.
    has_checksum : bool
        Whether the file keeps a checksum of the values: without one, a changed number is
        not told from a right one.
    """

    name: str
    path: str
    summary: str
    damages: list[MatlensError] = field(default_factory=list)
    elements: int = 0
    has_checksum: bool = False

    @property
    def is_readable(self) -> bool:
        """Whether all of it can be read."""
        return not self.damages

    @property
    def is_lost(self) -> bool:
        """Whether the damage is that of the variable itself, and not of elements inside it."""
        return any(damage.variable == self.path for damage in self.damages)


def check(source: Source, **options: Unpack[ReadingOptions]) -> Iterator[VariableCheck]:
    """Read every value of every variable, and keep none.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object or MatFile
    **options
        ``engine``, ``isolate``, ``limits``, ``errors``, as for `matlens.open`.

    Examples
    --------
    >>> [(found.name, found.is_readable) for found in check("fixtures/annotations_v7.mat")]
    [('annotations', True)]
    """
    with opened(source, **options) as file:
        for name, node in file.items():
            found = check_node(node)
            found.has_checksum = variable_of(file, name).compressed
            yield found


def check_node(node: Node) -> VariableCheck:
    """Read everything below a node, and keep nothing."""
    found = VariableCheck(node.name or node.path, node.path, node.summary())
    examiner = Examiner(reader_of(node), file_name(node))
    examiner.examine(elements_of(node), node.path)
    found.damages, found.elements = examiner.damages, examiner.elements
    return found
