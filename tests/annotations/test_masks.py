"""Masks in the layouts that data sets have them in; every pixel as pycocotools decodes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import scipy.io
import scipy.sparse
from pycocotools import mask as coco
from skimage.measure import points_in_poly

import matlens
from matlens.annotations.masks import find_masks, read_masks
from matlens.errors import NoAnnotationsFound
from matlens.helpers.outlines import area_of, outlines_of
from matlens.helpers.run_lengths import counts_of, mask_of, regions_of
from tests.annotations.layouts import cell, struct, structs
from tests.support import CORPUS, run

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
Array = np.ndarray[Any, Any]


def label_map(values: int = 4, rows: int = 40, columns: int = 60, dtype: Any = np.uint8, seed: int = 0) -> Array:
    """Rectangles of the values 1 to so many, none of which hides another."""
    rng, image = np.random.default_rng(seed), np.zeros((rows, columns), dtype)
    for value in range(1, values + 1):
        top, left = rng.integers(0, rows - 8), (columns // values) * (value - 1)
        image[top : top + 8, left : left + 6] = value
    return image


MAPS = [label_map(seed=k, rows=40 + k) for k in range(5)]
IMAGES = [f"{k}.jpg" for k in range(5)]


def decoded(table: pa.Table) -> list[Array]:
    return [coco.decode(mask).astype(bool) for mask in table["mask"].to_pylist()]


def save(tmp_path: Path, **variables: Any) -> Path:
    scipy.io.savemat(tmp_path / "m.mat", variables)
    return tmp_path / "m.mat"


def test_run_lengths_are_those_of_pycocotools() -> None:
    rng = np.random.default_rng(0)
    for k in range(200):
        image = rng.integers(0, 4, rng.integers(1, 30, 2))
        if k % 2:
            image = np.kron(image, np.ones((5, 7), int))
        found = regions_of(image)
        assert found.values.tolist() == [value for value in np.unique(image).tolist() if value]
        for value, counts, area, box in zip(found.values, found.counts, found.areas, found.boxes, strict=True):
            mask = np.asfortranarray(image == value, np.uint8)
            encoded = coco.encode(mask)
            x, y, width, height = coco.toBbox(encoded).tolist()
            assert encoded["counts"].decode() == counts and area == coco.area(encoded)
            assert box.tolist() == [x, y, x + width, y + height]
            assert (mask_of(mask.shape, counts) == mask).all() and sum(counts_of(counts)) == mask.size


def test_outlines_enclose_the_same_pixels() -> None:
    """By even and odd, as scikit-image finds the centres of pixels inside."""
    rng = np.random.default_rng(1)
    for share in (0.1, 0.5, 0.9):
        for _ in range(10):
            mask = rng.random(rng.integers(1, 20, 2)) < share
            y, x = np.mgrid[: mask.shape[0], : mask.shape[1]] + 0.5
            centres, inside = np.c_[x.ravel(), y.ravel()], np.zeros(mask.size, int)
            rings = outlines_of(mask)
            for ring in rings:
                inside += points_in_poly(centres, ring)
            assert (inside.reshape(mask.shape) % 2 == mask).all()
            assert area_of(rings) == mask.sum()
            # No three points lie on a line.
            for ring in rings:
                steps = np.diff(np.vstack([ring, ring[:2]]), axis=0)
                assert (np.einsum("ij,ij->i", steps[1:], steps[:-1]) == 0).all()


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, float])
def test_an_image_of_each_record(tmp_path: Path, count: int, dtype: Any) -> None:
    maps = [(part > 2).astype(bool) if dtype is bool else part.astype(dtype) for part in MAPS[:count]]
    records = [{"im": image, "mask": part} for image, part in zip(IMAGES, maps, strict=False)]
    for variables in (
        {"s": structs(records)},
        {"data": struct(s=structs(records))},
        {"im": cell(IMAGES[:count]), "masks": cell(maps)},
        {"im": cell(IMAGES[:count]), "segmentation": cell(maps, lying=True)},
        {"s": cell([struct(**record) for record in records])},
    ):
        table = read_masks(save(tmp_path, **variables))
        values = [[int(v) for v in np.unique(part) if v] for part in maps]
        assert table["value"].to_pylist() == [value for part in values for value in part]
        assert table["image"].to_pylist() == [name for name, part in zip(IMAGES, values, strict=False) for _ in part]
        expected = [part == value for part, found in zip(maps, values, strict=True) for value in found]
        assert all((a == b).all() for a, b in zip(decoded(table), expected, strict=True)), list(variables)
        assert table["area"].to_pylist() == [int(part.sum()) for part in expected]


@pytest.mark.parametrize("count", [1, 2, 5])
def test_pages_beside_labels(tmp_path: Path, count: int) -> None:
    """The masks of an image as the pages of an array, as detectors that segment take them."""
    stack = np.stack([MAPS[0] == (k % 4) + 1 for k in range(count)], axis=-1)
    labels = [("cat", "dog")[k % 2] for k in range(count)]
    variables = {"masks": stack, "labels": cell(labels), "bbox": np.arange(4.0 * count).reshape(count, 4)}
    table = read_masks(save(tmp_path, **variables))
    assert all((found == stack[..., k]).all() for k, found in enumerate(decoded(table))) and len(table) == count
    assert table["source"].to_pylist() == [f"masks(:,:,{k + 1})" for k in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("name", ["classes", "category"])
def test_classes_beside_pages(tmp_path: Path, count: int, name: str) -> None:
    """A class that comes again is a label; as many different ones may be a list of all, which is told, not taken."""
    stack = np.stack([MAPS[0] == (k % 4) + 1 for k in range(count)], axis=-1)
    for labels in ([f"class {k}" for k in range(count)], ["cat"] * count):
        anno = struct(file="x.jpg", masks=stack, **{name: cell(labels)})
        (source,) = find_masks(matlens.open(save(tmp_path, anno=anno)))
        is_certain = name == "category" or (count > 1 and len(set(labels)) == 1)
        assert source.to_arrow()["label"].to_pylist() == (labels if is_certain else [None] * count)
        assert any("--label-field classes" in reason for reason in source.reasons) != is_certain


def test_small_masks_are_known_by_their_name(tmp_path: Path) -> None:
    blob = np.zeros((8, 9), bool)
    blob[2:6, 3:8] = True
    for variables in ({"mask": blob}, {"s": structs([{"im": "a.png", "mask": blob}])}, {"masks": cell([blob, ~blob])}):
        table = read_masks(save(tmp_path, **variables))
        assert (decoded(table)[0] == blob).all() and table["mask"][0].as_py()["size"] == [8, 9]


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("is_text", [False, True])
def test_labels_by_value(tmp_path: Path, count: int, is_text: bool) -> None:
    """A list beside a label matrix that has a label for each of its values."""
    image, ids = label_map(count), [3, 3, 9, 1][:count]
    names = [f"class {k}" for k in ids]
    labels = cell(names) if is_text else np.array(ids, float).reshape(-1, 1)
    expected = names if is_text else ids
    for variables in (
        {"GTinst": struct(Segmentation=image, Categories=labels)},
        {"inst_map": image.astype(float), "inst_type": labels},
    ):
        assert read_masks(save(tmp_path, **variables))["label"].to_pylist() == expected
    records = structs([{"seg": image, "categories": labels}, {"seg": image[::-1], "categories": labels}])
    if count > 1:
        assert read_masks(save(tmp_path, s=records))["label"].to_pylist() == expected * 2


@pytest.mark.parametrize("counts", [[1], [2], [1, 1], [2, 2], [2, 1, 0]])
def test_parts_of_objects(tmp_path: Path, counts: list[int]) -> None:
    """Masks two levels down have the label of their own record, and what stands above beside them."""
    parts = [[{"part_name": f"part {j}", "mask": MAPS[j] == 2} for j in range(n)] for n in counts]
    none = np.zeros((0, 0))
    records = [
        {"class": f"class {k}", "mask": MAPS[k] == 1, "parts": structs(found) if found else none}
        for k, found in enumerate(parts)
    ]
    path = save(tmp_path, anno=struct(imname="2008_1.jpg", objects=structs(records)))
    with matlens.open(path) as file:
        objects, below = find_masks(file)
        assert objects.variable == "anno.objects.mask" and below.variable == "anno.objects.parts.mask"
        assert objects.to_arrow()["label"].to_pylist() == [f"class {k}" for k in range(len(counts))]
        table = below.to_arrow()
    assert table["label"].to_pylist() == [f"part {j}" for n in counts for j in range(n)]
    assert set(table["image"].to_pylist()) == {"2008_1.jpg"}
    assert table["class"].to_pylist() == [f"class {k}" for k, n in enumerate(counts) for _ in range(n)]
    expected = [MAPS[j] == 2 for n in counts for j in range(n)]
    assert all((a == b).all() for a, b in zip(decoded(table), expected, strict=True))


def test_cells_in_cells_and_sparse_masks(tmp_path: Path) -> None:
    parts = [[MAPS[0] == 1], [MAPS[1] == k for k in (1, 2, 3)]]
    for make in (np.asarray, scipy.sparse.csc_matrix):
        stored = cell([cell([make(part) for part in some]) for some in parts])
        table = read_masks(save(tmp_path, masks=stored, names=cell(IMAGES[:2])))
        assert table["image"].to_pylist() == ["0.jpg", "1.jpg", "1.jpg", "1.jpg"]
        assert table["source"].to_pylist()[1:3] == ["masks{2}{1}", "masks{2}{2}"]
        assert all((a == b).all() for a, b in zip(decoded(table), [*parts[0], *parts[1]], strict=True))


def test_images_without_regions_are_rows(tmp_path: Path) -> None:
    """Rows of logical images stay those of the records; a column that is empty first is one of masks for all that."""
    none = np.zeros((0, 0), bool)
    path = save(tmp_path, masks=cell([np.zeros((20, 30), bool), MAPS[0] == 1]))
    table = read_masks(path)
    assert table["area"].to_pylist() == [0, 48] and table["xmin"].to_pylist()[0] is None
    assert decoded(table)[0].shape == (20, 30) and not decoded(table)[0].any()
    table = read_masks(save(tmp_path, s=structs([{"mask": none}, {"mask": MAPS[0] == 1}])))
    assert table["source"].to_pylist() == ["s(2).mask"]


def test_what_is_no_mask(tmp_path: Path) -> None:
    """Photographs, lines of a pixel, matrices without a name: nothing, or doubtful and told."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 255, (50, 50)).astype(np.uint8)
    edges = np.zeros((50, 50), bool)
    edges[np.arange(50), np.arange(50)] = edges[20] = True
    path = save(
        tmp_path, mask=photo, segments=rng.random((40, 40)), Boundaries=edges, thing=MAPS[0], other=MAPS[0] == 1
    )
    with matlens.open(path) as file:
        assert [(each.variable, each.confidence) for each in find_masks(file)] == [
            ("Boundaries", "doubtful"),
            ("other", "doubtful"),
        ]
        with pytest.raises(NoAnnotationsFound, match=r"no masks in any variable; .*--path Boundaries"):
            read_masks(file)
        assert read_masks(file, "thing")["value"].to_pylist() == [1, 2, 3, 4]
        assert decoded(read_masks(file, "Boundaries"))[0].sum() == edges.sum()


