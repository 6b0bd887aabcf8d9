"""Image files that a MAT-file names: read from one folder, and from nowhere else."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from matlens.export.image_names import portable_names
from matlens.export.images import files_in

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "PPM", "WEBP", "JPEG2000")
"""Formats of pixels; others that Pillow knows start programs or draw."""
MAX_PIXELS = 1 << 26
"""Pixels of an image, beyond which it is not opened."""
_LOOKED_AT = 64
"""Folders beside a file that are looked into."""


class NoImage(Exception):
    """Why there is no image, in words."""


class ImageFiles:
    """The images of a folder by the names that a file gives them."""

    def __init__(self, folder: Path | None, names: Sequence[str]) -> None:
        self.folder = folder
        self._portable = portable_names(names)

    def find(self, name: str) -> Path | None:
        """The file of an image, inside of the folder even where links and names lead out of it."""
        return None if self.folder is None else _find(self.folder, name, self._portable.get(name, name))

    def load(self, name: str) -> NDArray[np.uint8]:
        """Red, green and blue of an image.

        Raises
        ------
        NoImage
        """
        if self.folder is None:
            raise NoImage("no folder of images: matlens browse --images DIR")
        path = self.find(name)
        if path is None:
            raise NoImage("not in the folder of images")
        return _load(path)


def _find(folder: Path, name: str, portable: str) -> Path | None:
    for tried in dict.fromkeys((name, portable)):
        try:
            found = files_in(folder, [tried])
        except (OSError, ValueError, RuntimeError):
            # Names that no file can have, too long or with a NUL, and links to themselves.
            continue
        if tried in found:
            return found[tried]
    return None


def _load(path: Path) -> NDArray[np.uint8]:
    try:
        from PIL import Image
    except ImportError:
        raise NoImage("Pillow is not installed: pip install 'matlens[images]'") from None
    try:
        with Image.open(path, formats=FORMATS) as stored:
            if stored.width * stored.height > MAX_PIXELS:
                raise NoImage(f"{stored.width:,}x{stored.height:,} pixels are too many to show")
            return np.asarray(stored.convert("RGB"))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NoImage("too many pixels to show") from None
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError, TypeError, MemoryError) as error:
        raise NoImage(f"cannot be read as an image ({type(error).__name__})") from None
    except (struct.error, zlib.error, EOFError) as error:
        raise NoImage(f"is damaged ({type(error).__name__})") from None


def folder_of(file: Path | None, names: Sequence[str]) -> Path | None:
    """The folder beside a file, or one in it, that has the first of its images that is anywhere there."""
    if file is None or not names:
        return None
    home, portable = file.resolve().parent, portable_names(names)
    try:
        below = sorted(path for path in home.iterdir() if path.is_dir())[:_LOOKED_AT]
    except OSError:
        below = []
    for name in names[:3]:
        for folder in (home, *below):
            if _find(folder, name, portable[name]) is not None:
                return folder
    return home
