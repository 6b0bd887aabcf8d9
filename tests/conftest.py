"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

pytest.register_assert_rewrite("tests.support", "tests.formats.contract")

from matlens.formats.reader import defects  # noqa: E402
from tests.expected import reason_to_fail  # noqa: E402
from tests.support import CORPUS, EVIL  # noqa: E402


@pytest.fixture(autouse=True)
def unforeseen() -> Iterator[list[Exception]]:
    """What no parser foresaw fails the test that came across it, though the library tells of damage.

    A test that is about such exceptions clears the list.
    """
    found: list[Exception] = []
    defects.append(found.append)
    yield found
    defects.remove(found.append)
    if found:
        raise found[0]


@pytest.fixture
def car_annotations() -> Path:
    path = CORPUS / "foamliu+Car-Recognition" / "cars_train_annos.mat"
    if not path.exists():
        pytest.skip("no corpus beside the project")
    return path


@pytest.fixture
def corpus() -> Callable[[str], Path]:
    def find(name: str) -> Path:
        path = CORPUS / name
        if not path.exists():
            pytest.skip("no corpus beside the project")
        return path

    return find


@pytest.fixture
def evil_file(tmp_path: Path) -> Path:
    """Names and text that would act on a terminal."""
    path = tmp_path / f"{EVIL}.mat"
    with h5py.File(path, "w") as file:
        for name in (EVIL, "[/oops]", "\u202egnp.exe"):
            dataset = file.create_dataset(name, data=np.array([[ord(c)] for c in EVIL], np.uint16))
            dataset.attrs["MATLAB_class"] = np.bytes_("char")
            dataset.attrs["MATLAB_int_decode"] = np.int32(2)
        file.create_dataset("bbox", data=np.full((4, 1), 5.0)).attrs["MATLAB_class"] = np.bytes_("double")
        file.create_dataset(f"odd{EVIL}", data=np.zeros(3, [("a", "f4"), ("b", "i2")]))
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What the lists expect to fail must fail."""
    for item in items:
        reason = reason_to_fail(item.nodeid)
        if reason is not None:
            # A walk that follows values in a circle would not end.
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
