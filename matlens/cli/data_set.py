"""What ``matlens boxes`` does with the boxes of all files: mends, lists, prints and writes them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matlens.annotations import check, clip, drop_invalid
from matlens.cli.deliver import deliver
from matlens.cli.output import DATA_FAULT, FINE, message
from matlens.export.image_names import by_template, portable_names
from matlens.export.images import BoxesByImage, by_frame, files_in, group_by_image, sizes_of
from matlens.export.splits import split_by_field, split_by_share
from matlens.names import safe_file_name

if TYPE_CHECKING:
    import pyarrow as pa

    from matlens.export.format import BoxesFormat, Format

PREVIEW = 10


class DataSet:
    """Boxes in the canonical form, a row for each of their images, where they come from, and what is asked for."""

    def __init__(self, table: pa.Table, images: pa.Table, source: str, options: dict[str, Any]) -> None:
        self._table, self._images, self._source, self._options = table, by_frame(images), source, options

    @cached_property
    def _sizes(self) -> dict[str, tuple[float, float]]:
        """Sizes of the images; says where they come from."""
        options = self._options
        sizes, origin = sizes_of(
            self._images,
            size_field=options["size_field"],
            width_first=options["size_wh"],
            folder=options["images"],
            constant=options["image_size"],
        )
        if origin:
            count = len(set(self._images["image"].to_pylist()))
            message(f"sizes of {len(sizes):,} of {count:,} images: {origin}")
        return sizes

    @cached_property
    def _mended(self) -> pa.Table:
        """The boxes, cut off and without invalid ones as far as that is asked for."""
        named = by_frame(self._table)
        if self._options["is_clip"]:
            named = clip(named, self._sizes)
        if self._options["drop_invalid"]:
            kept = drop_invalid(named, self._sizes)
            message(f"{len(named) - len(kept):,} invalid boxes are left out")
            named = kept
        # Frames stay apart from names, where nothing else is asked for.
        place = named.schema.get_field_index("image")
        same = len(named) == len(self._table)
        return named.set_column(place, "image", self._table["image"]) if same else named

    def check(self, output: str | None, *, as_json: bool) -> int:
        """List what is wrong with the boxes; the exit code."""
        found = check(by_frame(self._mended), self._sizes)
        deliver(found, "problem", output=output, as_json=as_json, rows=0, force=self._options["force"])
        message(f"{found.num_rows:,} problems of {self._mended.num_rows:,} boxes")
        return DATA_FAULT if found.num_rows else FINE

    def deliver(self, output: str | None, chosen: Format | None, *, as_json: bool) -> None:
        """Write the boxes as a table, or print the first of them."""
        force = self._options["force"]
        deliver(
            self._mended, "box", output=output, as_json=as_json, rows=PREVIEW, widths=30, chosen=chosen, force=force
        )

    def write(self, output: str, chosen: BoxesFormat) -> None:
        """Write a data set for detectors, in parts if that is asked for."""
        found = self._by_image()
        if found.dropped:
            message(f"loss: {found.dropped:,} boxes without an image name or with NaN are left out")
        beyond = found.outside()
        if beyond:
            message(f"{beyond:,} boxes reach beyond the edges of their image")
        for target, part in _targets(found, output, chosen):
            chosen.write_boxes(part, target, force=self._options["force"], source=self._source)
            told = f"{len(part.boxes):,} boxes in {len(part.images):,} images, {len(part.classes):,} classes"
            message(f"{target}: {told}")

    def _by_image(self) -> BoxesByImage:
        """The boxes by image, with names that mean the same everywhere."""
        options = self._options
        found = group_by_image(self._mended, self._sizes, self._images["image"].to_pylist())
        if options["split_by"]:
            found.parts = split_by_field(by_frame(self._mended), options["split_by"])
        elif options["split"] is not None:
            found.parts = split_by_share(found.images, options["split"], options["seed"])
        if options["copy_images"] and options["images"]:
            found.files = files_in(Path(options["images"]), found.images)
        template, names = options["image_name"], portable_names(found.images)
        return found.named({old: by_template(new, template) if template else new for old, new in names.items()})


def _targets(found: BoxesByImage, output: str, chosen: BoxesFormat) -> list[tuple[str, BoxesByImage]]:
    """Where each part of a data set goes: folders have room for all, of files each part has one."""
    parts = sorted(set(found.parts.values()))
    if chosen.is_folder or not parts:
        return [(output, found)]
    path = Path(output)
    return [(str(path.with_stem(f"{path.stem}_{safe_file_name(part)}")), found.part(part)) for part in parts]
