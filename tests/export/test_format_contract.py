"""What every registered format promises: it writes, refuses what exists, and is whole or absent."""

from __future__ import annotations

import ast
import csv
import io
import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.feather
import pyarrow.parquet
import pytest
import scipy.io

import matlens
from matlens.errors import OutputExists, UnfitFormat
from matlens.export import registry, writers
from matlens.export.format import BoxesFormat, Format
from matlens.export.images import BoxesByImage
from matlens.export.item import Item
from matlens.export.options import ExportOptions
from matlens.export.registry import boxes_formats, find_format, value_formats, write_stream
from tests.support import FIXTURES

MATRIX = np.arange(12.0).reshape(4, 3) / 8


def _text(path: Path, delimiter: str) -> Any:
    with path.open(newline="") as file:
        return [[float(text) for text in row] for row in list(csv.reader(file, delimiter=delimiter))[1:]]


def _sqlite(path: Path) -> Any:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("select * from m").fetchall()


def _duckdb(path: Path) -> Any:
    with pytest.importorskip("duckdb").connect(str(path), read_only=True) as connection:
        return connection.execute("select * from m").fetchall()


def _npz(path: Path) -> Any:
    with np.load(path, allow_pickle=False) as found:
        return found["m"]


READERS: dict[str, Callable[[Path], Any]] = {
    "arrow": lambda path: [list(row.values()) for row in pyarrow.feather.read_table(path).to_pylist()],
    "csv": lambda path: _text(path, ","),
    "duckdb": _duckdb,
    "json": lambda path: [list(row.values()) for row in json.loads(path.read_text())],
    "jsonl": lambda path: [list(json.loads(line).values()) for line in path.read_text().splitlines()],
    "mat": lambda path: scipy.io.loadmat(path)["m"],
    "npy": lambda path: np.load(path, allow_pickle=False),
    "npz": _npz,
    "parquet": lambda path: [list(row.values()) for row in pyarrow.parquet.read_table(path).to_pylist()],
    "sqlite": _sqlite,
    "tsv": lambda path: _text(path, "\t"),
}
"""Somebody else's reader of each format."""


def test_every_format_has_a_reader_here() -> None:
    assert {found.name for found in value_formats()} == set(READERS)


def test_names_and_suffixes_tell_formats_apart() -> None:
    for known in (value_formats(), boxes_formats()):
        names = [found.name for found in known]
        assert len(names) == len(set(names))
        for found in known:
            assert find_format(None, found.name, known) is found
    suffixes = [suffix for found in value_formats() for suffix in found.suffixes]
    assert len(suffixes) == len(set(suffixes))


NEW = """
from matlens.export.format import Format


class Lines(Format):
    def stream(self, item, file, options):
        for batch in item.batches():
            for row in batch.to_pylist():
                file.write(f"{row}\\n".encode())
        return []


FORMATS = (Lines("lines", (".lines",), "Python's own notation"),)
"""


def test_a_new_format_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lines_of_python.py").write_text(NEW)
    monkeypatch.setattr(writers, "__path__", [*writers.__path__, str(tmp_path)])
    registry._formats.cache_clear()
    try:
        (written,) = matlens.convert(FIXTURES / "annotations_v7.mat", tmp_path / "a.lines")
        lines = (tmp_path / "a.lines").read_text().splitlines()
        assert written.format.name == "lines" and ast.literal_eval(lines[2])["image"] == "00003.jpg"
        assert len(lines) == 70
        assert "lines" in [found.name for found in boxes_formats()]
        with pytest.raises(OutputExists):
            matlens.convert(FIXTURES / "annotations_v7.mat", tmp_path / "a.lines")
    finally:
        registry._formats.cache_clear()
        sys.modules.pop("matlens.export.writers.lines_of_python", None)


@pytest.fixture
def item() -> Item:
    node = matlens.from_loadmat({"m": MATRIX})["m"]
    return Item("m", node.table(), node)


