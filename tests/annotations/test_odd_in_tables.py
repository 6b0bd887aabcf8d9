"""Single elements that do not fit beside the others, in variables of MATLAB's tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matlens import boxes
from tests import objects as o
from tests.annotations.test_labels import ground_truth
from tests.annotations.test_odd_elements import AT, COUNT, NOTHING, ODD, parts_of

IMAGES = [f"{k}.jpg" for k in range(COUNT)]


def stored_with(odd: str) -> tuple[Any, Any, list[str]]:
    """Cells of boxes with an odd one, the boxes that are left, and their images."""
    parts = parts_of("many")
    stored = [*parts[:AT], (ODD | NOTHING)[odd], *parts[AT + 1 :]]
    images = [image for k, image in enumerate(IMAGES) for _ in range(len(parts[k]) * (k != AT))]
    return o.cell(*stored, shape=(COUNT, 1)), np.concatenate([*parts[:AT], *parts[AT + 1 :]]), images


def layouts(column: Any) -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Where the boxes are, the label that the table gives them, and the variables."""
    names = o.cell(*IMAGES, shape=(COUNT, 1))
    yield "t.bbox", None, {"t": o.table(COUNT, im=names, bbox=column)}
    yield "d.t.bbox", None, {"d": o.struct(t=o.table(COUNT, im=names, bbox=column))}
    yield "t.car", "car", {"t": o.table(COUNT, imageFilename=names, car=column)}


@pytest.mark.parametrize("version", ["v7", "v7.3"])
@pytest.mark.parametrize("odd", [*ODD, *NOTHING])
def test_one_odd_element_in_a_table(tmp_path: Path, odd: str, version: str) -> None:
    """Boxes of labels lost their label and were doubtful, and nothing told of the odd one."""
    column, expected, images = stored_with(odd)
    for place, label, variables in layouts(column):
        problems: list[Any] = []
        with o.save(tmp_path, version, **variables) as file:
            (source,) = boxes.find(file, problems=problems)
            table = source.to_arrow("xywh1")
        np.testing.assert_array_equal(source.reading.values, expected)
        assert table["image"].to_pylist() == images and source.confidence != "doubtful"
        assert set(table["label"].to_pylist()) == {label}
        told = f"{place}: left out: 1 of {COUNT} that does not fit, {odd} at {place}{{{AT + 1}}}"
        assert [str(problem).rpartition("mat: ")[2] for problem in problems] == ([told] if odd in ODD else [])


@pytest.mark.parametrize("odd", ["1x4 char", "1x5 double", "NaN"])
def test_one_odd_element_in_a_ground_truth(tmp_path: Path, odd: str) -> None:
    column, expected, images = stored_with(odd)
    parts = list(column.ravel())
    truth = ground_truth(COUNT, {"car": ("Rectangle", parts)}, IMAGES)
    problems: list[Any] = []
    with o.save(tmp_path, "v7.3", gTruth=truth) as file:
        (source,) = boxes.find(file, problems=problems)
        table = source.to_arrow()
    np.testing.assert_array_equal(source.reading.values, expected)
    assert table["image"].to_pylist() == images and set(table["label"].to_pylist()) == {"car"}
    assert len(problems) == (odd in ODD)
