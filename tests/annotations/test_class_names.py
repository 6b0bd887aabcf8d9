"""Names of classes that boxes have as numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import scipy.io

from matlens import boxes
from matlens.errors import PathError, UnsupportedValue
from tests.annotations.layouts import cell, structs
from tests.annotations.test_detection import made
from tests.support import run

NAMES = ["cat", "dog", "traffic light"]


def save(path: Path, numbers: list[int], **more: Any) -> Path:
    rows = made(len(numbers))
    records = [{"im": f"{k}.jpg", "bbox": rows[[k]], "class": float(number)} for k, number in enumerate(numbers)]
    scipy.io.savemat(path / "a.mat", {"s": structs(records), **more})
    return path / "a.mat"


def labels(path: Path, **options: Any) -> list[Any]:
    return list(boxes.read(path, convention="xywh1", **options)["label"].to_pylist())


def test_names_in_the_file_and_beside_it(tmp_path: Path) -> None:
    numbers = [1, 3, 2, 1, 3, 3, 2, 1]
    expected = [NAMES[number - 1] for number in numbers]
    assert labels(save(tmp_path, numbers)) == numbers
    assert labels(save(tmp_path, numbers, class_names=cell(NAMES))) == expected
    assert labels(save(tmp_path, numbers, class_names=cell(NAMES)), classes="") == numbers
    # From 0, if so many names are there.
    assert labels(save(tmp_path, [n - 1 for n in numbers], names=cell(NAMES))) == expected
    # Too many names, names of images, and two lists that differ, tell nothing.
    for more in (
        {"class_names": cell([*NAMES, "car"])},
        {"names": cell(["1.jpg", "2.jpg", "3.jpg"])},
        {"class_names": cell(NAMES), "label_names": cell(NAMES[::-1])},
    ):
        assert labels(save(tmp_path, numbers, **more)) == numbers
    path = save(tmp_path, numbers)
    scipy.io.savemat(tmp_path / "a_meta.mat", {"class_names": cell(NAMES, lying=True)})
    assert labels(path) == expected
    done = run("boxes", str(path), "--convention", "xywh1")
    assert b"names of classes: a_meta.mat: class_names, 3 names counted from 1" in done.stderr


def test_names_that_are_given(tmp_path: Path) -> None:
    path, expected = save(tmp_path, [1, 2, 3, 2]), ["cat", "dog", "traffic light", "dog"]
    scipy.io.savemat(tmp_path / "m.mat", {"deep": {"list": cell(NAMES)}})
    (tmp_path / "c.json").write_text(json.dumps(NAMES))
    (tmp_path / "coco.json").write_text(
        json.dumps({"categories": [{"id": k, "name": n} for k, n in enumerate(NAMES, 1)]})
    )
    (tmp_path / "c.txt").write_text("\n".join(NAMES) + "\n")
    for classes in (NAMES, dict(enumerate(NAMES, 1)), f"{tmp_path}/m.mat:deep.list", f"{tmp_path}/c.json",
                    f"{tmp_path}/coco.json", f"{tmp_path}/c.txt"):  # fmt: skip
        assert labels(path, classes=classes) == expected, classes
    # A file of a tool that counts from 0 has no name for its own length.
    assert labels(save(tmp_path, [1, 2, 0, 2]), classes=f"{tmp_path}/c.txt") == [
        "dog",
        "traffic light",
        "cat",
        "traffic light",
    ]
    with pytest.raises(UnsupportedValue, match="no name for class 4"):
        labels(save(tmp_path, [1, 4, 2, 1]), classes=NAMES)
    with pytest.raises(PathError, match="does not hold names of classes"):
        labels(path, classes=f"{tmp_path}/nothing.txt")
    done = run("boxes", str(path), "--convention", "xywh1", "--classes", f"{tmp_path}/nothing.txt")
    assert done.returncode == 2 and b"does not hold names of classes" in done.stderr


def test_a_single_class(tmp_path: Path) -> None:
    """One name for boxes of one class was not looked at."""
    for name in ("class_names", "classes", "label_list", "categories"):
        for value in (cell(["cat"]), "cat"):
            assert labels(save(tmp_path, [1] * 8, **{name: value})) == ["cat"] * 8
            assert labels(save(tmp_path, [0] * 8, **{name: value})) == ["cat"] * 8
            assert labels(save(tmp_path, [2] * 8, **{name: value})) == [2] * 8
    # A text that is named otherwise is none.
    for name, value in (("names", cell(["cat"])), ("class_names", "1.jpg"), ("dataset_name", "pets")):
        assert labels(save(tmp_path, [1] * 8, **{name: value})) == [1] * 8


def test_more_names_than_classes_are_told(tmp_path: Path) -> None:
    """Nothing tells whether a list is theirs whose last names no box has."""
    numbers = [1, 3, 1, 1, 3, 3, 1, 1]
    path = save(tmp_path, numbers, class_names=cell([*NAMES, "car", "bus"]), names=cell(["a", "b", "c", "d"]))
    (source,) = boxes.find(path)
    told = "names of classes may be class_names, 5 names for numbers 1 to 3: --classes a.mat:class_names"
    assert [reason for reason in source.reasons if "names" in reason and "named" not in reason] == [told]
    assert labels(path) == numbers
    assert labels(path, classes=f"{path}:class_names") == [NAMES[number - 1] for number in numbers]
    (source,) = boxes.find(path, classes="")
    assert told not in source.reasons


def told_of(path: Path) -> list[str]:
    (source,) = boxes.find(path)
    return [reason for reason in source.reasons if "class" in reason and "labels beside" not in reason]


def test_numbers_with_gaps(tmp_path: Path) -> None:
    """Numbers that leave others out index the names; without names, nothing was told of them."""
    numbers = [1, 2, 5, 5, 2, 1, 1, 5]
    five = [*NAMES, "car", "bus"]
    path = save(tmp_path, numbers, class_names=cell(five))
    assert labels(path) == [five[number - 1] for number in numbers] and told_of(path) == []
    zero = [0, 3, 7, 7, 3, 0, 0, 7]
    gaps = "the numbers of the classes have gaps: {}; COCO, YOLO and others count the 3 classes anew, in this order"
    assert told_of(save(tmp_path, zero)) == [gaps.format("0, 3, 7")]
    eight = list("abcdefgh")
    assert labels(save(tmp_path, zero, class_names=cell(eight))) == [eight[number] for number in zero]
    # As many names as there are different numbers, not as the largest needs.
    path = save(tmp_path, numbers, class_names=cell(NAMES))
    few = (
        "class_names has 3 names for numbers 1 to 5, and is not used: "
        '--classes NAMES.json says which number has which, as in {"5": "traffic light"}'
    )
    assert told_of(path) == [few, gaps.format("1, 2, 5")] and labels(path) == numbers
    (tmp_path / "n.json").write_text(json.dumps({"1": "cat", "2": "dog", "5": "traffic light"}))
    assert labels(path, classes=str(tmp_path / "n.json")) == ["cat", "dog", *["traffic light"] * 2, "dog", "cat", "cat",
                                                              "traffic light"]  # fmt: skip
    assert told_of(save(tmp_path, [2, 3, 4, 2, 3, 4, 2, 2])) == []
    # Of a hundred, the first are shown.
    (told,) = told_of(save(tmp_path, [3 * k for k in range(12)] * 2))
    assert "gaps: 0, 3, 6, 9, 12, 15, 18, 21, …; COCO, YOLO and others count the 12 classes" in told


def test_two_lists_of_names_are_told(tmp_path: Path) -> None:
    more = {"class_names": cell(NAMES), "label_names": cell(NAMES[::-1])}
    found = told_of(save(tmp_path, [1, 3, 2, 1, 3, 3, 2, 1], **more))
    assert [text.rpartition("--classes ")[2] for text in found] == ["a.mat:class_names", "a.mat:label_names"]
