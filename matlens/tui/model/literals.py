"""Values written out exactly: as TSV and CSV, as JSON, as a literal of Python or of MATLAB.

Numbers have as many digits as it takes to read them back: 17 at most; integers of 64 bits have all of theirs.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import math
from typing import Any, NamedTuple

import numpy as np

from matlens.escape import json_default
from matlens.tui.model.exact import Cells, Chars, Handle, Other, Records, Rows, Strings, nested
from matlens.tui.model.matlab_literals import matlab_text

FORMS = ("TSV", "CSV", "JSON", "Python", "MATLAB")
SUFFIXES = {"TSV": ".tsv", "CSV": ".csv", "JSON": ".json", "Python": ".py", "MATLAB": ".m"}


class Written(NamedTuple):
    """A value in one of the forms, and what that form cannot say."""

    text: str
    notes: tuple[str, ...] = ()


def written(value: Any, form: str) -> Written:
    """A value, as `exact` takes it from a file, in one of `FORMS`.

    Examples
    --------
    >>> written(np.array([[0.1, np.nan]]), "MATLAB").text
    '[0.1 NaN]'
    >>> written(np.array([[0.1, np.nan]]), "JSON")
    Written(text='[0.1, null]', notes=('NaN and Inf are null',))
    """
    if form == "MATLAB":
        return Written(matlab_text(value))
    if form == "Python":
        return Written(python_text(value))
    writer = _Json()
    if form == "JSON":
        text = json.dumps(writer.of(value), ensure_ascii=False, default=json_default)
        # Half a surrogate pair has no UTF-8: JSON writes it as an escape.
        return Written(text if _is_utf8(text) else json.dumps(json.loads(text)), tuple(writer.notes))
    text = _delimited(value, "\t" if form == "TSV" else ",", writer)
    if not _is_utf8(text):
        writer.note("unpaired surrogates are replaced")
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return Written(text, tuple(writer.notes))


def _pages(rows: list[str], pages: tuple[int, ...]) -> Any:
    return nested(rows, (len(rows) // max(math.prod(pages), 1), *pages)) if pages else rows


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- JSON ---------------------------------------------------------------------------


class _Json:
    """Values as JSON has them, by the rules of MATLAB's ``jsonencode``."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def of(self, value: Any) -> Any:
        match value:
            case Records(dims, fields, items):
                found = [{name: self.of(item) for name, item in zip(fields, line, strict=True)} for line in items]
                return found[0] if len(found) == 1 else nested(found, dims)
            case Rows(fields, items):
                return [{name: self.of(item) for name, item in zip(fields, line, strict=True)} for line in items]
            case Cells(dims, items):
                return nested([self.of(item) for item in items], dims)
            case Strings(dims, items):
                return items[0] if len(items) == 1 else nested(items, dims)
            case Chars(rows, pages):
                return _pages(rows, pages)
            case Handle(text):
                return text
            case Other(_, inner):
                return self.of(inner)
            case dict():
                return {str(name): self.of(item) for name, item in value.items()}
            case list() | tuple():
                return [self.of(item) for item in value]
        return self._numbers(value)

    def _numbers(self, value: Any) -> Any:
        if hasattr(value, "toarray"):
            return self.of(value.toarray())
        if isinstance(value, np.ndarray):
            if value.size == 1:
                return self._numbers(value.item() if value.dtype.kind not in "mM" else value.ravel()[0])
            flat = list(value.ravel(order="F")) if value.dtype.kind in "mM" else value.ravel(order="F").tolist()
            return nested([self._numbers(item) for item in flat], value.shape)
        if isinstance(value, np.datetime64 | np.timedelta64):
            return None if np.isnat(value) else str(value)
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, complex):
            self.note("complex numbers are objects of real and imag")
            return {"real": self._numbers(value.real), "imag": self._numbers(value.imag)}
        if isinstance(value, float) and not math.isfinite(value):
            self.note("NaN and Inf are null")
            return None
        return value


# --- TSV and CSV --------------------------------------------------------------------


def _delimited(value: Any, delimiter: str, writer: _Json) -> str:
    """Rows of a table; of what is no table, the only cell. Values inside of cells are JSON."""
    out = io.StringIO()
    lines = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    for line in _lines(value):
        lines.writerow([plain_text(item, writer) for item in line])
    return out.getvalue().removesuffix("\n")


def _lines(value: Any) -> list[list[Any]]:
    if hasattr(value, "toarray"):
        value = value.toarray()
    match value:
        case Rows(fields, items) | Records(_, fields, items):
            return [list(fields), *items]
        case Cells(dims, items) | Strings(dims, items) if len(dims) == 2:
            return [items[row :: dims[0]] for row in range(dims[0])]
        case Chars(rows):
            return [[row] for row in rows]
        case np.ndarray() if value.ndim == 2:
            return [list(row) for row in value]
    return [[value]]


