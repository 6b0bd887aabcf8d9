"""Fixtures of all tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support import CORPUS


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
