"""One form for each variable of many files: surveyed from headers, before any of them is converted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field

from matlens.columns.plan import Plan
from matlens.columns.stored_tables import StoredTable
from matlens.columns.unify import Rows
from matlens.errors import MatlensError
from matlens.operations.convert import column_names, named_nodes
from matlens.tree.access import stored_table
from matlens.tree.file import MatFile
from matlens.tree.nodes.node import Node

Opener = Callable[[str], AbstractContextManager[MatFile]]


@dataclass(slots=True)
class Survey:
    """The forms of the variables of several files, merged by the name of each.

    Attributes
    ----------
    forms : dict of str to Plan
        The merged form of each variable.
    differing : list of str
        The variables of which files have different forms.
    """

    open: Opener
    var: Sequence[str] = ()
    dim: int | None = None
    header: str | None = "auto"
    forms: dict[str, Plan] = field(default_factory=dict)
    differing: list[str] = field(default_factory=list)
    _rows: dict[str, set[Rows]] = field(default_factory=dict)

    def look(self, names: Sequence[str]) -> None:
        """Survey files one after another; what cannot be read is left to the conversion to tell.

        A second time only for what needs it: vectors in some files that are matrices in others, and numbers of which
        headers do not tell which type holds all of them exactly.
        """
        self._each(names, None, self._note)
        again = {key for key, rows in self._rows.items() if {Rows.VECTORS, Rows.RECORDS} <= rows}
        for key in again:
            self.forms.pop(key)
        self._each(names, again, self._note_records)
        wanting = {key for key, form in self.forms.items() if any(p.needs_values for p in form.columns.values())}
        self._each(names, wanting, lambda key, node, file: self._stored(key, node, file).add_values(self.forms[key]))

    def _note(self, key: str, node: Node, file: MatFile) -> None:
        form = self._stored(key, node, file).form
        known = self.forms.get(key)
        self.forms[key] = form if known is None else known.merge(form)
        if known is not None and known != form and key not in self.differing:
            self.differing.append(key)
        self._rows.setdefault(key, set()).add(form.rows)

    def _note_records(self, key: str, node: Node, file: MatFile) -> None:
        form = self._stored(key, node, file, Rows.RECORDS).form
        self.forms[key] = self.forms[key].merge(form) if key in self.forms else form
        self.forms[key].rows = Rows.RECORDS

    def _stored(self, key: str, node: Node, file: MatFile, rows: Rows | None = None) -> StoredTable:
        rows = self.forms[key].rows if rows is None and key in self.forms else rows
        dim = self.dim if node.kind == "numeric" else None
        return stored_table(node, dim, column_names(file, node, self.header, self.dim), rows)

    def _each(self, names: Sequence[str], keys: set[str] | None, see: Callable[[str, Node, MatFile], None]) -> None:
        """Show the values of each file that are to be converted, or those of `keys`, while it is open."""
        for name in names if keys is None or keys else ():
            try:
                with self.open(name) as file:
                    for key, node in named_nodes(file, self.var):
                        if keys is None or key in keys:
                            with suppress(MatlensError):
                                see(key, node, file)
            except (MatlensError, OSError):
                continue
