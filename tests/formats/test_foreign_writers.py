"""What other writers and transfers leave in files: signed flags, references to nothing, changed line ends."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

import matlens
from matlens.errors import CorruptFile, NotAMatFile

MI_INT32, MI_UINT32 = 5, 6


def saved(**variables: object) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables)
    return stream.getvalue()


@pytest.mark.parametrize("count", [1, 40])
def test_flags_of_signed_integers(count: int) -> None:
    """One value goes the way of few, forty that of many."""
    cell = np.empty((1, count), object)
    for k in range(count):
        cell[0, k] = np.arange(k + 2.0)
    content = saved(c=cell, x=np.arange(5.0))
    flags = np.array([MI_UINT32, 8], "<u4").tobytes()
    assert content.count(flags) == count + 2
    with matlens.open(content.replace(flags, np.array([MI_INT32, 8], "<u4").tobytes())) as file:
        assert file["x"].value.tolist() == [[0, 1, 2, 3, 4]]
        assert [value.tolist() for value in file["c"].value] == [[list(range(k + 2))] for k in range(count)]
        assert file["c"].to_arrow().num_rows == count


def test_a_reference_to_nothing_is_an_empty_double(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    scipy.io.savemat(tmp_path / "y.mat", {"a": 1.0})
    with h5py.File(path, "w", userblock_size=512) as file:
        one = file.create_dataset("#refs#/a", data=np.array([[7.0]]))
        one.attrs["MATLAB_class"] = np.bytes_("double")
        cell = file.create_dataset("c", (20, 1), h5py.ref_dtype)
        cell.attrs["MATLAB_class"] = np.bytes_("cell")
        for k in range(0, 20, 2):
            cell[k, 0] = one.ref
    content = bytearray(path.read_bytes())
    content[:512] = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(384)
    path.write_bytes(content)
    with matlens.open(path) as file:
        values = file["c"].value
        assert [value.tolist() for value in values] == [[[7.0]], []] * 10 and values[1].shape == (0, 0)
        assert file["c"].to_arrow()["c"].to_pylist() == [7.0, None] * 10
        assert file["c"].children()[1].dims == (0, 0) and not list(matlens.check(file))[0].damages


def test_a_file_whose_zeros_became_blanks() -> None:
    content = saved(x=np.arange(50.0)).replace(b"\0", b" ")
    try:
        with matlens.open(content) as file:
            (told,) = file.problems
    except NotAMatFile as error:
        told = error
    assert "zero bytes have become blanks" in str(told) and "transfer it again in binary mode" in str(told)


def test_a_file_with_carriage_returns_put_in() -> None:
    """Uncompressed, with line feeds among the numbers."""
    content = saved(x=np.full((3, 3), 10, np.uint8), y=np.full((5, 5), 10, np.uint8), z=1.0)
    changed = content[:128] + content[128:].replace(b"\n", b"\r\n")
    with matlens.open(changed) as file:
        errors = [str(error) for error in file.problems]
        errors += [str(node.error) for node in file.values() if node.error is not None]
    assert errors and all("carriage return was put before each line feed" in text for text in errors), errors
    with matlens.open(content[:-8]) as file, pytest.raises(CorruptFile) as caught:
        file["z"].value
    assert "carriage" not in str(caught.value)


def test_text_of_32_bit_units_keeps_all_letters(tmp_path: Path) -> None:
    """hdf5storage writes so; a letter beyond 16 bits is one unit."""
    text, path = "a\U0001f600\u674e", tmp_path / "x.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        stored = file.create_dataset("x", data=np.array([[ord(letter)] for letter in text], np.uint32))
        stored.attrs["MATLAB_class"], stored.attrs["MATLAB_int_decode"] = np.bytes_("char"), np.int32(4)
    content = bytearray(path.read_bytes())
    content[:512] = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(384)
    path.write_bytes(content)
    with matlens.open(path) as file:
        assert file["x"].value == file["x"].to_python() == text
        assert file["x"].to_arrow()["text"].to_pylist() == [text]
    assert matlens.loadmat(path)["x"].tolist() == [text]


def test_pairs_of_surrogates_in_pages_of_text() -> None:
    """2x3x2 letters, of which two columns are the halves of one."""
    row = [ord("a"), 0xD83D, 0xDE00]
    units = np.zeros((2, 3, 2), np.uint16)
    units[:] = np.array(row)[None, :, None]
    content = bytearray(saved(x=np.zeros((2, 3, 2), np.uint16)))
    # The class of the array is char, its numbers are the units.
    place = content.index(np.array([MI_UINT32, 8], "<u4").tobytes()) + 8
    assert content[place] == 11
    content[place] = 4
    data = content.rindex(bytes(24))
    content[data : data + 24] = units.tobytes(order="F")
    with matlens.open(bytes(content)) as file:
        expected = "a\U0001f600"
        assert file["x"].value.ravel().tolist() == [expected] * 4
        assert np.array(file["x"].to_python(), object).ravel().tolist() == [expected] * 4


def test_a_field_without_a_name_has_numpys(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "e.mat", {"s": np.array([("x", 2.0), ("y", 4.0)], [("aa", object), ("bb", object)])})
    content = bytearray((tmp_path / "e.mat").read_bytes())
    at = content.index(b"aa\0")
    content[at : at + 2] = b"\0\0"
    (tmp_path / "e.mat").write_bytes(content)
    file = matlens.open(tmp_path / "e.mat")
    assert file["s"].fields() == np.dtype([("", object), ("bb", object)]).names == ("f0", "bb")
    assert file["s"].to_arrow().to_pylist() == [{"f0": "x", "bb": 2.0}, {"f0": "y", "bb": 4.0}]
    assert file.at("s(2).f0").value == "y"
