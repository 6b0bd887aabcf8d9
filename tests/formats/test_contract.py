"""The contract of readers: its boundary, its wrappers, the life of a file, and threads."""

from __future__ import annotations

import inspect
import io
import os
import re
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

import matlens
from matlens import Limits
from matlens.errors import CorruptFile, FileChanged, FileClosed, LimitExceeded, MatlensError
from matlens.formats import reader as contract
from matlens.formats.guards.isolated import REMOTE, IsolatedReader
from matlens.formats.guards.salvage import SalvagingReader
from matlens.formats.guards.wrapped import WrappedReader
from matlens.formats.memory import LoadmatReader
from matlens.formats.open import open_reader
from matlens.formats.reader import CONTRACT, Defect, Reader
from matlens.formats.records import Children, Elements, Headers, Variable
from matlens.formats.v4 import Mat4Reader
from matlens.formats.v5.reader import Mat5Reader
from matlens.formats.v5.tags import TagReader
from matlens.formats.v73.reader import Mat73Reader
from tests.support import FIXTURES, ROOT

# --- no method is forgotten ---------------------------------------------------------


def public(cls: type) -> set[str]:
    return {name for name, value in vars(cls).items() if inspect.isfunction(value) and not name.startswith("_")}


def test_every_method_of_the_contract_is_forwarded_or_local() -> None:
    # `variables` remembers what the other reader found; the last three are about the reader itself.
    assert public(Reader) - public(WrappedReader) == {"variables", "close", "check", "damage"}
    assert public(WrappedReader) | {"variables"} == CONTRACT
    assert CONTRACT - {"prefetch"} | {"describe"} == REMOTE


def test_wrappers_pass_each_call_on_as_it_came() -> None:
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
    answers = {"variables": [], "children": [], "window_step": 7, "storage": {"a": 1}}

    class Recorder(WrappedReader):
        version = "test"

        def _ask(self, method: str, *arguments: Any, **options: Any) -> Any:
            calls.append((method, arguments, options))
            return answers.get(method, method)

    reader = Recorder(Limits())
    for name in sorted(CONTRACT):
        parameters = list(inspect.signature(getattr(Reader, name)).parameters.values())[1:]
        positional = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
        options = {p.name: True for p in parameters if p.kind is p.KEYWORD_ONLY}
        found = getattr(reader, name)(*positional, **options)
        assert calls.pop() == (name, positional, options) and not calls
        assert found == (None if name == "prefetch" else answers.get(name, name))


@pytest.mark.parametrize("name", sorted(CONTRACT))
def test_every_reader_guards_every_method(name: str) -> None:
    for cls in (Mat4Reader, Mat5Reader, Mat73Reader, LoadmatReader, IsolatedReader, SalvagingReader):
        assert hasattr(getattr(cls, name), "__wrapped__"), cls


def test_the_process_answers_the_contract_alone(unforeseen: list[Exception]) -> None:
    with matlens.open(FIXTURES / "kinds_v73.mat", isolate="always") as file:
        with pytest.raises(CorruptFile, match="nobody may ask for close"):
            file._reader._ask("close")  # type: ignore[attr-defined]
        unforeseen.clear()
        assert file["numbers"].dims == (1, 1)


# --- the boundary -------------------------------------------------------------------


class Falling(Reader):
    """Falls over the elements at odd positions."""

    version = "test"

    def __init__(self, error: Exception) -> None:
        super().__init__(Limits())
        self.error = error

    def _find_variables(self) -> list[Variable]:
        raise self.error

    def headers(self, elements: Elements) -> Headers:
        if (elements.positions % 2).any():
            raise self.error
        return Headers.empty(elements)

    def children(self, headers: Headers, *, keep_damage: bool = False) -> list[Children]:
        raise self.error

    def gather(self, headers: Headers, *, as_stored: bool = False) -> Any:
        raise self.error


UNFORESEEN = [
    struct.error("x"),
    IndexError("x"),
    KeyError("x"),
    OverflowError("x"),
    TypeError("x"),
    RecursionError("x"),
]


@pytest.mark.parametrize("error", UNFORESEEN, ids=lambda error: type(error).__name__)
def test_what_no_parser_foresaw_is_damage_and_counts_as_a_defect(error: Exception, unforeseen: list[Exception]) -> None:
    reader = Falling(error)
    headers = Headers.empty(Elements(0, np.zeros(1, np.int64)))
    for read in (reader.variables, lambda: reader.children(headers), lambda: reader.gather(headers)):
        with pytest.raises(Defect, match=f"not readable: {type(error).__name__}: ") as caught:
            read()
        assert isinstance(caught.value, CorruptFile) and caught.value.__cause__ is error
    assert unforeseen == [error] * 3 and reader.stats["defect"] == 3
    unforeseen.clear()


