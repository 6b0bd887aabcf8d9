"""Tests of ``matlens/export``."""
