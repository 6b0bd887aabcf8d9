"""Readers around readers: a process of its own, and passing over damage."""
