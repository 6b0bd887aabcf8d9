"""The tree on the left: children come when a node is opened, a thousand at a time."""

from __future__ import annotations

from threading import Lock
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from matlens.errors import MatlensError
from matlens.escape import safe_text, shorten
from matlens.nodes import Node
from matlens.tree import MatFile
from matlens.tui.grids import error_text

__all__ = ["More", "Outline"]

PAGE = 1000
NAME_WIDTH = 40


class More:
    """The line that stands for the children that are not listed yet."""

    def __init__(self, node: Node, start: int) -> None:
        self.node, self.start = node, start


Entry = Node | More | None


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

    class Failed(Message):
        """Children could not be read."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, file: MatFile, lock: Lock, *, id: str | None = None) -> None:
        super().__init__(Text(safe_text(file.name)), id=id)
        self._file, self._lock = file, lock
        self._loaded: set[int] = set()

    def on_mount(self) -> None:
        with self._lock:
            for node in self._file.values():
                self._add(self.root, node)
        self.root.expand()

    def _add(self, parent: TreeNode[Entry], node: Node) -> TreeNode[Entry]:
        label = Text.assemble(
            (shorten(safe_text(node.label), NAME_WIDTH), "bold"), "  ", (safe_text(node.summary()), "dim")
        )
        return parent.add(label, data=node, allow_expand=node.child_count > 0)

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Entry]) -> None:
        event.stop()
        entry = event.node.data
        if isinstance(entry, Node) and event.node.id not in self._loaded:
            self._loaded.add(event.node.id)
            self._load(event.node, entry, 0)

    @work(thread=True, group="children")
    def _load(self, parent: TreeNode[Entry], node: Node, start: int) -> None:
        try:
            with self._lock:
                children = node.children(start, start + PAGE)
        except MatlensError as error:
            self.post_message(self.Failed(error_text(error)))
            return
        self.app.call_from_thread(self._loaded_children, parent, node, start, children)

    def _loaded_children(self, parent: TreeNode[Entry], node: Node, start: int, children: list[Node]) -> None:
        for child in children:
            self._add(parent, child)
        left = node.child_count - start - len(children)
        if left > 0 and children:
            parent.add_leaf(Text(f"… {left:,} more", "italic"), data=More(node, start + len(children)))

    def on_tree_node_selected(self, event: Tree.NodeSelected[Entry]) -> None:
        event.stop()
        entry = event.node.data
        if isinstance(entry, More) and event.node.parent is not None:
            parent = event.node.parent
            event.node.remove()
            self._load(parent, entry.node, entry.start)
        elif isinstance(entry, Node):
            self.post_message(self.Chosen(entry))

    def opened_variables(self) -> list[str]:
        """Paths of the variables that are open."""
        children = self.root.children
        return [child.data.path for child in children if isinstance(child.data, Node) and child.is_expanded]

    def open_variables(self, paths: list[str]) -> None:
        """Open the variables of these paths."""
        for child in self.root.children:
            if isinstance(child.data, Node) and child.data.path in paths:
                child.expand()

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
