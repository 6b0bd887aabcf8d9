"""Values written out and read back: nothing is lost on the way."""

from __future__ import annotations

import ast
import csv
import datetime as dt
import io
import json
import math
import re
import shutil
import subprocess
import zoneinfo
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

import matlens
from matlens.errors import UnsupportedValue
from matlens.tui.model.details import details
from matlens.tui.model.exact import Cells, Chars, Handle, Other, Records, Strings, exact_value
from matlens.tui.model.literals import FORMS, python_text, written
from matlens.tui.model.matlab_literals import matlab_text
from tests.support import FIXTURES

DOUBLES = np.array([[math.pi, 0.1, -1e-300, 1e22, 5e-324, 2.0**53, -0.0, 1.7976931348623157e308]])
SPECIAL = np.array([[np.nan, np.inf], [-np.inf, 1.5]])
INT64 = np.array([[2**63 - 1, -(2**63), 2**53 + 1, 0, -7]])
UINT64 = np.array([[2**64 - 1], [2**53 + 1]], np.uint64)
COMPLEX = np.array([[1 + 2j, complex(-0.0, math.pi)], [complex(math.nan, math.inf), -3j]])
HOSTILE = 'it\'s "so",\ta\nb\r\x1b]0;x\x07 \u202e \U0001f600 日本 \\ %d'
ARRAYS = {
    "doubles": DOUBLES,
    "special": SPECIAL,
    "int64": INT64,
    "uint64": UINT64,
    "complex": COMPLEX,
    "single": np.array([[0.1, 1 / 3]], np.float32),
    "int8": np.array([[-128, 127]], np.int8),
    "logical": np.array([[True, False]]),
    "empty": np.zeros((0, 3)),
    "cube": np.arange(24.0).reshape(2, 3, 4) / 7,
}


def same(a: Any, b: Any) -> bool:
    """Whether two arrays are the same, the sign of zeros included."""
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", ARRAYS)
def test_python_reads_arrays_back(name: str) -> None:
    array = np.ascontiguousarray(ARRAYS[name])
    assert same(eval(python_text(array), {"np": np}), array)


@pytest.mark.parametrize("value", [math.pi, 5e-324, 2**63 - 1, -0.0, 1.5 + 2j, True, HOSTILE, "\ud800"])
def test_python_reads_single_values_back(value: Any) -> None:
    found = ast.literal_eval(python_text(value))
    assert type(found) is type(value) and repr(found) == repr(value)


def test_python_reads_nested_values_back() -> None:
    value = Records((1, 2), ["a", "it's"], [[DOUBLES[:, :1], "x"], [Cells((2, 2), ["a", "b", "c", "d"]), "'"]])
    assert ast.literal_eval(python_text(value)) == [
        {"a": math.pi, "it's": "x"},
        {"a": [["a", "c"], ["b", "d"]], "it's": "'"},
    ]
    sparse = scipy.sparse.csc_array(np.array([[0, math.pi], [0, 0]]))
    found = eval(python_text(sparse), {"np": np, "scipy": scipy})
    assert same(found.toarray(), sparse.toarray())
    time = np.array([["2020-01-02T03:04:05.123456", "NaT"]], "datetime64[us]")
    assert same(eval(python_text(time), {"np": np}), time)
    assert same(eval(python_text(time[:, :1]), {"np": np}), time[0, 0])


def test_json_is_read_back_and_tells_what_it_cannot_say() -> None:
    found = written(SPECIAL, "JSON")
    assert json.loads(found.text) == [[None, None], [None, 1.5]] and found.notes == ("NaN and Inf are null",)
    assert json.loads(written(INT64, "JSON").text) == INT64.ravel().tolist()
    assert json.loads(written(DOUBLES, "JSON").text) == DOUBLES.ravel().tolist()
    assert json.loads(written(HOSTILE, "JSON").text) == HOSTILE
    assert json.loads(written("\ud800", "JSON").text) == "\ud800"
    written("\ud800", "JSON").text.encode()
    complex_ = written(COMPLEX[:1, :1], "JSON")
    assert json.loads(complex_.text) == {"real": 1.0, "imag": 2.0} and "real and imag" in complex_.notes[0]
    assert json.loads(written(Strings((1, 2), ["a", None]), "JSON").text) == ["a", None]


@pytest.mark.parametrize(("form", "delimiter"), [("TSV", "\t"), ("CSV", ",")])
def test_tables_are_read_back(form: str, delimiter: str) -> None:
    def read(value: Any) -> list[list[str]]:
        return list(csv.reader(io.StringIO(written(value, form).text, newline=""), delimiter=delimiter))

    assert same(np.array([[float(item) for item in line] for line in read(DOUBLES)]), DOUBLES)
    assert [[int(item) for item in line] for line in read(INT64)] == INT64.tolist()
    assert read(HOSTILE) == [[HOSTILE]]
    records = Records((1, 2), ["a", "b,\t"], [["x\ny", np.array([[1.5, 2]])], ["", np.array([[True]])]])
    assert read(records) == [["a", "b,\t"], ["x\ny", "[1.5, 2.0]"], ["", "1"]]
    assert "surrogates" in written("\ud800", form).notes[0]


NUMBER = r"-?(?:NaN|Inf|[\d.]+(?:e[+-]\d+)?)"


