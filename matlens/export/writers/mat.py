"""MAT-files of v7, written from values of any version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matlens.columns.notes import Note
from matlens.errors import LossyConversion, UnsupportedValue
from matlens.export.atomic import atomic_output
from matlens.export.format import Format
from matlens.export.options import ExportOptions

if TYPE_CHECKING:
    from matlens.export.item import Item


class _Mat(Format):
    """Several values as compressed variables; tells what could not be written, or not under its name."""

    def write(self, items: Sequence[Item], target: Path, options: ExportOptions) -> list[Note]:
        from matlens.export.mat_encoder import encode_variable, file_header, matlab_names
        from matlens.export.table_struct import struct_of_columns

        names = matlab_names([item.name for item in items])
        pairs = list(zip(items, names, strict=True))
        notes = [Note(item.name, f"named {name}") for item, name in pairs if name != item.name]
        with atomic_output(target, force=options.force) as file:
            file.write(file_header())
            for item, name in pairs:
                try:
                    data, found = encode_variable(struct_of_columns(item) if item.node is None else item.node, name)
                except UnsupportedValue as error:
                    notes.append(Note(item.name, f"not written: {error.message}"))
                    continue
                file.write(data)
                notes += found
                item.on_rows(item.num_rows)
            if options.strict and notes:
                raise LossyConversion("; ".join(map(str, notes)), file=str(target))
        return notes


FORMATS = (_Mat("mat", (".mat",), "MAT-file of v7", "values", many=True),)
