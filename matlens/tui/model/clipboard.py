"""The clipboard where the terminal does not take what OSC 52 sends it: by a program of the desktop or of tmux."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping

_SECONDS = 3


def copy_by_program(text: str) -> str | None:
    """Hand a text to the first program that takes it; its name, or None if there is none.

    Over SSH only that of tmux is asked: the clipboards of the server are not those of the person.
    """
    for command in _programs(os.environ):
        if shutil.which(command[0]) is None:
            continue
        try:
            subprocess.run(
                command,
                input=text.encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return command[0]
    return None


def _programs(environment: Mapping[str, str]) -> Iterator[list[str]]:
    if "SSH_CONNECTION" not in environment:
        if sys.platform == "darwin":
            yield ["pbcopy"]
        if sys.platform == "win32" or "WSL_DISTRO_NAME" in environment:
            yield ["clip.exe"]
        if "WAYLAND_DISPLAY" in environment:
            yield ["wl-copy"]
        if "DISPLAY" in environment:
            yield from (["xclip", "-selection", "clipboard"], ["xsel", "--clipboard", "--input"])
    if "TMUX" in environment:
        yield ["tmux", "load-buffer", "-w", "-"]
