"""The reference engine: SciPy for v4 to v7, libhdf5 for v7.3, to compare with."""
