"""Objects of other systems than MATLAB's own, in files that hold none of MATLAB's."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import h5py
import numpy as np
import pytest

import matlens
from matlens.errors import CorruptFile, UnsupportedValue
from tests.fuzz.hostile import CELL, DOUBLE, STRUCT, element, integers, matrix, numbers, v5_file
from tests.support import out

UINT8, UINT32, OPAQUE = 9, 13, 17
MARK = struct.pack("<I", 0xDD000000)
SERIALIZED = b"\xac\xed\0\x05t\0\x05hello"
"""A text as Java serializes it."""


def opaque(name: bytes, system: bytes, class_name: bytes, content: bytes) -> bytes:
    texts = b"".join(element(1, text) for text in (name, system, class_name))
    body = element(6, struct.pack("<II", OPAQUE, 0)) + texts + content
    return struct.pack("<II", 14, len(body)) + body


def v5() -> bytes:
    java = matrix(UINT8, (len(SERIALIZED), 1), element(2, SERIALIZED))
    com = matrix(CELL, (1, 1), matrix(DOUBLE, (1, 1), numbers(1)))
    fields = integers(7) + element(1, b"java\0\0\0handle\0") + matrix(CELL, (0, 0), b"") * 2
    inner = b"\0\x01IM" + bytes(4) + matrix(STRUCT, (1, 1), fields)
    return v5_file(
        opaque(b"j", b"java", b"java.lang.String", java),
        opaque(b"c", b"handle", b"COM.Excel_Application", com),
        matrix(DOUBLE, (1, 1), numbers(7), b"good"),
        matrix(UINT8, (1, len(inner)), element(2, inner)),
    )


def v73() -> bytes:
    stream = BytesIO()
    with h5py.File(stream, "w") as file:
        file["good"] = np.array([[7.0]])
        file["j"] = np.frombuffer(SERIALIZED, np.uint8)[None, :]
        file["part"] = np.array([[1.0]])
        file["c"] = np.array([[file["part"].ref]], h5py.ref_dtype)
        for name, class_name in (("j", "java.lang.String"), ("c", "COM.Excel_Application")):
            file[name].attrs["MATLAB_class"] = np.bytes_(class_name)
            file[name].attrs["MATLAB_object_decode"] = np.int32(3)
        for name in ("java", "handle"):
            file[f"#subsystem#/{name}"] = np.zeros(2, np.uint64)
            file[f"#subsystem#/{name}"].attrs["MATLAB_empty"] = np.uint8(1)
            file[f"#subsystem#/{name}"].attrs["MATLAB_class"] = np.bytes_("double")
    return stream.getvalue()


@pytest.mark.parametrize("make", [v5, v73])
@pytest.mark.parametrize(
    ("name", "told"), [("j", "a Java object of class java.lang.String"), ("c", "a COM object of class COM")]
)
def test_they_are_unsupported_and_nothing_else_is(make: Callable[[], bytes], name: str, told: str) -> None:
    with matlens.open(make()) as file:
        assert file["good"].value == 7
        assert file[name].dims == (1, 1)
        for decode in (file[name].to_python, file[name].to_arrow, file[name].form):
            with pytest.raises(UnsupportedValue, match=told):
                decode()


@pytest.mark.parametrize("make", [v5, v73])
def test_files_that_hold_them_are_sound(make: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "foreign.mat"
    path.write_bytes(make())
    assert "damaged" not in out("check", str(path))
    assert "java.lang.String" in out("tree", str(path))
    found = matlens.loadmat(path)
    assert found["good"] == 7 and type(found["j"]).__name__ == "MatlabOpaque"
    np.testing.assert_array_equal(np.ravel(found["j"]["arr"][0]), np.frombuffer(SERIALIZED, np.uint8))


def test_an_enumeration_without_the_data_of_objects_is_damaged() -> None:
    tag = integers(23) + element(1, b"EnumerationInstanceTag\0") + matrix(UINT32, (1, 1), element(6, MARK))
    content = v5_file(opaque(b"e", b"MCOS", b"my.Color", matrix(STRUCT, (1, 1), tag)))
    with matlens.open(content) as file, pytest.raises(CorruptFile, match=r"e: a my\.Color is referred to"):
        file["e"].to_python()
