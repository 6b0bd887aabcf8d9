"""Pascal VOC: an XML file for each image, and lists of images.

Corners are 1-based and inclusive, after the development kit of *The PASCAL Visual Object
Classes Challenge 2012*, which is written in MATLAB: the first pixel is 1, the last is xmax.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from matlens.escape import safe_text
from matlens.export.atomic import atomic_folder
from matlens.export.format import BoxesFormat, refuse_missing_sizes
from matlens.names import safe_file_name

if TYPE_CHECKING:
    from matlens.export.images import BoxesByImage


class _Voc(BoxesFormat):
    """``Annotations/*.xml``, and lists of the images of each part in ``ImageSets/Main``."""

    def write_boxes(self, found: BoxesByImage, target: str | Path, *, force: bool = False, source: str = "") -> None:
        refuse_missing_sizes(found, "Pascal VOC")
        with atomic_folder(target, force=force, made=("Annotations/**/*.xml", "ImageSets/**/*.txt")) as opened:
            parts: dict[str, list[str]] = {"trainval": []}
            for i, stem in enumerate(found.stems()):
                parts["trainval"].append(stem)
                if part := found.parts.get(found.images[i]):
                    parts.setdefault(part, []).append(stem)
                with opened(f"Annotations/{stem}.xml") as file:
                    tree = ET.ElementTree(_annotation(i, found))
                    ET.indent(tree)
                    tree.write(file, encoding="utf-8", xml_declaration=True)
            for part, stems in parts.items():
                with opened(f"ImageSets/Main/{safe_file_name(part)}.txt") as file:
                    file.write("".join(f"{stem}\n" for stem in stems).encode())


def _annotation(i: int, found: BoxesByImage) -> ET.Element:
    name = found.images[i]
    root = ET.Element("annotation")
    _add(root, "folder", name.rpartition("/")[0])
    _add(root, "filename", name.rpartition("/")[2])
    _add(_add(root, "source"), "database", "matlens")
    size = _add(root, "size")
    for tag, number in zip(("width", "height"), found.sizes[name], strict=True):
        _add(size, tag, _number(number))
    _add(size, "depth", "3")
    _add(root, "segmented", "0")
    for k in found.rows_of(i):
        item = _add(root, "object")
        _add(item, "name", found.classes[int(found.class_of[k])])
        for tag, text in (("pose", "Unspecified"), ("truncated", "0"), ("difficult", "0")):
            _add(item, tag, text)
        box = _add(item, "bndbox")
        xmin, ymin, xmax, ymax = found.boxes[k].tolist()
        for tag, number in (("xmin", xmin + 1), ("ymin", ymin + 1), ("xmax", xmax), ("ymax", ymax)):
            _add(box, tag, _number(number))
    return root


def _add(parent: ET.Element, tag: str, text: str = "") -> ET.Element:
    element = ET.SubElement(parent, tag)
    element.text = safe_text(text)
    return element


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


FORMATS = (_Voc("voc", (), "Pascal VOC", "boxes"),)
