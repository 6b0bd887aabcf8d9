"""FiftyOne: images in ``data/`` and one ``labels.json`` of their boxes.

Boxes are ``[x, y, width, height]`` by the width and height of the image, classes count from 0, after the
FiftyOneImageDetectionDataset of FiftyOne (docs.voxel51.com), which names an image by its path without suffix.
"""

from __future__ import annotations

import json
import re
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matlens.escape import json_default
from matlens.export.atomic import atomic_folder
from matlens.export.format import BoxesFormat, refuse_missing_sizes
from matlens.export.not_finite import count_not_finite
from matlens.names import safe_file_name, unique_names

if TYPE_CHECKING:
    from matlens.export.images import BoxesByImage

_CONFIDENCE = ("confidence", "score")
_TAKEN = {"attributes", "bounding_box", "confidence", "id", "index", "instance", "label", "mask", "mask_path", "tags"}
"""What a detection of FiftyOne has by itself."""


class _FiftyOne(BoxesFormat):
    """A data set in a folder, or of one in parts a folder with a data set for each."""

    def left_out(self, found: BoxesByImage) -> int:
        return sum(not found.relative(k) for k in range(len(found.boxes)))

    def nulls(self, found: BoxesByImage) -> dict[str, int]:
        written = [found.extras[k] for k in range(len(found.boxes)) if found.relative(k)]
        return count_not_finite(written)

    def write_boxes(self, found: BoxesByImage, target: str | Path, *, force: bool = False, source: str = "") -> None:
        refuse_missing_sizes(found, self.text)
        stems, parts = found.stems(), found.by_part()
        folders = unique_names((safe_file_name(part) if part else "" for part in parts), fold=True)
        earlier = [escape(path.parent.name) + "/" for path in Path(target).glob("*/labels.json")] + [""]
        made, places = ([f"{each}{part}" for each in earlier] for part in ("labels.json", "data/**/*"))
        with atomic_folder(target, force=force, made=made, places=places) as opened:
            for name, images in zip(folders, parts.values(), strict=True):
                folder = f"{name}/" if name else ""
                for i in images:
                    if (image := found.files.get(found.images[i])) is not None:
                        opened.put(f"{folder}data/{stems[i]}{image.suffix}", image, link=found.link_files)
                document = {"classes": found.classes, "labels": {stems[i]: _detections(i, found) for i in images}}
                with opened(f"{folder}labels.json") as file:
                    file.write(json.dumps(document, default=json_default).encode())


def _detections(image: int, found: BoxesByImage) -> list[dict[str, Any]]:
    """The boxes that have an area inside their image."""
    return [_detection(k, corners, found) for k in found.rows_of(image) if (corners := found.relative(k))]


def _detection(k: int, corners: list[float], found: BoxesByImage) -> dict[str, Any]:
    """A box, how certain it is, and what else is known of it."""
    from matlens.values.plain import json_safe

    xmin, ymin, xmax, ymax = corners
    detection = {"label": int(found.class_of[k]), "bounding_box": [xmin, ymin, xmax - xmin, ymax - ymin]}
    known = {name: value for name, value in json_safe(found.extras[k]).items() if value is not None}
    for name in _CONFIDENCE:
        if "confidence" not in detection and isinstance(known.get(name), float):
            detection["confidence"] = known.pop(name)
    names = unique_names(map(_attribute, known))
    return detection | ({"attributes": dict(zip(names, known.values(), strict=True))} if known else {})


def _attribute(name: str) -> str:
    """A name that neither its database nor a detection takes for something else."""
    text = re.sub(r"\W", "_", name).lstrip("_") or "unnamed"
    return f"{text}_" if text in _TAKEN else text


FORMATS = (_FiftyOne("fiftyone", (), "FiftyOne", "boxes", places_images=True),)