@pytest.mark.parametrize("values", [[1, 2, 3], [1, 3]])
def test_names_of_values(tmp_path: Path, values: list[int]) -> None:
    image = np.where(np.isin(MAPS[0], values), MAPS[0], 0)
    path = save(tmp_path, seg=image)
    assert read_masks(path)["label"].to_pylist() == [None] * len(values)
    assert read_masks(path, label_field="value")["label"].to_pylist() == values
    named = read_masks(path, classes=["sky", "road", "car"])
    assert named["label"].to_pylist() == [["sky", "road", "car"][value - 1] for value in values]


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the project")
def test_segmentations_of_several_people() -> None:
    path = CORPUS / "BIDS+BSDS500/groundTruth/107072.mat"
    stored = scipy.io.loadmat(path)["groundTruth"][0]
    table = read_masks(path)
    found, row = decoded(table), 0
    for k, each in enumerate(stored):
        image = each["Segmentation"][0, 0]
        for value in np.unique(image).tolist():
            assert table["source"][row].as_py() == f"groundTruth{{{k + 1}}}.Segmentation"
            assert table["value"][row].as_py() == value and (found[row] == (image == value)).all()
            row += 1
    assert row == table.num_rows == 150


@pytest.mark.parametrize("command", ["annotations", "boxes", "keypoints", "polygons", "masks"])
def test_damage_is_told_once(tmp_path: Path, command: str) -> None:
    """A file that was cut: the variable and the byte, and what is whole comes out."""
    noise = np.random.default_rng(0).integers(0, 2, (4, 8, 8)).repeat(10, 1).repeat(10, 2)
    whole = struct(im="a.png", mask=MAPS[0])
    scipy.io.savemat(tmp_path / "m.mat", {"good": whole, "s": structs([{"mask": part} for part in noise])})
    content = (tmp_path / "m.mat").read_bytes()
    (tmp_path / "m.mat").write_bytes(content[:-2000])
    done = run(command, str(tmp_path / "m.mat"))
    assert done.returncode == 1 and done.stderr.count(b"(at byte ") == 1, done.stderr.decode()
    if command in ("masks", "annotations"):
        assert b"good.mask" in done.stdout


@pytest.mark.parametrize("command", ["annotations", "boxes", "keypoints", "polygons", "masks"])
def test_files_without_annotations(tmp_path: Path, command: str) -> None:
    scipy.io.savemat(tmp_path / "n.mat", {"x": np.arange(5.0), "name": "text"})
    done = run(command, str(tmp_path / "n.mat"))
    assert b"no " in done.stderr and b"Traceback" not in done.stderr
    assert done.returncode == (0 if command == "annotations" else 1)
