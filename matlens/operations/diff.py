"""Differences between two files, or two values, by path: structure first, then values.

Values of any version are compared by what they are in MATLAB: class, dims and numbers.
Elements are compared in batches, so that only differences cost something each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matlens.columns.build import json_safe
from matlens.errors import MatlensError
from matlens.formats.dtypes import target_dtype
from matlens.formats.loadmat_output import is_undecoded
from matlens.formats.places import ChildPlaces, OnePlace, Places, SomePlaces, subscript
from matlens.formats.ragged import groups, units_to_str
from matlens.formats.reader import Reader
from matlens.formats.records import CLASS_DTYPES, Children, Elements, Headers, Int64s, MatlabClass
from matlens.formats.visit import Walk, blocks
from matlens.helpers import explain_mismatch
from matlens.tree.file import MatFile, from_loadmat
from matlens.tree.nodes.node import Node
from matlens.values.kinds import sparse_arrays
from matlens.values.loadmat_form import decode_values, function_texts
from matlens.values.plain import plain
from matlens.values.windows import StoredArray, pieces

__all__ = ["Difference", "diff", "diff_nodes"]

LARGE = 8 << 20
"""Arrays of more numbers than this are compared in windows."""
TEXT = 40


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes
    ----------
    path : str
    what : str
        ``missing``, ``class``, ``dims``, ``fields``, ``values``, ``unreadable``, or
        ``not compared`` for what is not decoded in either.
    a, b : str
        What the first and the second file hold.
    count : int or None
        How many numbers differ.
    max_absolute, max_relative : float or None
        Largest differences between them: ``|a - b|``, and that divided by the larger of
        ``|a|`` and ``|b|``. NaN where only one of the two is NaN.
    explanation : str
        Of classes and dims of numbers: what would bring the two together, as `explain_mismatch` says it.
    """

    path: str
    what: str
    a: str
    b: str
    count: int | None = None
    max_absolute: float | None = None
    max_relative: float | None = None
    explanation: str = ""

    def as_dict(self) -> dict[str, Any]:
        """All attributes, for JSON."""
        return asdict(self)


def diff(a: MatFile, b: MatFile, *, rtol: float = 0.0, atol: float = 0.0) -> Iterator[Difference]:
    """Differences between two files, variable by variable.

    Two numbers are equal if ``|a - b| <= atol + rtol * |b|``; NaN equals NaN.

    Examples
    --------
    >>> import matlens
    >>> a, b = (matlens.open(f"fixtures/annotations_{version}.mat") for version in ("v7", "v73"))
    >>> list(diff(a, b))
    []
    """
    for name in dict.fromkeys([*a, *b]):
        if name not in a or name not in b:
            path = (a[name] if name in a else b[name]).path
            shown = [file[name].summary() if name in file else "" for file in (a, b)]
            yield Difference(path, "missing", shown[0], shown[1])
        else:
            yield from diff_nodes(a[name], b[name], rtol=rtol, atol=atol)


def diff_nodes(a: Node, b: Node, *, rtol: float = 0.0, atol: float = 0.0) -> Iterator[Difference]:
    """Differences between two values, which may be of one file."""
    first, second = (from_loadmat({"value": n.to_numpy()})["value"] if n.is_part else n for n in (a, b))
    comparer = _Comparer(first.owner.reader, second.owner.reader, rtol, atol)
    if a.is_global != b.is_global and not (a.is_part or b.is_part):
        flags = ["global" if node.is_global else "not global" for node in (a, b)]
        yield Difference(a.path, "class", flags[0], flags[1])
    try:
        yield from comparer.compare(first.elements, second.elements, OnePlace(a.path))
    except MatlensError as error:
        yield Difference(a.path, "unreadable", error.message, "")


