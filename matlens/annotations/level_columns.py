"""A column of a level: what its elements have in common, without those that fit nowhere, and matrices upright."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from matlens.annotations.levels import BOX_NAME, POLYGON_NAME, Columns, Odd
from matlens.annotations.odd_elements import plan_of_boxes
from matlens.columns.buffers import is_number, list_array, number_array, numbers_of
from matlens.columns.build import ColumnBuilder
from matlens.errors import MatlensError
from matlens.formats.records import Elements
from matlens.tree.access import guarded, reader_of
from matlens.tree.nodes.node import Node


@dataclass(slots=True)
class LevelColumn:
    """A column before it is made: its type, and whether its matrices are stored turned; `odd` elements are left out."""

    name: str
    kind: pa.DataType
    make: Callable[[], pa.Array]
    turned: bool = False
    odd: list[Odd] = field(default_factory=list)
    cells: dict[str, int] = field(default_factory=dict)

    def stand_in(self, columns: Columns) -> None:
        """Be one of the columns of a level."""
        columns.add(self.name, self.kind, self.make, turned=self.turned)
        columns.odd += self.odd
        columns.cells |= self.cells


def column_of(node: Node, elements: Elements, name: str, problems: list[MatlensError]) -> LevelColumn:
    """The column of some elements of a node; nulls where it cannot be read."""
    reader, planner, odd = plan_of_boxes(reader_of(node), elements, name)
    kind = planner.plan.type_of(name)

    def make() -> pa.Array:
        try:
            with guarded(node):
                return ColumnBuilder(reader, planner.plan, planner.levels, planner.kept_objects).visit(elements, name)
        except MatlensError as error:
            problems.append(error)
            return pa.nulls(len(elements), kind)

    made, make_upright = _upright(name, kind, make)
    cells = {path.replace("{}", ""): (len(path) - len(path.rstrip("{}"))) // 2 for path in sorted(planner.plan.columns)}
    return LevelColumn(name, made, make_upright, made != kind, odd, cells)


def _upright(name: str, kind: pa.DataType, make: Callable[[], pa.Array]) -> tuple[pa.DataType, Callable[[], pa.Array]]:
    """Matrices of four rows, a box in each column, or of two, a point in each, as lists of rows.

    Only where all are so and the name tells of boxes or polygons.
    """
    height = 4 if BOX_NAME.search(name) else 2 if POLYGON_NAME.search(name) else 0
    if not height:
        return kind, make
    rows = pa.list_(pa.list_(pa.float64(), height))
    if pa.types.is_struct(kind) and [part.name for part in kind] == ["data", "shape"]:
        array = make()
        shapes = [shape for shape in array.field("shape").to_pylist() if shape]
        if shapes and all(len(shape) == 2 and shape[0] in (height, 0) for shape in shapes):
            return rows, lambda: _turned(array, height)
    elif pa.types.is_fixed_size_list(kind) and pa.types.is_fixed_size_list(kind.value_type):
        width = kind.value_type.list_size
        if kind.list_size == height == 4 and width not in range(4, 9) and is_number(kind.value_type.value_type):
            return rows, lambda: _turned(make(), height, width)
    return kind, make


def _turned(array: pa.Array, height: int, width: int | None = None) -> pa.Array:
    """Lists of the columns of matrices of so many rows, and of as many columns, or of any number."""
    valid = numbers_of(array.is_valid())
    if width is None:
        sizes = np.array([shape[1] if shape else 0 for shape in array.field("shape").to_pylist()], np.int64)
        flat = array.field("data").flatten()
    else:
        sizes, flat = np.where(valid, width, 0).astype(np.int64), array.flatten().flatten()
    numbers = numbers_of(flat.cast(pa.float64(), safe=False))
    ends = np.cumsum(height * sizes).tolist()
    starts = [0, *ends][: len(ends)]
    parts = [numbers[a:b].reshape(height, -1).T.ravel() for a, b in zip(starts, ends, strict=True) if b > a]
    flat = number_array(np.concatenate([*parts, np.zeros(0)]))
    return list_array(pa.FixedSizeListArray.from_arrays(flat, height), sizes, ~valid)
