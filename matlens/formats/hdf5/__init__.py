"""HDF5 files read from their bytes: objects one by one and in batches, groups, heaps, chunks."""
