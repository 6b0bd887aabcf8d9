"""YOLO: a text file for each image, with a line ``class cx cy width height`` for each box.

Classes count from 0; coordinates are divided by the width and height of the image, after
the data set format of Ultralytics YOLO (docs.ultralytics.com/datasets/detect).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from matlens.errors import UnfitFormat
from matlens.export.atomic import atomic_folder
from matlens.export.format import BoxesFormat

if TYPE_CHECKING:
    from matlens.export.images import BoxesByImage


class _Yolo(BoxesFormat):
    """``labels/*.txt``, ``classes.txt`` and ``data.yaml`` in a folder."""

    def write_boxes(self, found: BoxesByImage, target: str | Path, *, force: bool = False, source: str = "") -> None:
        missing = [name for name in found.images if name not in found.sizes]
        if missing:
            raise UnfitFormat(
                f"YOLO needs the size of each image, and {len(missing):,} of {len(found.images):,} have none, such as "
                f"{missing[0]}: --size-field, --images DIR or --image-size gives them"
            )
        with atomic_folder(target, force=force) as opened:
            for i, stem in enumerate(found.stems()):
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


FORMATS = (_Yolo("yolo", (), "YOLO", "boxes"),)
