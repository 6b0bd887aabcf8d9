"""Tests of ``matlens/classes``."""
