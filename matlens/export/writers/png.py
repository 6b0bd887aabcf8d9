"""PNG label images: each pixel has the value of its region, shown in the colours of PASCAL VOC.

Chunks and their checksums follow the PNG specification (w3.org/TR/png-3); the colour of a value takes its bits in turn,
from the highest of red, green and blue down, as the development kit of PASCAL VOC has it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from matlens.columns.notes import Note
from matlens.errors import UnfitFormat
from matlens.export.atomic import atomic_folder
from matlens.export.format import Format
from matlens.export.options import ExportOptions

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from matlens.export.item import Item

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GRAY, _PALETTE = 0, 3
"""Colour types of PNG."""
_INDICES, _MOST = 256, 65_536
"""Values that a palette has room for, and those of 16 bits."""


class _Png(Format):
    """A PNG for each image of masks, in a folder; of more than 256 values in 16 bits, without colours."""

    def write(self, items: Sequence[Item], target: Path, options: ExportOptions) -> list[Note]:
        (item,) = items
        table = item.read_all()
        if "mask" not in table.column_names:
            raise UnfitFormat("PNG label images are made of masks, and there are none")
        pictures = _by_picture(table)
        masks, values = table["mask"].to_pylist(), table["value"].to_pylist()
        with atomic_folder(target, force=options.force) as opened:
            for name, rows in zip(_stems(table, pictures), pictures, strict=True):
                with opened(f"{name}.png") as file:
                    file.write(png_of(_painted(masks, values, rows)))
        return []


def _by_picture(table: pa.Table) -> list[list[int]]:
    """Rows of each image that masks are stored in."""
    files = table["file"].to_pylist() if "file" in table.column_names else [""] * len(table)
    found: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(files, table["source"].to_pylist(), strict=True)):
        found.setdefault(key, []).append(row)
    return list(found.values())


def _stems(table: pa.Table, pictures: list[list[int]]) -> list[str]:
    """Names of files, all different: those of the images, or of the file that the masks are of."""
    from matlens.columns.table import metadata_of
    from matlens.export.images import file_stems

    names = []
    for rows in pictures:
        row = table.slice(rows[0], 1).to_pylist()[0]
        names.append(
            str(row["image"] or PurePath(row.get("file") or metadata_of(table).get("source", "")).stem or "mask")
        )
    return file_stems(names)


def _painted(masks: list[dict[str, Any]], values: list[int | None], rows: list[int]) -> NDArray[np.uint16]:
    """The values of all regions of an image, which do not lie over each other."""
    import numpy as np

    from matlens.helpers.run_lengths import mask_of

    image = np.zeros(masks[rows[0]]["size"], np.uint16)
    for row in rows:
        value = values[row] or 0
        if value >= _MOST:
            raise UnfitFormat(f"PNG has room for values below {_MOST:,}, and a region has {value:,}")
        image[mask_of(image.shape, masks[row]["counts"])] = value
    return image


def png_of(image: NDArray[Any]) -> bytes:
    """A PNG of an image of whole numbers: with the colours of a palette up to 255, of 16 bits beyond.

    Examples
    --------
    >>> import numpy as np
    >>> png_of(np.zeros((2, 3), int))[:8], png_of(np.full((1, 1), 256))[24]
    (b'\\x89PNG\\r\\n\\x1a\\n', 16)
    """
    import numpy as np

    rows, columns = image.shape
    is_small = image.max(initial=0) < _INDICES
    pixels = image.astype(np.uint8 if is_small else ">u2")
    # Each row begins with the number of its filter, none.
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", columns, rows, 8 if is_small else 16, _PALETTE if is_small else _GRAY, 0, 0, 0)
    palette = [_chunk(b"PLTE", bytes(part for k in range(_INDICES) for part in colour(k)))] if is_small else []
    return b"".join([_SIGNATURE, _chunk(b"IHDR", header), *palette, _chunk(b"IDAT", zlib.compress(lines)), _END])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


_END = _chunk(b"IEND", b"")


def colour(value: int) -> tuple[int, int, int]:
    """Red, green and blue of a value in the colours of PASCAL VOC.

    Examples
    --------
    >>> colour(0), colour(1), colour(15)
    ((0, 0, 0), (128, 0, 0), (192, 128, 128))
    """
    red = green = blue = 0
    for bit in range(8):
        red |= (value & 1) << 7 - bit
        green |= (value >> 1 & 1) << 7 - bit
        blue |= (value >> 2 & 1) << 7 - bit
        value >>= 3
    return red, green, blue


FORMATS = (_Png("png", (), "PNG label images", "masks"),)
