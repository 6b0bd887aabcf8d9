"""Boxes as COCO, YOLO and VOC, read back by the tools that people train with."""

from __future__ import annotations

import json
import os
import struct
import zlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest
import scipy.io
from PIL import Image

import matlens
from matlens import boxes
from matlens.errors import MatlensError, NoAnnotationsFound, OutputExists, PathError, UnfitFormat, UnsupportedValue
from matlens.export.atomic import atomic_folder
from matlens.export.images import file_stems, group_by_image, sizes_of
from matlens.export.splits import split_by_field, split_by_share
from matlens.export.writers.voc import FORMATS as VOC_FORMATS
from matlens.export.writers.yolo import FORMATS as YOLO_FORMATS
from tests.annotations.layouts import cell, structs
from tests.support import FIXTURES, run

(VOC,), (YOLO,) = VOC_FORMATS, YOLO_FORMATS
ANNOTATIONS = str(FIXTURES / "annotations_v7.mat")
CARS = "foamliu+Car-Recognition/cars_train_annos.mat"


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return boxes.read(ANNOTATIONS)


def corners(table: pa.Table) -> np.ndarray[Any, Any]:
    return np.stack([table[name].to_numpy() for name in ("xmin", "ymin", "xmax", "ymax")], axis=1)


def png(path: Path, width: int, height: int) -> None:
    """The smallest PNG of a size: black, without a palette."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * height))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def export(tmp_path: Path, name: str, *options: str, source: str = ANNOTATIONS) -> Path:
    done = run("boxes", source, "-o", str(tmp_path / name), *options)
    assert done.returncode == 0, done.stderr.decode()
    return tmp_path / name


# --- COCO --------------------------------------------------------------------------------


def test_coco_in_pycocotools(tmp_path: Path, table: pa.Table, capsys: Any) -> None:
    coco = pytest.importorskip("pycocotools.coco").COCO(export(tmp_path, "a.json"))
    assert len(coco.imgs) == 70 and len(coco.anns) == 140
    names = {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())}
    found = [coco.anns[k] for k in sorted(coco.anns)]
    low = np.array([annotation["bbox"] for annotation in found])
    np.testing.assert_array_equal(np.hstack([low[:, :2], low[:, :2] + low[:, 2:]]), corners(table))
    assert [names[annotation["category_id"]] for annotation in found] == table["label"].to_pylist()
    images = [coco.imgs[annotation["image_id"]]["file_name"] for annotation in found]
    assert images == table["image"].to_pylist()
    assert all((image["width"], image["height"]) == (640, 480) for image in coco.imgs.values())
    assert coco.anns[1]["attributes"]["reviewed"] is False


def test_coco_of_stanford_cars(tmp_path: Path, corpus: Any) -> None:
    path = str(corpus(CARS))
    done = run("boxes", path, "-o", str(tmp_path / "cars.json"))
    assert done.returncode == 2 and b"COCO needs the size of each image, and 8,144 of 8,144 have none" in done.stderr
    document = json.loads(export(tmp_path, "cars.json", "--image-size", "9999", "9999", source=path).read_text())
    assert len(document["annotations"]) == len(document["images"]) == 8144
    # Names of a neighbour, in the order of their numbers.
    names = scipy.io.loadmat(corpus("foamliu+Car-Recognition/cars_meta.mat"), squeeze_me=True)["class_names"].tolist()
    assert [c["name"] for c in document["categories"]] == names and document["categories"][0]["id"] == 1
    first = scipy.io.loadmat(path, squeeze_me=True)["annotations"][0]
    x1, y1, x2, y2 = (int(first[f"bbox_{name}"]) for name in ("x1", "y1", "x2", "y2"))
    assert document["annotations"][0]["bbox"] == [x1 - 1, y1 - 1, x2 - x1 + 1, y2 - y1 + 1]


# --- YOLO and VOC ------------------------------------------------------------------------


def images_for(folder: Path, table: pa.Table) -> None:
    for name in set(table["image"].to_pylist()):
        png(folder / name, 640, 480)


@pytest.mark.filterwarnings("ignore")
def test_yolo_in_supervision(tmp_path: Path, table: pa.Table, capfd: Any) -> None:
    supervision = pytest.importorskip("supervision")
    folder = export(tmp_path, "yolo", "--format", "yolo")
    images_for(tmp_path / "images", table)
    found = supervision.DetectionDataset.from_yolo(
        str(tmp_path / "images"), str(folder / "labels"), str(folder / "data.yaml")
    )
    assert found.classes == ["car", "person", "van"] == (folder / "classes.txt").read_text().split()
    for name in set(table["image"].to_pylist()):
        here = table.filter(pa.compute.equal(table["image"], name))
        detections = found.annotations[str(tmp_path / "images" / name)]
        np.testing.assert_allclose(detections.xyxy, corners(here), atol=1e-3)
        assert [found.classes[k] for k in detections.class_id] == here["label"].to_pylist()
    assert len(list((folder / "labels").iterdir())) == 70


@pytest.mark.filterwarnings("ignore")
def test_voc_in_supervision(tmp_path: Path, table: pa.Table, capfd: Any) -> None:
    supervision = pytest.importorskip("supervision")
    folder = export(tmp_path, "voc", "--format", "voc")
    images_for(tmp_path / "images", table)
    annotations = str(folder / "Annotations")
    found = supervision.DetectionDataset.from_pascal_voc(str(tmp_path / "images"), annotations)
    for name in set(table["image"].to_pylist()):
        here = table.filter(pa.compute.equal(table["image"], name))
        detections = found.annotations[str(tmp_path / "images" / name)]
        np.testing.assert_array_equal(detections.xyxy, corners(here))
        assert [found.classes[k] for k in detections.class_id] == here["label"].to_pylist()


def test_voc_corners_are_those_of_the_development_kit(tmp_path: Path) -> None:
    """The region of rows 5 to 10 and columns 7 to 15, counted from 1; half pixels stay."""
    table = pa.table(
        {
            "image": ["a/b.jpg", "a/b.jpg"],
            "label": ["cat <&>", "d\x1bog"],
            "xmin": [6.0, 0.5],
            "ymin": [4.0, 0.25],
            "xmax": [15.0, 2.0],
            "ymax": [10.0, 2.5],
        }
    )
    with pytest.raises(UnfitFormat, match="Pascal VOC needs the size of each image"):
        VOC.write_boxes(group_by_image(table), tmp_path / "voc")
    VOC.write_boxes(group_by_image(table, {"a/b.jpg": (640.0, 480.0)}), tmp_path / "voc")
    root = ET.parse(tmp_path / "voc" / "Annotations" / "a" / "b.xml").getroot()
    assert root.findtext("folder") == "a" and root.findtext("filename") == "b.jpg"
    assert [root.findtext(f"size/{tag}") for tag in ("width", "height", "depth")] == ["640", "480", "3"]
    assert (tmp_path / "voc" / "ImageSets" / "Main" / "trainval.txt").read_text() == "a/b\n"
    found = [
        [item.findtext(f"bndbox/{tag}") for tag in ("xmin", "ymin", "xmax", "ymax")] for item in root.iter("object")
    ]
    assert found == [["7", "5", "15", "10"], ["1.5", "1.25", "2", "2.5"]]
    assert [item.findtext("name") for item in root.iter("object")] == ["cat <&>", "d\\x1bog"]


def test_yolo_needs_sizes(tmp_path: Path, corpus: Any) -> None:
    path = str(corpus(CARS))
    done = run("boxes", path, "--format", "yolo", "-o", str(tmp_path / "out"))
    assert (
        done.returncode == 2 and b"8,144 of 8,144 have none, such as 00001.jpg: --size-field, --images" in done.stderr
    )
    assert list(tmp_path.iterdir()) == []
    done = run("boxes", path, "--format", "yolo", "-o", str(tmp_path / "out"), "--image-size", "1000", "800")
    assert done.returncode == 0 and b"reach beyond the edges of their image" in done.stderr
    line = (tmp_path / "out" / "labels" / "00001.txt").read_text().split()
    first = scipy.io.loadmat(path, squeeze_me=True)["annotations"][0]
    assert float(line[1]) == pytest.approx((first["bbox_x1"] - 1 + first["bbox_x2"]) / 2000, abs=1e-9)
    assert int(line[0]) == first["class"] - 1


def test_sizes_from_the_headers_of_images(tmp_path: Path, table: pa.Table) -> None:
    names = table["image"].to_pylist()
    png(tmp_path / "images" / names[0], 123, 45)
    (tmp_path / "images" / names[-1]).write_text("no image")
    outside = pa.table({"image": [*names, "../secret.png", "/etc/hostname", None]})
    png(tmp_path / "secret.png", 9, 9)
    found, origin = sizes_of(outside, folder=tmp_path / "images")
    assert found == {names[0]: (123, 45)} and "headers of the images" in origin


@pytest.mark.parametrize(
    ("fields", "options", "expected"),
    [
        ({"imsize": [[480, 640]]}, {}, (640, 480)),
        ({"img_size": [[480, 640, 3]]}, {}, (640, 480)),
        ({"dims": [[640, 480]]}, {"width_first": True}, (640, 480)),
        ({"im_width": [640], "im_height": [480]}, {}, (640, 480)),
        ({"w2": [640], "h2": [480]}, {"size_field": "w2,h2"}, (640, 480)),
        ({"imsize": [[480, 640]]}, {"constant": (10, 20)}, (10, 20)),
    ],
)
def test_sizes_from_fields(fields: dict[str, Any], options: dict[str, Any], expected: tuple[float, float]) -> None:
    columns = {
        name: pa.array(value, pa.list_(pa.float64(), len(value[0])) if isinstance(value[0], list) else pa.float64())
        for name, value in fields.items()
    }
    found, _ = sizes_of(pa.table({"image": ["a.jpg"]} | columns), **options)
    assert found == {"a.jpg": expected}


def test_boxes_that_have_no_place_are_left_out_and_said() -> None:
    table = pa.table(
        {
            "image": ["a.jpg", None, "a.jpg"],
            "label": pa.array([None, None, None], pa.string()),
            **{name: [1.0, 2.0, np.nan] for name in ("xmin", "ymin", "xmax", "ymax")},
        }
    )
    found = group_by_image(table, images=["b.jpg", "a.jpg", None])
    assert found.dropped == 2 and found.images == ["b.jpg", "a.jpg"] and found.classes == ["object"]
    with pytest.raises(UnfitFormat, match="--image-field"):
        group_by_image(table.slice(1, 1))


def test_folders_are_whole_or_absent(tmp_path: Path, table: pa.Table) -> None:
    found = group_by_image(table, dict.fromkeys(table["image"].to_pylist(), (640.0, 480.0)))
    found.classes = ["car"]
    with pytest.raises(IndexError):
        VOC.write_boxes(found, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    found = group_by_image(table, dict.fromkeys(table["image"].to_pylist(), (640.0, 480.0)))
    (tmp_path / "out").mkdir()
    YOLO.write_boxes(found, tmp_path / "out")
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(OutputExists):
        YOLO.write_boxes(found, tmp_path / "out")
    YOLO.write_boxes(found, tmp_path / "out", force=True)
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    assert not [p for p in tmp_path.rglob("*") if p.name.endswith(".part")]


def test_names_of_label_files() -> None:
    names = ["a.jpg", "A.png", "0--Parade/x_1.5", "../../etc/passwd.jpg", "c:\\d\\e.jpg", "con.png", "\x1b[2J.jpg"]
    stems = file_stems(names)
    assert stems[:3] == ["a", "A_2", "0--Parade/x_1.5"]
    for stem in stems:
        assert ".." not in stem.split("/") and not stem.startswith("/") and "\\" not in stem and "\x1b" not in stem


def test_other_formats_and_refusals(tmp_path: Path, table: pa.Table) -> None:
    import pandas as pd

    frame = pd.read_csv(export(tmp_path, "b.csv"))
    assert frame["xmax"].tolist() == table["xmax"].to_pylist() and "size_1" in frame
    assert len(export(tmp_path, "b.jsonl").read_text().splitlines()) == 140
    with np.load(export(tmp_path, "b.npz"), allow_pickle=False) as found:
        assert found["boxes.xmax"].tolist() == table["xmax"].to_pylist()
    done = run("boxes", ANNOTATIONS, "-o", str(tmp_path / "b.mat"))
    assert done.returncode == 2 and b"no format has the suffix .mat; there are .json, " in done.stderr
    done = run("boxes", ANNOTATIONS, "-o", f"{tmp_path}/folder/")
    assert done.returncode == 2 and b"--format yolo" in done.stderr
    with matlens.open(ANNOTATIONS) as file:
        (source,) = boxes.find(file)
        assert source.image_rows().num_rows == 70


# --- data sets that train at once ----------------------------------------------------------------


def test_parts_of_a_data_set(tmp_path: Path, table: pa.Table) -> None:
    """Images stay whole, the same ones are picked again, and each format has its parts as trainers expect."""
    for k in range(1, 71):
        png(tmp_path / "pictures" / f"{k:05d}.jpg", 640, 480)
    options = ("--format", "yolo", "--split", "0.8", "--images", str(tmp_path / "pictures"))
    folder = export(tmp_path, "yolo", *options)
    labels = {part: sorted(p.stem for p in (folder / "labels" / part).iterdir()) for part in ("train", "val")}
    assert (len(labels["train"]), len(labels["val"])) == (56, 14) and not set(labels["train"]) & set(labels["val"])
    copied = {path.stem: path.read_bytes() for path in (folder / "images").rglob("*.jpg")}
    assert copied and all(content[:4] == b"\x89PNG" for content in copied.values())
    assert {path.parent.name for path in (folder / "images").rglob(f"{labels['val'][0]}.*")} <= {"val"}
    told = (folder / "data.yaml").read_text()
    assert "train: images/train\n" in told and "val: images/val\n" in told
    export(tmp_path, "b.json", "--split", "0.8")
    names = {}
    for part in ("train", "val"):
        document = json.loads((tmp_path / f"b_{part}.json").read_text())
        names[part] = sorted(Path(image["file_name"]).stem for image in document["images"])
        assert len(document["categories"]) == 3
        assert {a["image_id"] for a in document["annotations"]} <= {image["id"] for image in document["images"]}
    assert names == labels and not (tmp_path / "b.json").exists()
    other = export(tmp_path, "c.json", "--split", "0.8", "--seed", "7").parent / "c_val.json"
    assert sorted(Path(i["file_name"]).stem for i in json.loads(other.read_text())["images"]) != labels["val"]
    voc = export(tmp_path, "voc", "--format", "voc", "--split-by", "reviewed", "--image-size", "640", "480")
    lists = {p.stem: p.read_text().split() for p in (voc / "ImageSets" / "Main").iterdir()}
    assert set(lists) == {"train", "val", "trainval"} and len(lists["train"]) + len(lists["val"]) == 70
    # Images without boxes belong to their part as others do.
    rows = scipy.io.loadmat(ANNOTATIONS, squeeze_me=True)["annotations"]
    assert sorted(row["image"] for row in rows if row["reviewed"]) == [f"{stem}.jpg" for stem in lists["train"]]
    done = run("boxes", ANNOTATIONS, "-o", str(tmp_path / "d.json"), "--split-by", "nothing")
    assert done.returncode == 2 and b"no column 'nothing'" in done.stderr


@pytest.mark.parametrize("how", [None, "link", "copy", "none"])
def test_images_beside_their_labels(tmp_path: Path, how: str | None) -> None:
    """By link unless a copy is asked for; what leads out of the folder is never linked to."""
    pictures, outside = tmp_path / "pictures", tmp_path / "outside"
    for k in range(1, 70):
        png(pictures / f"{k:05d}.jpg", 640, 480)
    png(outside / "00070.jpg", 640, 480)
    (pictures / "00070.jpg").symlink_to(outside / "00070.jpg")
    options = ["--format", "yolo", "--images", str(pictures), *(["--place-images", how] if how else [])]
    done = run("boxes", ANNOTATIONS, "-o", str(tmp_path / "refused"), *options)
    assert done.returncode == 2 and b"1 of 70 have none, such as 00070.jpg" in done.stderr
    (pictures / "00070.jpg").unlink()
    png(pictures / "00070.jpg", 640, 480)
    for _ in range(2):
        folder = export(tmp_path, "yolo", *options, "--force")
    found = sorted(path.name for path in (folder / "images").glob("*")) if how != "none" else []
    assert found == ([f"{k:05d}.jpg" for k in range(1, 71)] if how != "none" else [])
    if how != "none":
        assert (folder / "images/00001.jpg").samefile(pictures / "00001.jpg") == (how != "copy")
        assert (folder / "images/00001.jpg").read_bytes() == (pictures / "00001.jpg").read_bytes()


def test_links_where_there_are_no_hard_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another disk has symbolic links, a system without any has copies."""
    (tmp_path / "a.jpg").write_bytes(b"x")

    def refuse(*_: Any) -> None:
        raise OSError

    monkeypatch.setattr(os, "link", refuse)
    with atomic_folder(tmp_path / "soft") as folder:
        folder.put("images/a.jpg", tmp_path / "a.jpg", link=True)
    assert (tmp_path / "soft/images/a.jpg").is_symlink()
    monkeypatch.setattr(os, "symlink", refuse)
    with atomic_folder(tmp_path / "hard") as folder:
        folder.put("images/a.jpg", tmp_path / "a.jpg", link=True)
    copied = tmp_path / "hard/images/a.jpg"
    assert not copied.is_symlink() and copied.read_bytes() == b"x"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--image-name", "{stem}.png"], b"--image-name names the files of coco, fiftyone, huggingface, voc, yolo"),
        (["--size-field", "size"], b"--size-field and --size-wh are for coco"),
        (["--size-wh"], b"--size-field and --size-wh are for coco"),
        (["--place-images", "copy"], b"--place-images is for fiftyone, huggingface, yolo"),
        (["--split", "0.5"], b"--split and --split-by are for coco, fiftyone, huggingface, voc, yolo"),
    ],
)
def test_options_without_effect_are_refused(tmp_path: Path, options: list[str], told: bytes) -> None:
    done = run("boxes", ANNOTATIONS, "-o", str(tmp_path / "b.parquet"), *options)
    assert done.returncode == 2 and told in done.stderr and not (tmp_path / "b.parquet").exists()


