"""Boxes, outlines and keypoints drawn on copies of their images, for people to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matlens.errors import MissingExtra
from matlens.escape import safe_text
from matlens.export.atomic import atomic_folder
from matlens.export.images import BoxesByImage
from matlens.export.shapes import rings_of

if TYPE_CHECKING:
    from PIL.Image import Image

_COLOURS = (
    "#e6194b",
    "#3cb44b",
    "#4363d8",
    "#f58231",
    "#911eb4",
    "#42d4f4",
    "#f032e6",
    "#bfef45",
    "#ffe119",
    "#469990",
)
"""Colours of the classes, one after another."""
_LONGEST_LABEL = 40
MAX_PIXELS = 1 << 28
"""Pixels of an image, beyond which it is not opened."""


def draw(found: BoxesByImage, target: str | Path, *, force: bool = False) -> tuple[list[int], list[str]]:
    """Draw what is known of each image on a copy of it, a PNG in the folder `target`.

    Parameters
    ----------
    found : BoxesByImage
        Boxes, and outlines or keypoints in them; `files` are the images.
    target : str or os.PathLike
        The folder, which is whole or absent.
    force : bool, optional
        Overwrite images in a folder that exists.

    Returns
    -------
    drawn : list of int
        Positions of the images that were drawn.
    missing : list of str
        Names of the images that have no file, or one that is no image.

    Raises
    ------
    MissingExtra
        If Pillow is not installed.
    OutputExists
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtra("Pillow is not installed: pip install 'matlens[images]'") from None
    drawn: list[int] = []
    missing: list[str] = []
    with atomic_folder(target, force=force) as opened:
        for i, (name, stem) in enumerate(zip(found.images, found.stems(), strict=True)):
            try:
                with Image.open(found.files[name]) as stored:
                    if stored.width * stored.height > MAX_PIXELS:
                        raise OSError
                    picture = stored.convert("RGB")
            except (KeyError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
                missing.append(name)
                continue
            _draw_on(picture, found, i)
            with opened(f"{stem}.png") as file:
                picture.save(file, "PNG")
            drawn.append(i)
    return drawn, missing


def _draw_on(picture: Image, found: BoxesByImage, i: int) -> None:
    from PIL import ImageDraw

    pen = ImageDraw.Draw(picture)
    width = max(round(min(picture.size) / 300), 1)
    for k in found.rows_of(i):
        number = int(found.class_of[k])
        colour = _COLOURS[number % len(_COLOURS)]
        xmin, ymin, xmax, ymax = found.boxes[k].tolist()
        # The last pixels are those before the edges.
        if xmax - 1 >= xmin and ymax - 1 >= ymin:
            pen.rectangle((xmin, ymin, xmax - 1, ymax - 1), outline=colour, width=width)
        for kind, points in _shape(found, k):
            if kind == "line":
                pen.line([*points, points[0]], fill=colour, width=width)
            else:
                ((x, y),) = points
                pen.ellipse((x - 2 * width, y - 2 * width, x + 2 * width, y + 2 * width), fill=colour)
        label = safe_text(found.classes[number])[:_LONGEST_LABEL]
        place = (max(xmin, 0), max(ymin - 12, 0))
        pen.rectangle(pen.textbbox(place, label), fill=colour)
        pen.text(place, label, fill="black")


def _shape(found: BoxesByImage, k: int) -> Iterator[tuple[str, list[Any]]]:
    """Rings as lines, keypoints that have a place as dots."""
    if found.shapes.kind == "keypoints":
        yield from (("dot", [(x, y)]) for x, y, visible in found.shapes.values[k] if visible)
    elif found.shapes:
        yield from (("line", list(map(tuple, ring.tolist()))) for ring in rings_of(found.shapes.values[k]) if len(ring))
