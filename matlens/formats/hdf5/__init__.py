"""HDF5 as MATLAB writes it, read from the bytes of the file; nothing here knows of MATLAB."""
