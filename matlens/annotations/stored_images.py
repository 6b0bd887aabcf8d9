"""Images that a file keeps as matrices among its values, and how they are read one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.columns.unify import Kind, kinds_of
from matlens.formats.records import Elements
from matlens.tree.access import guarded, pieces_of, reader_of
from matlens.tree.nodes import CellNode, NumericNode, SparseNode
from matlens.tree.nodes.node import Node

SIDE = 16
"""Matrices larger than this in both dims are images or data, not annotations of single records."""
SMALLEST = 2
"""The same of those that are named as masks."""
_SMALL_NAME = re.compile(r"(^|_|\.)(masks?|segmentations?|silhouettes?)$", re.IGNORECASE)
_TRIED = 64
"""Elements that tell whether those of a field are images."""


class Picture(NamedTuple):
    """An image: the record that it is of, where it stands, and its pixels by row and column."""

    record: int
    path: str
    pixels: NDArray[Any]


@dataclass(slots=True)
class Pictures:
    """The images of records: a cell or a field with one for each, or an array whose pages are the records.

    An element of three dims has several images of its record.
    """

    name: str
    node: CellNode | NumericNode | SparseNode

    @property
    def count(self) -> int:
        """Number of records."""
        return self.node.numel if isinstance(self.node, CellNode) else _pages(self.node)

    def __iter__(self) -> Iterator[Picture]:
        if not isinstance(self.node, CellNode):
            for k, (path, pixels) in enumerate(_read(self.node)):
                yield Picture(k, path, pixels)
            return
        for k in range(self.node.numel):
            (element,) = self.node.children(k, k + 1)
            if isinstance(element, NumericNode | SparseNode) and element.numel and not element.is_complex:
                for path, pixels in _read(element):
                    yield Picture(k, path, pixels)


def _pages(node: Node) -> int:
    return int(np.prod(node.dims[2:], dtype=np.int64))


def _read(node: NumericNode | SparseNode) -> Iterator[tuple[str, NDArray[Any]]]:
    """Paths and pixels of the pages of an array, of which but one is held at a time."""
    if isinstance(node, SparseNode):
        yield node.path, np.asarray(node)
        return
    rows, columns = node.dims[:2]
    many, size = len(node.dims) > 2, rows * columns
    rest: list[NDArray[Any]] = []
    page = 0
    for piece in pieces_of(node):
        rest.append(np.asarray(piece).ravel(order="F"))
        if sum(map(len, rest)) < size:
            continue
        flat = np.concatenate(rest)
        for start in range(0, len(flat) - size + 1, size):
            page += 1
            path = f"{node.path}(:,:,{page})" if many else node.path
            yield path, flat[start : start + size].reshape(rows, columns, order="F")
        rest = [flat[len(flat) // size * size :]]


def is_picture(dims: tuple[int, ...], name: str) -> bool:
    """Whether dims are those of an image or of several; small ones are where the name says so."""
    side = SMALLEST if _SMALL_NAME.search(name) else SIDE
    return len(dims) > 1 and dims[0] > side and dims[1] > side


def may_hold_pictures(kind: pa.DataType) -> bool:
    """Whether images may stand somewhere inside entries of a column: matrices of equal dims, of equal width, of any."""
    if pa.types.is_fixed_size_list(kind) and kind.list_size > SIDE and pa.types.is_fixed_size_list(kind.value_type):
        return bool(kind.value_type.list_size > SIDE)
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = kind.value_type
        return (pa.types.is_fixed_size_list(inner) and inner.list_size > SIDE) or may_hold_pictures(inner)
    if pa.types.is_struct(kind):
        return any(part.name == "shape" or may_hold_pictures(part.type) for part in kind)
    return False


def hold_pictures(node: Node, elements: Elements, name: str) -> bool:
    """Whether the elements of a cell or of a field are images: the first of those that are not empty is one."""
    with guarded(node):
        headers = reader_of(node).headers(elements.take(slice(0, _TRIED)))
    full = np.flatnonzero(headers.numel > 0)
    if not len(full) or not is_picture(headers.shape(int(full[0])), name):
        return False
    return kinds_of(headers.take(full[:1]))[0] in (Kind.NUMBER, Kind.SPARSE)
