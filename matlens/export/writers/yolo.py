"""YOLO: a text file for each image, with a line ``class cx cy width height`` for each box.

Polygons and masks have a line ``class x1 y1 x2 y2 …``, keypoints x, y and visible of each behind their box. Classes
count from 0; coordinates are divided by the width and height of the image, after the data set formats of Ultralytics
YOLO (docs.ultralytics.com/datasets).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from matlens.errors import UnfitFormat
from matlens.export.atomic import atomic_folder
from matlens.export.format import BoxesFormat, refuse_missing_sizes, yaml_text
from matlens.names import safe_file_name

if TYPE_CHECKING:
    from matlens.export.images import BoxesByImage


class _Yolo(BoxesFormat):
    """``labels/*.txt``, ``classes.txt`` and ``data.yaml`` in a folder, with the images beside the labels if known.

    Of a data set in parts, each has a folder among the labels and one among the images.
    """

    def left_out(self, found: BoxesByImage) -> int:
        return sum(not _line(k, i, found) for i in range(len(found.images)) for k in found.rows_of(i))

    def write_boxes(self, found: BoxesByImage, target: str | Path, *, force: bool = False, source: str = "") -> None:
        refuse_missing_sizes(found, "YOLO")
        parts = {name: safe_file_name(part) for name, part in found.parts.items() if part}
        with atomic_folder(target, force=force, made=("labels/**/*.txt",), places=("images/**/*",)) as opened:
            for i, stem in enumerate(found.stems()):
                part = parts.get(found.images[i])
                place = stem if part is None else f"{part}/{stem}"
                with opened(f"labels/{place}.txt") as file:
                    file.write("".join(filter(None, (_line(k, i, found) for k in found.rows_of(i)))).encode())
                if (image := found.files.get(found.images[i])) is not None:
                    opened.put(f"images/{place}{image.suffix}", image, link=found.link_files)
            with opened("classes.txt") as file:
                file.write("".join(f"{_one_line(name)}\n" for name in found.classes).encode())
            with opened("data.yaml") as file:
                parts_told = sorted(map(safe_file_name, filter(None, set(parts.values()))))
                file.write(_data_yaml(found, parts_told).encode())


def _data_yaml(found: BoxesByImage, parts: list[str]) -> str:
    """Where the images of each part are, the names of the classes by number, and how many keypoints there are."""
    if not parts:
        places = {"train": "images", "val": "images"}
    else:
        places = {part: f"images/{part}" for part in parts}
        # Those that no trainer looks at validate: never with what it trains on.
        places.setdefault("val", places.get("test", ""))
        if "train" not in places or not places["val"]:
            raise UnfitFormat(f"YOLO trains with a part train and validates with val or test, found {', '.join(parts)}")
    told = "".join(f"{part}: {place}\n" for part, place in places.items())
    names = "".join(f"  - {yaml_text(name)}\n" for name in found.classes)
    points = f"kpt_shape: [{len(found.shapes.names)}, 3]\n" if found.shapes.kind == "keypoints" else ""
    return f"{told}nc: {len(found.classes)}\n{points}names:\n{names}"


def _line(k: int, image: int, found: BoxesByImage) -> str:
    """A box, or the outline inside it, cut off at the edges of its image; nothing where it has no area there."""
    from matlens.export.shapes import yolo_shape

    if not (corners := found.relative(k)):
        return ""
    xmin, ymin, xmax, ymax = corners
    box = [(xmin + xmax) / 2, (ymin + ymax) / 2, xmax - xmin, ymax - ymin]
    size = found.sizes[found.images[image]]
    numbers = yolo_shape(found.shapes.kind, found.shapes.values[k], *size) if found.shapes else []
    numbers = box + numbers if found.shapes.kind in ("", "keypoints") else numbers
    return f"{found.class_of[k]} {' '.join(f'{number:.10g}' for number in numbers)}\n"


def _one_line(name: str) -> str:
    return " ".join(name.split()) or "_"


FORMATS = (_Yolo("yolo", (), "YOLO", "boxes", holds_shapes=True, holds_holes=True, places_images=True),)
