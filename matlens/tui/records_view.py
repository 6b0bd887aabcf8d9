"""The screen that shows images with what the file says of them."""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from copy import copy
from pathlib import Path
from threading import Lock
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.style import Style
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static
from textual.worker import get_current_worker

from matlens.annotations import CONVENTIONS
from matlens.escape import safe_text, shorten
from matlens.tree.file import MatFile
from matlens.tui.dialogs import Ask, Choose
from matlens.tui.image_pane import ImagePane, ImageScreen
from matlens.tui.model.annotated import LEVELS, Annotated, Mark, extent_of, read_annotated
from matlens.tui.model.colour_maps import Colours
from matlens.tui.model.image_files import ImageFiles, NoImage, folder_of
from matlens.tui.model.marks import MOST_DRAWN, captions_of, colours_of, draw_marks
from matlens.tui.model.viewport import Viewport
from matlens.tui.workers import in_thread

CHOICES = (("sure", "likely"), ("sure",), ("doubtful",), LEVELS)
"""Which certainties are shown, one after another."""
_LISTED = 500
_IN_LEGEND = 40


class RecordsScreen(ImageScreen):
    """One image after another, with its boxes, keypoints and polygons."""

    DEFAULT_CSS = """
    RecordsScreen #about { height: auto; max-height: 6; padding: 0 1; }
    RecordsScreen #legend { height: auto; max-height: 3; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "step(1)", "Next"),
        Binding("p", "step(-1)", "Previous"),
        Binding("g", "go", "Go to"),
        Binding("f", "label", "Label"),
        Binding("d", "doubt", "Certainty"),
        Binding("v", "convention", "Convention"),
        Binding("x", "marks", "Marks on/off"),
        Binding("t", "captions", "Texts on/off", show=False),
    ]

    def __init__(self, file: MatFile, lock: Lock, folder: Path | None) -> None:
        super().__init__()
        self._file, self._lock, self._folder = file, lock, folder
        self._found: Annotated | None = None
        self._files = ImageFiles(folder, [])
        self._order: list[int] = []
        self._at = self._number = 0
        self._label: str | None = None
        self._choice = 0
        self._are_shown = self._have_captions = True
        self._told = ""
        self._convention: str | None = None

    def compose(self) -> ComposeResult:
        yield Static(Text("looking for annotations …"), id="about")
        yield ImagePane(np.zeros((1, 1, 3), np.uint8))
        yield Static(id="legend")
        yield Footer()

    def on_mount(self) -> None:
        self._read()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Images in colour have no colour map; a convention is asked for where boxes do not tell theirs."""
        if action == "convention":
            needed = any(problem.startswith("v: ") for problem in self._found.problems) if self._found else False
            return needed or self._convention is not None
        return action != "colours"

    # --- reading -------------------------------------------------------------------

    @in_thread("annotations", severity="warning")
    def _read(self) -> None:
        worker = get_current_worker()
        # A second opening: whoever leaves this screen meanwhile finds the tables free.
        opened = nullcontext(self._file) if self._file.path is None else copy(self._file)
        with self._lock if self._file.path is None else nullcontext(), opened as file:
            found = read_annotated(file, lambda: worker.is_cancelled, self._convention)
        if found is None:
            return
        names = [name for name, is_name in zip(found.images, found.has_name, strict=True) if is_name]
        path = self._file.path
        folder = self._folder or folder_of(None if path is None else Path(path), names)
        files = ImageFiles(folder, names)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._take, found, files)

    def _take(self, found: Annotated, files: ImageFiles) -> None:
        if not self.query(ImagePane):
            return
        self._found, self._files = found, files
        self.refresh_bindings()
        if not found.images:
            problems = "".join(f"\n{problem}" for problem in found.problems[:3])
            self.query_one("#about", Static).update(Text(f"no annotations in this file{problems}"))
            return
        self._filter()
        if not self._order:
            # Doubtful ones are better than an empty screen.
            self._choice = CHOICES.index(LEVELS)
            self._filter()

    def _filter(self) -> None:
        """Keep the images that have something to show; stay at the image, or go to the one after it."""
        found = self._found
        if found is None:
            return
        if self._order:
            self._number = self._order[self._at]
        self._order = [k for k in range(len(found.images)) if found.chosen(k, CHOICES[self._choice], self._label)]
        later = [place for place, k in enumerate(self._order) if k >= self._number]
        self._at = later[0] if later else 0
        self._load()

    def _load(self) -> None:
        found = self._found
        if found is None or not self._order:
            self._present(np.zeros((1, 1, 3), np.uint8), "")
            return
        number = self._order[self._at]
        self._open(number, found.images[number], found.has_name[number])

    @in_thread("image", severity="warning")
    def _open(self, number: int, name: str, has_name: bool) -> None:
        worker = get_current_worker()
        try:
            if not has_name:
                raise NoImage("the file names no image for it")
            pixels, told = self._files.load(name), ""
        except NoImage as error:
            found = self._found
            height, width = extent_of(found.marks[number] if found else [])
            # A view of one number: the canvas may be as large as hostile boxes say.
            pixels, told = np.broadcast_to(np.uint8(40), (height, width, 3)), f"no image: {error}"
        if not worker.is_cancelled:
            self.app.call_from_thread(self._present, pixels, told)

    # --- showing -------------------------------------------------------------------

    def _present(self, pixels: NDArray[np.uint8], told: str) -> None:
        for pane in self.query(ImagePane):
            self._told = told
            pane.show(pixels)
            self._show()

    def _marks(self) -> list[Mark]:
        found = self._found
        if found is None or not self._order or not self._are_shown:
            return []
        return found.chosen(self._order[self._at], CHOICES[self._choice], self._label)

    def _show(self) -> None:
        pane, found = self.pane, self._found
        if pane is None or found is None:
            return
        every, palette = self._marks(), colours_of(found.labels)
        marks = every[:MOST_DRAWN]

        def draw(colours: Colours, view: Viewport) -> Colours:
            pane.captions = captions_of(view, marks, palette) if self._have_captions else []
            return draw_marks(colours, view, marks, palette)

        pane.draw_over(draw)
        self._show_about()
        legend = Text()
        for label, count in Counter(mark.label for mark in every).most_common(_IN_LEGEND):
            style = Style(color=Color.from_rgb(*palette[label]))
            legend.append("■ ", style).append(f"{label or '(no label)'} {count:,}  ")
        self.query_one("#legend", Static).update(legend)

    @on(ImagePane.Pointed)
    def _show_about(self) -> None:
        pane, found = self.pane, self._found
        if pane is None or found is None:
            return
        levels = " and ".join(CHOICES[self._choice]) if self._choice != len(CHOICES) - 1 else "all"
        chosen = levels if self._label is None else f"{levels}, label {self._label or '(none)'}"
        if not self._order:
            lines = [f"no image has annotations: {chosen}   d certainty, f label"]
        else:
            name = shorten(safe_text(found.images[self._order[self._at]]), 60)
            counts = self._counted()
            lines = [f"{name}  {self._at + 1:,} of {len(self._order):,}  {counts}  ({chosen})"]
        if self._told:
            lines.append(self._told)
        elif self._order:
            lines[0] += f"  {pane.view.columns}x{pane.view.rows}"
        if len(self._marks()) > MOST_DRAWN:
            lines.append(f"the first {MOST_DRAWN:,} are drawn")
        lines += [pane.pointed_text()] if pane.cursor else []
        lines += [shorten(problem, 200) for problem in found.problems[:1]]
        self.query_one("#about", Static).update(Text("\n".join(lines)))

    def _counted(self) -> str:
        kinds = [mark.kind for mark in self._marks()]
        words = {"box": ("box", "boxes"), "keypoints": ("set of keypoints", "sets of keypoints")}
        words["polygon"] = ("polygon", "polygons")
        counted = ((kinds.count(kind), names) for kind, names in words.items())
        return ", ".join(f"{count:,} {names[count != 1]}" for count, names in counted if count) or "no marks"

    # --- keys ----------------------------------------------------------------------

    def action_step(self, by: int) -> None:
        if self._order:
            self._at = (self._at + by) % len(self._order)
            self._load()

    def action_go(self) -> None:
        """Go to an image by its number among those that are shown, or by a part of its name."""
        if self._order:
            self.app.push_screen(Ask(f"Image, 1 to {len(self._order):,}, or part of its name"), self._go_to)

    def _go_to(self, text: str | None) -> None:
        found, text = self._found, (text or "").strip()
        if found is None or not text:
            return
        if text.isdecimal() and 1 <= int(text[:18]) <= len(self._order):
            self._at = int(text) - 1
        else:
            later = (*range(self._at + 1, len(self._order)), *range(self._at + 1))
            fitting = [k for k in later if text.casefold() in found.images[self._order[k]].casefold()]
            if not fitting:
                self.app.notify(f"no image {safe_text(text)!r}", severity="warning", markup=False)
                return
            self._at = fitting[0]
        self._load()

    def action_label(self) -> None:
        """Choose the label whose marks are shown."""
        if self._found is not None and self._found.labels:
            labels = self._found.labels[:_LISTED]

            def chosen(answer: int | None) -> None:
                if answer is not None:
                    self._label = labels[answer - 1] if answer else None
                    self._filter()

            self.app.push_screen(Choose("Show", ["all labels", *(label or "(no label)" for label in labels)]), chosen)

    def action_convention(self) -> None:
        """Choose how boxes are read that do not decide their convention."""
        names = [name for name in CONVENTIONS if name != "yolo"]

        def chosen(answer: int | None) -> None:
            if answer is not None:
                self._convention = names[answer]
                self._read()

        self.app.push_screen(Choose("Boxes of undecided convention are", names), chosen)

    def action_doubt(self) -> None:
        """Show the next choice of certainties."""
        self._choice = (self._choice + 1) % len(CHOICES)
        self._filter()

    def action_marks(self) -> None:
        self._are_shown = not self._are_shown
        self._show()

    def action_captions(self) -> None:
        self._have_captions = not self._have_captions
        self._show()
