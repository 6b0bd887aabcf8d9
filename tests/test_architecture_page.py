"""docs/architecture.md says what the code is: its rooms, their order, its nouns and its files."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module

from tests.support import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
NOUNS = {
    "File": "matlens.tree.file:MatFile",
    "Node": "matlens.tree.nodes.node:Node",
    "Path": "matlens.tree.paths:parse_path",
    "Reader": "matlens.formats.reader:Reader",
    "Elements": "matlens.formats.records:Elements",
    "Headers": "matlens.formats.records:Headers",
    "Children": "matlens.formats.records:Children",
    "Plan": "matlens.columns.plan:Plan",
    "Table": "matlens.columns.table:Table",
    "Note": "matlens.columns.notes:Note",
}


def rooms() -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)


def contracts() -> list[dict[str, object]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, object]] = settings["tool"]["importlinter"]["contracts"]
    return found


def test_every_room_has_a_row() -> None:
    folders = {path.parent.name for path in (ROOT / "matlens").glob("*/__init__.py")}
    assert set(rooms()) == folders and len(rooms()) == len(folders)
    ground = {path.stem for path in (ROOT / "matlens").glob("*.py")} - {"__init__", "__main__"}
    assert all(f"`{name}`" in PAGE for name in ground)


def test_the_rows_stand_in_the_order_of_the_contract() -> None:
    (layers,) = (contract["layers"] for contract in contracts() if str(contract["name"]).startswith("Rooms"))
    levels = [{part.strip().removeprefix("matlens.") for part in str(layer).split("|")} for layer in layers]  # type: ignore[attr-defined]
    place = {room: k for k, level in enumerate(levels) for room in level}
    order = [place[room] for room in rooms()]
    assert order == sorted(order)


def test_every_room_has_a_contract() -> None:
    named = " ".join(str(contract.get("source_modules", "")) for contract in contracts())
    assert [room for room in rooms() if f"matlens.{room}" not in named] == []


def test_every_noun_is_there() -> None:
    bold = re.findall(r"\*\*(\w+)\*\*", PAGE)
    assert [noun for noun in bold if noun in NOUNS] == list(NOUNS)
    for place in NOUNS.values():
        module, _, name = place.partition(":")
        assert hasattr(import_module(module), name)


def test_every_file_is_there() -> None:
    named = set(re.findall(r"`((?:\w+/)*\w+(?:\.py|\.toml|/))`", PAGE)) | set(re.findall(r"`(\w+/[\w/]+)`", PAGE))
    assert len(named) > 10
    missing = [name for name in named if not (ROOT / "matlens" / name).exists() and not (ROOT / name).exists()]
    assert missing == []
