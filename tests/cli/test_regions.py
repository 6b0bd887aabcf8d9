"""``matlens regions`` on fixtures and on what is no image."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.io

from matlens.helpers import find_regions
from tests.support import FIXTURES, run

SCENE = str(FIXTURES / "scene_v7.mat")


def image() -> np.ndarray:
    return scipy.io.loadmat(SCENE)["scene"]["image"].item()


@pytest.mark.parametrize("version", ["v7", "v73"])
def test_parquet(tmp_path: Path, version: str) -> None:
    target = tmp_path / "regions.parquet"
    file = str(FIXTURES / f"scene_{version}.mat")
    done = run("regions", file, "scene.image", "--threshold", "100", "-o", str(target))
    assert done.returncode == 0, done.stderr
    assert b"3 regions in 60x80" in done.stderr
    expected = find_regions(image(), 100).to_arrow()
    assert pq.read_table(target).to_pydict() == expected.to_pydict()
    # The discs' radii are 9, 14 and 6.
    assert expected["width"].to_pylist() == [19, 29, 13]
    again = run("regions", file, "scene.image", "--threshold", "100", "-o", str(target))
    assert again.returncode == 2 and b"--force" in again.stderr


def test_the_names_of_tables_in_a_database(tmp_path: Path) -> None:
    boxes = str(FIXTURES / "annotations_v7.mat")
    for name, call in (
        ("regions", ("regions", SCENE, "scene.image", "--threshold", "100")),
        ("boxes", ("boxes", boxes)),
        ("query", ("sql", boxes, "select image from annotations")),
    ):
        target = tmp_path / f"{name}.sqlite"
        assert run(*call, "-o", str(target)).returncode == 0
        with closing(sqlite3.connect(target)) as database:
            found = database.execute("select name from sqlite_master where type = 'table'").fetchall()
        # The other one holds what MATLAB called it.
        assert sorted(found) == [("_matlens",), (name,)]


def test_printed_and_json() -> None:
    done = run("regions", SCENE, "scene.image", "--threshold", "100", "--axes")
    header, first, *_ = done.stdout.decode().splitlines()
    row = dict(zip(header.split(), first.split(), strict=True))
    assert (row["area"], row["max_row"], row["mean_intensity"]) == ("253", "27", "170")
    assert float(row["axis_major_length"]) == pytest.approx(18, abs=0.2)
    done = run("regions", SCENE, "scene.image", "--threshold", "100", "--json", "--min-area", "200")
    assert [region["label"] for region in json.loads(done.stdout)["regions"]] == [1, 2]
    done = run("regions", SCENE, "scene.image", "--threshold", "100", "--comparison", "<=", "--json")
    assert [region["area"] for region in json.loads(done.stdout)["regions"]] == [60 * 80 - 253 - 613 - 113]


def test_masks_labels_and_planes(tmp_path: Path) -> None:
    mask = image() > 100
    stack = np.stack([image(), image().T[:60, :60].repeat(2, axis=1)[:, :80]], axis=2)
    scipy.io.savemat(tmp_path / "m.mat", {"mask": mask, "labels": mask * 7.0, "stack": stack, "image": image()})
    file = str(tmp_path / "m.mat")
    for path, options, areas in (
        ("mask", (), [253, 613, 113]),
        ("labels", (), [979]),
        ("stack(:,:,1)", ("--threshold", "100"), [253, 613, 113]),
        ("mask", ("--connectivity", "2", "--min-area", "200"), [253, 613]),
    ):
        done = run("regions", file, path, *options, "--json")
        assert [region["area"] for region in json.loads(done.stdout)["regions"]] == areas
    done = run("regions", file, "mask", "--intensity", "image", "--json")
    assert [region["mean_intensity"] for region in json.loads(done.stdout)["regions"]] == [170, 190, 210]


@pytest.mark.parametrize(
    ("path", "options", "text"),
    [
        ("scene.labels", ("--threshold", "1"), "is no image"),
        ("scene.absent", ("--threshold", "1"), "absent"),
        ("scene.boxes", ("--connectivity", "3"), "connectivity is 1 to 2"),
        ("scene.image", ("--threshold", "1", "--intensity", "scene.boxes"), "--intensity goes with"),
    ],
)
def test_what_is_no_image(path: str, options: tuple[str, ...], text: str) -> None:
    done = run("regions", SCENE, path, *options)
    assert done.returncode in (1, 2)
    assert text in done.stderr.decode()
    assert b"Traceback" not in done.stderr
