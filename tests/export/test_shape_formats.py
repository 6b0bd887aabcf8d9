"""Polygons and masks as COCO, YOLO and PNG, read back by the tools that people train with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.io
from skimage.draw import polygon2mask
from skimage.io import imread

from matlens import boxes
from matlens.annotations.masks import read_masks
from matlens.export.shapes import has_holes, rings_of, single_ring
from matlens.export.writers.png import colour, png_of
from tests.annotations.layouts import cell, structs
from tests.annotations.test_masks import IMAGES, MAPS, label_map
from tests.annotations.test_polygons import EQUAL, RAGGED, outline
from tests.support import run

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    records = [{"im": name, "seg": part, "label": "x"} for name, part in zip(IMAGES, MAPS, strict=True)]
    scipy.io.savemat(tmp_path / "masks.mat", {"s": structs(records)})
    return tmp_path / "masks.mat"


@pytest.fixture
def polygons(tmp_path: Path) -> Path:
    records = [
        {"im": name, "polygon": part, "cls": cls, "imsize": np.array([200.0, 300.0])}
        for name, part, cls in zip(IMAGES, [*RAGGED, EQUAL[0]], ["a", "b", "a", "b"], strict=False)
    ]
    scipy.io.savemat(tmp_path / "polygons.mat", {"s": structs(records)})
    return tmp_path / "polygons.mat"


def write(command: str, source: Path, target: Path, *options: str) -> str:
    done = run(command, str(source), "-o", str(target), *options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stderr.decode()


def test_coco_masks_are_those_of_the_file(tmp_path: Path, masks: Path) -> None:
    from pycocotools.coco import COCO

    write("masks", masks, tmp_path / "m.json", "--label-field", "value")
    coco = COCO(str(tmp_path / "m.json"))
    assert [image["file_name"] for image in coco.loadImgs(coco.getImgIds())] == IMAGES
    assert [category["name"] for category in coco.loadCats(coco.getCatIds())] == ["1", "2", "3", "4"]
    for k, part in enumerate(MAPS):
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=k + 1)):
            expected = part == annotation["category_id"]
            assert (coco.annToMask(annotation) == expected).all() and annotation["area"] == expected.sum()


def test_coco_polygons_are_those_of_the_file(tmp_path: Path, polygons: Path) -> None:
    from pycocotools.coco import COCO

    write("polygons", polygons, tmp_path / "p.json")
    coco = COCO(str(tmp_path / "p.json"))
    annotations = coco.loadAnns(coco.getAnnIds())
    assert [each["segmentation"] for each in annotations] == [
        [(part - 1).ravel().tolist()] for part in [*RAGGED, EQUAL[0]]
    ]
    for each, part in zip(annotations, [*RAGGED, EQUAL[0]], strict=True):
        x, y = part.T
        assert each["area"] == abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
        assert each["bbox"] == [x.min() - 1, y.min() - 1, np.ptp(x), np.ptp(y)]
        # To a pixel along the edge: pycocotools rounds in its own way.
        exact = polygon2mask((200, 300), np.c_[y - 1, x - 1])
        assert np.abs(int(coco.annToMask(each).sum()) - int(exact.sum())) <= np.ptp(x) + np.ptp(y)


def test_yolo_outlines_load_in_supervision(tmp_path: Path, masks: Path) -> None:
    import supervision

    folder = tmp_path / "images"
    folder.mkdir()
    for name, part in zip(IMAGES, MAPS, strict=True):
        (folder / name).with_suffix(".png").write_bytes(png_of(part.astype(int)))
    write("masks", masks, tmp_path / "yolo", "--format", "yolo", "--label-field", "value")
    loaded = supervision.DetectionDataset.from_yolo(
        str(folder), str(tmp_path / "yolo/labels"), str(tmp_path / "yolo/data.yaml"), force_masks=True
    )
    assert loaded.classes == ["1", "2", "3", "4"]
    for name, part in zip(IMAGES, MAPS, strict=True):
        found = loaded.annotations[str(folder / name).replace(".jpg", ".png")]
        for mask, number in zip(found.mask, found.class_id, strict=True):
            expected = part == number + 1
            # Its own filling takes the pixels on the lower and right edges, too.
            assert (mask & expected).sum() == expected.sum() and mask.sum() <= expected.sum() * 1.5


def test_yolo_polygons_are_by_the_size_of_the_image(tmp_path: Path, polygons: Path) -> None:
    write("polygons", polygons, tmp_path / "yolo", "--format", "yolo")
    for name, part, number in zip(IMAGES, [*RAGGED, EQUAL[0]], [0, 1, 0, 1], strict=False):
        line = (tmp_path / "yolo/labels" / name).with_suffix(".txt").read_text().split()
        assert int(line[0]) == number
        assert np.array(line[1:], float) == pytest.approx(((part - 1) / [300, 200]).ravel())


def test_voc_and_tables_tell_what_they_keep(tmp_path: Path, polygons: Path, masks: Path) -> None:
    assert "Pascal VOC has boxes alone" in write("polygons", polygons, tmp_path / "voc", "--format", "voc")
    write("masks", masks, tmp_path / "m.parquet")
    assert pq.read_table(tmp_path / "m.parquet")["mask"].to_pylist() == read_masks(masks)["mask"].to_pylist()
    # A table of masks is one of boxes, too.
    data = boxes.BoxesDataset(read_masks(masks))
    assert data[0][1]["boxes"].shape == (4, 4)


@pytest.mark.parametrize("values", [1, 4, 255, 300])
def test_png_has_the_values_of_the_matrix(tmp_path: Path, values: int) -> None:
    image = np.arange(40 * 64).reshape(40, 64) // 8 % (values + 1)
    scipy.io.savemat(tmp_path / "m.mat", {"seg": image.astype(np.uint16)})
    write("masks", tmp_path / "m.mat", tmp_path / "out", "--format", "png")
    if values > 255:
        assert (imread(tmp_path / "out/m.png") == image).all()
    else:
        # scikit-image gives the colours of the palette.
        shown = imread(tmp_path / "out/m.png")[..., :3]
        assert (shown == np.array([colour(k) for k in range(256)], np.uint8)[image]).all()


def test_png_of_each_image(tmp_path: Path, masks: Path) -> None:
    """Images without a region are written for all that; those of one name have numbers."""
    write("masks", masks, tmp_path / "named", "--format", "png")
    assert sorted(path.name for path in (tmp_path / "named").iterdir()) == [f"{k}.png" for k in range(5)]
    scipy.io.savemat(tmp_path / "c.mat", {"masks": cell([np.zeros((20, 30), bool), MAPS[0] == 1])})
    write("masks", tmp_path / "c.mat", tmp_path / "out", "--format", "png")
    found = [imread(tmp_path / "out" / name)[..., 0] for name in ("c.png", "c_2.png")]
    assert not found[0].any() and ((found[1] > 0) == (MAPS[0] == 1)).all()


def test_colours_are_those_of_voc() -> None:
    assert [colour(k) for k in (1, 2, 3, 4, 8, 20)] == [
        (128, 0, 0),
        (0, 128, 0),
        (128, 128, 0),
        (0, 0, 128),
        (64, 0, 0),
        (0, 64, 128),
    ]


def test_holes_are_told_and_kept_where_the_format_can(tmp_path: Path) -> None:
    square, hole = np.array([[1.0, 1], [41, 1], [41, 41], [1, 41]]), outline(8, 20, 6)
    rings = [square.tolist(), hole[::-1].tolist()]
    assert has_holes(rings) and not has_holes(rings[:1])
    ring = np.vstack([single_ring(rings), single_ring(rings)[:1]])
    inside = polygon2mask((50, 50), ring[:, ::-1])
    assert not inside[20, 20] and inside[3, 3]
    both = np.vstack([square, [[np.nan, np.nan]], hole[::-1]])
    scipy.io.savemat(tmp_path / "h.mat", {"polygon": both})
    told = write("polygons", tmp_path / "h.mat", tmp_path / "h.json", "--image-size", "50", "50")
    assert "1 polygon with holes are written without them" in told
    document: dict[str, Any] = json.loads((tmp_path / "h.json").read_text())
    assert document["images"][0]["file_name"] == "h" and len(document["annotations"][0]["segmentation"]) == 2


def test_masks_of_one_image_have_one_size(tmp_path: Path) -> None:
    names = cell(["a.jpg", "a.jpg"])
    scipy.io.savemat(tmp_path / "m.mat", {"masks": cell([label_map(2), label_map(2, rows=50)]), "im": names})
    done = run("masks", str(tmp_path / "m.mat"), "-o", str(tmp_path / "m.json"))
    assert done.returncode == 2 and b"masks of one image have one size" in done.stderr
    assert [len(ring) for ring in rings_of({"size": [2, 3], "counts": "21100"})] == [4]
