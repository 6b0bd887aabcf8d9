"""The variable without a name that holds the objects of a v5 file: a MAT-file of its own inside the file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from matlens.errors import CorruptFile
from matlens.formats.reader import Reader
from matlens.formats.records import OPAQUE_MARK, Elements, Headers, MatlabClass
from matlens.formats.v5.tags import MI_UINT32


def subsystem_bytes(reader: Reader, subsystem: Elements, byte_order: str) -> Any:
    """The bytes of the subsystem, in the byte order of the file."""
    headers = reader.headers(subsystem)
    headers.raise_first_error()
    if headers.cls[0] != MatlabClass.UINT8:
        raise CorruptFile("the data of the objects are no bytes", offset=int(headers.payload[0]))
    content = reader.gather(headers)[0]
    if bytes(content[2:4]) != (b"IM" if byte_order == "<" else b"MI"):
        raise CorruptFile("the data of the objects do not begin as those of a MAT-file do")
    return content.data


def file_wrapper(reader: Reader, segment: int) -> Elements | None:
    """The cells of ``FileWrapper__``, in the field ``MCOS`` of the first struct of the subsystem.

    None of a file without objects of MATLAB's own system: Java's and COM's have other fields there.
    """
    records = reader.children(reader.headers(Elements(segment, np.array([8]))))
    found = [
        record.column(record.fields.index("MCOS")) for record in records if record.fields and "MCOS" in record.fields
    ]
    if records and not found and all(record.fields for record in records):
        return None
    for column in found:
        wrapper = reader.headers(column)
        wrapper.raise_first_error()
        if not len(wrapper):
            continue
        content = reader.opaque(wrapper, 0).reference if wrapper.cls[0] == MatlabClass.OPAQUE else None
        cells = reader.headers(content) if isinstance(content, Elements) else None
        if cells is not None and cells.ok[0] and cells.cls[0] == MatlabClass.CELL and cells.numel[0]:
            return reader.children(cells)[0].elements
    raise CorruptFile("the table of the objects is missing")


def may_refer(words: NDArray[np.uint32], headers: Headers) -> NDArray[np.bool_]:
    """Which elements are columns of uint32 that begin with the mark of references; `words` are those of the segment."""
    wide: NDArray[np.bool_] = (headers.cls == MatlabClass.UINT32) & (headers.storage == MI_UINT32) & headers.ok
    wide &= headers.nbytes >= 32
    first = np.flatnonzero(wide)
    place = (headers.payload[first] + 8) // 4
    wide[first] = words[np.minimum(place, len(words) - 1)] == OPAQUE_MARK
    return wide
