"""The walk down values: what a new operation costs, and what is refused on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from matlens.errors import CorruptFile, LimitExceeded
from matlens.formats.memory import LoadmatReader
from matlens.formats.open import open_reader
from matlens.formats.places import OnePlace, Places
from matlens.formats.reader import Reader
from matlens.formats.records import Headers
from matlens.formats.visit import Batch, Visitor, blocks
from matlens.limits import Limits
from tests.support import FIXTURES


def nested() -> dict[str, Any]:
    """A variable with every kind of value that SciPy writes."""
    records = np.array([(1.0, "a"), (np.arange(3.0), "bc")], dtype=[("x", object), ("t", object)])
    cells = np.array([np.int8(1), "text", records, scipy.sparse.csc_matrix(np.eye(2))], object)
    return {"c": cells}


class Counting(Visitor):
    """How many elements of each kind there are, and where."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.kinds: Counter[str] = Counter()
        self.paths: list[str] = []

    def _note(self, kind: str, batch: Batch) -> None:
        self.kinds[kind] += len(batch)
        self.paths += [batch.path(i) for i in range(len(batch))]

    def numbers(self, batch: Batch) -> None:
        self._note("numbers", batch)

    def text(self, batch: Batch) -> None:
        self._note("text", batch)

    def sparse(self, batch: Batch) -> None:
        self._note("sparse", batch)


def read(tmp_path: Any, values: dict[str, Any]) -> Reader:
    scipy.io.savemat(tmp_path / "x.mat", values)
    return open_reader(tmp_path / "x.mat").reader


def test_every_element_is_met_once_with_its_path(tmp_path: Any) -> None:
    for reader in (read(tmp_path, nested()), LoadmatReader(nested())):
        counting = Counting(reader)
        counting.visit(reader.variables()[0].elements, OnePlace("c"))
        assert counting.kinds == {"numbers": 3, "text": 3, "sparse": 1}
        assert sorted(counting.paths) == ["c{1}", "c{2}", "c{3}(1).t", "c{3}(1).x", "c{3}(2).t", "c{3}(2).x", "c{4}"]
        assert counting.walk.depth == 0


def test_results_stand_in_the_order_of_the_elements() -> None:
    class Sizes(Visitor):
        def numbers(self, batch: Batch) -> list[int]:
            return [int(n) for n in batch.headers.numel]

        def text(self, batch: Batch) -> list[str]:
            return ["text"] * len(batch)

        def cells(self, batch: Batch) -> list[Any]:
            return [self.visit(below.group.elements, below.places, below.owner) for below in self.below(batch)]

    reader = LoadmatReader({"c": np.array([np.zeros(3), "t", np.zeros(2), np.int8(1)], object)})
    assert Sizes(reader).visit(reader.variables()[0].elements) == [[3, "text", 2, 1]]


def test_a_stream_gives_what_is_found_and_can_be_left() -> None:
    class Texts(Visitor):
        def text(self, batch: Batch) -> Iterator[str]:
            yield from (batch.path(i) for i in range(len(batch)))

        def structs(self, batch: Batch) -> Iterator[str]:
            for below in self.below(batch):
                yield from self.stream(below.group.elements, below.places, below.owner)

    texts = Texts(reader := LoadmatReader({"c": np.array(["a", "b", 1.0], object)}))
    found = texts.stream(reader.variables()[0].elements, OnePlace("c"))
    assert next(found) == "c{1}" and texts.walk.depth == 2
    found.close()
    assert texts.walk.depth == 0


def test_limits_of_the_walk_are_named() -> None:
    deep: Any = np.array([1.0])
    for _ in range(10):
        box = np.empty((1, 1), object)
        box[0, 0] = deep
        deep = box
    reader = LoadmatReader({"c": deep})
    reader.limits = Limits(depth=6)
    with pytest.raises(LimitExceeded, match=r"nested deeper than 6 levels: exceeds Limits\.depth = 6"):
        Counting(reader).visit(reader.variables()[0].elements)
    wide = LoadmatReader({"c": np.array([1.0, 2.0, 3.0, "x"], object)})
    wide.limits = Limits(visited=4)
    with pytest.raises(LimitExceeded, match=r"more than 4 elements: exceeds Limits\.visited = 4; .*visited=8"):
        Counting(wide).visit(wide.variables()[0].elements)


