"""``matlens regions``: where an image is above a threshold, or what the regions of a mask measure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from matlens.cli.deliver import deliver
from matlens.cli.output import counted, json_options, message, open_input

if TYPE_CHECKING:
    from matlens.helpers import Regions
    from matlens.tree.file import MatFile

_COMPARISONS = (">", ">=", "<", "<=")
_ELLIPSE = ("eccentricity", "axis_major_length", "axis_minor_length")
_SHOWN = 20


@click.command("regions")
@click.argument("file")
@click.argument("path")
@click.option("--threshold", type=float, help="Pixels above it make up regions. Without it PATH is a mask or labels.")
@click.option("--comparison", type=click.Choice(_COMPARISONS), default=">", show_default=True, help="Instead of above.")
@click.option("--intensity", metavar="PATH", help="Image to be measured in the regions of a mask or of labels.")
@click.option("--connectivity", type=int, default=1, show_default=True, help="1: 4 neighbours, 2: 8, in an image.")
@click.option("--min-area", type=click.IntRange(1), default=1, help="Leave out regions of fewer pixels.")
@click.option("--axes", is_flag=True, help="Also eccentricity and the axes of the ellipse.")
@click.option("-o", "--output", help="File to write: *.parquet, *.csv and the other formats of convert.")
@click.option("--force", is_flag=True, help="Overwrite an existing output.")
@json_options
def command(
    file: str,
    path: str,
    threshold: float | None,
    comparison: str,
    intensity: str | None,
    connectivity: int,
    min_area: int,
    axes: bool,
    output: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure the connected regions of the image, mask or labels at PATH of FILE.

    Columns: label, area, bbox_area, min_row, min_col, max_row, max_col (0-based, half-open),
    x, y, width, height, centroid, extent, and the mean, smallest and largest value. One
    plane of many is "images(:,:,3)". Without -o the first regions are printed.
    """
    from matlens.export.atomic import refuse_existing

    if intensity is not None and threshold is not None:
        raise click.UsageError("--intensity goes with a mask or labels; above a threshold the image itself is measured")
    if output:
        refuse_existing(output, force=force)
    with open_input(file) as opened:
        options = {"comparison": comparison, "connectivity": connectivity}
        regions = _find(opened, path, threshold, intensity, min_area, **options)
    table = regions.to_arrow([*regions.measures(), *(_ELLIPSE if axes else ())])
    message(f"{path}: {counted(len(regions), 'region')} in {'x'.join(map(str, regions.shape))}")
    deliver(table, "region", output=output, as_json=as_json, rows=_SHOWN, force=force)


def _find(
    file: MatFile, path: str, threshold: float | None, intensity: str | None, min_area: int, **options: Any
) -> Regions:
    from matlens.errors import error_context
    from matlens.helpers import find_regions, regionprops

    value = _image(file, path)
    with error_context(file=file.name, variable=path):
        if threshold is not None:
            return find_regions(value, threshold, min_area=min_area, **options)
        options.pop("comparison")
        image = None if intensity is None else _image(file, intensity)
        regions = regionprops(value, intensity=image, **options)
        return regions.take(regions.area >= min_area)


def _image(file: MatFile, path: str) -> Any:
    from matlens.errors import TypeMismatch
    from matlens.tree.nodes import NumericNode

    node = file.at(path)
    if not isinstance(node, NumericNode):
        raise TypeMismatch(f"{node.summary()} is no image, mask or labels", file=file.name, variable=node.path)
    return node.value
