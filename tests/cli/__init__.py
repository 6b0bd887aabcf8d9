"""Tests of ``matlens/cli``."""
