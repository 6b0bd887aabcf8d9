"""Layouts of annotation files as people make them: named, nested, transposed and split in any way, among decoys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from matlens.annotations import convert

SIZE = (640, 480)
CLASSES = ("person", "car", "dog", "traffic light")
CONVENTIONS = ("xyxy", "xyxy1", "xywh", "xywh1", "matlab", "xxyy", "cxcywh")


@dataclass(slots=True)
class Scene:
    """A generated file and its truth: of each image its name, canonical boxes, and labels or None."""

    variables: dict[str, Any]
    convention: str
    images: list[str]
    boxes: list[np.ndarray[Any, Any]]
    labels: list[list[Any]] | None
    told: str
    path: str

    def rows(self) -> list[tuple[str, tuple[float, ...], Any]]:
        labels = self.labels or [[None] * len(part) for part in self.boxes]
        return [
            (image, tuple(np.round(box, 6).tolist()), label)
            for image, part, names in zip(self.images, self.boxes, labels, strict=True)
            for box, label in zip(part, names, strict=True)
        ]


def cell(items: Sequence[Any], *, lying: bool = False) -> Any:
    array = np.empty(len(items), object)
    for k, item in enumerate(items):
        array[k] = item
    return array.reshape((1, -1) if lying else (-1, 1))


def struct(**fields: Any) -> Any:
    return structs([fields])


def structs(records: Sequence[dict[str, Any]], *, lying: bool = True) -> Any:
    array = np.empty(len(records), [(name, object) for name in records[0]])
    for k, record in enumerate(records):
        for name, value in record.items():
            array[name][k] = value
    return array.reshape((1, -1) if lying else (-1, 1))


def column(values: Sequence[Any]) -> Any:
    """Class numbers as a column, class names as a cell."""
    if values and isinstance(values[0], str):
        return cell(values)
    return np.array(values, float).reshape(-1, 1) if values else np.zeros((0, 0))


ODD = ("none", np.nan, np.ones((1, 5)), np.ones((3, 7)), np.ones((1, 4)) * 1j, np.ones((2, 4, 3)), cell(["a"]),
       struct(a=1.0), scipy.sparse.csc_matrix(np.ones((2, 4))))  # fmt: skip
"""What people put where an image has no box, or by mistake."""


class Maker:
    """Makes a scene from one seed; with `odd`, some images have something else in place of no boxes."""

    def __init__(self, seed: int, *, odd: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.odd = np.random.default_rng(seed) if odd else None
        self.told: list[str] = []

    def or_odd(self, boxes: list[Any]) -> list[Any]:
        """Of many boxes, some of those that are empty replaced by what is none."""
        filled = sum(part.size > 0 for part in boxes)
        if self.odd is None or filled < 3:
            return boxes
        empty = [k for k, part in enumerate(boxes) if not part.size][: (filled - 1) // 2]
        picked = {k: ODD[int(self.odd.integers(len(ODD)))] for k in empty}
        self.told += [f"odd {k}" for k in picked]
        return [picked.get(k, part) for k, part in enumerate(boxes)]

    def choose(self, *options: Any) -> Any:
        found = options[int(self.rng.integers(len(options)))]
        if isinstance(found, str):
            self.told.append(found)
        return found

    def scene(self) -> Scene:
        rng = self.rng
        layout: Callable[..., dict[str, Any]] = self.choose(
            self.records, self.box_records, self.parallel, self.flat, self.nested, self.wide, self.deep_cells
        )
        self.told.append(layout.__name__)
        count = int(self.choose(1, 2, 5, 12, 40))
        form = self.choose("one", "equal", "ragged")
        counts = (
            [1] * count if form == "one" else [3] * count if form == "equal" else rng.integers(0, 6, count).tolist()
        )
        if not sum(counts):
            counts[0] = 2
        images = [f"{self.choose('im', 'dir/a')}_{k:04d}.jpg" for k in range(count)]
        boxes = [self.boxes(n) for n in counts]
        classes = CLASSES[: int(self.choose(1, 2, 4))]
        kind = self.choose("names", "numbers", "none")
        labels: list[list[Any]] | None = None
        if kind != "none":
            picked = [rng.integers(0, len(classes), n).tolist() for n in counts]
            labels = [[classes[i] if kind == "names" else i + 1 for i in part] for part in picked]
        convention = self.choose(*(CONVENTIONS[:4] if layout == self.wide else CONVENTIONS))
        stored = [convert(part, "xyxy", convention) for part in boxes]
        names = self.names()
        variables = layout(images, stored, labels, names)
        variables |= self.decoys(count)
        if self.choose(True, False, False):
            self.told.append("copy")
            variables["backup"] = struct(**{names["boxes"]: cell(stored)})
        path = f"{self.where}" if hasattr(self, "where") else ""
        return Scene(variables, convention, images, boxes, labels, " ".join(map(str, self.told)), path)

    def boxes(self, count: int) -> np.ndarray[Any, Any]:
        """Whole canonical boxes; some are cut off at the first pixel."""
        low = self.rng.integers(0, [500, 360], (count, 2))
        low[self.rng.random((count, 2)) < 0.1] = 0
        return np.hstack([low, low + self.rng.integers(6, 110, (count, 2))]).astype(float)

    def names(self) -> dict[str, str]:
        if self.choose(True, *[False] * 7):
            # Names that say nothing: values alone tell.
            return {"image": "a", "boxes": self.choose("b", "data"), "label": "c"}
        return {
            "image": self.choose("image", "filename", "im", "img_name", "imageFilename"),
            "boxes": self.choose("boxes", "bbox", "bbs", "gt_boxes", "rects", "BBox", "b_box"),
            "label": self.choose("label", "class", "category", "labels", "cls"),
        }

    # --- layouts -------------------------------------------------------------------

    def records(self, images: Any, boxes: Any, labels: Any, names: dict[str, str]) -> dict[str, Any]:
        """A struct for each image, with n rows of boxes or n columns."""
        turned = self.choose(True, False, False)
        turned = turned and names["boxes"] not in ("b", "data") and all(len(part) not in range(4, 9) for part in boxes)
        self.told.append("turned" if turned else "")
        records, beside = [], self.beside(boxes)
        stored = self.or_odd([part.T.copy() if turned else part for part in boxes])
        for k, image in enumerate(images):
            record = {names["image"]: image, names["boxes"]: stored[k]}
            if labels is not None:
                record[names["label"]] = column(labels[k])
            records.append(record | {"size": np.array([[480.0, 640.0, 3.0]])} | beside[k])
        return {"annotations": structs(records, lying=self.choose(True, False))}

    def box_records(self, images: Any, boxes: Any, labels: Any, names: dict[str, str]) -> dict[str, Any]:
        """A struct for each box, with four fields or a row."""
        records = []
        for k, image in enumerate(images):
            for j, box in enumerate(boxes[k]):
                record: dict[str, Any] = {names["image"]: image, names["boxes"]: box.reshape(1, 4)}
                if labels is not None:
                    record[names["label"]] = labels[k][j]
                records.append(record)
        return {"db": structs(records)}

    def parallel(self, images: Any, boxes: Any, labels: Any, names: dict[str, str]) -> dict[str, Any]:
        """Cells side by side, as variables or as fields of a struct."""
        found = {names["image"]: cell(images), names["boxes"]: cell(self.or_odd(boxes), lying=self.choose(True, False))}
        if labels is not None:
            found[names["label"]] = cell([column(part) for part in labels])
        return found if self.choose(True, False) else {"data": struct(**found)}

    def flat(self, images: Any, boxes: Any, labels: Any, names: dict[str, str]) -> dict[str, Any]:
        """A row for each box, with the name of its image beside it."""
        found = {
            names["image"]: cell([image for image, part in zip(images, boxes, strict=True) for _ in part]),
            names["boxes"]: np.concatenate(boxes),
        }
        if labels is not None:
            found[names["label"]] = column([label for part in labels for label in part])
        return found if self.choose(True, False) else {"s": struct(train=struct(**found))}

    def nested(self, images: Any, boxes: Any, labels: Any, names: dict[str, str]) -> dict[str, Any]:
        """A struct for each image, with a struct for each of its objects."""
        records = []
        for k, image in enumerate(images):
            objects = []
            for j, (a, b, c, d) in enumerate(boxes[k].tolist()):
                record: dict[str, Any] = {names["boxes"]: np.array([[a, b, c, d]])}
                if labels is not None:
                    record[names["label"]] = labels[k][j]
                objects.append(record)
            records.append({names["image"]: image, "object": structs(objects) if objects else np.zeros((0, 0))})
        return {"rec": structs(records)}

    def wide(self, images: Any, boxes: Any, labels: Any, names: dict[str, str]) -> dict[str, Any]:
        """Rows of class, box and score, or of box, score and class."""
        self.told.append("class in the row")
        first = self.choose(True, False)
        records = []
        for k, image in enumerate(images):
            count = len(boxes[k])
            numbers = self.rng.integers(1, 4, (count, 1))
            score = self.rng.random((count, 1))
            parts = (numbers, boxes[k], score) if first else (boxes[k], score, numbers)
            records.append({names["image"]: image, names["boxes"]: np.hstack(parts)})
        return {"detections": structs(records)}

    def deep_cells(self, images: Any, boxes: Any, labels: Any, names: dict[str, str]) -> dict[str, Any]:
        """Cells of events, each with a cell of images, as WIDER FACE has them, with lists of attributes beside."""
        half = max(1, len(images) // 2)
        parts = [slice(0, half), slice(half, None)] if len(images) > 1 else [slice(0, None)]
        stored = self.or_odd(boxes)
        found = {
            "file_list": cell([cell(images[part]) for part in parts]),
            names["boxes"]: cell([cell(stored[part]) for part in parts]),
        }
        for name in ("blur_list", "pose_list", "occlusion_list"):
            attributes = [self.rng.integers(0, 3, (len(part), 1)).astype(float) for part in boxes]
            found[name] = cell([cell(attributes[part]) for part in parts])
        if labels is not None:
            found[names["label"]] = cell([cell([column(part) for part in labels[some]]) for some in parts])
        return found

    # --- decoys --------------------------------------------------------------------

    def beside(self, boxes: Any) -> list[dict[str, Any]]:
        """Of each image what has nothing to do with its boxes, or says more of each of them."""
        rng, found = self.rng, list[dict[str, Any]]()
        chosen = [name for name in ("split", "quaternion", "scores", "landmarks", "camera") if rng.random() < 0.3]
        for part in boxes:
            every = {
                "split": "train" if rng.random() < 0.7 else "val",
                "quaternion": rng.normal(size=(1, 4)),
                "scores": rng.random((len(part), 1)),
                "landmarks": rng.random((5, 2)) * 400,
                "camera": "left" if rng.random() < 0.5 else "right",
            }
            found.append({name: every[name] for name in chosen})
        self.told += chosen
        return found

    def decoys(self, count: int) -> dict[str, Any]:
        rng = self.rng
        every: dict[str, Any] = {
            "type": "train",
            "colormap": rng.random((20, 4)),
            "timestamps": np.sort(rng.random((count, 1)) * 1000, axis=0),
            "window": struct(x=10.0, y=20.0, w=800.0, h=600.0),
            "ps": struct(name="mapminmax", xmin=-3.0, xmax=5.0, ymin=-1.0, ymax=1.0, gain=0.25, xrange=8.0),
            "sizes": rng.integers(100, 999, (count, 2)).astype(float),
            "Position": np.array([[100.0, 100.0, 560.0, 420.0]]),
            "version": "1.0",
        }
        return {name: value for name, value in every.items() if rng.random() < 0.4}
