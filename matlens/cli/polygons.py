"""``matlens polygons``: outlines of objects and regions, as one table or as a data set to train with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from matlens.cli.data_set_options import chosen_format, data_set_options, field_options
from matlens.cli.output import Outcome, counted, expand, message, open_input
from matlens.errors import MatlensError, NoAnnotationsFound
from matlens.export.registry import boxes_formats

if TYPE_CHECKING:
    import pyarrow as pa


@click.command("polygons")
@click.argument("files", nargs=-1, required=True)
@click.option("--path", help='Look for polygons only here, such as "annolist.contour".')
@click.option(
    "--origin", type=click.Choice(["1", "0"]), default="1", show_default=True, help="Number of the first pixel."
)
@field_options
@data_set_options(boxes_formats())
def command(
    files: tuple[str, ...],
    output: str | None,
    format_name: str | None,
    path: str | None,
    origin: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Find polygons in FILES and write them as one table; of masks their outlines.

    Columns: source, image, label, polygon (rings of points x and y, 0-based pixels), xmin,
    ymin, xmax, ymax (the box around it), then everything else that stands beside it. Without
    -o the first rows are printed.

    COCO takes *.json, or --format coco; YOLO, which trains on outlines, needs the sizes of
    images: from a field beside the polygons, from --images, or from --image-size.
    """
    from matlens.annotations.polygons import find_polygons, read_polygons
    from matlens.cli.data_set import deliver_shapes

    chosen = chosen_format(output, format_name, boxes_formats(), options)
    fields = {name: options.pop(name) for name in ("image_field", "label_field", "classes")}
    outcome = Outcome()
    tables: list[tuple[str, pa.Table]] = []
    for name in expand(files):
        with outcome.each(name), open_input(name) as file:
            problems: list[MatlensError] = []
            for source in find_polygons(file, path, problems=problems, **fields):
                message(f"{source.file}: {counted(len(source), 'polygon')} at {source.path}")
                message(f"  {source.confidence}: {'; '.join([source.layout, *source.reasons])}")
                message(f"  image: {source.image or 'not found'}; label: {source.label or 'not found'}")
            outcome.note(*(problems or file.problems))
            table = read_polygons(file, path, origin=int(origin), **fields)
            if "value" in table.column_names:
                message(f"{file.name}: {counted(len(table), 'polygon')}, the outlines of masks")
            tables.append((name, table))
    if tables:
        deliver_shapes(tables, "polygon", output, chosen, options, as_json=as_json)
    outcome.leave()
    if not tables:
        raise NoAnnotationsFound("no polygons")
