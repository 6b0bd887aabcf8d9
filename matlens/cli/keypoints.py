"""``matlens keypoints``: landmarks and joints of any annotation file, as one table or as COCO."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from matlens.cli.deliver import deliver
from matlens.cli.output import Outcome, expand, json_options, message, open_input
from matlens.errors import NoAnnotationsFound

if TYPE_CHECKING:
    import pyarrow as pa


@click.command("keypoints")
@click.argument("files", nargs=-1, required=True)
@click.option("-o", "--output", help="File to write: *.parquet, *.csv, …; *.json for COCO.")
@click.option("--path", help='Look for keypoints only here, such as "annolist.points".')
@click.option(
    "--origin", type=click.Choice(["1", "0"]), default="1", show_default=True, help="Number of the first pixel."
)
@click.option("--force", is_flag=True, help="Overwrite an existing output.")
@json_options
def command(
    files: tuple[str, ...], output: str | None, path: str | None, origin: str, force: bool, as_json: bool
) -> None:
    """Find keypoints in FILES and write them as one table.

    Columns: source, image, label, keypoints (x, y and visible of each point; 0-based pixels,
    0 not labelled, 1 hidden, 2 seen), then everything else that stands beside them.
    """
    from matlens.annotations.joining import of_files
    from matlens.annotations.keypoints import find_keypoints, read_keypoints
    from matlens.export.writers.coco import write_keypoints

    outcome, names = Outcome(), list[str]()
    tables: list[tuple[str, pa.Table]] = []
    for name in expand(files):
        with outcome.each(name), open_input(name) as file:
            for source in find_keypoints(file, path):
                message(f"{source.file}: {len(source):,} sets of {len(source.names):,} keypoints at {source.path}")
                message(f"  {source.confidence}: {'; '.join([source.layout, *source.reasons])}")
                message(f"  image: {source.image or 'not found'}; label: {source.label or 'not found'}")
                names = source.names
            tables.append((name, read_keypoints(file, path, origin=int(origin))))
    if tables:
        joined = tables[0][1] if len(tables) == 1 else of_files(tables)
        if output and Path(output).suffix == ".json":
            write_keypoints(joined, output, names, force=force)
            message(f"{output}: {joined.num_rows:,} sets of keypoints")
        else:
            deliver(joined, "set", output=output, as_json=as_json, rows=10, force=force)
    outcome.leave()
    if not tables:
        raise NoAnnotationsFound("no keypoints")
