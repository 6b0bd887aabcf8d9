"""Hugging Face: a folder for each part of a data set, with its images and a line of ``metadata.jsonl`` for each.

Boxes are ``[x, y, width, height]`` from 0, classes count from 0, after the ImageFolder of the library *datasets*
(huggingface.co/docs/datasets/image_dataset), which tells parts by the names of folders: images have none inside.
"""

from __future__ import annotations

import io
import json
import re
from glob import escape
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from matlens.errors import UnfitFormat
from matlens.escape import safe_text
from matlens.export.atomic import atomic_folder
from matlens.export.format import BoxesFormat, yaml_text
from matlens.names import safe_file_name, unique_names

if TYPE_CHECKING:
    import pyarrow as pa

    from matlens.export.images import BoxesByImage

_SPLITS = {"": "train", "val": "validation"}
"""What *datasets* calls the parts that have other names here."""


class _HuggingFace(BoxesFormat):
    """``train/``, ``validation/`` …, and a dataset card that tells the names of the classes."""

    def write_boxes(self, found: BoxesByImage, target: str | Path, *, force: bool = False, source: str = "") -> None:
        missing = [name for name in found.images if name not in found.files]
        if missing:
            raise UnfitFormat(
                f"{self.text} keeps images beside their boxes, and {len(missing):,} of {len(found.images):,} have no "
                f"file, such as {missing[0]}: --images DIR says where they are, --place-images may be link or copy"
            )
        stems = unique_names((safe_file_name(stem.replace("/", "_")) for stem in found.stems()), fold=True)
        names = [stem + found.files[name].suffix for name, stem in zip(found.images, stems, strict=True)]
        parts = found.by_part()
        splits = dict(zip(_splits(list(parts)), parts.values(), strict=True))
        is_sized = all(name in found.sizes for name in found.images)
        rows = {split: [_row(i, names[i], found, is_sized) for i in images] for split, images in splits.items()}
        made, places = _earlier(Path(target))
        with atomic_folder(target, force=force, made=made, places=places) as opened:
            for split, images in splits.items():
                for i in images:
                    opened.put(f"{split}/{names[i]}", found.files[found.images[i]], link=found.link_files)
            suffix = _suffix(rows)
            for split, lines in rows.items():
                with opened(f"{split}/metadata{suffix}") as file:
                    _write_rows(lines, file, suffix)
            with opened("README.md") as file:
                file.write(_card(rows, found.classes, source).encode())


def _earlier(target: Path) -> tuple[list[str], list[str]]:
    """Patterns of what an earlier output has in its parts: the lines of each, and images beside them."""
    lines = [path for suffix in ("jsonl", "parquet") for path in target.glob(f"*/metadata.{suffix}")]
    parts = [escape(path.parent.name) for path in lines]
    return [f"{part}/metadata.*" for part in parts], [f"{part}/*" for part in parts]


def _splits(parts: list[str]) -> list[str]:
    """Names of the parts, of the letters, digits and underscores that *datasets* takes."""
    return unique_names((_SPLITS.get(part, re.sub(r"\W", "_", safe_file_name(part))) for part in parts), fold=True)


def _row(i: int, file_name: str, found: BoxesByImage, is_sized: bool) -> dict[str, Any]:
    """An image, its size if those of all are known, and its boxes."""
    places = found.rows_of(i)
    boxes = [found.boxes[k].tolist() for k in places]
    row: dict[str, Any] = {"file_name": file_name, "image_id": i + 1}
    if is_sized:
        row["width"], row["height"] = map(round, found.sizes[found.images[i]])
    row["objects"] = {
        "id": [k + 1 for k in places],
        "area": [(xmax - xmin) * (ymax - ymin) for xmin, ymin, xmax, ymax in boxes],
        "bbox": [[xmin, ymin, xmax - xmin, ymax - ymin] for xmin, ymin, xmax, ymax in boxes],
        "category": [int(found.class_of[k]) for k in places],
    }
    return row


def _suffix(rows: dict[str, list[dict[str, Any]]]) -> str:
    """JSON Lines; Parquet if a part has no boxes, for nothing in its lines would tell that boxes are numbers."""
    has_boxes = [any(row["objects"]["bbox"] for row in part) for part in rows.values()]
    return ".jsonl" if all(has_boxes) else ".parquet"


def _write_rows(rows: list[dict[str, Any]], file: IO[bytes], suffix: str) -> None:
    if suffix == ".jsonl":
        file.write("".join(f"{json.dumps(row)}\n" for row in rows).encode())
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, _schema(rows[0])), content)
    file.write(content.getvalue())


def _schema(row: dict[str, Any]) -> pa.Schema:
    import pyarrow as pa

    numbers, decimals = pa.list_(pa.int64()), pa.list_(pa.float64())
    objects = {"id": numbers, "area": decimals, "bbox": pa.list_(decimals), "category": numbers}
    types = {"file_name": pa.string(), "objects": pa.struct(list(objects.items()))}
    return pa.schema([(name, types.get(name, pa.int64())) for name in row])


def _card(rows: dict[str, list[dict[str, Any]]], classes: list[str], source: str) -> str:
    """Parts, types and names of classes for *datasets*, and what a reader should know."""
    sized = any("width" in row for part in rows.values() for row in part)
    columns = ["image_id", "width", "height"] if sized else ["image_id"]
    names = map(yaml_text, unique_names(map(safe_text, classes)))
    lines = ["---", "task_categories:", "- object-detection", "configs:", "- config_name: default", "  data_files:"]
    for split in rows:
        lines += [f"  - split: {yaml_text(split)}", f"    path: {yaml_text(f'{split}/*')}"]
    lines += ["  features:", "  - name: image", "    dtype: image"]
    for column in columns:
        lines += [f"  - name: {column}", "    dtype: int64"]
    lines += ["  - name: objects", "    struct:"]
    lines += ["    - name: id", "      list: int64", "    - name: area", "      list: float64"]
    lines += ["    - name: bbox", "      list:", "        list: float64", "    - name: category", "      list:"]
    lines += ["        dtype:", "          class_label:", "            names:"] if classes else ["        dtype: int64"]
    lines += [f"              '{k}': {name}" for k, name in enumerate(names)]
    lines += ["---", "", *_told(rows, source)]
    return "\n".join(lines) + "\n"


def _told(rows: dict[str, list[dict[str, Any]]], source: str) -> list[str]:
    counts = {split: sum(len(row["objects"]["id"]) for row in part) for split, part in rows.items()}
    origin = f"`{safe_text(source).replace('`', '')}`, converted by matlens." if source else "Converted by matlens."
    return [
        f"Bounding boxes: {origin} `datasets.load_dataset` takes the path of this folder.",
        "",
        *(f"- `{split}`: {len(part):,} images, {counts[split]:,} boxes" for split, part in rows.items()),
        "",
        "`bbox` is x, y, width and height in pixels from 0, `category` the number of a class, from 0 as listed above.",
    ]


FORMATS = (_HuggingFace("huggingface", (), "Hugging Face ImageFolder", "boxes", places_images=True, needs_images=True),)
