"""Tests of ``matlens/operations``."""
