"""What a file is, decided by its content and never by its name."""

from __future__ import annotations

import re
from typing import Any

from matlens.errors import CorruptFile, MatlensError, NotAMatFile
from matlens.formats.v4 import looks_like_v4

_SAMPLE = 1 << 20
"""Bytes that are looked through for what a transfer as text leaves."""
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SIGNATURES = (
    (b"version https://git-lfs", "a Git-LFS pointer: run `git lfs pull` to get the file itself"),
    (b"PK\x03\x04", "a zip archive: unpack it first"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "gzip data: unpack it first"),
    (b"BZh", "bzip2 data: unpack it first"),
    (b"\xfd7zXZ\0", "xz data: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"Rar!", "a rar archive: unpack it first"),
    (b"%PDF", "a PDF document"),
    (b"\x93NUMPY", "a NumPy .npy file"),
    (b"PAR1", "a Parquet file"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
)
_NUMBER_LINE = re.compile(rb"\s*[-+]?(\d|\.\d|NaN|Inf)[-+.\deENaInfD,;\s]*$")


def sniff(buffer: Any) -> str:
    """Format of the MAT-file in `buffer`: ``"v4"``, ``"v5"`` (which v6 and v7 share) or ``"v7.3"``.

    `NotAMatFile` says what the content is instead, as far as it can be told.
    """
    if len(buffer) == 0:
        raise NotAMatFile("the file is empty")
    if find_hdf5(buffer) is not None:
        return "v7.3"
    mark = bytes(buffer[124:128])
    if mark in (b"\x00\x02IM", b"\x02\x00MI"):
        raise NotAMatFile("a v7.3 header without the HDF5 signature that belongs after it")
    if mark in (b"\x00\x01IM", b"\x01\x00MI") or (mark[2:] in (b"IM", b"MI") and bytes(buffer[:6]) == b"MATLAB"):
        return "v5"
    if looks_like_v4(buffer):
        return "v4"
    raise NotAMatFile(f"not a MAT-file but {_describe(bytes(buffer[:512]))}")


def find_hdf5(buffer: Any) -> int | None:
    """Position of the HDF5 signature: byte 0, 512, 1024, 2048 and so on; None if there is none."""
    offset = 0
    while offset + 8 <= len(buffer):
        if bytes(buffer[offset : offset + 8]) == HDF5_SIGNATURE:
            return offset
        offset = offset * 2 or 512
    return None


def text_filter(content: bytes) -> str:
    """What a transfer as text has made of binary content, and what to do; empty if nothing tells of one.

    Examples
    --------
    >>> text_filter(b"MAT" + bytes(8))
    ''
    >>> text_filter(b"MAT" + b" " * 128).partition(",")[0]
    'zero bytes have become blanks'
    """
    remedy = "as a transfer as text does: transfer it again in binary mode"
    if len(content) >= 64 and b"\0" not in content:
        return f"zero bytes have become blanks, {remedy}"
    lines = content.count(b"\n")
    if lines > 2 and content.count(b"\r\n") == lines:
        return f"a carriage return was put before each line feed, {remedy}"
    return ""


def transfer_hint(content: Any) -> str:
    """What a transfer as text has done to the content of a v5 file, if it has."""
    return text_filter(bytes(content[128 : 128 + _SAMPLE]))


def hinted(error: MatlensError, hint: str) -> MatlensError:
    """The error of damage, with a word on what has done it, if that is known."""
    if not hint or not isinstance(error, CorruptFile):
        return error
    return CorruptFile(f"{error.message}; {hint}", offset=error.offset, position=error.position)


def _describe(head: bytes) -> str:
    """What the first bytes of a file that is no MAT-file look like."""
    for signature, what in _SIGNATURES:
        if head.startswith(signature):
            return what
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return "an HTML page: the download gave a web page instead of the file"
    if text.startswith(b"<?xml"):
        return "an XML document"
    if head.startswith(b"MATLAB 5.0 MAT-file") and len(head) >= 128 and (hint := text_filter(head)):
        return f"a v5 MAT-file in which {hint}"
    if head.startswith(b"MATLAB 5.0 MAT-file"):
        return f"the first {len(head)} bytes of a v5 MAT-file: it is cut off inside its header"
    if any(byte < 9 or 13 < byte < 32 for byte in head):
        return "binary data of an unknown kind"
    first_lines = [line for line in head.splitlines() if line.strip()][:3]
    if first_lines and all(_NUMBER_LINE.match(line) for line in first_lines[:-1] or first_lines):
        return "a text of numbers, as `save -ascii` writes: numpy.loadtxt reads it"
    if re.search(rb"^\s*(#import|@interface|@implementation)", head, re.MULTILINE):
        return "a text: Objective-C source"
    if re.search(rb"^\s*(function\b|classdef\b|%|end\b)|;\s*$", head, re.MULTILINE):
        return "a text: source code, such as a MATLAB .m script"
    return "a text"
