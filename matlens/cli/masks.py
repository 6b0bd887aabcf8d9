"""``matlens masks``: label matrices and logical images, as run lengths, label images or a data set to train with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from matlens.cli.data_set_options import chosen_format, data_set_options, field_options
from matlens.cli.output import Outcome, counted, expand, message, open_input
from matlens.errors import MatlensError, NoAnnotationsFound
from matlens.export.registry import masks_formats

if TYPE_CHECKING:
    import pyarrow as pa


@click.command("masks")
@click.argument("files", nargs=-1, required=True)
@click.option("--path", help='Look for masks only here, such as "GTinst.Segmentation".')
@field_options
@data_set_options(masks_formats())
def command(
    files: tuple[str, ...], output: str | None, format_name: str | None, path: str | None, as_json: bool, **options: Any
) -> None:
    """Find masks in FILES and write them as one table, a row for each region.

    Columns: source, image, label, mask (size and counts, the run lengths of COCO), value (of
    the pixels in a label matrix), area, xmin, ymin, xmax, ymax, then everything else that
    stands beside it. Without -o the first rows are printed. --label-field value takes the
    value for the class.

    PNG writes label images with a palette into a folder: --format png. COCO takes *.json, or
    --format coco; YOLO gets the outlines.
    """
    from matlens.annotations.masks import find_masks, read_masks
    from matlens.cli.data_set import deliver_shapes

    chosen = chosen_format(output, format_name, masks_formats(), options)
    fields = {name: options.pop(name) for name in ("image_field", "label_field", "classes")}
    outcome = Outcome()
    tables: list[tuple[str, pa.Table]] = []
    for name in expand(files):
        with outcome.each(name), open_input(name) as file:
            problems: list[MatlensError] = []
            for source in find_masks(file, path, problems=problems, **fields):
                message(f"{source.file}: {counted(len(source), 'image')} at {source.path}: {source.layout}")
                message(f"  {source.confidence}: {'; '.join(source.reasons)}")
                message(f"  image: {source.image or 'not found'}; label: {source.label or 'not found'}")
            outcome.note(*(problems or file.problems))
            tables.append((name, read_masks(file, path, **fields)))
    if tables:
        deliver_shapes(tables, "mask", output, chosen, options, as_json=as_json)
    outcome.leave()
    if not tables:
        raise NoAnnotationsFound("no masks")
