"""The verbs of matlens, one a file."""
