"""Reading one file in a forked process, with limits on time and memory, and what came of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse

import matlens
from matlens.errors import MatlensError
from matlens.operations.check import check_node

__all__ = ["Outcome", "digest", "read_everything", "run"]

SECONDS = 300
"""A process that has not answered by then hangs, however busy the machine is, and is ended."""
MEMORY = 1 << 31


@dataclass
class Outcome:
    """What a process did.

    `faults` are exceptions that are no `MatlensError`, errors without the file's name, and sparse matrices with
    indices out of range; `digests` tell the values of the variables that could be read. `growth` is the memory that
    was taken beyond what the process began with.
    """

    signal: int = 0
    seconds: float = 0.0
    growth: int = 0
    errors: int = 0
    faults: list[str] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def is_fine(self) -> bool:
        return self.signal == 0 and not self.faults


def run(read: Callable[[Path], dict[str, Any]], path: Path) -> Outcome:
    """Call `read` with `path` in a process of its own."""
    reading, writing = os.pipe()
    start, before = time.monotonic(), _pages(1)
    child = os.fork()
    if child == 0:
        _be_child(read, path, writing)
    os.close(writing)
    content = bytearray()
    while True:
        left = start + SECONDS - time.monotonic()
        ready, _, _ = select.select([reading], [], [], max(left, 0))
        if not ready:
            os.kill(child, signal.SIGKILL)
            break
        piece = os.read(reading, 1 << 16)
        if not piece:
            break
        content += piece
    os.close(reading)
    _, status, usage = os.wait4(child, 0)
    outcome = Outcome(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, time.monotonic() - start)
    outcome.growth = max(usage.ru_maxrss * 1024 - before, 0)
    if outcome.signal == 0:
        found = json.loads(content or b'{"faults": ["no answer"]}')
        outcome.errors = found.get("errors", 0)
        outcome.faults, outcome.digests = found.get("faults", []), found.get("digests", {})
    return outcome


def _pages(which: int) -> int:
    """Bytes of address space (0) or memory (1) of this process."""
    return int(Path("/proc/self/statm").read_bytes().split()[which]) * os.sysconf("SC_PAGE_SIZE")


def _be_child(read: Callable[[Path], dict[str, Any]], path: Path, writing: int) -> None:
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        now = _pages(0)
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
        found = read(path)
    except BaseException as error:
        found = {"faults": [f"{type(error).__name__}: {error}"[:300]]}
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(json.dumps(found).encode())
    os._exit(0)


def read_everything(path: Path) -> dict[str, Any]:
    """Open a file and take its variables in every form."""
    watch = _Watch(path.name)
    with contextlib.ExitStack() as stack:
        file: dict[str, Any] | matlens.MatFile = {}
        with watch.errors():
            file = stack.enter_context(matlens.open(path))
            for problem in file.problems:
                watch.note(problem)
            repr(file)
        for name in file:
            node = file[name]
            for take in (node.summary, node.preview, lambda node=node: node.children(0, 20), node.to_arrow):
                with watch.errors(needs_variable=True):
                    take()
            with watch.errors(needs_variable=True):
                value = node.to_numpy()
                watch.check_sparse(value)
                watch.digests[name] = digest(value)
    with watch.errors(), matlens.open(path) as opened:
        for name in opened:
            with watch.errors():
                for damage in check_node(opened[name]).damages:
                    watch.note(damage, needs_variable=True)
    with watch.errors(), matlens.open(path, errors="salvage") as salvaged:
        for name in salvaged:
            with watch.errors(needs_variable=True):
                watch.check_sparse(salvaged[name].to_numpy())
    return {"errors": watch.count, "faults": watch.faults[:5], "digests": watch.digests}


class _Watch:
    def __init__(self, name: str) -> None:
        self._name = name
        self.count = 0
        self.faults: list[str] = []
        self.digests: dict[str, str] = {}

    @contextlib.contextmanager
    def errors(self, *, needs_variable: bool = False) -> Any:
        try:
            yield
        except MatlensError as error:
            self.note(error, needs_variable=needs_variable)
        except Exception as error:
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            line = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""
            self.faults.append(f"{type(error).__name__}: {error} in {line}"[:300])

    def note(self, error: MatlensError, *, needs_variable: bool = False) -> None:
        self.count += 1
        if error.file != self._name or (needs_variable and error.variable is None):
            self.faults.append(f"{type(error).__name__} names {error.file}, {error.variable}: {error}"[:300])

    def check_sparse(self, value: Any) -> None:
        """Whether the indices of all sparse matrices lie inside their dims."""
        if scipy.sparse.issparse(value):
            matrix = value.tocsc()
            rows, pointers = matrix.indices, matrix.indptr
            fits = len(pointers) == matrix.shape[1] + 1 and pointers[0] == 0 and (np.diff(pointers) >= 0).all()
            if not fits or (len(rows) and not 0 <= rows.min() <= rows.max() < matrix.shape[0]):
                self.faults.append("a sparse matrix with indices out of range")
        elif isinstance(value, np.ndarray) and value.dtype.names:
            for name in value.dtype.names:
                self.check_sparse(value[name])
        elif isinstance(value, np.ndarray) and value.dtype == object:
            for item in value.ravel()[:1000]:
                self.check_sparse(item)


def digest(value: Any) -> str:
    """A short text that differs where values do."""
    found = hashlib.blake2b(digest_size=12)

    def add(item: Any, depth: int = 0) -> None:
        if scipy.sparse.issparse(item):
            item = item.tocoo()
            found.update(repr(item.shape).encode() + item.row.tobytes() + item.col.tobytes() + item.data.tobytes())
        elif isinstance(item, np.ndarray) and (item.dtype == object or item.dtype.names):
            found.update(f"{item.shape} {item.dtype.names}".encode())
            for part in item.ravel().tolist() if depth < 12 else []:
                for each in part if isinstance(part, tuple) else (part,):
                    add(each, depth + 1)
        elif isinstance(item, np.ndarray):
            found.update(f"{item.shape} {item.dtype}".encode() + np.ascontiguousarray(item).tobytes())
        else:
            found.update(repr(item)[:1000].encode("utf-8", "replace"))

    add(value)
    return found.hexdigest()
