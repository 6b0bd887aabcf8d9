"""Tests of ``matlens/annotations``."""
