"""What ``matlens boxes`` does with the boxes of all files: mends, lists, prints and writes them."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from matlens.annotations import check, clip, concat, drop_invalid
from matlens.annotations.joining import of_files
from matlens.annotations.undecided_checks import check_undecided
from matlens.cli.deliver import deliver
from matlens.cli.output import DATA_FAULT, FINE, counted, message
from matlens.export.drawing import draw
from matlens.export.format import BoxesFormat
from matlens.export.images import by_frame, files_in, group_by_image, sizes_of
from matlens.operations.boxes import write

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from matlens.annotations import BoxSource
    from matlens.export.format import Format

PREVIEW = 10
STORED = "\0image"
"""Name of a column that no file has."""


class DataSet:
    """Boxes in the canonical form, a row for each of their images, where they come from, and what is asked for.

    A row is a `noun`: a box, or a polygon or mask with the box around it.
    """

    def __init__(
        self, table: pa.Table, images: pa.Table, source: str, options: dict[str, Any], noun: str = "box"
    ) -> None:
        self._table, self._images, self._source, self._options = table, by_frame(images), source, options
        self._noun = noun

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
        # Sizes are those of frames; the names of their videos come back behind.
        table = by_frame(self._table).append_column(STORED, self._table["image"])
        if self._options.get("is_clip"):
            unknown = len(set(self._images["image"].to_pylist()) - self._sizes.keys() - {None})
            if unknown or not self._sizes:
                images = f"{unknown:,} images" if unknown else "the images"
                message(f"the size of {images} is not known: --clip cuts there at the left and upper edge alone")
            table = clip(table, self._sizes)
        if self._options.get("drop_invalid"):
            kept = drop_invalid(table, self._sizes)
            message(f"{len(table) - len(kept):,} invalid boxes are left out")
            table = kept
        place = table.schema.get_field_index("image")
        return table.set_column(place, "image", table[STORED]).drop_columns([STORED])

    def check(self, output: str | None, undecided: Sequence[tuple[BoxSource, pa.Table]] = (), *, as_json: bool) -> int:
        """List what is wrong with the boxes, and with those whose convention is undecided; the exit code."""
        found, count = check(by_frame(self._mended), self._sizes), self._mended.num_rows
        for source, table in undecided:
            more = check_undecided(source, by_frame(table), self._sizes)
            found = concat([found, more.set_column(0, "row", pc.add(more["row"], count))])
            count += table.num_rows
        deliver(found, "problem", output=output, as_json=as_json, rows=0, force=self._options["force"])
        message(f"{found.num_rows:,} problems of {count:,} boxes")
        return DATA_FAULT if found.num_rows else FINE

    def deliver(self, output: str | None, chosen: Format | None, *, as_json: bool) -> None:
        """Write the boxes as a table, or print the first of them."""
        force = self._options["force"]
        deliver(
            self._mended,
            self._noun,
            output=output,
            as_json=as_json,
            rows=PREVIEW,
            widths=30,
            chosen=chosen,
            force=force,
        )

    def draw(self, folder: str) -> None:
        """Draw everything on copies of the images, and say which were not found."""
        found = group_by_image(by_frame(self._mended), images=self._images["image"].to_pylist())
        found.files = files_in(Path(self._options["images"]), found.images)
        drawn, missing = draw(found, folder, force=self._options["force"])
        count = sum(len(found.rows_of(i)) for i in drawn)
        message(f"{folder}: {counted(count, self._noun)} drawn in {counted(len(drawn), 'image')}")
        if missing:
            message(f"{counted(len(missing), 'image')} not found in {self._options['images']}, such as {missing[0]}")

    def finish(self, output: str | None, chosen: Format | None, *, as_json: bool) -> None:
        """Draw, and write or print, as far as that is asked for."""
        if self._options["draw"]:
            self.draw(self._options["draw"])
        if output and isinstance(chosen, BoxesFormat):
            self.write(output, chosen)
        elif output or as_json or not self._options["draw"]:
            self.deliver(output, chosen, as_json=as_json)

    def write(self, output: str, chosen: BoxesFormat) -> None:
        """Write a data set for detectors, in parts if that is asked for."""
        options = self._options
        written = write(
            self._mended,
            output,
            format=chosen.name,
            images=self._images,
            sizes=self._sizes,
            folder=options["images"],
            place_images=options["place_images"] or "link",
            split=options["split"],
            split_by=options["split_by"],
            seed=options["seed"],
            image_name=options["image_name"],
            force=options["force"],
            source=self._source,
        )
        for target, found in written.items():
            if found.dropped:
                told = counted(found.dropped, self._noun)
                message(f"loss: {told} without an image name or with NaN are left out")
            beyond = found.outside()
            if beyond:
                message(f"{counted(beyond, self._noun)} reach beyond the edges of their image")
            holes = found.shapes.count_holes()
            if holes and not chosen.holds_holes:
                message(f"loss: {counted(holes, self._noun)} with holes are written without them")
            if found.shapes and not chosen.holds_shapes:
                message(f"loss: {chosen.text} has boxes alone: those around the shapes are written")
            left_out = chosen.left_out(found)
            if left_out:
                message(f"loss: {counted(left_out, self._noun)} without area in their image are left out")
            nulls = chosen.nulls(found)
            if nulls:
                columns = ", ".join(f"{number:,} of {name}" for name, number in nulls.items())
                message(f"loss: JSON has no NaN and no infinity, such numbers are left out or null: {columns}")
            count = counted(len(found.boxes) - left_out, self._noun)
            message(
                f"{target}: {count} in {counted(len(found.images), 'image')}, {counted(len(found.classes), 'class')}"
            )


def deliver_shapes(
    tables: list[tuple[str, pa.Table]],
    noun: str,
    output: str | None,
    chosen: Format | None,
    options: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    """Write or print the keypoints, polygons or masks of all files; images without a name have that of their file."""
    if options["draw"] or (output and isinstance(chosen, BoxesFormat)):
        tables = [(name, _named(table, name)) for name, table in tables]
    joined = tables[0][1] if len(tables) == 1 else of_files(tables)
    data_set = DataSet(joined, joined, ", ".join(Path(name).name for name, _ in tables), options, noun)
    data_set.finish(output, chosen, as_json=as_json)


def _named(table: pa.Table, file: str) -> pa.Table:
    """A table whose images all have names."""
    missing = table["image"].null_count
    if not missing:
        return table
    stem = Path(file).stem
    message(f"{counted(missing, 'row')} of {file} without an image name: the image is named {stem}")
    named = table["image"].fill_null(stem)
    return table.set_column(table.schema.get_field_index("image"), "image", named)
