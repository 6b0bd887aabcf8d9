"""Fuzzing that is led by coverage: ``pip install atheris``, then in the folder of the project

    python -m tests.fuzz.guided [corpus folders] [options of libFuzzer, such as -max_total_time=600]

Inputs are whole files for the headers and readers of every version, and bare elements of v5, which take a shorter way
to the parsers of tags, dims and names. Small sound files are written to a folder to start from, unless one is given.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import matlens
from matlens.errors import MatlensError
from matlens.formats.sniff import sniff
from matlens.formats.source.local import OpenedFile
from matlens.formats.v4 import Mat4Reader
from matlens.formats.v5.reader import Mat5Reader
from matlens.formats.v5.tags import TagReader
from matlens.formats.v73.reader import Mat73Reader

__all__ = ["main", "one_input"]

_V5_HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\x01IM"
_READERS = {"v4": Mat4Reader, "v5": Mat5Reader, "v7.3": Mat73Reader}
_SMALL = 4096


def one_input(data: bytes) -> None:
    """Read one input; anything that is raised is a fault.

    The first byte tells what the others are: a whole file, the elements of a v5 file, or one header of an array.
    """
    if not data:
        return
    kind, content = data[0] % 3, data[1:]
    try:
        if kind == 0:
            _read(content)
        elif kind == 1:
            _read(_V5_HEADER + content)
        else:
            for order in ("<", ">"):
                header = TagReader(order, matlens.Limits()).array_header(content, 0, len(content))
                assert header.payload + header.nbytes <= len(content), "data beyond the end"
    except MatlensError:
        pass


def _read(content: bytes) -> None:
    reader = _READERS[sniff(content)](content, matlens.Limits(memory=1 << 24, elements=10_000))
    with matlens.MatFile(OpenedFile(reader, "<bytes>", None, len(content), content), errors="salvage") as file:
        for name in file:
            try:
                file[name].to_numpy()
            except MatlensError:
                continue
        repr(file)


def main() -> None:
    import atheris

    from tests.fuzz.sources import sources

    arguments = sys.argv
    if not any(Path(argument).is_dir() for argument in arguments[1:]):
        folder = Path(tempfile.mkdtemp(prefix="seeds-"))
        for number, path in enumerate(sources()):
            content = path.read_bytes()
            if len(content) <= _SMALL:
                (folder / str(number)).write_bytes(b"\0" + content)
                (folder / f"{number}-elements").write_bytes(b"\1" + content[128:])
                (folder / f"{number}-header").write_bytes(b"\2" + content[128:])
        arguments = [*arguments, str(folder)]
    atheris.instrument_all()
    atheris.Setup(arguments, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
