"""matlens: MATLAB's MAT-files as typed trees, Arrow tables and bounding boxes.

>>> import matlens
>>> file = matlens.open("fixtures/annotations_v7.mat")
>>> file.get("annotations(3).image").value
'00003.jpg'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Not lazily: the function has the name of its module, which any import would put in its place.
from matlens.decode import decode

if TYPE_CHECKING:
    from matlens import boxes as boxes
    from matlens import errors as errors
    from matlens import helpers as helpers
    from matlens.checking import check as check
    from matlens.comparison import diff as diff
    from matlens.compat import loadmat as loadmat
    from matlens.conversion import convert as convert
    from matlens.errors import MatlensError as MatlensError
    from matlens.limits import Limits as Limits
    from matlens.nodes import Node as Node
    from matlens.queries import query as query
    from matlens.tree import MatFile as MatFile
    from matlens.tree import from_loadmat as from_loadmat
    from matlens.tree import open_file as open

__version__ = "0.1.0"

__all__ = [
    "Limits",
    "MatFile",
    "MatlensError",
    "Node",
    "boxes",
    "check",
    "convert",
    "decode",
    "diff",
    "errors",
    "from_loadmat",
    "helpers",
    "loadmat",
    "open",
    "query",
]

# Other names are imported at their first use, so that `import matlens` costs NumPy alone.
_SOURCES = {
    "Limits": ("matlens.limits", "Limits"),
    "MatFile": ("matlens.tree", "MatFile"),
    "MatlensError": ("matlens.errors", "MatlensError"),
    "Node": ("matlens.nodes", "Node"),
    "boxes": ("matlens.boxes", ""),
    "check": ("matlens.checking", "check"),
    "convert": ("matlens.conversion", "convert"),
    "diff": ("matlens.comparison", "diff"),
    "errors": ("matlens.errors", ""),
    "from_loadmat": ("matlens.tree", "from_loadmat"),
    "helpers": ("matlens.helpers", ""),
    "loadmat": ("matlens.compat", "loadmat"),
    "open": ("matlens.tree", "open_file"),
    "query": ("matlens.queries", "query"),
}


def __getattr__(name: str) -> Any:
    if name not in _SOURCES:
        raise AttributeError(f"module 'matlens' has no attribute {name!r}")
    module, attribute = _SOURCES[name]
    loaded = import_module(module)
    value = getattr(loaded, attribute) if attribute else loaded
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
