"""The node: a value of a file, known by its header and read on demand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, Protocol

import numpy as np

from matlens.errors import MatlensError, PathError, ShapeMismatch
from matlens.escape import safe_text, shorten
from matlens.formats.places import field_suffix, python_field
from matlens.formats.reader import Reader
from matlens.formats.records import CLASS_DTYPES, Elements, Headers, MatlabClass
from matlens.tree.nodes.html import node_html
from matlens.tree.nodes.tabled import Tabled
from matlens.tree.nodes.texts import index_text, last_step, node_text
from matlens.tree.paths import Field, Index, Selection, Step, is_vector, parse_path, select
from matlens.values.loadmat_form import LoadmatOptions, decode_values
from matlens.values.plain import plain

Label = tuple[str, str, str]
"""Name, MATLAB path and Python path of a node."""


class Owner(Protocol):
    """What nodes need of their file."""

    name: str
    size: int
    _reader: Reader

    def at(self, path: str) -> Node: ...

    def _guard(self, node: Node) -> AbstractContextManager[None]: ...

    def _release(self) -> None: ...

    def _make_nodes(self, elements: Elements, labels: list[Label]) -> list[Node]: ...


class Node(Tabled):
    """One value of a file.

    ``node["name"]`` is a field; ``node[i]`` is element i, from 0, of a vector of any class, and of anything else the
    i-th along its first dimension, as in NumPy. Both read no more than they need. `at` follows a path.

    Attributes
    ----------
    name : str
        Variable or field name; empty for elements of cells and struct arrays.
    path, python_path : str
        Where the value is, in MATLAB (1-based) and in Python (0-based).
    """

    kind: ClassVar[str] = "value"
    _holds_nodes: ClassVar[bool] = False
    """Whether `value` is made of nodes."""

    def __init__(
        self,
        owner: Owner,
        headers: Headers,
        name: str,
        path: str,
        python_path: str,
        selection: Selection | None = None,
        whole: Node | None = None,
    ) -> None:
        self._owner = owner
        self._headers = headers
        self._selection = selection
        self.name = name
        self.path = path
        self.python_path = python_path
        self._whole = self if whole is None else whole

    def __reduce__(self) -> Any:
        return type(self._owner).at, (self._owner, self.path)

    # --- what the header tells -----------------------------------------------------

    @property
    def dims(self) -> tuple[int, ...]:
        """Sizes of all dimensions, as MATLAB's ``size`` gives them: two or more.

        Raises
        ------
        MatlensError
            If they cannot be read.
        """
        return self._selection.dims if self._selection else self._headers.shape(0)

    @property
    def shape(self) -> tuple[int, ...]:
        """`dims`, under NumPy's name."""
        return self.dims

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.dims)

    @property
    def size(self) -> int:
        """`numel`, under NumPy's name."""
        return self.numel

    @property
    def matlab_class(self) -> str:
        """MATLAB's name of the class: ``double``, ``struct``, ``cell``, ``datetime`` …"""
        return self._headers.class_name(0)

    @property
    def numel(self) -> int:
        """Number of elements."""
        return math.prod(self.dims)

    @property
    def is_complex(self) -> bool:
        return bool(self._headers.is_complex[0])

    @property
    def is_global(self) -> bool:
        return bool(self._headers.is_global[0])

    @property
    def is_sparse(self) -> bool:
        return bool(self._headers.cls[0] == MatlabClass.SPARSE)

    @property
    def nbytes(self) -> int:
        """Bytes of the value in memory for numbers and text, in the file for anything else."""
        cls = int(self._headers.cls[0])
        if cls == MatlabClass.CHAR:
            return 2 * self.numel
        if cls in CLASS_DTYPES:
            return CLASS_DTYPES[cls].itemsize * self.numel * (2 if self.is_complex else 1)
        return int(self._headers.nbytes[0])

    @property
    def _stored_bytes(self) -> int:
        """At least what the value and all below it take in the file: in v7.3, that may be all of it."""
        return int(self._headers.nbytes[0]) if self._owner._reader.version in ("v6", "v7") else self._owner.size

    @property
    def _is_part(self) -> bool:
        """Whether the node is some elements, a record or a field of a stored value."""
        return self._selection is not None

    @property
    def error(self) -> MatlensError | None:
        """Why the value cannot be read, where its header tells so already."""
        return self._headers.errors.get(0)

    @property
    def _elements(self) -> Elements:
        """Position of the stored value, for `Reader` calls."""
        return self._headers.elements

    # --- values --------------------------------------------------------------------

    def children(self, start: int = 0, stop: int | None = None) -> list[Node]:
        """Nodes below this one, all or those from `start` to before `stop`."""
        return []

    @property
    def child_count(self) -> int:
        """How many nodes `children` gives."""
        return 0

    @property
    def value(self) -> Any:
        """The value in its natural Python form; read anew at each access."""
        with self._guarded():
            return self._value()

    def _value(self) -> Any:
        raise NotImplementedError

    def to_numpy(self) -> Any:
        """The value in the form of `scipy.io.loadmat`: arrays, structured arrays, object arrays."""
        with self._guarded():
            return self._decoded(LoadmatOptions())

    def _decoded(self, options: LoadmatOptions) -> Any:
        return self._pick(decode_values(self._owner._reader, self._elements, options)[0])

    def _pick(self, value: Any) -> Any:
        if self._selection is None:
            return value
        return value.ravel(order="F")[self._selection.linear].reshape(self.dims, order="F")

    def to_python(self) -> Any:
        """Builtin objects only: dict, list, str, numbers, by the rules of MATLAB's ``jsonencode``.

        A matrix of any class is a list of its rows. Function handles are their text; an object that was met before is
        told by its class.
        """
        with self._guarded():
            return plain(self._decoded(LoadmatOptions(functions_as_text=True)), self._owner._reader.limits)

    def _guarded(self) -> AbstractContextManager[None]:
        return self._owner._guard(self)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Around the reading of a window of rows."""
        with self._guarded():
            yield
        self._owner._release()

    def _about(self) -> dict[str, Any]:
        """What tables made of this node say of it in their metadata."""
        about = {"source": self._owner.name, "variable": self.path, "class": self.matlab_class, "dims": list(self.dims)}
        return about | ({"global": True} if self.is_global else {})

    def storage(self) -> dict[str, Any]:
        """How the value is stored, in the words of the format.

        Returns
        -------
        dict
            v4 and v5: ``type`` of the stored numbers, ``offset`` (in the inflated data of a compressed variable) and
            ``bytes``. v7.3: ``type``, ``layout``, ``chunk`` in MATLAB's order of dims, ``filters``, ``bytes`` in the
            file, and ``attributes``. Empty for part of an array, and for what never was in a file.

        Raises
        ------
        MatlensError
            If the value is damaged.

        Examples
        --------
        >>> import matlens
        >>> file = matlens.open("fixtures/kinds_v73.mat")
        >>> file.at("numbers.f32").storage()
        {'type': 'float32', 'layout': 'contiguous', 'filters': [], 'bytes': 8, 'attributes': {'MATLAB_class': 'single'}}
        """
        if self._is_part:
            return {}
        with self._reading():
            return self._owner._reader.storage(self._headers)

    # --- as NumPy's arrays ---------------------------------------------------------

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self._as_array(), dtype, copy=copy)

    def _as_array(self) -> Any:
        return self.to_numpy()

    def __len__(self) -> int:
        """Elements of a vector, or the size of the first dimension."""
        return self.numel if is_vector(self.dims) else self.dims[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self.numel != 1:
            text = f"the truth of {self.summary()} is ambiguous: use .any() or .all() of its value, or len()"
            raise ShapeMismatch(text, variable=self.path)
        return bool(np.asarray(self).item())

    # --- going down ----------------------------------------------------------------

    def __getitem__(self, key: Any) -> Node:
        """A field by its name, or elements by 0-based position, slice or tuple of them."""
        try:
            return self._field(key) if isinstance(key, str) else self._elements_at(key)
        except MatlensError:
            # Entered only here, for indexing is often a loop.
            with self._guarded():
                raise

    def _elements_at(self, key: Any) -> Node:
        parts = key if isinstance(key, tuple) else (key,)
        if ... in parts:
            at = parts.index(...)
            parts = (*parts[:at], *[slice(None)] * (self.ndim - len(parts) + 1), *parts[at + 1 :])
        return self._index(Index("[", ",".join(map(index_text, parts))))

    def at(self, path: str) -> Node:
        """The node at a path that begins here, such as ``(3).bbox_x1`` or ``[2]["bbox_x1"]``.

        Raises
        ------
        PathError
            If the path leads nowhere; names the nearest field.

        Examples
        --------
        >>> import matlens
        >>> matlens.open("fixtures/annotations_v7.mat")["annotations"].at("(3).image").value
        '00003.jpg'
        """
        with self._guarded():
            return follow(self, parse_path(path))

    def _field_label(self, name: str) -> Label:
        return name, self.path + field_suffix(name), self.python_path + python_field(name)

    def _field(self, name: str) -> Node:
        raise PathError(f"a {self.matlab_class} has no fields, {name!r} asked for")

    def _key(self, name: str) -> Node:
        raise PathError(f"a {self.matlab_class} has no keys, {name!r} asked for")

    def _select(self, step: Index) -> Selection:
        return select(step, self.dims, self._owner._reader.limits)

    def _index(self, step: Index) -> Node:
        """The node that the subscripts of one path step select."""
        if step.bracket == "{":
            raise PathError(f"braces go into a cell, this is a {self.matlab_class}")
        return self._narrow(self._select(step))

    def _narrow(self, chosen: Selection) -> Node:
        label = self.name, self.path + chosen.matlab, self.python_path + chosen.python
        return type(self)(self._owner, self._headers, *label, chosen.inside(self._selection), self._whole)

    # --- display -------------------------------------------------------------------

    def summary(self) -> str:
        """Class and dims in a few words, such as ``1x8144 struct``."""
        flags = "".join(f"{word} " for word, on in (("sparse", self.is_sparse), ("complex", self.is_complex)) if on)
        try:
            dims = "x".join(map(str, self.dims))
        except MatlensError:
            dims = "unreadable"
        return f"{dims} {flags}{self.matlab_class}"

    def preview(self, width: int = 60, depth: int = 3) -> str:
        """A short text of the value, escaped, at most `width` characters; never raises.

        Values inside cells and structs are shown to `depth` levels.
        """
        try:
            with self._guarded():
                return shorten(safe_text(self._preview(depth, width)), width) if depth else ""
        except MatlensError as error:
            return shorten(f"<{safe_text(error.message)}>", width)

    def _preview(self, depth: int, width: int) -> str:
        return ""

    def __repr__(self) -> str:
        return node_text(self)

    def one_line(self, width: int) -> str:
        """Class, dims and preview in one escaped line."""
        text = self.preview(width)
        return safe_text(self.summary()) + (f"  {text}" if text else "")

    @property
    def label(self) -> str:
        """What distinguishes the node from its siblings: its name, or its subscript."""
        return self.name or last_step(self.path)

    def _repr_html_(self) -> str:
        return node_html(self)


def follow(node: Node, steps: Sequence[Step]) -> Node:
    """The node to which the steps of a path lead from `node`."""
    for step in steps:
        with node._owner._guard(node):
            if isinstance(step, Index):
                node = node._index(step)
            else:
                node = node._field(step.name) if isinstance(step, Field) else node._key(step.name)
    return node
