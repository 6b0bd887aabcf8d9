"""matlens: MATLAB's MAT-files as typed trees, Arrow tables and bounding boxes.

>>> import matlens
>>> file = matlens.open("fixtures/annotations_v7.mat")
>>> file.at("annotations(3).image").value
'00003.jpg'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matlens import errors as errors
    from matlens import helpers as helpers
    from matlens.errors import MatlensError as MatlensError
    from matlens.limits import Limits as Limits
    from matlens.operations import boxes as boxes
    from matlens.operations import keypoints as keypoints
    from matlens.operations import masks as masks
    from matlens.operations import polygons as polygons
    from matlens.operations.check import check as check
    from matlens.operations.convert import convert as convert
    from matlens.operations.diff import diff as diff
    from matlens.operations.loadmat import loadmat as loadmat
    from matlens.operations.query import query as query
    from matlens.tree.file import MatFile as MatFile
    from matlens.tree.file import from_loadmat as from_loadmat
    from matlens.tree.file import open_file as open  # noqa: F401
    from matlens.tree.nodes.node import Node as Node
    from matlens.values.plain import decode as decode

__version__ = "0.1.0"


# All are imported at their first use, so that `import matlens` costs next to nothing.
_SOURCES = {
    "Limits": ("matlens.limits", "Limits"),
    "MatFile": ("matlens.tree.file", "MatFile"),
    "MatlensError": ("matlens.errors", "MatlensError"),
    "Node": ("matlens.tree.nodes.node", "Node"),
    "boxes": ("matlens.operations.boxes", ""),
    "check": ("matlens.operations.check", "check"),
    "convert": ("matlens.operations.convert", "convert"),
    "decode": ("matlens.values.plain", "decode"),
    "diff": ("matlens.operations.diff", "diff"),
    "errors": ("matlens.errors", ""),
    "from_loadmat": ("matlens.tree.file", "from_loadmat"),
    "helpers": ("matlens.helpers", ""),
    "keypoints": ("matlens.operations.keypoints", ""),
    "loadmat": ("matlens.operations.loadmat", "loadmat"),
    "masks": ("matlens.operations.masks", ""),
    "open": ("matlens.tree.file", "open_file"),
    "polygons": ("matlens.operations.polygons", ""),
    "query": ("matlens.operations.query", "query"),
}

__all__ = sorted(_SOURCES)


def __getattr__(name: str) -> Any:
    if name not in _SOURCES:
        raise AttributeError(f"module 'matlens' has no attribute {name!r}")
    module, attribute = _SOURCES[name]
    loaded = import_module(module)
    value = getattr(loaded, attribute) if attribute else loaded
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
