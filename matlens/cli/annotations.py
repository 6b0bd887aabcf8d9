"""``matlens annotations``: what a file holds of boxes and keypoints, and how certain that is."""

from __future__ import annotations

from typing import Any

import click

from matlens.cli.output import Outcome, columns_text, expand, json_options, message, open_input, print_json
from matlens.errors import MatlensError


@click.command("annotations")
@click.argument("files", nargs=-1, required=True)
@json_options
def command(files: tuple[str, ...], as_json: bool) -> None:
    """List the annotations in FILES: boxes and keypoints, where they are and how certain.

    `matlens boxes` and `matlens keypoints` write them.
    """
    from matlens.annotations import find
    from matlens.annotations.keypoints import find_keypoints

    outcome, rows = Outcome(), list[dict[str, Any]]()
    for name in expand(files):
        with outcome.each(name), open_input(name) as file:
            near: list[str] = []
            problems: list[MatlensError] = []
            boxes = find(file, near=near, problems=problems)
            points = find_keypoints(file)
            rows += [_told(file.name, "boxes", each, each.convention or "undecided") for each in boxes]
            rows += [_told(file.name, "keypoints", each, each.layout) for each in points]
            outcome.note(*problems)
            for text in near if not (boxes or points) else ():
                message(f"{file.name}: came near: {text}")
    if as_json:
        print_json({"annotations": rows})
    elif rows:
        heads = ["file", "kind", "count", "path", "form", "confidence", "image", "label"]
        cells = [[f"{row[head]:,}" if head == "count" else str(row[head] or "") for head in heads] for row in rows]
        for line in columns_text([heads, *cells], widths=50):
            click.echo(line)
    else:
        message("no annotations")
    outcome.leave()


def _told(file: str, kind: str, source: Any, form: str) -> dict[str, Any]:
    return {
        "file": file,
        "kind": kind,
        "count": len(source),
        "path": source.path,
        "form": form,
        "confidence": source.confidence,
        "image": source.image,
        "label": source.label,
        "reasons": source.reasons,
    }
