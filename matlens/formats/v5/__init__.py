"""MAT-files of v6 (uncompressed) and v7 (compressed), which share one format: level 5."""
