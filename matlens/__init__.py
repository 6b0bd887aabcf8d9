"""matlens."""
