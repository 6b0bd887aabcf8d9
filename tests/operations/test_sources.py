"""Every verb takes whatever can be opened, and the options of reading."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import matlens
from matlens.errors import CorruptFile, LimitExceeded, NoBoxesFound
from tests.support import FIXTURES

PATH = FIXTURES / "annotations_v7.mat"

VERBS: dict[str, Callable[..., Any]] = {
    "loadmat": lambda source, _, **options: matlens.loadmat(source, **options)["annotations"].shape == (1, 70),
    "check": lambda source, _, **options: [v.is_readable for v in matlens.check(source, **options)] == [True],
    "diff": lambda source, _, **options: list(matlens.diff(source, PATH, **options)) == [],
    "query": lambda source, _, **options: matlens.query(source, "from annotations", **options).num_rows == 70,
    "find": lambda source, _, **options: [len(s) for s in matlens.boxes.find(source, **options)] == [140],
    "read": lambda source, _, **options: matlens.boxes.read(source, **options).num_rows == 140,
    "convert": lambda source, folder, **options: (
        matlens.convert(source, _Named(folder / "a.parquet"), force=True, **options)[0].num_rows == 70
    ),
}


class _Named:
    """A path that is neither a str nor a Path."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return str(self._path)


SOURCES: dict[str, Callable[[], Any]] = {
    "str": lambda: str(PATH),
    "Path": lambda: PATH,
    "PathLike": lambda: _Named(PATH),
    "bytes": PATH.read_bytes,
    "file": lambda: PATH.open("rb"),
    "BytesIO": lambda: io.BytesIO(PATH.read_bytes()),
    "MatFile": lambda: matlens.open(PATH),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("source", SOURCES)
def test_sources(verb: str, source: str, tmp_path: Path) -> None:
    given = SOURCES[source]()
    assert VERBS[verb](given, tmp_path)
    if isinstance(given, matlens.MatFile):
        # What was open stays so.
        assert given.at("annotations(3).image").value == "00003.jpg"
        given.close()
    elif isinstance(given, io.IOBase):
        assert not given.closed
        given.close()


@pytest.mark.parametrize("verb", VERBS)
def test_options(verb: str, tmp_path: Path) -> None:
    run = VERBS[verb]
    assert run(PATH, tmp_path, engine="reference", isolate="always", errors="salvage", limits=matlens.Limits())
    with pytest.raises((LimitExceeded, NoBoxesFound, AssertionError)):
        # Checks and searches tell of it instead of raising it.
        assert run(PATH, tmp_path, limits=matlens.Limits(depth=1, memory=10))
    with pytest.raises(ValueError, match="'salvage'"):
        run(PATH, tmp_path, errors="ignore")
    with matlens.open(PATH, errors="salvage") as file:
        assert run(file, tmp_path) and run(file, tmp_path, errors="salvage")
        with pytest.raises(ValueError, match=r"engine='reference' is for files that are opened here"):
            run(file, tmp_path, engine="reference")


def test_salvaged_files_are_loaded_as_such() -> None:
    content = bytearray((FIXTURES / "kinds_v6.mat").read_bytes())
    with matlens.open(bytes(content)) as file:
        content[file.at("cells{1,2}").storage()["offset"]] = 99
    with pytest.raises(CorruptFile), matlens.open(bytes(content)) as file:
        matlens.loadmat(file)
    with matlens.open(bytes(content), errors="salvage") as file, pytest.warns(UserWarning, match=r"cells\{1,2\}"):
        assert matlens.loadmat(file)["cells"][0, 1] is None


def test_pickles_of_what_has_no_path() -> None:
    import pickle

    with matlens.open(PATH.read_bytes()) as file, PATH.open("rb") as stream, matlens.open(stream) as streamed:
        for each in (file, streamed):
            again = pickle.loads(pickle.dumps(each))
            assert again.name == each.name and again.at("annotations(3).image").value == "00003.jpg"
    loaded = matlens.from_loadmat({"x": [1.0, "two"]})
    assert pickle.loads(pickle.dumps(loaded["x"])).to_python() == [1.0, "two"]


def test_pickles_keep_the_options_and_the_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pickle

    monkeypatch.chdir(FIXTURES)
    limits = matlens.Limits(memory=10)
    with matlens.open("annotations_v7.mat", limits=limits, errors="salvage") as file:
        pickled = pickle.dumps(file)
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(pickled)
    assert list(again) == ["annotations"] and again.path == FIXTURES / "annotations_v7.mat"
    with pytest.raises(LimitExceeded):
        again["annotations"].to_numpy()
