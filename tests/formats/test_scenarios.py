"""Bytes and what they mean: one name for each case, its bytes beside the values or the errors that are expected.

A case with damage has a sound variable beside it, which must be read all the same.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import h5py
import numpy as np
import pytest

import matlens
from matlens.errors import CorruptFile, LimitExceeded, MatlensError, UnsafeFile
from tests.counting import count_calls
from tests.fuzz.hostile import (
    CELL,
    CHAR,
    DOUBLE,
    FUNCTION,
    INT8,
    SPARSE,
    STRUCT,
    element,
    integers,
    matrix,
    numbers,
    v5_file,
)

GOOD = matrix(DOUBLE, (1, 1), numbers(7), b"good")
LOGICAL, COMPLEX = 0x02, 0x08


@dataclass(frozen=True)
class Case:
    """Content of a file, made when it is needed; values by path as `to_python` gives them; errors by variable."""

    content: Callable[[], bytes]
    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, tuple[type[MatlensError], str]] = field(default_factory=dict)


def v5(*elements: bytes, compressed: bool = False) -> Callable[[], bytes]:
    return lambda: v5_file(*elements, GOOD, compressed=compressed)


def v4(kind: int, dims: tuple[int, int], name: bytes, data: bytes, *, is_complex: bool = False) -> bytes:
    """One variable of v4."""
    return struct.pack("<5i", kind, *dims, is_complex, len(name) + 1) + name + b"\0" + data


def with_class(dataset: Any, name: str, **attributes: Any) -> None:
    for key, value in {"class": np.bytes_(name), **attributes}.items():
        dataset.attrs[f"MATLAB_{key}"] = value


def v73(build: Callable[[Any], None], *changes: tuple[bytes, bytes]) -> Callable[[], bytes]:
    """A file that `build` fills, in which some bytes are then replaced."""

    def content() -> bytes:
        stream = BytesIO()
        with h5py.File(stream, "w") as file:
            file["good"] = np.array([[7.0]])
            build(file)
        found = stream.getvalue()
        for old, new in changes:
            assert old in found
            found = found.replace(old, new)
        return found

    return content


def by_matlab(platform: bytes, *elements: bytes) -> Callable[[], bytes]:
    """A v5 file whose header names the platform."""
    head = b"MATLAB 5.0 MAT-file, Platform: " + platform
    return lambda: head.ljust(116) + v5_file(*elements, GOOD)[116:]


DOUBLES = struct.pack("<4d", 1, 2, 3, 4)
PACKED = matrix(CHAR, (1, 3), element(4, struct.pack("<3H", 0x61, 0xC3A9, 0xC4B1)), b"x")
"""Text as MATLAB saved it for version 6 on Linux: each letter beyond ASCII is two bytes of UTF-8 in a unit."""
STORED = {
    "v4 double": Case(lambda: v4(0, (2, 2), b"x", DOUBLES), {"x": [[1, 3], [2, 4]]}),
    "v4 int16": Case(lambda: v4(30, (1, 2), b"x", struct.pack("<2h", -1, 5)), {"x": [-1, 5]}),
    "v4 complex": Case(lambda: v4(0, (1, 2), b"x", DOUBLES, is_complex=True), {"x": [1 + 3j, 2 + 4j]}),
    "v4 text": Case(lambda: v4(1, (1, 2), b"x", struct.pack("<2d", 104, 105)), {"x": "hi"}),
    "v4 empty": Case(lambda: v4(0, (0, 0), b"x", b""), {"x": []}),
    "v5 int8": Case(v5(matrix(INT8, (1, 2), element(1, b"\xff\x05"), b"x")), {"x": [-1, 5]}),
    "v5 double stored as uint8": Case(v5(matrix(DOUBLE, (1, 2), element(2, b"\xff\x05"), b"x")), {"x": [255, 5]}),
    "v5 logical": Case(v5(matrix(9, (1, 2), element(2, b"\0\1"), b"x", LOGICAL)), {"x": [False, True]}),
    "v5 complex": Case(v5(matrix(DOUBLE, (1, 1), numbers(1) + numbers(2), b"x", COMPLEX)), {"x": 1 + 2j}),
    "v5 text of UTF-8": Case(v5(matrix(CHAR, (1, 2), element(16, "né".encode()), b"x")), {"x": "né"}),
    "v5 text of UTF-16": Case(v5(matrix(CHAR, (1, 2), element(17, "né".encode("utf-16-le")), b"x")), {"x": "né"}),
    "v5 text without data is blank": Case(v5(matrix(CHAR, (1, 5), element(4, b""), b"x")), {"x": " " * 5}),
    "v5 text of packed UTF-8": Case(by_matlab(b"GLNXA64", PACKED), {"x": "a\u00e9\u0131"}),
    "v5 texts of packed UTF-8": Case(
        by_matlab(b"MACI64", matrix(CELL, (1, 40), PACKED * 40, b"x")), {"x{40}": "a\u00e9\u0131"}
    ),
    "v5 text of other writers is UTF-16": Case(by_matlab(b"posix", PACKED), {"x": "a\uc3a9\uc4b1"}),
    "v5 text of UTF-16 with a unit that might be packed": Case(
        by_matlab(b"GLNXA64", matrix(CHAR, (1, 2), element(4, struct.pack("<2H", 0xC3A9, 0x674E)), b"x")),
        {"x": "\uc3a9\u674e"},
    ),
    "v5 no function": Case(v5(matrix(FUNCTION, (0, 0), b"", b"x")), {"x": ""}),
    "v5 small data element": Case(v5(matrix(INT8, (1, 1), struct.pack("<HHI", 1, 1, 9), b"x")), {"x": 9}),
    "v5 cell": Case(
        v5(matrix(CELL, (1, 2), matrix(DOUBLE, (1, 1), numbers(1)) + matrix(CHAR, (1, 1), element(4, b"a\0")), b"x")),
        {"x": [1, "a"], "x{2}": "a"},
    ),
    "v5 struct": Case(
        v5(
            matrix(
                STRUCT,
                (1, 1),
                integers(8) + element(1, b"a".ljust(8, b"\0")) + matrix(DOUBLE, (1, 1), numbers(3)),
                b"x",
            )
        ),
        {"x": {"a": 3}, "x.a": 3},
    ),
    "v5 compressed": Case(v5(matrix(DOUBLE, (1, 2), numbers(1, 2), b"x"), compressed=True), {"x": [1, 2]}),
    "v7.3 double": Case(
        v73(lambda file: with_class(file.create_dataset("x", data=[[1.0], [2.0]]), "double")), {"x": [1, 2]}
    ),
    "v7.3 text": Case(
        v73(
            lambda file: with_class(
                file.create_dataset("x", data=np.array([[104], [105]], np.uint16)), "char", int_decode=np.int32(2)
            )
        ),
        {"x": "hi"},
    ),
    "v7.3 empty": Case(
        v73(
            lambda file: with_class(file.create_dataset("x", data=np.array([0, 3], "u8")), "double", empty=np.uint8(1))
        ),
        {"x": []},
    ),
}
"""Sound files: how each kind of value is stored."""


def sparse(rows: tuple[int, ...], starts: tuple[int, ...], values: tuple[float, ...]) -> bytes:
    body = integers(*rows) + integers(*starts) + numbers(*values)
    return matrix(SPARSE, (7, 3), body, b"x", nzmax=len(rows))


def bomb() -> bytes:
    packed = zlib.compress(struct.pack("<II", 14, 56) + bytes(50_000_000))
    return v5_file(GOOD) + struct.pack("<II", 15, len(packed)) + packed


def wrong_class(cls: str) -> Callable[[Any], None]:
    def build(file: Any) -> None:
        names = np.empty(1, object)
        names[0] = np.array([b"a"], "S1")
        dataset = file.create_dataset("x", data=np.array([3, 4], np.uint64))
        with_class(dataset, cls, empty=np.uint8(1))
        if cls == "struct":
            dataset.attrs.create("MATLAB_fields", names, dtype=h5py.vlen_dtype(np.dtype("S1")))

    return build


def endless(dim: int) -> Case:
    """A dim of zero beside one that no array has."""
    content = v73(
        lambda file: with_class(file.create_dataset("x", (0, 12_345_678_901), "f8"), "double"),
        (struct.pack("<Q", 12_345_678_901), struct.pack("<Q", dim)),
    )
    return Case(content, errors={"x": (LimitExceeded, "dims")})


DAMAGED = {
    "more dims than values": Case(
        v5(matrix(DOUBLE, (20000, 40000), numbers(*range(8)), b"x")),
        errors={"x": (CorruptFile, r"x: 8 items stored, 20000x40000 declared \(at byte \d+\)")},
    ),
    "negative dims": Case(
        v5(matrix(DOUBLE, (-2 % 2**32, 4), numbers(*range(8)), b"x")), errors={"x": (CorruptFile, "x: ")}
    ),
    "huge dims": Case(
        v5(matrix(DOUBLE, (2**31 - 1, 2**31 - 1), numbers(*range(8)), b"x")), errors={"x": (MatlensError, "x: ")}
    ),
    "text of any length without data": Case(
        v5(matrix(CHAR, (2**31 - 1, 2**31 - 1), element(4, b""), b"x")),
        errors={"x": (CorruptFile, "0 characters stored")},
    ),
    "a cell of more elements than bytes": Case(
        v5(matrix(CELL, (2**20, 2**10), matrix(DOUBLE, (1, 1), numbers(1)), b"x")),
        errors={"x": (CorruptFile, "1073741824 elements declared in")},
    ),
    "an element of a cell in a struct": Case(
        v5(
            matrix(
                STRUCT,
                (1, 1),
                integers(8)
                + element(1, b"a".ljust(8, b"\0"))
                + matrix(CELL, (1, 2), matrix(DOUBLE, (1, 1), numbers(1)) + matrix(DOUBLE, (3, 4), numbers(*range(8)))),
                b"x",
            )
        ),
        {"x.a{1}": 1},
        {"x": (CorruptFile, r"x\.a\{2\}: 8 items stored, 3x4 declared")},
    ),
    "a row beyond a sparse matrix": Case(
        v5(sparse((1000, 1), (0, 1, 1, 2), (1, 2))),
        errors={"x": (CorruptFile, "row index 1000 of a sparse matrix with 7 rows")},
    ),
    "columns of a sparse matrix that go back": Case(
        v5(sparse((1, 2), (0, 2, 1, 2), (1, 2))), errors={"x": (CorruptFile, "do not increase from 0")}
    ),
    "fewer non-zeros than declared": Case(
        v5(sparse((1, 2), (0, 1, 1, 9), (1, 2))), errors={"x": (CorruptFile, "9 non-zeros declared, 2 stored")}
    ),
    **{
        f"dims of an empty {cls} that are not empty": Case(
            v73(wrong_class(cls)), errors={"x": (CorruptFile, r"x: dims 3x4 of an empty array \(at byte \d+\)")}
        )
        for cls in ("double", "char", "cell", "struct")
    },
    "a dim of 2^53 beside zero": endless(2**53),
    "a dim of 2^63 - 1 beside zero": endless(2**63 - 1),
    "a dim of 2^63 beside zero": endless(2**63),
    "a dim of 2^64 - 1 beside zero": endless(2**64 - 1),
    "an external link": Case(
        v73(lambda file: file.__setitem__("x", h5py.ExternalLink("other.h5", "/secret"))),
        errors={"x": (UnsafeFile, "x: .*link")},
    ),
    "a soft link": Case(
        v73(lambda file: file.__setitem__("x", h5py.SoftLink("/good"))), errors={"x": (UnsafeFile, "x: .*link")}
    ),
}
"""Files with one bad variable, and a good one beside it."""


@pytest.mark.parametrize("name", STORED)
def test_stored_values(name: str) -> None:
    case = STORED[name]
    with matlens.open(case.content()) as file:
        assert not file.problems
        for path, expected in case.values.items():
            assert file.at(path).to_python() == expected, path


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("form", ["to_numpy", "to_python", "to_arrow"])
def test_damage_is_told_and_the_rest_is_read(name: str, form: str) -> None:
    case = DAMAGED[name]
    with matlens.open(case.content()) as file:
        assert file["good"].to_python() == 7
        for path, expected in case.values.items():
            assert file.at(path).to_python() == expected, path
        for variable, (error, message) in case.errors.items():
            with pytest.raises(error, match=message) as caught:
                getattr(file[variable], form)()
            assert str(caught.value).startswith(f"<bytes>: {variable}")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("size", [0, 1, 9, 64, 10_000, 2**31, 2**32 - 1])
def test_a_wrong_size_leaves_the_variables_around_it(size: int, compressed: bool) -> None:
    head = len(v5_file())
    values = np.random.default_rng(0).random(200)
    good, middle, last = (
        v5_file(each, compressed=compressed)[head:]
        for each in (GOOD, matrix(DOUBLE, (20, 10), numbers(*values), b"x"), GOOD.replace(b"good", b"last"))
    )
    with matlens.open(v5_file() + good + middle[:4] + struct.pack("<I", size) + middle[8:] + last) as file:
        assert file["good"].to_python() == file["last"].to_python() == 7
        errors = list(file.problems)
        for name in set(file) - {"good", "last"}:
            try:
                # Inflated, it may be whole.
                np.testing.assert_array_equal(file[name].to_numpy().ravel("F"), values)
            except MatlensError as error:
                errors.append(error)
        assert errors


def test_a_bomb_of_zeros_is_cut_at_its_declared_size() -> None:
    with matlens.open(bomb()) as file:
        assert file["good"].to_python() == 7
        names = set(file) - {"good"}
        assert len(file.problems) + len(names) == 1
        for name in names:
            with pytest.raises(MatlensError):
                file[name].to_numpy()


@pytest.mark.parametrize("compressed", [False, True])
def test_names_of_many_variables_cost_few_calls(compressed: bool) -> None:
    """Headers of variables are made when they are asked for, and names are read without them."""
    variables = (matrix(DOUBLE, (1, 1), numbers(k), b"v%05d" % k) for k in range(2000))
    content = v5_file(*variables, compressed=compressed)
    calls, names = count_calls(lambda: list(matlens.open(content)))
    assert len(names) == 2000 and calls < 2000 * 60