def test_headers_tell_of_the_elements_at_fault_alone(unforeseen: list[Exception]) -> None:
    headers = Falling(IndexError("x")).headers(Elements(0, np.arange(100)))
    np.testing.assert_array_equal(headers.ok, np.arange(100) % 2 == 0)
    assert sorted(headers.errors) == list(range(1, 100, 2)) and len(unforeseen) == 50
    unforeseen.clear()
    none = Falling(IndexError("x")).headers(Elements(0, np.zeros(0, np.int64)))
    assert len(none) == 0


def test_memory_that_is_not_there_is_a_limit_and_no_defect() -> None:
    with pytest.raises(LimitExceeded, match=r"exceeds Limits\.memory"):
        Falling(MemoryError("x")).gather(Headers.empty(Elements(0, np.zeros(1, np.int64))))


def test_a_defect_of_opening_names_the_file(monkeypatch: pytest.MonkeyPatch, unforeseen: list[Exception]) -> None:
    def fall(*_: Any) -> None:
        raise struct.error("too short")

    monkeypatch.setattr(Mat5Reader, "__init__", fall)
    with pytest.raises(Defect, match=r"^kinds_v7\.mat: not readable: error: too short"):
        matlens.open(FIXTURES / "kinds_v7.mat")
    unforeseen.clear()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_is_no_damage(interruption: type[BaseException], unforeseen: list[Exception]) -> None:
    try:
        try:
            raise interruption
        finally:
            threading.Lock().release()
    except RuntimeError as error:
        with pytest.raises(interruption):
            contract.damage_of(error, Limits())
    assert unforeseen == []


def test_a_defect_in_one_variable_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, unforeseen: list[Exception]
) -> None:
    parse = TagReader.common_header

    def fall(self: TagReader, *arguments: Any, **options: Any) -> Any:
        parsed = parse(self, *arguments, **options)
        if parsed is not None and parsed.name == "b":
            raise ZeroDivisionError
        return parsed

    stream = io.BytesIO()
    scipy.io.savemat(stream, {"a": 1.0, "b": 2.0, "c": 3.0})
    monkeypatch.setattr(TagReader, "common_header", fall)
    with matlens.open(stream.getvalue()) as file:
        assert file["a"].value.tolist() == [[1]] and file["c"].value.tolist() == [[3]]
        with pytest.raises(CorruptFile, match="b: not readable: ZeroDivisionError"):
            file["b"].value
    unforeseen.clear()


def test_every_limit_is_named() -> None:
    nameless = re.compile(r"LimitExceeded\((?!MatlensError)")
    files = {str(path.relative_to(ROOT / "matlens")): path.read_text() for path in (ROOT / "matlens").rglob("*.py")}
    assert not [name for name, text in files.items() if nameless.search(text)]


# --- errors -------------------------------------------------------------------------


def test_errors_stay_as_they_were() -> None:
    content = bytearray((FIXTURES / "annotations_v7.mat").read_bytes())
    content[300:340] = bytes(40)
    with matlens.open(bytes(content)) as file:
        before = [vars(error).copy() for v in file._reader.variables() for error in v.headers.errors.values()]
        kept = [vars(problem).copy() for problem in file._reader.problems]
        for name in file:
            with pytest.raises(MatlensError, match=r"^<bytes>: "):
                file[name].to_numpy()
        assert all(problem.file == "<bytes>" for problem in file.problems)
        after = [vars(error) for v in file._reader.variables() for error in v.headers.errors.values()]
        assert before == after and kept == [vars(problem) for problem in file._reader.problems]


# --- life ---------------------------------------------------------------------------

LIVES: dict[str, dict[str, Any]] = {
    "kinds_v4.mat": {},
    "kinds_v7.mat": {},
    "kinds_v73.mat": {},
    "objects_v73.mat": {"engine": "reference", "isolate": "never"},
    "objects_v7.mat": {"isolate": "always"},
    "annotations_v7.mat": {"engine": "reference", "isolate": "never"},
    "annotations_v73.mat": {"errors": "salvage"},
}


@pytest.fixture(params=LIVES)
def opened(request: pytest.FixtureRequest) -> Iterator[matlens.MatFile]:
    with matlens.open(FIXTURES / request.param, **LIVES[request.param]) as file:
        yield file


