"""Regions of labelers: each kind is its own, however many there are of it and of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matlens
from matlens.annotations.polygons import find_polygons, read_polygons
from matlens.annotations.region_sources import OTHER_KINDS, find_regions, read_regions
from matlens.errors import NoAnnotationsFound
from tests import objects as o
from tests.annotations.test_labels import NONE, ground_truth
from tests.support import CORPUS

TRIANGLE = np.array([[11.0, 21], [31, 21], [21, 41]])
SQUARE = np.array([[1.0, 1], [5, 1], [5, 5], [1, 5]])
IMAGES = ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize("version", ["v7", "v7.3"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_kind_of_region(tmp_path: Path, version: str, count: int) -> None:
    """The last image has none of most; of one image, or of one region in each, the same comes out."""

    def each(value: Any) -> list[Any]:
        return [value] * (count - 1) + [NONE if count > 1 else value]

    full = max(count - 1, 1)
    pair = np.array([[5.0, 6], [7, 8]])
    labels = {
        "car": ("Rectangle", each(np.array([[1.0, 2, 30, 40]]))),
        "lane": ("Line", each(o.cell(TRIANGLE, SQUARE, shape=(2, 1)))),
        "road": ("Polygon", each(o.cell(SQUARE))),
        "eye": ("Point", each(pair)),
        "truck": ("ProjectedCuboid", each(np.array([[1.0, 2, 30, 40, 5, 6, 70, 80]]))),
        "tilted": ("RotatedRectangle", each(np.array([[50.0, 60, 20, 10, 45]]))),
        "rain": ("Scene", [np.array([[k == 0]]) for k in range(count)]),
    }
    with o.save(tmp_path, version, g=ground_truth(count, labels, IMAGES[:count])) as file:
        assert matlens.boxes.read(file)["label"].to_pylist() == ["car"] * full
        polygons = read_polygons(file)
        assert polygons["label"].to_pylist() == ["road"] * full
        assert polygons["image"].to_pylist() == IMAGES[:full]
        assert polygons["polygon"].to_pylist() == [[(SQUARE - 1).tolist()]] * full
        found = {source.kind: source for source in find_regions(file)}
        assert {kind: len(source) for kind, source in found.items()} == {
            "lines": 2 * full,
            "points": 2 * full,
            "projected_cuboids": full,
            "rotated_rectangles": full,
            "scenes": 1,
        }
        lines = read_regions(file, "lines")
        assert lines["line"].to_pylist() == [(TRIANGLE - 1).tolist(), (SQUARE - 1).tolist()] * full
        assert lines["image"].to_pylist() == [name for name in IMAGES[:full] for _ in range(2)]
        assert read_regions(file, "points")["point"].to_pylist() == (pair - 1).tolist() * full
        cuboid = read_regions(file, "projected_cuboids")["projected_cuboid"][0].as_py()
        assert cuboid == [0.0, 1, 30, 40, 4, 5, 70, 80]
        assert read_regions(file, "rotated_rectangles")["rotated_rectangle"][0].as_py() == [49.0, 59, 20, 10, 45]
        scenes = read_regions(file, "scenes")
        assert scenes.select(["image", "label"]).to_pylist() == [{"image": "0.png", "label": "rain"}]
        with pytest.raises(NoAnnotationsFound, match="no cuboids of a labeler"):
            read_regions(file, "cuboids")


@pytest.mark.parametrize("version", ["v7", "v7.3"])
def test_polygons_with_attributes(tmp_path: Path, version: str) -> None:
    """Where a label has attributes, a region is a struct with its position."""
    first = o.struct(Position=SQUARE, occluded=o.char("no"))
    second = o.struct(Position=TRIANGLE, occluded=o.char("yes"))
    labels = {"road": ("Polygon", [first, second])}
    with o.save(tmp_path, version, g=ground_truth(2, labels, IMAGES[:2])) as file:
        table = read_polygons(file)
    assert table["polygon"].to_pylist() == [[(SQUARE - 1).tolist()], [(TRIANGLE - 1).tolist()]]
    assert table["occluded"].to_pylist() == ["no", "yes"] and table["image"].to_pylist() == IMAGES[:2]


@pytest.mark.parametrize("version", ["v7", "v7.3"])
def test_point_clouds_and_several_signals(tmp_path: Path, version: str) -> None:
    """Cuboids of a point cloud stay in its units; each signal has a timetable of its own."""
    cuboid = np.arange(9.0).reshape(1, 9)
    definitions = o.struct_array([{"Name": o.char("car"), "Type": o.char("Cuboid")}], (1, 1))
    times = o.duration([[0.0], [100.0]])
    data = o.timetable(2, times, car=o.cell(cuboid, np.vstack([cuboid, cuboid + 1]), shape=(2, 1)))
    lidar = o.made("groundTruthLidar", any=o.struct(LabelDefinitions=definitions, LabelData=data))
    wide = o.struct_array([{"Name": o.char("car"), "LabelType": o.char("Cuboid")}], (1, 1))
    several = o.made(
        "groundTruthMultisignal", any=o.struct(LabelDefinitions=wide, ROILabelData=o.struct(front=data, rear=data))
    )
    with o.save(tmp_path, version, a=lidar, b=several) as file:
        assert matlens.boxes.find(file) == [] and find_polygons(file) == []
        found = [(source.variable, source.kind, len(source)) for source in find_regions(file)]
        assert found == [
            ("a.any.LabelData.car", "cuboids", 3),
            ("b.any.ROILabelData.front.car", "cuboids", 3),
            ("b.any.ROILabelData.rear.car", "cuboids", 3),
        ]
        assert read_regions(file, "cuboids")["cuboid"].to_pylist()[:3] == [
            *[cuboid[0].tolist()] * 2,
            (cuboid[0] + 1).tolist(),
        ]


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the project")
def test_pixel_labels_are_files() -> None:
    (path,) = (CORPUS / "apoorva-info+Image-Crack-Detector").glob("*.mat")
    table = read_regions(path, "pixel_labels")
    assert table.num_rows == 12 and all(name.endswith(".png") for name in table["file"].to_pylist())
    assert [name.rpartition("_")[2].partition(".")[0] for name in table["image"].to_pylist()] == [
        name.rpartition("_")[2].partition(".")[0] for name in table["file"].to_pylist()
    ]


def test_kinds_have_names_of_their_own() -> None:
    assert len(set(OTHER_KINDS)) == 7 and not {"boxes", "polygons"} & set(OTHER_KINDS)
