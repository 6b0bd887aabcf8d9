"""YOLO: a text file for each image, with a line ``class cx cy width height`` for each box.

Classes count from 0; coordinates are divided by the width and height of the image, after
the data set format of Ultralytics YOLO (docs.ultralytics.com/datasets/detect).
"""

from __future__ import annotations

import json
from pathlib import Path

from matlens.errors import UnfitFormat
from matlens.export.atomic import atomic_folder
from matlens.export.images import BoxesByImage, file_stems

__all__ = ["outside", "write_yolo"]


def write_yolo(found: BoxesByImage, folder: str | Path, *, force: bool = False) -> None:
    """Write ``labels/*.txt``, ``classes.txt`` and ``data.yaml`` into `folder`.

    Raises
    ------
    UnfitFormat
        If the size of an image is not known.
    OutputExists
        If `folder` holds something and `force` is false.
    """
    missing = [name for name in found.images if name not in found.sizes]
    if missing:
        raise UnfitFormat(
            f"YOLO needs the size of each image, and {len(missing):,} of {len(found.images):,} have none, such as "
            f"{missing[0]}: --size-field, --images DIR or --image-size gives them"
        )
    with atomic_folder(folder, force=force) as opened:
        for i, stem in enumerate(file_stems(found.images)):
            with opened(f"labels/{stem}.txt") as file:
                file.write("".join(_line(k, i, found) for k in found.rows_of(i)).encode())
        with opened("classes.txt") as file:
            file.write("".join(f"{_one_line(name)}\n" for name in found.classes).encode())
        with opened("data.yaml") as file:
            names = "".join(f"  - {json.dumps(name)}\n" for name in found.classes)
            file.write(f"train: images\nval: images\nnc: {len(found.classes)}\nnames:\n{names}".encode())


def _line(k: int, image: int, found: BoxesByImage) -> str:
    width, height = found.sizes[found.images[image]]
    xmin, ymin, xmax, ymax = found.boxes[k].tolist()
    numbers = ((xmin + xmax) / 2 / width, (ymin + ymax) / 2 / height, (xmax - xmin) / width, (ymax - ymin) / height)
    return f"{found.class_of[k]} {' '.join(f'{number:.10g}' for number in numbers)}\n"


def _one_line(name: str) -> str:
    return " ".join(name.split()) or "_"


def outside(found: BoxesByImage) -> int:
    """How many boxes reach beyond the edges of their image."""
    count = 0
    for k, (xmin, ymin, xmax, ymax) in enumerate(found.boxes.tolist()):
        size = found.sizes.get(found.images[int(found.image_of[k])])
        count += size is not None and (xmin < 0 or ymin < 0 or xmax > size[0] or ymax > size[1])
    return count