def test_parts_do_not_divide_an_image() -> None:
    rows = pa.table({"image": ["a", "a"], "part": ["train", "test"]})
    with pytest.raises(UnfitFormat, match="image a stands in two parts, train and test"):
        split_by_field(rows, "part")
    assert split_by_share(["a"], 0.5) == {"a": "train"}
    for share in (0.0, 1.0, 7.0):
        with pytest.raises(UnfitFormat, match="between 0 and 1"):
            split_by_share(["a", "b"], share)


def test_names_of_images(tmp_path: Path) -> None:
    """Windows paths become portable, folders stay apart, and a template names the files of frames."""
    names = [r"C:\Users\me\set\a\1.jpg", r"C:\Users\me\set\b\1.jpg"]
    rows = [{"im": name, "bbox": np.array([[1.0, 2, 30, 40]])} for name in names]
    scipy.io.savemat(tmp_path / "w.mat", {"s": structs(rows)})
    options = ("--convention", "xywh1", "--image-size", "640", "480")
    document = json.loads(export(tmp_path, "w.json", *options, source=str(tmp_path / "w.mat")).read_text())
    assert [image["file_name"] for image in document["images"]] == ["a/1.jpg", "b/1.jpg"]
    folder = export(
        tmp_path,
        "y",
        *options,
        "--format",
        "yolo",
        "--image-name",
        "x/{folder}_{stem}.png",
        source=str(tmp_path / "w.mat"),
    )
    assert sorted(p.name for p in (folder / "labels" / "x").iterdir()) == ["a_1.txt", "b_1.txt"]
    arguments = (
        "boxes",
        str(tmp_path / "w.mat"),
        *options,
        "--format",
        "yolo",
        "-o",
        str(tmp_path / "z"),
        "--image-name",
    )
    assert b"several images would be named 1.jpg" in run(*arguments, "{stem}.jpg").stderr
    assert b"is not a template of {name}" in run(*arguments, "{what}").stderr