class _Comparer:
    """Compares batches of elements of two readers."""

    def __init__(self, a: Reader, b: Reader, rtol: float, atol: float) -> None:
        self._readers = a, b
        self._walks = Walk(a), Walk(b)
        self._rtol, self._atol = rtol, atol

    def compare(self, a: Elements, b: Elements, places: Places, owner: Int64s | None = None) -> Iterator[Difference]:
        """Compare element k of `a` with element k of `b`, for all k."""
        ha, hb = (walk.enter(e, owner) for walk, e in zip(self._walks, (a, b), strict=True))
        comparable = np.ones(len(ha), bool)
        for what, differs, describe in (
            ("unreadable", ~ha.ok | ~hb.ok, _error),
            ("class", _classes_differ(ha, hb), _class),
            ("dims", _dims_differ(ha, hb), _dims),
        ):
            for i in np.flatnonzero(differs & comparable).tolist():
                explanation = "" if what == "unreadable" else _explanation(ha, hb, i)
                yield Difference(places.path(i), what, describe(ha, i), describe(hb, i), explanation=explanation)
            comparable &= ~differs
        index = np.flatnonzero(comparable)
        ha, hb = ha.take(index), hb.take(index)
        for (cls, *_), some in groups(ha.cls, ha.is_complex, ha.is_logical):
            yield from self._kind(cls, ha.take(some), hb.take(some), SomePlaces(places, index[some]), index[some])
        for walk in self._walks:
            walk.leave()

    def _kind(self, cls: int, ha: Headers, hb: Headers, places: Places, index: Int64s) -> Iterator[Difference]:
        if cls in CLASS_DTYPES or cls == MatlabClass.CHAR:
            for block in blocks(ha):
                part = ha.take(block), hb.take(block)
                if cls != MatlabClass.CHAR and len(block) == 1 and part[0].numel[0] > LARGE:
                    yield from self._large(*part, SomePlaces(places, block))
                else:
                    yield from self._values(cls, *part, SomePlaces(places, block))
        elif cls == MatlabClass.SPARSE:
            yield from self._sparse(ha, hb, places)
        elif cls == MatlabClass.FUNCTION:
            texts = [function_texts(reader, h) for reader, h in zip(self._readers, (ha, hb), strict=True)]
            for i, (x, y) in enumerate(zip(*texts, strict=True)):
                if x != y:
                    yield Difference(places.path(i), "values", _cut(x), _cut(y))
        elif cls == MatlabClass.OPAQUE:
            yield from self._objects(ha, hb, places)
        else:
            yield from self._containers(ha, hb, places, index)

    def _objects(self, ha: Headers, hb: Headers, places: Places) -> Iterator[Difference]:
        """Objects by their values; those that are not decoded are passed over, and said to be."""
        values = (decode_values(reader, h.elements) for reader, h in zip(self._readers, (ha, hb), strict=True))
        for i, (x, y) in enumerate(zip(*values, strict=True)):
            if is_undecoded(x) or is_undecoded(y):
                yield Difference(places.path(i), "not compared", f"{_class(ha, i)} object", f"{_class(hb, i)} object")
                continue
            a, b = json.dumps(json_safe(plain(x))), json.dumps(json_safe(plain(y)))
            if a != b:
                yield Difference(places.path(i), "values", _cut(a), _cut(b))

    # --- numbers and text ----------------------------------------------------------

    def _values(self, cls: int, ha: Headers, hb: Headers, places: Places) -> Iterator[Difference]:
        (va, offsets), (vb, _) = (reader.gather(h) for reader, h in zip(self._readers, (ha, hb), strict=True))
        if len(va) != len(vb):
            # Characters beyond the 16-bit range, counted in one file as one and in the other as two.
            va, vb = va[: min(len(va), len(vb))], vb[: min(len(va), len(vb))]
        bad = np.flatnonzero(self._unequal(va, vb))
        owners = np.searchsorted(offsets, bad, "right") - 1
        for i in np.unique(owners).tolist():
            where = bad[owners == i]
            if cls == MatlabClass.CHAR:
                texts = [_cut(units_to_str(v[offsets[i] : offsets[i + 1]])) for v in (va, vb)]
                yield Difference(places.path(i), "values", texts[0], texts[1], len(where))
            else:
                statistics = _Statistics(ha.shape(i))
                statistics.add(va[where], vb[where], where - offsets[i])
                yield statistics.difference(places.path(i))

    def _unequal(self, a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
        unequal = np.asarray(a != b)
        if not unequal.any():
            return unequal
        if a.dtype.kind in "fc":
            unequal &= ~(np.isnan(a) & np.isnan(b))
        if self._rtol or self._atol:
            where = np.flatnonzero(unequal)
            with np.errstate(invalid="ignore"):
                close = _distance(a[where], b[where]) <= self._atol + self._rtol * np.abs(b[where].astype(_wide(b)))
            unequal[where[close]] = False
        return np.asarray(unequal)

    def _large(self, ha: Headers, hb: Headers, places: Places) -> Iterator[Difference]:
        """One array in windows of its last dimension."""
        arrays = [StoredArray(reader, h) for reader, h in zip(self._readers, (ha, hb), strict=True)]
        statistics = _Statistics(ha.shape(0))
        for position, pair in pieces(*arrays):
            a, b = (piece.ravel(order="F") for piece in pair)
            bad = np.flatnonzero(self._unequal(a, b))
            statistics.add(a[bad], b[bad], bad + position)
        if statistics.count:
            yield statistics.difference(places.path(0))

    def _sparse(self, ha: Headers, hb: Headers, places: Places) -> Iterator[Difference]:
        matrices = [sparse_arrays(reader, h) for reader, h in zip(self._readers, (ha, hb), strict=True)]
        for i, (a, b) in enumerate(zip(*matrices, strict=True)):
            a, b = a.tocoo(), b.tocoo()
            rows, keys = ha.shape(i)[0], [m.coords[1].astype(np.int64) * ha.shape(i)[0] + m.coords[0] for m in (a, b)]
            everywhere = np.union1d(*keys)
            full = [np.zeros(len(everywhere), m.data.dtype) for m in (a, b)]
            for values, key, m in zip(full, keys, (a, b), strict=True):
                values[np.searchsorted(everywhere, key)] = m.data
            bad = np.flatnonzero(self._unequal(*full))
            if len(bad) and rows:
                statistics = _Statistics(ha.shape(i))
                statistics.add(full[0][bad], full[1][bad], everywhere[bad])
                yield statistics.difference(places.path(i))

    # --- cells and structs ---------------------------------------------------------

    def _containers(self, ha: Headers, hb: Headers, places: Places, index: Int64s) -> Iterator[Difference]:
        """Compare the children of cells, structs and old objects, matched by field name."""
        sides = [reader.children(h) for reader, h in zip(self._readers, (ha, hb), strict=True)]
        for ga in sides[0]:
            for gb in sides[1]:
                _, ka, kb = np.intersect1d(ga.parents, gb.parents, assume_unique=True, return_indices=True)
                if len(ka):
                    pair = _only(ga, ka), _only(gb, kb)
                    yield from self._groups(*pair, ha, places, index)

    def _groups(self, ga: Children, gb: Children, ha: Headers, places: Places, index: Int64s) -> Iterator[Difference]:
        """Compare the children of the same parents, those of one set of fields on each side."""
        owner = index[np.repeat(ga.parents, np.diff(ga.offsets))]
        if ga.fields is None or gb.fields is None:
            yield from self.compare(ga.elements, gb.elements, ChildPlaces(places, ha, ga), owner)
            return
        for name in dict.fromkeys((*ga.fields, *gb.fields)):
            if name in ga.fields and name in gb.fields:
                k = ga.fields.index(name)
                below = ga.column(k), gb.column(gb.fields.index(name))
                yield from self.compare(*below, ChildPlaces(places, ha, ga, k), owner)
                continue
            shown = [f"field {name}" if name in fields else "" for fields in (ga.fields, gb.fields)]
            for parent in ga.parents.tolist():
                yield Difference(places.path(parent), "fields", shown[0], shown[1])


class _Statistics:
    """Numbers of one array that differ."""

    def __init__(self, dims: tuple[int, ...]) -> None:
        self._dims = dims
        self.count = 0
        self._absolute = self._relative = 0.0
        self._first: tuple[int, Any, Any] | None = None

    def add(self, a: NDArray[Any], b: NDArray[Any], positions: Int64s) -> None:
        """Take notice of numbers that differ, at column-major `positions`."""
        if not len(a):
            return
        if self._first is None:
            self._first = int(positions[0]), a[0].item(), b[0].item()
        self.count += len(a)
        distance = _distance(a, b)
        size = np.maximum(*(np.abs(part.astype(_wide(part))) for part in (a, b)))
        with np.errstate(invalid="ignore", divide="ignore"):
            relative = np.where(np.isinf(size), np.inf, distance / np.where(size == 0, 1, size))
        self._absolute = float(np.maximum(self._absolute, distance.max()))
        self._relative = float(np.maximum(self._relative, relative.max()))

    def difference(self, path: str) -> Difference:
        position, a, b = self._first or (0, 0, 0)
        at = "" if self._dims == (1, 1) else f" at {subscript(position, self._dims, '()')}"
        return Difference(path, "values", f"{a}{at}", f"{b}{at}", self.count, self._absolute, self._relative)


def _distance(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """``|a - b|``, without the wrapping of integers and the NaN of equal infinities."""
    if a.dtype.kind == "b":
        return np.asarray(a != b, np.float64)
    if a.dtype.kind in "iu":
        wide = np.dtype(f"u{a.dtype.itemsize}")
        return np.asarray(np.maximum(a, b).astype(wide) - np.minimum(a, b).astype(wide), np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.where(a == b, 0.0, np.abs(a.astype(_wide(a)) - b)), np.float64)


def _wide(values: NDArray[Any]) -> np.dtype[Any]:
    return np.dtype("c16") if values.dtype.kind == "c" else np.dtype("f8")


def _only(group: Children, some: Int64s) -> Children:
    """Those parents of a group at `some`, with their children."""
    counts = np.diff(group.offsets)[some]
    starts, width = group.offsets[:-1][some], group.width
    if len(some) == len(group.parents) and (some == np.arange(len(some))).all():
        return group
    records = np.concatenate([np.arange(s, s + n) for s, n in zip(starts.tolist(), counts.tolist(), strict=True)])
    flat = (records[:, None] * width + np.arange(width)).ravel().astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Children(group.parents[some], group.fields, group.elements.take(flat), offsets)


def _classes_differ(ha: Headers, hb: Headers) -> NDArray[np.bool_]:
    differs = (ha.cls != hb.cls) | (ha.is_logical != hb.is_logical) | (ha.is_complex != hb.is_complex)
    for i in set(ha.class_names) | set(hb.class_names):
        differs[i] |= ha.class_name(i) != hb.class_name(i)
    return np.asarray(differs)


def _dims_differ(ha: Headers, hb: Headers) -> NDArray[np.bool_]:
    width = max(ha.dims.shape[1], hb.dims.shape[1])
    return np.asarray((ha.widen(width).dims != hb.widen(width).dims).any(axis=1))


class _Described(NamedTuple):
    """As much of an array as its header tells."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def _explanation(ha: Headers, hb: Headers, i: int) -> str:
    if not all(int(h.cls[i]) in CLASS_DTYPES for h in (ha, hb)):
        return ""
    return explain_mismatch(*(_Described(h.shape(i), target_dtype(h, i)) for h in (ha, hb)))


def _error(headers: Headers, i: int) -> str:
    return headers.errors[i].message if i in headers.errors else "readable"


def _class(headers: Headers, i: int) -> str:
    flags = [word for word, on in (("complex", headers.is_complex[i]), ("sparse", _is_sparse(headers, i))) if on]
    return " ".join([*flags, headers.class_name(i)])


def _is_sparse(headers: Headers, i: int) -> bool:
    return bool(headers.cls[i] == MatlabClass.SPARSE)


def _dims(headers: Headers, i: int) -> str:
    return "x".join(map(str, headers.shape(i)))


def _cut(text: str) -> str:
    return repr(text if len(text) <= TEXT else text[:TEXT] + "…")
