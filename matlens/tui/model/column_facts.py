"""Statistics of one column of a table: numbers, texts and nested values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from matlens.escape import safe_text, shorten
from matlens.tui.model.frequencies import frequencies, leaves
from matlens.tui.model.statistics import BINS, sparkline

if TYPE_CHECKING:
    import pyarrow as pa

_MOST = 3
_VALUE = 30


def column_text(name: str, column: pa.ChunkedArray) -> str:
    """Two lines about a column: how many, missing, different, and its range or most frequent values; escaped.

    Examples
    --------
    >>> import pyarrow as pa
    >>> print(column_text("label", pa.chunked_array([["car", "van", "car", None]])))
    label: 4 rows  missing 1  unique 2  lengths 3
    most frequent: car 2, van 1
    >>> print(column_text("x", pa.chunked_array([[1, 2, 6]])))
    x: 3 rows  unique 3  min 1  max 6  mean 3  std 2.16025
    █       █                              █
    """
    import pyarrow as pa

    values = leaves(column)
    words = [f"{shorten(safe_text(name), _VALUE)}: {len(column):,} rows"]
    if column.null_count:
        words.append(f"missing {column.null_count:,}")
    if values is not column and len(values) != len(column):
        words.append(f"values {len(values):,}")
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return _number_text(words, values)
    return _category_text(words, values, name)


def _number_text(words: list[str], values: pa.ChunkedArray) -> str:
    numbers = np.asarray(values.drop_null().to_numpy())
    finite = numbers[np.isfinite(numbers)] if numbers.dtype.kind == "f" else numbers
    for word, count in (("NaN", np.isnan(numbers).sum()), ("Inf", np.isinf(numbers).sum())):
        if count:
            words.append(f"{word} {int(count):,}")
    words.append(f"unique {len(np.unique(numbers)):,}")
    if not len(finite):
        return "  ".join(words)
    low, high = finite.min().item(), finite.max().item()
    # Numbers between -1 and 1 do not overflow when they are summed and squared.
    scale = max(abs(float(low)), abs(float(high))) or 1.0
    with np.errstate(under="ignore"):
        scaled = finite.astype(np.float64) / scale
        words += [f"min {_short(low)}", f"max {_short(high)}", f"mean {float(scaled.mean()) * scale:.6g}"]
        words.append(f"std {float(scaled.std()) * scale:.6g}")
    return "  ".join(words) + "\n" + sparkline(_histogram(scaled))


def _histogram(values: NDArray[np.float64]) -> NDArray[np.int64]:
    low, high = float(values.min()), float(values.max())
    return np.histogram(values, BINS, (low, high) if high > low else (low, low + 1))[0].astype(np.int64)


def _short(value: Any) -> str:
    return f"{value}" if isinstance(value, int) else f"{value:.6g}"


def _category_text(words: list[str], values: pa.ChunkedArray, name: str) -> str:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = frequencies(name, values)
    is_present = np.array([value is not None for value in found.values.slice(0, 1 + _MOST).to_pylist()], bool)
    words.append(f"unique {len(found.counts) - found.values.null_count:,}")
    if pa.types.is_string(found.values.type) and len(found.values) > found.values.null_count:
        lengths = pc.min_max(pc.utf8_length(found.values)).as_py()
        low, high = lengths["min"], lengths["max"]
        words.append(f"lengths {low}" if low == high else f"lengths {low} to {high}")
    most = [
        f"{shorten(safe_text(str(found.values[k].as_py())), _VALUE) or '(empty)'} {found.counts[k]:,}"
        for k in np.flatnonzero(is_present)[:_MOST].tolist()
    ]
    line = "  ".join(words)
    return f"{line}\nmost frequent: {', '.join(most)}" if most else line
