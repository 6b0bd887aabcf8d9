"""The tree on the left: children come when a node is opened, a thousand at a time."""

from __future__ import annotations

from itertools import islice
from threading import Lock
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from matlens.escape import safe_text, shorten
from matlens.tree.describe import count_below
from matlens.tree.file import MatFile
from matlens.tree.nodes.node import Node
from matlens.tui.workers import in_thread

PAGE = 1000
AT_ONCE = 200
"""Lines that are added before keys are looked at again."""
NAME_WIDTH = 40
MOST_PAGES = 20
"""Pages that are listed on the way to a value that was found."""


class More:
    """The line that stands for the children that are not listed yet."""

    def __init__(self, parent: MatFile | Node, start: int) -> None:
        self.parent, self.start = parent, start


Entry = Node | More | None


def _leads_to(path: str, wanted: str) -> bool:
    """Whether a value is the wanted one or holds it.

    Examples
    --------
    >>> _leads_to("a(1)", "a(1).b"), _leads_to("a", "ab"), _leads_to("a(1)", "a(11)")
    (True, False, False)
    """
    return wanted == path or (wanted.startswith(path) and wanted[len(path)] in "({.")


def _label(node: Node) -> Text:
    name = shorten(safe_text(node.label), NAME_WIDTH)
    return Text.assemble((name, "bold"), "  ", (safe_text(node.summary()), "dim"))


class Outline(Tree[Entry]):
    """Variables of a file, and below them fields, elements and records."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "expand", "Expand", show=False),
        Binding("left", "collapse", "Collapse", show=False),
    ]

    class Chosen(Message):
        """A value was selected."""

        def __init__(self, node: Node) -> None:
            super().__init__()
            self.node = node

    def __init__(self, file: MatFile, lock: Lock, *, id: str | None = None) -> None:
        super().__init__(Text(safe_text(file.name)), id=id)
        self._file, self._lock = file, lock
        self._loaded: set[int] = set()
        self._to_open: list[str] = []
        self._wanted = ""
        self._pages = 0

    def on_mount(self) -> None:
        self.root.expand()
        self._load(self.root, self._file, 0)

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Entry]) -> None:
        event.stop()
        entry = event.node.data
        if isinstance(entry, Node) and event.node.id not in self._loaded:
            self._loaded.add(event.node.id)
            self._load(event.node, entry, 0)

    @in_thread("children", exclusive=False)
    def _load(self, place: TreeNode[Entry], parent: MatFile | Node, start: int) -> None:
        with self._lock:
            if isinstance(parent, MatFile):
                children, total = list(islice(parent.values(), start, start + PAGE)), len(parent)
            else:
                children, total = parent.children(start, start + PAGE), parent.child_count
            lines = [(_label(child), child, count_below(child) > 0) for child in children]
        for first in range(0, len(lines), AT_ONCE):
            self.app.call_from_thread(self._add, place, lines[first : first + AT_ONCE])
        behind = start + len(children)
        if children and behind < total:
            more = Text(f"… {total - behind:,} more", "italic")
            self.app.call_from_thread(place.add_leaf, more, data=More(parent, behind))
        if self._wanted:
            self.app.call_from_thread(self._follow, place)

    def _add(self, place: TreeNode[Entry], lines: list[tuple[Text, Node, bool]]) -> None:
        for label, node, can_expand in lines:
            added = place.add(label, data=node, allow_expand=can_expand)
            if place.is_root and node.path in self._to_open:
                added.expand()

    def on_tree_node_selected(self, event: Tree.NodeSelected[Entry]) -> None:
        event.stop()
        entry = event.node.data
        if isinstance(entry, More) and event.node.parent is not None:
            parent = event.node.parent
            event.node.remove()
            self._load(parent, entry.parent, entry.start)
        elif isinstance(entry, Node):
            self.post_message(self.Chosen(entry))

    def reveal(self, path: str) -> None:
        """Open what leads to a value, and put the cursor there: as near as the lists come."""
        self._wanted, self._pages = path, MOST_PAGES
        self._follow(self.root)

    def _follow(self, place: TreeNode[Entry]) -> None:
        """Go down as far as children are listed; where they are not, the worker that lists them goes on."""
        if not self._wanted:
            return
        for child in place.children:
            entry = child.data
            if isinstance(entry, Node) and _leads_to(entry.path, self._wanted):
                place.expand()
                self.call_after_refresh(self.move_cursor, child)
                if entry.path == self._wanted or not child.allow_expand:
                    self._wanted = ""
                elif child.id in self._loaded:
                    self._follow(child)
                else:
                    child.expand()
                return
        last = place.children[-1] if place.children else None
        if last is not None and isinstance(last.data, More) and self._pages:
            self._pages -= 1
            more = last.data
            last.remove()
            self._load(place, more.parent, more.start)
        elif last is not None:
            self._wanted = ""

    def opened_variables(self) -> list[str]:
        """Paths of the variables that are open."""
        children = self.root.children
        return [child.data.path for child in children if isinstance(child.data, Node) and child.is_expanded]

    def open_variables(self, paths: list[str]) -> None:
        """Open the variables of these paths, as they are listed."""
        self._to_open = paths
        for child in self.root.children:
            if isinstance(child.data, Node) and child.data.path in paths:
                child.expand()

    def listed(self, limit: int) -> list[str]:
        """Paths of the values that have been listed, at most so many."""
        paths: list[str] = []
        waiting = [self.root]
        while waiting and len(paths) < limit:
            for child in waiting.pop().children:
                if isinstance(child.data, Node):
                    paths.append(child.data.path)
                waiting.append(child)
        return paths

    def action_expand(self) -> None:
        node = self.cursor_node
        if node is not None and node.allow_expand:
            node.expand()

    def action_collapse(self) -> None:
        node = self.cursor_node
        if node is None:
            return
        if node.is_expanded and node.allow_expand:
            node.collapse()
        elif node.parent is not None and not node.parent.is_root:
            self.move_cursor(node.parent)
