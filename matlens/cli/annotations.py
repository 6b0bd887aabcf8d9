"""``matlens annotations``: what a file holds of boxes, keypoints, polygons, masks and regions of labelers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from matlens.cli.deliver import deliver
from matlens.cli.output import Outcome, columns_text, expand, json_options, message, open_input, print_json
from matlens.errors import MatlensError, NoAnnotationsFound

if TYPE_CHECKING:
    import pyarrow as pa

    from matlens.tree.file import MatFile

_KINDS = ("lines", "points", "rotated_rectangles", "projected_cuboids", "cuboids", "scenes", "pixel_labels")
"""Kinds that no other command writes."""
_HEADS = ("file", "kind", "count", "path", "form", "confidence", "image", "label")


@click.command("annotations")
@click.argument("files", nargs=-1, required=True)
@click.option("--kind", type=click.Choice(_KINDS), help="Write the regions of this kind that MATLAB's labelers keep.")
@click.option("-o", "--output", help="File to write the regions of --kind to: *.parquet, *.csv, …")
@click.option("--force", is_flag=True, help="Overwrite an existing output.")
@json_options
def command(files: tuple[str, ...], kind: str | None, output: str | None, force: bool, as_json: bool) -> None:
    """List the annotations in FILES: of each kind, where they are and how certain.

    `matlens boxes`, `keypoints`, `polygons` and `masks` write them; the other kinds, such as
    the lines and scenes of MATLAB's labelers, this command writes: --kind lines -o FILE.
    """
    if output and kind is None:
        raise click.UsageError(f"-o writes the regions of one --kind: {', '.join(_KINDS)}")
    if kind is None:
        _list(files, as_json=as_json)
    else:
        _write(files, kind, output, force=force, as_json=as_json)


def _list(files: tuple[str, ...], *, as_json: bool) -> None:
    outcome, rows = Outcome(), list[dict[str, Any]]()
    for name in expand(files):
        with outcome.each(name), open_input(name) as file:
            near: list[str] = []
            problems: list[MatlensError] = []
            found = _found(file, near, problems)
            rows += found
            # Each kind is looked for by itself, and meets the same damage.
            outcome.note(*{str(problem): problem for problem in problems or file.problems}.values())
            for text in near if not found else ():
                message(f"{file.name}: came near: {text}")
    if as_json:
        print_json({"annotations": rows})
    elif rows:
        cells = [[f"{row[head]:,}" if head == "count" else str(row[head] or "") for head in _HEADS] for row in rows]
        for line in columns_text([list(_HEADS), *cells], widths=50):
            click.echo(line)
    else:
        message("no annotations")
    outcome.leave()


def _found(file: MatFile, near: list[str], problems: list[MatlensError]) -> list[dict[str, Any]]:
    """All annotations of a file, kind by kind."""
    from matlens.annotations import find
    from matlens.annotations.file_levels import shared_walks
    from matlens.annotations.keypoints import find_keypoints, uneven_points
    from matlens.annotations.masks import find_masks
    from matlens.annotations.polygons import find_polygons
    from matlens.annotations.region_sources import find_regions

    with shared_walks():
        boxes = find(file, near=near, problems=problems)
        rows = [_told("boxes", each, each.convention or "undecided") for each in boxes]
        rows += [_told("keypoints", each, each.layout) for each in find_keypoints(file, problems=problems)]
        rows += [_told("polygons", each, each.layout) for each in find_polygons(file, problems=problems)]
        rows += [_told("masks", each, each.layout) for each in find_masks(file, problems=problems)]
        rows += [_told(each.kind, each, each.layout) for each in find_regions(file, problems=problems)]
        near += uneven_points(file) if not rows else []
        return rows


def _told(kind: str, source: Any, form: str) -> dict[str, Any]:
    return {
        "file": source.file,
        "kind": kind,
        "count": len(source),
        "path": source.path,
        "form": form,
        "confidence": source.confidence,
        "image": source.image,
        "label": source.label,
        "reasons": source.reasons,
    }


def _write(files: tuple[str, ...], kind: str, output: str | None, *, force: bool, as_json: bool) -> None:
    """Write or print the regions of a kind in all files."""
    from matlens.annotations.joining import of_files
    from matlens.annotations.region_sources import read_regions

    outcome = Outcome()
    tables: list[tuple[str, pa.Table]] = []
    for name in expand(files):
        with outcome.each(name), open_input(name) as file:
            tables.append((name, read_regions(file, kind)))
    if tables:
        joined = tables[0][1] if len(tables) == 1 else of_files(tables)
        deliver(joined, "region", output=output, as_json=as_json, rows=10, force=force)
    outcome.leave()
    if not tables:
        raise NoAnnotationsFound(f"no {kind}")
