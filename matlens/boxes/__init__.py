"""Bounding boxes: found in any shape, converted between conventions, as one canonical table."""

from matlens.boxes.conventions import CONVENTIONS, convert
from matlens.boxes.evidence import Evidence
from matlens.boxes.sources import BoxSource, concat, find, merge, read

__all__ = ["CONVENTIONS", "BoxSource", "Evidence", "concat", "convert", "find", "merge", "read"]