def test_checking_and_mending(tmp_path: Path) -> None:
    rows = np.array(
        [[10, 10, 30, 40], [-5, 4, 20, 20], [600, 400, 700, 500], [700, 10, 720, 40], [50, 60, 50, 80],
         [90, 60, 80, 80], [1, 1, 2, 30], [10, 10, 30, 40], [np.nan, 1, 2, 3]], float,
    )  # fmt: skip
    good = [[100 + 10 * k, 50, 150 + 10 * k, 90 + k] for k in range(20)]
    rows = np.concatenate([rows, np.array(good, float)])
    scipy.io.savemat(tmp_path / "c.mat", {"boxes_xyxy": rows, "image": cell(["a.jpg"] * len(rows))})
    arguments = ("boxes", str(tmp_path / "c.mat"), "--convention", "xyxy", "--image-size", "640", "480")
    done = run(*arguments, "--check", "--json")
    assert done.returncode == 1
    found = {(row["source"], row["problem"]) for row in json.loads(done.stdout)["problems"]}
    paths = [f"boxes_xyxy({k},:)" for k in range(1, 10)]
    assert found == {
        (paths[1], "beyond the edge"), (paths[2], "beyond the edge"), (paths[3], "outside of the image"),
        (paths[4], "no area"), (paths[5], "negative size"), (paths[6], "tiny"), (paths[7], "duplicate"),
        (paths[8], "not finite"),
    }  # fmt: skip
    done = run(*arguments, "--clip", "--drop-invalid", "-o", str(tmp_path / "c.csv"))
    assert done.returncode == 0 and b"4 invalid boxes are left out" in done.stderr
    import pandas as pd

    frame = pd.read_csv(tmp_path / "c.csv")
    assert frame[["xmin", "ymin", "xmax", "ymax"]].to_numpy().tolist()[1:3] == [[0, 4, 20, 20], [600, 400, 640, 480]]
    folder = export(tmp_path, "y", *arguments[2:], "--format", "yolo", source=str(tmp_path / "c.mat"))
    numbers = np.loadtxt(folder / "labels" / "a.txt")
    assert numbers.shape == (25, 5) and numbers[:, 1:].min() >= 0 and numbers[:, 1:].max() <= 1
    edges = np.hstack([numbers[:, 1:3] - numbers[:, 3:] / 2, numbers[:, 1:3] + numbers[:, 3:] / 2])
    assert edges.min() > -1e-9 and edges.max() < 1 + 1e-9
    sound = run("boxes", ANNOTATIONS, "--check")
    assert sound.returncode in (0, 1) and b" problems of 140 boxes" in sound.stderr


