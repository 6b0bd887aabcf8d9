"""A plugin of pytest: tests of SciPy call `matlens.loadmat`."""

from __future__ import annotations

from typing import Any

import pytest

import matlens


def _loadmat(*arguments: Any, **options: Any) -> Any:
    """SciPy's default is the type in which values are stored."""
    return matlens.loadmat(*arguments, **({"mat_dtype": False} | options))


@pytest.fixture(autouse=True)
def _replaced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if hasattr(request.module, "loadmat"):
        monkeypatch.setattr(request.module, "loadmat", _loadmat)
