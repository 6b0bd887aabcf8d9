"""``matlens boxes``: bounding boxes of any annotation file, as one canonical Parquet table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from matlens.cli.data_set_options import chosen_format, data_set_options, field_options
from matlens.cli.output import SHOWN_ALIKE, Outcome, counted, expand, message, open_input, without_numbers
from matlens.errors import MatlensError, NoBoxesFound
from matlens.export.registry import boxes_formats

if TYPE_CHECKING:
    import pyarrow as pa

    from matlens.annotations import BoxSource
    from matlens.tree.file import MatFile

_CONVENTIONS = ("xyxy", "xyxy1", "xywh", "xywh1", "matlab", "xxyy", "yyxx", "cxcywh", "yolo", "rowcol")


@click.command("boxes")
@click.argument("files", nargs=-1, required=True)
@click.option("--path", help='Look for boxes only here, such as "annotations.bbox".')
@click.option("--columns", help="Which numbers of rows at --path are the box, counted from 1, such as 2:5.")
@click.option("--convention", type=click.Choice(_CONVENTIONS), help="How the four numbers are meant.")
@field_options
@click.option(
    "--check", "is_check", is_flag=True, help="List what is wrong with boxes instead; exit code 1 if anything."
)
@click.option("--clip", "is_clip", is_flag=True, help="Cut boxes off at the edges of their image.")
@click.option("--drop-invalid", is_flag=True, help="Leave out boxes without area, outside of their image or with NaN.")
@data_set_options(boxes_formats())
def command(files: tuple[str, ...], output: str | None, format_name: str | None, as_json: bool, **options: Any) -> None:
    """Find bounding boxes in FILES and write them as one table.

    Columns: source, image, label, xmin, ymin, xmax, ymax (0-based, half-open pixel edges),
    then everything else that stands beside a box. What speaks for the convention goes to
    stderr. Without -o the first rows are printed.

    COCO takes *.json, or --format coco; YOLO and VOC write a file for each image into a
    folder, FiftyOne one for all, Hugging Face one for each part, with the images of --images.
    The sizes of images, which YOLO, VOC and FiftyOne need, come from a field beside the
    boxes, from the headers of the images in --images, or from --image-size.
    """
    from matlens.annotations import concat
    from matlens.cli.data_set import DataSet

    chosen = chosen_format(output, format_name, boxes_formats(), options)
    outcome = Outcome()
    tables: list[tuple[str, pa.Table]] = []
    open_ones: list[tuple[BoxSource, pa.Table]] = []
    image_rows: list[pa.Table] = []
    names = expand(files)
    for name in names:
        with outcome.each(name), open_input(name) as file:
            table, images_of_file, unsettled = _read(file, outcome, options)
            tables.append((name, table))
            open_ones += unsettled
            image_rows += images_of_file
    if tables:
        joined = _joined(tables, many=len(names) > 1)
        read_from = ", ".join(Path(name).name for name, _ in tables)
        data_set = DataSet(joined, concat(image_rows), read_from, options)
        if options["is_check"]:
            outcome.code = max(outcome.code, data_set.check(output, open_ones, as_json=as_json))
        else:
            data_set.finish(output, chosen, as_json=as_json)
    outcome.leave()
    if not tables:
        raise NoBoxesFound("no bounding boxes")


def _read(
    file: MatFile, outcome: Outcome, options: dict[str, Any]
) -> tuple[pa.Table, list[pa.Table], list[tuple[BoxSource, pa.Table]]]:
    """The boxes of a file, its images, and what is checked without a convention; tells what was found and why."""
    from matlens.annotations import find, merge
    from matlens.annotations.joining import certain_ones, undecided

    problems: list[MatlensError] = []
    near: list[str] = []
    path, convention = options["path"], options["convention"]
    wanted = {name: options[name] for name in ("path", "columns", "image_field", "label_field", "classes")}
    sources = find(file, problems=problems, near=near, **wanted)
    if not sources and file.problems:
        raise file.problems[0]
    alike: dict[Any, list[BoxSource]] = {}
    for source in sources:
        alike.setdefault(_kind(source), []).append(source)
    for some in alike.values():
        for source in some[:SHOWN_ALIKE]:
            _explain(source, convention)
        if rest := some[SHOWN_ALIKE:]:
            boxes = counted(sum(map(len, rest)), "box")
            message(f"{file.name}: {len(rest):,} more places like these, with {boxes}")
    certain = certain_ones(sources, path)
    images = [source.image_rows() for source in certain]
    if options["is_check"] and convention is None and any(each.convention is None for each in certain):
        outcome.note(*problems, *file.problems)
        table, unsettled = _without_convention(file.name, certain, options["image_size"])
        return table, images, unsettled
    outcome.note(*problems, *file.problems, *undecided(file.name, sources, path, convention))
    return merge(file.name, sources, path, convention, options["image_size"], near), images, []


def _without_convention(
    file: str, sources: list[BoxSource], image_size: Any
) -> tuple[pa.Table, list[tuple[BoxSource, pa.Table]]]:
    """The boxes whose convention is decided, and the sources to check under every convention; says so."""
    from matlens.annotations import merge
    from matlens.annotations.undecided_checks import fitting_layouts

    unsettled: list[tuple[BoxSource, pa.Table]] = []
    for source in sources:
        if source.convention is None:
            fits = "yolo --image-size W H" if source.evidence.is_relative else " or ".join(fitting_layouts(source))
            count = counted(len(source), "box")
            message(
                f"{file}: {count} at {source.path}: what is wrong under every convention is listed; "
                f"--path {source.variable} --convention {fits} checks the rest"
            )
            unsettled.append((source, source.to_arrow("xyxy")))
    decided = [source for source in sources if source.convention is not None]
    return merge(file, decided, "", None, image_size) if decided else unsettled[0][1].slice(0, 0), unsettled


def _kind(source: BoxSource) -> Any:
    """What is told alike of places."""
    reasons = [without_numbers(reason) for reason in source.reasons]
    return source.fields, source.image, source.label, source.convention, source.confidence, *reasons


def _explain(source: BoxSource, convention: str | None) -> None:
    """What was found, and why it is taken for what."""
    evidence = source.evidence
    used = convention or source.convention or "undecided"
    message(f"{source.file}: {counted(len(source), 'box')} at {source.path} in {', '.join(source.fields)}: {used}")
    message(f"  {source.confidence}: {'; '.join(source.reasons)}")
    for reason in evidence.reasons:
        message(f"  {reason}")
    counts = ", ".join(f"{name} {count:,}" for name, count in evidence.violations.items())
    message(f"  rows that contradict: {counts} (of {evidence.rows:,})")
    certain = "" if source.is_label_sure else ", likely"
    label = (
        f"{source.label}{certain}"
        if source.label
        else ("not certain, " + " or ".join(source.labels[:5]) if source.labels else "not found")
    )
    message(f"  image: {source.image or 'not found'}; label: {label}")
    if source.classes is not None:
        message(f"  names of classes: {source.classes.origin}")
    if source.left_out:
        message(f"  not beside the boxes: {', '.join(source.left_out[:8])}")
    if source.also:
        more = f" and {len(source.also) - 8:,} more places" if len(source.also) > 8 else ""
        message(f"  the same boxes stand at {', '.join(source.also[:8])}{more}")


def _joined(tables: list[tuple[str, pa.Table]], *, many: bool) -> pa.Table:
    from matlens.annotations.joining import of_files

    return of_files(tables) if many else tables[0][1]
