"""Keypoints in the layouts that data sets have them in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.io

import matlens
from matlens.annotations.keypoints import find_keypoints, read_keypoints
from matlens.errors import NoAnnotationsFound
from tests.annotations.layouts import cell, struct, structs
from tests.support import run

NAMES = [f"joint {k}" for k in range(14)]


def shapes(count: int, points: int = 14, seed: int = 0) -> np.ndarray[Any, Any]:
    """Smooth curves, whole numbers from 1."""
    rng = np.random.default_rng(seed)
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)[None, :, None] + np.array([0, np.pi / 2])
    centre = rng.integers(150, 400, (count, 1, 2))
    return np.round(centre + rng.integers(40, 120, (count, 1, 1)) * np.sin(turn)).astype(float)


def expected(points: np.ndarray[Any, Any], visible: Any = 2) -> list[Any]:
    flags = np.broadcast_to(np.asarray(visible, float), points.shape[:2])
    return np.concatenate([np.where(flags[..., None] > 0, points - 1, 0), flags[..., None]], axis=-1).tolist()


def read(tmp_path: Path, **variables: Any) -> Any:
    scipy.io.savemat(tmp_path / "k.mat", variables)
    return read_keypoints(tmp_path / "k.mat")


@pytest.mark.parametrize("count", [1, 2, 30])
def test_matrices_of_points(tmp_path: Path, count: int) -> None:
    points = shapes(count)
    images = [f"{k}.jpg" for k in range(count)]
    records = [{"im": image, "landmarks": part} for image, part in zip(images, points, strict=True)]
    flags = np.array([[0, 1, 2] * 4 + [2, 2]] * count)
    with_flags = np.concatenate([points, flags[..., None]], axis=-1)
    for variables, visible in (
        ({"s": structs(records)}, 2),
        ({"im": cell(images), "pts": cell(list(points))}, 2),
        ({"im": cell(images), "kpts": cell([part.T for part in points])}, 2),
        ({"im": cell(images), "keypoints": cell(list(with_flags))}, flags),
    ):
        table = read(tmp_path, **variables)
        assert table["image"].to_pylist() == images
        assert table["keypoints"].to_pylist() == expected(points, visible), list(variables)


@pytest.mark.parametrize("dims", [(14, 2), (2, 14), (3, 14), (14, 3)])
def test_pages_of_points(tmp_path: Path, dims: tuple[int, int]) -> None:
    """As Leeds Sports Pose has them: 3x14xN, the third row says whether a joint is hidden or seen."""
    points, flags = shapes(20), np.ones((20, 14))
    flags[:, 3] = 0
    values = np.concatenate([points, flags[..., None]], axis=-1) if 3 in dims else points
    pages = np.moveaxis(values, 0, 2) if dims[0] == 14 else np.moveaxis(values, 0, 2).transpose(1, 0, 2)
    table = read(tmp_path, joints=pages, joint_names=cell(NAMES))
    assert table["keypoints"].to_pylist() == expected(points, 1 + flags if 3 in dims else 2)
    told = json.loads(table.schema.metadata[b"matlens"])["keypoints"]
    assert told["names"] == NAMES and table["source"][2].as_py() == "joints(:,:,3)"


@pytest.mark.parametrize(("stacked", "parts"), [(True, 2), (False, 2), (True, 3)])
def test_rows_of_numbers(tmp_path: Path, stacked: bool, parts: int) -> None:
    """The smoother order is that of the points: all x first, or point by point; of COFW x, y and hidden."""
    points, flags = shapes(25, 29), np.ones((25, 29))
    flags[:, ::2] = 0
    values = np.concatenate([points, flags[..., None]], axis=-1) if parts == 3 else points
    rows = (values.transpose(0, 2, 1) if stacked else values).reshape(25, -1)
    table = read(tmp_path, phisTr=rows)
    assert table["keypoints"].to_pylist() == expected(points, 1 + flags if parts == 3 else 2)


def test_points_by_their_id(tmp_path: Path) -> None:
    """As MPII has them: some points, in any order, each with its number."""
    points = shapes(1, 8)[0]
    order = [5, 0, 7, 3, 1, 6]
    entries = [{"x": points[k, 0], "y": points[k, 1], "id": float(k), "is_visible": float(k != 3)} for k in order]
    rect = struct(x1=1.0, y1=2.0, x2=30.0, y2=40.0, annopoints=struct(point=structs(entries)))
    release = struct(annolist=structs([{"image": struct(name="a.jpg"), "annorect": rect}] * 2))
    table = read(tmp_path, RELEASE=release)
    visible = [2, 2, 0, 1, 0, 2, 2, 2]
    assert table["keypoints"].to_pylist() == expected(points[None], visible) * 2
    assert table["image"].to_pylist() == ["a.jpg"] * 2


def test_absent_points_and_doubt(tmp_path: Path) -> None:
    points = shapes(9)
    points[:, 2], points[:, 5] = np.nan, 0
    table = read(tmp_path, landmarks=cell(list(points)))
    assert [point[2] for point in table["keypoints"][0].as_py()] == [2, 2, 0, 2, 2, 0] + [2] * 8
    assert table["keypoints"][0].as_py()[2] == [0, 0, 0]
    noise = np.random.default_rng(0).random((9, 28)) * 300
    scipy.io.savemat(tmp_path / "n.mat", {"landmarks": noise})
    (source,) = find_keypoints(tmp_path / "n.mat")
    assert source.confidence == "doubtful" and "order of the numbers is not certain" in source.reasons[0]
    with pytest.raises(NoAnnotationsFound, match="9 doubtful ones: --path landmarks"):
        read_keypoints(tmp_path / "n.mat")
    assert read_keypoints(tmp_path / "n.mat", "landmarks").num_rows == 9
    with pytest.raises(NoAnnotationsFound, match="no keypoints in any variable"):
        read_keypoints(matlens.from_loadmat({"x": np.ones((3, 40))}))


def test_real_files(corpus: Callable[[str], Path], tmp_path: Path) -> None:
    path = corpus("zhusz+CVPR15-CFSS/raw_300W_release.mat")
    stored = scipy.io.loadmat(path)
    (source,) = find_keypoints(path)
    # Nothing but the boxes beside them says what they are.
    assert (source.path, source.layout, source.image, len(source.names)) == ("data(1,:)", "all x first", "nameList", 68)
    found = np.array(source.to_arrow()["keypoints"].to_pylist())[..., :2]
    np.testing.assert_allclose(found, stored["data"].reshape(-1, 2, 68).transpose(0, 2, 1) - 1)
    mpii = corpus("shihenw+convolutional-pose-machines-release/detections.mat")
    by_id, cells = find_keypoints(mpii)
    assert len(by_id) == len(cells) == 2958 and cells.names[:2] == ["rank", "rkne"]
    with matlens.open(mpii) as file:
        stored_points = file.at("annolist(7).annorect.annopoints.point").to_python()
        told = by_id.to_arrow()["keypoints"][6].as_py()
        for point in stored_points:
            assert told[int(point["id"])][:2] == [point["x"] - 1, point["y"] - 1]
    done = run("keypoints", str(path), "-o", str(tmp_path / "k.parquet"))
    assert done.returncode == 0 and b"3,837 sets of 68 keypoints at data(1,:)" in done.stderr
    assert pq.read_table(tmp_path / "k.parquet").num_rows == 3837
    listed = json.loads(run("annotations", str(path), "--json").stdout)["annotations"]
    assert [(row["kind"], row["count"], row["confidence"]) for row in listed] == [
        ("boxes", 3837, "sure"), ("keypoints", 3837, "sure")
    ]  # fmt: skip


def test_coco_in_pycocotools(tmp_path: Path, capsys: Any) -> None:
    coco_api = pytest.importorskip("pycocotools.coco")
    points = shapes(6)
    scipy.io.savemat(tmp_path / "k.mat", {"im": cell([f"{k}.jpg" for k in range(6)]), "pts": cell(list(points)),
                                          "joint_names": cell(NAMES)})  # fmt: skip
    done = run("keypoints", str(tmp_path / "k.mat"), "-o", str(tmp_path / "k.json"), "--image-size", "640", "480")
    assert done.returncode == 0, done.stderr
    coco = coco_api.COCO(str(tmp_path / "k.json"))
    capsys.readouterr()
    assert coco.loadCats(1)[0]["keypoints"] == NAMES
    for k, annotation in enumerate(coco.loadAnns(coco.getAnnIds())):
        assert annotation["num_keypoints"] == 14
        assert annotation["keypoints"] == np.array(expected(points[[k]])).ravel().tolist()
        low, high = (points[k] - 1).min(axis=0), (points[k] - 1).max(axis=0)
        assert annotation["bbox"] == [*low, *(high - low)]
    assert coco.loadImgs(coco.getImgIds())[5]["file_name"] == "5.jpg"


@pytest.mark.parametrize("count", [1, 4])
def test_poses_of_yolo_and_boxes_beside_them(tmp_path: Path, count: int) -> None:
    """The box beside the points counts where they lie in it, the one around them elsewhere; absent points are 0."""
    points = shapes(count)
    points[:, 3] = np.nan
    low, high = np.nanmin(points, axis=1), np.nanmax(points, axis=1)
    boxes = np.concatenate([low - 10, high - low + 20], axis=1)
    stored = [
        {"im": f"{k}.jpg", "kpts": part, "bbox": box, "imsize": np.array([500.0, 600.0])}
        for k, (part, box) in enumerate(zip(points, boxes, strict=True))
    ]
    for name, records, around in (
        ("beside", stored, np.concatenate([low - 11, high + 9], axis=1)),
        ("alone", [{key: value for key, value in row.items() if key != "bbox"} for row in stored],
         np.concatenate([low - 1, high - 1], axis=1)),
    ):  # fmt: skip
        scipy.io.savemat(tmp_path / "k.mat", {"s": structs(records)})
        options = () if name == "alone" else ("--path", "s.kpts")
        done = run("keypoints", str(tmp_path / "k.mat"), "-o", str(tmp_path / name), "--format", "yolo", *options)
        assert done.returncode == 0, done.stderr.decode()
        assert (b"boxes: bbox" in done.stderr) == (name == "beside")
        assert "kpt_shape: [14, 3]\n" in (tmp_path / name / "data.yaml").read_text()
        for k in range(count):
            line = np.array((tmp_path / name / f"labels/{k}.txt").read_text().split(), float)
            centre, size = (around[k, :2] + around[k, 2:]) / 2, around[k, 2:] - around[k, :2]
            assert line[1:5] == pytest.approx([*(centre / [600, 500]), *(size / [600, 500])])
            triples = line[5:].reshape(14, 3)
            assert triples[3].tolist() == [0, 0, 0] and (np.delete(triples[:, 2], 3) == 2).all()
            assert np.delete(triples[:, :2], 3, axis=0) == pytest.approx(
                (np.delete(points[k], 3, axis=0) - 1) / [600, 500]
            )


def test_sets_without_any_point_are_doubtful(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "k.mat", {"s": structs([{"im": "0.jpg", "kpts": np.full((14, 2), np.nan)}])})
    (source,) = find_keypoints(tmp_path / "k.mat")
    assert source.confidence == "doubtful" and source.reasons == ["no point has a place"]


def test_names_of_points_of_several_files(tmp_path: Path) -> None:
    for k in range(2):
        variables = {"im": cell([f"{k}.jpg"]), "pts": cell(list(shapes(1))), "joint_names": cell(NAMES)}
        scipy.io.savemat(tmp_path / f"{k}.mat", variables)
    files = [str(tmp_path / f"{k}.mat") for k in range(2)]
    done = run("keypoints", *files, "-o", str(tmp_path / "k.json"), "--image-size", "640", "480")
    assert done.returncode == 0, done.stderr.decode()
    document = json.loads((tmp_path / "k.json").read_text())
    assert document["categories"][0]["keypoints"] == NAMES and len(document["images"]) == 2


def test_points_of_differing_number_are_told(tmp_path: Path) -> None:
    parts = [shapes(1, points=n)[0] for n in (5, 6, 8)]
    scipy.io.savemat(tmp_path / "k.mat", {"frames": structs([{"im": "a.png", "pts": part} for part in parts])})
    told = "frames.pts has 5 to 8 points: matlens polygons --path frames.pts"
    with pytest.raises(NoAnnotationsFound, match=told):
        read_keypoints(tmp_path / "k.mat")
    assert told.encode() in run("annotations", str(tmp_path / "k.mat")).stderr
    done = run("polygons", str(tmp_path / "k.mat"), "--path", "frames.pts", "-o", str(tmp_path / "p.parquet"))
    assert done.returncode == 0
    stored = [[np.round(part - 1, 9).tolist()] for part in parts]
    assert pq.read_table(tmp_path / "p.parquet")["polygon"].to_pylist() == stored
