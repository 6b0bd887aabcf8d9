"""Damage that knows the formats: sizes, types, dims, flags and addresses get values that hurt."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import numpy as np

__all__ = ["mutant"]

WORDS = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    14,
    15,
    16,
    127,
    128,
    255,
    256,
    0x7FFF,
    0xFFFF,
    0x10000,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
)
HDF5_MARKS = (b"TREE", b"SNOD", b"HEAP", b"GCOL", b"MATLAB_class", b"MATLAB_fields", b"MATLAB_empty", b"MATLAB_sparse")
HEADER_BYTES = 128


def mutant(content: bytes, rng: np.random.Generator, *, inside: bool = True) -> bytes:
    """A copy of a MAT-file with one to four faults; with `inside`, also in data that are compressed anew, so that
    their checksum is right.
    """
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        if len(data) > 16:
            choices = FAULTS if inside else tuple(fault for fault in FAULTS if fault is not _inside)
            if b"\x89HDF" in content[:1024]:
                choices = (*choices, _hdf5_word, _hdf5_word, _hdf5_word)
            data = choices[int(rng.integers(len(choices)))](data, rng)
    return bytes(data)


def _place(data: bytearray, rng: np.random.Generator, step: int = 1) -> int:
    return int(rng.integers(0, max(len(data) - 8, 1))) // step * step


def _flip(data: bytearray, rng: np.random.Generator) -> bytearray:
    data[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def _byte(data: bytearray, rng: np.random.Generator) -> bytearray:
    data[_place(data, rng)] = int(rng.integers(256))
    return data


def _word(data: bytearray, rng: np.random.Generator) -> bytearray:
    at = _place(data, rng, 4)
    data[at : at + 4] = struct.pack("<I", int(rng.choice(WORDS)))
    return data


def _long(data: bytearray, rng: np.random.Generator) -> bytearray:
    at = _place(data, rng, 8)
    data[at : at + 8] = struct.pack("<Q", int(rng.choice(WORDS)) << int(rng.choice([0, 0, 8, 31, 32])))
    return data


def _cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: int(rng.integers(1, len(data)))]


def _remove(data: bytearray, rng: np.random.Generator) -> bytearray:
    at = _place(data, rng)
    del data[at : at + int(rng.integers(1, 64))]
    return data


def _insert(data: bytearray, rng: np.random.Generator) -> bytearray:
    at = _place(data, rng)
    data[at:at] = rng.bytes(int(rng.integers(1, 64)))
    return data


def _repeat(data: bytearray, rng: np.random.Generator) -> bytearray:
    at, length = _place(data, rng), int(rng.integers(1, 2000))
    data[at:at] = data[at : at + length]
    return data


def _copy_over(data: bytearray, rng: np.random.Generator) -> bytearray:
    source, target, length = _place(data, rng), _place(data, rng), int(rng.integers(4, 64))
    piece = data[source : source + length]
    data[target : target + len(piece)] = piece
    return data


def _tag(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Another type or size in one of the tags of a v5 file, which stand at multiples of eight."""
    places = [
        at for at in range(HEADER_BYTES, len(data) - 8, 8) if 0 < data[at] <= 18 and not any(data[at + 1 : at + 4])
    ]
    if not places:
        return _word(data, rng)
    at = int(rng.choice(places)) + 4 * int(rng.integers(2))
    data[at : at + 4] = struct.pack("<I", int(rng.choice([*WORDS, *range(20)])))
    return data


def _inside(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Damage to the inflated data of a compressed variable, which is compressed again."""
    at, places = HEADER_BYTES, []
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind not in (14, 15):
            break
        if kind == 15:
            places.append((at, size))
        at += 8 + size
    if not places:
        return _tag(data, rng)
    at, size = places[int(rng.integers(len(places)))]
    try:
        inner = bytearray(zlib.decompress(data[at + 8 : at + 8 + size]))
    except zlib.error:
        return _byte(data, rng)
    if len(inner) < 24:
        return data
    for _ in range(int(rng.integers(1, 4))):
        inner = INNER[int(rng.integers(len(INNER)))](inner, rng)
    packed = zlib.compress(bytes(inner))
    data[at : at + 8 + size] = struct.pack("<II", 15, len(packed)) + packed
    return data


def _inner_tag(data: bytearray, rng: np.random.Generator) -> bytearray:
    places = [at for at in range(0, len(data) - 8, 8) if 0 < data[at] <= 18 and not any(data[at + 1 : at + 4])]
    at = (int(rng.choice(places)) if places else 0) + 4 * int(rng.integers(2))
    data[at : at + 4] = struct.pack("<I", int(rng.choice([*WORDS, *range(20)])))
    return data


def _hdf5_word(data: bytearray, rng: np.random.Generator) -> bytearray:
    """A number near one of HDF5's own marks."""
    mark = HDF5_MARKS[int(rng.integers(len(HDF5_MARKS)))]
    places, at = [], data.find(mark)
    while at >= 0 and len(places) < 500:
        places.append(at)
        at = data.find(mark, at + 1)
    if not places:
        return _long(data, rng)
    at = int(rng.choice(places)) + int(rng.integers(-40, 80))
    at = min(max(at, 0), len(data) - 8)
    width = int(rng.choice([1, 2, 4, 8]))
    value = int(rng.choice(WORDS)) & ((1 << 8 * width) - 1)
    data[at : at + width] = value.to_bytes(width, "little")
    return data


Fault = Callable[[bytearray, np.random.Generator], bytearray]
INNER: tuple[Fault, ...] = (_inner_tag, _inner_tag, _flip, _byte, _word, _long, _remove, _copy_over)
FAULTS: tuple[Fault, ...] = (
    *(_tag, _tag, _inside, _inside, _inside, _word, _long, _flip, _byte),
    *(_cut, _remove, _insert, _repeat, _copy_over),
)
