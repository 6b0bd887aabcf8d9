"""The house: how many rooms there are, which way imports lead, and how large modules and functions may grow."""

from __future__ import annotations

import ast
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGE = ROOT / "matlens"
MOST_FOLDERS, MOST_MODULES, LONGEST_CHAIN = 12, 4, 11
MODULE_LINES, FUNCTION_LINES = 450, 40

LONG_MODULES: dict[str, int] = {}
"""Modules that are longer, and the lines that they may have: a list that only shrinks."""
LONG_FUNCTIONS: dict[str, int] = {}
"""Functions that are longer: this has a parameter for every option."""
SAME_NAMES = {
    "annotations": "the command and its room",
    "boxes": "the command and its verbs",
    "batch": "one way of reading for each format",
    "check": "the command and its verb",
    "convert": "the command and its verb",
    "diff": "the command and its verb",
    "keypoints": "the command and its verbs",
    "masks": "the command and its verbs",
    "polygons": "the command and its verbs",
    "reader": "the contract, and the reader of each format",
    "regions": "the command and its helper",
    "tree": "the command and what it shows",
}
"""Base names that stand more than once, and why."""


@cache
def modules() -> dict[str, Path]:
    """Files of the package by the name that imports them."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    assert len(found) > 100
    return found


@cache
def imports() -> dict[str, set[str]]:
    """What each module imports of the package, in functions and for types as well."""
    known = modules()
    found: dict[str, set[str]] = {name: set() for name in known}
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import"
                inner = (f"{node.module}.{alias.name}" for alias in node.names)
                found[name] |= {full if full in known else str(node.module) for full in inner}
            elif isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names}
        found[name] = (found[name] & known.keys()) - {name}
    return found


def units() -> dict[str, set[str]]:
    """Imports between what stands directly under the package, without its entrances."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, targets in imports().items():
        source = _unit(name)
        found[source] |= {_unit(target) for target in targets} - {source, "", "__main__"}
    return {unit: targets for unit, targets in found.items() if unit not in ("", "__main__")}


def _unit(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def circles(graph: Mapping[str, Iterable[str]]) -> list[set[str]]:
    """Sets of more than one node that all lead to each other.

    Examples
    --------
    >>> circles({"a": ["b"], "b": ["a", "c"], "c": []}) == [{"a", "b"}]
    True
    """
    reached = {start: _reached(graph, start) for start in graph}
    found = []
    for name in graph:
        circle = {other for other in reached[name] if name in reached.get(other, ())} | {name}
        if len(circle) > 1 and circle not in found:
            found.append(circle)
    return found


def _reached(graph: Mapping[str, Iterable[str]], start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for target in graph.get(waiting.pop(), ()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


def functions() -> Iterator[tuple[str, int]]:
    """Every function and its lines, without its docstring."""
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                is_documented = ast.get_docstring(node) is not None
                documented = (first.end_lineno or 0) - first.lineno + 1 if is_documented else 0
                yield f"{name}.{node.name}", (node.end_lineno or 0) - node.lineno + 1 - documented


def test_rooms_are_few() -> None:
    folders = [path for path in PACKAGE.iterdir() if (path / "__init__.py").exists()]
    files = [path for path in PACKAGE.glob("*.py") if path.stem not in ("__init__", "__main__")]
    assert 0 < len(folders) <= MOST_FOLDERS and 0 < len(files) <= MOST_MODULES


def test_the_longest_chain_of_imports_between_rooms() -> None:
    graph = units()
    assert circles(graph) == []

    @cache
    def longest(unit: str) -> list[str]:
        return [unit, *max((longest(target) for target in sorted(graph[unit])), key=len, default=[])]

    chain = max(map(longest, graph), key=len)
    assert len(chain) <= LONGEST_CHAIN, " > ".join(chain)


def test_files_import_each_other_in_no_circle() -> None:
    assert circles(imports()) == []


def check_lengths(lines: Iterable[tuple[str, int]], most: int, exceptions: Mapping[str, int]) -> None:
    """Nothing is longer than `most` but what is listed, and all that is listed is."""
    long = {name: count for name, count in lines if count > most}
    assert long.keys() == exceptions.keys(), long
    assert all(count <= exceptions[name] for name, count in long.items()), long


def test_modules_are_short() -> None:
    lines = ((name, len(path.read_text(encoding="utf-8").splitlines())) for name, path in modules().items())
    check_lengths(lines, MODULE_LINES, LONG_MODULES)


def test_functions_are_short() -> None:
    check_lengths(functions(), FUNCTION_LINES, LONG_FUNCTIONS)


def test_base_names_stand_once() -> None:
    names: dict[str, list[str]] = defaultdict(list)
    for name in modules():
        names[name.rpartition(".")[2]].append(name)
    twice = {base: found for base, found in names.items() if len(found) > 1}
    assert twice.keys() == SAME_NAMES.keys(), twice


def test_packages_say_what_they_hold() -> None:
    empty = [str(path) for path in PACKAGE.rglob("__init__.py") if not ast.get_docstring(ast.parse(path.read_text()))]
    assert empty == []


@pytest.mark.parametrize(("room", "below"), itertools.combinations(["cli", "tui", "tree", "columns", "formats"], 2))
def test_no_room_imports_what_stands_above(room: str, below: str) -> None:
    assert room not in _reached(units(), below)


def test_no_test_looks_at_a_clock() -> None:
    """How fast a machine is says nothing about the code; benchmarks alone measure, and three modules wait."""
    waiting = {"fuzz/reading.py", "tui/test_terminal.py", "tui/test_web.py"}
    tests = ROOT / "tests"
    found = set()
    for path in tests.rglob("*.py"):
        names = {
            name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in [getattr(node, "module", None), *(alias.name for alias in node.names)]
        }
        if names & {"time", "timeit"}:
            found.add(path.relative_to(tests).as_posix())
    assert {name for name in found if not name.startswith("benchmarks/")} == waiting
