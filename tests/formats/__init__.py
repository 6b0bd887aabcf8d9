"""Tests of ``matlens/formats``."""
