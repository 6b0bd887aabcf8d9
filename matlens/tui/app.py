"""The application: a tab for each file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from textual import on
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, TabbedContent, TabPane

from matlens.escape import safe_text, shorten
from matlens.tree.file import MatFile
from matlens.tui.browser import FileView
from matlens.tui.compare import Marked
from matlens.tui.model.settings import load_settings, save_state
from matlens.tui.outline import Outline
from matlens.tui.terminal import leave_on_signals


class Browser(App[None]):
    """Browses open files; they are closed by whoever opened them."""

    TITLE = "matlens"
    CSS = """
    TabbedContent, ContentSwitcher, TabPane { height: 1fr; }
    TabPane { padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit", id="quit"),
        Binding("question_mark", "show_help_panel", "Keys"),
    ]

    def __init__(
        self, files: Sequence[MatFile], images: Path | None = None, pixels: str = "auto", *, is_watching: bool = False
    ) -> None:
        super().__init__()
        self.images, self.pixels, self.is_watching = images, pixels, is_watching
        self._files = files
        self._reopened = ExitStack()
        self.marked: Marked | None = None
        self._parent_process = os.getppid() if os.name == "posix" else 0

    @on(FileView.Reloaded)
    async def _reloaded(self, event: FileView.Reloaded) -> None:
        """Show the file that was opened again in the place of the other."""
        self._reopened.enter_context(event.file)
        view = FileView(event.file, before=event.view)
        parent = event.view.parent
        if isinstance(parent, Widget | Screen):
            await parent.mount(view, after=event.view)
            await event.view.remove()
            view.table.focus()

    def on_unmount(self) -> None:
        self._reopened.close()

    def on_mount(self) -> None:
        leave_on_signals(self)
        settings = load_settings()
        if settings.theme in self.available_themes:
            self.theme = settings.theme
        self.set_keymap(settings.keys)
        if settings.problem:
            self.notify(safe_text(settings.problem), severity="warning", markup=False)
        self.query(Outline).first().focus()
        if os.environ.get("MATLENS_PARENT") == "stdin" and os.name == "posix":
            self.set_interval(2, self._leave_with_parent)

    def _leave_with_parent(self) -> None:
        """End with the server that started this session, however it ended."""
        if os.getppid() != self._parent_process:
            self.exit()

    async def action_quit(self) -> None:
        for view in self.query(FileView):
            save_state(view.file, view.state())
        self.exit()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the palette offers: on top of what Textual has, screens of this browser."""
        yield from super().get_system_commands(screen)
        views = [view for view in screen.query(FileView) if view.is_on_screen]
        if views:
            yield SystemCommand("Images", "Step through images with their annotations", views[0].action_records)

    def compose(self) -> ComposeResult:
        if len(self._files) == 1:
            yield FileView(self._files[0])
        else:
            with TabbedContent():
                for k, file in enumerate(self._files):
                    with TabPane(Content(shorten(safe_text(file.name), 30)), id=f"file-{k}"):
                        yield FileView(file)
        yield Footer()
