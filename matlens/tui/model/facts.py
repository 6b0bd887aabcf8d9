"""What is known of a value, as a few lines of text."""

from __future__ import annotations

from rich.text import Text

from matlens.escape import safe_text
from matlens.tree.access import variable_of
from matlens.tree.describe import describe_node, dims_text
from matlens.tree.file import MatFile
from matlens.tree.nodes.node import Node
from matlens.tui.model.grids import ArrayGrid
from matlens.tui.model.statistics import Statistics, sparkline


def facts_text(file: MatFile, value: MatFile | Node) -> Text:
    """Class, dims, bytes and flags of a value and how it is stored; what the header of a file says."""
    if isinstance(value, MatFile):
        return Text(safe_text(file.header) or f"{len(file):,} variables")
    stored = _storage_text(value)
    return Text.assemble(_class_text(file, value), f"\n{stored}" if stored else "")


def _class_text(file: MatFile, node: Node) -> Text:
    described = describe_node(node)
    words = [safe_text(described["class"]), dims_text(described["dims"])]
    if described["bytes"]:
        words.append(f"{described['bytes']:,} bytes")
    words += [name for name in ("complex", "sparse", "global") if described[name]]
    if node.name in file and file[node.name] is node:
        variable = variable_of(file, node.name)
        if variable.stored_bytes is not None:
            how = "compressed to" if variable.compressed else "stored in"
            words.append(f"{how} {variable.stored_bytes:,} bytes")
    return Text("  ".join(words), "bold")


def _storage_text(node: Node) -> str:
    """How a value is stored: type, layout, chunks, filters and attributes of v7.3, place of v4 and v5."""
    storage = node.storage()
    words = [f"stored as {storage['type']}"] if "type" in storage else []
    if words and "offset" in storage:
        words.append(f"{storage['bytes']:,} bytes at {storage['offset']:,}")
    if "layout" in storage:
        chunk = f" {'x'.join(map(str, storage['chunk']))}" if "chunk" in storage else ""
        words += [storage["layout"] + chunk, *storage.get("filters", ())]
    attributes = "  ".join(f"{name}={value}" for name, value in storage.get("attributes", {}).items())
    return "\n".join(safe_text(line) for line in (", ".join(words), attributes) if line)


def statistics_text(found: Statistics) -> Text:
    """Counts, extremes, mean, standard deviation, and a histogram of one line."""
    unique = "" if found.unique is None else f"  unique {found.unique:,}"
    missing = "".join(f"  {word} {n:,}" for word, n in (("NaN", found.nan), ("Inf", found.infinite)) if n)
    return Text(
        f"count {found.count:,}{missing}{unique}\n"
        f"min {_extreme(found.minimum)}  max {_extreme(found.maximum)}  mean {found.mean:.6g}  std {found.std:.6g}\n"
        f"{sparkline(found.histogram)}"
    )


def _extreme(value: float) -> str:
    """Integers in full, others with six digits."""
    return f"{value}" if isinstance(value, int) else f"{value:.6g}"


def mapping_text(grid: ArrayGrid, base: int, stepped: int) -> str:
    """Which slice of an array is shown, and the keys that change it."""
    dims = "x".join(map(str, grid.dims))
    return (
        f"{grid.slice_text(base)} of {dims}   rows: dimension {grid.row_dim + 1} (r)   "
        f"columns: dimension {grid.column_dim + 1} (c)   [ ] step dimension {stepped + 1} (o)"
    )
