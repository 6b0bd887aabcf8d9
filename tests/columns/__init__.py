"""Tests of ``matlens/columns``."""
