"""What every reader keeps: derive a test class from `ReaderContract` for each reader, and give its file.

Examples
--------
``class TestMat4(ReaderContract): file = FIXTURES / "kinds_v4.mat"`` in a test module runs all of them;
a reader that opens otherwise overrides the fixture `reader`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matlens.errors import MatlensError
from matlens.formats.open import open_reader
from matlens.formats.ragged import groups
from matlens.formats.reader import Reader
from matlens.formats.records import CLASS_DTYPES, Children, Elements, Headers, MatlabClass

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


def batches(reader: Reader) -> Iterator[Headers]:
    """Headers of every batch of siblings in a file."""
    waiting = [variable.headers for variable in reader.variables()]
    assert waiting or reader.problems
    while waiting:
        headers = waiting.pop()
        yield headers
        for (cls, *_), index in groups(headers.cls, headers.is_complex, headers.is_logical):
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
    for (cls, *_), index in groups(headers.cls, headers.is_complex, headers.is_logical):
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