# --- drawing, and what is told -------------------------------------------------------------------


def test_boxes_are_drawn_on_copies(tmp_path: Path) -> None:
    """The colour of the frame stands on the first and the last pixel of a box, and nothing else changes."""
    picture = np.full((100, 200, 3), 128, np.uint8)
    (tmp_path / "in").mkdir()
    Image.fromarray(picture).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "broken.png").write_bytes(b"no image")
    box = np.array([[50.0, 40, 30, 20]])
    records = [{"im": name, "bbox": box, "cls": "cat"} for name in ("a.png", "broken.png", "absent.png")]
    scipy.io.savemat(tmp_path / "s.mat", {"s": structs(records)})
    options = ["--convention", "xywh1", "--images", str(tmp_path / "in"), "--draw", str(tmp_path / "out")]
    done = run("boxes", str(tmp_path / "s.mat"), *options)
    assert done.returncode == 0, done.stderr.decode()
    assert b"1 box drawn in 1 image\n" in done.stderr and b"2 images not found" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]
    drawn = np.asarray(Image.open(tmp_path / "out" / "a.png"))
    changed = np.argwhere((drawn != picture).any(axis=2))
    frame = changed[changed[:, 0] >= 50]
    # Rows 40 to 59 and columns 50 to 79, counted from 1.
    assert frame.max(axis=0).tolist() == [58, 78] and frame[:, 1].min() == 49
    assert (drawn[45, 55] == 128).all() and (drawn[39, 60] != 128).any()
    again = run("boxes", str(tmp_path / "s.mat"), *options)
    assert again.returncode == 2 and b"exists" in again.stderr
    refused = run("boxes", str(tmp_path / "s.mat"), "--draw", str(tmp_path / "x"))
    assert refused.returncode == 2 and b"--draw draws on copies of the images in --images DIR" in refused.stderr


