"""Differences between two files, or two values, by path: structure first, then values.

Values of any version are compared by what they are in MATLAB: class, dims and numbers.
Elements are compared in batches, so that only differences cost something each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from matlens.errors import MatlensError
from matlens.formats.dtypes import target_dtype
from matlens.formats.loadmat_output import is_undecoded
from matlens.formats.places import ChildPlaces, OnePlace, Places, SomePlaces, subscript
from matlens.formats.ragged import units_to_str
from matlens.formats.reader import Reader
from matlens.formats.records import CLASS_DTYPES, Children, Elements, Headers, Int64s, MatlabClass
from matlens.formats.visit import Batch, Visitor, Walk, blocks
from matlens.helpers import explain_mismatch
from matlens.tree.access import elements_of, is_part, reader_of
from matlens.tree.file import ReadingOptions, Source, from_loadmat, opened
from matlens.tree.nodes.node import Node
from matlens.values.handles import function_texts
from matlens.values.kinds import sparse_arrays
from matlens.values.loadmat_form import decode_values
from matlens.values.plain import json_safe, plain
from matlens.values.windows import StoredArray, pieces

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


def diff(
    a: Source, b: Source, *, rtol: float = 0.0, atol: float = 0.0, **options: Unpack[ReadingOptions]
) -> Iterator[Difference]:
    """Differences between two files, variable by variable.

    Two numbers are equal if ``|a - b| <= atol + rtol * |b|``; NaN equals NaN.

    Parameters
    ----------
    a, b : str, os.PathLike, bytes, binary file object or MatFile
    rtol, atol : float
    **options
        ``engine``, ``isolate``, ``limits``, ``errors`` of both, as for `matlens.open`.

    Examples
    --------
    >>> list(diff("fixtures/annotations_v7.mat", "fixtures/annotations_v73.mat"))
    []
    """
    with opened(a, **options) as first, opened(b, **options) as second:
        for name in dict.fromkeys([*first, *second]):
            if name in first and name in second:
                yield from diff_nodes(first[name], second[name], rtol=rtol, atol=atol)
                continue
            path = (first[name] if name in first else second[name]).path
            shown = [file[name].summary() if name in file else "" for file in (first, second)]
            yield Difference(path, "missing", shown[0], shown[1])


def diff_nodes(a: Node, b: Node, *, rtol: float = 0.0, atol: float = 0.0) -> Iterator[Difference]:
    """Differences between two values, which may be of one file."""
    first, second = (from_loadmat({"value": n.to_numpy()})["value"] if is_part(n) else n for n in (a, b))
    comparer = _Comparer(reader_of(first), reader_of(second), rtol, atol)
    if a.is_global != b.is_global and not (is_part(a) or is_part(b)):
        flags = ["global" if node.is_global else "not global" for node in (a, b)]
        yield Difference(a.path, "class", flags[0], flags[1])
    try:
        yield from comparer.compare(elements_of(first), elements_of(second), OnePlace(a.path))
    except MatlensError as error:
        yield Difference(a.path, "unreadable", error.message, "")


class _Comparer(Visitor):
    """Compares element k of one reader with element k of another, for all k of a level.

    The walk is that of the first; the second goes along.
    """

    def __init__(self, a: Reader, b: Reader, rtol: float, atol: float) -> None:
        super().__init__(a)
        self._other = Walk(b, "visited")
        self._readers = a, b
        self._rtol, self._atol = rtol, atol

    def compare(self, a: Elements, b: Elements, places: Places, owner: Int64s | None = None) -> Iterator[Difference]:
        """Compare two levels, and all below them."""
        ha, hb = self.walk.enter(a, owner), self._other.enter(b, owner)
        try:
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
            for batch in self.batches(ha.take(index), SomePlaces(places, index)):
                second = hb.take(index[batch.index])
                yield from self.handle(Batch(batch.headers, index[batch.index], batch.places, beside=second))
        finally:
            self.walk.leave()
            self._other.leave()

    def _sides(self, batch: Batch) -> list[tuple[Reader, Headers]]:
        """Both readers, each with its headers of the elements of a batch."""
        second = batch.headers if batch.beside is None else batch.beside
        return list(zip(self._readers, (batch.headers, second), strict=True))

    # --- containers ----------------------------------------------------------------

    def structs(self, batch: Batch) -> Iterator[Difference]:
        """Compare the children of cells, structs and old objects, matched by field name."""
        firsts, seconds = (reader.children(headers) for reader, headers in self._sides(batch))
        for ga in firsts:
            for gb in seconds:
                _, ka, kb = np.intersect1d(ga.parents, gb.parents, assume_unique=True, return_indices=True)
                if len(ka):
                    yield from self._groups(_only(ga, ka), _only(gb, kb), batch)

    def _groups(self, ga: Children, gb: Children, batch: Batch) -> Iterator[Difference]:
        """Compare the children of the same parents, those of one set of fields on each side."""
        owner = ga.owners(batch.index, of_records=True)
        if ga.fields is None or gb.fields is None:
            yield from self.compare(ga.elements, gb.elements, ChildPlaces(batch, batch.headers, ga), owner)
            return
        for name in dict.fromkeys((*ga.fields, *gb.fields)):
            if name in ga.fields and name in gb.fields:
                k = ga.fields.index(name)
                below = ga.column(k), gb.column(gb.fields.index(name))
                yield from self.compare(*below, ChildPlaces(batch, batch.headers, ga, k), owner)
                continue
            shown = [f"field {name}" if name in fields else "" for fields in (ga.fields, gb.fields)]
            for parent in ga.parents.tolist():
                yield Difference(batch.path(parent), "fields", shown[0], shown[1])

    # --- objects and functions -----------------------------------------------------

    def functions(self, batch: Batch) -> Iterator[Difference]:
        texts = [function_texts(reader, h) for reader, h in self._sides(batch)]
        for i, (x, y) in enumerate(zip(*texts, strict=True)):
            if x != y:
                yield Difference(batch.path(i), "values", _cut(x), _cut(y))

    def objects(self, batch: Batch) -> Iterator[Difference]:
        """Objects by their values; those that are not decoded are passed over, and said to be."""
        values = (decode_values(reader, h.elements) for reader, h in self._sides(batch))
        for i, (x, y) in enumerate(zip(*values, strict=True)):
            if is_undecoded(x) or is_undecoded(y):
                shown = [f"{_class(h, i)} object" for _, h in self._sides(batch)]
                yield Difference(batch.path(i), "not compared", shown[0], shown[1])
                continue
            a, b = json.dumps(json_safe(plain(x))), json.dumps(json_safe(plain(y)))
            if a != b:
                yield Difference(batch.path(i), "values", _cut(a), _cut(b))

    # --- numbers and text ----------------------------------------------------------

    def numbers(self, batch: Batch) -> Iterator[Difference]:
        for block in blocks(batch):
            found = self._large if len(block) == 1 and block.headers.numel[0] > LARGE else self._numbers
            yield from found(block)

    def _numbers(self, batch: Batch) -> Iterator[Difference]:
        (va, offsets), (vb, _) = self._gather(batch)
        bad = np.flatnonzero(self._unequal(va, vb))
        owners = np.searchsorted(offsets, bad, "right") - 1
        for i in np.unique(owners).tolist():
            where = bad[owners == i]
            statistics = _Statistics(batch.headers.shape(i))
            statistics.add(va[where], vb[where], where - offsets[i])
            yield statistics.difference(batch.path(i))

    def text(self, batch: Batch) -> Iterator[Difference]:
        for block in blocks(batch):
            (va, starts), (vb, others) = self._gather(block)
            suspects = range(len(block))
            # Characters beyond the 16-bit range count in one file as one and in another as two.
            if np.array_equal(starts, others):
                suspects = np.unique(np.searchsorted(starts, np.flatnonzero(va != vb), "right") - 1).tolist()
            for i in suspects:
                a, b = (units_to_str(v[o[i] : o[i + 1]]) for v, o in ((va, starts), (vb, others)))
                if a != b:
                    yield Difference(block.path(i), "values", _cut(a), _cut(b), _differing(a, b))

    def _gather(self, batch: Batch) -> list[tuple[NDArray[Any], Int64s]]:
        return [reader.gather(h) for reader, h in self._sides(batch)]

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

    def _large(self, batch: Batch) -> Iterator[Difference]:
        """One array in windows of its last dimension."""
        arrays = [StoredArray(reader, h) for reader, h in self._sides(batch)]
        statistics = _Statistics(batch.headers.shape(0))
        for position, pair in pieces(*arrays):
            a, b = (piece.ravel(order="F") for piece in pair)
            bad = np.flatnonzero(self._unequal(a, b))
            statistics.add(a[bad], b[bad], bad + position)
        if statistics.count:
            yield statistics.difference(batch.path(0))

    def sparse(self, batch: Batch) -> Iterator[Difference]:
        matrices = [sparse_arrays(reader, h) for reader, h in self._sides(batch)]
        for i, (a, b) in enumerate(zip(*matrices, strict=True)):
            a, b, dims = a.tocoo(), b.tocoo(), batch.headers.shape(i)
            keys = [m.coords[1].astype(np.int64) * dims[0] + m.coords[0] for m in (a, b)]
            everywhere = np.union1d(*keys)
            full = [np.zeros(len(everywhere), m.data.dtype) for m in (a, b)]
            for values, key, m in zip(full, keys, (a, b), strict=True):
                values[np.searchsorted(everywhere, key)] = m.data
            bad = np.flatnonzero(self._unequal(*full))
            if len(bad) and dims[0]:
                statistics = _Statistics(dims)
                statistics.add(full[0][bad], full[1][bad], everywhere[bad])
                yield statistics.difference(batch.path(i))


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


def _differing(a: str, b: str) -> int:
    """How many characters of two texts differ."""
    return sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b))


def _cut(text: str) -> str:
    return repr(text if len(text) <= TEXT else text[:TEXT] + "…")
