"""Records to NumPy and Python values."""
