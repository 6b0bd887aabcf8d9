"""Boxes by image: names, classes and sizes, for the formats that put images first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from matlens.columns.buffers import is_number, number_array, numbers_of, text_array
from matlens.columns.table import require_columns
from matlens.errors import MissingExtra, PathError, UnfitFormat
from matlens.export.image_names import portable_names
from matlens.export.shapes import KINDS, Shapes, shapes_in
from matlens.names import safe_file_name, unique_names

Value = TypeVar("Value")
Size = tuple[float, float]
"""Width and height in pixels."""
CORNERS = ("xmin", "ymin", "xmax", "ymax")
CANONICAL = ("file", "source", "image", "frame", "label", *CORNERS)
NO_LABEL = "object"
"""Class of boxes that have none."""
NO_PART = "unassigned"
"""Part of images that are in none, where others are."""
_IMAGE_SUFFIX = re.compile(r"\.(jpe?g|png|bmp|tiff?|gif|ppm|pgm|webp|jp2)$", re.IGNORECASE)
_WIDTH = re.compile(r"(^|[._])(im(g|age)?_?)?(width|w|cols|columns)$", re.IGNORECASE)
_HEIGHT = re.compile(r"(^|[._])(im(g|age)?_?)?(height|h|rows)$", re.IGNORECASE)
_SIZE = re.compile(r"(^|[._])(im(g|age)?_?)?(size|dims?|shape)$", re.IGNORECASE)


@dataclass(slots=True)
class BoxesByImage:
    """Boxes of a canonical table, ready for the formats of detection data sets.

    `images` stand in order of first appearance, `classes` sorted, numbers by their size; `image_of` and `class_of` are
    the positions of each box there. `boxes` are ``xmin, ymin, xmax, ymax``, 0-based and half-open, and `extras` what
    else the table says of each. `dropped` counts rows without an image name or with a coordinate that is not finite.
    `shapes` are the polygons, masks or keypoints that the boxes are around, if the table has any. `parts` say to which
    part of a data set each image belongs, if it has any, and `files` where images are, which data sets link to or have
    copies of.
    """

    images: list[str]
    classes: list[str]
    image_of: NDArray[np.int64]
    class_of: NDArray[np.int64]
    boxes: NDArray[np.float64]
    extras: list[dict[str, Any]]
    sizes: dict[str, Size] = field(default_factory=dict)
    dropped: int = 0
    parts: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    shapes: Shapes = field(default_factory=Shapes)
    link_files: bool = False
    _order: NDArray[np.int64] = field(init=False, repr=False)
    _bounds: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._order = np.argsort(self.image_of, kind="stable")
        self._bounds = np.searchsorted(self.image_of[self._order], np.arange(len(self.images) + 1))

    def rows_of(self, image: int) -> list[int]:
        """Positions of the boxes of one image."""
        found: list[int] = self._order[self._bounds[image] : self._bounds[image + 1]].tolist()
        return found

    def stems(self) -> list[str]:
        """Paths of the files of the images, without suffix."""
        return file_stems(self.images)

    def part(self, name: str) -> BoxesByImage:
        """The images of one part, with their boxes; the classes stay those of all."""
        wanted = [i for i, image in enumerate(self.images) if self.parts.get(image, "") == name]
        places = np.full(len(self.images), -1, np.int64)
        places[wanted] = np.arange(len(wanted))
        keep = np.flatnonzero(places[self.image_of] >= 0)
        return replace(
            self,
            images=[self.images[i] for i in wanted],
            image_of=places[self.image_of[keep]],
            class_of=self.class_of[keep],
            boxes=self.boxes[keep],
            extras=[self.extras[k] for k in keep.tolist()],
            shapes=self.shapes.take(keep.tolist()),
        )

    def by_part(self) -> dict[str, list[int]]:
        """Positions of the images of each part, and of those of none; all of them under ``""`` without parts."""
        if not self.parts:
            return {"": list(range(len(self.images)))}
        places: dict[str, list[int]] = {name: [] for name in sorted(set(self.parts.values()) - {""})}
        for i, image in enumerate(self.images):
            places.setdefault(self.parts.get(image) or NO_PART, []).append(i)
        return {name: found for name, found in places.items() if found}

    def relative(self, k: int) -> list[float]:
        """Corners of a box by width and height, cut off at the edges of its image; nothing if it has no area there."""
        width, height = self.sizes[self.images[int(self.image_of[k])]]
        corners = self.boxes[k].tolist()
        xmin, xmax = (min(max(x, 0.0), width) / width for x in corners[::2])
        ymin, ymax = (min(max(y, 0.0), height) / height for y in corners[1::2])
        return [xmin, ymin, xmax, ymax] if xmin < xmax and ymin < ymax else []

    def named(self, names: dict[str, str]) -> BoxesByImage:
        """The same with other names of images, which must all be different."""
        images = [names.get(name, name) for name in self.images]
        if len(set(images)) < len(images):
            twice = next(name for name in images if images.count(name) > 1)
            raise UnfitFormat(f"several images would be named {twice}")
        other = dict(zip(self.images, images, strict=True))
        return replace(
            self,
            images=images,
            sizes=_renamed(self.sizes, other),
            parts=_renamed(self.parts, other),
            files=_renamed(self.files, other),
        )

    def outside(self) -> int:
        """How many boxes reach beyond the edges of their image."""
        count = 0
        for image, (xmin, ymin, xmax, ymax) in zip(self.image_of.tolist(), self.boxes.tolist(), strict=True):
            size = self.sizes.get(self.images[image])
            count += size is not None and (xmin < 0 or ymin < 0 or xmax > size[0] or ymax > size[1])
        return count


def _renamed(values: dict[str, Value], names: dict[str, str]) -> dict[str, Value]:
    return {names[name]: value for name, value in values.items() if name in names}


def group_by_image(
    table: pa.Table, sizes: dict[str, Size] | None = None, images: Sequence[str | None] = ()
) -> BoxesByImage:
    """Bring a canonical table of boxes into the form of images, classes and boxes.

    `images` names all images, those without boxes too.
    """
    require_columns(table, ("image", "label", *CORNERS), "boxes")
    boxes = np.stack([numbers_of(table[name]).astype(np.float64) for name in CORNERS], axis=1)
    table = by_frame(table)
    names = table["image"].to_pylist()
    keep = np.isfinite(boxes).all(axis=1) & np.array([name is not None for name in names], bool)
    if len(names) and not keep.any():
        raise UnfitFormat("no box has the name of its image: --image-field says where it is")
    kept = table.filter(number_array(keep))
    named = [*(name for name in images if name), *kept["image"].to_pylist()]
    all_images = list(dict.fromkeys(map(str, named)))
    labels = [NO_LABEL if label is None else label for label in kept["label"].to_pylist()]
    classes = _in_order(set(labels), labels, kept)
    places = {name: i for i, name in enumerate(all_images)}
    numbers = {label: i for i, label in enumerate(classes)}
    others = [name for name in kept.column_names if name not in (*CANONICAL, *KINDS)]
    return BoxesByImage(
        images=all_images,
        classes=[str(label) for label in classes],
        image_of=np.array([places[str(name)] for name in kept["image"].to_pylist()], np.int64),
        class_of=np.array([numbers[label] for label in labels], np.int64),
        boxes=boxes[keep],
        extras=kept.select(others).to_pylist(),
        shapes=shapes_in(kept),
        sizes=sizes or {},
        dropped=int((~keep).sum()),
    )


def _in_order(classes: set[Any], labels: list[Any], table: pa.Table) -> list[Any]:
    """Classes by their number, where a column has one for each; else sorted."""
    for column in table.schema:
        if column.name not in CANONICAL and is_number(column.type):
            pairs = set(zip(labels, table[column.name].to_pylist(), strict=True))
            numbers = {number for _, number in pairs}
            if len(pairs) == len(numbers) == len(classes) and all(
                n is not None and float(n).is_integer() for n in numbers
            ):
                return [label for label, _ in sorted(pairs, key=lambda pair: pair[1])]
    return sorted(classes, key=lambda label: (isinstance(label, str), label))


def by_frame(table: pa.Table) -> pa.Table:
    """The table with the frames of a video as images of their own: the number of the frame stands behind the name.

    Examples
    --------
    >>> table = pa.table({"image": ["a.mp4", "a.mp4", "b.png"], "frame": [1, 12, None]})
    >>> by_frame(table)["image"].to_pylist()
    ['a.mp4#1', 'a.mp4#12', 'b.png']
    >>> by_frame(by_frame(table)) == by_frame(table)
    True
    """
    if "frame" not in table.column_names:
        return table
    pairs = zip(table["image"].to_pylist(), table["frame"].to_pylist(), strict=True)
    names = [
        name if name is None or frame is None or name.endswith(f"#{frame}") else f"{name}#{frame}"
        for name, frame in pairs
    ]
    return table.set_column(table.schema.get_field_index("image"), "image", text_array(names))


def file_stems(images: Sequence[str]) -> list[str]:
    """Safe relative paths without suffix, one for each image name, all different.

    Examples
    --------
    >>> file_stems(["a.jpg", "0--Parade/b.png", "../../etc/c.jpg", "a.png"])
    ['a', '0--Parade/b', 'unnamed/unnamed/etc/c', 'a_2']
    """
    paths = []
    for name in images:
        parts = [safe_file_name(part) for part in re.split(r"[/\\]", _IMAGE_SUFFIX.sub("", name)) if part]
        paths.append("/".join(parts) or "unnamed")
    return unique_names(paths, fold=True)


# --- sizes -----------------------------------------------------------------------------------


def sizes_of(
    table: pa.Table,
    *,
    size_field: str | None = None,
    width_first: bool = False,
    folder: str | Path | None = None,
    constant: Size | None = None,
) -> tuple[dict[str, Size], str]:
    """Sizes of images, and where they come from.

    `table` has a row for each image. `size_field` is a column of ``[rows, columns]``, as MATLAB's ``size`` gives them
    (``[width, height]`` with `width_first`), or two columns ``width,height``; by default they are found by their names.
    Or the headers of the images in `folder` tell, or `constant` is the size of all.
    """
    images = [str(name) for name in table["image"].to_pylist() if name is not None]
    if constant is not None:
        if not (0 < constant[0] < np.inf and 0 < constant[1] < np.inf):
            raise UnfitFormat(f"expected a width and a height above 0, found {constant[0]:g} and {constant[1]:g}")
        return dict.fromkeys(images, constant), "the size given for all images"
    if folder is not None:
        return _sizes_in(Path(folder), list(dict.fromkeys(images))), f"headers of the images in {folder}"
    if size_field is None and "mask" in table.column_names:
        return _mask_sizes(table), "those of the masks"
    names = size_field.split(",") if size_field else _size_columns(table)
    missing = [name for name in names if name not in table.column_names]
    if missing:
        raise PathError(f"no column {missing[0]!r} beside the boxes; there are {', '.join(table.column_names)}")
    if not names:
        return {}, ""
    pairs = _pairs(table, names, width_first)
    sizes = {str(name): size for name, size in zip(table["image"].to_pylist(), pairs, strict=True) if size is not None}
    order = "width, height" if len(names) == 2 or width_first else "rows, columns, as MATLAB's size gives them"
    return sizes, f"{' and '.join(names)}: {order}"


def _mask_sizes(table: pa.Table) -> dict[str, Size]:
    """Sizes of images by their masks, which all have the same."""
    sizes: dict[str, Size] = {}
    for name, mask in zip(table["image"].to_pylist(), table["mask"].to_pylist(), strict=True):
        rows, columns = mask["size"]
        if name is not None and sizes.setdefault(str(name), (columns, rows)) != (columns, rows):
            width, height = sizes[str(name)]
            found = f"{height:g}x{width:g} and {rows}x{columns}"
            raise UnfitFormat(f"masks of one image have one size, and those of {name} have {found}")
    return sizes


def _size_columns(table: pa.Table) -> list[str]:
    """Columns that by their names hold the sizes of images."""
    others = [column for column in table.schema if column.name not in CANONICAL]
    for column in others:
        if _SIZE.search(column.name) and pa.types.is_fixed_size_list(column.type) and column.type.list_size in (2, 3):
            return [column.name]
    numeric = [c.name for c in others if is_number(c.type)]
    found = [[name for name in numeric if pattern.search(name)] for pattern in (_WIDTH, _HEIGHT)]
    return [found[0][0], found[1][0]] if all(found) else []


def _pairs(table: pa.Table, names: Sequence[str], width_first: bool) -> list[Size | None]:
    columns = [table[name].to_pylist() for name in names]
    if len(names) == 2:
        raw = list(zip(*columns, strict=True))
    else:
        raw = [(None, None) if v is None else tuple(v[:2]) if width_first else (v[1], v[0]) for v in columns[0]]
    return [(float(w), float(h)) if w and h and w > 0 and h > 0 else None for w, h in raw]


def files_in(folder: Path, images: Sequence[str]) -> dict[str, Path]:
    """Image files inside `folder`, which names cannot lead out of; also by what is left of absolute paths."""
    root, portable = folder.resolve(), portable_names(images)
    found = {}
    for name in images:
        for tried in (name.replace("\\", "/").lstrip("/"), portable[name]):
            path = (root / tried).resolve()
            if path.is_relative_to(root) and path.is_file():
                found[name] = path
                break
    return found


def _sizes_in(folder: Path, images: Sequence[str]) -> dict[str, Size]:
    """Sizes by the headers of image files inside `folder`."""
    try:
        import imagesize
    except ImportError:
        raise MissingExtra("imagesize is not installed: pip install 'matlens[images]'") from None
    sizes = {}
    for name, path in files_in(folder, images).items():
        try:
            width, height = imagesize.get(path)
        except (OSError, ValueError):
            continue
        if width > 0 and height > 0:
            sizes[name] = (float(width), float(height))
    return sizes
