"""NPY and NPZ files without pickle.

Numbers and text are written as arrays with MATLAB's dims. Tables become an array for each
column: ``s.name``; missing entries are told by ``s.name.valid``, and a column of lists is
its values ``s.name`` beside ``s.name.offsets``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from matlens.columns.notes import Note
from matlens.errors import UnfitFormat
from matlens.export.atomic import atomic_output
from matlens.export.format import Format
from matlens.export.options import ExportOptions
from matlens.names import safe_file_name, unique_names

if TYPE_CHECKING:
    from matlens.export.item import Item


class _Npy(Format):
    """One array of numbers, logicals or text, with its dims."""

    def write(self, items: Sequence[Item], target: Path, options: ExportOptions) -> list[Note]:
        (item,) = items
        if not _is_array(item):
            kind = item.node.summary() if item.node is not None else "a table"
            raise UnfitFormat(f"{item.name}: NPY holds one array, this is {kind}; .npz holds several")
        with atomic_output(target, force=options.force) as file:
            _write_whole(item, file)
        return []


class _Npz(Format):
    """The arrays of several values in one compressed archive."""

    def write(self, items: Sequence[Item], target: Path, options: ExportOptions) -> list[Note]:
        import numpy as np

        from matlens.export.column_arrays import column_arrays

        taken: list[str] = []
        with (
            atomic_output(target, force=options.force) as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive,
        ):

            def member(name: str) -> IO[bytes]:
                taken[:] = unique_names([*taken, safe_file_name(name)], fold=True)
                return archive.open(f"{taken[-1]}.npy", "w", force_zip64=True)

            for item in items:
                if _is_array(item):
                    with member(item.name) as opened:
                        _write_whole(item, opened)
                    continue
                for name, array in column_arrays(item):
                    with member(name) as opened:
                        np.lib.format.write_array(opened, array, allow_pickle=False)
        return []


def _is_array(item: Item) -> bool:
    """Whether the value is one array, of numbers or of text."""
    from matlens.tree.nodes import CharNode, NumericNode

    return isinstance(item.node, NumericNode | CharNode)


def _write_whole(item: Item, file: IO[bytes]) -> None:
    """Write a value as one array with its dims; numbers piece by piece."""
    import numpy as np

    from matlens.tree.access import pieces_of
    from matlens.tree.nodes import NumericNode

    node = item.node
    if isinstance(node, NumericNode):
        dtype = node.dtype
        head = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": True, "shape": node.dims}
        np.lib.format.write_array_header_2_0(file, head)
        for piece in pieces_of(node):
            file.write(piece.tobytes(order="F"))
    elif node is not None:
        np.lib.format.write_array(file, np.asarray(node.value), allow_pickle=False)
    item.on_rows(item.num_rows)


FORMATS = (_Npy("npy", (".npy",), "NumPy array", "array"), _Npz("npz", (".npz",), "NumPy archive", many=True))
