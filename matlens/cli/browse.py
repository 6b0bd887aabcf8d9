"""``matlens browse``: look around in files, in the terminal."""

from __future__ import annotations

from contextlib import ExitStack

import click

from matlens.cli.output import Outcome, expand, open_input


@click.command("browse")
@click.argument("files", nargs=-1, required=True)
def command(files: tuple[str, ...]) -> None:
    """Browse FILES: an outline of their variables, and tables of what is in them.

    Keys: arrows move, Enter opens, Escape goes back, "/" finds by name, "s" sorts, "g" goes
    to a row, "[" and "]" step through an N-D array, "y" copies, "e" exports, "?" shows all
    keys, "q" quits.
    """
    from matlens.tui.app import Browser

    outcome = Outcome()
    with ExitStack() as stack:
        opened = []
        for name in expand(files):
            with outcome.each():
                opened.append(stack.enter_context(open_input(name)))
        if opened:
            Browser(opened).run()
    outcome.leave()
