"""``matlens browse``: look around in files, in the terminal."""

from __future__ import annotations

import gc
import logging
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from matlens.cli.output import Outcome, expand, message, open_input


@click.command("browse")
@click.argument("files", nargs=-1, required=True)
@click.option("--web", is_flag=True, help="Serve it to a web browser on this machine.")
@click.option("--port", default=0, show_default=True, type=click.IntRange(0, 65535), help="Of --web; 0 for a free one.")
@click.option("--log", type=click.Path(dir_okay=False), help="File that faults of matlens itself are written to.")
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the images that annotations name; by default where they are beside the file.",
)
@click.option(
    "--pixels",
    type=click.Choice(["auto", "kitty", "iterm2", "sixel", "blocks"]),
    default="auto",
    show_default=True,
    help='How "P" shows images in the pixels of the terminal.',
)
@click.option("--watch", is_flag=True, help="Read a file again as soon as it was written.")
def command(
    files: tuple[str, ...], web: bool, port: int, log: str | None, images: Path | None, pixels: str, watch: bool
) -> None:
    """Browse FILES: an outline of their variables, and tables of what is in them.

    Keys: arrows move, Enter opens, Escape goes back, "/" finds by name, "s" sorts, "g" goes
    to a row, "[" and "]" step through an N-D array, "y" copies, "e" exports, "?" shows all
    keys, "q" quits. "p" plots, "i" shows an image or a matrix, and "R" one image after another
    with its boxes, keypoints and polygons.

    With --web the same browser is served on the loopback interface, to whoever opens the
    address that is printed, with its token. Needs pip install 'matlens[web]'.
    """
    if web:
        from matlens.tui.web import serve

        serve(expand(files), port, lambda address: message(f"open {address}  (Ctrl+C ends it)"), images)
        return
    from matlens.tui.app import Browser
    from matlens.tui.terminal import take_keys

    if log:
        logging.basicConfig(filename=log, format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.INFO)
    outcome = Outcome()
    with ExitStack() as stack:
        opened = []
        for name in expand(files):
            with outcome.each():
                opened.append(stack.enter_context(open_input(name)))
        if opened:
            take_keys()
            # What is loaded so far stays; to look through it again and again would halt the keys.
            gc.freeze()
            app = Browser(opened, images, pixels, is_watching=watch)
            app.run()
            if app.return_code:
                sys.exit(app.return_code)
    outcome.leave()
