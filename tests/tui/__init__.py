"""Tests of ``matlens/tui``."""
