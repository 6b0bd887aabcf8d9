"""Generated annotation files of every layout: no box twice, none lost, and nothing wrong that is stated as sure."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

import matlens
from matlens import boxes
from matlens.annotations import BoxSource
from tests.annotations.layouts import Maker, Scene

BLOCK, BLOCKS = 250, 8


def rows_of(source: BoxSource, convention: str) -> list[tuple[Any, tuple[float, ...], Any]]:
    """Image, canonical box and label of each box."""
    table = source.to_arrow(convention)
    corners = [np.round(table[name].to_numpy(), 6).tolist() for name in ("xmin", "ymin", "xmax", "ymax")]
    return list(zip(table["image"].to_pylist(), zip(*corners, strict=True), table["label"].to_pylist(), strict=True))


def faults(scene: Scene) -> list[str]:
    near: list[str] = []
    found = boxes.find(matlens.from_loadmat(scene.variables), near=near)
    certain = [source for source in found if source.confidence != "doubtful"]
    wrong = [fault for source in certain for fault in wrong_of(scene, source)]
    got = Counter((image, box) for source in certain for image, box, _ in rows_of(source, scene.convention))
    truth = Counter((image, box) for image, box, _ in scene.rows())
    if any(image is None for image, _ in got):
        # A copy that stands alone, beside a row whose box is in doubt.
        got, truth = Counter(box for _, box in got.elements()), Counter(box for _, box in truth.elements())
    lost = sum((truth - got).values())
    listed = sum(len(source) for source in found if source.confidence == "doubtful")
    if got - truth:
        wrong.append(f"{sum((got - truth).values())} boxes that are none, or twice")
    if lost and listed < lost and not near:
        wrong.append(f"{lost} boxes lost")
    return wrong


def wrong_of(scene: Scene, source: BoxSource) -> list[str]:
    """What is wrong with a source and stated as sure."""
    found = []
    if source.confidence == "sure" and source.convention != scene.convention:
        found.append(f"{scene.convention} called {source.convention}")
    if source.label is not None and source.is_label_sure:
        labels: dict[tuple[Any, Any], set[Any]] = {}
        for image, box, label in scene.rows():
            labels.setdefault((image, box), set()).add(label)
        rows = [row for row in rows_of(source, scene.convention) if row[:2] in labels]
        if any(label not in labels[image, box] for image, box, label in rows):
            found.append(f"labels of {source.label}")
    return found


@pytest.mark.parametrize("block", range(BLOCKS))
def test_generated_layouts(block: int) -> None:
    wrong = {}
    for seed in range(block * BLOCK, (block + 1) * BLOCK):
        scene = Maker(seed).scene()
        if found := faults(scene):
            wrong[f"{seed}: {scene.told}"] = found
    assert not wrong


def test_layouts_with_odd_elements() -> None:
    """What stands in the place of no boxes hid all the others."""
    wrong, odd = {}, 0
    for seed in range(1300):
        maker = Maker(seed, odd=True)
        scene = maker.scene()
        odd += "odd" in scene.told
        if "odd" in scene.told and (found := faults(scene)):
            wrong[f"{seed}: {scene.told}"] = found
    assert not wrong and odd > 100


def test_the_layouts_are_hard_and_mostly_certain() -> None:
    """Most are read without a question, so that the test above tests something."""
    scenes = [Maker(seed).scene() for seed in range(200)]
    certain = 0
    for scene in scenes:
        found = boxes.find(matlens.from_loadmat(scene.variables))
        got = sum(len(source) for source in found if source.confidence != "doubtful")
        certain += got == sum(map(len, scene.boxes))
    assert certain > 140
