"""Files whose boxes were told twice, not at all, or with what is no label of theirs; and the truths of real files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

import matlens
from matlens import boxes
from matlens.annotations import BoxSource, convert
from matlens.errors import NoBoxesFound, PathError
from tests import objects as o
from tests.annotations.layouts import cell, struct, structs
from tests.support import CORPUS, run

has_corpus = pytest.mark.skipif(not CORPUS.exists(), reason="no corpus beside the project")


def made(count: int, convention: str = "xywh1", seed: int = 0) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, [500, 400], (count, 2))
    low[: count // 4, 0] = 0
    canonical = np.hstack([low, low + rng.integers(5, 60, (count, 2))]).astype(float)
    return convert(canonical, "xyxy", convention)


def found_in(tmp_path: Path, **variables: Any) -> list[BoxSource]:
    scipy.io.savemat(tmp_path / "a.mat", variables)
    return boxes.find(tmp_path / "a.mat")


def certain(sources: list[BoxSource]) -> list[BoxSource]:
    return [source for source in sources if source.confidence != "doubtful"]


def test_parallel_lists_open_their_level_once(tmp_path: Path) -> None:
    """As WIDER FACE has them: six lists of attributes beside the boxes, which came seven times."""
    counts = [[1, 3], [2], [4, 1, 1]]
    total = sum(map(sum, counts))
    flat = iter(np.split(made(total), np.cumsum([n for part in counts for n in part])[:-1]))
    variables: dict[str, Any] = {
        "event_list": cell([f"{k}--Event" for k in range(3)]),
        "file_list": cell([cell([f"{k}_{i}" for i in range(len(part))]) for k, part in enumerate(counts)]),
        "face_bbx_list": cell([cell([next(flat) for _ in part]) for part in counts]),
    }
    for name in ("blur", "expression", "illumination", "invalid", "occlusion", "pose"):
        parts = [cell([np.full((n, 1), n, np.uint8) for n in part]) for part in counts]
        variables[f"{name}_label_list"] = cell(parts)
    (source,) = found_in(tmp_path, **variables)
    table = source.to_arrow()
    assert len(source) == table.num_rows == total and source.image == "file_list"
    assert table["pose_label_list"].to_pylist() == [n for part in counts for n in part for _ in range(n)]
    # Which of six attributes is a label nobody knows.
    assert source.label is None and len(source.labels) == 6
    assert table["source"][5].as_py() == "face_bbx_list{2}{1}(2,:)"


@pytest.mark.parametrize("first", [True, False])
def test_the_four_of_more_numbers_that_are_a_box(tmp_path: Path, first: bool) -> None:
    """A class in front was xmin."""
    rows = made(60, "xyxy")
    rng = np.random.default_rng(1)
    kind, score = rng.integers(1, 5, (60, 1)), rng.random((60, 1))
    parts = (kind, rows, score) if first else (rows, score, kind)
    (source,) = found_in(tmp_path, image=cell([f"{k}.jpg" for k in range(60)]), boxes=np.hstack(parts))
    np.testing.assert_array_equal(source.reading.values, rows)
    table = source.to_arrow()
    names = ("boxes_1", "boxes_6") if first else ("boxes_6", "boxes_5")
    assert [table[name].to_pylist() for name in names] == [kind.ravel().tolist(), score.ravel().tolist()]


def test_which_four_are_a_box_may_be_in_doubt(tmp_path: Path) -> None:
    rows = np.hstack([[[3.0], [1.0]], made(2)])
    (source,) = found_in(tmp_path, image=cell(["a.jpg", "b.jpg"]), boxes=rows)
    assert source.confidence == "doubtful" and "which four of 5" in source.reasons[-1]
    with pytest.raises(NoBoxesFound, match=r"2 doubtful ones: --path boxes"):
        boxes.read(tmp_path / "a.mat")


def test_several_boxes_have_their_own_labels(tmp_path: Path) -> None:
    """`sub_box` had the label of the object."""
    records = [
        {
            "filename": f"{k}.jpg", "phrase": "on", "sub": ("dog", "cat", "man")[k % 3], "obj": ("car", "tree")[k % 2],
            "sub_box": made(1, seed=k), "obj_box": made(1, seed=k + 100),
        }
        for k in range(30)
    ]  # fmt: skip
    found = {source.fields[0]: source for source in found_in(tmp_path, rel=structs(records))}
    assert {name: source.label for name, source in found.items()} == {"sub_box": "sub", "obj_box": "obj"}
    for record in records:
        del record["sub"]
    found = {source.fields[0]: source for source in found_in(tmp_path, rel=structs(records))}
    assert {name: source.label for name, source in found.items()} == {"sub_box": None, "obj_box": "obj"}


def test_a_text_of_the_file_is_no_label(tmp_path: Path) -> None:
    records = [{"im": f"{k}.png", "bbox": row[None]} for k, row in enumerate(made(20))]
    (source,) = found_in(tmp_path, type="valid", name="MPII", annolist=structs(records))
    assert source.label is None and source.image == "im" and source.labels == []


def test_equal_boxes_are_told_once(tmp_path: Path) -> None:
    rows = made(25, "xyxy1")
    fields = {name: rows[:, [k]] for k, name in enumerate(("x1", "y1", "x2", "y2"))}
    images = cell([f"{k}.jpg" for k in range(25)])
    (source,) = found_in(tmp_path, pos=struct(boxes=rows, **fields), impos=struct(boxes=rows, image=images))
    assert (
        source.path == "impos.boxes(1,:)" and source.also == ["pos.boxes(1,:)", "pos.x1(1)"] and source.image == "image"
    )
    # Of other images they are others.
    other = cell([f"other/{k}.jpg" for k in range(25)])
    assert len(found_in(tmp_path, a=struct(boxes=rows, image=images), b=struct(boxes=rows, image=other))) == 2


def test_what_is_no_annotation(tmp_path: Path) -> None:
    limits = {"xmin": -3.0, "xmax": 5.0, "ymin": -1.0, "ymax": 1.0}
    variables = {
        "ps": struct(name="mapminmax", xrange=8.0, gain=0.25, xoffset=-3.0, no_change=0.0, **limits),
        "handles": struct(x=10.0, y=20.0, w=300.0, h=200.0),
        "Position": np.array([[100.0, 100.0, 560.0, 420.0]]),
        "colours": np.random.default_rng(0).random((20, 4)),
        "image": "a.jpg",
    }
    assert certain(found_in(tmp_path, **variables)) == []


@pytest.mark.parametrize("counts", [[1] * 20, [3] * 10, [1, 2, 3, 9, 0, 2], [0, 1]])
def test_a_box_in_each_column(tmp_path: Path, counts: list[int]) -> None:
    parts = [made(n, "xywh1", seed=k) for k, n in enumerate(counts)]
    records = [{"image": f"{k}.jpg", "bbox": part.T.copy()} for k, part in enumerate(parts)]
    (source,) = found_in(tmp_path, d=structs(records))
    np.testing.assert_array_equal(source.reading.values, np.concatenate(parts))
    if counts[0] == 3:
        assert source.to_arrow("xywh1")["source"][4].as_py() == "d(2).bbox(:,2)"


def test_a_cell_matrix_is_a_table_without_names(tmp_path: Path) -> None:
    rows = made(12)
    table = np.empty((12, 3), object)
    for k in range(12):
        table[k] = [f"{k}.jpg", "ab"[k % 2], None]
        table[k, 2] = rows[[k]]
    (source,) = found_in(tmp_path, boxes=table)
    assert source.image == "boxes_1" and source.labels == ["boxes_2"] and source.path == "boxes{1,3}"
    np.testing.assert_array_equal(source.reading.values, rows)
    read = boxes.read(tmp_path / "a.mat", convention="xywh1", label_field="boxes_2")
    assert read["label"].to_pylist() == list("ab" * 6) and read["image"][3].as_py() == "3.jpg"
    # Of one kind, it is a list that lies as a matrix.
    parts = [made(1 + k % 3, seed=k) for k in range(6)]
    names = cell([f"{k}.jpg" for k in range(6)])
    (source,) = found_in(tmp_path, im=names.reshape(2, 3, order="F"), boxes=cell(parts).reshape(2, 3, order="F"))
    np.testing.assert_array_equal(source.reading.values, np.concatenate(parts))
    assert source.image == "im"


def test_boxes_with_one_label_each(tmp_path: Path) -> None:
    """A cell of one name beside one box is its label, as cells of many are."""
    records = [
        {"image": f"{k}.jpg", "bb": row[None], "label": cell([("a", "b")[k % 2]])} for k, row in enumerate(made(9))
    ]
    (source,) = found_in(tmp_path, d=structs(records))
    assert source.label == "label" and source.to_arrow("xywh1")["label"].to_pylist() == list("ababababa")


def test_numbers_below_zero_say_nothing_about_the_origin() -> None:
    from matlens.annotations.evidence import judge

    rows = made(200, "xywh1")
    rows[7, 0] = -5
    assert judge(rows, "bbox").convention == "xywh1"
    assert judge(np.array([[-3.0, 5, 20, 30]] * 9), "bbox_xywh").is_assumed


def test_sizes_of_large_objects_are_no_corners() -> None:
    """Objects that fill their image fit corners in all rows."""
    from matlens.annotations.evidence import judge

    rng = np.random.default_rng(0)
    low = rng.integers(2, 20, (200, 2))
    rows = np.hstack([low, 100 - 2 * low + rng.integers(0, 8, (200, 2))]).astype(float)
    found = judge(rows, "bbox")
    assert found.violations["xyxy"] == 0 and found.convention is None


# --- what is asked for ---------------------------------------------------------------------


def test_a_path_keeps_what_stands_beside_it(tmp_path: Path) -> None:
    rows = made(40)
    records = [
        {
            "photo": f"{k}.jpg",
            "stuff": np.hstack([[[k % 3]], rows[[k]], [[0.5]]]),
            "class": "ab"[k % 2],
            "bbox": rows[[0]],
        }
        for k in range(40)
    ]
    scipy.io.savemat(tmp_path / "a.mat", {"s": structs(records), "split": cell([f"set{k // 20}" for k in range(40)])})
    table = boxes.read(tmp_path / "a.mat", "s.stuff", columns="2:5", convention="xywh1", label_field="split")
    assert table["xmin"].to_pylist() == (rows[:, 0] - 1).tolist() and table["image"][7].as_py() == "7.jpg"
    assert table["label"].to_pylist() == [f"set{k // 20}" for k in range(40)]
    assert table["class"].to_pylist() == ["ab"[k % 2] for k in range(40)]
    assert table["stuff_1"].to_pylist() == [k % 3 for k in range(40)]
    part = boxes.read(tmp_path / "a.mat", "s(3).stuff", columns="2", convention="xywh1")
    assert part.num_rows == 1 and part["image"].to_pylist() == ["2.jpg"] and part["xmin"][0].as_py() == rows[2, 0] - 1
    done = run(
        "boxes", str(tmp_path / "a.mat"), "--path", "s.stuff", "--columns", "2:5", "--convention", "xywh1", "--json"
    )
    assert done.returncode == 0 and b'"stuff_6": 0.5' in done.stdout
    for wrong in ("2:6", "0", "x"):
        with pytest.raises(PathError, match="four columns such as 2:5"):
            boxes.find(tmp_path / "a.mat", "s.stuff", columns=wrong)
    with pytest.raises(PathError):
        boxes.find(tmp_path / "a.mat", "s.nothing")
    with pytest.raises(PathError, match="no field 'nothing' beside the boxes"):
        boxes.find(tmp_path / "a.mat", "s.stuff", label_field="nothing")


# --- tables --------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v7", "v7.3"])
def test_results_of_a_detector(tmp_path: Path, version: str) -> None:
    """Boxes, scores and labels side by side came twice, half of them with the label `Boxes`."""
    parts = [made(n, seed=n) for n in (1, 3, 2)]
    column = {
        "Boxes": o.cell(*parts, shape=(3, 1)),
        "Scores": o.cell(*(np.full((len(part), 1), 0.5) for part in parts), shape=(3, 1)),
        "Labels": o.cell(*(o.categorical([[1]] * len(part), ["car"]) for part in parts), shape=(3, 1)),
    }
    with o.save(tmp_path, version, results=o.table(3, **column)) as file:
        (source,) = boxes.find(file)
        table = source.to_arrow("xywh1")
        assert table.num_rows == 6 and table["label"].to_pylist() == ["car"] * 6
        assert table["Scores"].to_pylist() == [0.5] * 6 and table["source"][2].as_py() == "results.Boxes{2}(2,:)"


@pytest.mark.parametrize("version", ["v7", "v7.3"])
def test_tables_that_are_of_no_labeler(tmp_path: Path, version: str) -> None:
    """Numbers of a table are boxes by their names alone, and a text beside them is no image for being the only one."""
    rows = made(30)
    labels = o.string([["car"], ["dog"]] * 15)
    tables = {
        "named": o.table(30, what=labels, box=rows),
        "states": o.table(30, position=rows, speed=rows + 1),
        "words": o.table(30, what=labels, position=rows),
    }
    with o.save(tmp_path, version, **tables) as file:
        (source,) = boxes.find(file)
        assert source.path == "named.box(1,:)" and source.image is None and source.label is None
        assert source.labels == ["what"]


@pytest.mark.parametrize("version", ["v7", "v7.3"])
@pytest.mark.parametrize("counts", [[1, 1], [2, 2], [2, 0, 3]])
def test_regions_with_attributes_and_sublabels(tmp_path: Path, version: str, counts: list[int]) -> None:
    rows = [made(n, seed=k) for k, n in enumerate(counts)]

    def regions(part: Any) -> Any:
        if not len(part):
            return np.zeros((0, 0))
        return o.struct_array(
            [
                {"Position": row[None], "Colour": o.char("red"), "Wheel": o.struct(Position=row[None] + 1)}
                for row in part
            ]
        )

    cars = o.cell(*map(regions, rows), shape=(len(counts), 1))
    names = o.cell(*(o.char(f"{k}.png") for k in range(len(counts))), shape=(len(counts), 1))
    definitions = o.struct(Name=o.char("Car"), Type=o.char("Rectangle"))
    truth = o.struct(
        DataSource=o.struct(Source=names), LabelDefinitions=definitions, LabelData=o.table(len(counts), Car=cars)
    )
    with o.save(tmp_path, version, g=o.made("groundTruth", any=truth)) as file:
        (source,) = boxes.find(file)
        table = source.to_arrow()
    expected = np.concatenate(rows)
    for label, shift in (("Car", 0), ("Car/Wheel", 1)):
        some = table.filter(matlens_equal(table["label"], label))
        assert some["xmin"].to_pylist() == (expected[:, 0] - 1 + shift).tolist()
        assert some["image"].to_pylist() == [f"{k}.png" for k, n in enumerate(counts) for _ in range(n)]
    cars_only = table.filter(matlens_equal(table["label"], "Car"))
    assert cars_only["Colour"].to_pylist() == ["red"] * sum(counts)
    assert cars_only["source"][0].as_py().startswith("g.any.LabelData.Car{1}")


def matlens_equal(column: Any, value: str) -> Any:
    import pyarrow.compute as pc

    return pc.equal(column, value)


# --- real files ----------------------------------------------------------------------------


@has_corpus
@pytest.mark.parametrize(
    ("path", "count", "labels"),
    [
        ("mathworks+Helmet-detection/videoLabelingSession.mat", 523, {"Helmet", "No_helmet"}),
        ("IngTIKNA*/videoLabelingSession.mat", 254, {"pedestrian"}),
        ("tousifulhaque*/imageLabelingSession.mat", 58, {"positive"}),
        ("Kaushik*/gTruth.mat", 370, None),
        ("Kaushik*/roiLabelData.mat", 370, None),
        ("alidurdu*/gTruth.mat", 640, {"Oil", "Scratch", "Stain"}),
        ("PrimeHyAce*/whites.mat", 263, {"white"}),
        ("shihenw*/detections.mat", 2958, {None}),
        ("made/vocstr.mat", 2, {"chair"}),
        ("made/quad.mat", 2, {None}),
    ],
)
def test_real_files(path: str, count: int, labels: set[Any] | None) -> None:
    (file,) = CORPUS.glob(path)
    table = boxes.read(file)
    assert table.num_rows == count
    assert labels is None or set(table["label"].to_pylist()) == labels


@has_corpus
def test_a_session_has_the_boxes_of_its_export() -> None:
    folder = CORPUS / "mathworks+Helmet-detection"
    session, export = (boxes.read(folder / name) for name in ("videoLabelingSession.mat", "gTruth.mat"))
    columns = ["image", "frame", "label", "xmin", "ymin", "xmax", "ymax"]
    rows = [sorted(map(str, table.select(columns).to_pylist())) for table in (session, export)]
    assert rows[0] == rows[1] and session["frame"].to_pylist() != [1] * 523


@has_corpus
def test_what_came_near_is_told(corpus: Callable[[str], Path]) -> None:
    done = run("boxes", str(corpus("UniprJRC+FSDA/baby.mat")))
    assert done.returncode == 1 and b"what came near: 27 doubtful ones: --path baby" in done.stderr
    with matlens.open(corpus("made/caltech101.mat")) as file:
        (source,) = boxes.find(file)
        assert source.convention == "yyxx" and file["box_coord"].value.tolist() == [[30, 137, 49, 349]]
        assert source.reading.values.tolist() == [[30, 137, 49, 349]]
        row = source.to_arrow().to_pylist()[0]
    assert [row[name] for name in ("xmin", "ymin", "xmax", "ymax")] == [49, 30, 349, 137]


# --- what only seems to be a label, an image or a box -------------------------------------------


def test_lists_of_classes_and_numbers_of_tracks_are_no_labels(tmp_path: Path) -> None:
    """A list of all classes was the label where it had as many entries as there were boxes, or images."""
    rows, images = made(3), cell(["0.jpg", "1.jpg", "2.jpg"])
    classes = cell(["cat", "dog", "bird"])
    numbers = np.array([[3.0], [1.0], [1.0]])
    (source,) = found_in(tmp_path, bboxes=rows, classes=classes, category_id=numbers, images=images)
    assert source.label == "category_id"
    assert source.to_arrow("xywh1")["label"].to_pylist() == ["bird", "cat", "cat"]
    parts = [made(3, seed=k) for k in range(3)]
    (source,) = found_in(tmp_path, boxes=cell(parts), classes=classes, images=images)
    assert source.label is None
    (source,) = found_in(tmp_path, bboxes=made(20), frame=np.arange(20.0)[:, None], track_id=np.ones((20, 1)))
    assert source.label is None


def test_the_image_is_the_column_named_so(tmp_path: Path) -> None:
    names = [f"{k}.jpg" for k in range(9)]
    urls = cell([f"http://x/{name}" for name in names])
    (source,) = found_in(tmp_path, a=struct(url=urls, bbox=made(9), image=cell(names)))
    assert source.image == "image"


def test_relative_numbers_have_no_convention_of_pixels(tmp_path: Path) -> None:
    """Boxes of YOLO came as pixels, and as next to nothing."""
    rng = np.random.default_rng(0)
    rows = np.hstack([rng.uniform(0.2, 0.8, (30, 2)), rng.uniform(0.05, 0.2, (30, 2))])
    scipy.io.savemat(tmp_path / "y.mat", {"boxes": rows, "image": cell([f"{k}.jpg" for k in range(30)])})
    done = run("boxes", str(tmp_path / "y.mat"))
    assert done.returncode == 2 and b"do not decide the convention" in done.stderr
    table = boxes.read(tmp_path / "y.mat", "boxes", convention="yolo", image_size=(640, 480))
    assert table["xmin"][0].as_py() == pytest.approx((rows[0, 0] - rows[0, 2] / 2) * 640)


def test_a_square_may_be_read_both_ways(tmp_path: Path) -> None:
    corners = np.array([[1.0, 2, 30, 40], [5, 6, 70, 80], [90, 10, 110, 120], [300, 4, 350, 60]])
    images = cell([f"{k}.jpg" for k in range(4)])
    (source,) = found_in(tmp_path, bbox=corners.T.copy(), images=images)
    assert source.confidence == "doubtful" and "columns are corners" in source.reasons[-1]
    (source,) = found_in(tmp_path, bbox=corners, images=images)
    assert source.confidence == "likely"


def test_options_are_refused_and_not_ignored(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"s": structs([{"im": f"{k}.jpg", "bbox": row[None], "istest": float(k % 2)}
                                                        for k, row in enumerate(made(10))])})  # fmt: skip
    call = ("boxes", str(tmp_path / "a.mat"), "--convention", "xywh1")
    yolo = ("--format", "yolo", "-o", str(tmp_path / "y"))
    size = ("--image-size", "640", "480")
    for options, told in (
        ((*yolo, "--image-size", "0", "0"), b"a width and a height above 0"),
        ((*yolo, "--image-size", "nan", "5"), b"a width and a height above 0"),
        ((*yolo, *size, "--split-by", "istest"), b"trains with a part train"),
        (("-o", str(tmp_path / "x.parquet"), "--split", "0.5"), b"are for coco, fiftyone, huggingface, voc, yolo"),
        (("-o", str(tmp_path / "x.json"), "--split", "0.5", "--split-by", "istest"), b"one of them"),
        (("--columns", "1:4"), b"none is given"),
        (("-o", str(tmp_path / "x.json"), "--image-name", "{stem:>99999999}"), b"is not a template"),
        (("-o", str(tmp_path / "x.json"), "--image-name", "{stem.__class__}"), b"is not a template"),
        (("-o", str(tmp_path / "x.json"), "--image-name", "../{stem}"), b"is not a template"),
        (("-o", str(tmp_path / "x.json"), "--image-name", "{frame:06d}.jpg"), b"is not the frame of a video"),
    ):
        done = run(*call, *options)
        assert done.returncode == 2 and told in done.stderr, (options, done.stderr[-300:])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mat"]
