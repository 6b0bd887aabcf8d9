"""Boxes beside their images, for Hugging Face and FiftyOne."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import yaml

from matlens.export.images import BoxesByImage
from matlens.export.writers.huggingface import FORMATS
from tests.annotations.layouts import structs
from tests.export.test_detection_formats import png
from tests.support import run

CLASSES = ["cat 😀", "dog: \x1b'\"#"]
SHOWN = ["cat 😀", "dog: \\x1b'\"#"]
"""The classes as a reader may see them."""


def annotations(folder: Path, count: int, *, part: Any = None, **fields: Any) -> Path:
    """Image k is 64 + k wide and 80 high, in a folder that *datasets* takes for a part, and has k modulo 3 boxes."""
    rows = []
    for k in range(count):
        name = f"val/{k}.png"
        png(folder / "images" / name, 64 + k, 80)
        # Counted from 0, half-open: what stands in the file is the corner and the size.
        corners = np.array([[1.5, 2, 31.25, 40], [5, 6.125, 50 + k, 60]])[: (k + 1) % 3].reshape(-1, 4)
        rows.append(
            {"im": name, "bbox": corners, "label": CLASSES[k % 2]} | ({"part": part(k)} if part else {}) | fields
        )
    scipy.io.savemat(folder / "a.mat", {"s": structs(rows)})
    return folder / "a.mat"


def boxes_of(k: int) -> list[list[float]]:
    return [[1.5, 2, 31.25, 40], [5, 6.125, 50 + k, 60]][: (k + 1) % 3]


def export(source: Path, name: str, *options: str) -> Path:
    folder = source.parent / "out"
    given = ("--path", "s.bbox", "--convention", "xywh", "--images", str(source.parent / "images"))
    done = run("boxes", str(source), *given, "--format", name, "-o", str(folder), *options)
    assert done.returncode == 0, done.stderr.decode()
    return folder


# --- Hugging Face ------------------------------------------------------------------------


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`datasets.load_dataset` without network and with caches of its own."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()

    def loaded(*arguments: Any, **options: Any) -> dict[str, list[dict[str, Any]]]:
        cache = str(tmp_path / "cache" / arguments[0].replace("/", "_"))
        found = datasets.load_dataset(*arguments, **options, cache_dir=cache)
        assert all(each.features["objects"]["bbox"].feature.feature.dtype == "float64" for each in found.values())
        return {str(name): each for name, each in found.items()}

    return loaded


def compare(rows: Any, numbers: list[int]) -> None:
    """The rows of one part are the images of these numbers, with their boxes."""
    assert [row["image"].size for row in rows] == [(64 + k, 80) for k in numbers]
    assert [(row["width"], row["height"]) for row in rows] == [(64 + k, 80) for k in numbers]
    for row, k in zip(rows, numbers, strict=True):
        expected = boxes_of(k)
        assert row["objects"]["bbox"] == expected and row["image_id"] == k + 1
        assert row["objects"]["area"] == [w * h for _, _, w, h in expected]
        assert row["objects"]["category"] == [k % 2] * len(expected)


@pytest.mark.parametrize("count", [1, 2, 40])
@pytest.mark.filterwarnings("ignore")
def test_hugging_face_without_parts(tmp_path: Path, load: Any, count: int) -> None:
    """All images train, though their own folder is called val; ids of boxes count on over images."""
    folder = export(annotations(tmp_path, count), "huggingface")
    by_card, by_folder = load(str(folder)), load("imagefolder", data_dir=str(folder))
    for found in (by_card, by_folder):
        assert list(found) == ["train"]
        compare(found["train"], list(range(count)))
        ids = [k for row in found["train"] for k in row["objects"]["id"]]
        assert ids == list(range(1, len(ids) + 1))
    category: Any = by_card["train"]
    assert category.features["objects"]["category"].feature.names == SHOWN[:count]
    lines = (folder / "train" / "metadata.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["file_name"] == "val_0.png" and len(lines) == count


@pytest.mark.parametrize("empty", [False, True], ids=["boxes in all parts", "a part without boxes"])
@pytest.mark.filterwarnings("ignore")
def test_hugging_face_with_parts(tmp_path: Path, load: Any, empty: bool) -> None:
    """A part without any box has the types of the others all the same."""
    numbers = {"train": [0, 1, 3, 4, 6], "validation": [7, 9], "test": [2, 5, 8] if empty else [2, 10], "fold_1": [11]}
    parts = {k: name for name, images in numbers.items() for k in images}
    numbers["unassigned"] = sorted(set(range(13)) - set(parts))
    source = annotations(tmp_path, 13, part=lambda k: parts.get(k, "").replace("_", " "))
    folder = export(source, "huggingface", "--split-by", "part")
    found = load(str(folder))
    assert set(found) == set(numbers)
    for name, images in numbers.items():
        compare(found[name], images)
    by_folder = load("imagefolder", data_dir=str(folder))
    assert set(by_folder) == {"train", "validation", "test"}
    for name in by_folder:
        compare(by_folder[name], numbers[name])
    card = (folder / "README.md").read_text()
    told = yaml.safe_load(card.split("---\n")[1])
    assert told["task_categories"] == ["object-detection"]
    assert f"- `test`: {len(numbers['test'])} images, {sum(len(boxes_of(k)) for k in numbers['test'])} boxes" in card


@pytest.mark.filterwarnings("ignore")
def test_hugging_face_by_share(tmp_path: Path, load: Any) -> None:
    found = load(str(export(annotations(tmp_path, 10), "huggingface", "--split", "0.7")))
    assert {name: len(part) for name, part in found.items()} == {"train": 7, "validation": 3}
    assert sorted(row["width"] for part in found.values() for row in part) == list(range(64, 74))
    for part in found.values():
        compare(part, [row["image_id"] - 1 for row in part])


@pytest.mark.filterwarnings("ignore")
def test_hugging_face_without_any_box(tmp_path: Path, load: Any) -> None:
    """No box, no class and no size."""
    png(tmp_path / "a.png", 64, 80)
    none = np.zeros(0, np.int64)
    (writer,) = FORMATS
    found = BoxesByImage(["a.png"], [], none, none, np.zeros((0, 4)), [], files={"a.png": tmp_path / "a.png"})
    writer.write_boxes(found, tmp_path / "out")
    for each in (load(str(tmp_path / "out")), load("imagefolder", data_dir=str(tmp_path / "out"))):
        (row,) = each["train"]
        assert row["image"].size == (64, 80) and set(row) == {"image", "image_id", "objects"}
        assert row["objects"] == {"id": [], "area": [], "bbox": [], "category": []}


def test_hugging_face_needs_images(tmp_path: Path) -> None:
    source = annotations(tmp_path, 3)
    call = ("boxes", str(source), "--path", "s.bbox", "--convention", "xywh", "--format", "huggingface")
    done = run(*call, "-o", str(tmp_path / "out"))
    assert done.returncode == 2 and b"3 of 3 have no file, such as val/0.png: --images DIR says where" in done.stderr
    images = ("--images", str(tmp_path / "images"))
    done = run(*call, "-o", str(tmp_path / "out"), *images, "--place-images", "none")
    assert done.returncode == 2 and b"--place-images may be link or copy" in done.stderr
    (tmp_path / "images" / "val" / "1.png").unlink()
    done = run(*call, "-o", str(tmp_path / "out"), *images)
    assert done.returncode == 2 and b"1 of 3 have no file, such as val/1.png" in done.stderr
    assert not (tmp_path / "out").exists()


# --- FiftyOne ----------------------------------------------------------------------------


def test_fiftyone(tmp_path: Path) -> None:
    """Images by their paths without suffix, boxes by width and height, and what is known beside them."""
    source = annotations(tmp_path, 12, score=0.75, id=7.0, tags="x")
    folder = export(source, "fiftyone")
    document = json.loads((folder / "labels.json").read_text())
    assert document["classes"] == CLASSES and set(document) == {"classes", "labels"}
    assert {path.relative_to(folder / "data").with_suffix("").as_posix() for path in folder.rglob("*.png")} == set(
        document["labels"]
    )
    for k in range(12):
        assert (folder / f"data/val/{k}.png").read_bytes() == (tmp_path / f"images/val/{k}.png").read_bytes()
        found = document["labels"][f"val/{k}"]
        assert len(found) == (k + 1) % 3
        for each, (x, y, w, h) in zip(found, boxes_of(k), strict=True):
            assert each["label"] == k % 2 and each["confidence"] == 0.75
            assert each["attributes"] == {"id_": 7, "tags_": "x"}
            assert each["bounding_box"] == pytest.approx([x / (64 + k), y / 80, w / (64 + k), h / 80], abs=1e-12)
    bare = run("boxes", str(source), "--path", "s.bbox", "--convention", "xywh", "--format", "fiftyone",
               "--image-size", "200", "100", "-o", str(tmp_path / "bare"))  # fmt: skip
    assert bare.returncode == 0 and [path.name for path in (tmp_path / "bare").rglob("*")] == ["labels.json"]


def test_fiftyone_values_stay_inside(tmp_path: Path) -> None:
    rows = [
        [-5.0, -5, 20, 20],
        [90, 50, 30, 30],
        [0, 0, 100, 60],
        [120, 10, 5, 5],
        [-9, 5, 9, 9],
        [1 / 3, 0.1, 99.9, 7],
    ]
    records = [{"im": "a", "bbox": np.array(rows)}, {"im": "b", "bbox": np.zeros((0, 4))}]
    scipy.io.savemat(tmp_path / "a.mat", {"s": structs(records)})
    call = ("boxes", str(tmp_path / "a.mat"), "--path", "s.bbox", "--convention", "xywh", "--format", "fiftyone")
    done = run(*call, "-o", str(tmp_path / "none"))
    assert done.returncode == 2 and b"FiftyOne needs the size of each image" in done.stderr
    done = run(*call, "-o", str(tmp_path / "out"), "--image-size", "100", "60")
    assert done.returncode == 0 and b"loss: 2 boxes without area in their image are left out" in done.stderr
    labels = json.loads((tmp_path / "out" / "labels.json").read_text())["labels"]
    found = np.array([each["bounding_box"] for each in labels["a"]])
    expected = [
        [0, 0, 0.15, 0.25],
        [0.9, 50 / 60, 0.1, 10 / 60],
        [0, 0, 1, 1],
        [1 / 300, 0.1 / 60, 1 - 1 / 300, 7 / 60],
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.min() >= 0 and (found[:, :2] + found[:, 2:]).max() <= 1 and labels["b"] == []


def test_fiftyone_with_parts(tmp_path: Path) -> None:
    """Each part is a data set of its own, and the classes are those of all."""
    source = annotations(tmp_path, 9, part=lambda k: ["train", "", "../x"][k // 3])
    folder = export(source, "fiftyone", "--split-by", "part")
    numbers = {"train": [0, 1, 2], "unassigned": [3, 4, 5], "_x": [6, 7, 8]}
    assert sorted(path.name for path in folder.iterdir()) == sorted(numbers)
    for name, images in numbers.items():
        document = json.loads((folder / name / "labels.json").read_text())
        assert document["classes"] == CLASSES
        assert {uuid: len(found) for uuid, found in document["labels"].items()} == {
            f"val/{k}": (k + 1) % 3 for k in images
        }
        assert sorted(path.stem for path in (folder / name / "data").rglob("*.png")) == [str(k) for k in images]


# --- YOLO --------------------------------------------------------------------------------


def test_yolo_names_are_those_of_the_classes(tmp_path: Path) -> None:
    """A character of two halves came as two that cannot be printed."""
    folder = export(annotations(tmp_path, 2), "yolo")
    assert yaml.safe_load((folder / "data.yaml").read_text())["names"] == SHOWN


# --- over an older output ----------------------------------------------------------------


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("name", ["huggingface", "fiftyone", "yolo", "voc"])
def test_an_older_output_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    """Images of an older output had no boxes in the new one, as if nothing were in them."""
    folder = export(annotations(tmp_path, 9), name, "--split", "0.5")
    older = files_below(folder)
    (folder / "notes.txt").write_text("mine")
    (folder / "own").mkdir()
    (folder / "own" / "a.png").write_bytes(b"mine")
    export(annotations(tmp_path, 3), name, "--force")
    found = files_below(folder)
    (tmp_path / "fresh").mkdir()
    expected = files_below(export(annotations(tmp_path / "fresh", 3), name))
    assert found == expected | {"notes.txt", "own/a.png"} and older - found
    assert sorted(path.name for path in (tmp_path / "images" / "val").iterdir()) == [f"{k}.png" for k in range(9)]


@pytest.mark.parametrize("name", ["huggingface", "fiftyone", "yolo"])
def test_images_that_may_be_no_copies_are_kept(tmp_path: Path, name: str) -> None:
    folder = export(annotations(tmp_path, 6), name, "--place-images", "copy")
    before = {path: (folder / path).read_bytes() for path in files_below(folder)}
    source = annotations(tmp_path, 3)
    given = ("--path", "s.bbox", "--convention", "xywh", "--images", str(tmp_path / "images"), "--force")
    done = run("boxes", str(source), *given, "--format", name, "-o", str(folder))
    assert done.returncode == 2 and b"3 files there would be no part of the output, such as " in done.stderr
    assert {path: (folder / path).read_bytes() for path in files_below(folder)} == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_folder_that_is_a_link_keeps_what_it_leads_to(tmp_path: Path) -> None:
    folder, other = export(annotations(tmp_path, 3), "yolo"), tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("mine")
    (folder / "labels" / "linked").symlink_to(other)
    export(annotations(tmp_path, 2), "yolo", "--force")
    assert (other / "a.txt").read_text() == "mine"


def test_what_cannot_be_written_leaves_the_older_output_whole(tmp_path: Path) -> None:
    folder = export(annotations(tmp_path, 6), "yolo")
    before = {path: (folder / path).read_bytes() for path in files_below(folder)}
    source = annotations(tmp_path, 3)
    given = ("--path", "s.bbox", "--convention", "xywh", "--image-size", "99", "99", "--force")
    done = run("boxes", str(source), *given, "--split-by", "label", "--format", "yolo", "-o", str(folder))
    assert done.returncode == 2 and b"YOLO trains with a part train" in done.stderr
    assert {path: (folder / path).read_bytes() for path in files_below(folder)} == before
