"""A MAT-file as a tree of typed nodes."""
