"""What objects of MATLAB's own classes mean, as NumPy and pandas values; of other classes, their properties."""

from matlens.objects.instances import CONVERTERS, Instance, convert
from matlens.objects.resolve import ENUMERATION_TAG, Objects, Properties, is_enumeration

__all__ = ["CONVERTERS", "ENUMERATION_TAG", "Instance", "Objects", "Properties", "convert", "is_enumeration"]
