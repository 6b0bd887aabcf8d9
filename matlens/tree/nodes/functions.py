"""Function handles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from matlens.columns.unify import Rows
from matlens.errors import PathError
from matlens.tree.nodes.node import Node
from matlens.values.handles import function_texts, workspace_of

if TYPE_CHECKING:
    from matlens.columns.stored_tables import StoredTable
    from matlens.formats.records import Elements

_WORKSPACE = "workspace"


class FunctionNode(Node):
    """A function handle: `value` is its text; the workspace that it has captured, if any, is below it."""

    kind = "function"
    _known_workspace: tuple[Elements | None] | None = None

    def _workspace(self) -> Elements | None:
        if self._known_workspace is None:
            self._known_workspace = (workspace_of(self._owner._reader, self._headers),)
        return self._known_workspace[0]

    @property
    def child_count(self) -> int:
        with self._guarded():
            return int(self._workspace() is not None)

    def children(self, start: int = 0, stop: int | None = None) -> list[Node]:
        with self._guarded():
            found = self._workspace()
            return self._owner._make_nodes(found, [self._field_label(_WORKSPACE)])[start:stop] if found else []

    def _field(self, name: str) -> Node:
        children = self.children()
        if name != _WORKSPACE or not children:
            raise PathError(f"a function handle has nothing below it but its {_WORKSPACE}, {name!r} asked for")
        return children[0]

    def _value(self) -> str:
        return function_texts(self._owner._reader, self._headers)[0]

    def to_python(self) -> Any:
        return self.value

    def _source(self, axis: int | None, names: Sequence[str] | None, rows: Rows | None = None) -> StoredTable:
        from matlens.columns.array_tables import text_table

        return text_table([self._value()])

    def _preview(self, depth: int, width: int) -> str:
        return f"@{self._value().removeprefix('@')}"
