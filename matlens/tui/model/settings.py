"""What the browser remembers: a configuration that people write, and a state for each file.

Both are small files in the usual places of the system; a damaged or hostile one is told and
passed over, and neither keeps any value of a MAT-file.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matlens.tree.file import MatFile

MAX_BYTES = 64 << 10
MAX_FILES = 200


@dataclass(slots=True)
class Settings:
    """The configuration: a theme of Textual, keys of actions, and why the file could not be used.

    Keys are such as ``{"export": "x"}``; several are separated by commas.
    """

    theme: str | None = None
    keys: dict[str, str] = field(default_factory=dict)
    problem: str | None = None


def _folder(variable: str, default: str) -> Path:
    """A folder of the user, after the *XDG Base Directory Specification*; APPDATA on Windows."""
    base = os.environ.get(variable) or (os.environ.get("APPDATA") if os.name == "nt" else None)
    return Path(base or Path.home() / default) / "matlens"


def load_settings() -> Settings:
    """The configuration: ``theme = "…"``, and a table ``[keys]`` of actions and their keys."""
    path = _folder("XDG_CONFIG_HOME", ".config") / "browser.toml"
    try:
        if not path.is_file():
            return Settings()
        found = tomllib.loads(path.read_text("utf-8")[:MAX_BYTES])
        keys = found.get("keys", {})
        theme = found.get("theme")
        if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
            return Settings(problem=f"{path}: [keys] has a key, as text, for each action")
        return Settings(theme if isinstance(theme, str) else None, dict(keys))
    except (OSError, ValueError) as error:
        return Settings(problem=f"{path}: {error}")


def _state_file() -> Path:
    return _folder("XDG_STATE_HOME", ".local/state") / "browser.json"


def _read_states() -> dict[str, Any]:
    try:
        found = json.loads(_state_file().read_text("utf-8")[: MAX_BYTES * MAX_FILES])
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _key(file: MatFile) -> str | None:
    """What tells a file: its place and its size, as a digest."""
    if file.path is None:
        return None
    return hashlib.sha256(f"{Path(file.path).resolve()}\0{file.size}".encode("utf-8", "surrogateescape")).hexdigest()


def load_state(file: MatFile) -> dict[str, Any]:
    """What was remembered of a file; empty if nothing was."""
    key = _key(file)
    state = _read_states().get(key) if key else None
    return state if isinstance(state, dict) else {}


def save_state(file: MatFile, state: dict[str, Any]) -> None:
    """Remember the state of a file, and forget those of files seen longest ago; never raises for the disk."""
    key = _key(file)
    if key is None:
        return
    states = _read_states()
    states.pop(key, None)
    kept = list(states.items())[-(MAX_FILES - 1) :]
    path = _state_file()
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(dict(kept) | {key: state}), "utf-8")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