def matlab_numbers(text: str, dtype: Any) -> Any:
    """What MATLAB makes of a matrix of numbers: literals are doubles, and sums of integers are exact."""
    total = None
    for part in text.split(" + "):
        rows = re.sub(r"^\w+\(|\)$", "", part).strip("[]").split("; ")
        values = [[float(item) for item in re.findall(NUMBER, row)] for row in rows]
        array = np.array([[int(item) for item in line] for line in values] if dtype.kind in "iu" else values, dtype)
        total = array if total is None else total + array
    return total


@pytest.mark.parametrize("name", ["doubles", "special", "int64", "uint64", "single", "int8"])
def test_matlab_literals_hold_the_numbers(name: str) -> None:
    array = np.ascontiguousarray(ARRAYS[name])
    assert same(matlab_numbers(matlab_text(array), array.dtype), array)


def matlab_chars(text: str) -> str:
    """What MATLAB makes of quoted text and codes of UTF-16 units."""
    units = b""
    for quoted, codes in re.findall(r"'((?:[^']|'')*)'|char\(\[([\d ]+)\]\)", text):
        units += quoted.replace("''", "'").encode("utf-16-le")
        units += b"".join(int(code).to_bytes(2, "little") for code in codes.split())
    return units.decode("utf-16-le", "surrogatepass")


@pytest.mark.parametrize("text", ["it's", "''", "a b", HOSTILE, "\ud800x"])
def test_matlab_text_holds_the_letters_and_acts_on_no_terminal(text: str) -> None:
    found = matlab_text(text)
    assert matlab_chars(found) == text
    assert found.isprintable()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.array([[True, False]]), "[true false]"),
        (np.array([[True]]), "true"),
        (np.zeros((0, 3), np.int8), "int8(zeros(0, 3))"),
        (np.zeros((0, 3)), "zeros(0, 3)"),
        (np.ones((1, 2, 2)), "reshape([1 1 1 1], [1 2 2])"),
        (COMPLEX[:1], "complex([1 -0], [2 3.141592653589793])"),
        ("", "''"),
        (Chars(["ab", "it"]), "['ab'; 'it']"),
        (Chars(["ab", "cd"], (2,)), "permute(reshape(['ab'; 'cd'].', 2, 1, 2), [2 1 3])"),
        (Strings((1, 2), ['a"b', None]), '["a""b", string(missing)]'),
        (Strings((1, 1), ["a\nb"]), "string(['a', char([10]), 'b'])"),
        (Cells((1, 2), ["a", Cells((1, 1), [np.array([[1.0]])])]), "{'a', {1}}"),
        (Cells((0, 0), []), "cell(0, 0)"),
        (Records((1, 1), ["a"], [[Cells((1, 1), ["x"])]]), "struct('a', {{'x'}})"),
        (Records((1, 2), ["a"], [["x"], ["y"]]), "struct('a', {'x', 'y'})"),
        (Records((0, 0), ["a"], []), "struct('a', cell(0, 0))"),
        (Handle("@(x) x+1"), "@(x) x+1"),
        (np.array([["2020-01-02T03:04:05.5"]], "datetime64[us]"), "datetime(2020, 1, 2, 3, 4, 5.5)"),
        (scipy.sparse.csc_array(np.array([[0, 2.5]])), "sparse(1, 2, 2.5, 1, 2)"),
    ],
)
def test_matlab_literals(value: Any, expected: str) -> None:
    assert matlab_text(value) == expected


def test_what_has_no_literal_is_told() -> None:
    with pytest.raises(UnsupportedValue, match="no literal in MATLAB"):
        matlab_text(Other("table", {}))


@pytest.mark.skipif(shutil.which("octave") is None, reason="Octave is not there")
@pytest.mark.parametrize("name", ARRAYS)
def test_octave_reads_literals_back(name: str, tmp_path: Path) -> None:
    script = f"x = {matlab_text(ARRAYS[name])}; save('-v7', '{tmp_path / 'x.mat'}', 'x')"
    subprocess.run(["octave", "--no-gui", "--eval", script], check=True, capture_output=True)
    assert same(np.ascontiguousarray(scipy.io.loadmat(tmp_path / "x.mat")["x"]), np.ascontiguousarray(ARRAYS[name]))


@pytest.mark.parametrize("name", ["kinds_v4", "kinds_v7", "kinds_v73", "objects_v7", "annotations_v73"])
def test_every_value_of_the_fixtures_can_be_written(name: str) -> None:
    with matlens.open(FIXTURES / f"{name}.mat") as file:
        for node in file.values():
            value = exact_value(node)
            for form in FORMS:
                try:
                    text = written(value, form).text
                except UnsupportedValue:
                    assert form == "MATLAB" and node.kind == "opaque"
                    continue
                if form == "JSON":
                    json.loads(text)
                elif form == "Python":
                    eval(text, {"np": np, "scipy": scipy, "datetime": dt, "zoneinfo": zoneinfo})


def test_details_of_numbers() -> None:
    assert dict(details(np.float64(math.pi))) == {
        "value": "3.141592653589793",
        "17 digits": "3.1415926535897931",
        "hex": "0x1.921fb54442d18p+1",
        "bits": "0 10000000000 1001001000011111101101010100010001000010110100011000",
    }
    assert dict(details(np.uint64(2**64 - 1)))["value"] == "18446744073709551615"
    assert dict(details(np.int16(-1)))["hex"] == "0xffff"
    assert dict(details(np.array([["1970-01-01T00:00:01"]], "datetime64[us]")))["microseconds since 1970"] == "1000000"
    assert dict(details("a\x1b\nb"))["text"] == "a\\x1b\nb"
    assert dict(details(np.nan))["value"] == "NaN"
