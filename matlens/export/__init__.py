"""Writing tables to files, one module for each format."""
