"""What every reader keeps: derive a test class from `ReaderContract` for each reader, and give its file.

Examples
--------
``class TestMat4(ReaderContract): file = FIXTURES / "kinds_v4.mat"`` in a test module runs all of them;
a reader that opens otherwise overrides the fixture `reader`.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matlens.errors import FileClosed, MatlensError
from matlens.formats.open import open_reader
from matlens.formats.ragged import groups
from matlens.formats.reader import CONTRACT, Reader
from matlens.formats.records import CLASS_DTYPES, Children, Elements, Headers, Int64s, MatlabClass

CONTAINERS = (MatlabClass.CELL, MatlabClass.STRUCT, MatlabClass.OBJECT, MatlabClass.FUNCTION)


class ReaderContract:
    """Tests of one reader on one file, which has containers and numbers."""

    file: Path
    options: dict[str, Any] = {}  # noqa: RUF012
    """For `open_reader`."""

    @pytest.fixture
    def reader(self) -> Iterator[Reader]:
        opened = open_reader(self.file, **self.options)
        yield opened.reader
        opened.close()

    def test_a_batch_equals_its_elements_one_by_one(self, reader: Reader) -> None:
        seen = [check_batch_equals_singles(reader, headers) for headers in batches(reader)]
        assert sum(seen) > 0

    def test_positions_out_of_range_are_errors_not_values(self, reader: Reader) -> None:
        wild = np.array([-8, -(2**40), 2**40, 10**6 + 3], np.int64)
        headers = reader.headers(Elements(0, np.repeat(wild, 10)))
        assert not headers.ok.any() and len(headers.errors) == 40
        with pytest.raises(MatlensError):
            reader.gather(headers)

    def test_no_elements_give_no_values(self, reader: Reader) -> None:
        none = np.zeros(0, np.int64)
        for variable in reader.variables():
            headers = reader.headers(variable.elements.take(none))
            assert len(headers) == 0 and headers.ok.all()
            assert all(not len(group.elements) for group in reader.children(headers))
            assert reader.gather(headers)[1].tolist() == [0]

    def test_variables_are_looked_for_once(self, reader: Reader) -> None:
        problems = len(reader.problems)
        first, again = reader.variables(), reader.variables()
        assert [v.name for v in first] == [v.name for v in again] and len(reader.problems) == problems
        assert all(a.elements is b.elements for a, b in zip(first, again, strict=True))

    def test_records_are_pickled(self, reader: Reader) -> None:
        for headers in batches(reader):
            copied: Headers = pickle.loads(pickle.dumps(headers))
            np.testing.assert_array_equal(copied.elements.positions, headers.elements.positions)
            np.testing.assert_array_equal(copied.dims, headers.dims)
            for (cls, *_), index in _kinds(copied):
                if cls in CLASS_DTYPES:
                    for a, b in zip(reader.gather(copied.take(index)), reader.gather(headers.take(index)), strict=True):
                        np.testing.assert_array_equal(a, b)

    def test_threads_read_their_own(self, reader: Reader) -> None:
        """Each value of each batch by eight threads at once, which switch as often as they can."""
        found = [
            headers.take(index)
            for headers in batches(reader)
            for (cls, *_), index in _kinds(headers)
            if cls in CLASS_DTYPES
        ]
        expected = [reader.gather(headers)[0] for headers in found]

        def read(thread: int) -> None:
            for k in np.random.default_rng(thread).permutation(len(found)).tolist():
                again = reader.headers(found[k].elements)
                np.testing.assert_array_equal(reader.gather(again)[0], expected[k])

        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(8) as pool:
                assert list(pool.map(read, range(8))) == [None] * 8
        finally:
            sys.setswitchinterval(interval)

    def test_a_closed_reader_says_so(self, reader: Reader) -> None:
        headers = reader.variables()[0].headers
        assert not reader.closed
        reader.close()
        reader.close()
        assert reader.closed
        calls: dict[str, Callable[[], Any]] = {
            "variables": reader.variables,
            "prefetch": lambda: reader.prefetch([headers.elements]),
            "headers": lambda: reader.headers(headers.elements),
            "children": lambda: reader.children(headers),
            "gather": lambda: reader.gather(headers),
            "triplets": lambda: reader.triplets(headers),
            "window_step": lambda: reader.window_step(headers, 0),
            "window": lambda: reader.window(headers, 0, 0, 1),
            "storage": lambda: reader.storage(headers),
            "objects": reader.objects,
            "opaque": lambda: reader.opaque(headers, 0),
        }
        assert calls.keys() == CONTRACT
        for call in calls.values():
            with pytest.raises(FileClosed, match="closed"):
                call()


def _kinds(headers: Headers) -> Iterator[tuple[tuple[Any, ...], Int64s]]:
    """Groups of one class, complexity and logical flag, as one call of `gather` takes them."""
    return groups(headers.cls, headers.is_complex, headers.is_logical)


def batches(reader: Reader) -> Iterator[Headers]:
    """Headers of every batch of siblings in a file."""
    waiting = [variable.headers for variable in reader.variables()]
    assert waiting or reader.problems
    while waiting:
        headers = waiting.pop()
        yield headers
        for (cls, *_), index in _kinds(headers):
            if cls in CONTAINERS:
                for group in reader.children(headers.take(index)):
                    check_children(headers.take(index), group)
                    waiting.append(reader.headers(group.elements))


def check_children(headers: Headers, group: Children) -> None:
    """As many records stand under every parent as its dims say; a function handle has one child."""
    assert len(group.offsets) == len(group.parents) + 1 and group.offsets[0] == 0
    assert len(group.elements) == group.offsets[-1] * group.width
    cls = headers.cls[group.parents]
    expected = np.where(cls == MatlabClass.FUNCTION, 1, headers.numel[group.parents])
    np.testing.assert_array_equal(np.diff(group.offsets), expected)


def check_batch_equals_singles(reader: Reader, headers: Headers) -> int:
    """Compare headers and values of a batch with those of its elements, and count these."""
    assert isinstance(headers.elements, Elements) and headers.elements.positions.dtype == np.int64
    again = reader.headers(headers.elements)
    for i in range(len(headers)):
        single = reader.headers(headers.elements.take([i]))
        for one in (again.take([i]), single):
            assert (one.class_name(0), one.shape(0)) == (headers.class_name(i), headers.shape(i))
            assert one.ok[0] == headers.ok[i] and one.numel[0] == headers.numel[i]
    for (cls, *_), index in _kinds(headers):
        part = headers.take(index)
        if cls in CLASS_DTYPES or cls == MatlabClass.CHAR:
            values, offsets = reader.gather(part)
            assert len(offsets) == len(part) + 1 and offsets[-1] == len(values)
            for k in range(len(part)):
                alone, _ = reader.gather(part.take([k]))
                np.testing.assert_array_equal(values[offsets[k] : offsets[k + 1]], alone)
        elif cls == MatlabClass.SPARSE:
            triplets = reader.triplets(part)
            assert triplets.offsets[-1] == len(triplets.row) == len(triplets.col) == len(triplets.value)
    return len(headers)