class FormatContract:
    """The tests that every format of values passes."""

    @pytest.fixture
    def found(self, request: pytest.FixtureRequest) -> Format:
        return find_format(None, request.param)

    @pytest.mark.parametrize("found", READERS, indirect=True)
    def test_it_writes(self, tmp_path: Path, found: Format, item: Item) -> None:
        rows: list[int] = []
        item.on_rows = rows.append
        target = tmp_path / f"m{found.suffixes[0]}"
        assert found.write([item], target, ExportOptions()) == []
        np.testing.assert_array_equal(np.array(READERS[found.name](target)), MATRIX)
        assert sum(rows) == 4 and list(tmp_path.iterdir()) == [target]

    @pytest.mark.parametrize("found", READERS, indirect=True)
    def test_it_refuses_what_exists(self, tmp_path: Path, found: Format, item: Item) -> None:
        target = tmp_path / f"m{found.suffixes[0]}"
        target.write_text("mine")
        with pytest.raises(OutputExists):
            found.write([item], target, ExportOptions())
        assert target.read_text() == "mine"
        found.write([item], target, ExportOptions(force=True))
        np.testing.assert_array_equal(np.array(READERS[found.name](target)), MATRIX)

    @pytest.mark.parametrize("found", READERS, indirect=True)
    def test_it_is_whole_or_absent(self, tmp_path: Path, found: Format, item: Item) -> None:
        def fail(rows: int) -> None:
            raise ZeroDivisionError

        item.on_rows = fail
        with pytest.raises(ZeroDivisionError):
            found.write([item], tmp_path / f"m{found.suffixes[0]}", ExportOptions())
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("found", READERS, indirect=True)
    def test_it_streams_or_says_that_it_cannot(self, tmp_path: Path, found: Format, item: Item) -> None:
        class Pipe(io.BytesIO):
            def seek(self, *_: Any) -> int:
                raise io.UnsupportedOperation

            def seekable(self) -> bool:
                return False

        pipe = Pipe()
        if not found.is_streamed:
            with pytest.raises(
                UnfitFormat, match=r"cannot be written to a pipe; these can: arrow, csv, tsv, json, jsonl"
            ):
                write_stream(found, item, pipe, ExportOptions())
            return
        assert write_stream(found, item, pipe, ExportOptions()) == []
        target = tmp_path / "m"
        target.write_bytes(pipe.getvalue())
        if found.name == "arrow":
            with pyarrow.ipc.open_stream(target.read_bytes()) as reader:
                rows = [list(row.values()) for row in reader.read_all().to_pylist()]
        else:
            rows = READERS[found.name](target)
        np.testing.assert_array_equal(np.array(rows), MATRIX)


class TestFormats(FormatContract):
    pass


BOXES = [found.name for found in boxes_formats() if isinstance(found, BoxesFormat)]


@pytest.fixture
def boxes(tmp_path_factory: pytest.TempPathFactory) -> BoxesByImage:
    corners = np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]])
    places = np.array([0, 1])
    names = ["a.jpg", "b.jpg"]
    files = {name: tmp_path_factory.mktemp("images") / name for name in names}
    for name, file in files.items():
        file.write_text(name)
    return BoxesByImage(names, ["x"], places, places * 0, corners, [{}, {}], dict.fromkeys(names, (9, 9)), files=files)


@pytest.mark.parametrize("name", BOXES)
def test_formats_with_images_have_them_as_they_are(tmp_path: Path, boxes: BoxesByImage, name: str) -> None:
    found = find_format(None, name, boxes_formats())
    assert isinstance(found, BoxesFormat)
    found.write_boxes(boxes, tmp_path / "out")
    copied = {path.name: path.read_text() for path in tmp_path.rglob("*.jpg")}
    assert copied == {} if name in ("coco", "voc") else copied == {"a.jpg": "a.jpg", "b.jpg": "b.jpg"}
    boxes.files = {}
    if found.needs_images:
        with pytest.raises(UnfitFormat, match=r"2 of 2 have no file, such as a.jpg: --images DIR"):
            found.write_boxes(boxes, tmp_path / "bare")
        assert not (tmp_path / "bare").exists()
    else:
        found.write_boxes(boxes, tmp_path / "bare")


@pytest.mark.parametrize("name", BOXES)
def test_formats_of_boxes(tmp_path: Path, boxes: BoxesByImage, name: str) -> None:
    found = find_format(None, name, boxes_formats())
    assert isinstance(found, BoxesFormat) and found.takes == "boxes"
    target = tmp_path / "out"
    found.write_boxes(boxes, target)
    assert target.is_dir() == found.is_folder
    before = {path: path.read_bytes() for path in [target, *target.rglob("*")] if path.is_file()}
    assert before
    with pytest.raises(OutputExists):
        found.write_boxes(boxes, target)
    found.write_boxes(boxes, target, force=True)
    assert {path: path.read_bytes() for path in before} == before
    boxes.boxes = [boxes.boxes[0], None]  # type: ignore[assignment]
    with pytest.raises(AttributeError):
        found.write_boxes(boxes, tmp_path / "broken")
    assert list(tmp_path.iterdir()) == [target]
