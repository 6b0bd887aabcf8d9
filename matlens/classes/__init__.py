"""What MATLAB's own classes mean: string, datetime, table, map … from their properties, as NumPy and pandas values."""