def test_nodes_of_a_closed_file_say_so(opened: matlens.MatFile) -> None:
    node = next(iter(opened.values()))
    opened.close()
    with pytest.raises(FileClosed, match=f"^{re.escape(opened.name)}: .*closed") as caught:
        node.to_numpy()
    assert isinstance(caught.value, ValueError)


def test_one_value_of_a_closed_v5_file() -> None:
    with matlens.open(FIXTURES / "kinds_v7.mat") as file:
        elements = file["numbers"]._elements
    with pytest.raises(FileClosed):
        file._reader.single(elements.segment, 0)  # type: ignore[attr-defined]


@pytest.mark.parametrize("options", [{}, {"isolate": "always"}, {"errors": "salvage"}], ids=str)
@pytest.mark.parametrize("name", ["kinds_v7.mat", "kinds_v73.mat"])
@pytest.mark.parametrize("change", ["cut", "written", "replaced"])
def test_a_file_that_changed_is_not_read(tmp_path: Path, name: str, change: str, options: dict[str, Any]) -> None:
    path = tmp_path / name
    content = (FIXTURES / name).read_bytes()
    path.write_bytes(content)
    os.utime(path, ns=(0, 10**18))
    with matlens.open(path, **options) as file:
        node = file["numbers"]
        if change == "cut":
            os.truncate(path, 0)
        elif change == "written":
            path.write_bytes(content)
        else:
            (tmp_path / "other").write_bytes(content)
            (tmp_path / "other").replace(path)
        with pytest.raises(FileChanged, match=rf"^{re.escape(name)}: .*written since it was opened") as caught:
            node.to_numpy()
        assert isinstance(caught.value, OSError)
        with pytest.raises(FileChanged):
            file._reader.headers(node._elements)


def test_an_open_file_that_is_cut_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"x": np.arange(10_000.0)})
    with path.open("rb") as source, matlens.open(source) as file:
        node = file["x"]
        os.truncate(path, 128)
        with pytest.raises(FileChanged):
            node.to_numpy()


def test_a_file_whose_name_is_gone_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    scipy.io.savemat(path, {"x": np.arange(3.0)})
    with matlens.open(path) as file:
        path.unlink()
        assert file["x"].to_numpy().tolist() == [[0, 1, 2]]


def test_another_process_knows_the_positions_of_the_first() -> None:
    """Those of compressed variables and of objects count in the order in which they were asked for."""
    with matlens.open(FIXTURES / "objects_v7.mat") as file:
        expected = {name: repr(node.to_numpy()) for name, node in file.items()}
    with matlens.open(FIXTURES / "objects_v7.mat", isolate="always") as file:
        for name, node in file.items():
            assert repr(node.to_numpy()) == expected[name]
            process = file._reader._process  # type: ignore[attr-defined]
            process.send_signal(signal.SIGKILL)
            process.wait()
            with pytest.raises(CorruptFile, match="ended by signal 9"):
                node.to_numpy()


def test_closing_stops_whoever_waits_for_an_answer() -> None:
    with matlens.open(FIXTURES / "kinds_v73.mat", isolate="always") as file:
        node = file["numbers"]
        os.kill(file._reader._process.pid, signal.SIGSTOP)  # type: ignore[attr-defined]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(node.to_numpy)
            while file._reader._clock.deadline == float("inf"):  # type: ignore[attr-defined]
                os.sched_yield()
            file.close()
            with pytest.raises(FileClosed):
                waiting.result()


# --- salvage ------------------------------------------------------------------------


@pytest.mark.parametrize("isolate", ["never", "always"])
def test_salvage_leaves_the_reader_as_it_is(isolate: Any) -> None:
    """Children before damage that hides the others, with and without a process between."""
    cell = np.empty((1, 3), object)
    cell[0, :] = [1.0, 2.0, 3.0]
    stream = io.BytesIO()
    scipy.io.savemat(stream, {"c": cell})
    content = bytearray(stream.getvalue())
    with matlens.open(bytes(content)) as file:
        second = int(file.at("c{2}")._elements.positions[0])
    content[second : second + 4] = struct.pack("<I", 99)
    opened = open_reader(bytes(content), isolate=isolate)
    reader, salvaging = opened.reader, SalvagingReader(opened.reader)
    headers = reader.variables()[0].headers
    (kept,) = salvaging.children(headers)
    assert len(kept.elements) == 3 and salvaging.headers(kept.elements).ok.tolist() == [True, False, False]
    with pytest.raises(CorruptFile, match="an array is expected, element of type 99 found"):
        reader.children(headers)
    with matlens.open(bytes(content), isolate=isolate, errors="salvage") as file:
        assert file["c"].to_python() == [1, None, None]
        assert [problem.variable for problem in file.problems] == ["c{2}", "c{3}"]
    opened.close()


