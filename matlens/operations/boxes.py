"""``matlens.boxes``: bounding boxes of one file or of many, found, read, checked, mended and written."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pyarrow as pa

from matlens.annotations import (
    CONVENTIONS,
    BoxSource,
    Evidence,
    check,
    clip,
    concat,
    convert,
    drop_invalid,
    find,
    merge,
)
from matlens.annotations.joining import of_files, undecided
from matlens.columns.table import require_columns
from matlens.errors import NoAnnotationsFound
from matlens.export.format import BoxesFormat
from matlens.export.image_names import by_template, portable_names
from matlens.export.images import CORNERS, BoxesByImage, Size, by_frame, files_in, group_by_image, sizes_of
from matlens.export.item import Item
from matlens.export.options import ExportOptions
from matlens.export.registry import boxes_formats, find_format, masks_formats
from matlens.export.splits import split_by_field, split_by_share
from matlens.names import safe_file_name
from matlens.tree.file import ReadingOptions, Source, opened

__all__ = [
    "CONVENTIONS",
    "BoxSource",
    "BoxesDataset",
    "Evidence",
    "check",
    "clip",
    "concat",
    "convert",
    "drop_invalid",
    "find",
    "merge",
    "read",
    "write",
]

_READING = frozenset(ReadingOptions.__annotations__)


def read(source: Source | Sequence[Source], path: str | None = None, **options: Any) -> pa.Table:
    """All boxes of a file, or of several files, as one canonical table.

    Parameters
    ----------
    source : str, os.PathLike, bytes, binary file object, MatFile, or a sequence of these
        Of several files, the column ``file`` says which each box is of.
    path, **options
        As for `find`, and ``convention`` and ``image_size``: a name from `CONVENTIONS` instead of the inferred one, and
        width and height in pixels for ``yolo``.

    Returns
    -------
    pyarrow.Table
        ``source, image, frame, label, xmin, ymin, xmax, ymax`` (0-based, half-open; ``frame`` of videos alone), then
        all further columns.

    Raises
    ------
    NoBoxesFound, AmbiguousConvention

    Examples
    --------
    >>> table = read("fixtures/annotations_v7.mat")
    >>> table.select(["image", "xmin", "ymin", "xmax", "ymax"]).slice(0, 1).to_pylist()
    [{'image': '00001.jpg', 'xmin': 90.0, 'ymin': 60.0, 'xmax': 130.0, 'ymax': 96.0}]
    >>> both = read(["fixtures/annotations_v6.mat", "fixtures/annotations_v7.mat"])
    >>> both.num_rows, both["file"][0].as_py()
    (280, 'fixtures/annotations_v6.mat')
    """
    return read_each(source, lambda each: _read(each, path, **options))


def read_each(source: Source | Sequence[Source], read_one: Callable[[Source], pa.Table]) -> pa.Table:
    """The table of a source, or those of several as one, with the column ``file``."""
    if not isinstance(source, list | tuple):
        return read_one(cast("Source", source))
    if not source:
        raise NoAnnotationsFound("no files are given")
    return of_files([(_name(each), read_one(each)) for each in source])


def _read(
    source: Source, path: str | None, *, convention: str | None = None, image_size: Any = None, **options: Any
) -> pa.Table:
    """The boxes of one file."""
    near: list[str] = []
    reading = {name: options.pop(name) for name in _READING & options.keys()}
    with opened(source, **reading) as file:
        sources = find(file, path, near=near, **options)
        for left_out in undecided(file.name, sources, path, convention):
            warnings.warn(str(left_out), stacklevel=3)
        return merge(file.name, sources, path, convention, image_size, near)


def _name(source: Any) -> str:
    return os.fspath(source) if isinstance(source, str | os.PathLike) else str(getattr(source, "name", "<stream>"))


def write(
    table: pa.Table,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    images: pa.Table | None = None,
    sizes: Mapping[str, Size] | None = None,
    folder: str | os.PathLike[str] | None = None,
    place_images: Literal["link", "copy", "none"] = "link",
    split: float | None = None,
    split_by: str | None = None,
    seed: int = 0,
    image_name: str | None = None,
    force: bool = False,
    source: str = "",
) -> dict[Path, BoxesByImage]:
    """Write boxes, or the polygons or masks that they are around, for training or as a table.

    Parameters
    ----------
    table : pyarrow.Table
        Boxes in the canonical form, as `read` gives them, or a table of `matlens.polygons` or `matlens.masks`.
    path : str or os.PathLike
        A file, or for YOLO, VOC, Hugging Face, FiftyOne and PNG a folder.
    format : str, optional
        ``coco``, ``yolo``, ``voc``, ``huggingface``, ``fiftyone``, of masks ``png``, or a table format, instead of the
        one that the suffix tells.
    images : pyarrow.Table, optional
        A row for each image, those without boxes too, as `BoxSource.image_rows` gives them.
    sizes : mapping of str to (width, height), optional
        Sizes of the images in pixels; otherwise from `folder`, or from columns beside the boxes.
    folder : str or os.PathLike, optional
        Where the images are.
    place_images : {"link", "copy", "none"}, optional
        Whether formats that keep images beside their labels, as YOLO does, link to those in `folder`, or have copies.
        Hugging Face is not without them.
    split : float, optional
        Share of the images that train, picked by `seed`; the others validate.
    split_by : str, optional
        Column that says to which part of the data set an image belongs.
    image_name : str, optional
        Template of the names of images, such as ``{stem}_{frame:06d}.jpg``.
    force : bool, optional
        Overwrite what exists.
    source : str, optional
        What the output says about where it comes from.

    Returns
    -------
    dict of Path to BoxesByImage
        What each file or folder holds; nothing of table formats.

    Raises
    ------
    OutputExists
    UnfitFormat
        If a format needs sizes of images that are not known, or names of images would be the same.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "train.json"
    >>> written = write(read("fixtures/annotations_v7.mat"), target, split=0.9)
    >>> [(path.name, len(found.images)) for path, found in written.items()]
    [('train_train.json', 50), ('train_val.json', 6)]
    """
    require_columns(table, ("image", "label", *CORNERS), "boxes")
    target = Path(path)
    chosen = find_format(str(target), format, masks_formats() if "mask" in table.column_names else boxes_formats())
    if not isinstance(chosen, BoxesFormat):
        chosen.write([Item("boxes", table)], target, ExportOptions(force=force))
        return {}
    rows = by_frame(table if images is None else images)
    known = dict(sizes) if sizes is not None else sizes_of(rows, folder=None if folder is None else Path(folder))[0]
    found = group_by_image(table, known, rows["image"].to_pylist())
    if split_by is not None:
        # The rows of images tell the part of those without boxes, too.
        found.parts = split_by_field(rows if split_by in rows.column_names else by_frame(table), split_by)
    elif split is not None:
        found.parts = split_by_share(found.images, split, seed)
    if folder is not None and place_images != "none":
        found.files, found.link_files = files_in(Path(folder), found.images), place_images == "link"
    names = portable_names(found.images)
    found = found.named({old: by_template(new, image_name) if image_name else new for old, new in names.items()})
    written = _targets(found, target, is_folder=chosen.is_folder)
    for place, part in written.items():
        chosen.write_boxes(part, place, force=force, source=source)
    return written


def _targets(found: BoxesByImage, target: Path, *, is_folder: bool) -> dict[Path, BoxesByImage]:
    """Where each part of a data set goes: folders have room for all, of files each part has one."""
    parts = sorted(set(found.parts.values()))
    if is_folder or not parts:
        return {target: found}
    return {target.with_stem(f"{target.stem}_{safe_file_name(part)}"): found.part(part) for part in parts}


class BoxesDataset:
    """Images and their boxes by index, as `torch.utils.data.Dataset` has them, for detectors of torchvision.

    Parameters
    ----------
    table : pyarrow.Table
        Boxes in the canonical form.
    folder : str or os.PathLike, optional
        Where the images are.
    load : callable, optional
        Makes an image of its path, such as `torchvision.io.read_image`; by default the path itself is given.
    transform : callable, optional
        Takes an image and its target, and gives both.
    classes : sequence of str, optional
        Classes in the order of their numbers, which count from 1, for 0 is the background; those of the table by
        default.

    Examples
    --------
    >>> data = BoxesDataset(read("fixtures/annotations_v7.mat"), "images")
    >>> image, target = data[0]
    >>> len(data), str(image), target["boxes"].tolist(), [data.classes[k - 1] for k in target["labels"]]
    (56, 'images/00001.jpg', [[90.0, 60.0, 130.0, 96.0]], ['person'])
    """

    def __init__(
        self,
        table: pa.Table,
        folder: str | os.PathLike[str] = "",
        *,
        load: Callable[[Path], Any] | None = None,
        transform: Callable[[Any, dict[str, Any]], tuple[Any, dict[str, Any]]] | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        self._found = group_by_image(table)
        self._folder, self._load, self._transform = Path(folder), load, transform
        self.classes = list(classes or self._found.classes)
        self._numbers = np.array([self.classes.index(name) + 1 for name in self._found.classes], np.int64)

    def __len__(self) -> int:
        return len(self._found.images)

    def __getitem__(self, index: int) -> tuple[Any, dict[str, Any]]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of {len(self)}")
        place = index % len(self)
        rows = self._found.rows_of(place)
        boxes = self._found.boxes[rows].astype(np.float32).reshape(-1, 4)
        target = {
            "boxes": boxes,
            "labels": self._numbers[self._found.class_of[rows]],
            "image_id": place,
            "area": (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]),
            "iscrowd": np.zeros(len(rows), np.int64),
        }
        path = self._folder / self._found.images[place].replace("\\", "/")
        image: Any = path if self._load is None else self._load(path)
        return (image, target) if self._transform is None else self._transform(image, target)
