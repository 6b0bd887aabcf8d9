"""Readers of every MAT-file version, behind one contract (`matlens.formats.reader.Reader`): bytes to records."""
