"""The command line: thin commands over the library, each imported when it is called."""

from __future__ import annotations

import sys
from importlib import import_module

import click

_COMMANDS = {
    "ls": "List the variables of MAT-files.",
    "tree": "Show what is inside a file, or below one of its values.",
    "show": "Print one value.",
    "convert": "Convert variables to Parquet, CSV, JSON, SQLite and more.",
    "annotations": "List the boxes, keypoints, polygons and masks of files, and how certain they are.",
    "boxes": "Find bounding boxes and write them to Parquet, COCO, YOLO and others.",
    "keypoints": "Find landmarks and joints and write them to Parquet, COCO and others.",
    "polygons": "Find outlines and write them to Parquet, COCO, YOLO and others.",
    "masks": "Find masks and write them as run lengths, label images, COCO and others.",
    "regions": "Find the regions of an image above a threshold, or measure those of a mask.",
    "sql": "Query the variables of a file as tables.",
    "diff": "Compare two files, or values of them.",
    "browse": "Look around in files, in the terminal.",
    "check": "Read files end to end and tell what is damaged.",
}

_SHOWING = ("ls", "tree", "show", "browse")


class _LazyGroup(click.Group):
    """Knows its commands by name and imports a command's module when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        from matlens.cli.output import reading_options, traceback_option

        command: click.Command = import_module(f"matlens.cli.{cmd_name}").command
        if not any("--limit" in parameter.opts for parameter in command.params):
            command.params += [*reading_options(shows=cmd_name in _SHOWING), traceback_option()]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS:
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            if near:
                ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(None, "--version", package_name="matlens")
def group() -> None:
    """Open MATLAB's MAT-files of every version: list, inspect, convert, compare and check them.

    Exit codes: 0 fine, 1 the data are at fault or differ, 2 the call is at fault,
    4 something would be lost under --strict, 70 matlens itself is at fault, 130 interrupted.
    """


def main() -> None:
    """Entry point of the ``matlens`` program."""
    from matlens.cli.output import run

    sys.exit(run(group))
