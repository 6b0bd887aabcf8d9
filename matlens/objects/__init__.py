"""What objects of MATLAB's own classes mean, as NumPy and pandas values; of other classes, their properties."""

from matlens.objects.instances import CONVERTERS, Instance, convert
from matlens.objects.resolve import Objects, is_enumeration

__all__ = ["CONVERTERS", "Instance", "Objects", "convert", "is_enumeration"]
