"""Helpers for data preparation: plain functions on arrays, one topic per module.

Arrays are positional, options are keywords. What `Node.value` and `Node.to_arrow` give is taken
as it is. NumPy and SciPy are all they need.

>>> from matlens import helpers
>>> helpers.find_regions([[0, 9, 9], [0, 0, 9]], 5).to_boxes().to_pylist()
[{'label': 1, 'xmin': 1.0, 'ymin': 0.0, 'xmax': 3.0, 'ymax': 2.0}]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matlens.helpers.ablations import Ablation as Ablation
    from matlens.helpers.ablations import ablate_columns as ablate_columns
    from matlens.helpers.ablations import ablation as ablation
    from matlens.helpers.convolution import conv_transpose2d as conv_transpose2d
    from matlens.helpers.convolution import conv_transpose2d_shape as conv_transpose2d_shape
    from matlens.helpers.convolution import to_matlab_layout as to_matlab_layout
    from matlens.helpers.convolution import to_torch_layout as to_torch_layout
    from matlens.helpers.distance import cdist as cdist
    from matlens.helpers.matching import explain_mismatch as explain_mismatch
    from matlens.helpers.matching import match as match
    from matlens.helpers.measures import Regions as Regions
    from matlens.helpers.regions import find_regions as find_regions
    from matlens.helpers.regions import regionprops as regionprops
    from matlens.helpers.sorting import rank as rank
    from matlens.helpers.sorting import sortrows as sortrows

# Imported at their first use: SciPy's parts take longer to load than most calls take to run.
_NAMES = {
    "ablations": ("Ablation", "ablate_columns", "ablation"),
    "convolution": ("conv_transpose2d", "conv_transpose2d_shape", "to_matlab_layout", "to_torch_layout"),
    "distance": ("cdist",),
    "matching": ("explain_mismatch", "match"),
    "measures": ("Regions",),
    "regions": ("find_regions", "regionprops"),
    "sorting": ("rank", "sortrows"),
}
_SOURCES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_SOURCES)


def __getattr__(name: str) -> Any:
    if name not in _SOURCES:
        raise AttributeError(f"module 'matlens.helpers' has no attribute {name!r}")
    value = getattr(import_module(f"matlens.helpers.{_SOURCES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
