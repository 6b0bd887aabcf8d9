"""Tests of ``matlens/values``."""
