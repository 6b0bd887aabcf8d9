"""The lists of expected failures name tests and files that exist."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

import matlens
from matlens.errors import NotAMatFile
from tests.expected import FAILURES, REFUSED, SCIPY_REFUSES
from tests.support import CORPUS, ROOT, SCIPY_DATA, corpus_files


@pytest.mark.parametrize("test", FAILURES)
def test_lists_name_tests_and_files(test: str) -> None:
    file, name = test.split("::")
    module = importlib.import_module(".".join(Path(file).with_suffix("").parts))
    (marks,) = (mark for mark in getattr(module, name).pytestmark if "path" in str(mark.args[:1]))
    ids = [parameter.id for parameter in marks.args[1]]
    for case in FAILURES[test] if CORPUS.exists() else ():
        assert any(case == id or (id or "").startswith(case) for id in ids), case


@pytest.mark.parametrize("path", corpus_files())
def test_files_of_other_formats_are_refused_by_what_they_are(path: Path) -> None:
    name = str(path.relative_to(CORPUS))
    if name in REFUSED:
        with pytest.raises(NotAMatFile, match=f"not a MAT-file but {REFUSED[name]}"):
            matlens.open(path)
    else:
        matlens.open(path).close()


def test_files_that_scipy_refuses_are_there() -> None:
    names = {path.name for folder in (ROOT / "fixtures", SCIPY_DATA, CORPUS) for path in folder.rglob("*.mat")}
    assert not CORPUS.exists() or set(SCIPY_REFUSES) <= names
