"""MAT-files of v7.3: MATLAB's rules on top of HDF5."""
