"""Measurements, left out unless they are asked for."""
