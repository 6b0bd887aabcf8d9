"""The program in a real terminal."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

CARS = "foamliu+Car-Recognition/cars_train_annos.mat"


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_the_program_in_a_terminal(tmp_path: Path, corpus: Any) -> None:
    """Open Stanford Cars, walk to annotations, sort by class, export to Parquet, quit."""
    session = f"matlens-{tmp_path.name}"
    tmux = ["tmux", "-L", session, "-f", "/dev/null"]

    def keys(*names: str) -> None:
        for name in names:
            subprocess.run([*tmux, "send-keys", "-t", "0", name], check=True)

    def wait_for(*wanted: str) -> None:
        for _ in range(1200):
            shown = subprocess.run([*tmux, "capture-pane", "-p", "-t", "0"], capture_output=True, text=True, check=True)
            if all(text in shown.stdout for text in wanted):
                return
            time.sleep(0.1)
        raise AssertionError(f"{wanted} is not on the screen:\n{shown.stdout}")

    command = f"cd {tmp_path} && {sys.executable} -m matlens browse {corpus(CARS)}; echo left with $?; sleep 60"
    subprocess.run([*tmux, "new-session", "-d", "-x", "120", "-y", "36", command], check=True)
    try:
        wait_for("1x8144 struct")
        keys("Down", "Enter")
        wait_for("00001.jpg")
        keys("Tab", "Right", "Right", "Right", "Right", "s")
        wait_for("class▲", "00163.jpg")
        keys("e")
        wait_for("8,144 rows")
        keys("Enter")
        wait_for("written: annotations.parquet")
        keys("q")
        wait_for("left with 0")
    finally:
        subprocess.run([*tmux, "kill-server"], check=False)
    assert pq.read_table(tmp_path / "annotations.parquet").num_rows == 8144
