"""What an output format is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from matlens.columns.notes import Note
from matlens.errors import LossyConversion, UnfitFormat
from matlens.escape import safe_text
from matlens.export.atomic import atomic_output
from matlens.export.options import ExportOptions

if TYPE_CHECKING:
    from matlens.export.images import BoxesByImage
    from matlens.export.item import Item


@dataclass(frozen=True)
class Format:
    """An output format; its subclasses write it.

    The first of `suffixes` is that of the files in a folder, `text` the name in words. `takes` says what is written:
    the tables of values, one array, MATLAB's values themselves, bounding boxes by image, or masks; `many`, whether one
    file holds several values. `understands` names the `ExportOptions` beyond `force` and `strict` that make a
    difference.
    """

    name: str
    suffixes: tuple[str, ...]
    text: str
    takes: Literal["tables", "array", "values", "boxes", "masks"] = "tables"
    many: bool = False
    understands: tuple[str, ...] = ()

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of files rather than one."""
        return not self.suffixes

    @property
    def is_streamed(self) -> bool:
        """Whether it can be written to a pipe."""
        return type(self).stream is not Format.stream

    def write(self, items: Sequence[Item], target: Path, options: ExportOptions) -> list[Note]:
        """Write values to one file, whole or not at all; what is lost beyond the notes of their tables."""
        with atomic_output(target, force=options.force) as file:
            notes = self.stream(items[0], file, options)
            refuse_losses(notes, options, str(target))
            return notes

    def stream(self, item: Item, file: IO[bytes], options: ExportOptions) -> list[Note]:
        """Write one value to an open file, which cannot seek."""
        raise UnfitFormat(f"{self.text} cannot be written to a pipe")


@dataclass(frozen=True)
class BoxesFormat(Format):
    """A format of data sets for detectors.

    `holds_shapes` tells whether it has polygons and masks, too, or the boxes around them alone; `holds_holes`, whether
    polygons keep their holes; `places_images`, whether the images stand beside their labels; `needs_images`, whether
    they must.
    """

    holds_shapes: bool = False
    holds_holes: bool = False
    places_images: bool = False
    needs_images: bool = False

    def left_out(self, found: BoxesByImage) -> int:
        """How many boxes the format has no room for."""
        return 0

    def nulls(self, found: BoxesByImage) -> dict[str, int]:
        """How many numbers of each column are written as null, for the format has no NaN or infinity."""
        return {}

    def write_boxes(self, found: BoxesByImage, target: str | Path, *, force: bool = False, source: str = "") -> None:
        """Write boxes to a file or folder, which is whole or absent; `source` says where they come from."""
        raise NotImplementedError


def refuse_missing_sizes(found: BoxesByImage, text: str) -> None:
    """Raise `UnfitFormat` where a format needs the sizes of images and some have none."""
    missing = [name for name in found.images if name not in found.sizes]
    if missing:
        raise UnfitFormat(
            f"{text} needs the size of each image, and {len(missing):,} of {len(found.images):,} have none, such as "
            f"{missing[0]}: --size-field, --images DIR or --image-size gives them"
        )


def yaml_text(text: str) -> str:
    r"""A text in quotes for YAML, which takes the two halves of a character, as JSON escapes them, for two.

    Examples
    --------
    >>> print(yaml_text("a: \"b\" 😀 \x1b"))
    "a: \"b\" 😀 \\x1b"
    """
    return json.dumps(safe_text(text), ensure_ascii=False)


def refuse_losses(notes: Sequence[Note], options: ExportOptions, file: str) -> None:
    """Raise `LossyConversion` if there is a loss and the options ask for it."""
    lossy = [str(note) for note in notes if note.is_lossy]
    if options.strict and lossy:
        raise LossyConversion(f"{len(lossy)} losses, nothing is written: {'; '.join(lossy)}", file=file)