# --- threads ------------------------------------------------------------------------

NAMES = [f"v{k}" for k in range(12)]
THREADS = 8


def expected(name: str) -> Any:
    k = int(name[1:])
    rng = np.random.default_rng(k)
    return {
        "number": rng.integers(0, 255, (3, 20)).astype(np.uint8),
        "cell": [rng.normal(size=(2, 3)) for _ in range(18)],
        "text": f"text of {name} " * (k + 1),
    }


def v7_file() -> bytes:
    stream = io.BytesIO()
    values = {}
    for name in NAMES:
        value = expected(name)
        cell = np.empty((1, 18), object)
        cell[0, :] = value["cell"]
        values[name] = {"number": value["number"], "cell": cell, "text": value["text"]}
    scipy.io.savemat(stream, values, do_compression=True)
    return stream.getvalue()


def v73_file() -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w", userblock_size=512) as file:
        for name in NAMES:
            value, group = expected(name), file.create_group(name)
            group.attrs["MATLAB_class"] = np.bytes_("struct")
            stored = group.create_dataset("number", data=value["number"].T)
            stored.attrs["MATLAB_class"] = np.bytes_("uint8")
            text = np.array([[ord(c)] for c in value["text"]], np.uint16)
            stored = group.create_dataset("text", data=text)
            stored.attrs["MATLAB_class"], stored.attrs["MATLAB_int_decode"] = np.bytes_("char"), np.int32(2)
            references = []
            for k, part in enumerate(value["cell"]):
                chunks = (3, 1) if k % 2 else None
                below = file.create_dataset(f"#refs#/{name}_{k}", data=part.T, chunks=chunks)
                below.attrs["MATLAB_class"] = np.bytes_("double")
                references.append([below.ref])
            cell = group.create_dataset("cell", data=np.array(references, h5py.ref_dtype))
            cell.attrs["MATLAB_class"] = np.bytes_("cell")
    content = bytearray(stream.getvalue())
    content[:128] = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    return bytes(content)


def check_one(file: matlens.MatFile, operation: int) -> None:
    """One of several ways to read one of the variables."""
    name = NAMES[operation % len(NAMES)]
    known, node = expected(name), file[name]
    match operation // len(NAMES) % 6:
        case 0:
            np.testing.assert_array_equal(node["number"].value, known["number"])
        case 1:
            assert node["text"].value == known["text"]
        case 2:
            k = operation % 18
            np.testing.assert_array_equal(file.at(f"{name}.cell{{{k + 1}}}").value, known["cell"][k])
        case 3:
            found = node.to_python()
            assert found["text"] == known["text"] and found["number"] == known["number"].tolist()
            assert found["cell"] == [part.tolist() for part in known["cell"]]
        case 4:
            headers = file._reader.headers(node["cell"]._elements)
            (cells,) = file._reader.children(headers)
            values, offsets = file._reader.gather(file._reader.headers(cells.elements))
            for k, part in enumerate(known["cell"]):
                np.testing.assert_array_equal(values[offsets[k] : offsets[k + 1]], part.ravel(order="F"))
        case _:
            part = file.at(f"{name}.number(2,3:5)").value
            np.testing.assert_array_equal(part, known["number"][1:2, 2:5])


@pytest.fixture
def many_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize(
    ("content", "isolate", "operations"),
    [
        pytest.param(v7_file, "never", 2000, id="v7"),
        pytest.param(v73_file, "never", 2000, id="v7.3"),
        pytest.param(v7_file, "always", 500, id="isolated"),
    ],
)
@pytest.mark.usefixtures("many_switches")
def test_every_thread_gets_its_own_values(content: Callable[[], bytes], isolate: Any, operations: int) -> None:
    with matlens.open(content(), isolate=isolate) as file, ThreadPoolExecutor(THREADS) as pool:

        def run(thread: int) -> None:
            order = np.random.default_rng(thread).integers(0, 72 * len(NAMES), operations)
            for operation in order.tolist():
                check_one(file, operation)

        for done in [pool.submit(run, thread) for thread in range(THREADS)]:
            done.result()


def test_what_threads_of_a_small_cache_read(monkeypatch: pytest.MonkeyPatch, many_switches: None) -> None:
    """Inflated variables are forgotten while others are read."""
    monkeypatch.setattr("matlens.formats.v5.segments.CACHE_BYTES", 5000)
    test_every_thread_gets_its_own_values(v7_file, "never", 50)


def test_hooks_are_told_once() -> None:
    assert len(contract.defects) == 1
