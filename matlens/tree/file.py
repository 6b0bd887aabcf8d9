"""A MAT-file as a tree of typed nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from threading import RLock, get_ident
from typing import IO, Any, TypedDict, Unpack

import numpy as np

from matlens.errors import MatlensError, PathError
from matlens.escape import safe_text
from matlens.formats.loadmat_output import kind_of
from matlens.formats.open import Engine, Errors, Isolate, open_reader, salvaging_reader
from matlens.formats.places import field_suffix, python_field
from matlens.formats.reader import Reader
from matlens.formats.records import Elements, Variable
from matlens.formats.source.local import OpenedFile
from matlens.limits import Limits
from matlens.tree.nodes import Node, StructNode
from matlens.tree.nodes.html import file_html
from matlens.tree.nodes.make import make_node
from matlens.tree.nodes.node import Label, follow
from matlens.tree.nodes.texts import find_name
from matlens.tree.paths import Field, parse_path

_SEARCH_LIMIT = 20_000
"""Nodes that are looked through for the place of an error."""


Content = str | PathLike[str] | bytes | IO[bytes]
"""What can be opened: a file's name, what it holds, an open file."""


class ReadingOptions(TypedDict, total=False):
    """Options of reading, as `open_file` explains them."""

    engine: Engine
    isolate: Isolate
    limits: Limits | None
    errors: Errors


