"""Damaged and hostile files, each read in a process of its own."""
