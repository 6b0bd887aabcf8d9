"""Bounding boxes: found in any shape, converted between conventions, as one canonical table."""

from matlens.annotations.conventions import CONVENTIONS, convert
from matlens.annotations.evidence import Evidence
from matlens.annotations.sources import BoxSource, concat, find, merge, read

__all__ = ["CONVENTIONS", "BoxSource", "Evidence", "concat", "convert", "find", "merge", "read"]
