"""Reading in a process of its own: what crashes, hangs or takes too much memory there does no harm here.

The process answers the calls of the `Reader` contract. Its memory is limited, on POSIX so is the number of files that
it may open once it has opened its own, and it is killed when an answer takes too long.
"""

from __future__ import annotations

import contextlib
import math
import pickle
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from matlens.errors import CorruptFile, FileClosed, LimitExceeded, MatlensError
from matlens.formats.guards.wrapped import WrappedReader
from matlens.formats.mcos import ObjectTable
from matlens.formats.reader import CONTRACT, Defect, defects
from matlens.formats.records import Elements, Headers, Variable
from matlens.limits import Limits

REMOTE = CONTRACT - {"prefetch"} | {"describe"}
"""What the process is asked: everything but the hint, and once what kind of file it is."""

_TICK = 0.1
_ASKED_AGAIN = ("headers", "children")
"""What the nodes of a tree ask for many times, most of all where values are shared."""
_ASKED_FIRST = ("variables", "objects")
"""What another process must be asked before it knows the positions that the one before it gave."""
_SMALL, _KEPT = 4096, 4096
_LENGTH = struct.Struct("<Q")


def send(pipe: IO[bytes], message: Any) -> None:
    """Write one message."""
    _write(pipe, pickle.dumps(message, pickle.HIGHEST_PROTOCOL))


def _write(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def receive(pipe: IO[bytes]) -> Any:
    """Read one message; raises `EOFError` if the other side has gone."""
    return pickle.loads(_read(pipe))


def _read(pipe: IO[bytes]) -> bytes:
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError("no answer")
    (size,) = _LENGTH.unpack(head)
    data = pipe.read(size)
    if len(data) < size:
        raise EOFError("no whole answer")
    return data


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and close its pipes; nothing happens to one that has ended."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.wait()


class _Clock(threading.Thread):
    """Ends a process that has not answered by a deadline; one thread for all its answers, which may be thousands."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self.deadline = math.inf
        self._process = process

    def run(self) -> None:
        while self._process.poll() is None:
            if time.monotonic() >= self.deadline:
                self._process.kill()
            time.sleep(_TICK)


class IsolatedReader(WrappedReader):
    """A reader whose work is done by a process of its own, which is started anew after it had to be killed.

    It raises `CorruptFile` if the process ends or gives no answer, and whatever the reader there raises. `content` is
    the file where it has no path.
    """

    version = ""

    def __init__(self, path: str | None, content: Any, engine: str, limits: Limits) -> None:
        super().__init__(limits)
        self._source = path if path is not None else bytes(content)
        self._engine = engine
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: dict[bytes, bytes] = {}
        self._first: list[bytes] = []
        self._objects: ObjectTable | None = None
        try:
            self.version, self.header, self.problems, self.most_unshared = self._ask("describe")
        except BaseException:
            self.close()
            raise

    def _release(self) -> None:
        process = self._process
        if process is not None:
            # Whoever waits for an answer gets none, and lets go of the lock.
            process.kill()
        with self._lock:
            process, self._process = self._process, None
            if process is not None:
                _stop(process)

    def _start(self) -> subprocess.Popen[bytes]:
        # Without the current folder, where a file may stand that has the name of a module.
        places = [str(Path(__file__).parents[3]), *filter(None, sys.path)]
        program = f"import sys; sys.path[:] = {places!r}; from matlens.formats.worker import main; main()"
        command = [sys.executable, "-I", "-c", program]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if process.stdin is not None:
            send(process.stdin, (self._source, self._engine, self.limits))
        self._clock = _Clock(process)
        self._clock.start()
        # For readers that nobody closes.
        weakref.finalize(self, _stop, process)
        return process

    def _ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        request = pickle.dumps((method, arguments, options), pickle.HIGHEST_PROTOCOL)
        with self._lock:
            data = self._answers.get(request)
            if data is None:
                data = self._request(request)
                if method in _ASKED_AGAIN and len(data) <= _SMALL:
                    self._answers[request] = data
                    if len(self._answers) > _KEPT:
                        # The oldest goes first.
                        del self._answers[next(iter(self._answers))]
                elif method in _ASKED_FIRST:
                    self._first.append(request)
        is_fine, answer = pickle.loads(data)
        if is_fine:
            return answer
        if isinstance(answer, Defect):
            self.stats["defect"] += 1
            for told in defects:
                told(answer)
        raise answer

    def _request(self, request: bytes) -> bytes:
        """The answer of the process; nobody else may ask meanwhile."""
        if self.closed:
            raise FileClosed("the file is closed")
        requests = [request] if self._process else [*self._first, request]
        self._process = process = self._process or self._start()
        self._clock.deadline = time.monotonic() + self.limits.seconds
        try:
            return [self._exchange(process, each) for each in requests][-1]
        except (EOFError, OSError):
            self._process = None
            raise self._failure(process, timed_out=time.monotonic() >= self._clock.deadline) from None
        finally:
            self._clock.deadline = math.inf

    def _exchange(self, process: subprocess.Popen[bytes], request: bytes) -> bytes:
        if process.stdin is None or process.stdout is None:
            raise EOFError("no pipes")
        _write(process.stdin, request)
        return _read(process.stdout)

    def _failure(self, process: subprocess.Popen[bytes], *, timed_out: bool) -> MatlensError:
        _stop(process)
        if timed_out:
            return LimitExceeded.of(self.limits, "seconds", f"reading took longer than {self.limits.seconds} s")
        code = process.returncode
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        return CorruptFile(f"the process that read the file ended {how}")

    # --- what is answered here -----------------------------------------------------

    def _find_variables(self) -> list[Variable]:
        found, self.problems[:] = self._ask("variables")
        return list(found)

    def prefetch(self, elements: Iterable[Elements]) -> None:
        """Nothing is gained by it here."""

    def headers(self, elements: Elements) -> Headers:
        self.stats["isolated"] += len(elements)
        return super().headers(elements)

    @property
    def may_hold_objects(self) -> bool:
        return self._objects is not None

    def objects(self) -> ObjectTable | None:
        with self._lock:
            if self._objects is None and (found := self._ask("objects")) is not None:
                self._objects = ObjectTable(self, *found)
            return self._objects
