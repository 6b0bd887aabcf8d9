"""Dialogs: one line of input, a choice, and the export of a value."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.fuzzy import Matcher
from textual.screen import ModalScreen, ScreenResultType
from textual.widgets import Button, Checkbox, Input, Label, OptionList, ProgressBar, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from matlens.errors import MatlensError
from matlens.escape import safe_text, shorten
from matlens.export.options import ExportOptions
from matlens.names import safe_file_name
from matlens.operations.convert import Output, items_of, outputs_of, takes_values, write_output
from matlens.tree.file import MatFile
from matlens.tree.nodes.node import Node
from matlens.tui.model.grids import error_text
from matlens.tui.model.matches import Hit, search
from matlens.tui.workers import in_thread


class Dialog(ModalScreen[ScreenResultType]):
    """A box in the middle of the screen, which Escape closes without an answer."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog > Vertical { width: 76; max-width: 96%; height: auto; max-height: 90%; padding: 1 2;
                         background: $panel; border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Close")]


class _Paths(Dialog[str | None]):
    """Lists paths, from what is typed above them; answers with the one that is chosen."""

    DEFAULT_CSS = "_Paths OptionList { height: 16; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("down", "list", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self._found: list[str] = []

    def action_list(self) -> None:
        options = self.query_one(OptionList)
        options.highlighted = options.highlighted or 0
        options.focus()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._found[event.option_index])


class Ask(Dialog[str | None]):
    """Asks for one line; what `check` raises a `MatlensError` for is told, and asked again."""

    DEFAULT_CSS = "Ask #problem { color: $text-error; display: none; }"

    def __init__(self, question: str, value: str = "", check: Callable[[str], object] | None = None) -> None:
        super().__init__()
        self._question, self._value, self._check = question, value, check

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(Text(self._question))
            yield Input(self._value)
            yield Static(id="problem")

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        try:
            if self._check is not None and event.value.strip():
                self._check(event.value.strip())
        except MatlensError as error:
            problem = self.query_one("#problem", Static)
            problem.update(Text(error_text(error)))
            problem.display = True
            return
        self.answer(event.value)

    def answer(self, value: str) -> None:
        """Take the line that was entered."""
        self.dismiss(value)


class Choose(Dialog[int | None]):
    """Asks for one of several lines; gives its position."""

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__()
        self._title, self._lines = title, lines

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(Text(self._title))
            yield OptionList(*(Option(Text(safe_text(line))) for line in self._lines))

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_index)


class Find(_Paths):
    """Finds a path by some of its letters."""

    SHOWN = 200

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__()
        self._paths = paths

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(Text("Find by name or path"))
            yield Input(placeholder="letters of the path, in their order")
            yield OptionList()

    def on_mount(self) -> None:
        self._show("")

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._show(event.value)

    @in_thread("match")
    def _show(self, query: str) -> None:
        worker, found = get_current_worker(), list(self._paths)
        if query:
            matcher = Matcher(query)
            scored = [(matcher.match(path), path) for path in self._paths if not worker.is_cancelled]
            found = [path for score, path in sorted(scored, key=lambda item: -item[0]) if score > 0]
        if not worker.is_cancelled:
            self.app.call_from_thread(self._list, found[: self.SHOWN])

    def _list(self, found: list[str]) -> None:
        self._found = found
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(Text(safe_text(path))) for path in self._found])
        if self._found:
            options.highlighted = 0

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.dismiss(self._found[0] if self._found else None)


class Search(_Paths):
    """Searches values while it is open; Enter on a result goes there."""

    SHOWN = 1000

    def __init__(self, nodes: Sequence[Node], lock: Lock, query: str = "") -> None:
        super().__init__()
        self._where, self._lock = nodes, lock
        self.query_text = query
        """What was searched last."""

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(Text("Search values: part of a text, or a number; Enter starts"))
            yield Input(self.query_text)
            yield Static(id="state")
            yield OptionList()

    @on(Input.Submitted)
    def _start(self, event: Input.Submitted) -> None:
        self._found = []
        self.query_one(OptionList).clear_options()
        if event.value:
            self.query_text = event.value
            self._search(event.value)

    @in_thread("search")
    def _search(self, query: str) -> None:
        worker = get_current_worker()
        hits: list[Hit] = []
        seen, told = "0", time.monotonic()
        found = (hit for node in self._where for hit in search(node, query))
        while True:
            with self._lock:
                hit = next(found, None)
            if hit is None:
                break
            if worker.is_cancelled:
                return
            if hit.path:
                hits.append(hit)
            else:
                seen = hit.text
            if len(hits) + len(self._found) >= self.SHOWN:
                break
            if time.monotonic() - told > 0.1:
                self.app.call_from_thread(self._add, hits, f"{seen} values …")
                hits, told = [], time.monotonic()
        self.app.call_from_thread(self._add, hits, f"{seen} values, done")

    def _add(self, hits: Sequence[Hit], state: str) -> None:
        options = self.query_one(OptionList)
        for hit in hits[: self.SHOWN - len(self._found)]:
            self._found.append(hit.path)
            line = Text.assemble((safe_text(hit.path), "bold"), "  ", shorten(safe_text(hit.text), 60))
            options.add_option(Option(line))
        self.query_one("#state", Static).update(Text(f"{len(self._found):,} found in {state}"))


