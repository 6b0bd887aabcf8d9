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

if TYPE_CHECKING:
    import pyarrow as pa

    from matlens.export.images import BoxesByImage


class _Coco(BoxesFormat):
    """What else is known of a box goes to its ``attributes``."""

    def write_boxes(self, found: BoxesByImage, target: str | Path, *, force: bool = False, source: str = "") -> None:
        refuse_missing_sizes(found, "COCO")
        document = {
            "info": {"description": f"{source}, converted by matlens".lstrip(", "), "version": "1.0"},
            "licenses": [],
            "images": [_image(i, name, found) for i, name in enumerate(found.images)],
            "annotations": [_annotation(k, found) for k in range(len(found.boxes))],
            "categories": [{"id": i + 1, "name": name, "supercategory": ""} for i, name in enumerate(found.classes)],
        }
        with atomic_output(target, force=force) as file:
            file.write(json.dumps(document, default=str).encode())


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
        annotation |= coco_shape(found.shapes[k])
    return annotation | ({"attributes": json_safe(found.extras[k])} if found.extras[k] else {})


def write_keypoints(table: pa.Table, target: str | Path, names: list[str], *, force: bool = False) -> None:
    """Write keypoints as COCO's: annotations of one category, whose keypoints have these names.

    The box of an annotation is the one around its points, after the format of COCO's person keypoints.
    """
    images = list(dict.fromkeys(str(name) for name in table["image"].to_pylist() if name is not None))
    places = {name: k + 1 for k, name in enumerate(images)}
    annotations = []
    for k, (image, points) in enumerate(zip(table["image"].to_pylist(), table["keypoints"].to_pylist(), strict=True)):
        seen = [point for point in points if point[2] > 0]
        xs, ys = [point[0] for point in seen] or [0.0], [point[1] for point in seen] or [0.0]
        width, height = max(xs) - min(xs), max(ys) - min(ys)
        annotations.append(
            {
                "id": k + 1,
                "image_id": places.get(str(image), 0),
                "category_id": 1,
                "keypoints": [int(part) if i == 2 else part for point in points for i, part in enumerate(point)],
                "num_keypoints": len(seen),
                "bbox": [min(xs), min(ys), width, height],
                "area": width * height,
                "iscrowd": 0,
            }
        )
    document = {
        "info": {"description": "keypoints, converted by matlens", "version": "1.0"},
        "images": [{"id": k + 1, "file_name": name} for k, name in enumerate(images)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "object", "supercategory": "", "keypoints": names, "skeleton": []}],
    }
    with atomic_output(target, force=force) as file:
        file.write(json.dumps(document).encode())


FORMATS = (_Coco("coco", (".json",), "COCO", "boxes", holds_shapes=True),)
