"""``matlens keypoints``: landmarks and joints of any annotation file, as one table or as a data set to train with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from matlens.cli.data_set_options import chosen_format, data_set_options, field_options
from matlens.cli.output import Outcome, counted, expand, message, open_input
from matlens.errors import NoAnnotationsFound
from matlens.export.registry import boxes_formats

if TYPE_CHECKING:
    import pyarrow as pa


@click.command("keypoints")
@click.argument("files", nargs=-1, required=True)
@click.option("--path", help='Look for keypoints only here, such as "annolist.points".')
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
    """Find keypoints in FILES and write them as one table.

    Columns: source, image, label, keypoints (x, y and visible of each point; 0-based pixels,
    0 not labelled, 1 hidden, 2 seen), xmin, ymin, xmax, ymax (the box beside the points, or
    the one around them), then everything else that stands beside them.

    COCO takes *.json, or --format coco; YOLO writes poses. Both need the sizes of images.
    """
    from matlens.annotations.keypoints import find_keypoints, read_keypoints
    from matlens.cli.data_set import deliver_shapes

    chosen = chosen_format(output, format_name, boxes_formats(), options)
    fields = {name: options.pop(name) for name in ("image_field", "label_field", "classes")}
    outcome = Outcome()
    tables: list[tuple[str, pa.Table]] = []
    for name in expand(files):
        with outcome.each(name), open_input(name) as file:
            for source in find_keypoints(file, path, **fields):
                sets, points = counted(len(source), "set"), counted(len(source.names), "keypoint")
                message(f"{source.file}: {sets} of {points} at {source.path}")
                message(f"  {source.confidence}: {'; '.join([source.layout, *source.reasons])}")
                message(f"  image: {source.image or 'not found'}; label: {source.label or 'not found'}")
                box = "around the points" if source.box is None else ", ".join(source.box.fields)
                message(f"  boxes: {box}")
            tables.append((name, read_keypoints(file, path, origin=int(origin), **fields)))
    if tables:
        deliver_shapes(tables, "set", output, chosen, options, as_json=as_json)
    outcome.leave()
    if not tables:
        raise NoAnnotationsFound("no keypoints")