class Export(Dialog[str | None]):
    """Exports a value: name of the output, columns, losses, progress, cancel."""

    DEFAULT_CSS = """
    Export VerticalScroll { height: auto; max-height: 12; border: round $secondary; }
    Export Horizontal { height: auto; align-horizontal: right; }
    Export Button { margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Cancel")]

    def __init__(self, file: MatFile, node: Node, lock: Lock) -> None:
        super().__init__()
        self._file, self._node, self._lock = file, node, lock
        self._stop = Event()

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Label(Text(f"Export {safe_text(self._node.path)}"))
            yield Input(f"{safe_file_name(self._node.path)}.parquet", id="output")
            yield Checkbox("flatten nested columns (CSV)", id="flatten")
            yield Checkbox("overwrite an existing file", id="force")
            with VerticalScroll():
                yield Static(Text("…"), id="preview")
            yield ProgressBar(id="progress", show_eta=False)
            with Horizontal():
                yield Button("Export", variant="primary", id="export")
                yield Button("Cancel", id="cancel")

    def on_mount(self) -> None:
        self.query_one("#progress").display = False
        self._plan()

    def _options(self) -> ExportOptions:
        flatten, force = (self.query_one(f"#{name}", Checkbox).value for name in ("flatten", "force"))
        return ExportOptions(flatten=flatten, force=force)

    @on(Input.Changed, "#output")
    @on(Checkbox.Changed)
    def _plan(self) -> None:
        self._preview(self.query_one("#output", Input).value, self._options())

    def _outputs(self, output: str, options: ExportOptions) -> list[Output]:
        found = items_of(self._file, [self._node.path], options=options, as_values=takes_values(output, None))
        return outputs_of(list(found), output, options=options)

    @in_thread("plan")
    def _preview(self, output: str, options: ExportOptions) -> None:
        text = Text()
        try:
            with self._lock:
                (planned,) = self._outputs(output, options)
            for item in planned.items:
                text.append(f"{item.num_rows:,} rows\n", "bold")
                for column in list(item.schema)[:200]:
                    text.append(f"{safe_text(column.name)}  ").append(f"{safe_text(column.type)}\n", "dim")
            for note in planned.notes:
                style = "yellow" if note.is_lossy else "dim"
                text.append(f"{'loss: ' if note.is_lossy else ''}{safe_text(note)}\n", style)
        except MatlensError as error:
            text.append(error_text(error), "red")
        self.app.call_from_thread(self.query_one("#preview", Static).update, text)

    @on(Button.Pressed, "#export")
    @on(Input.Submitted, "#output")
    def _export(self) -> None:
        self.query_one("#export", Button).disabled = True
        self.query_one("#progress").display = True
        self._write(self.query_one("#output", Input).value, self._options())

    @in_thread("export")
    def _write(self, output: str, options: ExportOptions) -> None:
        call: Callable[..., object] = self.app.call_from_thread
        bar = self.query_one("#progress", ProgressBar)

        def advance(rows: int) -> None:
            if self._stop.is_set():
                raise _Cancelled
            call(bar.advance, rows)

        try:
            with self._lock:
                (planned,) = self._outputs(output, options)
                call(bar.update, total=max(planned.num_rows, 1))
                for item in planned.items:
                    item.on_rows = advance
                write_output(planned, options)
        except _Cancelled:
            return
        except MatlensError as error:
            call(self._failed, error_text(error))
            return
        call(self.dismiss, f"{Path(output).name}: {planned.num_rows:,} rows")

    def _failed(self, text: str) -> None:
        self.query_one("#preview", Static).update(Text(text, "red"))
        self.query_one("#progress").display = False
        self.query_one("#export", Button).disabled = False

    @on(Button.Pressed, "#cancel")
    def action_leave(self) -> None:
        self._stop.set()
        self.dismiss(None)


class _Cancelled(Exception):
    """The export was left while it was being written."""