def plain_text(value: Any, writer: _Json | None = None) -> str:
    """A number or text as it is; anything nested as JSON.

    Examples
    --------
    >>> plain_text(0.1), plain_text(np.int64(2**62 + 1)), plain_text(complex(1, -2)), plain_text([1, 2])
    ('0.1', '4611686018427387905', '1-2i', '[1, 2]')
    """
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, complex):
        sign = "" if _real_text(value.imag).startswith("-") else "+"
        return f"{_real_text(value.real)}{sign}{_real_text(value.imag)}i"
    if isinstance(value, int | float):
        return _real_text(value)
    if isinstance(value, Handle):
        return value.text
    if isinstance(value, Strings) and len(value.items) == 1:
        return value.items[0] or ""
    if isinstance(value, np.datetime64 | np.timedelta64 | dt.date | dt.time | dt.timedelta):
        return str(value)
    return json.dumps((writer or _Json()).of(value), ensure_ascii=False, default=json_default)


def _real_text(value: float) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Inf" if value > 0 else "-Inf"
    text = repr(value)
    return text.removesuffix(".0")


# --- Python -------------------------------------------------------------------------


def python_text(value: Any) -> str:
    """An expression of Python.

    Arrays and times ask for ``import numpy as np``, sparse matrices for ``import scipy.sparse``; times of tables are
    those of ``datetime`` and ``zoneinfo``.

    Examples
    --------
    >>> python_text(np.array([[1.5]])), python_text("it's"), python_text(np.array([[1, 2]], np.int8))
    ('1.5', '"it\\'s"', 'np.array([[1, 2]], dtype=np.int8)')
    """
    match value:
        case Records(dims, fields, items):
            found = [_python_dict(fields, line) for line in items]
            return found[0] if len(found) == 1 else _python_list(nested(found, dims))
        case Rows(fields, items):
            return _python_list([_python_dict(fields, line) for line in items])
        case Cells(dims, items) | Strings(dims, items):
            found = [python_text(item) for item in items]
            is_one = isinstance(value, Strings) and len(found) == 1
            return found[0] if is_one else _python_list(nested(found, dims))
        case Chars(rows, pages):
            return repr(_pages(rows, pages))
        case Handle(text):
            return repr(text)
        case Other(_, inner):
            return python_text(inner)
        case dict():
            return _python_dict(list(value), list(value.values()))
        case list() | tuple():
            return "[" + ", ".join(map(python_text, value)) + "]"
    if hasattr(value, "tocoo"):
        part = value.tocoo()
        places = ", ".join(_python_array(np.asarray(places, np.int64)) for places in part.coords)
        return f"scipy.sparse.coo_array(({_python_array(part.data)}, ({places})), shape={tuple(value.shape)})"
    if isinstance(value, np.ndarray) and value.size != 1:
        return _python_array(value)
    return _python_scalar(value.ravel()[0] if isinstance(value, np.ndarray) else value)


def _python_list(items: Any) -> str:
    """Lists of texts that are expressions already."""
    return items if isinstance(items, str) else "[" + ", ".join(map(_python_list, items)) + "]"


def _python_dict(names: list[Any], values: list[Any]) -> str:
    return "{" + ", ".join(f"{k!r}: {python_text(v)}" for k, v in zip(names, values, strict=True)) + "}"


def _python_array(value: Any) -> str:
    kind = value.dtype.kind
    name = repr(str(value.dtype)) if kind in "mM" else "bool" if kind == "b" else f"np.{value.dtype.name}"
    if value.size == 0:
        return f"np.zeros({value.shape}, dtype={name})"
    flat = value.ravel()
    items = [_python_item(item) for item in (flat.astype(np.int64) if kind in "mM" else flat).tolist()]
    shaped = np.array(items, object).reshape(value.shape).tolist()
    return f"np.array({_python_list(shaped)}, dtype={name})"


def _python_item(value: Any) -> str:
    """A number inside of an array."""
    if isinstance(value, complex):
        if value.imag and not math.copysign(1, value.real) < 0 and math.isfinite(value.real + value.imag):
            return repr(value)
        return f"complex({_python_item(value.real)}, {_python_item(value.imag)})"
    return f'float("{value}")' if isinstance(value, float) and not math.isfinite(value) else repr(value)


def _python_scalar(value: Any) -> str:
    if isinstance(value, np.datetime64 | np.timedelta64):
        unit = np.datetime_data(value.dtype)[0]
        number = "'NaT'" if np.isnat(value) else str(value.astype(np.int64))
        return f"np.{type(value).__name__}({number}, {unit!r})"
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool | int | float | complex):
        return _python_item(value)
    return repr(value)
