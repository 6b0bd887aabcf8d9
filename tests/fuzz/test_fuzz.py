"""Short runs of the fuzz suite, longer ones as campaigns; ``python -m tests.fuzz`` is the longest."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fuzz.commands import run_commands
from tests.fuzz.hostile import hostile_files
from tests.fuzz.mutator import mutant
from tests.fuzz.reading import Outcome, read_everything, run
from tests.fuzz.sources import FIXTURES, sources

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="files are read in forked processes")

MEMORY = 64 << 20
BOMBS = ("zeros-64", "v73_zeros")
"""Files whose values take more memory than that and less than the limits allow."""


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """What is imported on the way is no growth."""
    read_everything(FIXTURES / "annotations_v73.mat")


def faults(outcome: Outcome, size: int, more: int = 0) -> list[str]:
    found = [f"signal {outcome.signal}"] if outcome.signal else []
    if outcome.growth > max(MEMORY, 50 * size) + more:
        found.append(f"{outcome.growth >> 20} MiB")
    return found + outcome.faults


def runs(some: int, many: int) -> list[Any]:
    """A number for the short run, and one for the campaign."""
    return [pytest.param(some, id="some"), pytest.param(many, id="many", marks=pytest.mark.campaign)]


@pytest.mark.parametrize("step", runs(16, 2))
def test_hostile_files(tmp_path: Path, step: int) -> None:
    bad = {}
    files = hostile_files()
    assert len(files) > 300
    for number, (name, content) in enumerate(files):
        is_slow = name.startswith(("v73_wide", "v73_laughs", "fields-"))
        if number % (3 * step if is_slow else step):
            # The longest run reads them all.
            continue
        path = tmp_path / "x.mat"
        path.write_bytes(content)
        found = faults(run(read_everything, path), len(content), (name in BOMBS) * (600 << 20))
        if found:
            bad[f"{number} {name}"] = found
    assert not bad


@pytest.mark.parametrize("step", runs(90, 15))
def test_commands(tmp_path: Path, step: int) -> None:
    """No command ends in a traceback or writes control characters, and none writes beside its output."""
    bad = {}
    slow = ("v73_wide", "v73_zeros", "v73_laughs", "fields-", "no-values", "zeros")
    files = [(name, content) for name, content in hostile_files() if not name.startswith(slow)]
    folder = tmp_path / "inputs"
    folder.mkdir()
    for number, (name, content) in enumerate(files[3::step]):
        path = folder / "x.mat"
        path.write_bytes(content)
        outcome = run(run_commands, path)
        if not outcome.is_fine:
            bad[f"{number} {name}"] = outcome.faults or outcome.signal
        shutil.rmtree(folder / "out", ignore_errors=True)
    assert not bad


@pytest.mark.parametrize("count", runs(60, 1500))
def test_mutants(tmp_path: Path, count: int) -> None:
    rng = np.random.default_rng(20_251)
    originals = [(path, path.read_bytes()) for path in sources()]
    bad = {}
    for number in range(count):
        source, content = originals[int(rng.integers(len(originals)))]
        path = tmp_path / "x.mat"
        path.write_bytes(mutant(content, rng))
        found = faults(run(read_everything, path), len(content))
        if found:
            bad[f"{number} {source.name}"] = found
    assert not bad
