"""COCO: one JSON document of images, annotations and categories.

Boxes are ``[x, y, width, height]``, 0-based, after the data format of *COCO, Common
Objects in Context* (cocodataset.org).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matlens.export.atomic import atomic_output
from matlens.export.format import BoxesFormat, refuse_missing_sizes
from matlens.export.not_finite import count_not_finite

if TYPE_CHECKING:
    from matlens.export.images import BoxesByImage


class _Coco(BoxesFormat):
    """What else is known of a box goes to its ``attributes``."""

    def nulls(self, found: BoxesByImage) -> dict[str, int]:
        return count_not_finite(found.extras)

    def write_boxes(self, found: BoxesByImage, target: str | Path, *, force: bool = False, source: str = "") -> None:
        refuse_missing_sizes(found, "COCO")
        document = {
            "info": {"description": f"{source}, converted by matlens".lstrip(", "), "version": "1.0"},
            "licenses": [],
            "images": [_image(i, name, found) for i, name in enumerate(found.images)],
            "annotations": [_annotation(k, found) for k in range(len(found.boxes))],
            "categories": [_category(i, name, found) for i, name in enumerate(found.classes)],
        }
        with atomic_output(target, force=force) as file:
            file.write(json.dumps(document, default=str).encode())


def _category(i: int, name: str, found: BoxesByImage) -> dict[str, Any]:
    category: dict[str, Any] = {"id": i + 1, "name": name, "supercategory": ""}
    return category | ({"keypoints": found.shapes.names, "skeleton": []} if found.shapes.kind == "keypoints" else {})


def _image(i: int, name: str, found: BoxesByImage) -> dict[str, Any]:
    width, height = found.sizes[name]
    return {"id": i + 1, "file_name": name, "width": round(width), "height": round(height)}


def _annotation(k: int, found: BoxesByImage) -> dict[str, Any]:
    from matlens.export.shapes import coco_shape
    from matlens.values.plain import json_safe

    xmin, ymin, xmax, ymax = found.boxes[k].tolist()
    annotation = {
        "id": k + 1,
        "image_id": int(found.image_of[k]) + 1,
        "category_id": int(found.class_of[k]) + 1,
        "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
        "area": (xmax - xmin) * (ymax - ymin),
        "iscrowd": 0,
        "segmentation": [],
    }
    if found.shapes:
        annotation |= coco_shape(found.shapes.kind, found.shapes.values[k])
    return annotation | ({"attributes": json_safe(found.extras[k])} if found.extras[k] else {})


FORMATS = (_Coco("coco", (".json",), "COCO", "boxes", holds_shapes=True),)
