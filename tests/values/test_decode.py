"""The walk of `scipy.io.loadmat` output, under all of its options."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import scipy.io

import matlens
from matlens.values.plain import decode, plain
from tests.support import FIXTURES, files_of_scipy, scipy_files

MARKS = np.array([("Sarah", (8.0, 7.0)), ("John", (6.0, 7.0))], dtype=[("name", "U16"), ("grades", "f8", (2,))])
OPTIONS: list[dict[str, Any]] = [
    {},
    {"squeeze_me": True},
    {"struct_as_record": False},
    {"simplify_cells": True},
    {"chars_as_strings": False},
    {"mat_dtype": True},
    {"squeeze_me": True, "struct_as_record": False},
]


def test_record_of_a_plain_structured_dtype() -> None:
    john = decode(MARKS[1])
    assert john["name"] == "John" and john["grades"].tolist() == [6.0, 7.0]
    assert plain(MARKS[1]) == {"name": "John", "grades": [6.0, 7.0]}


def test_nodes_of_a_plain_structured_dtype() -> None:
    node = matlens.from_loadmat(MARKS)["value"]
    assert node.matlab_class == "struct" and node.dims == (1, 2)
    assert node[1].to_python() == {"name": "John", "grades": [6.0, 7.0]}
    assert node["grades"][0].value.tolist() == [[8.0, 7.0]]
    assert node.to_arrow().to_pylist() == [
        {"name": "Sarah", "grades": [8.0, 7.0]},
        {"name": "John", "grades": [6.0, 7.0]},
    ]


def test_a_single_void() -> None:
    node = matlens.from_loadmat(MARKS[0])["value"]
    assert node.dims == (1, 1) and node["name"].value == "Sarah"


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_annotations_decode_alike_under_every_option(options: dict[str, Any]) -> None:
    path = FIXTURES / "annotations_v7.mat"
    records = decode(scipy.io.loadmat(path, **options))["annotations"]
    assert len(records) == 70
    third = records[2]
    assert list(third) == ["image", "boxes", "labels", "size", "reviewed"]
    assert third["image"] == "00003.jpg"
    assert np.asarray(third["boxes"]).tolist()[0] == [165, 119, 218, 176]
    assert list(third["labels"]) == ["van", "person", "car"]
    nodes = matlens.from_loadmat(scipy.io.loadmat(path, **options))
    assert nodes.at("annotations(3).image").value == "00003.jpg"
    assert nodes.at("annotations(70).boxes").dims[0] in (0, 1)


def without_values(value: Any) -> Any:
    return plain(value)


@pytest.mark.parametrize("options", OPTIONS[:1] + OPTIONS[4:6], ids=str)
@pytest.mark.parametrize("path", [p for p in files_of_scipy() if p in scipy_files()])
def test_nodes_of_loadmat_output_equal_nodes_of_the_file(path: Any, options: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = scipy.io.loadmat(path, **options)
    with matlens.open(path) as file, matlens.from_loadmat(loaded) as memory:
        for name in memory:
            if memory[name].kind in ("function", "opaque", "object"):
                continue
            assert memory[name].matlab_class == file[name].matlab_class or memory[name].kind == "numeric"
            if options.get("mat_dtype") or file[name].kind in ("char", "cell", "struct"):
                assert_equal_plain(memory[name].to_python(), file[name].to_python())


def assert_equal_plain(a: Any, b: Any) -> None:
    if isinstance(a, complex) or isinstance(b, complex):
        # SciPy drops imaginary parts under mat_dtype=True.
        assert np.real(a) == pytest.approx(np.real(b))
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_equal_plain(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_equal_plain(x, y)
    else:
        assert a == b or (a != a and b != b)


def test_plain_follows_jsonencode() -> None:
    file = matlens.open(FIXTURES / "kinds_v7.mat")
    # Rows of a cell matrix are lists, as those of a numeric matrix are.
    assert file["cells"].to_python() == [[1.0, "two", [[3.0, 4.0], [5.0, 6.0]]], [[7.0, [8.0]], [], True]]
    assert file.at("numbers.nd").to_python()[0][0] == [1.0, 7.0, 13.0, 19.0]


def test_char_dims_of_joined_and_single_characters() -> None:
    joined = np.array(["ab ", "cde"])
    single = np.array([["a", "b", " "], ["c", "d", "e"]])
    for value in (joined, single):
        node = matlens.from_loadmat({"t": value})["t"]
        assert node.dims == (2, 3) and node.value.tolist() == ["ab ", "cde"]


def test_values_without_a_matlab_class_say_so() -> None:
    node = matlens.from_loadmat({"t": np.array(["2020-01-01"], "M8[D]")})["t"]
    with pytest.raises(matlens.MatlensError, match="datetime64"):
        node.value


def test_zeros_inside_text_are_letters() -> None:
    """NumPy fills texts up with zeros, of which only those at the end mean nothing."""
    file = matlens.from_loadmat({"x": np.array(["a\0b"]), "two": np.array(["a\0b", "c"])})
    assert file["x"].to_python() == "a\0b"
    assert file["two"].to_python() == ["a\0b", "c  "]


@pytest.mark.parametrize("order", ["<", ">"])
def test_texts_of_any_byte_order(order: str) -> None:
    one, two, letters = (np.array(items).astype(f"{order}U3") for items in (["abc"], ["abc", "d"], [["a", "b"]]))
    file = matlens.from_loadmat({"one": one, "two": two, "letters": letters.astype(f"{order}U1")})
    assert {name: file[name].to_python() for name in file} == {"one": "abc", "two": ["abc", "d  "], "letters": "ab"}
    assert file["one"].value == "abc"
