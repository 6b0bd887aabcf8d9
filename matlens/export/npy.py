"""NPY and NPZ files without pickle.

Numbers and text are written as arrays with MATLAB's dims. Tables become an array for each
column: ``s.name``; missing entries are told by ``s.name.valid``, and a column of lists is
its values ``s.name`` beside ``s.name.offsets``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.errors import UnfitFormat
from matlens.export.atomic import atomic_output
from matlens.export.item import Item
from matlens.names import safe_file_name, unique_names
from matlens.tree.nodes import CharNode, NumericNode

__all__ = ["write_npy", "write_npz"]


def write_npy(item: Item, target: str | Path, *, force: bool = False) -> None:
    """Write one array of numbers, logicals or text, with its dims.

    Raises
    ------
    UnfitFormat
        For any other value.
    OutputExists
        If `target` exists and `force` is false.
    """
    if not _is_array(item):
        kind = item.node.summary() if item.node is not None else "a table"
        raise UnfitFormat(f"{item.name}: NPY holds one array, this is {kind}; .npz holds several")
    with atomic_output(target, force=force) as file:
        _write_whole(item, file)


def write_npz(items: Sequence[Item], target: str | Path, *, force: bool = False) -> None:
    """Write the arrays of several values into one compressed archive.

    Raises
    ------
    OutputExists
        If `target` exists and `force` is false.
    """
    with (
        atomic_output(target, force=force) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive,
    ):
        taken: list[str] = []

        def member(name: str) -> IO[bytes]:
            taken[:] = unique_names([*taken, safe_file_name(name)], fold=True)
            return archive.open(f"{taken[-1]}.npy", "w", force_zip64=True)

        for item in items:
            if _is_array(item):
                with member(item.name) as opened:
                    _write_whole(item, opened)
                continue
            for name, array in _item_arrays(item):
                with member(name) as opened:
                    np.lib.format.write_array(opened, array, allow_pickle=False)


def _item_arrays(item: Item) -> Iterator[tuple[str, NDArray[Any]]]:
    """Names and arrays of the columns of one value."""
    table = pa.Table.from_batches(item.batches(), item.schema)
    if item.node is not None and item.node.is_sparse:
        yield f"{item.name}.shape", np.array(item.node.dims)
    for name, column in zip(table.column_names, table.columns, strict=True):
        yield from _column_arrays(f"{item.name}.{name}", column.combine_chunks())


def _is_array(item: Item) -> bool:
    """Whether the value is one array, of numbers or of text."""
    return isinstance(item.node, NumericNode | CharNode)


def _write_whole(item: Item, file: IO[bytes]) -> None:
    """Write a value as one array with its dims; numbers piece by piece."""
    node = item.node
    if isinstance(node, NumericNode):
        dtype = node.dtype
        head = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": True, "shape": node.dims}
        np.lib.format.write_array_header_2_0(file, head)
        for piece in node.pieces():
            file.write(piece.tobytes(order="F"))
    elif node is not None:
        np.lib.format.write_array(file, np.asarray(node.value), allow_pickle=False)
    item.on_rows(item.num_rows)


def _column_arrays(name: str, column: pa.Array) -> Iterator[tuple[str, NDArray[Any]]]:
    kind = column.type
    if column.null_count and not pa.types.is_null(kind):
        yield f"{name}.valid", np.asarray(column.is_valid())
    if pa.types.is_struct(kind):
        for field, inner in zip(kind, column.flatten(), strict=True):
            yield from _column_arrays(f"{name}.{field.name}", inner)
    elif pa.types.is_fixed_size_list(kind):
        yield from _fixed_arrays(name, column)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = np.asarray(column.value_lengths().fill_null(0))
        yield f"{name}.offsets", np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        yield from _column_arrays(name, column.flatten())
    else:
        yield name, _plain(column)


def _fixed_arrays(name: str, column: pa.Array) -> Iterator[tuple[str, NDArray[Any]]]:
    """Fixed-size lists as one array of more dimensions; the place of a missing one is filled."""
    kind, sizes = column.type, []
    if column.null_count:
        # `flatten` leaves missing lists out.
        places = pa.array(np.where(column.is_valid(), np.cumsum(column.is_valid()) - 1, 0))
        filled = column.drop_null()
        column = filled.take(places) if len(filled) else pa.nulls(0, kind)
    while pa.types.is_fixed_size_list(kind):
        sizes.append(kind.list_size)
        column, kind = column.flatten(), kind.value_type
    for part, array in _column_arrays(name, column):
        yield part, array.reshape(-1, *sizes) if part == name else array


def _plain(column: pa.Array) -> NDArray[Any]:
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(column.fill_null("").to_pylist(), np.str_)
    if column.null_count:
        zero = False if pa.types.is_boolean(column.type) else 0
        column = column.fill_null(pa.scalar(zero, column.type))
    return np.asarray(column)