def test_keypoints_and_outlines_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (100, 100)).save(tmp_path / "in" / "a.png")
    outline = np.array([[11.0, 21], [61, 21], [61, 71], [11, 71]])
    points = np.array([[21.0, 31], [31, 41], [41, 51], [51, 61], [35, 35]])
    for command, variables, place in (
        ("polygons", {"s": structs([{"im": "a.png", "polygon": outline}])}, (45, 10)),
        ("keypoints", {"s": structs([{"im": "a.png", "landmarks": points}])}, (50, 40)),
    ):
        scipy.io.savemat(tmp_path / "s.mat", variables)
        target = tmp_path / command
        done = run(command, str(tmp_path / "s.mat"), "--images", str(tmp_path / "in"), "--draw", str(target))
        assert done.returncode == 0, done.stderr.decode()
        assert np.asarray(Image.open(target / "a.png"))[place].any()


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    box = np.array([[1.0, 2, 30, 40], [5, 6, 0, 10]])
    scipy.io.savemat(tmp_path / "s.mat", {"s": structs([{"im": f"{k}.jpg", "bbox": box} for k in range(2)])})
    source, size = str(tmp_path / "s.mat"), ("--image-size", "200", "100")
    done = run("boxes", source, "--convention", "xywh1", "-o", str(tmp_path / "y"), "--format", "yolo", *size)
    assert b"loss: 2 boxes without area" in done.stderr and b"y: 2 boxes in 2 images" in done.stderr
    done = run("boxes", source, "--convention", "xywh1", "--clip", "-o", str(tmp_path / "b.parquet"))
    assert b"the size of 2 images is not known: --clip cuts there at the left and upper edge alone" in done.stderr


