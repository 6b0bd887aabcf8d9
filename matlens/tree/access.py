"""What the rooms above the tree take from files and nodes, and users do not: readers, elements, pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matlens.columns.unify import Rows
from matlens.errors import UnsupportedValue
from matlens.formats.reader import Reader
from matlens.formats.records import Elements, Variable
from matlens.tree.file import MatFile, _reopened
from matlens.tree.nodes import CellNode, Node, NumericNode, OpaqueNode, StructArrayNode, StructNode

if TYPE_CHECKING:
    from matlens.columns.stored_tables import StoredTable
    from matlens.formats.guards.salvage import SalvagingReader


def reader_of(value: MatFile | Node) -> Reader:
    """The reader of a file, or of the file of a node."""
    return value._reader if isinstance(value, MatFile) else value._owner._reader


def file_name(node: Node) -> str:
    """Name of the file that a node is of."""
    return node._owner.name


def folder_of(file: MatFile) -> Path | None:
    """The folder of a file; None of one that has no path of its own."""
    return None if file._full_path is None else Path(file._full_path).parent


def full_path_of(file: MatFile) -> Path | None:
    """The absolute path of a file, as it was when it was opened; None of one that has none."""
    return file._full_path


def reopened(file: MatFile) -> MatFile:
    """The file as it is on disk now, with the options that it was opened with.

    Raises
    ------
    UnsupportedValue
        If it has no path, such as one that came through a pipe.
    """
    if file._full_path is None:
        raise UnsupportedValue("it came through a pipe or from memory, and cannot be read again", file=file.name)
    return _reopened(file._full_path, file.name, file._options)


def guarded(node: Node) -> AbstractContextManager[None]:
    """Name the file and the path of the value in any `MatlensError` raised inside."""
    return node._owner._guard(node)


def elements_of(node: Node) -> Elements:
    """Where the stored value stands that a node is, or is part of."""
    return node._elements


def is_part(node: Node) -> bool:
    """Whether the node is some elements, a record or a field of a stored value."""
    return node._is_part


def elements_below(node: CellNode | StructArrayNode, field: str = "") -> Elements:
    """The elements of a cell, or those of one field of a struct array."""
    return node._field_elements(field) if isinstance(node, StructArrayNode) else node._cell_elements()


def pieces_of(node: NumericNode) -> Iterator[Any]:
    """An array in pieces of bounded size, one after another in column-major order."""
    return node._pieces()


def stored_table(
    node: Node, dim: int | None = None, names: Sequence[str] | None = None, rows: Rows | None = None
) -> StoredTable:
    """The table of a value before it is bound to it: what has a form of its own."""
    return node._source(None if dim is None else dim - 1, names, rows)


def object_numbers(node: OpaqueNode) -> tuple[int, ...]:
    """Numbers of the objects that a node stands for, by which a file tells them apart; none of other systems."""
    with guarded(node):
        reference = node._reference()
    return () if reference is None else tuple(number for number in reference.object_ids if number)


def is_table_of_vectors(node: StructNode) -> bool:
    """Whether a struct of several fields becomes a table with a column for each, as its vectors are equally long."""
    return len(node) > 1 and bool(node._vectors()) and node.table().num_rows > 1


def has_rows(node: OpaqueNode) -> bool:
    """Whether an object is a table, a map, or an array of strings, dates and the like."""
    return node._is_tabular


def salvaging_of(file: MatFile) -> SalvagingReader | None:
    """The reader that passes over damage, where the file was opened for that."""
    return file._salvaging


def variable_of(file: MatFile, name: str) -> Variable:
    """What the file's directory says of a variable: its position, compression, stored size."""
    return file._variable(name)


def siblings_of(file: MatFile, node: Node) -> list[Node]:
    """The fields of the struct of a node, or else all variables; the node is one of them."""
    return file._siblings(node)


def salvaged_file(file: MatFile) -> MatFile:
    """The same file with ``errors="salvage"``."""
    return file._salvaged()
