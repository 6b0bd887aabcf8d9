"""Copying: what, in which form, to the clipboard or, where that is too small, to a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from threading import Lock
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Label, OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from matlens.errors import MatlensError, OutputExists
from matlens.escape import safe_text, shorten
from matlens.export.atomic import atomic_output
from matlens.names import safe_file_name
from matlens.tree.file import MatFile
from matlens.tree.nodes.node import Node
from matlens.tui.dialogs import Ask, Choose, Dialog
from matlens.tui.model.clipboard import copy_by_program
from matlens.tui.model.grids import error_text
from matlens.tui.model.literals import FORMS, SUFFIXES, Written, written
from matlens.tui.model.scopes import SCOPES, Place
from matlens.tui.workers import in_thread

MOST_BYTES = 100_000
"""Terminals drop longer texts that are sent to their clipboard."""
SHOWN = 300
"""Characters of the text that the dialog shows, and the notification."""


class CopyDialog(Dialog[None]):
    """Offers a cell, its row, its column and the table in five forms, and what leads to the value."""

    DEFAULT_CSS = """
    CopyDialog OptionList { height: auto; max-height: 10; }
    CopyDialog #forms { padding: 0 1; }
    CopyDialog #sample { padding: 0 1; max-height: 6; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "form(-1)", "Form"),
        Binding("right", "form(1)", "Form"),
        Binding("w", "write", "Write a file"),
    ]
    last_form: ClassVar[int] = 0
    """The form that was chosen last."""

    def __init__(self, place: Place, node: Node | None, file: MatFile, lock: Lock) -> None:
        super().__init__()
        self._place, self._lock = place, lock
        self._subject = "values" if node is None else node.path
        name = str(file.path or file.name)
        self._lines: list[tuple[str, str]] = []
        if node is not None:
            command = f"matlens show {quote(name)} {quote(node.path)}"
            self._lines = [("MATLAB path", node.path), ("Python expression", node.python_path), ("command", command)]

    @property
    def _form(self) -> str:
        return FORMS[CopyDialog.last_form]

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(Text("Copy: Enter; w writes a file"))
            options = [*SCOPES, *(f"{title}: {shorten(safe_text(line), 200)}" for title, line in self._lines)]
            yield OptionList(*(Option(Text(line)) for line in options))
            yield Static(id="forms")
            yield Static(id="sample")

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = 0
        self.query_one(OptionList).focus()
        self.action_form(0)

    def action_form(self, by: int) -> None:
        CopyDialog.last_form = (CopyDialog.last_form + by) % len(FORMS)
        line = Text("as  ")
        for form in FORMS:
            line.append(f" {form} ", "reverse" if form == self._form else "").append(" ")
        self.query_one("#forms", Static).update(line.append("  ← →", "dim"))
        self._changed()

    @on(OptionList.OptionHighlighted)
    def _changed(self) -> None:
        chosen = self.query_one(OptionList).highlighted or 0
        # All of a column or a table may take long; it is read when it is wanted.
        if chosen < 2:
            self._sample(SCOPES[chosen], self._form)
        else:
            rows, columns = len(self._place.rows), self._place.grid.column_count
            size = f"{rows:,} rows" + (f", {columns:,} columns" if chosen == 3 else "")
            self.query_one("#sample", Static).update(Text(size if chosen < len(SCOPES) else ""))

    @in_thread("sample")
    def _sample(self, scope: str, form: str) -> None:
        try:
            told = Text("\n".join(safe_text(line) for line in self._text(scope, form).text[:SHOWN].split("\n")))
        except MatlensError as error:
            told = Text(error_text(error), "red")
        if not get_current_worker().is_cancelled:
            self.app.call_from_thread(self.query_one("#sample", Static).update, told)

    def _text(self, scope: str, form: str) -> Written:
        with self._lock:
            value = self._place.take(scope)
        return written(value, form)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self._take(event.option_index, False)

    def action_write(self) -> None:
        self._take(self.query_one(OptionList).highlighted or 0, True)

    @in_thread("copy")
    def _take(self, chosen: int, to_file: bool) -> None:
        """Make the text; hand it on to the clipboard, or ask for a file."""
        suffix = SUFFIXES[self._form]
        if chosen < len(SCOPES):
            made = self._text(SCOPES[chosen], self._form)
        else:
            made, suffix = Written(self._lines[chosen - len(SCOPES)][1]), ".txt"
        data, app = made.text.encode("utf-8", "replace"), self.app
        is_large = len(data) > MOST_BYTES
        if is_large or to_file:
            why = f"{len(data):,} bytes are too many for the clipboard of a terminal. " if is_large else ""
            name = f"{safe_file_name(self._subject)}{suffix}"
            app.call_from_thread(self._leave_for, WriteFile(data, made.notes, f"{why}Write to the file", name))
            return
        text = data.decode()
        app.call_from_thread(app.copy_to_clipboard, text)
        by = copy_by_program(text) or "the terminal"
        told = "; ".join((f"copied by {by}: {shorten(safe_text(text[:SHOWN]), SHOWN)}", *made.notes))
        app.call_from_thread(app.notify, told, markup=False)
        app.call_from_thread(self.dismiss, None)

    def _leave_for(self, screen: WriteFile) -> None:
        app = self.app
        self.dismiss(None)
        app.push_screen(screen)


class WriteFile(Ask):
    """Asks for the name of a file and writes it whole; asks again before it overwrites one."""

    def __init__(self, data: bytes, notes: Sequence[str], question: str, name: str) -> None:
        super().__init__(question, name)
        self._data, self._notes = data, notes

    def answer(self, value: str) -> None:
        if value:
            self._write(value, False)

    @in_thread("write")
    def _write(self, name: str, force: bool) -> None:
        app = self.app
        try:
            with atomic_output(Path(name).expanduser(), force=force) as file:
                file.write(self._data)
        except OutputExists:
            app.call_from_thread(self._ask, name)
            return
        told = "; ".join((f"written: {safe_text(name)}, {len(self._data):,} bytes", *self._notes))
        app.call_from_thread(app.notify, told, markup=False)
        app.call_from_thread(self.dismiss, None)

    def _ask(self, name: str) -> None:
        def answered(chosen: int | None) -> None:
            if chosen == 1:
                self._write(name, True)

        self.app.push_screen(Choose(f"{safe_text(name)} exists", ["keep it", "overwrite it"]), answered)
