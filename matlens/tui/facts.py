"""What is known of a value, as a few lines of text."""

from __future__ import annotations

from rich.text import Text

from matlens.describe import describe_node
from matlens.escape import safe_text
from matlens.nodes import Node
from matlens.tree import MatFile
from matlens.tui.statistics import Statistics, sparkline

__all__ = ["facts_text", "statistics_text"]


def facts_text(file: MatFile, node: Node) -> Text:
    """Class, dims, bytes and flags; of a variable also how it is stored."""
    described = describe_node(node)
    words = [safe_text(described["class"]), "x".join(map(str, described["dims"]))]
    if described["bytes"]:
        words.append(f"{described['bytes']:,} bytes")
    words += [name for name in ("complex", "sparse", "global") if described[name]]
    if node.name in file and file[node.name] is node:
        variable = file.variable(node.name)
        if variable.stored_bytes is not None:
            how = "compressed to" if variable.compressed else "stored in"
            words.append(f"{how} {variable.stored_bytes:,} bytes")
    return Text("  ".join(words), "bold")


def statistics_text(found: Statistics) -> Text:
    """Counts, extremes, mean, standard deviation, and a histogram of one line."""
    unique = "" if found.unique is None else f"  unique {found.unique:,}"
    missing = "".join(f"  {word} {n:,}" for word, n in (("NaN", found.nan), ("Inf", found.infinite)) if n)
    return Text(
        f"count {found.count:,}{missing}{unique}\n"
        f"min {found.minimum:.6g}  max {found.maximum:.6g}  mean {found.mean:.6g}  std {found.std:.6g}\n"
        f"{sparkline(found.histogram)}"
    )
