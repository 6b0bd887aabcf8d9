"""How much of memory, depth and time a file may take before it is refused."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, fields, replace

_GIB = 1 << 30
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


def _half_of_memory() -> int:
    """Half of this machine's memory, 4 GiB at most."""
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 4 * _GIB
    return min(4 * _GIB, installed // 2)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of reading; each error names its limit.

    Real files stay far below them: of those known, none is nested deeper than 8 levels, and none holds more than
    171 bytes in one stored byte, which was in a file of 63 kB.

    Attributes
    ----------
    depth : int
        Levels of structs and cells inside each other.
    elements : int
        Elements of cells and structs that become Python objects at once. Columns of tables are not bounded by it.
    memory : int
        Bytes that one value may take when it is decoded as a whole; half of the machine's memory, 4 GiB at most.
        Larger arrays of numbers can be read in windows.
    ratio : int
        Bytes that one stored byte may stand for, in values above 256 MiB.
    chunk : int
        Bytes of one chunk of a v7.3 array.
    fields : int
        Fields of a struct.
    name : int
        Bytes of the name of a variable, field or class.
    members : int
        Members of one HDF5 group.
    fieldless : int
        Structs without fields below one value: they take no room in a file, so that any number may be declared.
    visited : int
        Elements that one operation goes through.
    shared : int
        Elements of cells and structs that are referred to more than once, which only v7.3 files can do.
    rows : int
        Rows of one table.
    output : int
        Bytes of one output file. Larger ones than 64 MiB also leave as much on the disk.
    seconds : int
        Time that a process of its own may take for one answer, where reading is isolated; the commands that only show
        something, and the browser, take 30.

    Examples
    --------
    >>> Limits(depth=8).depth
    8
    >>> Limits().changed("memory=8GiB", "depth=100").memory == 8 * 2**30
    True
    """

    depth: int = 64
    elements: int = 5_000_000
    memory: int = field(default_factory=_half_of_memory)
    ratio: int = 200
    chunk: int = _GIB // 4
    fields: int = 65_535
    name: int = 4096
    members: int = 1_000_000
    fieldless: int = 10_000_000
    visited: int = 100_000_000
    shared: int = 20_000
    rows: int = 100_000_000_000
    output: int = 64 * _GIB
    seconds: int = 300

    def changed(self, *settings: str) -> Limits:
        """The same with settings such as ``depth=100`` or ``memory=8GiB``.

        Raises
        ------
        ValueError
            If there is no such limit, or the value is no number.
        """
        names = [each.name for each in fields(self)]
        changes = {}
        for setting in settings:
            name, _, text = setting.partition("=")
            if name not in names:
                raise ValueError(f"no limit {name!r}; there are {', '.join(names)}")
            parts = re.fullmatch(r"([0-9][0-9_]*)([kmg]?|[kmg]ib)b?", text.strip().lower())
            if parts is None:
                raise ValueError(f"{setting!r}: a number is expected, such as {name}=100 or {name}=8GiB")
            changes[name] = int(parts[1].replace("_", "")) * _UNITS[parts[2]]
        return replace(self, **changes)
