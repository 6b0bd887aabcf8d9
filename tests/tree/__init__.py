"""Tests of ``matlens/tree``."""
