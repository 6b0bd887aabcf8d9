"""Bounding boxes: found in any shape, converted between conventions, as one canonical table."""

from matlens.annotations.checking import check, clip, drop_invalid
from matlens.annotations.conventions import CONVENTIONS, convert
from matlens.annotations.evidence import Evidence
from matlens.annotations.find import find
from matlens.annotations.joining import concat, merge
from matlens.annotations.sources import BoxSource

__all__ = [
    "CONVENTIONS",
    "BoxSource",
    "Evidence",
    "check",
    "clip",
    "concat",
    "convert",
    "drop_invalid",
    "find",
    "merge",
]
