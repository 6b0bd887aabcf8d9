"""Polygons in the layouts that data sets have them in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

import matlens
from matlens.annotations.polygons import find_polygons, read_polygons
from matlens.errors import NoAnnotationsFound
from tests.annotations.layouts import cell, struct, structs
from tests.support import CORPUS

Array = np.ndarray[Any, Any]
IMAGES = [f"{k}.jpg" for k in range(4)]


def outline(points: int, centre: float = 60.0, radius: float = 20.0) -> Array:
    turn = np.linspace(0, 2 * np.pi, points, endpoint=False)[:, None] + np.array([np.pi / 2, 0])
    return np.round(centre + radius * np.sin(turn))


RAGGED, EQUAL = [outline(4), outline(6, 90), outline(9, 130)], [outline(5), outline(5, 80), outline(5, 100)]


def expected(polygons: list[Array]) -> list[Any]:
    return [[(part - 1).tolist()] for part in polygons]


def save(tmp_path: Path, **variables: Any) -> Path:
    scipy.io.savemat(tmp_path / "p.mat", variables)
    return tmp_path / "p.mat"


def points(polygon: Array, text: bool = False) -> Any:
    make = (lambda value: str(int(value))) if text else float
    return structs([{"x": make(x), "y": make(y)} for x, y in polygon.tolist()])


@pytest.mark.parametrize("polygons", [RAGGED, EQUAL, RAGGED[:1], EQUAL[:2]])
def test_layouts(tmp_path: Path, polygons: list[Array]) -> None:
    """However many polygons there are, and whether they have as many points or not."""
    names, count = IMAGES[: len(polygons)], len(polygons)
    records = [{"im": image, "cls": "car", "polygon": part} for image, part in zip(names, polygons, strict=True)]
    axes = [
        {"im": image, "poly_x": part[:, 0], "poly_y": part[:, 1].reshape(-1, 1)}
        for image, part in zip(names, polygons, strict=True)
    ]
    for variables in (
        {"s": structs(records)},
        {"d": struct(s=structs(records))},
        {"im": cell(names), "polygons": cell(polygons)},
        {"im": cell(names), "contours": cell([part.T for part in polygons])},
        {"im": cell(names), "outlines": cell([cell([part]) for part in polygons])},
        {"s": structs(axes)},
        {"s": structs([{"im": im, "polygon": struct(pt=points(p))} for im, p in zip(names, polygons, strict=True)])},
    ):
        table = read_polygons(save(tmp_path, **variables))
        assert table["polygon"].to_pylist() == expected(polygons), list(variables)
        assert table["image"].to_pylist() == names
        assert table["xmin"].to_pylist() == [part[:, 0].min() - 1 for part in polygons]
        assert table["ymax"].to_pylist() == [part[:, 1].max() - 1 for part in polygons]
        assert len(set(table["source"].to_pylist())) == count
        assert ("cls" in str(variables)) == (table["label"].null_count == 0)


@pytest.mark.parametrize("counts", [[1], [2], [1, 1], [2, 0, 1]])
def test_polygons_of_each_image(tmp_path: Path, counts: list[int]) -> None:
    parts = [[outline(4 + j, 60 + 10 * k) for j in range(n)] for k, n in enumerate(counts)]
    stored = cell([cell(some) if some else np.zeros((0, 0)) for some in parts])
    table = read_polygons(save(tmp_path, polygons=stored, files=cell(IMAGES[: len(counts)])))
    assert table["polygon"].to_pylist() == [each for some in parts for each in expected(some)]
    assert table["image"].to_pylist() == [IMAGES[k] for k, n in enumerate(counts) for _ in range(n)]


@pytest.mark.parametrize("polygons", [RAGGED, EQUAL, RAGGED[:1], EQUAL[:1]])
def test_total_text(tmp_path: Path, polygons: list[Array]) -> None:
    """A cell row for each text: 'x:', all x, 'y:', all y, the text, its orientation; one text takes the way of many."""
    rows = np.empty((len(polygons), 6), object)
    for k, part in enumerate(polygons):
        x, y = part.T.astype(np.int32)
        rows[k] = ["x:", x.reshape(1, -1), "y:", y.reshape(1, -1), f"WORD{k}", "c"]
    table = read_polygons(save(tmp_path, polygt=rows))
    assert table["polygon"].to_pylist() == expected(polygons)
    assert table["polygt_5"].to_pylist() == [f"WORD{k}" for k in range(len(polygons))]


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("text", [True, False])
def test_points_of_objects(tmp_path: Path, count: int, text: bool) -> None:
    """The polygons of LabelMe: points as structs of texts, read from XML."""
    objects = [
        {"name": f"thing {k}", "polygon": struct(pt=points(part, text))} for k, part in enumerate(RAGGED[:count])
    ]
    table = read_polygons(save(tmp_path, annotation=struct(filename="a.jpg", object=structs(objects))))
    assert table["polygon"].to_pylist() == expected(RAGGED[:count])
    assert table["label"].to_pylist() == [f"thing {k}" for k in range(count)]
    assert table["image"].to_pylist() == ["a.jpg"] * count


def test_a_lone_polygon_and_rings(tmp_path: Path) -> None:
    square, hole = np.array([[1.0, 1], [30, 1], [30, 30], [1, 30]]), outline(5, 15, 4)
    for stored in (square, square.T):
        table = read_polygons(save(tmp_path, contour=stored))
        assert table["polygon"].to_pylist() == expected([square]) and table["source"].to_pylist() == ["contour"]
    both = np.vstack([square, [[np.nan, np.nan]], hole])
    for variables in (
        {"polygon": both},
        {"polygon": cell([both, square])},
        {"s": struct(poly=struct(x=both[:, :1], y=both[:, 1:]))},
    ):
        first = read_polygons(save(tmp_path, **variables))["polygon"][0].as_py()
        assert first == [(square - 1).tolist(), (hole - 1).tolist()]
    rows = np.array([square.ravel(), square.ravel() + 5])
    assert read_polygons(save(tmp_path, poly=rows))["polygon"].to_pylist() == expected([square, square + 5])


def test_doubt_is_told(tmp_path: Path) -> None:
    lines = cell([np.array([[1.0, 2], [3, 4]])] * 3)
    path = save(tmp_path, polygon=lines, stuff=cell(RAGGED))
    with matlens.open(path) as file:
        (source,) = find_polygons(file)
        assert source.confidence == "doubtful" and source.reasons == ["3 of 3 have less than 3 points"]
        with pytest.raises(NoAnnotationsFound, match=r"no polygons .* 3 doubtful ones: --path polygon"):
            read_polygons(file)
        assert read_polygons(file, "stuff")["polygon"].to_pylist() == expected(RAGGED)
    with pytest.raises(NoAnnotationsFound, match="--path stuff"):
        read_polygons(save(tmp_path, stuff=cell(RAGGED)))
    odd = structs([{"poly_x": [1.0, 2, 3], "poly_y": [1.0, 2]}, {"poly_x": [1.0, 9, 5], "poly_y": [1.0, 1, 8]}])
    (source,) = find_polygons(save(tmp_path, s=odd))
    assert len(source) == 1 and source.reasons == ["1 have not as many x as y"]


def test_points_that_count_from_the_corner_of_their_box(tmp_path: Path) -> None:
    shape = outline(12, 20, 15)
    path = save(tmp_path, box_coord=np.array([[101, 140, 201, 240]], np.uint16), obj_contour=shape.T)
    table = read_polygons(path)
    corner = matlens.boxes.read(path, convention="yyxx").select(["xmin", "ymin"]).to_pylist()[0]
    moved = shape + [corner["xmin"], corner["ymin"]]
    assert table["polygon"].to_pylist() == [[moved.tolist()]]


@pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the project")
def test_outlines_of_label_maps() -> None:
    """The rings of each region enclose as many pixels as it has."""
    from matlens.helpers.outlines import area_of

    path = CORPUS / "BIDS+BSDS500/groundTruth/107072.mat"
    table, masks = read_polygons(path), scipy.io.loadmat(path)["groundTruth"][0]
    assert table.num_rows == 150
    sizes = [int((m["Segmentation"][0, 0] == v).sum()) for m in masks for v in np.unique(m["Segmentation"][0, 0])]
    assert [area_of([np.array(ring) for ring in rings]) for rings in table["polygon"].to_pylist()] == sizes