def test_shared_cells_that_multiply_are_refused(tmp_path: Any) -> None:
    """Each cell holds the next one ten times: 10 levels would be 10^10 elements."""
    with h5py.File(tmp_path / "x.mat", "w", userblock_size=512) as file:
        below = file.create_dataset("#refs#/leaf", data=np.ones((1, 1)))
        below.attrs["MATLAB_class"] = np.bytes_("double")
        for k in range(10):
            name = "c" if k == 9 else f"#refs#/c{k}"
            cell = file.create_dataset(name, data=np.array([[below.ref] * 10], h5py.ref_dtype).T)
            cell.attrs["MATLAB_class"] = np.bytes_("cell")
            below = cell
    with (tmp_path / "x.mat").open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    opened = open_reader(tmp_path / "x.mat", limits=Limits(shared=500))
    with pytest.raises(LimitExceeded, match=r"expand to more than 500 elements: exceeds Limits\.shared = 500"):
        Counting(opened.reader).visit(opened.reader.variables()[0].elements)
    opened.close()


def test_damage_is_bisected_down_to_the_elements_at_fault(tmp_path: Any) -> None:
    reader = read(tmp_path, {"c": np.array([np.arange(float(k)) for k in range(1, 31)], object)})
    bad, failed = {7, 8, 21}, []

    class Reading(Visitor):
        def numbers(self, batch: Batch) -> None:
            self.attempt(self._read, batch, lambda error, part: failed.append((part.path(0), error.message)))

        def _read(self, batch: Batch) -> None:
            hit = bad.intersection(batch.index.tolist())
            if hit:
                raise CorruptFile(f"{min(hit)} is bad")

    Reading(reader).visit(reader.variables()[0].elements, OnePlace("c"))
    assert failed == [("c{8}", "7 is bad"), ("c{9}", "8 is bad"), ("c{22}", "21 is bad")]


def test_an_error_of_one_element_gets_its_path_and_is_a_copy(tmp_path: Any) -> None:
    known = CorruptFile("broken")

    class Failing(Visitor):
        def text(self, batch: Batch) -> None:
            raise known

    reader = read(tmp_path, {"c": np.array([1.0, "x"], object)})
    with pytest.raises(CorruptFile, match=r"^c\{2\}: broken$"):
        Failing(reader).visit(reader.variables()[0].elements, OnePlace("c"))
    assert known.variable is None


def test_a_level_may_be_taken_as_a_whole() -> None:
    class Depths(Visitor):
        def level(self, headers: Headers, where: Places | None) -> int:
            return 1 + max((self.visit(b.group.elements, None, b.owner) for b in self._inside(headers)), default=0)

        def _inside(self, headers: Headers) -> Iterator[Any]:
            for batch in self.batches(headers, None):
                if int(batch.headers.cls[0]) == 1:
                    yield from self.below(batch)

    inner = np.empty((1, 1), object)
    inner[0, 0] = np.array([1.0, "x"], object)
    reader = LoadmatReader({"c": inner})
    assert Depths(reader).visit(reader.variables()[0].elements) == 3


def test_blocks_hold_bounded_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from matlens.formats import visit

    monkeypatch.setattr(visit, "BLOCK_BYTES", 16 * 10)
    sizes: list[list[int]] = []

    class Blocks(Visitor):
        def numbers(self, batch: Batch) -> None:
            sizes.extend(block.headers.numel.tolist() for block in blocks(batch))

    reader = read(tmp_path, {"c": np.array([np.zeros(4), np.zeros(5), np.zeros(30), np.zeros(1)], object)})
    Blocks(reader).visit(reader.variables()[0].elements)
    assert [n for block in sizes for n in block] == [4, 5, 30, 1] and max(map(len, sizes)) == 2


def test_the_fixtures_have_no_level_left_behind() -> None:
    for name in ("kinds_v7.mat", "kinds_v73.mat", "objects_v7.mat"):
        opened = open_reader(FIXTURES / name)
        for variable in opened.reader.variables():
            counting = Counting(opened.reader)
            counting.visit(variable.elements, OnePlace(variable.name))
            assert counting.walk.depth == 0
        opened.close()
