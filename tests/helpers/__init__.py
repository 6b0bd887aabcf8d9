"""Tests of ``matlens/helpers``."""
