"""Names of images that mean the same on every system."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from matlens.errors import UnfitFormat

_FIELD = re.compile(r"\{(name|stem|suffix|folder|frame(:0?[1-9]?d)?)\}")
"""Fields of a template: nothing that a name of a file could misuse."""
_ABSOLUTE = re.compile(r"^([A-Za-z]:)?/")


def portable_names(names: Sequence[str]) -> dict[str, str]:
    """Names with slashes; of absolute paths those below the folder that all of them share.

    Examples
    --------
    >>> portable_names(["C:\\\\data\\\\a\\\\1.jpg", "C:\\\\data\\\\b\\\\1.jpg"]).values()
    dict_values(['a/1.jpg', 'b/1.jpg'])
    >>> list(portable_names(["/home/me/1.jpg"]).values()), list(portable_names(["set/1.jpg"]).values())
    (['1.jpg'], ['set/1.jpg'])
    """
    slashed = {name: name.replace("\\", "/") if "\\" in name else name for name in names}
    absolute = {name: path for name, path in slashed.items() if _ABSOLUTE.match(path)}
    folders = [PurePosixPath(path).parent.parts for path in absolute.values()]
    shared = 0
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        shared += 1
    found = {}
    for name, path in slashed.items():
        parts = PurePosixPath(path).parts[shared if name in absolute else 0 :]
        found[name] = "/".join(part for part in parts if part != "..")
    return found


def by_template(name: str, template: str) -> str:
    """The name of an image file after a template of ``{name}``, ``{stem}``, ``{suffix}``, ``{folder}``, ``{frame}``.

    Examples
    --------
    >>> by_template("set/a.png", "{folder}/{stem}.jpg"), by_template("v.mp4#12", "{stem}_{frame:06d}.jpg")
    ('set/a.jpg', 'v_000012.jpg')
    """
    base, mark, number = name.rpartition("#")
    is_frame = bool(mark) and number.isdigit()
    path = PurePosixPath(base if is_frame else name)
    fields = {"name": path.name, "stem": path.stem, "suffix": path.suffix, "folder": str(path.parent)}
    rest = _FIELD.sub("", template)
    if "{" in rest or "}" in rest or ".." in rest:
        known = ", ".join(f"{{{field}}}" for field in (*fields, "frame", "frame:06d"))
        raise UnfitFormat(f"{template!r} is not a template of {known}")
    if "{frame" in template and not is_frame:
        raise UnfitFormat(f"{name} is not the frame of a video, which {template!r} asks for")
    made = template.format(**fields, frame=int(number) if is_frame else 0)
    return "/".join(part for part in made.split("/") if part not in ("", ".", ".."))