class MatFile(Mapping[str, Node]):
    """An open MAT-file: a mapping of variable names to nodes, and a context manager.

    Attributes
    ----------
    name : str
        File name without its folder.
    version : str
        ``"v4"``, ``"v6"``, ``"v7"`` (like v6, with compressed variables), ``"v7.3"`` or ``"loadmat"``.
    header : str
        The text that the writer left at the start of the file.
    problems : list of MatlensError
        Damage that belongs to no variable, such as a file that is cut off; with ``errors="salvage"`` also that of
        the elements which were passed over.
    """

    def __init__(self, opened: OpenedFile, options: ReadingOptions | None = None, data: Any = None) -> None:
        self._opened = opened
        self._options: ReadingOptions = {"engine": "auto", "isolate": "auto", "limits": None, "errors": "raise"}
        self._options |= options or {}
        # What `from_loadmat` was given, which pickling keeps.
        self._data = data
        self._full_path = None if opened.path is None else opened.path.absolute()
        self.name = opened.name
        self.path = opened.path
        self.size = opened.size
        self._salvaging = salvaging_reader(opened.reader, self._options["errors"])
        self._damages: dict[str, list[MatlensError]] = {}
        self._reader: Reader = self._salvaging or opened.reader
        self.header = opened.reader.header
        self._nodes: dict[str, Node] = {}
        self._lock = RLock()
        self._locating: set[int] = set()
        self._variables: dict[str, Variable] | None = None
        self._earlier: dict[str, Variable] = {}

    # --- life ----------------------------------------------------------------------

    def close(self) -> None:
        """Close the file; nodes that were not read yet cannot be read afterwards."""
        self._opened.close()

    @property
    def closed(self) -> bool:
        """Whether the file was closed: reading what was not read yet raises `FileClosed`."""
        return self._reader.closed

    def __enter__(self) -> MatFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> Any:
        """A file is opened again from its path, or from its content."""
        if self._data is not None:
            return from_loadmat, (self._data,)
        return _reopened, (self._full_path or self._opened.content(), self.name, self._options)

    # --- variables -----------------------------------------------------------------

    @property
    def version(self) -> str:
        with self._named():
            return self._reader.version

    @property
    def problems(self) -> list[MatlensError]:
        # What is wrong with the file shows as its variables are looked for.
        names = list(self._known_variables())
        for name in names if self._salvaging is not None else ():
            self._salvage(name)
        problems = [problem.at(file=self.name) for problem in self._reader.problems]
        return [*problems, *(damage for found in self._damages.values() for damage in found)]

    @property
    def stats(self) -> Counter[str]:
        """How many elements took which decoding route so far."""
        return self._reader.stats

    def _known_variables(self) -> dict[str, Variable]:
        """The variables by name: of several of one name the last has it, as in MATLAB, and the others ``name#1`` …"""
        if self._variables is None:
            with self._lock, self._named():
                stored = self._reader.variables()
                last = {variable.name: k for k, variable in enumerate(stored)}
                self._variables = {variable.name: variable for variable in stored}
                counts: Counter[str] = Counter()
                for k, variable in enumerate(stored) if len(last) < len(stored) else ():
                    if k != last[variable.name]:
                        counts[variable.name] += 1
                        self._earlier[f"{variable.name}#{counts[variable.name]}"] = variable
        return self._variables

    @property
    def remarks(self) -> list[str]:
        """What is not damage and yet worth knowing: variables that are stored several times."""
        self._known_variables()
        earlier = Counter(name.rpartition("#")[0] for name in self._earlier)
        return [
            f"{name} is stored {count + 1} times: the last counts, the earlier can be read as {name}#1"
            + (f" to {name}#{count}" if count > 1 else "")
            for name, count in earlier.items()
        ]

    def _variable(self, name: str) -> Variable:
        """What the file's directory says of a variable: its position, compression, stored size."""
        known = self._known_variables()
        return known[name] if name in known else self._earlier[name]

    def __getitem__(self, name: str) -> Node:
        if name not in self:
            with self._named():
                find_name(name, tuple(self._known_variables()), "variable ")
        self._salvage(name)
        return self._node(name)

    def _node(self, name: str) -> Node:
        with self._lock:
            if name not in self._nodes:
                path = name if field_suffix(name) == f".{name}" else python_field(name)
                label = name, path, f"file{python_field(name)}"
                self._nodes[name] = make_node(self, self._variable(name).headers, label)
            return self._nodes[name]

    def _salvage(self, name: str) -> None:
        """Look through a variable once, where damage inside it is to be passed over."""
        if self._salvaging is None:
            return
        from matlens.values.examine import salvage

        with self._lock:
            if name not in self._damages:
                variable, path = self._variable(name), self._node(name).path
                self._damages[name] = salvage(self._salvaging, variable, path, self.name)

    def _salvaged(self) -> MatFile:
        """The same file with ``errors="salvage"``."""
        return MatFile(self._opened, self._options | {"errors": "salvage"})

    def __iter__(self) -> Iterator[str]:
        return iter(self._known_variables())

    def __len__(self) -> int:
        return len(self._known_variables())

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    # Two files are equal only if they are one.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __contains__(self, name: object) -> bool:
        return name in self._known_variables() or name in self._earlier

    def get(self, name: str, default: Any = None) -> Any:
        """The variable `name`, or `default` where there is none; `at` follows a path."""
        if name not in self:
            return default
        return self[name]

    def at(self, path: str) -> Node:
        """The node at `path`, such as ``annotations(3).bbox_x1`` or ``["annotations"][2]["bbox_x1"]``.

        Parentheses and braces count from 1, square brackets from 0.

        Raises
        ------
        PathError
            If the path leads nowhere; names the nearest field.
        """
        if path in self:
            return self[path]
        with self._named():
            return self._follow(path)

    def _siblings(self, node: Node) -> list[Node]:
        """Values beside a node: the fields of its struct, or else all variables; the node is one of them."""
        suffix = field_suffix(node.name) if node.name else ""
        if not suffix or node.path == node.name or not node.path.endswith(suffix):
            return list(self.values())
        parent = self.at(node.path[: -len(suffix)])
        return parent.children() if isinstance(parent, StructNode) else []

    def _follow(self, path: str) -> Node:
        first, *rest = parse_path(path)
        if not isinstance(first, Field):
            raise PathError(f"{path!r}: a path begins with the name of a variable")
        return follow(self[first.name], rest)

    def _make_nodes(self, elements: Elements, labels: list[Label]) -> list[Node]:
        headers = self._reader.headers(elements)
        return [make_node(self, headers.take([i]), label) for i, label in enumerate(labels)]

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except MatlensError as error:
            raise error.at(file=self.name) from error.__cause__

    def _release(self) -> None:
        """Give back the memory of the parts of the file that were read; nothing is lost by it."""
        self._opened.release()

    # --- errors --------------------------------------------------------------------

    @contextmanager
    def _guard(self, node: Node) -> Iterator[None]:
        """Name the file and the path of the value in any `MatlensError` raised inside."""
        try:
            yield
        except MatlensError as error:
            path = error.variable or self._path_of(error.position, node) or node.path
            raise error.at(file=self.name, variable=path) from error.__cause__

    def _path_of(self, position: tuple[int, int] | None, node: Node) -> str | None:
        """Path of the element that an error below `node` is about, found by its position."""
        if position is None or position == _position(node) or get_ident() in self._locating:
            return None
        # Looking for the place of an error may come across others, of which no place is looked for.
        self._locating.add(get_ident())
        try:
            return self._found_below(position, node)
        finally:
            self._locating.discard(get_ident())

    def _found_below(self, position: tuple[int, int], node: Node) -> str | None:
        waiting, seen = [node], 0
        while waiting and seen < _SEARCH_LIMIT:
            try:
                children = waiting.pop().children(0, _SEARCH_LIMIT - seen)
            except MatlensError:
                continue
            for child in children:
                if _position(child) == position:
                    return child.path
            seen += len(children)
            waiting += children
        return None

    # --- display -------------------------------------------------------------------

    def __repr__(self) -> str:
        if self.closed:
            return f"<MatFile {safe_text(self.name)}: closed>"
        lines = [f"<MatFile {safe_text(self.name)}: {self.version}, {len(self)} variables>"]
        lines += [f"  {safe_text(name)}: {node.one_line(60)}" for name, node in self.items()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return file_html(f"{self.name}, {self.version}", self.values())


Source = Content | MatFile
"""What every verb takes."""


def _position(node: Node) -> tuple[int, int] | None:
    if len(node._elements) != 1 or getattr(node, "_is_record", False):
        return None
    return node._elements.segment, int(node._elements.positions[0])


def open_file(
    source: Content,
    *,
    engine: Engine = "auto",
    isolate: Isolate = "auto",
    limits: Limits | None = None,
    errors: Errors = "raise",
) -> MatFile:
    """Open a MAT-file of any version; exported as `matlens.open`.

    Parameters
    ----------
    source : str, os.PathLike, bytes or binary file object
        The name of a file, or what one holds.
    engine : {"auto", "reference"}
        ``"reference"`` reads v4 and v5 by SciPy and v7.3 by libhdf5 alone, to compare with:
        slower, and with the faults of those libraries.
    isolate : {"auto", "always", "never"}
        Whether a process of its own reads the file, with limits on its memory and time: where SciPy or libhdf5 do,
        always, or never. HDF5 files of a form that MATLAB does not write are read by libhdf5.
    limits : Limits, optional
        What a value may take; see `matlens.Limits`.
    errors : {"raise", "salvage"}
        With ``"salvage"``, damaged elements of cells and structs are None, null in tables and ``[]`` in MAT-files,
        and `MatFile.problems` tells of each. Variables are read as a whole for that when they are first asked for.
        A variable that is damaged itself raises an error either way.

    Returns
    -------
    MatFile

    Raises
    ------
    NotAMatFile
        Says what the content is instead.
    CorruptFile, UnsafeFile
    FileNotFoundError

    Examples
    --------
    >>> import matlens
    >>> with matlens.open("fixtures/annotations_v7.mat") as file:
    ...     file.at("annotations(3).boxes(1,:)").value
    array([[165., 119., 218., 176.]])
    """
    options: ReadingOptions = {"engine": engine, "isolate": isolate, "limits": limits, "errors": errors}
    return MatFile(open_reader(source, engine, isolate=isolate, limits=limits), options)


def _reopened(source: Content, name: str, options: ReadingOptions) -> MatFile:
    file = open_file(source, **options)
    file.name = name
    return file


@contextmanager
def opened(source: Source, **options: Unpack[ReadingOptions]) -> Iterator[MatFile]:
    """An open file as it is; anything else that can be opened, until the end of the block.

    Examples
    --------
    >>> with opened("fixtures/annotations_v7.mat") as file, opened(file) as same:
    ...     file is same
    True
    """
    if not isinstance(source, MatFile):
        with open_file(source, **options) as file:
            yield file
        return
    for option, value in options.items():
        if source._options.get(option) != value:
            raise ValueError(f"{option}={value!r} is for files that are opened here: give it to matlens.open")
    yield source


def from_loadmat(data: Any) -> MatFile:
    """Typed nodes of what `scipy.io.loadmat` returned, under any of its options.

    Parameters
    ----------
    data : mapping, ndarray, numpy.void or list
        The dictionary of variables; or any part of it, or any structured array, which
        becomes the single variable ``value``.

    Examples
    --------
    >>> marks = np.array([("Sarah", (8.0, 7.0)), ("John", (6.0, 7.0))],
    ...                  dtype=[("name", "U16"), ("grades", "f8", (2,))])
    >>> from_loadmat(marks).at("value(2).name").value
    'John'
    >>> from_loadmat(marks).at("value(2)").to_python()
    {'name': 'John', 'grades': [6.0, 7.0]}
    """
    from matlens.formats.memory import LoadmatReader

    variables = data if isinstance(data, Mapping) and kind_of(data) == "struct" else {"value": data}
    return MatFile(OpenedFile(LoadmatReader(variables), "<loadmat>", None, 0, np.zeros(0)), data=data)