def test_clipping_leaves_boxes_of_negative_size(table: pa.Table) -> None:
    columns = {"xmin": [-5.0, 5.0], "ymin": [1.0, 1.0], "xmax": [-10.0, 500.0], "ymax": [9.0, 9.0]}
    rows = pa.table({"image": ["a", "a"], "source": ["x", "y"], "label": ["c", "c"], **columns})
    clipped = boxes.clip(rows, {"a": (100, 100)})
    assert clipped["xmax"].to_pylist() == [-10.0, 100.0] and clipped["xmin"].to_pylist() == [-5.0, 5.0]
    assert boxes.check(clipped)["problem"].to_pylist() == ["negative size", "outside of the image"]


def test_calls_that_cannot_work_say_why(tmp_path: Path) -> None:
    other = pa.table({"a": [1]})
    for call, error, told in (
        (lambda: boxes.read([]), NoAnnotationsFound, "no files are given"),
        (lambda: boxes.read(5), TypeError, "a path, bytes or an open binary file is expected, found int"),
        (lambda: boxes.check(other), PathError, "no column 'image', as tables of boxes have; there are a"),
        (lambda: boxes.clip(other), PathError, "no column 'image'"),
        (lambda: boxes.drop_invalid(other), PathError, "no column 'image'"),
        (lambda: boxes.write(other, tmp_path / "x.json"), PathError, "no column 'image'"),
        (lambda: boxes.BoxesDataset(other), PathError, "no column 'image'"),
        (lambda: boxes.convert(["a", "b", "c", "d"], "xywh", "xyxy"), UnsupportedValue, "boxes are real numbers"),
        (lambda: boxes.convert([1j, 2, 3, 4], "xywh", "xyxy"), UnsupportedValue, "found complex128"),
    ):
        with pytest.raises(error) as caught:
            call()
        assert told in str(caught.value) and isinstance(caught.value, MatlensError)
