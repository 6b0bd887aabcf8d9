"""What the commands that write data sets have in common: their options, and the format that is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from matlens.cli.output import json_options
from matlens.export.format import BoxesFormat, Format
from matlens.export.registry import boxes_formats, find_format

Command = Callable[..., Any]
_MENDING = ("is_check", "is_clip", "drop_invalid")
"""Options that look at the sizes of images, whatever is written."""


def field_options(command: Command) -> Command:
    """Options that say where names of images, labels and classes are."""
    for option in (
        click.option(
            "--classes", help="Names of class numbers: meta.mat:class_names, *.txt, *.names, *.json; '' for none."
        ),
        click.option("--label-field", help="Field that holds the class."),
        click.option("--image-field", help="Field that holds the image name."),
    ):
        command = option(command)
    return command


def data_set_options(formats: Sequence[Format]) -> Callable[[Command], Command]:
    """Options of the output: its name and format, sizes, names and parts of images."""
    names = click.Choice([found.name for found in formats])
    places = click.Choice(["link", "copy", "none"])
    drawn = click.Path(file_okay=False)
    folder = click.Path(file_okay=False, exists=True)
    options = (
        click.option("-o", "--output", help="File to write: *.parquet, *.csv, *.json for COCO …; a folder for YOLO …"),
        click.option("--format", "format_name", type=names, help="Instead of the suffix's."),
        click.option("--image-size", type=(float, float), help="Width and height of all images."),
        click.option("--size-field", help='Field of [rows columns] of the image, or two as "width,height".'),
        click.option("--size-wh", is_flag=True, help="The size field holds width before height."),
        click.option("--images", type=folder, help="Folder of the images, for their sizes and files."),
        click.option("--place-images", type=places, help="Beside their labels: link to --images (the default)."),
        click.option("--draw", type=drawn, help="Folder for copies of --images with all drawn in."),
        click.option("--image-name", help="Name of each image file, such as {stem}_{frame:06d}.jpg."),
        click.option("--split", type=float, help="Share of the images that train, such as 0.9; the others validate."),
        click.option("--split-by", help="Field that says to which part of the data set an image belongs."),
        click.option("--seed", type=int, default=0, show_default=True, help="Which images --split picks."),
        click.option("--force", is_flag=True, help="Overwrite an existing output."),
        json_options,
    )

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def chosen_format(
    output: str | None, name: str | None, among: Sequence[Format], options: dict[str, Any]
) -> Format | None:
    """The format by its name or by the suffix of the output; refuses what cannot be written so.

    Raises
    ------
    click.UsageError
        If the output is a folder and no format says of what, or if a table should come in parts.
    """
    from matlens.export.atomic import refuse_existing

    if options["split"] is not None and options["split_by"]:
        raise click.UsageError("--split and --split-by both make parts: one of them")
    if output and name is None and (output.endswith("/") or Path(output).is_dir()):
        folders = " or ".join(f"--format {found.name}" for found in among if found.is_folder)
        raise click.UsageError(f"{output} is a folder: {folders} writes one")
    found = find_format(output, name, among) if output else None
    _refuse_idle(found, options)
    if output and found and not found.is_folder:
        refuse_existing(output, force=options["force"])
    return found


def _refuse_idle(found: Format | None, options: dict[str, Any]) -> None:
    """Refuse options that would make no difference to what is written."""
    is_data_set, mends = isinstance(found, BoxesFormat), [options.get(name) for name in _MENDING]
    able = ", ".join(each.name for each in boxes_formats() if isinstance(each, BoxesFormat))
    if (options["split"] is not None or options["split_by"]) and not is_data_set and not options.get("is_check"):
        raise click.UsageError(f"--split and --split-by are for {able}")
    if options["image_name"] and not is_data_set:
        raise click.UsageError(f"--image-name names the files of {able}")
    if (options["size_field"] or options["size_wh"]) and not is_data_set and not any(mends):
        raise click.UsageError(f"--size-field and --size-wh are for {able}, --check, --clip and --drop-invalid")
    if options["draw"] and not options["images"]:
        raise click.UsageError("--draw draws on copies of the images in --images DIR")
    if options["place_images"]:
        if not isinstance(found, BoxesFormat) or not found.places_images:
            able = ", ".join(
                each.name for each in boxes_formats() if isinstance(each, BoxesFormat) and each.places_images
            )
            raise click.UsageError(f"--place-images is for {able}")
        if not options["images"]:
            raise click.UsageError("--place-images takes the images from --images DIR")
